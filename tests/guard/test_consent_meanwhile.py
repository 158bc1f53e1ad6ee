"""What happens while a person thinks, and that their answer is for what they were asked."""

from datetime import timedelta
from typing import Any

import anyio
import pytest
from mcp.types import ElicitResult

from answers import facts, failure
from billing_mcp import approvals
from billing_mcp.guard.operations import State
from billing_mcp.guard.plans import FOR_PEOPLE
from billing_mcp.sealing import QUESTION_KEPT_S
from guard.guarded import Guarded, guarded
from guard.people import APPROVES, CANCELS, DENIES, GRANT, Person, plans

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("era", ["modern", "legacy"])]


async def test_a_person_who_answers_after_the_plan_has_expired_changes_nothing(era: str) -> None:
    person = Person.who(APPROVES)
    async with guarded(era=era, elicitation_callback=person) as at:
        person.meanwhile = _later(at, FOR_PEOPLE)
        planned = facts(await at.call("grant-credit", GRANT | {"dryRun": True}))
        by_id = GRANT | {"operationId": planned["operationId"]}
        late = failure(await at.call("grant-credit", by_id))
        assert at.effects == []
    assert (late["kind"], late["field"]) == ("conflict", "operationId")
    assert "expired" in late["message"]
    assert len(person.questions) == 1


async def test_a_late_yes_is_not_taken_for_the_plan_that_comes_after(era: str) -> None:
    person = Person.who(APPROVES, CANCELS)
    async with guarded(era=era, elicitation_callback=person) as at:
        person.meanwhile = _later(at, FOR_PEOPLE)
        late = failure(await at.call("grant-credit", GRANT))
        found = await plans(at)
        assert at.effects == []
    if era == "legacy":
        assert (late["kind"], [plan.state for plan in found]) == ("conflict", [State.EXPIRED])
        assert len(person.questions) == 1
    else:
        # The second entry of the call finds no plan, makes one, and asks about that.
        assert late["kind"] == "approval-required"
        assert [plan.state for plan in found] == [State.PLANNED, State.PLANNED]
        named = [plan.id for question in person.questions for plan in found if plan.id in question]
        assert sorted(named) == sorted(plan.id for plan in found)


async def test_a_person_may_think_for_as_long_as_the_plan_is_there(era: str) -> None:
    person = Person.who(APPROVES)
    async with guarded(era=era, elicitation_callback=person) as at:
        person.meanwhile = _later(at, FOR_PEOPLE - timedelta(seconds=1))
        facts(await at.call("grant-credit", GRANT))
        assert len(at.effects) == 1
    assert timedelta(seconds=QUESTION_KEPT_S) > FOR_PEOPLE


@pytest.mark.parametrize(("answer", "effects"), [(APPROVES, 1), (DENIES, 0)])
async def test_what_the_asked_person_says_counts_when_somebody_approves_elsewhere_meanwhile(
    answer: ElicitResult, effects: int, era: str
) -> None:
    person = Person.who(answer)
    async with guarded(era=era, elicitation_callback=person) as at:

        async def approved_elsewhere() -> None:
            (plan,) = await plans(at)
            await approvals.approve(at.server.tenant, plan.id, "terminal:desk", identified=False)

        person.meanwhile = approved_elsewhere
        result = await at.call("grant-credit", GRANT)
        assert result.is_error is (effects == 0)
        assert len(at.effects) == effects
    assert len(person.questions) == 1


async def test_a_plan_that_was_approved_elsewhere_is_not_asked_about_again(era: str) -> None:
    person = Person.who(CANCELS)
    async with guarded(era=era, elicitation_callback=person) as at:
        operation_id = failure(await at.call("grant-credit", GRANT))["operationId"]
        await approvals.approve(at.server.tenant, operation_id, "terminal:desk", identified=False)
        ready = failure(await at.call("grant-credit", GRANT))
        assert (ready["operationId"], at.effects) == (operation_id, [])
        facts(await at.call("grant-credit", GRANT | {"operationId": operation_id}))
    assert "It is approved" in ready["next"]
    assert len(person.questions) == 1


async def test_two_questions_about_one_plan_that_are_both_answered_yes_are_one_write(
    era: str,
) -> None:
    person = Person.who(APPROVES)
    answers: list[Any] = []
    async with guarded(era=era, elicitation_callback=person) as at:
        planned = facts(await at.call("grant-credit", GRANT | {"dryRun": True}))
        by_id = GRANT | {"operationId": planned["operationId"]}

        async def ask() -> None:
            answers.append(await at.call("grant-credit", by_id))

        # While the person thinks about the first question, a second call is made and answered.
        person.meanwhile = ask
        await ask()
        assert len(at.effects) == 1
    sooner, later = [facts(answer) for answer in answers]
    assert later == sooner | {"replayed": True}
    assert len(person.questions) == 2


async def test_a_yes_whose_call_was_cut_off_is_taken_when_it_comes_again(era: str) -> None:
    person = Person.who(APPROVES)
    async with guarded(era=era, elicitation_callback=person) as at:

        async def approved_before() -> None:
            (plan,) = await plans(at)
            await approvals.approve(at.server.tenant, plan.id, "local", identified=False)

        person.meanwhile = approved_before
        facts(await at.call("grant-credit", GRANT))
        assert len(at.effects) == 1
    assert len(person.questions) == 1


async def test_a_plan_that_was_denied_elsewhere_meanwhile_stays_denied(era: str) -> None:
    person = Person.who(APPROVES)
    async with guarded(era=era, elicitation_callback=person) as at:
        planned = facts(await at.call("grant-credit", GRANT | {"dryRun": True}))

        async def denied_elsewhere() -> None:
            await approvals.deny(at.server.tenant, planned["operationId"], "terminal:desk", "no")

        person.meanwhile = denied_elsewhere
        by_id = GRANT | {"operationId": planned["operationId"]}
        refused = failure(await at.call("grant-credit", by_id))
        assert at.effects == []
    assert "denied by terminal:desk" in refused["message"]


async def test_a_client_that_gives_up_waiting_finds_the_same_plan_again(era: str) -> None:
    async with guarded(era=era) as at:
        first = failure(await at.call("grant-credit", GRANT))
    person = Person.who(APPROVES)
    async with guarded(era=era, elicitation_callback=person) as at:

        async def for_ever() -> None:
            given_up.cancel()
            await anyio.sleep_forever()

        person.meanwhile = for_ever
        with anyio.CancelScope() as given_up:
            await at.call("grant-credit", GRANT)
        (plan,) = await plans(at)
        granted = facts(await at.call("grant-credit", GRANT))
        assert len(at.effects) == 1
    assert plan.id == granted["operationId"] != first["operationId"]


def _later(at: Guarded, time: timedelta) -> Any:
    async def passes() -> None:
        at.time.pass_by(time)

    return passes
