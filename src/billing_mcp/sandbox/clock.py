"""The sandbox's clock: kept in the database, moved only by the control, and always UTC."""

import re
from datetime import UTC, date, datetime

from billing_mcp.rating import calendar_days
from billing_mcp.sandbox.store import Connection

START = datetime(2026, 11, 20, 12, tzinfo=UTC)

# The calendar is rating's, so that a duration ends here where a bill says that it ends: at the
# latest on the day that both vendors write for an open end.
OPEN_END = calendar_days.OPEN_END
midnight = calendar_days.midnight
months_after = calendar_days.months_after
after = calendar_days.after

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
