"""Which plans wait for people, and who may say yes or no to one."""

from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from billing_mcp import approvals, errors
from billing_mcp.config import Settings
from billing_mcp.credentials import Environment
from billing_mcp.guard.ledger import Claimed
from billing_mcp.guard.operations import Operation, Settlement, State
from billing_mcp.guard.sqlite_ledger import SqliteLedger
from billing_mcp.tenants import Tenant
from guard.guarded import Time
from guard.ledgers import LEASE, grant
from guard.waiting import AN_HOUR, in_file, live, opened, planned, uuid

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
PLACED: list[tuple[int, Environment]] = [(3, "live"), (1, "vendor-sandbox"), (2, "live")]


def made_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def answered(verb: str, tenant: Tenant, by: str = "ann") -> Awaitable[Operation]:
    if verb == "approve":
        return approvals.approve(tenant, uuid(1), by, identified=True)
    return approvals.deny(tenant, uuid(1), by, "")


async def test_plans_that_wait_are_listed_oldest_first_whatever_environment_they_are_of(
    tmp_path: Path,
) -> None:
    time = Time()
    settings = Settings(tenants=(live(),), data_home=tmp_path)
    async with opened(settings, time) as tenant:
        for number, environment in PLACED:
            await planned(tenant, number, environment=environment)
            time.pass_by(MINUTE)
        waiting = await approvals.pending(tenant)
    assert [row.id for row in waiting] == [uuid(3), uuid(1), uuid(2)]


async def test_what_waits_for_nobody_is_not_listed(tmp_path: Path) -> None:
    time = Time()
    async with opened(in_file(tmp_path), time) as tenant:
        await planned(tenant, 1)
        time.pass_by(AN_HOUR - MINUTE)
        for number, needed in ((2, 0), (3, 1), (4, 1), (5, 2)):
            await planned(tenant, number, needed)
        await approvals.approve(tenant, uuid(3), "ann", identified=True)
        await approvals.deny(tenant, uuid(4), "ann", "no")
        await approvals.approve(tenant, uuid(5), "ann", identified=True)
        before = [row.id for row in await approvals.pending(tenant)]
        time.pass_by(MINUTE)
        after = [row.id for row in await approvals.pending(tenant)]
    # 1 expires, 2 needs nobody, 3 and 4 are decided, 5 has one of two.
    assert before == [uuid(1), uuid(5)]
    assert after == [uuid(5)]


async def test_more_plans_than_a_page_of_the_ledger_are_all_listed() -> None:
    async with opened(Settings()) as tenant:
        for number in range(1, 502):
            await planned(tenant, number)
        waiting = await approvals.pending(tenant)
    assert {row.id for row in waiting} == {uuid(number) for number in range(1, 502)}


async def test_looking_makes_no_ledger_where_nothing_was_written(tmp_path: Path) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        assert await approvals.pending(tenant) == []
        with pytest.raises(errors.NotFound, match=f"no plan {uuid(1)}"):
            await approvals.find(tenant, uuid(1))
    assert made_in(tmp_path) == []


async def test_plans_in_memory_are_found_by_the_process_that_made_them() -> None:
    async with opened(Settings()) as tenant:
        await planned(tenant)
        assert [row.id for row in await approvals.pending(tenant)] == [uuid(1)]
        row = await approvals.approve(tenant, uuid(1), "local", identified=False)
    assert row.state is State.APPROVED


async def test_an_id_is_understood_in_every_spelling_of_a_uuid(tmp_path: Path) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        await planned(tenant, 0xABCDEF)
        found = await approvals.find(tenant, uuid(0xABCDEF).upper())
    assert found.id == uuid(0xABCDEF)


async def test_what_is_no_uuid_is_refused_and_quoted_without_control_characters() -> None:
    async with opened(Settings()) as tenant:
        with pytest.raises(errors.InvalidRequest) as refused:
            await approvals.find(tenant, "a\x1b[2Jb")
    assert refused.value.message == '"a [2Jb" is not the id of a plan, which is a UUID.'


async def test_one_approval_may_be_the_askers_own_and_is_given_once(tmp_path: Path) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        asked = await planned(tenant, principal="ann")
        row = await approvals.approve(tenant, asked.id, "ann", identified=False)
        with pytest.raises(errors.NotPermitted, match="You have approved plan"):
            await approvals.approve(tenant, asked.id, "ann", identified=False)
    assert [approval.by for approval in row.approvals] == ["ann"]
    assert row.state is State.APPROVED


async def test_two_have_to_be_two_people_and_neither_the_asker(tmp_path: Path) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        asked = await planned(tenant, approvals=2, principal="ann")
        with pytest.raises(errors.NotPermitted, match="two others have to agree"):
            await approvals.approve(tenant, asked.id, "ann", identified=True)
        first = await approvals.approve(tenant, asked.id, "bob", identified=True)
        with pytest.raises(errors.NotPermitted, match="two others have to agree"):
            await approvals.approve(tenant, asked.id, "bob", identified=True)
        second = await approvals.approve(tenant, asked.id, "cem", identified=True)
    assert (first.state, second.state) == (State.PLANNED, State.APPROVED)
    assert [approval.by for approval in second.approvals] == ["bob", "cem"]


async def test_whoever_is_not_proven_is_neither_the_first_nor_the_second_of_two(
    tmp_path: Path,
) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        asked = await planned(tenant, approvals=2, principal="ann")
        for _ in range(2):
            with pytest.raises(errors.NotPermitted) as refused:
                await approvals.approve(tenant, asked.id, "terminal:bob", identified=False)
            await approvals.approve(tenant, asked.id, f"by{_}", identified=True)
    assert "/approvals" in (refused.value.next_step or "")
    assert "billing:approve" in (refused.value.next_step or "")


async def test_a_denied_plan_takes_no_yes_and_says_who_denied_it_and_why(tmp_path: Path) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        await planned(tenant)
        row = await approvals.deny(tenant, uuid(1), "bob", "not\n  this month")
        for verb in ("approve", "deny"):
            with pytest.raises(errors.Conflict) as refused:
                await answered(verb, tenant)
            assert refused.value.message == (
                f'Plan {uuid(1)} was denied by bob: "not   this month".'
            )
    assert row.denial is not None
    assert (row.state, row.denial.by) == (State.DENIED, "bob")


async def test_a_reason_is_cut_to_what_is_kept(tmp_path: Path) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        await planned(tenant)
        row = await approvals.deny(tenant, uuid(1), "bob", "a" * 400)
    assert row.denial is not None
    assert row.denial.why == "a" * 299 + "…"


async def test_an_approved_plan_can_still_be_denied(tmp_path: Path) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        await planned(tenant)
        await approvals.approve(tenant, uuid(1), "ann", identified=False)
        row = await approvals.deny(tenant, uuid(1), "bob", "")
        with pytest.raises(errors.Conflict, match=r"was denied by bob\."):
            await approvals.deny(tenant, uuid(1), "ann", "")
    assert row.state is State.DENIED


@pytest.mark.parametrize("verb", ["approve", "deny"])
async def test_an_expired_plan_takes_neither_yes_nor_no(verb: str, tmp_path: Path) -> None:
    time = Time()
    async with opened(in_file(tmp_path), time) as tenant:
        await planned(tenant)
        time.pass_by(AN_HOUR)
        with pytest.raises(errors.Conflict) as refused:
            await answered(verb, tenant)
        row = await approvals.find(tenant, uuid(1))
    # An hour after noon of the day that the clock stands at.
    assert refused.value.message == f"Plan {uuid(1)} expired at 2026-11-21T13:00:00Z."
    assert "new plan" in (refused.value.next_step or "")
    assert row.state is State.EXPIRED


async def test_what_ran_is_past_every_yes_and_no(tmp_path: Path) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        await planned(tenant)
        await approvals.approve(tenant, uuid(1), "ann", identified=False)
        gate = await tenant.ledgers.gate("sandbox")
        taken = await gate.ledger.take_plan(grant(uuid(1), partition=gate.partition), LEASE)
        assert isinstance(taken, Claimed)
        await gate.ledger.sent(taken.operation.hold)
        await gate.ledger.settle(taken.operation.hold, Settlement(State.COMMITTED))
        with pytest.raises(errors.Conflict, match="is committed already"):
            await approvals.approve(tenant, uuid(1), "bob", identified=False)
        with pytest.raises(errors.Conflict, match="is committed already"):
            await approvals.deny(tenant, uuid(1), "bob", "")


async def test_a_write_that_ran_without_a_plan_is_not_one_that_waits(tmp_path: Path) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        gate = await tenant.ledgers.gate("sandbox")
        await gate.ledger.claim(grant(uuid(1), partition=gate.partition), LEASE)
        with pytest.raises(errors.NotFound, match="not a plan that waits: it is claimed"):
            await approvals.approve(tenant, uuid(1), "ann", identified=True)
        with pytest.raises(errors.NotFound, match="not a plan that waits"):
            await approvals.deny(tenant, uuid(1), "ann", "")


async def test_a_tenant_cannot_find_the_plans_of_another_in_the_same_ledger(
    tmp_path: Path,
) -> None:
    shared = SecretStr(str(tmp_path / "ledger"))
    one = Settings(tenants=(live("acme"),), ledger_url=shared)
    other = Settings(tenants=(live("trial"),), ledger_url=shared)
    async with opened(one) as acme, opened(other) as trial:
        await planned(acme, environment="live")
        assert await approvals.pending(trial) == []
        for decide in (
            approvals.find(trial, uuid(1)),
            approvals.approve(trial, uuid(1), "ann", identified=True),
            approvals.deny(trial, uuid(1), "ann", ""),
        ):
            with pytest.raises(errors.NotFound):
                await decide
        (row,) = await approvals.pending(acme)
    assert row.state is State.PLANNED


async def test_a_ledger_that_cannot_be_used_is_unavailable_and_says_where_to_look(
    tmp_path: Path,
) -> None:
    async with opened(in_file(tmp_path)) as tenant:
        await planned(tenant)
        gate = await tenant.ledgers.gate("sandbox")
        assert isinstance(gate.ledger, SqliteLedger)
        gate.ledger._db.execute("drop table billing_operations")
        for ask in (
            approvals.pending(tenant),
            approvals.find(tenant, uuid(1)),
            approvals.approve(tenant, uuid(1), "ann", identified=True),
            approvals.deny(tenant, uuid(1), "ann", ""),
        ):
            with pytest.raises(errors.Unavailable) as refused:
                await ask
            assert "billing-mcp doctor" in (refused.value.next_step or "")


async def test_a_plan_is_told_to_programs_with_everything_a_person_is_told(
    tmp_path: Path,
) -> None:
    time = Time()
    async with opened(in_file(tmp_path), time) as tenant:
        await planned(tenant, approvals=2, client="Desk", role="support", principal="ann")
        time.pass_by(MINUTE)
        row = await approvals.approve(tenant, uuid(1), "bob", identified=True)
    assert approvals.facts(row) == {
        "operationId": uuid(1),
        "environment": "sandbox",
        "state": "planned",
        "tool": "grant-credit",
        "effect": 'Grants 50.00 USD to account acc-1 ("Harbor").',
        "amount": "50.00",
        "currency": "USD",
        "principal": "ann",
        "client": "Desk",
        "role": "support",
        "why": "It is much.",
        "rule": "roles.a.per_call",
        "approvalsNeeded": 2,
        "approvals": [{"by": "bob", "at": "2026-11-21T12:01:00Z"}],
        "askedAt": "2026-11-21T12:00:00Z",
        "expiresAt": "2026-11-21T13:00:00Z",
        "plan": {
            "tool": "grant-credit",
            "effect": 'Grants 50.00 USD to account acc-1 ("Harbor").',
            "why": "It is much.",
            "rule": "roles.a.per_call",
        },
    }
