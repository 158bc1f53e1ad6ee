"""Pricing cycles, found by walking from day to day and asking whether a cycle begins there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

DAY = timedelta(days=1)
MONTHS = {"MONTHLY": 1, "QUARTERLY": 3, "HALF_YEARLY": 6, "ANNUALLY": 12}


@dataclass(frozen=True)
class Cycle:
    """From `start` to before `end`; the whole cycle it is a part of has the other two dates."""

    number: int
    start: date
    end: date
    whole_start: date
    whole_end: date

    def days(self) -> list[date]:
        return days(self.start, self.end)

    def whole_days(self) -> list[date]:
        return days(self.whole_start, self.whole_end)


def days(start: date, end: date) -> list[date]:
    """Every day from the start to before the end."""
    found = []
    while start < end:
        found.append(start)
        start += DAY
    return found


def begins(config: Mapping[str, Any], associated: date, day: date) -> bool:
    """Whether a cycle of the `pricingCycleConfig` begins on the day."""
    interval = config["interval"]
    day_offset, month_offset = offsets(config, associated)
    if interval == "WEEKLY":
        return str(day.isoweekday()) == ("7" if day_offset == "LAST" else day_offset)
    months = MONTHS[interval]
    # 1 for the first month of the interval: for quarters Jan 1, Feb 2, Mar 3, Apr 1, …
    month = (day.month - 1) % months + 1
    wanted = {"NIL": 1, "FIRST": 1, "LAST": months}.get(month_offset)
    if month != (int(month_offset) if wanted is None else wanted):
        return False
    is_last_of_month = (day + DAY).day == 1
    if day_offset == "LAST":
        return is_last_of_month
    # A day that the month does not have moves to the closest earlier one: the month's last.
    return day.day == int(day_offset) or (is_last_of_month and day.day < int(day_offset))


def offsets(config: Mapping[str, Any], associated: date) -> tuple[str, str]:
    """The `dayOffset` and `monthOffset` in force; from the association date if it is to be so."""
    interval = config["interval"]
    if not config.get("anniversaryCycle"):
        offset = config.get("startOffset") or {"dayOffset": "1", "monthOffset": "NIL"}
        return offset["dayOffset"], offset["monthOffset"]
    if interval == "WEEKLY":
        return str(associated.isoweekday()), "NIL"
    month = (associated.month - 1) % MONTHS[interval] + 1
    ends_february = associated.month == 2 and (associated + DAY).month == 3
    if associated.day == 31 or (interval == "ANNUALLY" and ends_february):
        return "LAST", str(month)
    return str(associated.day), str(month)


def cycles(config: Mapping[str, Any], associated: date, until: date | None) -> Iterator[Cycle]:
    """The cycles of an association, the first from its first day, perhaps cut at both ends."""
    whole_start = associated
    while not begins(config, associated, whole_start):
        whole_start -= DAY
    number, start = 0, associated
    while until is None or start < until:
        whole_end = start + DAY
        while not begins(config, associated, whole_end):
            whole_end += DAY
        end = whole_end if until is None else min(whole_end, until)
        yield Cycle(number, start, end, whole_start, whole_end)
        number, start, whole_start = number + 1, whole_end, whole_end
