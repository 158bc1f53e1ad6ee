"""Suger's way of listing: limit and offset, and windows of whole UTC days."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from billing_mcp.sandbox.call import Call, Refusal, day, one_of

LARGEST_PAGE = 1000
WINDOW = timedelta(days=30)

# The marketplaces usage is reported to; other partners of Suger have no usage record groups.
MARKETPLACES = ("AWS", "AZURE", "GCP")


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a listing are wanted."""

    limit: int
    offset: int

    @property
    def reach(self) -> int:
        """One row more than the page holds, so that it shows whether more follow."""
        return self.limit + 1

    def next_offset(self, found: int) -> dict[str, int]:
        """The `nextOffset` field when `found` rows, of at most `reach`, say that more follow."""
        return {"nextOffset": self.offset + self.limit} if found > self.limit else {}


def page(call: Call) -> Page:
    """The page a query asks for: `limit` 1 to 1000, `offset` from 0."""
    return Page(
        limit=_whole(call.query, "limit", 1, LARGEST_PAGE, LARGEST_PAGE),
        offset=_whole(call.query, "offset", 0, 2**31 - 1, 0),
    )


def _whole(query: Mapping[str, str], name: str, minimum: int, maximum: int, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    # Ten digits at most: a longer one is no number of rows, and too large for the database.
    digits = text.isascii() and text.isdigit() and len(text) <= 10
    if not digits or not minimum <= int(text) <= maximum:
        raise Refusal(400, f"{name} must be a whole number from {minimum} to {maximum}")
    return int(text)


def window(call: Call) -> tuple[str, str]:
    """Two texts that enclose the stamps of what was created in the days a query asks for.

    `endDate` is today unless given, `startDate` 30 days before it; both days belong to the window.
    """
    end = day(call.query, "endDate", default=call.now.date())
    start = day(call.query, "startDate", default=None)
    if start is None:
        start = end - min(WINDOW, end - end.min)
    if start > end:
        raise Refusal(400, "startDate must not be after endDate")
    # Stamps begin with their day, so a day sorts before all of its times, and "~" after them.
    return start.isoformat(), f"{end.isoformat()}~"


def filters(call: Call, *names: str) -> dict[str, str | None]:
    """The text filters of a query; one that was not given is None."""
    return {name: call.query.get(name) for name in names}


def choice(call: Call, name: str, options: Collection[str]) -> str | None:
    """A filter with the vendor's own set of values."""
    return one_of(call.query, name, options, default=None)


def not_imitated(call: Call, *names: str) -> None:
    """Refuse a filter of the vendor's that the sandbox has nothing to compare with."""
    for name in names:
        if name in call.query:
            raise Refusal(501, f"not imitated by the sandbox: the filter {name}")
