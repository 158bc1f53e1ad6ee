"""Pricing cycles: where a cycle that holds a moment begins and ends."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from billing_mcp.sandbox.togai.cycles import cycle_at

ANY_DAY = date(2026, 1, 1)


def config(interval: str, day: str, month: str = "NIL") -> dict[str, Any]:
    return {
        "interval": interval,
        "startOffset": {"dayOffset": day, "monthOffset": month},
        "gracePeriod": 0,
        "anniversaryCycle": False,
    }


def cycle(config: dict[str, Any], moment: datetime, associated: date = ANY_DAY) -> tuple[str, str]:
    found = cycle_at(config, associated, moment)
    return found.start.date().isoformat(), found.end.date().isoformat()


@pytest.mark.parametrize(
    ("interval", "day", "month", "moment", "expected"),
    [
        # 2026-11-20 is a Friday.
        ("WEEKLY", "1", "NIL", "2026-11-20", ("2026-11-16", "2026-11-23")),
        ("WEEKLY", "5", "NIL", "2026-11-20", ("2026-11-20", "2026-11-27")),
        ("WEEKLY", "LAST", "NIL", "2026-11-20", ("2026-11-15", "2026-11-22")),
        ("MONTHLY", "1", "NIL", "2026-11-20", ("2026-11-01", "2026-12-01")),
        ("MONTHLY", "21", "NIL", "2026-11-20", ("2026-10-21", "2026-11-21")),
        ("MONTHLY", "30", "NIL", "2027-02-10", ("2027-01-30", "2027-02-28")),
        ("MONTHLY", "30", "NIL", "2027-02-28", ("2027-02-28", "2027-03-30")),
        ("MONTHLY", "LAST", "NIL", "2026-11-30", ("2026-11-30", "2026-12-31")),
        ("QUARTERLY", "15", "FIRST", "2026-11-20", ("2026-10-15", "2027-01-15")),
        ("QUARTERLY", "15", "2", "2026-11-10", ("2026-08-15", "2026-11-15")),
        ("QUARTERLY", "LAST", "FIRST", "2026-11-20", ("2026-10-31", "2027-01-31")),
        ("HALF_YEARLY", "15", "4", "2026-11-20", ("2026-10-15", "2027-04-15")),
        ("HALF_YEARLY", "15", "LAST", "2026-11-20", ("2026-06-15", "2026-12-15")),
        ("ANNUALLY", "LAST", "2", "2028-02-29", ("2028-02-29", "2029-02-28")),
        ("ANNUALLY", "15", "LAST", "2026-11-20", ("2025-12-15", "2026-12-15")),
    ],
)
def test_a_cycle_begins_at_its_offset(
    interval: str, day: str, month: str, moment: str, expected: tuple[str, str]
) -> None:
    assert cycle(config(interval, day, month), at(moment)) == expected


def test_the_first_instant_of_a_cycle_belongs_to_it() -> None:
    midnight = datetime(2026, 11, 1, tzinfo=UTC)

    assert cycle(config("MONTHLY", "1"), midnight) == ("2026-11-01", "2026-12-01")


@pytest.mark.parametrize(
    ("interval", "associated", "moment", "expected"),
    [
        ("WEEKLY", date(2026, 11, 18), "2026-11-24", ("2026-11-18", "2026-11-25")),
        ("MONTHLY", date(2026, 11, 12), "2026-12-11", ("2026-11-12", "2026-12-12")),
        ("MONTHLY", date(2026, 10, 31), "2026-11-30", ("2026-11-30", "2026-12-31")),
        ("MONTHLY", date(2026, 11, 30), "2027-01-30", ("2027-01-30", "2027-02-28")),
        ("MONTHLY", date(2027, 2, 28), "2027-03-31", ("2027-03-31", "2027-04-30")),
        ("QUARTERLY", date(2026, 11, 15), "2027-02-14", ("2026-11-15", "2027-02-15")),
        ("ANNUALLY", date(2028, 2, 29), "2029-03-01", ("2029-02-28", "2030-02-28")),
    ],
)
def test_an_anniversary_cycle_begins_on_the_day_of_the_association(
    interval: str, associated: date, moment: str, expected: tuple[str, str]
) -> None:
    anniversary = config(interval, "1", "FIRST") | {"anniversaryCycle": True}

    assert cycle(anniversary, at(moment), associated) == expected


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
