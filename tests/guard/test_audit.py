"""The audit: what it records, and that no byte of it, and no row it vouches for, changes unseen."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import anyio
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from billing_mcp.guard.arguments import canonical
from billing_mcp.guard.audit import NOTHING_BEFORE, hash_of
from billing_mcp.guard.ledger import Claimed, Head, Note, Verdict
from billing_mcp.guard.operations import Partition, Plan, Settlement, State
from billing_mcp.guard.sqlite_ledger import SqliteLedger, _executed, _transaction
from billing_mcp.guard.stored_ledger import StoredLedger
from billing_mcp.guard.verification import verifying
from guard.ledgers import ACME, LEASE, NOON, Clock, a_day, grant, key

OTHER = Partition("other", "sandbox")
HOUR = timedelta(hours=1)


async def lived(ledger: StoredLedger, clock: Clock) -> None:
    """A little of everything in one partition, and one record in another."""
    answer = await ledger.claim(grant(client="desk"), LEASE)
    assert isinstance(answer, Claimed)
    await ledger.sent(answer.operation.hold)
    committed = Settlement(State.COMMITTED, {"id": "c"}, "granted", ("req-1",))
    await ledger.settle(answer.operation.hold, committed)
    await ledger.claim(grant(), LEASE)
    await ledger.claim(grant(amount="51"), LEASE)
    two, three = str(UUID(int=2)), str(UUID(int=3))
    await ledger.claim(grant(two, "60", a_day("100")), LEASE)
    await ledger.plan(grant(two, "60"), Plan({"effect": "60"}, NOON + HOUR, 1))
    await ledger.take_plan(grant(two, "60"), LEASE)
    await ledger.approve(key(two), "ann")
    await ledger.claim(grant(three), LEASE)
    clock.pass_(LEASE)
    await ledger.claim(grant(three), LEASE)
    await ledger.note(Note(ACME, "refused", "agent", "desk", None, "void-invoice", {"rule": "r"}))
    await ledger.claim(grant(partition=OTHER), LEASE)


EVENTS = [
    *("claimed", "sent", "committed", "replayed", "mismatched", "exceeded"),
    *("planned", "plan-refused", "approved", "claimed", "taken-over", "refused"),
]


@cache
def lived_in_memory() -> sqlite3.Connection:
    """One ledger for all examples, each of which puts back what it changed."""

    async def make() -> sqlite3.Connection:
        clock = Clock()
        ledger = await SqliteLedger.open(None, clock)
        await lived(ledger, clock)
        return ledger._db

    return anyio.run(make)


def verdicts(db: sqlite3.Connection, *known: Head) -> list[Verdict]:
    return _transaction(db, lambda: verifying(known), "read")


def findings(db: sqlite3.Connection, *known: Head) -> list[str]:
    return [finding for verdict in verdicts(db, *known) for finding in verdict.findings]


def after(db: sqlite3.Connection, *changes: str, known: Sequence[Head] = ()) -> list[str]:
    """What is found after the changes, which are then undone."""
    db.execute("BEGIN")
    try:
        for change in changes:
            assert db.execute(change).rowcount != 0, change
        return [finding for verdict in _run(db, known) for finding in verdict.findings]
    finally:
        db.execute("ROLLBACK")


def _run(db: sqlite3.Connection, known: Sequence[Head]) -> list[Verdict]:
    """As `verdicts`, inside a transaction that is open already."""
    work = verifying(known)
    batch = next(work)
    while True:
        try:
            batch = work.send([_executed(db, statement) for statement in batch])
        except StopIteration as end:
            found: list[Verdict] = end.value
            return found


def bodies(db: sqlite3.Connection, partition: Partition = ACME) -> list[dict[str, Any]]:
    rows = db.execute(
        "SELECT body FROM billing_audit WHERE tenant = ? ORDER BY sequence", (partition.tenant,)
    )
    return [json.loads(row[0]) for row in rows]


@pytest.mark.anyio
async def test_every_step_and_refusal_has_one_record_on_every_database(
    ledger: StoredLedger, clock: Clock
) -> None:
    await lived(ledger, clock)
    acme, other = await ledger.verify()
    assert (acme.partition, acme.records, acme.findings) == (ACME, len(EVENTS), ())
    assert (other.partition, other.records, other.findings) == (OTHER, 1, ())
    assert await ledger.heads() == [Head(ACME, 12, acme.head), Head(OTHER, 1, other.head)]
    assert (await ledger.verify(await ledger.heads()))[0].findings == ()


def test_a_record_says_who_asked_for_what_by_which_rule_and_what_it_came_to() -> None:
    claimed, _, settled, *_, refused = bodies(lived_in_memory())
    assert [body["event"] for body in bodies(lived_in_memory())] == EVENTS
    row = claimed.pop("row")
    assert claimed == {
        "sequence": 1,
        "previous": NOTHING_BEFORE,
        "tenant": "acme",
        "environment": "sandbox",
        "at": "2026-11-20T12:00:00.000000+00:00",
        "event": "claimed",
        "by": "agent",
        "operationId": key().id,
        "facts": {
            "amount": 50,
            "approvals": [],
            "arguments": {"accountId": "acc-1", "amount": 50},
            "attempt": 1,
            "client": "desk",
            "currency": "USD",
            "customer": "cust-1",
            "fingerprint": grant().fingerprint,
            "tool": "grant-credit",
        },
    }
    assert len(row) == 64
    assert settled["facts"] == {
        "summary": "granted",
        "vendorRequestIds": ["req-1"],
        "retryable": False,
    }
    assert refused["facts"] == {"client": "desk", "tool": "void-invoice", "rule": "r"}
    assert refused["row"] is None


def test_each_record_holds_the_hash_of_the_one_before() -> None:
    rows = lived_in_memory().execute(
        "SELECT body, hash FROM billing_audit WHERE tenant = 'acme' ORDER BY sequence"
    )
    before = NOTHING_BEFORE
    for body, stored in rows:
        assert json.loads(body)["previous"] == before
        assert hash_of(body.encode()) == stored
        before = stored


TEXTS = ("tenant", "environment", "operation_id", "body", "hash")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_any_changed_byte_of_any_record_is_found(data: st.DataObject) -> None:
    db = lived_in_memory()
    rows = db.execute("SELECT rowid, * FROM billing_audit ORDER BY rowid").fetchall()
    row = data.draw(st.sampled_from(rows))
    column = data.draw(st.sampled_from(TEXTS))
    stored = dict(zip(("rowid", *_names(db, "billing_audit")), row, strict=True))[column]
    assume(stored is not None)
    changed = bytearray(stored.encode())
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] ^= data.draw(st.integers(1, 255))
    assert _found(db, "billing_audit", column, row[0], bytes(changed))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_any_changed_byte_of_any_operation_is_found_but_for_its_lease(
    data: st.DataObject,
) -> None:
    db = lived_in_memory()
    names = _names(db, "billing_operations")
    column = data.draw(st.sampled_from([name for name in names if name != "lease_until"]))
    rows = db.execute("SELECT rowid, * FROM billing_operations").fetchall()
    row = data.draw(st.sampled_from(rows))
    stored = row[1 + names.index(column)]
    if isinstance(stored, str):
        changed = bytearray(stored.encode())
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
        assert _found(db, "billing_operations", column, row[0], bytes(changed))
    else:
        other = data.draw(st.none() | st.integers(-(2**63), 2**63 - 1) | st.just("text"))
        not_null = ("created_at", "updated_at", "retryable", "attempt", "sequence")
        assume(other != stored and not (other is None and column in not_null))
        assert _found(db, "billing_operations", column, row[0], other)


def _names(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def _found(db: sqlite3.Connection, table: str, column: str, rowid: int, value: Any) -> list[str]:
    """What is found when one value of one row is another; bytes are put in as text."""
    place = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
    db.execute("BEGIN")
    try:
        db.execute(f"UPDATE {table} SET {column} = {place} WHERE rowid = ?", (value, rowid))
        return [finding for verdict in _run(db, ()) for finding in verdict.findings]
    finally:
        db.execute("ROLLBACK")


COPY = "SELECT tenant, environment, 12, operation_id, body, hash"
HERE = "WHERE tenant = 'acme' AND sequence"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ((f"DELETE FROM billing_audit {HERE} = 5",), "record 5 is missing; 6 is in its place"),
        ((f"DELETE FROM billing_audit {HERE} = 1",), "record 1 is missing; 2 is in its place"),
        (
            (f"DELETE FROM billing_audit {HERE} = 12",),
            "the chain ends at record 11, and its head says 12",
        ),
        (
            (
                f"UPDATE billing_audit SET sequence = 99 {HERE} = 4",
                f"UPDATE billing_audit SET sequence = 4 {HERE} = 5",
                f"UPDATE billing_audit SET sequence = 5 {HERE} = 99",
            ),
            "record 4 is not filed under what it says of itself",
        ),
        (
            (
                f"UPDATE billing_audit SET sequence = 13 {HERE} = 12",
                f"INSERT INTO billing_audit {COPY} FROM billing_audit {HERE} = 11",
            ),
            "record 12 is not filed under what it says of itself",
        ),
        (
            ("UPDATE billing_audit_heads SET sequence = 11 WHERE tenant = 'acme'",),
            "the chain ends at record 12, and its head says 11",
        ),
        (
            ("UPDATE billing_audit_heads SET hash = 'x' WHERE tenant = 'acme'",),
            "the head does not have the hash of record 12",
        ),
        (
            ("DELETE FROM billing_audit_heads WHERE tenant = 'acme'",),
            "the chain ends at record 12, and its head says None",
        ),
        (
            ("DELETE FROM billing_operations WHERE tenant = 'other'",),
            f"operation {key().id} of record 1 is gone",
        ),
        (
            ("UPDATE billing_operations SET tenant = 'third' WHERE tenant = 'other'",),
            f"operation {key().id} was never recorded",
        ),
        (
            ("UPDATE billing_operations SET seal = 'x', plan = '{}' WHERE seal IS NOT NULL",),
            f"operation {UUID(int=2)} is not as record 9 left it",
        ),
    ],
)
def test_what_was_removed_inserted_or_moved_is_named(
    changes: tuple[str, ...], expected: str
) -> None:
    assert expected in after(lived_in_memory(), *changes)
    assert findings(lived_in_memory()) == []


HASH = f"SELECT hash FROM billing_audit {HERE}"


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [
        (5, ["record 6 does not follow the record before it"]),
        (12, ["the head does not have the hash of record 12"]),
    ],
)
def test_a_record_that_was_rewritten_together_with_its_hash_is_found_by_what_follows(
    sequence: int, expected: list[str]
) -> None:
    db = lived_in_memory()
    body = canonical({**bodies(db)[sequence - 1], "by": "somebody else"}).decode()
    new = f"body = '{body}', hash = '{hash_of(body.encode())}'"
    assert after(db, f"UPDATE billing_audit SET {new} {HERE} = {sequence}") == expected


CUT = (
    "DELETE FROM billing_audit WHERE tenant = 'acme' AND sequence > 10",
    f"UPDATE billing_audit_heads SET sequence = 10, hash = ({HASH} = 10) WHERE tenant = 'acme'",
)


def test_a_tail_cut_off_together_with_its_head_is_found_by_the_rows_it_moved() -> None:
    assert after(lived_in_memory(), *CUT) == [
        f"operation {UUID(int=3)} is not as record 10 left it"
    ]


def test_what_can_be_rewritten_whole_is_found_only_by_a_head_kept_elsewhere() -> None:
    """A refusal at the end of the chain moved no row; whoever writes all tables can take it out."""
    db = lived_in_memory()
    (kept,) = [verdict for verdict in verdicts(db) if verdict.partition == ACME]
    cut = (
        "DELETE FROM billing_audit WHERE tenant = 'acme' AND sequence > 11",
        CUT[1].replace("= 10", "= 11"),
    )
    assert after(db, *cut) == []
    head = Head(ACME, 12, kept.head)
    gone = "record 12, whose hash was kept elsewhere, is gone"
    assert after(db, *cut, known=[head]) == [gone]
    other = "record 12 is not the one whose hash was kept elsewhere"
    assert findings(db, replace(head, hash="0" * 64)) == [other]
    assert findings(db, head) == []


def test_a_partition_that_lost_everything_is_missed_where_its_head_was_kept() -> None:
    head = Head(Partition("gone", "live"), 3, "0" * 64)
    assert findings(lived_in_memory(), head) == [
        "the chain ends at record 0, and its head says None",
        "record 3, whose hash was kept elsewhere, is gone",
    ]


@pytest.mark.anyio
async def test_a_plan_row_that_was_changed_in_the_database_is_not_committed() -> None:
    ledger = await SqliteLedger.open(None, Clock())
    await ledger.plan(grant(), Plan({"effect": "50"}, NOON + HOUR))
    later = "UPDATE billing_operations SET expires_at = expires_at + 1"
    ledger._db.execute(later)
    answer = await ledger.take_plan(grant(), LEASE)
    assert getattr(answer, "why", None) == "altered"
    (verdict,) = await ledger.verify()
    assert verdict.findings == (f"operation {key().id} is not as record 1 left it",)
    await ledger.close()


@pytest.mark.anyio
async def test_a_long_audit_is_verified_batch_by_batch(ledger: StoredLedger) -> None:
    for number in range(501):
        await ledger.note(Note(ACME, "refused", "agent", facts={"number": Decimal(number)}))
    (verdict,) = await ledger.verify()
    assert (verdict.records, verdict.findings) == (501, ())


def test_a_damaged_chain_has_a_bounded_report() -> None:
    changes = ("UPDATE billing_audit SET body = '{}' WHERE tenant = 'acme'",)
    assert 12 < len(after(lived_in_memory(), *changes)) <= 50
