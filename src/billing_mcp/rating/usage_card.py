"""A usage rate card: what a usage meter counted in a cycle, priced by slabs."""

from collections.abc import Mapping
from decimal import Decimal

from billing_mcp.rating.card_lines import Heading, card_line
from billing_mcp.rating.cards import UsageCard
from billing_mcp.rating.lines import Line


def charge(card: UsageCard, currency: str, usage: Mapping[str, Decimal]) -> Line:
    """Always a line, so that a minimum is charged and a bill shows that nothing was used.

    Usage that corrections have taken below zero reaches no slab.
    """
    heading = Heading(
        "USAGE_RATE_CARD_AMOUNT", "USAGE_RATE_CARD_SLAB_AMOUNT", card.name, card.usage_meter_id
    )
    quantity = usage.get(card.usage_meter_id, Decimal(0))
    return card_line(heading, card.rate_plan, card.rate_values[currency], quantity)
