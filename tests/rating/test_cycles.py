"""Pricing cycles: every example of the vendor's text, month ends, leap years, parts of cycles."""

from datetime import date, timedelta
from itertools import islice, pairwise

import pytest

from billing_mcp.rating.cycles import (
    Cycle,
    anniversary_rule,
    cycle_at,
    cycle_number,
    cycles,
    grace_end,
)
from billing_mcp.rating.plan import CycleRule, read_cycle_rule
from rating.worked import at


def starts(rule: CycleRule, associated: str, count: int) -> list[str]:
    """The first days of the cycles that follow an association on a cycle's first day."""
    found = islice(cycles(rule, date.fromisoformat(associated), None), count)
    return [f"{cycle.start:%Y-%m-%d}" for cycle in found]


def days(cycle: Cycle | None) -> str:
    assert cycle is not None
    return f"{cycle.start:%Y-%m-%d} to {cycle.end:%Y-%m-%d}"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # 2026-11-16 is a Monday.
        ("1", "2026-11-16 to 2026-11-23"),
        ("3", "2026-11-18 to 2026-11-25"),
        ("7", "2026-11-15 to 2026-11-22"),
        ("LAST", "2026-11-15 to 2026-11-22"),
    ],
)
def test_a_week_begins_on_its_day(day: str, expected: str) -> None:
    rule = CycleRule("WEEKLY", day_offset=day, month_offset="NIL")

    assert days(cycle_at(rule, date(2026, 1, 1), None, at("2026-11-20"))) == expected


@pytest.mark.parametrize(
    ("day", "first", "following"),
    [
        ("1", "2026-01-01", ["2026-02-01", "2026-03-01"]),
        ("12", "2026-01-12", ["2026-02-12", "2026-03-12"]),
        ("28", "2026-01-28", ["2026-02-28", "2026-03-28"]),
        # The closest earlier day, and the 30th again afterwards.
        ("30", "2026-01-30", ["2026-02-28", "2026-03-30"]),
        ("30", "2028-01-30", ["2028-02-29", "2028-03-30"]),
        ("31", "2026-03-31", ["2026-04-30", "2026-05-31"]),
        ("LAST", "2026-01-31", ["2026-02-28", "2026-03-31"]),
        ("LAST", "2028-01-31", ["2028-02-29", "2028-03-31"]),
        ("LAST", "2026-11-30", ["2026-12-31", "2027-01-31"]),
    ],
)
def test_a_month_begins_on_its_day_or_the_closest_earlier_one(
    day: str, first: str, following: list[str]
) -> None:
    rule = CycleRule("MONTHLY", day_offset=day, month_offset="NIL")

    assert starts(rule, first, 3) == [first, *following]


@pytest.mark.parametrize(
    ("interval", "day", "month", "expected"),
    [
        ("QUARTERLY", "15", "FIRST", ["2026-01-15", "2026-04-15", "2026-07-15", "2026-10-15"]),
        ("QUARTERLY", "15", "2", ["2026-02-15", "2026-05-15", "2026-08-15", "2026-11-15"]),
        ("QUARTERLY", "15", "LAST", ["2026-03-15", "2026-06-15", "2026-09-15", "2026-12-15"]),
        # The vendor's text says 30th Jul; July has 31 days.
        ("QUARTERLY", "LAST", "FIRST", ["2026-01-31", "2026-04-30", "2026-07-31", "2026-10-31"]),
        ("HALF_YEARLY", "15", "FIRST", ["2026-01-15", "2026-07-15", "2027-01-15"]),
        ("HALF_YEARLY", "15", "4", ["2026-04-15", "2026-10-15", "2027-04-15"]),
        ("HALF_YEARLY", "15", "LAST", ["2026-06-15", "2026-12-15", "2027-06-15"]),
        ("ANNUALLY", "15", "FIRST", ["2026-01-15", "2027-01-15"]),
        ("ANNUALLY", "15", "1", ["2026-01-15", "2027-01-15"]),
        ("ANNUALLY", "LAST", "2", ["2026-02-28", "2027-02-28", "2028-02-29", "2029-02-28"]),
        ("ANNUALLY", "15", "8", ["2026-08-15", "2027-08-15"]),
        ("ANNUALLY", "15", "LAST", ["2026-12-15", "2027-12-15"]),
    ],
)
def test_longer_intervals_begin_in_their_month(
    interval: str, day: str, month: str, expected: list[str]
) -> None:
    rule = CycleRule(interval, day_offset=day, month_offset=month)

    assert starts(rule, expected[0], len(expected)) == expected


@pytest.mark.parametrize(
    ("interval", "associated", "day", "month"),
    [
        ("WEEKLY", "2023-10-23", "1", "NIL"),
        ("WEEKLY", "2023-10-25", "3", "NIL"),
        ("WEEKLY", "2023-10-29", "7", "NIL"),
        ("MONTHLY", "2023-10-01", "1", "NIL"),
        ("MONTHLY", "2023-10-12", "12", "NIL"),
        ("MONTHLY", "2023-10-28", "28", "NIL"),
        ("MONTHLY", "2023-10-30", "30", "NIL"),
        ("MONTHLY", "2023-10-31", "LAST", "NIL"),
        ("MONTHLY", "2023-02-28", "28", "NIL"),
        ("QUARTERLY", "2023-01-15", "15", "1"),
        ("QUARTERLY", "2023-04-15", "15", "1"),
        ("QUARTERLY", "2023-05-15", "15", "2"),
        ("QUARTERLY", "2023-12-15", "15", "3"),
        ("HALF_YEARLY", "2023-07-15", "15", "1"),
        ("HALF_YEARLY", "2023-10-15", "15", "4"),
        ("HALF_YEARLY", "2023-12-15", "15", "6"),
        ("ANNUALLY", "2023-01-15", "15", "1"),
        ("ANNUALLY", "2024-02-29", "LAST", "2"),
        ("ANNUALLY", "2023-02-28", "LAST", "2"),
        # Not the last day of its February, so that the cycle begins with the association.
        ("ANNUALLY", "2024-02-28", "28", "2"),
        ("ANNUALLY", "2023-08-15", "15", "8"),
        ("ANNUALLY", "2023-12-15", "15", "12"),
    ],
)
def test_anniversary_offsets_come_from_the_association(
    interval: str, associated: str, day: str, month: str
) -> None:
    started = date.fromisoformat(associated)
    rule = CycleRule(interval, anniversary=True)

    offsets = anniversary_rule(rule, started)
    first = cycle_number(rule, started, None, 0)

    assert (offsets.day_offset, offsets.month_offset) == (day, month)
    assert first is not None
    assert first.start == first.whole_start == at(associated)


def test_yearly_cycles_from_a_29th_of_february_keep_to_the_months_last_day() -> None:
    rule = CycleRule("ANNUALLY", anniversary=True)

    assert starts(rule, "2024-02-29", 5) == [
        *("2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"),
    ]


def test_an_association_within_a_cycle_leaves_the_rest_of_it() -> None:
    rule = CycleRule("MONTHLY")

    first, second = islice(cycles(rule, date(2028, 2, 10), None), 2)

    # The 10th to the 29th of a leap year's February.
    assert (first.number, first.days, first.whole_days) == (0, 20, 29)
    assert (first.start, first.whole_start) == (at("2028-02-10"), at("2028-02-01"))
    assert (second.number, second.days, second.whole_days) == (1, 31, 31)


def test_the_end_of_an_association_cuts_its_last_cycle() -> None:
    rule = CycleRule("MONTHLY")

    found = list(cycles(rule, date(2026, 1, 1), date(2026, 2, 11)))

    assert [days(cycle) for cycle in found] == [
        "2026-01-01 to 2026-02-01",
        "2026-02-01 to 2026-02-11",
    ]
    assert (found[1].days, found[1].whole_days) == (10, 28)
    assert found[1].whole_end == at("2026-03-01")


def test_an_association_that_begins_and_ends_in_one_cycle_has_one_part_of_it() -> None:
    (only,) = cycles(CycleRule("MONTHLY"), date(2026, 1, 10), date(2026, 1, 20))

    assert (only.days, only.whole_days) == (10, 31)


def test_an_association_that_ends_when_a_cycle_does_has_only_whole_cycles() -> None:
    found = list(cycles(CycleRule("MONTHLY"), date(2026, 1, 1), date(2026, 3, 1)))

    assert [(cycle.days, cycle.whole_days) for cycle in found] == [(31, 31), (28, 28)]


def test_an_association_that_ends_before_it_begins_has_no_cycle() -> None:
    assert list(cycles(CycleRule("MONTHLY"), date(2026, 1, 10), date(2026, 1, 10))) == []


@pytest.mark.parametrize("interval", ["WEEKLY", "MONTHLY", "QUARTERLY", "HALF_YEARLY", "ANNUALLY"])
@pytest.mark.parametrize("anniversary", [True, False])
def test_cycles_follow_each_other_and_a_moment_lies_in_exactly_one(
    interval: str,
    anniversary: bool,
) -> None:
    rule = CycleRule(interval, day_offset="LAST", month_offset="FIRST", anniversary=anniversary)
    associated = date(2023, 8, 31)

    found = list(islice(cycles(rule, associated, None), 12))

    assert all(before.end == after.start for before, after in pairwise(found))
    for cycle in found:
        instant = timedelta(microseconds=1)
        assert cycle_at(rule, associated, None, cycle.start) == cycle
        assert cycle_at(rule, associated, None, cycle.end - instant) == cycle
        assert cycle_number(rule, associated, None, cycle.number) == cycle


def test_outside_an_association_there_is_no_cycle() -> None:
    rule, associated, until = CycleRule("MONTHLY"), date(2026, 1, 10), date(2026, 3, 10)

    assert cycle_at(rule, associated, until, at("2026-01-09T23:59:59")) is None
    assert cycle_at(rule, associated, until, at("2026-03-10")) is None
    assert days(cycle_at(rule, associated, until, at("2026-03-09T23:59:59"))) == (
        "2026-03-01 to 2026-03-10"
    )
    assert cycle_number(rule, associated, until, -1) is None
    assert cycle_number(rule, associated, until, 3) is None


def test_cycles_end_where_the_vendor_writes_an_open_end() -> None:
    last = list(cycles(CycleRule("ANNUALLY", day_offset="15"), date(9997, 1, 1), None))[-1]

    assert days(last) == "9998-01-15 to 9999-01-01"


def test_grace_is_counted_in_days_from_the_cycles_end() -> None:
    rule = CycleRule("MONTHLY", grace_days=5)
    january = cycle_number(rule, date(2026, 1, 1), None, 0)
    cut = cycle_number(rule, date(2026, 1, 1), date(2026, 1, 20), 0)

    assert january is not None
    assert cut is not None
    assert grace_end(rule, january) == at("2026-02-06")
    assert grace_end(rule, cut) == at("2026-01-25")


def test_without_a_start_offset_cycles_begin_on_the_first_day() -> None:
    rule = read_cycle_rule({"interval": "QUARTERLY", "gracePeriod": 0})

    assert starts(rule, "2026-04-01", 2) == ["2026-04-01", "2026-07-01"]
