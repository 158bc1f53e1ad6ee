"""The audit: an append-only chain of hashes over everything that was asked, refused and done.

Each partition has a chain. A record is canonical JSON that holds its number and the hash of the
record before it; its own hash is SHA-256 of that JSON. The head (number and hash of the last
record) stands in a table of its own, and every operation's row names its latest record, which in
turn holds a digest of the row. So `verify` finds, by naming the record or the operation:

- a record that was changed, in whatever byte, removed, inserted, or put in another order;
- a tail that was cut off, by the head and by the rows that name records of the tail;
- an operation's row that was changed (its lease aside), removed, or slipped in.

What it cannot find alone: whoever may write every table can write a consistent history anew, or
put back an older copy of the whole database. There is no secret in the chain, on purpose: it could
only lie beside the database. Against that the heads are to be kept where the writer of the database
cannot reach (`Ledger.heads`, printed or sent elsewhere); `verify` given such heads finds every
rewriting of what was before them. What was never recorded cannot be missed, either: the spent sums
and the leases are not covered, and a record says what this server believed, not what a vendor did.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from billing_mcp import money
from billing_mcp.guard.arguments import canonical
from billing_mcp.guard.ledger import Head, Verdict
from billing_mcp.guard.operations import Partition

# What the first record has before it.
NOTHING_BEFORE = "0" * 64
# A chain broken at its start has a finding for every record; a person needs the first ones.
MOST_FINDINGS = 50


@dataclass(frozen=True, slots=True)
class Record:
    partition: Partition
    sequence: int
    operation_id: str | None
    body: str
    hash: str

    @property
    def head(self) -> Head:
        return Head(self.partition, self.sequence, self.hash)


@dataclass(frozen=True, slots=True)
class Entry:
    """What there is to record; its place in the chain comes from the head.

    `row` is the digest of the operation's row after it, None when it moved none.
    """

    event: str
    at: datetime
    by: str | None = None
    operation_id: str | None = None
    row: str | None = None
    facts: Mapping[str, Any] | None = None


def hash_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def record(head: Head, entry: Entry) -> Record:
    """The record that comes after `head`."""
    partition = head.partition
    values = {
        "sequence": head.sequence + 1,
        "previous": head.hash,
        "tenant": partition.tenant,
        "environment": partition.environment,
        "at": entry.at.isoformat(timespec="microseconds"),
        "event": entry.event,
        "by": entry.by,
        "operationId": entry.operation_id,
        "row": entry.row,
        "facts": {k: v for k, v in (entry.facts or {}).items() if v is not None},
    }
    body = canonical(values)
    return Record(partition, head.sequence + 1, entry.operation_id, body.decode(), hash_of(body))


@dataclass(slots=True)
class Examination:
    """The audit of one partition, held to itself record by record and then to the rows."""

    partition: Partition
    known: Sequence[Head] = ()
    findings: list[str] = field(default_factory=list)
    records: int = 0
    _last: str = NOTHING_BEFORE
    _last_sequence: int = 0
    # The digest that each operation's row must have, by its id, and the record that says so.
    _rows: dict[str, tuple[int, str]] = field(default_factory=dict)

    def find(self, finding: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    def record(self, row: Sequence[Any]) -> None:
        """`row` is tenant, environment, number, operation id, body and hash, as they are stored,
        bytes that are no text as `surrogateescape` writes them."""
        self.records += 1
        tenant, environment, sequence, operation_id, body, stored_hash = row
        expected = self._last_sequence + 1
        if sequence != expected:
            self.find(f"record {expected} is missing; {sequence} is in its place")
        found = hash_of(_bytes(body))
        if found != stored_hash or not isinstance(body, str):
            self.find(f"record {sequence} does not match its hash")
        values = _values(body)
        if values is None:
            self.find(f"record {sequence} cannot be read")
        else:
            names = ("tenant", "environment", "sequence", "operationId")
            filed = (tenant, environment, sequence, operation_id)
            if tuple(values.get(name) for name in names) != filed:
                self.find(f"record {sequence} is not filed under what it says of itself")
            if values.get("previous") != self._last:
                self.find(f"record {sequence} does not follow the record before it")
            self._expect_row(sequence, values)
        for head in self.known:
            if head.sequence == sequence and head.hash != found:
                self.find(f"record {sequence} is not the one whose hash was kept elsewhere")
        self._last, self._last_sequence = found, sequence

    def _expect_row(self, sequence: int, values: Mapping[str, Any]) -> None:
        operation_id, row = values.get("operationId"), values.get("row")
        if isinstance(operation_id, str) and isinstance(row, str):
            self._rows[operation_id] = (sequence, row)

    def head(self, sequence: int | None, stored_hash: str | None) -> None:
        if (sequence, stored_hash) != (self._last_sequence, self._last):
            self.find(
                f"the chain ends at record {self._last_sequence}, and its head says {sequence}"
                if sequence != self._last_sequence
                else f"the head does not have the hash of record {sequence}"
            )
        for head in self.known:
            if head.sequence > self._last_sequence:
                self.find(f"record {head.sequence}, whose hash was kept elsewhere, is gone")

    def operation(self, operation_id: str, sequence: int, row: str) -> None:
        """`row` is the digest of the row as it is stored."""
        expected = self._rows.pop(operation_id, None)
        if expected is None:
            self.find(f"operation {operation_id} was never recorded")
        elif expected != (sequence, row):
            self.find(f"operation {operation_id} is not as record {expected[0]} left it")

    def verdict(self) -> Verdict:
        for operation_id, (sequence, _) in self._rows.items():
            self.find(f"operation {operation_id} of record {sequence} is gone")
        return Verdict(self.partition, self.records, self._last, tuple(self.findings))


def _bytes(body: object) -> bytes:
    return str(body).encode("utf-8", "surrogateescape")


def _values(body: object) -> Mapping[str, Any] | None:
    try:
        values = money.from_json(str(body))
    except ValueError:
        return None
    return values if isinstance(values, Mapping) else None
