"""Plans in the ledger: sealed, approved by the right people, committed once, on each database."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import anyio
import pytest

from billing_mcp.guard.ledger import (
    Claimed,
    Exceeded,
    Lapsed,
    Mismatch,
    Planned,
    PlanRefused,
    Replay,
    Running,
)
from billing_mcp.guard.operations import NewOperation, Plan, Settlement, Spent, State
from billing_mcp.guard.stored_ledger import StoredLedger
from guard.ledgers import ACME, LEASE, NOON, TODAY, Clock, Database, a_day, grant, key

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


def shown(approvals: int = 0) -> Plan:
    return Plan({"effect": "50 USD for Acme", "after": Decimal("70.00")}, NOON + HOUR, approvals)


async def planned(ledger: StoredLedger, approvals: int = 0, **more: Any) -> NewOperation:
    new = grant(**more)
    answer = await ledger.plan(new, shown(approvals))
    assert isinstance(answer, Planned), answer
    return new


async def why(ledger: StoredLedger, new: NewOperation, approvals: int = 0) -> str | None:
    """Why a plan is not committed; None when it is."""
    answer = await ledger.take_plan(new, LEASE, approvals)
    if isinstance(answer, PlanRefused):
        return answer.why
    assert isinstance(answer, Claimed), answer
    return None


async def test_a_plan_is_kept_as_it_was_shown_and_reserves_nothing(ledger: StoredLedger) -> None:
    await planned(ledger, 1)
    row = await ledger.get(key())
    assert row is not None
    assert row.state is State.PLANNED
    assert row.plan == shown(1)
    spent = await ledger.spent(ACME, "cust-1", "support", "USD", TODAY)
    assert spent == Spent(Decimal(0), Decimal(0))


async def test_a_plan_is_committed_once_and_reserves_then(ledger: StoredLedger) -> None:
    new = await planned(ledger)
    assert isinstance(await ledger.claim(new, LEASE), Planned)
    taken = await ledger.take_plan(new, LEASE)
    assert isinstance(taken, Claimed)
    spent = await ledger.spent(ACME, "cust-1", "support", "USD", TODAY)
    assert spent == Spent(Decimal(50), Decimal(50))
    assert isinstance(await ledger.take_plan(new, LEASE), Running)
    await ledger.sent(taken.operation.hold)
    await ledger.settle(taken.operation.hold, Settlement(State.COMMITTED, {"id": "c"}))
    assert isinstance(await ledger.take_plan(new, LEASE), Replay)
    assert isinstance(await ledger.claim(new, LEASE), Replay)
    assert isinstance(await ledger.plan(new, shown()), Replay)


async def test_the_same_plan_again_finds_the_first_with_its_first_expiry(
    ledger: StoredLedger,
) -> None:
    new = await planned(ledger)
    later = replace(shown(), expires_at=NOON + 5 * HOUR)
    answer = await ledger.plan(new, later)
    assert isinstance(answer, Planned)
    assert answer.operation.plan == shown()


async def test_another_plan_does_not_take_the_place_of_one(ledger: StoredLedger) -> None:
    await planned(ledger)
    answer = await ledger.plan(grant(amount="51"), shown())
    assert isinstance(answer, Mismatch)
    assert answer.why == "arguments"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"amount": "50.01"}, "altered"),
        ({"tool": "void-invoice"}, "altered"),
        ({"principal": "another agent"}, "foreign"),
        ({"operation_id": str(UUID(int=3))}, "missing"),
    ],
)
async def test_only_exactly_the_plan_is_committed(
    ledger: StoredLedger, other: dict[str, Any], reason: str
) -> None:
    new = await planned(ledger)
    assert await why(ledger, grant(**other)) == reason
    assert await why(ledger, new) is None
    assert await why(ledger, grant(**other)) == reason


async def test_what_was_never_a_plan_is_not_committed_as_one(ledger: StoredLedger) -> None:
    await ledger.claim(grant(), LEASE)
    assert await why(ledger, grant()) == "missing"


async def test_a_plan_ends_at_its_expiry_and_for_good(ledger: StoredLedger, clock: Clock) -> None:
    new = await planned(ledger)
    clock.pass_(HOUR)
    assert await why(ledger, new) == "expired"
    clock.now = NOON
    assert await why(ledger, new) == "expired"
    assert await ledger.approve(key(), "ann") == PlanRefused("expired", await ledger.get(key()))


async def test_a_plan_is_committed_until_a_microsecond_before_its_expiry(
    ledger: StoredLedger, clock: Clock
) -> None:
    new = await planned(ledger)
    clock.pass_(HOUR - timedelta(microseconds=1))
    assert await why(ledger, new) is None


async def test_a_plan_that_needs_a_person_waits_for_one(ledger: StoredLedger) -> None:
    new = await planned(ledger, 1)
    assert await why(ledger, new) == "not-approved"
    answer = await ledger.approve(key(), "ann")
    assert isinstance(answer, Planned)
    assert answer.operation.state is State.APPROVED
    assert await why(ledger, new) is None
    assert await ledger.approve(key(), "ben") == PlanRefused("decided", await ledger.get(key()))


async def test_whoever_sits_at_the_terminal_may_approve_what_they_had_asked_for(
    ledger: StoredLedger,
) -> None:
    new = await planned(ledger, 1, principal="local")
    assert isinstance(await ledger.approve(key(), "local"), Planned)
    assert await why(ledger, new) is None


async def test_two_people_are_two_and_neither_is_the_asker(ledger: StoredLedger) -> None:
    new = await planned(ledger, 2)
    for by, reason in (("agent", "same-person"), ("ann", None), ("ann", "same-person")):
        answer = await ledger.approve(key(), by)
        assert (answer.why if isinstance(answer, PlanRefused) else None) == reason
        assert await why(ledger, new) == "not-approved"
    answer = await ledger.approve(key(), "ben")
    assert isinstance(answer, Planned)
    assert answer.operation.state is State.APPROVED
    assert [approval.by for approval in answer.operation.approvals] == ["ann", "ben"]
    assert await why(ledger, new) is None


async def test_a_policy_that_became_stricter_asks_for_more_people_than_the_plan(
    ledger: StoredLedger,
) -> None:
    new = await planned(ledger, 1)
    await ledger.approve(key(), "agent")
    await ledger.approve(key(), "ann")
    assert await why(ledger, new, 2) == "not-approved"
    await ledger.approve(key(), "ben")
    assert await why(ledger, new, 2) is None


async def test_a_plan_that_needs_nobody_is_not_committed_where_the_policy_now_needs_one(
    ledger: StoredLedger,
) -> None:
    new = await planned(ledger)
    assert await why(ledger, new, 1) == "not-approved"


async def test_a_denied_plan_stays_denied(ledger: StoredLedger) -> None:
    new = await planned(ledger, 1)
    await ledger.approve(key(), "ann")
    answer = await ledger.deny(key(), "ben", "the wrong customer")
    assert isinstance(answer, Planned)
    assert answer.operation.denial is not None
    assert answer.operation.denial.why == "the wrong customer"
    assert await why(ledger, new) == "denied"
    row = await ledger.get(key())
    assert await ledger.approve(key(), "cat") == PlanRefused("denied", row)
    assert await ledger.deny(key(), "cat", "again") == PlanRefused("decided", row)


async def test_there_is_nothing_to_approve_or_deny_without_a_plan(ledger: StoredLedger) -> None:
    assert await ledger.approve(key(), "ann") == PlanRefused("missing")
    assert await ledger.deny(key(), "ann", "no") == PlanRefused("missing")
    await ledger.claim(grant(), LEASE)
    row = await ledger.get(key())
    assert await ledger.approve(key(), "ann") == PlanRefused("missing", row)


async def test_a_plan_that_would_pass_a_ceiling_stays_a_plan(ledger: StoredLedger) -> None:
    new = await planned(ledger)
    limited = grant(str(key().id), "50", a_day("49.99"))
    assert isinstance(await ledger.take_plan(limited, LEASE), Exceeded)
    assert await why(ledger, new) is None


async def test_a_committed_plan_whose_server_died_lapses_to_the_next_caller(
    ledger: StoredLedger, clock: Clock
) -> None:
    new = await planned(ledger)
    assert await why(ledger, new) is None
    clock.pass_(LEASE)
    assert isinstance(await ledger.take_plan(new, LEASE), Lapsed)


async def test_a_retryable_rejection_of_a_plan_is_not_run_after_the_plan_expired(
    ledger: StoredLedger, clock: Clock
) -> None:
    new = await planned(ledger)
    taken = await ledger.take_plan(new, LEASE)
    assert isinstance(taken, Claimed)
    await ledger.settle(taken.operation.hold, Settlement(State.REJECTED, retryable=True))
    again = await ledger.take_plan(new, LEASE)
    assert isinstance(again, Claimed)
    await ledger.settle(again.operation.hold, Settlement(State.REJECTED, retryable=True))
    clock.pass_(HOUR)
    assert isinstance(await ledger.take_plan(new, LEASE), Replay)
    assert isinstance(await ledger.claim(new, LEASE), Replay)


async def test_of_many_who_commit_a_plan_at_once_one_does(database: Database) -> None:
    ledger = await database.open()
    new = await planned(ledger)
    answers = []

    async def take() -> None:
        answers.append(type(await ledger.take_plan(new, LEASE)))

    async with anyio.create_task_group() as tasks:
        for _ in range(32):
            tasks.start_soon(take)
    assert sorted(kind.__name__ for kind in answers) == ["Claimed"] + ["Running"] * 31


async def test_retention_empties_dead_plans_and_spares_the_living(
    ledger: StoredLedger, clock: Clock
) -> None:
    await planned(ledger, 1)
    await ledger.plan(grant(str(UUID(int=2))), replace(shown(1), expires_at=NOON + 90 * HOUR))
    clock.pass_(48 * HOUR)
    assert await ledger.purge(clock.now - HOUR) == 1
    assert await why(ledger, grant()) == "expired"
    assert isinstance(await ledger.approve(key(str(UUID(int=2))), "ann"), Planned)
