"""How credits pay for lines: in which order, for which lines, and how much of each is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing_mcp import money
from billing_mcp.rating.calendar_days import OPEN_END
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.exact_numbers import WIDE, total
from billing_mcp.rating.lines import Line

_ALL_OF = {
    "ALL_USAGE_METER_RATE_CARDS": ("USAGE_RATE_CARD_AMOUNT",),
    "ALL_FIXED_FEE_RATE_CARDS": ("FIXED_FEE_RATE_CARD_AMOUNT", "ADVANCED_FIXED_FEE"),
}


@dataclass(frozen=True, slots=True)
class CreditState:
    """A credit as it stands before this use; `left` is what is neither consumed nor held elsewhere.

    `effective_until` is exclusive. `applicable` are the vendor's `applicableEntityIds`.
    """

    id: str
    priority: int
    effective_from: datetime
    effective_until: datetime | None
    created_at: datetime
    left: Decimal
    applicable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """So much of one credit paid for the line at this index of those that were given."""

    credit_id: str
    line: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CreditUse:
    uses: tuple[Use, ...] = ()

    @property
    def total(self) -> Decimal:
        return total(use.amount for use in self.uses)

    def by_credit(self) -> dict[str, Decimal]:
        """The sum used of each credit that was used, in the order they were used in."""
        sums: dict[str, Decimal] = {}
        for use in self.uses:
            sums[use.credit_id] = WIDE.add(sums.get(use.credit_id, Decimal(0)), use.amount)
        return sums


def apply_credits(
    lines: Sequence[Line], credits_: Sequence[CreditState], cycle: Cycle, currency: str
) -> CreditUse:
    """Pay for the cards of a cycle, in the lines' order, with one credit after the other.

    Priority first (1 before 2), then the earlier expiry, then the older credit, then the id. Only
    whole minor units of a credit are used.
    """
    owed = _owed(lines)
    uses = []
    for credit in sorted(credits_, key=_order):
        if not _usable(credit, cycle):
            continue
        left = money.rounded(credit.left, currency)
        for index, line in enumerate(lines):
            amount = min(left, owed[index])
            if amount > 0 and applies(credit.applicable, line):
                uses.append(Use(credit.id, index, amount))
                owed[index] = WIDE.subtract(owed[index], amount)
                left = WIDE.subtract(left, amount)
    return CreditUse(tuple(uses))


def _owed(lines: Sequence[Line]) -> list[Decimal]:
    """What credits may pay of each line: a discount lowers the lines before it, the last first."""
    owed: list[Decimal] = []
    for line in lines:
        discount = max(line.amount.copy_negate(), Decimal(0))
        for index in reversed(range(len(owed))):
            taken = min(discount, owed[index])
            owed[index] = WIDE.subtract(owed[index], taken)
            discount = WIDE.subtract(discount, taken)
        owed.append(max(line.amount, Decimal(0)))
    return owed


def applies(applicable: Sequence[str], line: Line) -> bool:
    """Whether a credit may pay for a card's line. No ids at all mean everything.

    A usage meter's id means that meter's card; an add-on's or a feature's, theirs.
    """
    return not applicable or any(
        line.type in _ALL_OF[entity] if entity in _ALL_OF else entity == line.source
        for entity in applicable
    )


def _usable(credit: CreditState, cycle: Cycle) -> bool:
    """Whether the credit lives during any part of the cycle."""
    expired = credit.effective_until is not None and credit.effective_until <= cycle.start
    return not expired and credit.effective_from < cycle.end


def _order(credit: CreditState) -> tuple[int, datetime, datetime, str]:
    return credit.priority, credit.effective_until or OPEN_END, credit.created_at, credit.id
