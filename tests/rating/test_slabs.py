"""Slabs: TIERED and VOLUME with each price type, at, just before and just after every edge."""

from decimal import Decimal

import pytest

from rating.worked import Json, shown, tiers, used

TIERED = tiers("TIERED", ("0", "0.10"), ("100", "0.08"), ("1000", "0.05"))
VOLUME = tiers("VOLUME", ("0", "0.10"), ("100", "0.08"), ("1000", "0.05"))
FLATS = tiers("TIERED", ("0", "flat 20"), ("100", "flat 15"))
VOLUME_FLATS = tiers("VOLUME", ("0", "flat 20"), ("100", "flat 35"))
PACKAGES = tiers("TIERED", ("0", "5 per 10"), ("25", "4 per 10"))
VOLUME_PACKAGES = tiers("VOLUME", ("0", "5 per 10"), ("25", "4 per 10"))
MIXED = tiers("TIERED", ("0", "flat 10"), ("50", "2.50 per 20"), ("90", "0.30"))


@pytest.mark.parametrize(
    ("card", "units", "expected"),
    [
        (TIERED, "0", "nothing = 0.00"),
        (TIERED, "0.5", "0.5 x 0.10 = 0.05"),
        (TIERED, "1", "1 x 0.10 = 0.10"),
        (TIERED, "99", "99 x 0.10 = 9.90"),
        (TIERED, "100", "100 x 0.10 = 10.00"),
        (TIERED, "100.25", "100 x 0.10 + 0.25 x 0.08 = 10.02"),
        (TIERED, "101", "100 x 0.10 + 1 x 0.08 = 10.08"),
        # 100 x 0.10 = 10.00; 900 x 0.08 = 72.00
        (TIERED, "1000", "100 x 0.10 + 900 x 0.08 = 82.00"),
        (TIERED, "1001", "100 x 0.10 + 900 x 0.08 + 1 x 0.05 = 82.05"),
        # 1,000,000,000 - 1000 = 999,999,000; x 0.05 = 49,999,950
        (
            TIERED,
            "1000000000",
            "100 x 0.10 + 900 x 0.08 + 999999000 x 0.05 = 50000032.00",
        ),
        (VOLUME, "0", "nothing = 0.00"),
        (VOLUME, "99", "99 x 0.10 = 9.90"),
        (VOLUME, "100", "100 x 0.10 = 10.00"),
        # One unit more makes all of it cheaper: 101 x 0.08 = 8.08
        (VOLUME, "101", "101 x 0.08 = 8.08"),
        (VOLUME, "1000", "1000 x 0.08 = 80.00"),
        (VOLUME, "1000.5", "1000.5 x 0.05 (50.025) = 50.02"),
    ],
)
def test_units_are_priced_one_by_one(card: Json, units: str, expected: str) -> None:
    assert shown(used(card, units)) == expected


@pytest.mark.parametrize(
    ("card", "units", "expected"),
    [
        (FLATS, "0", "nothing = 0.00"),
        (FLATS, "0.001", "flat 20 = 20.00"),
        (FLATS, "99", "flat 20 = 20.00"),
        (FLATS, "100", "flat 20 = 20.00"),
        (FLATS, "101", "flat 20 + flat 15 = 35.00"),
        (FLATS, "1000000", "flat 20 + flat 15 = 35.00"),
        (VOLUME_FLATS, "0", "nothing = 0.00"),
        (VOLUME_FLATS, "100", "flat 20 = 20.00"),
        (VOLUME_FLATS, "101", "flat 35 = 35.00"),
    ],
)
def test_a_flat_slab_is_charged_once_when_it_is_reached(
    card: Json, units: str, expected: str
) -> None:
    assert shown(used(card, units)) == expected


@pytest.mark.parametrize(
    ("card", "units", "expected"),
    [
        (PACKAGES, "0", "nothing = 0.00"),
        (PACKAGES, "0.1", "1 packages of 10 x 5 = 5.00"),
        (PACKAGES, "10", "1 packages of 10 x 5 = 5.00"),
        (PACKAGES, "10.01", "2 packages of 10 x 5 = 10.00"),
        (PACKAGES, "11", "2 packages of 10 x 5 = 10.00"),
        # The slab ends at 25, so that its third package is never full: 25 / 10 -> 3.
        (PACKAGES, "25", "3 packages of 10 x 5 = 15.00"),
        # The 26th unit begins a package of the second slab's own.
        (PACKAGES, "26", "3 packages of 10 x 5 + 1 packages of 10 x 4 = 19.00"),
        (PACKAGES, "35", "3 packages of 10 x 5 + 1 packages of 10 x 4 = 19.00"),
        (PACKAGES, "36", "3 packages of 10 x 5 + 2 packages of 10 x 4 = 23.00"),
        (VOLUME_PACKAGES, "25", "3 packages of 10 x 5 = 15.00"),
        # All 26 units are packed anew: 26 / 10 -> 3 packages.
        (VOLUME_PACKAGES, "26", "3 packages of 10 x 4 = 12.00"),
        (VOLUME_PACKAGES, "30", "3 packages of 10 x 4 = 12.00"),
        (VOLUME_PACKAGES, "31", "4 packages of 10 x 4 = 16.00"),
        (tiers("TIERED", ("0", "1 per 2.5")), "5", "2 packages of 2.5 x 1 = 2.00"),
        (tiers("TIERED", ("0", "1 per 2.5")), "5.1", "3 packages of 2.5 x 1 = 3.00"),
    ],
)
def test_a_package_that_is_begun_is_charged_whole(card: Json, units: str, expected: str) -> None:
    assert shown(used(card, units)) == expected


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("50", "flat 10 = 10.00"),
        ("51", "flat 10 + 1 packages of 20 x 2.50 = 12.50"),
        ("90", "flat 10 + 2 packages of 20 x 2.50 = 15.00"),
        ("93", "flat 10 + 2 packages of 20 x 2.50 + 3 x 0.30 = 15.90"),
    ],
)
def test_price_types_may_differ_from_slab_to_slab(units: str, expected: str) -> None:
    assert shown(used(MIXED, units)) == expected


def test_a_huge_quantity_keeps_every_digit() -> None:
    card = tiers("TIERED", ("0", "0.000000000000001"))

    line = used(card, "123456789012345678901234567890.123456789012345")

    # Fifteen places to the left, and cut at the cent.
    assert line.amount == Decimal("123456789012345.67")
    assert line.exact == Decimal("123456789012345.678901234567890123456789012345")


def test_slabs_are_read_in_their_order_however_they_are_listed() -> None:
    card = tiers("TIERED", ("0", "0.10"), ("100", "0.08"))
    card["ratePlan"]["slabs"].reverse()
    card["rateValues"][0]["slabRates"].reverse()

    line = used(card, "101")

    assert shown(line) == "100 x 0.10 + 1 x 0.08 = 10.08"
    assert [child.slab_order for child in line.children] == [1, 2]
