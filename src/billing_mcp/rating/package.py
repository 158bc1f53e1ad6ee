"""PACKAGE: the rate for each package, and a package that is begun counts as a whole one."""

from decimal import Decimal
from fractions import Fraction

from billing_mcp.rating.exact_numbers import ceiling


def packages(units: Fraction, size: Decimal) -> int:
    """How many packages the units fill or begin."""
    return ceiling(units / Fraction(size))


def revenue(rate: Decimal, count: int) -> Fraction:
    return Fraction(rate) * count
