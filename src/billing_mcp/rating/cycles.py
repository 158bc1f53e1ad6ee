"""The pricing cycles of an association: where each starts and ends, and until when it is open."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count

from billing_mcp.rating.calendar_days import MONTHS, OPEN_END, WEEK, day_of_month, midnight
from billing_mcp.rating.plan import CycleRule

_LAST = 31
_FEBRUARY = 2


@dataclass(frozen=True, slots=True)
class Cycle:
    """From midnight UTC to midnight UTC, the end exclusive; cycle 0 holds the association.

    An association or its end within a cycle leaves only a part of it. `whole_start` and
    `whole_end` are those of the undivided cycle, and equal to `start` and `end` otherwise.
    """

    number: int
    start: datetime
    end: datetime
    whole_start: datetime
    whole_end: datetime

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    @property
    def whole_days(self) -> int:
        return (self.whole_end - self.whole_start).days


def cycles(rule: CycleRule, associated: date, until: date | None) -> Iterator[Cycle]:
    """Every cycle from the association to the day it ends (exclusive), if it ever does."""
    first = _index(rule, associated, midnight(associated))
    for number in count():
        cycle = _cycle(rule, associated, until, first, number)
        if cycle is None:
            return
        yield cycle


def cycle_at(
    rule: CycleRule, associated: date, until: date | None, moment: datetime
) -> Cycle | None:
    """The cycle a moment lies in, or None where there is no association."""
    if moment < midnight(associated):
        return None
    first = _index(rule, associated, midnight(associated))
    cycle = _cycle(rule, associated, until, first, _index(rule, associated, moment) - first)
    return cycle if cycle is not None and moment < cycle.end else None


def cycle_number(
    rule: CycleRule, associated: date, until: date | None, number: int
) -> Cycle | None:
    """The cycle of a number, found directly; None where there is no association."""
    first = _index(rule, associated, midnight(associated))
    return _cycle(rule, associated, until, first, number) if number >= 0 else None


def grace_end(rule: CycleRule, cycle: Cycle) -> datetime:
    """From this instant on, late events of the cycle are no longer counted."""
    return cycle.end + timedelta(days=rule.grace_days)


def anniversary_rule(rule: CycleRule, associated: date) -> CycleRule:
    """The rule with its offsets taken from the association's date, where the plan asks for it."""
    if not rule.anniversary:
        return rule
    if rule.interval == "WEEKLY":
        day, month = str(associated.isoweekday()), "NIL"
    else:
        day = "LAST" if _is_last(rule.interval, associated) else str(associated.day)
        months = MONTHS[rule.interval]
        month = "NIL" if months == 1 else str((associated.month - 1) % months + 1)
    return CycleRule(rule.interval, rule.grace_days, day, month)


def _is_last(interval: str, day: date) -> bool:
    """Documented: a 31st, and for yearly cycles the last day of February, mean the last day."""
    if day.day == _LAST:
        return True
    ends_february = day.month == _FEBRUARY and (day + timedelta(days=1)).month != _FEBRUARY
    return interval == "ANNUALLY" and ends_february


def _cycle(
    rule: CycleRule, associated: date, until: date | None, first: int, number: int
) -> Cycle | None:
    whole_start = _start(rule, associated, first + number)
    end = OPEN_END if until is None else min(midnight(until), OPEN_END)
    start = max(whole_start, midnight(associated))
    if start >= end:
        return None
    whole_end = _start(rule, associated, first + number + 1)
    return Cycle(number, start, min(whole_end, end), whole_start, whole_end)


def _index(rule: CycleRule, associated: date, moment: datetime) -> int:
    """Which of all cycles since year 0 a moment lies in."""
    if rule.interval == "WEEKLY":
        return (moment - _start(rule, associated, 0)) // WEEK
    _, month, months = _offsets(rule, associated)
    index = (moment.year * 12 + moment.month - month) // months
    return index if _start(rule, associated, index) <= moment else index - 1


def _start(rule: CycleRule, associated: date, index: int) -> datetime:
    day, month, months = _offsets(rule, associated)
    if rule.interval == "WEEKLY":
        # The first of January of year 1 was a Monday.
        return midnight(date(1, 1, 1)) + timedelta(days=day - 1) + WEEK * index
    return day_of_month(index * months + month - 1, day)


def _offsets(rule: CycleRule, associated: date) -> tuple[int, int, int]:
    """The day, the month within the interval (both from 1), and the interval's months."""
    effective = anniversary_rule(rule, associated)
    if rule.interval == "WEEKLY":
        return 7 if effective.day_offset == "LAST" else int(effective.day_offset), 1, 0
    months = MONTHS[rule.interval]
    day = _LAST if effective.day_offset == "LAST" else int(effective.day_offset)
    words = {"NIL": 1, "FIRST": 1, "LAST": months}
    month = effective.month_offset
    return day, words[month] if month in words else int(month), months
