"""What was done to the company, kept in plain sums: what its books are compared with."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

NONE = Decimal(0)
UNMEASURED = "INGESTION_COMPLETED_NO_MATCHING_METERS"
COUNTED = (
    UNMEASURED,
    "INGESTION_COMPLETED_EVENT_METERED",
    "INGESTION_COMPLETED_EVENT_NOT_METERED",
)
DUPLICATE = "INGESTION_FAILED_DUPLICATE_EVENT"
TOO_LATE = "INGESTION_FAILED_PAST_GRACE_PERIOD"
REMEMBERED = timedelta(days=45)


@dataclass(slots=True)
class Arrival:
    """An event that was accepted, and what it was said to have become."""

    event_id: str
    account_id: str
    schema: str
    units: Decimal
    moment: datetime
    arrived: datetime
    reference: str
    status: str
    # What it was counted for: plan and first day of the cycle.
    priced: tuple[tuple[str, str], ...] = ()

    @property
    def counted(self) -> bool:
        return self.status in COUNTED

    @property
    def measured(self) -> bool:
        return self.counted and self.status != UNMEASURED


@dataclass(slots=True)
class Model:
    customers: set[str] = field(default_factory=set)
    accounts: list[str] = field(default_factory=list)
    events: dict[str, list[Arrival]] = field(default_factory=dict)
    measures_calls: bool = True
    # Money that came in: top-ups, payments, and invoices that were only said to be paid.
    received: Decimal = NONE
    # What of it payments turned into credits.
    spent_on_credits: Decimal = NONE
    # What was given by hand or by payments, by the credit's id.
    granted: dict[str, Decimal] = field(default_factory=dict)
    voided: set[str] = field(default_factory=set)
    # Accepted updates of seats, in their order: account, moment, whether relative, quantity.
    seats: list[tuple[str, datetime, bool, Decimal]] = field(default_factory=list)
    # Who holds the licence of an admin: account and name, from when until when.
    admins: dict[tuple[str, str], list[list[datetime | None]]] = field(default_factory=dict)
    # What a final invoice said when it was first seen.
    final: dict[str, Any] = field(default_factory=dict)
    # Wallet top-ups that are bought or proposed, by the purchase's id.
    bought_money: dict[str, Decimal] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    admin_events: int = 0
    groups: list[str] = field(default_factory=list)
    voided_entries: set[tuple[str, str]] = field(default_factory=set)

    def arrivals(self, account_id: str | None = None) -> Iterator[Arrival]:
        for arrivals in self.events.values():
            for arrival in arrivals:
                if account_id in (None, arrival.account_id):
                    yield arrival

    def is_taken(self, event_id: str, now: datetime) -> bool:
        """Whether an event of this id was counted, was not taken back, and is remembered."""
        return any(
            arrival.counted and arrival.arrived > now - REMEMBERED
            for arrival in self.events.get(event_id, ())
        )

    def held_seats(self, account_id: str) -> list[tuple[datetime, Decimal]]:
        """What is held after each update, in order of time; at one time in order of entry."""
        updates = [update for update in self.seats if update[0] == account_id]
        held, steps = NONE, []
        for _, moment, relative, quantity in sorted(updates, key=lambda update: update[1]):
            held = held + quantity if relative else quantity
            steps.append((moment, held))
        return steps
