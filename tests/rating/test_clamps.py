"""The least and the most that a slab and a card may earn."""

import pytest

from rating.worked import Json, shown, tiers, used

AT_LEAST_5 = {"minimumRate": "5"}
AT_MOST_8 = {"maximumRate": "8"}
SLAB = tiers("TIERED", ("0", "0.10", AT_LEAST_5 | AT_MOST_8), ("100", "0.20", AT_LEAST_5))
CARD = tiers("TIERED", ("0", "0.10"), bounds={"minimumRate": "5", "maximumRate": "12.50"})
BOTH = tiers("TIERED", ("0", "0.10", AT_MOST_8), ("100", "0.20"), bounds={"minimumRate": "9"})
VOLUME = tiers("VOLUME", ("0", "0.10", AT_LEAST_5), ("100", "0.01", AT_LEAST_5))


@pytest.mark.parametrize(
    ("card", "units", "expected"),
    [
        # A slab that is not reached has no minimum.
        (SLAB, "0", "nothing = 0.00"),
        (SLAB, "49", "minimum 5 of 49 x 0.10 = 5.00"),
        (SLAB, "50", "50 x 0.10 = 5.00"),
        (SLAB, "51", "51 x 0.10 = 5.10"),
        (SLAB, "80", "80 x 0.10 = 8.00"),
        (SLAB, "81", "maximum 8 of 81 x 0.10 = 8.00"),
        (SLAB, "101", "maximum 8 of 100 x 0.10 + minimum 5 of 1 x 0.20 = 13.00"),
        (SLAB, "130", "maximum 8 of 100 x 0.10 + 30 x 0.20 = 14.00"),
        (VOLUME, "101", "minimum 5 of 101 x 0.01 = 5.00"),
        (VOLUME, "600", "600 x 0.01 = 6.00"),
    ],
)
def test_a_slabs_bounds_hold_for_its_own_revenue(card: Json, units: str, expected: str) -> None:
    assert shown(used(card, units)) == expected


@pytest.mark.parametrize(
    ("card", "units", "expected"),
    [
        (CARD, "0", "minimum 5.00 = 5.00"),
        (CARD, "49", "49 x 0.10 + minimum 0.10 = 5.00"),
        (CARD, "50", "50 x 0.10 = 5.00"),
        (CARD, "125", "125 x 0.10 = 12.50"),
        # 12.60 - 0.10
        (CARD, "126", "126 x 0.10 + maximum -0.10 = 12.50"),
        # The slab's maximum first (10.00 -> 8), then the card's minimum (8 + 0.20 -> 9).
        (BOTH, "101", "maximum 8 of 100 x 0.10 + 1 x 0.20 + minimum 0.80 = 9.00"),
        (BOTH, "106", "maximum 8 of 100 x 0.10 + 6 x 0.20 = 9.20"),
    ],
)
def test_a_cards_bounds_hold_for_the_sum_of_its_slabs(
    card: Json, units: str, expected: str
) -> None:
    assert shown(used(card, units)) == expected


def test_a_minimum_is_reached_even_where_rounding_down_took_a_cent() -> None:
    card = tiers("TIERED", ("0", "0.005"), ("1001", "0.005"), bounds={"minimumRate": "10"})

    # 5.005 + 4.995 are 10 exactly, but the invoice's lines add up to 5.00 + 4.99.
    assert shown(used(card, "2000")) == (
        "1001 x 0.005 (5.005) + 999 x 0.005 (4.995) + minimum 0.01 = 10.00"
    )


def test_a_bound_below_the_minor_unit_is_rounded_down_as_every_amount_is() -> None:
    card = tiers("TIERED", ("0", "1"), bounds={"maximumRate": "7.009"})

    assert shown(used(card, "9")) == "9 x 1 + maximum -2.00 = 7.00"


def test_the_lines_say_which_bound_was_applied() -> None:
    slab = used(SLAB, "49").children[0]
    adjusted = used(CARD, "126")

    assert (slab.clamp, dict(slab.metadata)) == (
        "minimumRate",
        {"priceType": "PER_UNIT", "minimumRateApplied": "true"},
    )
    assert adjusted.clamp == adjusted.children[-1].clamp == "maximumRate"
    assert adjusted.children[-1].type == "RATE_CONFIG_ADJUSTMENT_AMOUNT"
