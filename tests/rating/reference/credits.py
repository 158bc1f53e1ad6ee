"""Which credits pay for which cards, one minor unit at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

# Beyond this many minor units a card is paid in one step instead of one unit at a time.
MOST_UNITS = 3000


@dataclass
class Credit:
    """`amount` is what is left of it, in minor units; `entities` as in `applicableEntityIds`."""

    id: str
    priority: int
    amount: int
    effective_until: date | None
    entities: list[str]
    granted_at: int


@dataclass
class Bill:
    """What a card still costs, in minor units, and the ids by which a credit may name it."""

    card: str
    kind: str
    names: list[str]
    owed: int


@dataclass
class Paid:
    """Minor units taken: by credit and card."""

    taken: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, credit_id: str) -> int:
        return sum(amount for (credit, _), amount in self.taken.items() if credit == credit_id)

    def total(self) -> int:
        return sum(self.taken.values())


KINDS: Mapping[str, str] = {
    "ALL_USAGE_METER_RATE_CARDS": "usage",
    "ALL_FIXED_FEE_RATE_CARDS": "fixed fee",
}


def applies(credit: Credit, bill: Bill) -> bool:
    """A credit without entities is good for everything."""
    if not credit.entities:
        return True
    return any(name in bill.names or KINDS.get(name) == bill.kind for name in credit.entities)


def pay(given: Sequence[Credit], bills: Sequence[Bill]) -> Paid:
    """Take what is owed from the credits, the most urgent one first; both are changed."""
    paid = Paid()
    for credit in sorted(given, key=urgency):
        for bill in bills:
            if not applies(credit, bill):
                continue
            step = 1 if min(credit.amount, bill.owed) <= MOST_UNITS else None
            while credit.amount > 0 and bill.owed > 0:
                taken = step or min(credit.amount, bill.owed)
                credit.amount -= taken
                bill.owed -= taken
                key = (credit.id, bill.card)
                paid.taken[key] = paid.taken.get(key, 0) + taken
    return paid


def urgency(credit: Credit) -> tuple[int, date, int, str]:
    """Priority 1 before 2; then what expires first; then what was granted first; then by id."""
    return (credit.priority, credit.effective_until or date.max, credit.granted_at, credit.id)
