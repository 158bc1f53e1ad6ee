"""What an operation is: its key, its states, what is asked for, what is kept of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Context, Decimal, Inexact
from enum import StrEnum
from typing import Any, Literal, Self
from uuid import UUID

from billing_mcp.guard.arguments import fingerprint, minimised, storable


class State(StrEnum):
    """Where an operation stands.

    planned → approved | denied | expired;  planned | approved → claimed;
    claimed → sent → committed | partial | rejected | unknown;  unknown → any of the other three.
    """

    PLANNED = "planned"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CLAIMED = "claimed"
    SENT = "sent"
    COMMITTED = "committed"
    PARTIAL = "partial"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


# Still a plan: nothing of it has begun.
OF_A_PLAN = frozenset({State.PLANNED, State.APPROVED, State.DENIED, State.EXPIRED})
# Begun, and what became of it is not yet known.
OPEN = frozenset({State.CLAIMED, State.SENT, State.UNKNOWN})
DECIDED = frozenset({State.COMMITTED, State.PARTIAL, State.REJECTED})

# Wider than any two amounts; were it not, adding them is an error and never a rounding.
_EXACT = Context(prec=4096, traps=[Inexact])


def added(one: Decimal, other: Decimal) -> Decimal:
    return _EXACT.add(one, other)


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """Whose ledger: rows, ceilings and audit of two partitions never touch."""

    tenant: str
    environment: str


@dataclass(frozen=True, slots=True)
class Key:
    """What an operation is found by. `id` is a UUID in its usual spelling."""

    partition: Partition
    id: str

    @classmethod
    def of(cls, tenant: str, environment: str, operation_id: str | UUID) -> Self:
        """Raises `ValueError` when the id is not a UUID."""
        return cls(Partition(tenant, environment), str(UUID(str(operation_id))))


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that may be spent in a day and currency, by the customer or by the role of a
    `Spend`. `rule` is its place in the policy, for whoever is refused by it."""

    per: Literal["customer", "role"]
    limit: Decimal
    rule: str


@dataclass(frozen=True, slots=True)
class Spend:
    """What a write gives away, and the ceilings it must stay within. `day` is a day in UTC.

    The amount counts towards its customer and its role even when no ceiling is given, so that a
    ceiling written later in the day finds the whole sum.
    """

    amount: Decimal
    currency: str
    day: date
    role: str
    customer: str | None = None
    ceilings: tuple[Ceiling, ...] = ()

    def __post_init__(self) -> None:
        # A negative amount would make room under a ceiling.
        if not self.amount.is_finite() or self.amount < 0:
            raise ValueError("a spend is a finite amount of zero or more")


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been spent of a currency in a day, what is still in flight or unknown included."""

    customer: Decimal
    role: Decimal


TERMINAL = "terminal:"
"""What the name of somebody at the command line begins with: who they are is not proven."""


@dataclass(frozen=True, slots=True)
class Approval:
    by: str
    at: datetime

    def counts(self, needed: int, asker: str) -> bool:
        """Whether it is one of those needed. Two have to be two people who are known, and neither
        of them the asker; one may be the asker's own, or that of whoever sits at the terminal."""
        return needed < 2 or (self.by != asker and not self.by.startswith(TERMINAL))


@dataclass(frozen=True, slots=True)
class Denial:
    by: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plan row adds to an operation: what was shown, until when, and who must agree."""

    shown: Mapping[str, Any]
    expires_at: datetime
    approvals_needed: int = 0


@dataclass(frozen=True, slots=True)
class NewOperation:
    """A write that somebody asks for. `arguments` are already minimised; `of` makes one.

    `target` is what the arguments say it is for, an account or an entitlement, `customer` whose day
    its amount counts for. `rule` is the place in the policy that let it pass, `purpose` what the
    caller gave as reason.
    """

    key: Key
    tool: str
    fingerprint: str
    arguments: Mapping[str, Any]
    principal: str
    client: str | None = None
    role: str | None = None
    target: str | None = None
    customer: str | None = None
    purpose: str | None = None
    rule: str | None = None
    spend: Spend | None = None

    def __post_init__(self) -> None:
        # What is compared with a row has to be spelt as the row spells it.
        object.__setattr__(self, "principal", storable(self.principal))

    @classmethod
    def of(
        cls, key: Key, tool: str, arguments: Mapping[str, Any], principal: str, **more: Any
    ) -> Self:
        """From validated arguments, which only their fingerprint and minimised form outlive."""
        return cls(key, tool, fingerprint(tool, arguments), minimised(arguments), principal, **more)


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the ledger.

    `attempt` counts the leases taken on it; only the latest may move it. `retryable` marks a
    rejection that left nothing behind and may pass next time, so that the same id may try again.
    `baseline` is what the vendor had just before it was sent, where that helps to find it again.
    `forgotten_at` is when retention emptied it; the row stays, so that its id never runs again.
    `sequence` is its latest record in the audit.
    """

    key: Key
    tool: str
    fingerprint: str
    arguments: Mapping[str, Any]
    principal: str
    state: State
    created_at: datetime
    updated_at: datetime
    client: str | None = None
    role: str | None = None
    target: str | None = None
    customer: str | None = None
    purpose: str | None = None
    rule: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    day: date | None = None
    attempt: int = 0
    lease_until: datetime | None = None
    sent_at: datetime | None = None
    baseline: Any = None
    settled_at: datetime | None = None
    plan: Plan | None = None
    seal: str | None = None
    approvals: tuple[Approval, ...] = ()
    denial: Denial | None = None
    outcome: Any = None
    vendor_request_ids: tuple[str, ...] = ()
    retryable: bool = False
    forgotten_at: datetime | None = None
    sequence: int = 0

    @property
    def id(self) -> str:
        return self.key.id

    @property
    def hold(self) -> "Hold":
        """What moves this operation, for whoever was answered `Claimed` or `Lapsed`."""
        return Hold(self.key, self.attempt)

    def is_leased(self, now: datetime) -> bool:
        return self.lease_until is not None and self.lease_until > now

    def has_expired(self, now: datetime) -> bool:
        return self.plan is not None and self.plan.expires_at <= now


@dataclass(frozen=True, slots=True)
class Hold:
    """A lease by its number. A holder that was taken over has an older one, and moves nothing."""

    key: Key
    attempt: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a write came to. `outcome` is what a replay answers with: JSON values and Decimals.

    `summary` is for the audit, which outlives the outcome: what happened, without personal data.
    """

    state: State
    outcome: Any = None
    summary: str | None = None
    vendor_request_ids: tuple[str, ...] = ()
    retryable: bool = False

    def __post_init__(self) -> None:
        if self.state not in DECIDED | {State.UNKNOWN}:
            raise ValueError(f"{self.state} is not what a write comes to")
        if self.retryable and self.state is not State.REJECTED:
            raise ValueError("only a rejection may be tried again")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which operations of a partition; everything given must hold. `since` is included, `whose` is
    the target or the customer."""

    states: frozenset[State] = frozenset()
    tool: str | None = None
    whose: str | None = None
    principal: str | None = None
    fingerprint: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Operations, newest first; `next` continues the list and is None at its end."""

    operations: Sequence[Operation] = field(default_factory=tuple)
    next: str | None = None
