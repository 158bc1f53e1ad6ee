"""How long a number may be that is rated, so that every figure of an invoice can be read again."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

# Ours: far more than anybody is billed for. What two of them make is still within what
# `money.from_json` reads.
MOST_DIGITS = 30
TOO_LONG = f"must have at most {MOST_DIGITS} digits before the point and behind it"

# Configuration whose numbers the vendor writes as texts.
_TEXTS = ("packageSize", "minimumRate", "maximumRate")


def is_usual(number: Decimal) -> bool:
    """Whether a number is short enough to be rated."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        return False
    return number.adjusted() < MOST_DIGITS and exponent >= -MOST_DIGITS


def unusual(value: Any, place: str) -> Iterator[str]:
    """Where in the details of a plan a number is too long to be rated."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            as_number = name in _TEXTS and isinstance(part, str)
            yield from unusual(Decimal(part) if as_number else part, f"{place}.{name}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from unusual(part, f"{place}[{index}]")
    elif isinstance(value, int | Decimal) and not is_usual(Decimal(value)):
        yield place
