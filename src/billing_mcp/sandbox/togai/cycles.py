"""The pricing cycle that a moment lies in."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from billing_mcp.sandbox import clock
from billing_mcp.sandbox.togai.price_plan_rules import MONTHS

_WEEK = 7
_LAST = 31


@dataclass(frozen=True, slots=True)
class Cycle:
    """From midnight UTC to midnight UTC; the end is exclusive."""

    start: datetime
    end: datetime

    def grace_ends(self, grace_days: int) -> datetime:
        """When events of this cycle are no longer counted."""
        return self.end + timedelta(days=grace_days)


def cycle_at(config: dict[str, Any], associated_on: date, moment: datetime) -> Cycle:
    """The cycle of a plan's `pricingCycleConfig` that the moment lies in."""
    interval = config["interval"]
    if interval == "WEEKLY":
        first = associated_on.isoweekday() if config["anniversaryCycle"] else _week_day(config)
        start = moment.date() - timedelta(days=(moment.isoweekday() - first) % _WEEK)
        return Cycle(clock.midnight(start), clock.midnight(start + timedelta(days=_WEEK)))
    months = MONTHS[interval]
    day, month = _monthly_offsets(config, associated_on, months)
    # Months are counted from year 0; a cycle starts in each month of the same remainder.
    count = moment.year * 12 + moment.month - 1
    count -= (count - (month - 1)) % months
    start = _start(count, day)
    if start > moment:
        count -= months
        start = _start(count, day)
    return Cycle(start, _start(count + months, day))


def _week_day(config: dict[str, Any]) -> int:
    day = config["startOffset"]["dayOffset"]
    return _WEEK if day == "LAST" else int(day)


def _monthly_offsets(config: dict[str, Any], associated_on: date, months: int) -> tuple[int, int]:
    """The day of the month (31 for its last) and the month within the interval, from 1."""
    if config["anniversaryCycle"]:
        last = (associated_on + timedelta(days=1)).month != associated_on.month
        # Documented: the last day of February and a 31st mean the last day of every month.
        is_last = associated_on.day == _LAST or (last and associated_on.month == 2)
        day = _LAST if is_last else associated_on.day
        return day, (associated_on.month - 1) % months + 1
    offset = config["startOffset"]
    day = _LAST if offset["dayOffset"] == "LAST" else int(offset["dayOffset"])
    words = {"NIL": 1, "FIRST": 1, "LAST": months}
    month = offset["monthOffset"]
    return day, words[month] if month in words else int(month)


def _start(count: int, day: int) -> datetime:
    """Midnight of a day in the month so many months after year 0; the month's last if missing."""
    first = datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)
    following = clock.months_after(first, 1)
    return first + timedelta(days=min(day, (following - first).days) - 1)
