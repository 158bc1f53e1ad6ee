"""What an account owes for one cycle of a plan: every card, the commitment, the credits, the net.

Amounts are whole minor units of the account's currency. The inputs are the vendor's JSON of the
plan and plain numbers, so that nothing of the engine that is judged by it takes part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from rating.reference import cards, licences
from rating.reference.calendar import Cycle, cycles
from rating.reference.cards import Charge
from rating.reference.credits import Bill, Credit, Paid, pay
from rating.reference.minor_units import minor
from rating.reference.random_cases import Case
from rating.reference.slabs import exact

IN_ADVANCE = ("IN_ADVANCE", "PREPAID")


@dataclass(frozen=True)
class Owed:
    """`advance` is for the next cycle, on this invoice; `at_association` is invoiced by itself.

    `refunds` are by add-on: what was paid in advance for licences and then not held.
    """

    arrears: list[Charge]
    true_up: int
    advance: list[Charge]
    at_association: list[Charge]
    refunds: dict[str, int]

    @property
    def subtotal(self) -> int:
        return sum(charge.amount for charge in self.arrears)

    @property
    def gross(self) -> int:
        return self.subtotal + self.true_up + sum(charge.amount for charge in self.advance)


def two_cycles(case: Case) -> tuple[Cycle, Cycle | None] | None:
    """The case's cycle and the one after it; None if the association ends before it begins."""
    walk = cycles(case.details["pricingCycleConfig"], case.associated, case.until)
    found = list(islice(walk, case.cycle, case.cycle + 2))
    if not found:
        return None
    return found[0], found[1] if len(found) > 1 else None


def owed(case: Case, cycle: Cycle, following: Cycle | None) -> Owed:
    arrears: list[Charge] = []
    refunds: dict[str, int] = {}
    for charge, refund in in_arrears(case, cycle, last=following is None):
        if charge:
            arrears.append(charge)
        if charge is not None and refund > 0:
            refunds[charge.source] = refund
    subtotal = sum(charge.amount for charge in arrears)
    return Owed(
        arrears=arrears,
        true_up=true_up(case.details.get("minimumCommitment"), case.currency, subtotal),
        advance=in_advance(case, following) if following else [],
        at_association=in_advance(case, cycle) if cycle.number == 0 else [],
        refunds=refunds,
    )


def true_up(commitment: Mapping[str, Any] | None, currency: str, subtotal: int) -> int:
    """What the printed lines lack of the commitment; in full for a part of a cycle too."""
    if commitment is None:
        return 0
    rate = exact(cards.in_currency(commitment["rateValues"], currency)["rate"])
    return max(0, minor(rate, currency) - subtotal)


def is_advance(card: Mapping[str, Any]) -> bool:
    return card.get("invoiceTiming") in IN_ADVANCE


def in_arrears(case: Case, cycle: Cycle, *, last: bool) -> list[tuple[Charge | None, int]]:
    """The cards owed for the cycle itself; the number beside a licence is to be given back."""
    plan, currency = case.details, case.currency
    found: list[tuple[Charge | None, int]] = [
        (cards.usage(card, currency, exact(case.usage.get(card["usageMeterId"], 0))), 0)
        for card in plan["usageRateCards"]
    ]
    found += [
        (cards.fixed_fee(card, currency, cycle), 0)
        for card in plan["fixedFeeRateCards"]
        if not is_advance(card)
    ]
    found += [licence(case, card, cycle) for card in plan["licenseRateCards"]]
    found += [
        (cards.entitlement(card, currency, cycle), 0)
        for card in plan["billingEntitlementRateCards"]
        if not is_advance(card)
    ]
    found += [
        (overage(case, card, cycle, last=last), 0) for card in plan["entitlementOverageRateCards"]
    ]
    found += [
        (cards.credit_grant(card, currency, cycle), 0)
        for card in plan["creditGrantRateCards"]
        if not is_advance(card)
    ]
    return found


def licence(case: Case, card: Mapping[str, Any], cycle: Cycle) -> tuple[Charge | None, int]:
    """In arrears, the cycle's price; of a card paid in advance, the difference either way."""
    on = licences.held(card, case.licences[card["id"]])
    charge = licences.charge(card, case.currency, cycle, on)
    if not is_advance(card):
        return charge, 0
    paid = licences.advance(card, case.currency, cycle, on).amount
    more = max(0, charge.amount - paid)
    less = max(0, paid - charge.amount)
    refund = less if card.get("proratedRefundMode", "NONE") != "NONE" else 0
    return Charge("licence", card["id"], (), more), refund


def overage(case: Case, card: Mapping[str, Any], cycle: Cycle, *, last: bool) -> Charge | None:
    """Billed in the cycles that its billing falls due in, and at the association's end."""
    config = card.get("billingConfig")
    if not last and not cards.falls_due(config, "startOffset", cycle.number, once=False):
        return None
    units = exact(case.overage.get(card["featureId"], 0))
    return cards.slabbed("overage", card["featureId"], card, case.currency, units)


def in_advance(case: Case, cycle: Cycle) -> list[Charge]:
    """What the cycle costs before it begins, in the plan's order."""
    plan, currency = case.details, case.currency
    found = [cards.fixed_fee(card, currency, cycle) for card in advanced(plan["fixedFeeRateCards"])]
    for card in advanced(plan["licenseRateCards"]):
        on = licences.held(card, case.licences[card["id"]])
        found.append(licences.advance(card, currency, cycle, on))
    found += [
        cards.entitlement(card, currency, cycle)
        for card in advanced(plan["billingEntitlementRateCards"])
    ]
    found += [
        cards.credit_grant(card, currency, cycle) for card in advanced(plan["creditGrantRateCards"])
    ]
    return [charge for charge in found if charge is not None]


def advanced(given: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [card for card in given if is_advance(card)]


def paid_by_credits(
    owed: Owed, given: Sequence[Mapping[str, Any]], cycle: Cycle, currency: str
) -> Paid:
    """Credits that live on some day of the cycle pay the cards, the true-up, then the advance."""
    bills = [bill(charge, f"arrears {charge.source}") for charge in owed.arrears]
    bills.append(Bill("true-up", "true-up", [], owed.true_up))
    bills += [bill(charge, f"advance {charge.source}") for charge in owed.advance]
    usable = [
        Credit(
            id=credit["id"],
            priority=credit["priority"],
            amount=minor(exact(credit["left"]), currency),
            effective_until=credit["effectiveUntil"],
            entities=credit["applicableEntityIds"],
            granted_at=credit["createdAt"],
        )
        for credit in given
        if lives(credit, cycle.days())
    ]
    return pay(usable, bills)


def bill(charge: Charge, card: str) -> Bill:
    return Bill(card, charge.kind, [charge.source], charge.amount)


def lives(credit: Mapping[str, Any], cycle_days: Sequence[date]) -> bool:
    """The day it ends on is no longer its own."""
    until = credit["effectiveUntil"] or date.max
    return any(credit["effectiveFrom"] <= day < until for day in cycle_days)
