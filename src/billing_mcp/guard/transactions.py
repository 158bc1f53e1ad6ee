"""Each method of a ledger as one transaction: which statements, in which order, and nothing of a
particular database.

A transaction is a generator of batches of statements that is sent the rows of each statement. A
store begins, runs it, and commits, or rolls back when it raises. A batch is what can be sent at
once, because a round trip to PostgreSQL costs more than a statement; the first one only looks. The
SQL is of both databases: `?` stands for a value, and ` FOR UPDATE` is for those that lock rows;
SQLite's writers hold the whole file.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
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


Batch = tuple[Statement, ...]
Work = Generator[Batch, Sequence[Rows], T]

_HEAD = "SELECT sequence, hash FROM billing_audit_heads WHERE tenant = ? AND environment = ?"
_NEW_HEAD = "INSERT INTO billing_audit_heads VALUES (?, ?, 0, ?) ON CONFLICT DO NOTHING"
_MOVE_HEAD = (
    "UPDATE billing_audit_heads SET sequence = ?, hash = ? WHERE tenant = ? AND environment = ?"
)
_RECORD = "INSERT INTO billing_audit VALUES (?, ?, ?, ?, ?, ?)"
# Two looks by the whole key; one with an OR would read all that the partition ever spent.
_SPENT = (
    "SELECT per, amount FROM billing_spent WHERE tenant = ? AND environment = ?"
    " AND per = 'customer' AND subject = ? AND currency = ? AND day = ?"
    " UNION ALL SELECT per, amount FROM billing_spent WHERE tenant = ? AND environment = ?"
    " AND per = 'role' AND subject = ? AND currency = ? AND day = ?"
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
    looks = [_select(Key(partition, key.id))]
    if spend is not None:
        looks.append(_select_spent(partition, spend))
    head, (rows, *sums) = yield from _locked(partition, *looks)
    now = clock()
    spent = _spent(sums[0]) if sums else NOTHING_SPENT
    change = decide(Present(now, head.sequence + 1, operation(rows[0]) if rows else None, spent))
    writes: list[Statement] = []
    digest = None
    if change.row is not None:
        stored = columns(change.row)
        digest = row_digest(stored)
        writes.append(Statement(UPSERT_OPERATION, stored))
        if change.moved:
            moved_by = _spend_of(change.row)
            if spend is None:
                spent = _spent((yield (_select_spent(partition, moved_by),))[0])
            writes += _spending(partition, moved_by, spent, change.moved)
    if change.event is not None:
        entry = audit.Entry(change.event, now, change.by, key.id, digest, change.facts)
        writes += _appending(head, entry)
    if writes:
        yield tuple(writes)
    return change.answer


def noting(note: Note, clock: Callable[[], datetime]) -> Work[None]:
    head, _ = yield from _locked(_storable(note.partition))
    facts = {"client": note.client, "tool": note.tool, **(note.facts or {})}
    entry = audit.Entry(note.event, clock(), note.principal, note.operation_id, None, facts)
    yield tuple(_appending(head, entry))


def getting(key: Key) -> Work[Operation | None]:
    (rows,) = yield (_select(Key(_storable(key.partition), key.id)),)
    return operation(rows[0]) if rows else None


def _select(key: Key) -> Statement:
    return Statement(SELECT_OPERATION, (key.partition.tenant, key.partition.environment, key.id))


def listing(partition: Partition, filters: Filters, size: int, after: str | None) -> Work[Listing]:
    partition = _storable(partition)
    conditions = ["tenant = ? AND environment = ?"]
    values: list[Column] = [partition.tenant, partition.environment]
    if filters.states:
        conditions.append(f"state IN ({', '.join('?' for _ in filters.states)})")
        values += sorted(str(state) for state in filters.states)
    for name in ("tool", "principal", "fingerprint"):
        wanted = getattr(filters, name)
        if wanted is not None:
            conditions.append(f"{name} = ?")
            values.append(storable(wanted))
    if filters.whose is not None:
        conditions.append("? IN (target, customer)")
        values.append(storable(filters.whose))
    for limit, comparison in ((filters.since, ">="), (filters.until, "<")):
        if limit is not None:
            conditions.append(f"created_at {comparison} ?")
            values.append(microseconds(limit))
    if after is not None:
        conditions.append("(created_at, id) < (?, ?)")
        values += _place(after)
    wanted = " AND ".join(conditions)
    sql = f"SELECT * FROM billing_operations WHERE {wanted}"  # noqa: S608  # all texts of ours
    place = " ORDER BY created_at DESC, id DESC LIMIT ?"
    (rows,) = yield (Statement(sql + place, (*values, size + 1)),)
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


def open_without_lease(
    partition: Partition, now: datetime, limit: int, after: Operation | None
) -> Work[list[Operation]]:
    partition = _storable(partition)
    # Before every row: no id is empty.
    place = (0, "") if after is None else (microseconds(after.created_at), after.id)
    (rows,) = yield (
        Statement(
            "SELECT * FROM billing_operations WHERE state IN ('claimed', 'sent', 'unknown')"
            " AND tenant = ? AND environment = ? AND (created_at, id) > (?, ?)"
            " AND (lease_until IS NULL OR lease_until <= ?) ORDER BY created_at, id LIMIT ?",
            (partition.tenant, partition.environment, *place, microseconds(now), limit),
        ),
    )
    return [operation(row) for row in rows]


def forgettable(before: datetime, now: datetime, limit: int) -> Work[list[Key]]:
    """What retention no longer keeps; `forget` looks at each again under its lock."""
    (rows,) = yield (
        Statement(
            "SELECT tenant, environment, id FROM billing_operations"
            " WHERE forgotten_at IS NULL AND updated_at < ?"
            " AND state NOT IN ('claimed', 'sent', 'unknown')"
            " AND (state NOT IN ('planned', 'approved') OR expires_at <= ?)"
            " ORDER BY updated_at LIMIT ?",
            (microseconds(before), microseconds(now), limit),
        ),
    )
    return [Key(Partition(row[0], row[1]), row[2]) for row in rows]


def spending(
    partition: Partition, customer: str | None, role: str, currency: str, day: date
) -> Work[Spent]:
    wanted = Spend(Decimal(0), currency, day, role, customer)
    (rows,) = yield (_select_spent(_storable(partition), wanted),)
    return _spent(rows)


def _select_spent(partition: Partition, spend: Spend) -> Statement:
    customer = None if spend.customer is None else storable(spend.customer)
    names = (partition.tenant, partition.environment)
    of = (storable(spend.currency), spend.day.isoformat())
    return Statement(_SPENT, (*names, customer, *of, *names, storable(spend.role), *of))


def _spent(rows: Rows) -> Spent:
    sums = {per: Decimal(amount) for per, amount in rows}
    return Spent(sums.get("customer", Decimal(0)), sums.get("role", Decimal(0)))


def _spend_of(row: Operation) -> Spend:
    """What the claim of a row reserved."""
    assert row.amount is not None
    assert row.currency is not None
    assert row.day is not None
    assert row.role is not None
    return Spend(row.amount, row.currency, row.day, row.role, row.customer)


def _spending(
    partition: Partition, spend: Spend, before: Spent, moved: Decimal
) -> Iterator[Statement]:
    """Add to what its customer and role have spent on its day; less than zero gives back."""
    sums = [("role", spend.role, before.role)]
    if spend.customer is not None:
        sums.append(("customer", spend.customer, before.customer))
    for per, subject, amount in sums:
        of = (partition.tenant, partition.environment, per, storable(subject))
        on = (storable(spend.currency), spend.day.isoformat())
        yield Statement(_SPEND, (*of, *on, money.plain(added(amount, moved))))


def _storable(partition: Partition) -> Partition:
    return Partition(storable(partition.tenant), storable(partition.environment))


def _locked(partition: Partition, *looks: Statement) -> Work[tuple[Head, Sequence[Rows]]]:
    """The partition's head, and with it the right to write to the partition until the end; and
    what the looks found under that lock."""
    names = (partition.tenant, partition.environment)
    batch = (Statement(f"{_HEAD} FOR UPDATE", names), *looks)
    heads, *found = yield batch
    if not heads:
        # Whoever made it at the same time is waited for here, and what they wrote is seen below.
        new = Statement(_NEW_HEAD, (*names, audit.NOTHING_BEFORE))
        _, heads, *found = yield (new, *batch)
    return Head(partition, *heads[0]), found


def _appending(head: Head, entry: audit.Entry) -> Iterator[Statement]:
    record = audit.record(head, entry)
    names = (head.partition.tenant, head.partition.environment)
    values = (record.sequence, record.operation_id, record.body, record.hash)
    yield Statement(_RECORD, (*names, *values))
    yield Statement(_MOVE_HEAD, (record.sequence, record.hash, *names))


def all_heads() -> Work[list[Head]]:
    (rows,) = yield (
        Statement(
            "SELECT tenant, environment, sequence, hash FROM billing_audit_heads"
            " ORDER BY tenant, environment"
        ),
    )
    return [Head(Partition(row[0], row[1]), row[2], row[3]) for row in rows]
