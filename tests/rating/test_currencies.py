"""Rounding: down to the currency's minor unit, once on each line, and nowhere else."""

from decimal import Decimal

import pytest

from billing_mcp.rating.plan import NotAPlan
from rating.worked import details, fee, rated, shown, tiers, used


@pytest.mark.parametrize(
    ("currency", "units", "expected"),
    [
        # 3 x 0.3339 = 1.0017
        ("USD", "3", "3 x 0.3339 (1.0017) = 1.00"),
        ("JPY", "3", "3 x 0.3339 (1.0017) = 1"),
        ("KWD", "3", "3 x 0.3339 (1.0017) = 1.001"),
        # 30 x 0.3339 = 10.017
        ("USD", "30", "30 x 0.3339 (10.017) = 10.01"),
        ("JPY", "30", "30 x 0.3339 (10.017) = 10"),
        ("KWD", "30", "30 x 0.3339 = 10.017"),
        ("JPY", "0", "nothing = 0"),
        ("KWD", "0", "nothing = 0.000"),
        # The vendor's own example: $0.001 is $0.
        ("USD", "0.01", "0.01 x 0.3339 (0.003339) = 0.00"),
    ],
)
def test_an_amount_goes_down_to_the_minor_unit(currency: str, units: str, expected: str) -> None:
    card = tiers("TIERED", ("0", "0.3339"), currency=currency)

    assert shown(used(card, units, currency)) == expected


def test_each_slab_is_rounded_and_the_card_is_their_sum() -> None:
    card = tiers("TIERED", ("0", "0.333"), ("5", "0.333"))

    # 1.665 + 1.665 = 3.33, but each line on its own is 1.66.
    assert shown(used(card, "10")) == "5 x 0.333 (1.665) + 5 x 0.333 (1.665) = 3.32"


def test_a_line_keeps_the_exact_amount_beside_the_rounded_one() -> None:
    line = used(tiers("TIERED", ("0", "0.333"), ("5", "0.333")), "10")

    assert (line.exact, line.amount) == (Decimal("3.330"), Decimal("3.32"))


def test_a_plan_of_several_currencies_is_charged_in_the_one_that_is_asked_for() -> None:
    euros = {"currency": "EUR", "rate": Decimal("45.50")}
    card = fee("49")
    card["rateValues"].append(euros)
    plan = details(fixedFeeRateCards=[card]) | {"supportedCurrencies": ["USD", "EUR"]}

    assert rated(plan, currency="USD").gross == Decimal("49.00")
    assert rated(plan, currency="EUR").gross == Decimal("45.50")


def test_a_currency_without_rates_is_refused() -> None:
    with pytest.raises(NotAPlan, match="no rates in JPY"):
        rated(details(fixedFeeRateCards=[fee("49")]), currency="JPY")
