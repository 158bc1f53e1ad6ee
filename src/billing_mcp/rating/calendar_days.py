"""Days and months on the calendar, in UTC, and the ISO-8601 durations the vendor's plans use."""

import calendar
import re
from datetime import UTC, date, datetime, timedelta

# The vendor writes "without an end" as this day; nothing is rated beyond it.
OPEN_END = datetime(9999, 1, 1, tzinfo=UTC)

MONTHS = {"MONTHLY": 1, "QUARTERLY": 3, "HALF_YEARLY": 6, "ANNUALLY": 12}
WEEK = timedelta(days=7)

_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?"
    r"(?:T(?=.)(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)


def midnight(day: date) -> datetime:
    """The first instant of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def day_of_month(months: int, day: int) -> datetime:
    """Midnight of a day in the month so many months after year 0; its last day if missing."""
    year, index = divmod(months, 12)
    last = calendar.monthrange(year, index + 1)[1]
    return datetime(year, index + 1, min(day, last), tzinfo=UTC)


def months_after(moment: datetime, months: int) -> datetime:
    """The same day so many months later, or that month's last day where it is missing."""
    first = day_of_month(moment.year * 12 + moment.month - 1 + months, moment.day)
    return moment.replace(year=first.year, month=first.month, day=first.day)


def intervals_after(moment: datetime, interval: str, count: int) -> datetime:
    """So many intervals (`WEEKLY` to `ANNUALLY`) later."""
    if interval == "WEEKLY":
        return moment + WEEK * count
    return months_after(moment, MONTHS[interval] * count)


def after(moment: datetime, duration: str) -> datetime:
    """The moment an ISO-8601 duration later; years and months first, by the calendar.

    Not later than the open end. Raises `ValueError` when the duration is malformed.
    """
    match = _DURATION.fullmatch(duration)
    if not match:
        raise ValueError(f"{duration!r} is not an ISO-8601 duration such as P1D, PT6H or P1M")
    years, months, weeks, days, hours, minutes, seconds = (
        int(part) if part else 0 for part in match.groups()
    )
    by_calendar = moment.year * 12 + moment.month - 1 + 12 * years + months
    rest = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    if by_calendar >= OPEN_END.year * 12 or rest >= OPEN_END - moment:
        return OPEN_END
    return min(months_after(moment, 12 * years + months) + rest, OPEN_END)
