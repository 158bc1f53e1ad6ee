"""Fixed fees: when they are charged, and how much of one a part of a cycle owes."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from rating.worked import details, fee, rated, shown_all

FIRST = date(2026, 1, 1)


def fees(
    number: int, associated: date = FIRST, until: date | None = None, **card: Any
) -> list[tuple[str, str]]:
    plan = details(fixedFeeRateCards=[fee(card.pop("rate", "49"), **card)])
    return shown_all(rated(plan, number=number, associated=associated, until=until).cards)


def amount(associated: date, until: date | None = None, number: int = 0, **card: Any) -> str:
    ((_, value),) = fees(number, associated, until, enableProration=True, **card)
    return value


@pytest.mark.parametrize(
    ("recurrence", "charged"),
    [
        (None, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ({"interval": 1, "offset": 0}, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ({"interval": 3}, [0, 3, 6]),
        ({"interval": 3, "offset": 2}, [2, 5, 8]),
        ({"offset": 4}, [4, 5, 6, 7, 8]),
        ({"interval": 4, "offset": 7}, [7]),
        ({"interval": None, "offset": None}, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_a_recurring_fee_is_charged_from_its_offset_on_at_its_interval(
    recurrence: dict[str, int] | None, charged: list[int]
) -> None:
    found = [n for n in range(9) if fees(n, recurrenceConfig=recurrence, type="RECURRING")]

    assert found == charged


@pytest.mark.parametrize(("recurrence", "charged"), [(None, [0]), ({"offset": 2}, [2])])
def test_a_one_time_fee_is_charged_in_one_cycle(
    recurrence: dict[str, int] | None, charged: list[int]
) -> None:
    found = [n for n in range(6) if fees(n, recurrenceConfig=recurrence, type="ONE_TIME")]

    assert found == charged


def test_a_fee_without_a_type_recurs_and_is_in_arrears() -> None:
    assert fees(5) == [("FIXED_FEE_RATE_CARD_AMOUNT", "49.00")]


@pytest.mark.parametrize(
    ("associated", "until", "expected"),
    [
        # All of January.
        (date(2026, 1, 1), None, "49.00"),
        # The 2nd to the 31st: 49 x 30 / 31 = 47.419…
        (date(2026, 1, 2), None, "47.41"),
        # The 15th to the 31st: 49 x 17 / 31 = 26.870…
        (date(2026, 1, 15), None, "26.87"),
        # The 31st alone: 49 x 1 / 31 = 1.580…
        (date(2026, 1, 31), None, "1.58"),
        # February 2026 has 28 days: 49 x 14 / 28
        (date(2026, 2, 15), None, "24.50"),
        # February 2028 has 29: 49 x 15 / 29 = 25.344…
        (date(2028, 2, 15), None, "25.34"),
        (date(2028, 2, 29), None, "1.68"),
        # The 1st to the 10th: 49 x 10 / 31 = 15.806…
        (date(2026, 1, 1), date(2026, 1, 11), "15.80"),
        # The 10th to the 19th: 10 days again.
        (date(2026, 1, 10), date(2026, 1, 20), "15.80"),
    ],
)
def test_a_part_of_a_cycle_owes_its_days(
    associated: date, until: date | None, expected: str
) -> None:
    assert amount(associated, until) == expected


def test_thirds_of_a_month_lose_nothing_before_they_are_rounded() -> None:
    # 30 x 10 / 30 is 10, and not 9.99 as 30 x 0.333… would be.
    assert amount(date(2026, 4, 21), rate="30") == "10.00"


def test_only_the_cut_cycle_is_prorated() -> None:
    assert amount(date(2026, 1, 15), number=1) == "49.00"


def test_a_fee_that_is_not_prorated_is_owed_in_full() -> None:
    assert fees(0, date(2026, 1, 31)) == [("FIXED_FEE_RATE_CARD_AMOUNT", "49.00")]


def test_a_prorated_fee_says_how_many_days_of_how_many_it_is_for() -> None:
    plan = details(fixedFeeRateCards=[fee("49", enableProration=True, displayName="Base")])

    (line,) = rated(plan, associated=date(2026, 2, 15)).cards

    assert (line.description, line.source, line.rate) == ("Base", "addon.fee", Decimal(49))
    assert line.quantity == Decimal("0.5")
    assert line.metadata == {"proratedDays": "14", "cycleDays": "28"}


@pytest.mark.parametrize(
    ("currency", "expected"),
    # 1000 x 17 / 31 = 548.387…
    [("JPY", "548"), ("USD", "548.38"), ("KWD", "548.387")],
)
def test_a_prorated_fee_goes_down_to_the_minor_unit(currency: str, expected: str) -> None:
    card = fee("1000", currency=currency, enableProration=True)
    plan = details(currency, fixedFeeRateCards=[card])

    charged = rated(plan, associated=date(2026, 1, 15), currency=currency)

    assert shown_all(charged.cards) == [("FIXED_FEE_RATE_CARD_AMOUNT", expected)]
