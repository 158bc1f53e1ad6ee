"""Money as whole minor units: what is left of an exact amount when an invoice line is printed."""

from fractions import Fraction

PLACES = {"USD": 2, "JPY": 0, "KWD": 3}


def minor(amount: Fraction, currency: str) -> int:
    """Togai: invoice amounts go down to the minimum currency unit. Amounts are not negative."""
    return int(amount * 10 ** PLACES[currency])
