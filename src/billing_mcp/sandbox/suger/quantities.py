"""Exact quantities of usage: how they are read, and how far they are calculated."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Any

from billing_mcp.sandbox.call import Refusal, number

# Beyond these a quantity is a mistake, and within them no product or sum loses a digit.
LARGEST = Decimal(10) ** 15
DECIMAL_PLACES = 30
_DIGITS = 200

# A quotient may never end; a quantity that comes from one is cut here.
_QUOTIENT = Decimal("1e-12")


@contextmanager
def exactly() -> Iterator[None]:
    """Calculate with so many digits that nothing is rounded on the way."""
    with localcontext(prec=_DIGITS):
        yield


def quantity(body: Mapping[str, Any], name: str, at: str = "") -> Decimal:
    """A JSON number of at most 15 digits before the point and 30 behind it."""
    value = number(body, name, at=at)
    exponent = value.as_tuple().exponent
    if abs(value) >= LARGEST or (isinstance(exponent, int) and exponent < -DECIMAL_PLACES):
        raise Refusal(
            400,
            f"{at}{name} must have at most 15 digits before the point and"
            f" {DECIMAL_PLACES} behind it",
        )
    return value


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """A quantity from a division, cut to 12 decimal places."""
    with exactly():
        cut = (dividend / divisor).quantize(_QUOTIENT, rounding=ROUND_DOWN)
        return cut.normalize() if cut else Decimal(0)


def add(totals: dict[str, Decimal], more: Mapping[str, Decimal]) -> None:
    """Add to each total what belongs to it."""
    with exactly():
        for key, value in more.items():
            totals[key] = totals.get(key, Decimal(0)) + value
