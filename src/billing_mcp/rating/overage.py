"""An entitlement-overage card: units used beyond what was granted, its limit, and its price."""

from collections.abc import Mapping
from decimal import Decimal

from billing_mcp.rating.card_lines import Heading, card_line
from billing_mcp.rating.cards import Overage
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.rating.lines import Line
from billing_mcp.rating.recurrence import due


def charge(
    card: Overage, currency: str, cycle: Cycle, overage: Mapping[str, Decimal], *, last: bool
) -> Line | None:
    """The price of the overage since the card was last billed; None where it is not billed.

    The association's last cycle bills what is left, due or not. All units are priced, also those
    beyond the card's limit: `allows` is asked before they are used, not when they are billed.
    """
    if not last and not due(card.billing, cycle.number):
        return None
    heading = Heading(
        "ENTITLEMENT_OVERAGE_RATE_CARD_AMOUNT",
        "ENTITLEMENT_OVERAGE_RATE_CARD_SLAB_AMOUNT",
        card.name,
        card.feature_id,
    )
    units = overage.get(card.feature_id, Decimal(0))
    return card_line(heading, card.rate_plan, card.rate_values[currency], units)


def allows(card: Overage, used: Decimal, more: Decimal) -> bool:
    """Whether so many more units keep within the card's limit; a limit may be used up."""
    return card.maximum is None or WIDE.add(used, more) <= card.maximum
