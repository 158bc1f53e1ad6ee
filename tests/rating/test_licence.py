"""Licences: daily quantities, proration, usage cycles, the maximum, and payment in advance."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.rating.cycle_charges import CycleCharges, Measured
from billing_mcp.rating.licence import LicenceChange, Refund, grants
from billing_mcp.rating.plan import read_plan
from rating.worked import Json, details, rated, shown, shown_all, tiers

Changes = Sequence[tuple[str, str]]
SEATS = tiers("TIERED", ("0", "31"))
# 2026-04 has 30 days, and 2026-01 has 31.
APRIL = date(2026, 4, 1)


def card(prices: Json = SEATS, **more: Any) -> Json:
    given = {"id": "addon.seat", "displayName": "Seats", "enableProration": True}
    return given | prices | more


def charged(
    given: Json,
    *changes: tuple[str, str],
    invoiced: Mapping[str, Decimal] | None = None,
    **when: Any,
) -> CycleCharges:
    history = [LicenceChange(date.fromisoformat(day), Decimal(held)) for day, held in changes]
    plan = details(licenseRateCards=[given])
    measured = Measured(licences={"addon.seat": history}, invoiced=invoiced or {})
    return rated(plan, measured, **when)


def seats(given: Json, *changes: tuple[str, str], **when: Any) -> str:
    (line,) = charged(given, *changes, **when).cards
    return shown(line)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], "nothing = 0.00"),
        ([("2025-11-03", "4")], "4 x 31 = 124.00"),
        ([("2026-01-01", "4")], "4 x 31 = 124.00"),
        # One day of 31: 1 x 1 / 31 of a licence, at 31
        ([("2026-01-31", "31")], "1 x 31 = 31.00"),
        # 31 days of 10, and 1 more from the 31st: (30 x 31 + 1 x 62) / 31 = 32
        ([("2025-12-01", "31"), ("2026-01-31", "62")], "32 x 31 = 992.00"),
        # 62 for 15 days, then none: 930 / 31 = 30
        ([("2025-12-01", "62"), ("2026-01-16", "0")], "30 x 31 = 930.00"),
        # What comes after the cycle does not count.
        ([("2026-01-01", "4"), ("2026-02-01", "9")], "4 x 31 = 124.00"),
        # Days of one licence in between: the 11th to the 20th, 10 x 62 / 31 = 20
        ([("2026-01-11", "62"), ("2026-01-21", "0")], "20 x 31 = 620.00"),
        # Listed out of order.
        ([("2026-01-21", "0"), ("2026-01-11", "62")], "20 x 31 = 620.00"),
    ],
)
def test_a_prorated_licence_owes_the_average_of_its_days(changes: Changes, expected: str) -> None:
    assert seats(card(), *changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # The day's highest counts for the day, the last from the next on: 62 + 30 x 31 = 992 / 31
        ([("2026-01-01", "31"), ("2026-01-01", "62"), ("2026-01-01", "31")], "32 x 31 = 992.00"),
        ([("2026-01-01", "62"), ("2026-01-01", "31")], "32 x 31 = 992.00"),
        # A reduction counts from its own day on: what was held before is not that day's.
        ([("2025-12-01", "62"), ("2026-01-01", "31")], "31 x 31 = 961.00"),
        # Up and down again on the last day: 30 x 31 + 62 = 992 / 31
        ([("2025-12-01", "31"), ("2026-01-31", "62"), ("2026-01-31", "31")], "32 x 31 = 992.00"),
        # The last change of a day gives way to the next day's first.
        (
            [("2026-01-01", "62"), ("2026-01-01", "0"), ("2026-01-02", "31")],
            # 62 + 30 x 31 = 992 / 31
            "32 x 31 = 992.00",
        ),
    ],
)
def test_several_changes_in_a_day_are_one_quantity(changes: Changes, expected: str) -> None:
    assert seats(card(), *changes) == expected


def test_an_average_without_an_end_is_not_rounded_before_it_is_priced() -> None:
    # (10 x 1) / 30 of a licence at 30 is 10, and not 9.99.
    thirds = card(tiers("TIERED", ("0", "30")))

    (line,) = charged(thirds, ("2026-04-21", "1"), associated=APRIL).cards

    assert line.amount == Decimal("10.00")
    assert str(line.quantity) == "0.333333333333333333333333333333"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("2025-12-01", "4")], "4 x 31 = 124.00"),
        ([("2026-01-31", "5")], "5 x 31 = 155.00"),
        ([("2025-12-01", "4"), ("2026-01-10", "9"), ("2026-01-11", "2")], "9 x 31 = 279.00"),
        ([("2025-12-01", "9"), ("2026-01-01", "2")], "2 x 31 = 62.00"),
    ],
)
def test_without_proration_the_highest_quantity_of_the_cycle_counts(
    changes: Changes, expected: str
) -> None:
    assert seats(card(enableProration=False), *changes) == expected


def test_a_part_of_a_cycle_owes_its_days_of_the_whole() -> None:
    # The 22nd to the 31st: 10 days of 31; 62 x 10 / 31 = 20
    assert seats(card(), ("2026-01-22", "62"), associated=date(2026, 1, 22)) == "20 x 31 = 620.00"
    # The 1st to the 10th.
    cut = {"until": date(2026, 1, 11)}
    assert seats(card(), ("2026-01-01", "62"), **cut) == "20 x 31 = 620.00"


def test_the_average_is_what_the_slabs_are_reached_by() -> None:
    tiered = card(tiers("TIERED", ("0", "10"), ("5", "8")))
    packed = card(tiers("VOLUME", ("0", "7 per 5")))
    changes = [("2026-04-01", "5"), ("2026-04-16", "10")]

    # 15 days of 5 and 15 of 10 are 7.5 on average.
    assert seats(tiered, *changes, associated=APRIL) == "5 x 10 + 2.5 x 8 = 70.00"
    assert seats(packed, *changes, associated=APRIL) == "2 packages of 5 x 7 = 14.00"


def test_each_usage_cycle_is_charged_in_full() -> None:
    # The vendor's example: one licence at $1, weekly, in a cycle of four weeks.
    weekly = card(tiers("TIERED", ("0", "1")), usageCycle="WEEKLY", enableProration=False)

    (line,) = charged(weekly, ("2026-02-01", "1"), associated=date(2026, 2, 1)).cards

    assert [window.description for window in line.children] == [
        "2026-02-01 to 2026-02-08",
        "2026-02-08 to 2026-02-15",
        "2026-02-15 to 2026-02-22",
        "2026-02-22 to 2026-03-01",
    ]
    assert {(window.type, shown(window)) for window in line.children} == {
        ("USAGE_CYCLE_AMOUNT", "1 x 1 = 1.00")
    }
    assert line.amount == Decimal("4.00")


@pytest.mark.parametrize(
    ("prorated", "expected"),
    [
        # The 29th and 30th are a week that the cycle's end cuts short: in full …
        (False, ["7.00", "7.00", "7.00", "7.00", "7.00"]),
        # … or 7 x 2 / 7.
        (True, ["7.00", "7.00", "7.00", "7.00", "2.00"]),
    ],
)
def test_a_usage_cycle_that_is_cut_short(prorated: bool, expected: list[str]) -> None:
    weekly = card(tiers("TIERED", ("0", "7")), usageCycle="WEEKLY", enableProration=prorated)

    (line,) = charged(weekly, ("2026-04-01", "1"), associated=APRIL).cards

    assert [str(window.amount) for window in line.children] == expected


@pytest.mark.parametrize(
    ("prorated", "expected"),
    [
        # Each cycle is a window of the year that its end cuts short: in full each time …
        (False, ["730.00", "730.00", "730.00"]),
        # … or 2 licences for 31, 28 and 31 days of 365, at 365
        (True, ["62.00", "56.00", "62.00"]),
    ],
)
def test_a_usage_cycle_longer_than_the_cycle_begins_anew_with_each_cycle(
    prorated: bool, expected: list[str]
) -> None:
    yearly = card(tiers("TIERED", ("0", "365")), usageCycle="ANNUALLY", enableProration=prorated)

    months = [charged(yearly, ("2026-01-01", "2"), number=number).cards[0] for number in range(3)]

    assert [[window.description for window in month.children] for month in months] == [
        ["2026-01-01 to 2026-02-01"],
        ["2026-02-01 to 2026-03-01"],
        ["2026-03-01 to 2026-04-01"],
    ]
    assert [str(month.amount) for month in months] == expected


def test_usage_cycles_of_months_begin_on_the_cycles_day() -> None:
    quarter = details(licenseRateCards=[card(usageCycle="MONTHLY", enableProration=False)])
    quarter["pricingCycleConfig"] = {
        "interval": "QUARTERLY",
        "gracePeriod": 0,
        "startOffset": {"dayOffset": "LAST", "monthOffset": "FIRST"},
    }
    history = [
        LicenceChange(date(2026, 1, 31), Decimal(1)),
        LicenceChange(date(2026, 3, 31), Decimal(2)),
    ]

    (line,) = rated(
        quarter, Measured(licences={"addon.seat": history}), associated=date(2026, 1, 31)
    ).cards

    assert [(window.description, shown(window)) for window in line.children] == [
        ("2026-01-31 to 2026-02-28", "1 x 31 = 31.00"),
        ("2026-02-28 to 2026-03-31", "1 x 31 = 31.00"),
        ("2026-03-31 to 2026-04-30", "2 x 31 = 62.00"),
    ]


def test_the_cards_minimum_holds_in_each_usage_cycle() -> None:
    prices = tiers("TIERED", ("0", "1"), bounds={"minimumRate": "3"})
    weekly = card(prices, usageCycle="WEEKLY", enableProration=False)

    (line,) = charged(weekly, ("2026-02-15", "5"), associated=date(2026, 2, 1)).cards

    # 3 + 3 + 5 + 5
    assert line.amount == Decimal("16.00")


def test_a_change_above_the_maximum_is_not_granted() -> None:
    limited = card(config={"maxQuantity": 5, "maxQuantityBreachAction": "DO_NOTHING"})
    (read,) = read_plan(details(licenseRateCards=[limited])).licences

    assert (grants(read, Decimal(5)), grants(read, Decimal(6))) == (True, False)
    assert seats(limited, ("2026-01-01", "5"), ("2026-01-02", "6")) == "5 x 31 = 155.00"


def test_a_change_that_was_granted_before_counts_above_the_maximum() -> None:
    limited = card(config={"maxQuantity": 5, "maxQuantityBreachAction": "DO_NOTHING"})
    held = LicenceChange(date(2025, 12, 1), Decimal(6), granted=True)
    measured = Measured(licences={"addon.seat": [held]})

    (line,) = rated(details(licenseRateCards=[limited]), measured).cards

    assert shown(line) == "6 x 31 = 186.00"


def test_in_advance_the_next_cycles_first_day_counts() -> None:
    advanced = card(invoiceTiming="IN_ADVANCE")

    january = charged(advanced, ("2026-01-01", "2"), ("2026-02-01", "3"))

    assert shown_all(january.at_association) == [("ADVANCED_LICENSE_RATE_CARD_AMOUNT", "62.00")]
    assert shown_all(january.advance) == [("ADVANCED_LICENSE_RATE_CARD_AMOUNT", "93.00")]
    assert january.cards == ()


@pytest.mark.parametrize(
    ("mode", "change", "cards", "refunds"),
    [
        # 62 are paid; 31 x 3 are owed.
        ("NONE", ("2026-01-01", "2"), [], []),
        # From the 17th on one more: 15 / 31 x 31 = 15
        ("NONE", ("2026-01-17", "3"), [("LICENSE_RATE_CARD_AMOUNT", "15.00")], []),
        # From the 17th on one less: 15 too much
        ("NONE", ("2026-01-17", "1"), [], []),
        ("CREDITS", ("2026-01-17", "1"), [], [Refund("addon.seat", "CREDITS", Decimal("15.00"))]),
    ],
)
def test_what_changes_in_a_cycle_paid_in_advance(
    mode: str, change: tuple[str, str], cards: list[tuple[str, str]], refunds: list[Refund]
) -> None:
    advanced = card(invoiceTiming="IN_ADVANCE", proratedRefundMode=mode)

    january = charged(advanced, ("2025-12-01", "2"), change)

    assert shown_all(january.cards) == cards
    assert list(january.refunds) == refunds


@pytest.mark.parametrize(
    ("invoiced", "cards", "refunds"),
    [
        # Nothing has been invoiced yet: the invoice in advance will be for the 3 of the first day.
        ({}, [], []),
        # Another add-on's invoice says nothing of this one's.
        ({"addon.other": "31"}, [], []),
        # When it was invoiced, 2 were known: 3 x 31 - 62 = 31
        ({"addon.seat": "62"}, ["31.00"], []),
        ({"addon.seat": "0"}, ["93.00"], []),
        ({"addon.seat": "93"}, [], []),
        # When it was invoiced, 5 were known: 155 - 3 x 31 = 62
        ({"addon.seat": "155"}, [], ["62.00"]),
    ],
)
def test_what_was_really_invoiced_in_advance_is_what_the_cycle_is_compared_with(
    invoiced: Mapping[str, str], cards: list[str], refunds: list[str]
) -> None:
    advanced = card(invoiceTiming="IN_ADVANCE", proratedRefundMode="CREDITS")
    paid = {source: Decimal(amount) for source, amount in invoiced.items()}

    january = charged(advanced, ("2026-01-01", "3"), invoiced=paid)

    assert [str(line.amount) for line in january.cards] == cards
    assert [str(refund.amount) for refund in january.refunds] == refunds


def test_a_line_of_licences_entered_late_says_what_was_paid_in_advance() -> None:
    advanced = card(invoiceTiming="IN_ADVANCE")

    january = charged(advanced, ("2026-01-01", "3"), invoiced={"addon.seat": Decimal(62)})

    (line,) = january.cards
    assert (line.source, line.metadata) == ("addon.seat", {"paidInAdvance": "62"})
    # The next cycle's are charged as its own history says, whatever was paid for this one.
    assert shown_all(january.advance) == [("ADVANCED_LICENSE_RATE_CARD_AMOUNT", "93.00")]
