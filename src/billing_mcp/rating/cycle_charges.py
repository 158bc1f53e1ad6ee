"""What one account owes for one cycle of one plan: the place that knows the order of the steps.

Cards in the plan's order (usage, fixed fees, licences, entitlements, overage, credit grants), each
slab by slab with the slab's bounds, then the card's bounds, then the pricing rules, then the
minimum commitment over the cards' rounded sum. Fees in advance, with the rules for them, stand
beside them. Credits come after all of it (credits.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from billing_mcp.rating import (
    commitment,
    credit_grant,
    entitlement_card,
    fixed_fee,
    licence,
    overage,
    pricing_rules,
    usage_card,
)
from billing_mcp.rating.cards import in_advance
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.licence import LicenceChange, Refund
from billing_mcp.rating.lines import Line, amount_of
from billing_mcp.rating.plan import NotAPlan, Plan
from billing_mcp.rating.pricing_rules import PricingRule, Ruled, RuleLog


@dataclass(frozen=True, slots=True)
class Measured:
    """What happened: usage of the cycle by usage meter, the whole history of licence changes by
    add-on, overage units by feature since the overage card was last billed, and what an earlier
    invoice, if it is final, charged in advance for this cycle's licences by add-on."""

    usage: Mapping[str, Decimal] = field(default_factory=dict)
    licences: Mapping[str, Sequence[LicenceChange]] = field(default_factory=dict)
    overage: Mapping[str, Decimal] = field(default_factory=dict)
    invoiced: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CycleCharges:
    """`cards` are owed in arrears, `advance` for the next cycle; both are on this cycle's invoice.

    So are `additions` and `advance_additions`: what pricing rules added to either.
    `at_association` are the first cycle's own fees in advance, invoiced when it begins. `refunds`
    are not on the invoice: whoever keeps credits and wallets gives them back.
    """

    currency: str
    cycle: Cycle
    cards: tuple[Line, ...]
    true_up: Line | None
    advance: tuple[Line, ...]
    at_association: tuple[Line, ...]
    refunds: tuple[Refund, ...]
    additions: tuple[Line, ...] = ()
    advance_additions: tuple[Line, ...] = ()
    logs: tuple[RuleLog, ...] = ()

    @property
    def subtotal(self) -> Decimal:
        """The sum of the cards owed in arrears, which the commitment is compared with."""
        return amount_of(self.cards)

    @property
    def lines(self) -> tuple[Line, ...]:
        """Everything on this cycle's invoice that a credit may pay, in the invoice's order."""
        true_up = () if self.true_up is None else (self.true_up,)
        return (
            *(*self.cards, *self.additions, *true_up),
            *(*self.advance, *self.advance_additions),
        )

    @property
    def gross(self) -> Decimal:
        return amount_of(self.lines)


def charges(
    plan: Plan,
    currency: str,
    cycle: Cycle,
    measured: Measured,
    *,
    following: Cycle | None,
    rules: Sequence[PricingRule] = (),
) -> CycleCharges:
    """Rate a cycle. `following` is the next one, or None if the association ends with this one.

    Raises `NotAPlan` for a currency the plan has no rates in.
    """
    if currency not in plan.currencies:
        raise NotAPlan(f"the plan has no rates in {currency}")
    cards, refunds = _in_arrears(plan, currency, cycle, measured, last=following is None)
    arrears = _ruled(plan, currency, cards, rules, advance=False)
    true_up = None
    if plan.minimum_commitment is not None:
        subtotal = amount_of(arrears.cards)
        true_up = commitment.charge(plan.minimum_commitment, currency, subtotal)
    advance = Ruled(())
    if following is not None:
        advance = advance_charges(plan, currency, following, measured, rules)
    own = advance_fees(plan, currency, cycle, measured) if cycle.number == 0 else ()
    return CycleCharges(
        currency,
        cycle,
        arrears.cards,
        true_up,
        advance.cards,
        own,
        refunds,
        arrears.additions,
        advance.additions,
        (*arrears.logs, *advance.logs),
    )


def advance_charges(
    plan: Plan, currency: str, cycle: Cycle, measured: Measured, rules: Sequence[PricingRule] = ()
) -> Ruled:
    """The fees of a cycle that are invoiced before it begins, and what rules make of them."""
    fees = advance_fees(plan, currency, cycle, measured)
    return _ruled(plan, currency, fees, rules, advance=True) if fees else Ruled(())


def _ruled(
    plan: Plan, currency: str, cards: Sequence[Line], rules: Sequence[PricingRule], *, advance: bool
) -> Ruled:
    """Run the rules of one timing."""
    timing = "IN_ADVANCE" if advance else "IN_ARREARS"
    timed = [rule for rule in rules if rule.timing == timing]
    if not timed:
        return Ruled(tuple(cards))

    def reprice(usage_meter_id: str, units: Decimal) -> Line:
        card = next(card for card in plan.usage_cards if card.usage_meter_id == usage_meter_id)
        return usage_card.charge(card, currency, {usage_meter_id: units})

    names = pricing_rules.card_names(plan, advance=advance)
    return pricing_rules.apply(timed, cards, names, reprice, currency)


def advance_fees(plan: Plan, currency: str, cycle: Cycle, measured: Measured) -> tuple[Line, ...]:
    """The fees of a cycle that are invoiced before it begins."""
    return tuple(line for line in _in_advance(plan, currency, cycle, measured) if line is not None)


def _in_advance(
    plan: Plan, currency: str, cycle: Cycle, measured: Measured
) -> Iterator[Line | None]:
    for fee in plan.fixed_fees:
        if in_advance(fee.timing):
            yield fixed_fee.charge(fee, currency, cycle, advanced=True)
    for card in plan.licences:
        if in_advance(card.timing):
            changes = measured.licences.get(card.id, ())
            yield licence.advance(card, currency, cycle, changes)
    for entitlement in plan.entitlements:
        if in_advance(entitlement.timing):
            yield entitlement_card.charge(entitlement, currency, cycle, advanced=True)
    for grant in plan.credit_grants:
        if in_advance(grant.timing):
            yield credit_grant.charge(grant, currency, cycle, advanced=True)


def _in_arrears(
    plan: Plan, currency: str, cycle: Cycle, measured: Measured, *, last: bool
) -> tuple[tuple[Line, ...], tuple[Refund, ...]]:
    refunds: list[Refund] = []
    lines: list[Line | None] = [
        usage_card.charge(card, currency, measured.usage) for card in plan.usage_cards
    ]
    lines += [
        fixed_fee.charge(fee, currency, cycle)
        for fee in plan.fixed_fees
        if not in_advance(fee.timing)
    ]
    for card in plan.licences:
        changes = measured.licences.get(card.id, ())
        invoiced = measured.invoiced.get(card.id)
        line, refund = licence.charge(card, currency, cycle, changes, invoiced)
        lines.append(line)
        if refund is not None:
            refunds.append(refund)
    lines += [
        entitlement_card.charge(entitlement, currency, cycle)
        for entitlement in plan.entitlements
        if not in_advance(entitlement.timing)
    ]
    lines += [
        overage.charge(beyond, currency, cycle, measured.overage, last=last)
        for beyond in plan.overages
    ]
    lines += [
        credit_grant.charge(grant, currency, cycle)
        for grant in plan.credit_grants
        if not in_advance(grant.timing)
    ]
    return tuple(line for line in lines if line is not None), tuple(refunds)
