"""The least and the most that a slab or a whole card may earn (`minimumRate`, `maximumRate`)."""

from decimal import Decimal
from fractions import Fraction

from billing_mcp import money
from billing_mcp.rating.cards import Bounds
from billing_mcp.rating.exact_numbers import WIDE

MINIMUM = "minimumRate"
MAXIMUM = "maximumRate"


def clamped(revenue: Fraction, bounds: Bounds) -> tuple[Fraction, str | None]:
    """A slab's exact revenue within its bounds, and the bound that was applied."""
    if bounds.minimum is not None and revenue < bounds.minimum:
        return Fraction(bounds.minimum), MINIMUM
    if bounds.maximum is not None and revenue > bounds.maximum:
        return Fraction(bounds.maximum), MAXIMUM
    return revenue, None


def adjustment(subtotal: Decimal, bounds: Bounds, currency: str) -> tuple[Decimal, str] | None:
    """What has to be added to a card's rounded slabs (below zero: taken off), and by which bound.

    The bound, rounded, is compared with what the invoice's lines add up to. Were it compared with
    the exact sum, a card with a minimum of 10.00 could still come out at 9.99.
    """
    if bounds.minimum is not None:
        least = money.rounded(bounds.minimum, currency)
        if subtotal < least:
            return WIDE.subtract(least, subtotal), MINIMUM
    if bounds.maximum is not None:
        most = money.rounded(bounds.maximum, currency)
        if subtotal > most:
            return WIDE.subtract(most, subtotal), MAXIMUM
    return None
