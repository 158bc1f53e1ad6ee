"""Exact arithmetic for rating: fractions inside, `Decimal` at the edges, nothing rounded.

A prorated quantity such as 10/3 has no end as a decimal, and 3 x 3.333… would round down to 9.99.
So the engine calculates with `Fraction` and writes a `Decimal` only into a finished line.
"""

from collections.abc import Iterable
from decimal import Context, Decimal
from fractions import Fraction

ZERO = Fraction(0)

# Shown of a number without an end. Cutting leaves every digit that rounding down looks at.
SHOWN_PLACES = 30

# Wide enough that sums of the longest numbers money.py lets in keep every digit.
WIDE = Context(prec=4096)


def as_decimal(number: Fraction) -> Decimal:
    """The number as a decimal: every digit if it has an end, else the first 30 places."""
    denominator, twos, fives = number.denominator, 0, 0
    while denominator % 2 == 0:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0:
        denominator, fives = denominator // 5, fives + 1
    places = max(twos, fives) if denominator == 1 else SHOWN_PLACES
    digits = abs(number.numerator) * 10**places // number.denominator
    return Decimal(-digits if number < 0 else digits).scaleb(-places, WIDE)


def total(numbers: Iterable[Decimal]) -> Decimal:
    """The exact sum, where `sum` would round to the 28 digits of Python's own context."""
    result = Decimal(0)
    for number in numbers:
        result = WIDE.add(result, number)
    return result


def ceiling(number: Fraction) -> int:
    """The smallest whole number that is not below it."""
    return -(-number.numerator // number.denominator)
