"""A billing-entitlement card: feature credits granted at a cycle's start, and their price."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing_mcp.rating.calendar_days import after
from billing_mcp.rating.card_lines import Heading, card_line
from billing_mcp.rating.cards import Entitlement
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.exact_numbers import total
from billing_mcp.rating.lines import Line
from billing_mcp.rating.recurrence import due

_AT_ONCE = "P0D"


@dataclass(frozen=True, slots=True)
class FeatureCredits:
    """Feature credits that can be used from `effective_from` until before `effective_until`."""

    feature_id: str
    amount: Decimal
    effective_from: datetime
    effective_until: datetime


def charge(
    card: Entitlement, currency: str, cycle: Cycle, *, advanced: bool = False
) -> Line | None:
    """The price of all the credits the card grants in a cycle; None where it grants none."""
    if not due(card.recurrence, cycle.number):
        return None
    # The vendor has no type for the slabs of this card.
    kind = "BILLING_ENTITLEMENT_RATE_CARD_AMOUNT"
    heading = Heading(f"ADVANCED_{kind}" if advanced else kind, kind, card.name, card.feature_id)
    granted = total(grant.limit for grant in card.grants)
    return card_line(heading, card.rate_plan, card.rate_values[currency], granted)


def granted(card: Entitlement, cycle: Cycle) -> tuple[FeatureCredits, ...]:
    """What the card grants in a cycle. Raises `ValueError` for a malformed duration."""
    if not due(card.recurrence, cycle.number):
        return ()
    return tuple(
        FeatureCredits(
            card.feature_id,
            grant.limit,
            cycle.start
            if grant.effective_from is None
            else after(cycle.start, grant.effective_from),
            after(cycle.start, grant.effective_until),
        )
        for grant in card.grants
    )
