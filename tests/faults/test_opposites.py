"""A lost write after which somebody else did the opposite: the end is never taken for the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from mcp.types import CallToolResult

from answers import facts
from faults.company_states import Copied, copied
from faults.ordeals import PASSING, TRIES, kept, striking_writes
from world import OPERATION

pytestmark = pytest.mark.anyio

DECLINED, APPROVED = {"status": "DECLINE"}, {"status": "APPROVE"}
Step = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """What is lost, and what undoes it or forestalls it; the ids are those of `tool`'s good call.

    `begins` is done before, where there has to be something that either can end.
    """

    lost: Step
    opposite: Step
    begins: Step | None = None
    plan_in_force: bool = False

    def step(self, at: Copied, step: Step) -> Step:
        tool, more = step
        call = dict(at.company.calls[self.lost[0]])
        if self.plan_in_force:
            call = {"pricePlanId": at.company.world.plan}
        return tool, call | more


FINALIZED: Step = ("finalize-price-plan", {})
DISCARDED: Step = ("discard-price-plan", {})
IN_FORCE: Step = ("finalize-account-schedules", {})
DROPPED: Step = ("discard-account-schedules", {})
REDRAFTED: Step = ("update-price-plan-v2", {"description": "Other words"})
CONFIRMED: Step = ("confirm-job", {})
REJECTED: Step = ("reject-job", {})
CASES: Mapping[str, Case] = {
    "a plan's first draft finalized": Case(FINALIZED, DISCARDED),
    "a plan's first draft discarded": Case(DISCARDED, FINALIZED),
    "a plan's second draft finalized": Case(FINALIZED, DISCARDED, REDRAFTED, plan_in_force=True),
    "a plan's second draft discarded": Case(DISCARDED, FINALIZED, REDRAFTED, plan_in_force=True),
    "schedules finalized": Case(IN_FORCE, DROPPED),
    "schedules discarded": Case(DROPPED, IN_FORCE),
    "a job confirmed": Case(CONFIRMED, REJECTED),
    "a job rejected": Case(REJECTED, CONFIRMED),
    "a proposal approved": Case(
        ("update-proposal-status", APPROVED), ("update-proposal-status", DECLINED)
    ),
    "a proposal declined": Case(
        ("update-proposal-status", DECLINED), ("update-proposal-status", APPROVED)
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_write_that_never_arrived_is_not_told_done_when_its_opposite_was(name: str) -> None:
    case = CASES[name]
    async with copied() as at:
        await _begin(at, case)
        await _lose(at, case, "reset-before")
        facts(await _do(at, case.step(at, case.opposite)))
        after = kept(at)
        assert await _pursue(at, case) not in {"ok", "outcome-unknown"}
        assert kept(at) == after


@pytest.mark.parametrize("name", CASES)
async def test_a_write_that_was_done_is_told_so_when_its_opposite_came_too_late(name: str) -> None:
    case = CASES[name]
    async with copied() as at:
        await _begin(at, case)
        await _lose(at, case, "reset-after")
        after = kept(at)
        late = await _do(at, case.step(at, case.opposite))
        assert isinstance(late, CallToolResult)
        assert late.is_error
        assert await _pursue(at, case) == "ok"
        assert kept(at) == after


@pytest.mark.parametrize("lost", [IN_FORCE, DROPPED])
@pytest.mark.parametrize("fault", ["reset-before", "reset-after"])
async def test_how_a_draft_ended_that_schedules_show_nothing_of_is_not_guessed(
    lost: Step, fault: str
) -> None:
    account = {"accountId": "harbor-main"}
    case = Case((lost[0], account), (DROPPED[0], account))
    async with copied() as at:
        (schedule,) = facts(await at.call("list-account-schedules", account))["data"]
        at.sandbox.backend.db.execute("update pricing_schedules set rules_override = '[]'")
        rules = {"scheduleId": schedule["id"], "pricingRules": []}
        facts(await at.call("set-schedule-pricing-rules", rules))
        await _lose(at, case, fault)
        await _do(at, case.opposite)
        after = kept(at)
        assert await _pursue(at, case) == "outcome-unknown"
        assert kept(at) == after


async def _begin(at: Copied, case: Case) -> None:
    await at.begin_again()
    if case.begins is not None:
        facts(await _do(at, case.step(at, case.begins)))


async def _do(at: Copied, step: Step) -> Any:
    tool, arguments = step
    return await at.call(tool, arguments)


async def _lose(at: Copied, case: Case, fault: str) -> None:
    at.sandbox.faults.replace(striking_writes(fault))
    tool, arguments = case.step(at, case.lost)
    assert await _kind(at, tool, arguments) == "outcome-unknown"
    at.sandbox.faults.clear()


async def _pursue(at: Copied, case: Case) -> str:
    tool, arguments = case.step(at, case.lost)
    for _ in range(TRIES):
        at.time.pass_by()
        kind = await _kind(at, tool, arguments)
        if kind not in PASSING:
            break
    return kind


async def _kind(at: Copied, tool: str, arguments: Mapping[str, Any]) -> str:
    result = await at.call(tool, {**arguments, "operationId": OPERATION})
    assert isinstance(result, CallToolResult)
    assert result.structured_content is not None
    return result.structured_content["error"]["kind"] if result.is_error else "ok"
