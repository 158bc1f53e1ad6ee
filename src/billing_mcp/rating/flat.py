"""FLAT: one price for a slab that is reached, however many units lie in it."""

from decimal import Decimal
from fractions import Fraction


def revenue(rate: Decimal) -> Fraction:
    return Fraction(rate)
