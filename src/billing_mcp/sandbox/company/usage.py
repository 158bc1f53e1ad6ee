"""How much each account of the demo company uses, day by day, and the events that tell it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from billing_mcp.sandbox import clock
from billing_mcp.sandbox.company.books import Books

FIRST_DAY = date(2026, 8, 20)
LAST_DAY = date(2026, 11, 19)

_SATURDAY, _SUNDAY = 6, 7
# The hour at which a day's figures are taken.
_TAKEN_AT = 21
# After the day's end its events have all arrived.
_DELAY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Units on a weekday and on a day of the weekend; `months` says where they differ."""

    weekday: int
    weekend: int
    months: Mapping[int, tuple[int, int]] | None = None

    def on(self, day: date) -> int:
        pair = (self.months or {}).get(day.month, (self.weekday, self.weekend))
        return pair[day.isoweekday() >= _SATURDAY]


@dataclass(frozen=True, slots=True)
class Weekly:
    """Units of a whole week, told on its Sunday."""

    units: int

    def on(self, day: date) -> int:
        return self.units if day.isoweekday() == _SUNDAY else 0


# By account and event schema. The days from Monday to Friday, those of the weekend, and Sundays:
# August (from the 20th) 8 + 4, of which 2; September 22 + 8, 4; October 22 + 9, 4;
# November (to the 19th) 14 + 5, 3.
RHYTHMS: dict[tuple[str, str], Rhythm | Weekly] = {
    # The same hours every week. October is one Saturday longer than September, and that takes
    # it over 100,000 hours, where the plan charges another rate for all of them.
    ("acme-prod", "compute"): Rhythm(4_000, 1_350),
    ("acme-prod", "api_requests"): Rhythm(50_000, 20_000),
    ("acme-staging", "api_requests"): Weekly(17_000),
    # Below the minimum commitment except in October.
    ("helios-main", "compute"): Rhythm(3_000, 2_500, {10: (3_800, 2_500), 11: (3_800, 2_500)}),
    ("helios-main", "storage"): Weekly(10_500),
    ("finch-live", "api_requests"): Rhythm(21_000, 52_000),
    ("fjordline-eu", "api_requests"): Rhythm(6_500, 2_100),
    ("kite-reports", "report"): Rhythm(1, 0),
    ("sakura-tokyo", "api_requests"): Rhythm(47_311, 12_007),
    # Of 1,000 answers a month, 970 are used up on 19 November: 14 x 65 + 5 x 12.
    ("quill-desk", "assistant"): Rhythm(65, 12, {8: (25, 5), 9: (30, 10), 10: (38, 12)}),
    ("marlow-lab", "api_requests"): Weekly(12_500),
    ("tidewater-1", "api_requests"): Weekly(6_300),
}

_ATTRIBUTES = {
    "compute": "hours",
    "api_requests": "requests",
    "storage": "gb_days",
    "assistant": "answers",
}
_DIMENSIONS = {
    "compute": {"region": "us-east"},
    "api_requests": {"region": "us-east"},
    "storage": {"region": "us-east"},
    "assistant": {"workspace": "editorial"},
    "report": {"kind": "itinerary"},
}


def limited_at(day: date) -> datetime:
    """When usage of a feature is asked for: at the moment it happens."""
    return clock.midnight(day) + timedelta(hours=_TAKEN_AT)


def metered_at(day: date) -> datetime:
    """When usage that is only metered has arrived: after the day."""
    return clock.midnight(day) + timedelta(days=1) + _DELAY


def send_limited(books: Books, day: date) -> None:
    """Use up features: an event at a time, which the account must be entitled to."""
    for (account_id, schema), rhythm in RHYTHMS.items():
        if schema in books.features:
            for event in _events(account_id, schema, rhythm.on(day), day):
                books.ask("POST", "/togai/entitled", {"event": event})


def send_metered(books: Books, day: date) -> None:
    """All other events of a day, in one batch."""
    batch = [
        event
        for (account_id, schema), rhythm in RHYTHMS.items()
        if schema not in books.features
        for event in _events(account_id, schema, rhythm.on(day), day)
    ]
    books.ask("POST", "/togai/ingestBatch", {"events": batch})


def _events(account_id: str, schema: str, units: int, day: date) -> Iterator[dict[str, Any]]:
    """One event with the day's figure; where the events themselves are counted, one for each."""
    attribute = _ATTRIBUTES.get(schema)
    for number in range(units if attribute is None else min(units, 1)):
        yield {
            "id": f"{account_id}-{schema}-{day}-{number + 1}",
            "schemaName": schema,
            "accountId": account_id,
            "timestamp": clock.shown(limited_at(day)),
            "attributes": [{"name": attribute, "value": str(units)}] if attribute else [],
            "dimensions": _DIMENSIONS[schema],
        }
