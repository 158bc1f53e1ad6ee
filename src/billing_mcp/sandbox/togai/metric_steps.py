"""The time that a metric is asked for, and the steps that its figures are added up in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing_mcp.sandbox import clock

PERIODS = ("HOUR", "DAY", "WEEK", "MONTH")

_FIXED = {"HOUR": timedelta(hours=1), "DAY": timedelta(days=1), "WEEK": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True)
class Window:
    """`start` is inclusive, `end` exclusive; steps begin in UTC, weeks on Mondays (ours)."""

    start: datetime
    end: datetime
    period: str

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def touches(self, start: datetime, end: datetime) -> bool:
        return start < self.end and end > self.start

    def step_of(self, moment: datetime) -> datetime:
        """When the step began that a moment lies in."""
        if self.period == "HOUR":
            return moment.replace(minute=0, second=0, microsecond=0)
        day = clock.midnight(moment.date())
        if self.period == "WEEK":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self.period == "MONTH" else day

    def steps(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """When the steps began that the time from start until before end touches."""
        step = self.step_of(start)
        while step < end:
            yield step
            fixed = _FIXED.get(self.period)
            step = clock.months_after(step, 1) if fixed is None else step + fixed

    def part(self, moment: datetime) -> tuple[datetime, bool, bool]:
        """The same for moments that no figure of this window tells apart."""
        return self.step_of(moment), moment < self.start, moment < self.end
