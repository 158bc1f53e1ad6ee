"""Exact quantities of usage as a request may state them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox.call import Refusal, number

# Beyond these a quantity is a mistake.
LARGEST = Decimal(10) ** 15
DECIMAL_PLACES = 30


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
