"""The sandbox's clock: kept in the database, moved only by the control, and always UTC."""

import calendar
import re
from datetime import UTC, date, datetime, timedelta

from billing_mcp.sandbox.store import Connection

START = datetime(2026, 11, 20, 12, tzinfo=UTC)

# Both vendors write an open end as this day, and Python's calendar ends at the same year.
OPEN_END = datetime(9999, 1, 1, tzinfo=UTC)

_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?"
    r"(?:T(?=.)(?:(\d{1,7})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)
_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def written(moment: datetime) -> str:
    """The one form times have in the database and on the wire.

    Its width is fixed, so comparing texts compares times. Milliseconds; the rest is cut.
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(moment: datetime) -> str:
    """The time as the controls show it: no milliseconds where there are none."""
    return written(moment).replace(".000Z", "Z")


def read(text: str) -> datetime:
    """Read an RFC 3339 time, also with `+0000` as the vendors' SDKs send it.

    Raises `ValueError` when the text is something else or has no offset.
    """
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError(f"{text!r} is not an RFC 3339 time with an offset")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time of the years 1 to 9999") from error


def read_day(text: str) -> date:
    """Read `YYYY-MM-DD`. Raises `ValueError` for anything else."""
    if not _DAY.fullmatch(text):
        raise ValueError(f"{text!r} is not a date as YYYY-MM-DD")
    return date.fromisoformat(text)


def midnight(day: date) -> datetime:
    """The first instant of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def after(moment: datetime, duration: str) -> datetime:
    """The moment an ISO-8601 duration later; years and months first, by the calendar.

    Raises `ValueError` when the duration is malformed or leads past the end of the calendar.
    """
    match = _DURATION.fullmatch(duration)
    if not match:
        raise ValueError(f"{duration!r} is not an ISO-8601 duration such as P1D, PT6H or P1M")
    years, months, weeks, days, hours, minutes, seconds = (
        int(part) if part else 0 for part in match.groups()
    )
    try:
        return months_after(moment, 12 * years + months) + timedelta(
            weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds
        )
    except OverflowError as error:
        raise ValueError(f"{duration} leads past the year 9999") from error


def months_after(moment: datetime, months: int) -> datetime:
    """The same day so many months later, or the month's last day where that day is missing."""
    year, index = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= OPEN_END.year:
        raise ValueError("the time is outside the years 1 to 9999")
    last = calendar.monthrange(year, index + 1)[1]
    return moment.replace(year=year, month=index + 1, day=min(moment.day, last))


def now(db: Connection) -> datetime:
    """The sandbox's time."""
    return _moment(db, "now")


def start(db: Connection) -> datetime:
    """The time this sandbox began at, to which only a reset returns."""
    return _moment(db, "start")


def begin(db: Connection, moment: datetime) -> None:
    """Set the start and the present of a new or emptied sandbox."""
    for name in ("start", "now"):
        db.execute(
            "insert into clock (name, moment) values (?, ?)"
            " on conflict (name) do update set moment = excluded.moment",
            (name, written(moment)),
        )


def move(db: Connection, moment: datetime) -> None:
    """Set the present. Whoever calls has seen to it that time does not run backwards."""
    db.execute("update clock set moment = ? where name = 'now'", (written(moment),))


def _moment(db: Connection, name: str) -> datetime:
    row = db.execute("select moment from clock where name = ?", (name,)).fetchone()
    return read(row["moment"])
