"""PER_UNIT: the rate for each unit, fractions of a unit included."""

from decimal import Decimal
from fractions import Fraction


def revenue(rate: Decimal, units: Fraction) -> Fraction:
    return Fraction(rate) * units
