"""The states of an operation and every step between them: pure, without a clock or a database.

Each function is given what is there and answers with what to change. A store runs it between
locking the partition and committing, so that what it saw still holds when its change is durable.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar

from billing_mcp.guard.arguments import seal_of
from billing_mcp.guard.ledger import (
    ClaimAnswer,
    Claimed,
    Exceeded,
    HoldLost,
    IllegalTransition,
    Lapsed,
    Mismatch,
    PlanAnswer,
    Planned,
    PlanRefused,
    Replay,
    Running,
    TakeAnswer,
)
from billing_mcp.guard.operations import (
    DECIDED,
    OF_A_PLAN,
    OPEN,
    Approval,
    Denial,
    Hold,
    NewOperation,
    Operation,
    Plan,
    Settlement,
    Spend,
    Spent,
    State,
    added,
)

Answer_co = TypeVar("Answer_co", covariant=True)
NOTHING_SPENT = Spent(Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Present:
    """What a transition sees: the row if there is one, what was spent, and the record to come."""

    now: datetime
    next_sequence: int
    row: Operation | None
    spent: Spent = NOTHING_SPENT


@dataclass(frozen=True, slots=True)
class Change(Generic[Answer_co]):
    """What a transition does. Without an event nothing is recorded in the audit.

    `row` replaces the row. `moved` is added to what its customer and role have spent that day.
    """

    answer: Answer_co
    event: str | None = None
    by: str | None = None
    facts: dict[str, Any] | None = None
    row: Operation | None = None
    moved: Decimal = Decimal(0)


def claim(present: Present, new: NewOperation, lease: timedelta) -> Change[ClaimAnswer]:
    row = present.row
    if row is None:
        return _claimed(present, _fresh(present, new), new, lease)
    if (differs := _differs(row, new)) is not None:
        facts = {"why": differs, **_asked(new)}
        return Change(Mismatch(row, differs), "mismatched", new.principal, facts)
    if row.state in OF_A_PLAN:
        return Change(Planned(row))
    return _begun(present, row, new, lease)


def take_plan(
    present: Present, new: NewOperation, lease: timedelta, approvals_needed: int
) -> Change[TakeAnswer]:
    row = present.row
    if row is None or (row.plan is None and row.forgotten_at is None):
        return _refused(PlanRefused("missing", row), new.principal)
    if row.principal != new.principal:
        return _refused(PlanRefused("foreign", row), new.principal)
    if _differs(row, new) is not None:
        return _refused(PlanRefused("altered", row), new.principal)
    if row.state not in OF_A_PLAN:
        return _begun(present, row, new, lease)
    if row.state is State.DENIED:
        return _refused(PlanRefused("denied", row), new.principal)
    if row.state is State.EXPIRED or row.has_expired(present.now):
        return _expired(present, row, new.principal)
    assert row.plan is not None
    if _seal(row, row.plan) != row.seal:
        return _refused(PlanRefused("altered", row), new.principal)
    needed = max(approvals_needed, row.plan.approvals_needed)
    agreed = [approval for approval in row.approvals if approval.counts(needed, row.principal)]
    if len(agreed) < needed:
        return _refused(PlanRefused("not-approved", row), new.principal)
    return _claimed(present, row, new, lease)


def plan(present: Present, new: NewOperation, shown: Plan) -> Change[PlanAnswer]:
    row = present.row
    if row is not None:
        if (differs := _differs(row, new)) is not None:
            facts = {"why": differs, **_asked(new)}
            return Change(Mismatch(row, differs), "mismatched", new.principal, facts)
        if row.state in OF_A_PLAN:
            return Change(Planned(row))
        return Change(Replay(row) if row.state in DECIDED else Running(row))
    spend = new.spend
    row = replace(
        _fresh(present, new),
        state=State.PLANNED,
        plan=shown,
        amount=None if spend is None else spend.amount,
        currency=None if spend is None else spend.currency,
    )
    row = replace(row, seal=_seal(row, shown))
    facts = {
        **_asked(new),
        "plan": dict(shown.shown),
        "expires": shown.expires_at.isoformat(),
        "approvalsNeeded": shown.approvals_needed,
        "seal": row.seal,
    }
    return Change(Planned(row), "planned", new.principal, facts, row)


def approve(present: Present, by: str) -> Change[Planned | PlanRefused]:
    row = present.row
    if row is None or row.plan is None:
        return _refused(PlanRefused("missing", row), by)
    if row.state is State.DENIED:
        return _refused(PlanRefused("denied", row), by)
    if row.state not in OF_A_PLAN:
        return _refused(PlanRefused("decided", row), by)
    if row.state is State.EXPIRED or row.has_expired(present.now):
        return _expired(present, row, by)
    if _seal(row, row.plan) != row.seal:
        # Nobody agrees to what the asker did not ask for.
        return _refused(PlanRefused("altered", row), by)
    needed = row.plan.approvals_needed
    if any(approval.by == by for approval in row.approvals) or (
        needed >= 2 and by == row.principal
    ):
        return _refused(PlanRefused("same-person", row), by)
    approvals = (*row.approvals, Approval(by, present.now))
    state = State.APPROVED if len(approvals) >= needed else State.PLANNED
    row = _moved(present, row, state=state, approvals=approvals)
    facts = {"approvals": len(approvals), "approvalsNeeded": needed, "seal": row.seal}
    return Change(Planned(row), "approved", by, facts, row)


def deny(present: Present, by: str, why: str) -> Change[Planned | PlanRefused]:
    row = present.row
    if row is None or row.plan is None:
        return _refused(PlanRefused("missing", row), by)
    if row.state not in {State.PLANNED, State.APPROVED}:
        return _refused(PlanRefused("decided", row), by)
    if row.has_expired(present.now):
        return _expired(present, row, by)
    row = _moved(present, row, state=State.DENIED, denial=Denial(by, present.now, why))
    return Change(Planned(row), "denied", by, {"why": why, "seal": row.seal}, row)


def take_over(present: Present, lease: timedelta) -> Change[Lapsed | None]:
    row = present.row
    if row is None or row.state not in OPEN or row.is_leased(present.now):
        return Change(None)
    return _lapsed(present, row, lease, None)


def sent(present: Present, hold: Hold, baseline: Any) -> Change[Operation]:
    row = _held(present, hold)
    if not row.is_leased(present.now):
        # Somebody may take it over at any moment, and would then look for an effect too early.
        raise HoldLost(f"The lease on operation {row.id} ended before its request was sent.")
    row = _moved(present, row, state=State.SENT, sent_at=present.now, baseline=baseline)
    return Change(row, "sent", None, {"attempt": row.attempt}, row)


def extend(present: Present, hold: Hold, lease: timedelta) -> Change[Operation]:
    row = replace(_held(present, hold), lease_until=present.now + lease)
    return Change(row, row=row)


def settle(present: Present, hold: Hold, settlement: Settlement) -> Change[Operation]:
    row = _held(present, hold)
    if row.state is State.CLAIMED and settlement.state is not State.REJECTED:
        raise IllegalTransition(
            f"Operation {row.id} was never sent, so that it cannot be {settlement.state}."
        )
    rejected = settlement.state is State.REJECTED
    moved = row.amount.copy_negate() if rejected and row.amount is not None else Decimal(0)
    row = _moved(
        present,
        row,
        state=settlement.state,
        outcome=settlement.outcome,
        vendor_request_ids=(*row.vendor_request_ids, *settlement.vendor_request_ids),
        retryable=settlement.retryable,
        settled_at=None if settlement.state is State.UNKNOWN else present.now,
        lease_until=None,
    )
    facts: dict[str, Any] = {
        "summary": settlement.summary,
        "vendorRequestIds": list(settlement.vendor_request_ids),
        "retryable": settlement.retryable,
    }
    return Change(row, str(settlement.state), None, facts, row, moved)


def forget(present: Present, before: datetime) -> Change[bool]:
    """Empty a row that retention no longer keeps: what it says, not that it was."""
    row = present.row
    if row is None or row.forgotten_at is not None or row.updated_at >= before:
        return Change(answer=False)
    state = row.state
    if state in {State.PLANNED, State.APPROVED}:
        if not row.has_expired(present.now):
            return Change(answer=False)
        state = State.EXPIRED
    elif state in OPEN:
        return Change(answer=False)
    row = replace(
        row,
        state=state,
        arguments={},
        client=None,
        purpose=None,
        plan=None,
        approvals=(),
        denial=None,
        outcome=None,
        baseline=None,
        retryable=False,
        vendor_request_ids=(),
        forgotten_at=present.now,
        sequence=present.next_sequence,
    )
    return Change(True, "forgotten", None, {"state": str(state)}, row)


def _begun(
    present: Present, row: Operation, new: NewOperation, lease: timedelta
) -> Change[Claimed | Replay | Running | Lapsed | Exceeded]:
    """The same call again, of an operation that has begun."""
    if row.state in OPEN:
        if row.is_leased(present.now):
            return Change(Running(row), "waiting", new.principal, {"client": new.client})
        return _lapsed(present, row, lease, new.principal)
    # Its spend was given back, so that only a call which says what it spends may run it again.
    says_spend = row.amount is None or new.spend is not None
    if row.retryable and says_spend and not row.has_expired(present.now):
        return _claimed(present, row, new, lease)
    return Change(Replay(row), "replayed", new.principal, {"state": str(row.state)})


def _claimed(
    present: Present, row: Operation, new: NewOperation, lease: timedelta
) -> Change[Claimed | Exceeded]:
    spend = new.spend
    if spend is not None and (passed := _passed(spend, present.spent)) is not None:
        facts = {**_asked(new), "ceiling": passed.ceiling.rule, "limit": passed.ceiling.limit}
        return Change(passed, "exceeded", new.principal, facts)
    row = _moved(
        present,
        row,
        state=State.CLAIMED,
        client=new.client,
        role=new.role if spend is None else spend.role,
        customer=new.customer if spend is None else spend.customer,
        rule=new.rule,
        amount=None if spend is None else spend.amount,
        currency=None if spend is None else spend.currency,
        day=None if spend is None else spend.day,
        attempt=row.attempt + 1,
        lease_until=present.now + lease,
        sent_at=None,
        baseline=None,
        settled_at=None,
        outcome=None,
        retryable=False,
    )
    facts = {**_asked(new), "attempt": row.attempt, "approvals": [a.by for a in row.approvals]}
    moved = Decimal(0) if spend is None else spend.amount
    return Change(Claimed(row), "claimed", new.principal, facts, row, moved)


def _lapsed(present: Present, row: Operation, lease: timedelta, by: str | None) -> Change[Lapsed]:
    before = row.attempt
    row = _moved(present, row, attempt=before + 1, lease_until=present.now + lease)
    facts = {"state": str(row.state), "attempt": row.attempt}
    return Change(Lapsed(row), "taken-over", by, facts, row)


def _passed(spend: Spend, spent: Spent) -> Exceeded | None:
    """The first ceiling that the spend would pass; to reach it exactly is allowed."""
    for ceiling in spend.ceilings:
        before = spent.customer if ceiling.per == "customer" else spent.role
        if added(before, spend.amount) > ceiling.limit:
            return Exceeded(ceiling, spent)
    return None


def _expired(present: Present, row: Operation, by: str) -> Change[PlanRefused]:
    if row.state is State.EXPIRED:
        return _refused(PlanRefused("expired", row), by)
    row = _moved(present, row, state=State.EXPIRED)
    return Change(PlanRefused("expired", row), "expired", by, {"seal": row.seal}, row)


def _refused(answer: PlanRefused, by: str) -> Change[PlanRefused]:
    return Change(answer, "plan-refused", by, {"why": answer.why})


def _seal(row: Operation, plan: Plan) -> str:
    agreed = {
        "tool": row.tool,
        "arguments": row.arguments,
        "amount": row.amount,
        "currency": row.currency,
        "shown": plan.shown,
        "approvalsNeeded": plan.approvals_needed,
    }
    return seal_of(row.fingerprint, row.principal, plan.expires_at, agreed)


def _held(present: Present, hold: Hold) -> Operation:
    row = present.row
    if row is None or row.attempt != hold.attempt or row.state not in OPEN:
        raise HoldLost(f"Operation {hold.key.id} is no longer held by this call.")
    if row.state is State.UNKNOWN and row.lease_until is None:
        raise HoldLost(f"Operation {hold.key.id} was settled as unknown; take it over first.")
    return row


def _moved(present: Present, row: Operation, **changes: Any) -> Operation:
    return replace(row, **changes, updated_at=present.now, sequence=present.next_sequence)


def _differs(row: Operation, new: NewOperation) -> Any:
    if row.principal != new.principal:
        return "principal"
    if row.tool != new.tool:
        return "tool"
    return "arguments" if row.fingerprint != new.fingerprint else None


def _fresh(present: Present, new: NewOperation) -> Operation:
    return Operation(
        key=new.key,
        tool=new.tool,
        fingerprint=new.fingerprint,
        arguments=new.arguments,
        principal=new.principal,
        state=State.CLAIMED,
        created_at=present.now,
        updated_at=present.now,
        client=new.client,
        role=new.role,
        target=new.target,
        customer=new.customer,
        purpose=new.purpose,
        rule=new.rule,
        sequence=present.next_sequence,
    )


def _asked(new: NewOperation) -> dict[str, Any]:
    """Who asks for what, as the audit keeps it."""
    spend = new.spend
    return {
        "client": new.client,
        "tool": new.tool,
        "fingerprint": new.fingerprint,
        "arguments": new.arguments,
        "role": new.role,
        "target": new.target,
        "customer": new.customer if spend is None else spend.customer,
        "purpose": new.purpose,
        "rule": new.rule,
        "amount": None if spend is None else spend.amount,
        "currency": None if spend is None else spend.currency,
    }
