"""What a ledger owes its callers: its operations, what each may answer, and how each may fail.

Every method is one transaction: all of it has happened and is durable when the method returns, or
nothing of it. Whatever moves an operation, and whatever is refused, leaves a record in the audit in
that same transaction. A method that is cancelled ends first, so that its effect is never half known
to the database; the caller that was cancelled just does not hear of it.

    LedgerError
    ├── LedgerUnavailable   full, read-only, locked or gone: try later; nothing was changed, unless
    │                       the database went away in the commit itself, when either may be true
    ├── LedgerUnusable      not a ledger of ours, or of another version
    ├── HoldLost            somebody took the operation over, or settled it
    └── IllegalTransition   a defect of the caller: the operation is not in a state for this
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, Protocol

from billing_mcp.guard.operations import (
    Ceiling,
    Filters,
    Hold,
    Key,
    Listing,
    NewOperation,
    Operation,
    Partition,
    Plan,
    Settlement,
    Spent,
)


class LedgerError(Exception):
    """The ledger did not do what it was asked. The message is a sentence for a person."""


class LedgerUnavailable(LedgerError):
    """The database cannot be reached or written now."""


class LedgerUnusable(LedgerError):
    """The database is not a ledger, or one of another version. The message says what to do."""


class HoldLost(LedgerError):
    """The lease was taken over, or the operation settled, before this holder came back."""


class IllegalTransition(LedgerError):
    """The operation is not in a state in which this may happen."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The caller holds the lease; nothing of the write has been sent. It runs the write."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class Replay:
    """Decided before, with the same arguments: answer with the recorded outcome."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class Running:
    """Somebody holds a live lease on it. Wait by `get` until it is decided or the lease ends."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The id belongs to another call: `why` says what differs. Nothing was changed."""

    operation: Operation
    why: Literal["arguments", "tool", "principal"]


@dataclass(frozen=True, slots=True)
class Lapsed:
    """Whoever held it is gone, or did not learn its outcome; the caller now holds it.

    In state `claimed` nothing was sent, and the caller may run the write. In `sent` or `unknown` it
    may have been applied: find out before anything else.
    """

    operation: Operation


@dataclass(frozen=True, slots=True)
class Planned:
    """The id is of a plan, in whatever state. `take_plan` commits it, if anything does."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A ceiling would be passed. No row was made, so the id is free for another day."""

    ceiling: Ceiling
    spent: Spent


@dataclass(frozen=True, slots=True)
class PlanRefused:
    """The plan may not be committed by this call, or may not be approved or denied by `by`.

    "missing": there is no plan of that id; "altered": its row does not match its seal, or the
    arguments are not the plan's; "foreign": somebody else's; "not-approved": too few have agreed;
    "same-person": the approver agreed before, or is the asker where two must agree; "decided": it
    is approved, denied, expired or begun already.
    """

    why: Literal[
        "missing",
        "altered",
        "foreign",
        "expired",
        "denied",
        "not-approved",
        "same-person",
        "decided",
    ]
    operation: Operation | None = None


ClaimAnswer = Claimed | Replay | Running | Mismatch | Lapsed | Planned | Exceeded
TakeAnswer = Claimed | Replay | Running | Lapsed | Exceeded | PlanRefused
PlanAnswer = Planned | Replay | Running | Mismatch


@dataclass(frozen=True, slots=True)
class Head:
    """Where the audit of a partition ends: the number and hash of its last record."""

    partition: Partition
    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the audit that moves no operation: a refusal by the policy, a shadow refusal,
    a question put to a person. `facts` are JSON values and Decimals, without secrets."""

    partition: Partition
    event: str
    principal: str
    client: str | None = None
    operation_id: str | None = None
    tool: str | None = None
    facts: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found. Sound when there are no findings."""

    partition: Partition
    records: int
    head: str
    findings: tuple[str, ...]


class Ledger(Protocol):
    """The store of operations, spent sums and audit. Times come from the clock it was opened
    with; when several processes share one, leases must be longer than their clocks differ."""

    async def claim(self, new: NewOperation, lease: timedelta) -> ClaimAnswer:
        """Insert or inspect, at once. Of any number of callers with one id one gets `Claimed`.

        The spend is reserved with it, within its ceilings; a rejection gives it back, every other
        end keeps it. A rejection marked retryable is claimed anew.
        """
        ...

    async def sent(self, hold: Hold, baseline: Any = None) -> Operation:
        """Before the first byte leaves, with what the vendor has at that time as JSON, if it is
        needed. Raises `HoldLost`: then nothing may be sent."""
        ...

    async def extend(self, hold: Hold, lease: timedelta) -> Operation:
        """Let the lease end `lease` from now. Raises `HoldLost`."""
        ...

    async def settle(self, hold: Hold, settlement: Settlement) -> Operation:
        """Record what it came to; the lease ends. What was never sent can only be rejected.

        Raises `HoldLost` when somebody else has taken it over or settled it; `get` tells how.
        """
        ...

    async def plan(self, new: NewOperation, plan: Plan) -> PlanAnswer:
        """Keep a plan under its seal. The same plan again finds the row that is there."""
        ...

    async def take_plan(
        self, new: NewOperation, lease: timedelta, approvals_needed: int = 0
    ) -> TakeAnswer:
        """Turn a plan into a claim, once. `approvals_needed` can only add to the plan's own."""
        ...

    async def approve(self, key: Key, by: str) -> Planned | PlanRefused:
        """Agree to a plan. Its state becomes `approved` with the last approval it needs.

        Two approvals are of two people, neither of them the asker. One approval may be the
        asker's: who sits at the terminal agrees to what their own assistant asked for.
        """
        ...

    async def deny(self, key: Key, by: str, why: str) -> Planned | PlanRefused:
        """Refuse a plan for good, approved or not, as long as it has not begun."""
        ...

    async def take_over(self, key: Key, lease: timedelta) -> Lapsed | None:
        """For recovery, which has no arguments: as `claim` of a lapsed row, None of any other."""
        ...

    async def note(self, note: Note) -> None:
        """Add a record to the audit."""
        ...

    async def get(self, key: Key) -> Operation | None: ...

    async def list(
        self, partition: Partition, filters: Filters, size: int = 50, after: str | None = None
    ) -> Listing:
        """Newest first. `after` is the `next` of the page before; raises `ValueError` otherwise."""
        ...

    async def expired_leases(
        self, partition: Partition, limit: int = 100, after: Operation | None = None
    ) -> Sequence[Operation]:
        """Begun, not decided, and held by nobody; oldest first. An `unknown` row is among them.

        `after` is the last row of the page before. The order is that of making, which nothing
        changes: whoever takes rows over and leaves them open still meets each of them once.
        """
        ...

    async def spent(
        self, partition: Partition, customer: str | None, role: str, currency: str, day: date
    ) -> Spent: ...

    async def purge(self, before: datetime, limit: int = 1000) -> int:
        """Empty decided operations and dead plans last touched before then; how many it were.

        An emptied row keeps its key, fingerprint and state: its id never runs again. The audit is
        not purged. Call again until it answers 0.
        """
        ...

    async def heads(self) -> Sequence[Head]:
        """Where every partition's audit ends. Kept elsewhere, `verify` holds the audit to them."""
        ...

    async def verify(self, known: Sequence[Head] = ()) -> Sequence[Verdict]:
        """Recompute the audit of every partition; see `audit.py` for what is found and what not."""
        ...

    async def close(self) -> None: ...
