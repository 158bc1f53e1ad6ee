"""A credit-grant card: credits granted at a cycle's start, how long they live, and their price."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing_mcp.rating.calendar_days import OPEN_END, after
from billing_mcp.rating.card_lines import Heading, card_line
from billing_mcp.rating.cards import CreditGrant
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.lines import Line
from billing_mcp.rating.recurrence import due


@dataclass(frozen=True, slots=True)
class GrantedCredit:
    """A credit to be given to the account, usable until before `effective_until`."""

    source: str
    amount: Decimal
    priority: int
    applicable: tuple[str, ...]
    effective_from: datetime
    effective_until: datetime


def charge(
    card: CreditGrant, currency: str, cycle: Cycle, *, advanced: bool = False
) -> Line | None:
    """The price of the credit granted in a cycle: its slabs over the amount granted."""
    if not due(card.recurrence, cycle.number, one_time=card.one_time):
        return None
    # The vendor has no type for the slabs of this card.
    kind = "CREDIT_GRANT_RATE_CARD_AMOUNT"
    heading = Heading(f"ADVANCED_{kind}" if advanced else kind, kind, card.name, card.id)
    price = card.prices[currency]
    return card_line(heading, price.rate_plan, price.rate_value, price.credit_amount)


def granted(card: CreditGrant, currency: str, cycle: Cycle) -> GrantedCredit | None:
    """What the card grants in a cycle. Raises `ValueError` for a malformed duration."""
    if not due(card.recurrence, cycle.number, one_time=card.one_time):
        return None
    if card.expiry_duration is not None and card.expiry_type == "CUSTOM":
        until = after(cycle.start, card.expiry_duration)
    else:
        until = cycle.end if card.expiry_type == "PRICING_CYCLE" else OPEN_END
    return GrantedCredit(
        card.id,
        card.prices[currency].credit_amount,
        card.priority,
        card.applicable,
        cycle.start,
        until,
    )
