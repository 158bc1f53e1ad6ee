"""Each method of a ledger as one transaction: which statements, in which order, and nothing of a
particular database.

A transaction is a generator of statements that is sent the rows of each. A store begins, runs it,
and commits, or rolls back when it raises. The SQL is of both databases: `?` stands for a value, and
` FOR UPDATE` is for those that lock rows; SQLite's writers hold the whole file.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from billing_mcp import money
from billing_mcp.guard import audit
from billing_mcp.guard.arguments import storable
from billing_mcp.guard.ledger import Head, Note
from billing_mcp.guard.operations import (
    Filters,
    Key,
    Listing,
    Operation,
    Partition,
    Spend,
    Spent,
    added,
)
from billing_mcp.guard.rows import (
    SELECT_OPERATION,
    UPSERT_OPERATION,
    Column,
    columns,
    microseconds,
    operation,
    row_digest,
)
from billing_mcp.guard.transitions import NOTHING_SPENT, Change, Present

T = TypeVar("T")
Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Statement:
    sql: str
    values: tuple[Column, ...] = ()


Work = Generator[Statement, Rows, T]

_HEAD = "SELECT sequence, hash FROM billing_audit_heads WHERE tenant = ? AND environment = ?"
_NEW_HEAD = "INSERT INTO billing_audit_heads VALUES (?, ?, 0, ?) ON CONFLICT DO NOTHING"
_MOVE_HEAD = (
    "UPDATE billing_audit_heads SET sequence = ?, hash = ? WHERE tenant = ? AND environment = ?"
)
_RECORD = "INSERT INTO billing_audit VALUES (?, ?, ?, ?, ?, ?)"
_SPENT = (
    "SELECT per, amount FROM billing_spent WHERE tenant = ? AND environment = ? AND currency = ?"
    " AND day = ? AND ((per = 'customer' AND subject = ?) OR (per = 'role' AND subject = ?))"
)
_SPEND = (
    "INSERT INTO billing_spent VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (tenant, environment, per, subject, currency, day)"
    " DO UPDATE SET amount = excluded.amount"
)


def moving(
    key: Key,
    clock: Callable[[], datetime],
    decide: Callable[[Present], Change[T]],
    spend: Spend | None = None,
) -> Work[T]:
    """Lock the partition, look, decide, write. `spend` is what `decide` needs the sums of."""
    partition = _storable(key.partition)
    head = yield from _locked_head(partition)
    now = clock()
    row = yield from _found(Key(partition, key.id))
    spent = NOTHING_SPENT
    if spend is not None:
        spent = yield from spent_of(
            partition, spend.customer, spend.role, spend.currency, spend.day
        )
    change = decide(Present(now, head.sequence + 1, row, spent))
    digest = None
    if change.row is not None:
        stored = columns(change.row)
        digest = row_digest(stored)
        yield Statement(UPSERT_OPERATION, stored)
    if change.moved and change.row is not None:
        yield from _spend(change.row, change.moved)
    if change.event is not None:
        entry = audit.Entry(change.event, now, change.by, key.id, digest, change.facts)
        yield from _append(head, entry)
    return change.answer


def noting(note: Note, clock: Callable[[], datetime]) -> Work[None]:
    head = yield from _locked_head(_storable(note.partition))
    facts = {"client": note.client, "tool": note.tool, **(note.facts or {})}
    entry = audit.Entry(note.event, clock(), note.principal, note.operation_id, None, facts)
    yield from _append(head, entry)


def getting(key: Key) -> Work[Operation | None]:
    return (yield from _found(Key(_storable(key.partition), key.id)))


def _found(key: Key) -> Work[Operation | None]:
    rows = yield Statement(
        SELECT_OPERATION, (key.partition.tenant, key.partition.environment, key.id)
    )
    return operation(rows[0]) if rows else None


def listing(partition: Partition, filters: Filters, size: int, after: str | None) -> Work[Listing]:
    partition = _storable(partition)
    conditions = ["tenant = ? AND environment = ?"]
    values: list[Column] = [partition.tenant, partition.environment]
    if filters.states:
        conditions.append(f"state IN ({', '.join('?' for _ in filters.states)})")
        values += sorted(str(state) for state in filters.states)
    for name in ("tool", "customer", "principal", "fingerprint"):
        wanted = getattr(filters, name)
        if wanted is not None:
            conditions.append(f"{name} = ?")
            values.append(storable(wanted))
    for limit, comparison in ((filters.since, ">="), (filters.until, "<")):
        if limit is not None:
            conditions.append(f"created_at {comparison} ?")
            values.append(microseconds(limit))
    if after is not None:
        conditions.append("(created_at, id) < (?, ?)")
        values += _place(after)
    rows = yield Statement(
        f"SELECT * FROM billing_operations WHERE {' AND '.join(conditions)}"  # noqa: S608  # conditions are texts of ours
        " ORDER BY created_at DESC, id DESC LIMIT ?",
        (*values, size + 1),
    )
    found = [operation(row) for row in rows[:size]]
    is_more = len(rows) > size
    return Listing(
        found, f"{microseconds(found[-1].created_at)}~{found[-1].id}" if is_more else None
    )


def _place(after: str) -> tuple[int, str]:
    created, mark, operation_id = after.partition("~")
    if not mark or not created.isdecimal() or len(created) > 18:
        raise ValueError("not a place that a page of operations gave")
    return int(created), storable(operation_id)


def open_without_lease(now: datetime, limit: int) -> Work[list[Operation]]:
    rows = yield Statement(
        "SELECT * FROM billing_operations WHERE state IN ('claimed', 'sent', 'unknown')"
        " AND (lease_until IS NULL OR lease_until <= ?) ORDER BY updated_at LIMIT ?",
        (microseconds(now), limit),
    )
    return [operation(row) for row in rows]


def forgettable(before: datetime, now: datetime, limit: int) -> Work[list[Key]]:
    """What retention no longer keeps; `forget` looks at each again under its lock."""
    rows = yield Statement(
        "SELECT tenant, environment, id FROM billing_operations"
        " WHERE forgotten_at IS NULL AND updated_at < ?"
        " AND state NOT IN ('claimed', 'sent', 'unknown')"
        " AND (state NOT IN ('planned', 'approved') OR expires_at <= ?)"
        " ORDER BY updated_at LIMIT ?",
        (microseconds(before), microseconds(now), limit),
    )
    return [Key(Partition(row[0], row[1]), row[2]) for row in rows]


def spent_of(
    partition: Partition, customer: str | None, role: str, currency: str, day: date
) -> Work[Spent]:
    rows = yield Statement(
        _SPENT,
        (
            *(storable(partition.tenant), storable(partition.environment), storable(currency)),
            *(day.isoformat(), None if customer is None else storable(customer), storable(role)),
        ),
    )
    sums = {per: Decimal(amount) for per, amount in rows}
    return Spent(sums.get("customer", Decimal(0)), sums.get("role", Decimal(0)))


def _spend(row: Operation, moved: Decimal) -> Work[None]:
    """Add to what the row's customer and role have spent on its day; less than zero gives back."""
    assert row.currency is not None
    assert row.day is not None
    assert row.role is not None
    partition = row.key.partition
    before = yield from spent_of(partition, row.customer, row.role, row.currency, row.day)
    sums = {"role": (row.role, before.role)}
    if row.customer is not None:
        sums["customer"] = (row.customer, before.customer)
    for per, (subject, amount) in sums.items():
        yield Statement(
            _SPEND,
            (
                *(storable(partition.tenant), storable(partition.environment), per),
                *(storable(subject), storable(row.currency), row.day.isoformat()),
                money.plain(added(amount, moved)),
            ),
        )


def _storable(partition: Partition) -> Partition:
    return Partition(storable(partition.tenant), storable(partition.environment))


def _locked_head(partition: Partition) -> Work[Head]:
    """The partition's head, and with it the right to write to the partition until the end."""
    names = (partition.tenant, partition.environment)
    rows = yield Statement(f"{_HEAD} FOR UPDATE", names)
    if not rows:
        yield Statement(_NEW_HEAD, (*names, audit.NOTHING_BEFORE))
        rows = yield Statement(f"{_HEAD} FOR UPDATE", names)
    return Head(partition, *rows[0])


def _append(head: Head, entry: audit.Entry) -> Work[None]:
    record = audit.record(head, entry)
    names = (head.partition.tenant, head.partition.environment)
    yield Statement(
        _RECORD, (*names, record.sequence, record.operation_id, record.body, record.hash)
    )
    yield Statement(_MOVE_HEAD, (record.sequence, record.hash, *names))


def all_heads() -> Work[list[Head]]:
    rows = yield Statement(
        "SELECT tenant, environment, sequence, hash FROM billing_audit_heads"
        " ORDER BY tenant, environment"
    )
    return [Head(Partition(row[0], row[1]), row[2], row[3]) for row in rows]
