"""Fractions written as decimals: every digit where there is an end, cut where there is none."""

from decimal import Decimal
from fractions import Fraction

import pytest

from billing_mcp.rating.exact_numbers import as_decimal, ceiling, total


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (Fraction(0), "0"),
        (Fraction(7), "7"),
        (Fraction(1, 8), "0.125"),
        (Fraction(-3, 20), "-0.15"),
        (Fraction(1, 10**40), "0." + "0" * 39 + "1"),
        (Fraction(10**40 + 1, 2), "5" + "0" * 39 + ".5"),
        (Fraction(2, 3), "0." + "6" * 30),
        (Fraction(-2, 3), "-0." + "6" * 30),
        # 5 / 6 = 0.8333…: a denominator with a 2 in it has no end either.
        (Fraction(5, 6), "0.8" + "3" * 29),
    ],
)
def test_a_fraction_is_written_without_being_rounded(number: Fraction, written: str) -> None:
    assert as_decimal(number) == Decimal(written)


def test_whole_numbers_keep_their_zeros() -> None:
    assert str(as_decimal(Fraction(1000))) == "1000"


@pytest.mark.parametrize(
    ("number", "expected"),
    [(Fraction(0), 0), (Fraction(2), 2), (Fraction(21, 10), 3), (Fraction(-21, 10), -2)],
)
def test_a_ceiling_is_the_next_whole_number(number: Fraction, expected: int) -> None:
    assert ceiling(number) == expected


def test_a_sum_of_long_numbers_keeps_every_digit() -> None:
    assert total([Decimal(10**40), Decimal("0.01"), Decimal(-1)]) == Decimal("9" * 40 + ".01")
