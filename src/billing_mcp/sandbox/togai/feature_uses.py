"""What events take of feature credits, kept event by event.

In whatever order events come, each takes what was there when it happened, the earlier ones first:
where entries begin or end between them, the takings are made anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE, total
from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai import usage_sums
from billing_mcp.sandbox.togai.columns import packed, unpacked
from billing_mcp.sandbox.togai.running import Schedules

_NONE = Decimal(0)
OVERAGE = "OVERAGE"

Taking = tuple[int, Decimal]
"""The number of an entry, and how much of it."""


@dataclass(slots=True)
class _Entry:
    """An entry that can still be taken from, or given back to."""

    row: Row
    used: Decimal

    @property
    def is_overage(self) -> bool:
        return bool(self.row["source"] == OVERAGE)

    def covers(self, moment: str) -> bool:
        return bool(self.row["effective_from"] <= moment < self.row["effective_until"])

    def take(self, amount: Decimal) -> Decimal:
        """Overage takes everything, beyond its limit if need be."""
        free = amount
        if not self.is_overage:
            free = max(WIDE.subtract(Decimal(self.row["granted"]), self.used), _NONE)
        part = min(amount, free)
        self.used = WIDE.add(self.used, part)
        return part


@dataclass(slots=True)
class _Event:
    row: Row
    amount: Decimal
    before: Sequence[Taking]
    after: list[Taking] = field(default_factory=list)


def take(entries: Sequence[Row], amount: Decimal) -> list[Taking]:
    """What an event takes of the entries in effect, which are in their order of use."""
    return _taken([_Entry(row, Decimal(row["used"])) for row in entries], amount)


def _taken(entries: Iterable[_Entry], amount: Decimal) -> list[Taking]:
    takings, left = [], amount
    for entry in entries:
        part = entry.take(left)
        if part > 0:
            takings.append((entry.row["number"], part))
            left = WIDE.subtract(left, part)
    return takings


def overage(entries: Iterable[Row], takings: Iterable[Taking]) -> Decimal:
    """How much of it is overage."""
    numbers = {row["number"] for row in entries if row["source"] == OVERAGE}
    return total(amount for number, amount in takings if number in numbers)


@dataclass(slots=True)
class Late:
    """What is to be shared out anew because events came after later ones; once for a request's
    events, as it reads all that happened in that time."""

    _times: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def add(self, entries: Sequence[Row]) -> None:
        of = entries[0]["account_id"], entries[0]["feature_id"]
        times = [
            *self._times.get(of, ()),
            *(row[name] for row in entries for name in ("effective_from", "effective_until")),
        ]
        self._times[of] = min(times), max(times)

    def share_out(self, request: Call) -> None:
        for (account_id, feature_id), (first, last) in self._times.items():
            share_out(request, account_id, feature_id, first, last)


def keep(
    request: Call, event: tuple[int, str], entries: Sequence[Row], takings: list[Taking]
) -> bool:
    """The event of this number and time took these; whether later ones could have had them."""
    number, moment = event
    for entry_number, amount in takings:
        _use(request, entry_number, amount)
        _insert(request, number, entry_number, amount)
    return not _alike(request, entries) and _is_late(request, entries[0]["account_id"], moment)


def _is_late(request: Call, account_id: str, moment: str) -> bool:
    """Whether something of the account that happened later came before."""
    later = request.db.execute(
        "select 1 from events where account_id = ? and happened_at > ?"
        " and status like 'INGESTION_COMPLETED%' limit 1",
        (account_id, moment),
    ).fetchone()
    return later is not None


def _alike(request: Call, entries: Sequence[Row]) -> bool:
    """Whether all that could be used in this time began and ends together: then no order counts."""
    first, last = entries[0]["effective_from"], entries[0]["effective_until"]
    other = request.db.execute(
        "select 1 from feature_entries where account_id = ? and feature_id = ?"
        " and status in ('ACTIVE', 'EXPIRED') and effective_from < ? and ? < effective_until"
        " and (effective_from <> ? or effective_until <> ?) limit 1",
        (entries[0]["account_id"], entries[0]["feature_id"], last, first, first, last),
    ).fetchone()
    return other is None


def give_back(request: Call, event: Row, feature_id: str) -> None:
    """An event is taken back: what it took is free, and what is left as if it had never come."""
    for number, amount in _takings(request.db, event["number"]):
        _use(request, number, amount.copy_negate())
    request.db.execute("delete from feature_takings where event_number = ?", (event["number"],))
    moment = event["happened_at"]
    share_out(request, event["account_id"], feature_id, moment, moment, without=event["number"])


def share_out(
    request: Call, account_id: str, feature_id: str, first: str, last: str, *, without: int = 0
) -> None:
    """Let the events around this time take anew, in the order in which they happened.

    What a final invoice is of stays, and so does what was taken of entries that are void.
    """
    entries = _around(request, account_id, feature_id, first, last)
    if not entries:
        return
    first = min([first, *(entry.row["effective_from"] for entry in entries)])
    last = max([last, *(entry.row["effective_until"] for entry in entries)])
    numbers = {entry.row["number"]: entry for entry in entries}
    found = _events(request, account_id, feature_id, (first, last), without)
    for event in found:
        for number, amount in event.before:
            if number in numbers:
                numbers[number].used = WIDE.subtract(numbers[number].used, amount)
    for event in found:
        event.after = [taking for taking in event.before if taking[0] not in numbers]
        left = WIDE.subtract(event.amount, total(amount for _, amount in event.after))
        covering = (entry for entry in entries if entry.covers(event.row["happened_at"]))
        event.after += _taken(covering, left)
        if sorted(event.after) != sorted(event.before):
            _rewrite(request, event)
    for entry in entries:
        if entry.used != Decimal(entry.row["used"]):
            changes = {"used": money.plain(entry.used)}
            store.update(request.db, "feature_entries", changes, number=entry.row["number"])
            usage_sums.mark_stale(request, account_id)


def _around(request: Call, account_id: str, feature_id: str, first: str, last: str) -> list[_Entry]:
    """The entries that this time touches, those that overlap them, and so on; in order of use."""
    rows = request.db.execute(
        "select * from feature_entries where account_id = ? and feature_id = ?"
        " and status in ('ACTIVE', 'EXPIRED') and effective_from < effective_until"
        " order by source = 'OVERAGE', effective_until, number",
        (account_id, feature_id),
    ).fetchall()
    found: set[int] = set()
    grown = True
    while grown:
        grown = False
        for row in rows:
            touches = row["effective_from"] <= last and first < row["effective_until"]
            if row["number"] not in found and touches:
                found.add(row["number"])
                first, last = min(first, row["effective_from"]), max(last, row["effective_until"])
                grown = True
    chosen = [row for row in rows if row["number"] in found and not is_billed(request.db, row)]
    return [_Entry(row, Decimal(row["used"])) for row in chosen]


def is_billed(db: Connection, entry: Row) -> bool:
    """Whether this is overage that a final invoice shows."""
    if entry["source"] != OVERAGE:
        return False
    schedule_id, _, rest = entry["id"].partition("#")
    return bool(
        db.execute(
            "select 1 from invoices where schedule_id = ? and substr(start_date, 1, 10) = ?"
            " and type = 'STANDARD' and status <> 'DRAFT'",
            (schedule_id, rest[:10]),
        ).fetchone()
    )


def _events(
    request: Call, account_id: str, feature_id: str, time: tuple[str, str], without: int
) -> list[_Event]:
    """Counted events of the feature that can still be changed, the earliest first."""
    rows = request.db.execute(
        "select * from events where account_id = ? and happened_at >= ? and happened_at <= ?"
        " and status like 'INGESTION_COMPLETED%' and number <> ? order by happened_at, number",
        (account_id, *time, without),
    ).fetchall()
    schedules = Schedules(request.db, account_id)
    found = []
    for row in rows:
        fed = unpacked(row, "pipeline").get("featureDetails", {})
        if fed.get("featureId") == feature_id and not is_closed(request, row, schedules):
            before = _takings(request.db, row["number"])
            found.append(_Event(row, asked_for(row, fed), before))
    return found


def asked_for(event: Row, fed: Mapping[str, Any]) -> Decimal:
    """How much of a feature an event used; less than nothing is nothing."""
    attributes = unpacked(event, "payload")["attributes"]
    (value,) = (one["value"] for one in attributes if one["name"] == fed["mappedAttribute"])
    return max(money.exact(value), _NONE)


def is_closed(request: Call, event: Row, schedules: Schedules) -> bool:
    """Whether the invoices of an event's time are final."""
    plans = schedules.at(clock.read(event["happened_at"]), event["happened_at"])
    if plans:
        return all(plan.grace_ends <= request.now for plan in plans)
    return is_invoiced(request, event)


def is_invoiced(request: Call, event: Row) -> bool:
    """Whether an invoice that became final after an event came is of its time.

    To be asked where no plan runs at that time any more.
    """
    return bool(
        request.db.execute(
            "select 1 from invoices where owner_id = ? and schedule_id is not null"
            " and status <> 'DRAFT' and start_date <= ? and ? < end_date and generated_at > ?",
            (
                event["account_id"],
                event["happened_at"],
                event["happened_at"],
                event["created_at"],
            ),
        ).fetchone()
    )


def _takings(db: Connection, event_number: int) -> list[Taking]:
    rows = db.execute(
        "select entry_number, amount from feature_takings where event_number = ?", (event_number,)
    )
    return [(row["entry_number"], Decimal(row["amount"])) for row in rows]


def _rewrite(request: Call, event: _Event) -> None:
    number, pipeline = event.row["number"], unpacked(event.row, "pipeline")
    request.db.execute("delete from feature_takings where event_number = ?", (number,))
    for entry_number, amount in event.after:
        _insert(request, number, entry_number, amount)
    rows = request.db.execute(
        "select e.* from feature_takings t join feature_entries e on e.number = t.entry_number"
        " where t.event_number = ?",
        (number,),
    ).fetchall()
    pipeline["featureDetails"]["overageInEvent"] = overage(rows, event.after)
    store.update(request.db, "events", {"pipeline": packed(pipeline)}, number=number)


def _insert(request: Call, event_number: int, entry_number: int, amount: Decimal) -> None:
    columns = {"event_number": event_number, "entry_number": entry_number}
    store.insert(request.db, "feature_takings", columns | {"amount": money.plain(amount)})


def _use(request: Call, entry_number: int, amount: Decimal) -> None:
    row = request.db.execute(
        "select used from feature_entries where number = ?", (entry_number,)
    ).fetchone()
    used = money.plain(WIDE.add(Decimal(row["used"]), amount))
    store.update(request.db, "feature_entries", {"used": used}, number=entry_number)
