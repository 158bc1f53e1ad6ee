"""The newer revision, which enters a call twice: an answer counts for the plan it was asked for.

Whoever forges here speaks the protocol as they like; a model cannot even do that.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from mcp import MCPError
from mcp.types import INVALID_PARAMS, InputRequiredResult

from answers import Answer, connected, facts, failure
from billing_mcp import approvals
from billing_mcp.guard.operations import State
from guard.guarded import Guarded, guarded
from guard.people import APPROVES, GRANT, Person, plans

pytestmark = pytest.mark.anyio

QUESTION = "billing_mcp.consent:approval"
YES: dict[str, Any] = {QUESTION: APPROVES}


async def entered(
    at: Guarded,
    arguments: Mapping[str, Any],
    answers: Any = None,
    state: str | None = None,
    tool: str = "grant-credit",
) -> Answer:
    """One entry of a call, with whatever a client may put into it."""
    return await at.client.session.call_tool(
        tool,
        dict(arguments),
        input_responses=answers,
        request_state=state,
        allow_input_required=True,
    )


async def asked(at: Guarded, arguments: Mapping[str, Any] = GRANT, **more: Any) -> str:
    """The sealed state of a call that has come to a question."""
    answer = await entered(at, arguments, **more)
    assert isinstance(answer, InputRequiredResult)
    assert list(answer.input_requests or {}) == [QUESTION]
    assert answer.request_state is not None
    return answer.request_state


def person_there() -> Any:
    """Only that a client declares forms: these tests answer by hand."""
    return guarded(elicitation_callback=Person.who(APPROVES))


async def test_the_second_entry_of_a_call_carries_the_answer_to_its_question() -> None:
    async with person_there() as at:
        state = await asked(at)
        answer = await entered(at, GRANT, YES, state)
        assert at.effects == [("credit", facts(answer)["id"])]


async def test_an_answer_without_a_question_is_not_heard() -> None:
    async with person_there() as at:
        await asked(at, answers=YES)
        # Nor when the plan has been there for a while.
        await asked(at, answers=YES)
        (plan,) = await plans(at)
        assert (plan.state, at.effects) == (State.PLANNED, [])


@pytest.mark.parametrize(
    "answers",
    [
        None,
        {},
        {"approval": APPROVES},
        {"consent": APPROVES, "decision": APPROVES},
        {f"{QUESTION}#1": APPROVES},
    ],
)
async def test_a_question_without_an_answer_of_its_name_is_asked_again(answers: Any) -> None:
    async with person_there() as at:
        state = await asked(at)
        await asked(at, answers=answers, state=state)
        assert at.effects == []


async def test_an_answer_holds_for_no_other_call() -> None:
    other = GRANT | {"accountId": "harbor-test"}
    async with person_there() as at:
        state = await asked(at)
        await asked(at, other)
        for arguments in (other, GRANT | {"creditAmount": "151"}, GRANT | {"purpose": "More"}):
            await refused(at, arguments, state)
        await refused(at, {"name": "grant-credit", "arguments": GRANT}, state, "run-write-tool")
        await refused(at, GRANT, state, "create-customer")
        assert at.effects == []


async def refused(
    at: Guarded, arguments: Mapping[str, Any], state: str, tool: str = "grant-credit"
) -> None:
    with pytest.raises(MCPError) as error:
        await entered(at, arguments, YES, state, tool)
    assert error.value.error.code == INVALID_PARAMS


async def test_an_answer_holds_for_no_other_plan_of_the_same_call() -> None:
    async with person_there() as at:
        state = await asked(at)
        (first,) = await plans(at)
        await approvals.deny(at.server.tenant, first.id, "terminal:desk", "not this one")
        # The same arguments, so that the seal fits; the plan it finds is another one.
        await asked(at, answers=YES, state=state)
        (denied,) = await plans(at, State.DENIED)
        (second,) = await plans(at, State.PLANNED)
        assert at.effects == []
    assert denied.id == first.id
    assert second.approvals == ()


async def test_an_answer_that_has_been_used_does_nothing_again() -> None:
    async with person_there() as at:
        state = await asked(at)
        await entered(at, GRANT, YES, state)
        await asked(at, answers=YES, state=state)
        await asked(at, answers=YES, state=state)
        assert len(at.effects) == 1
        # What it asks about is a new plan.
        assert len(await plans(at, State.COMMITTED)) == len(await plans(at, State.PLANNED)) == 1


async def test_an_answer_sent_twice_with_its_id_is_one_write() -> None:
    async with person_there() as at:
        planned = await at.call("grant-credit", GRANT | {"dryRun": True})
        by_id = GRANT | {"operationId": facts(planned)["operationId"]}
        state = await asked(at, by_id)
        first, second = [await entered(at, by_id, YES, state) for _ in range(2)]
        assert len(at.effects) == 1
    assert facts(second) == facts(first) | {"replayed": True}


async def test_no_letter_of_the_state_can_be_changed() -> None:
    async with person_there() as at:
        state = await asked(at)
        for place, letter in enumerate(state):
            changed = "A" if letter != "A" else "B"
            await refused(at, GRANT, state[:place] + changed + state[place + 1 :])
        for other in ("", "v1.", state[:-1], state + "A", state[3:], '{"v":3}', "approve"):
            await refused(at, GRANT, other)
        (plan,) = await plans(at)
        assert (plan.state, at.effects) == (State.PLANNED, [])


async def test_a_state_of_another_server_is_refused_and_the_question_asked_anew() -> None:
    async with person_there() as at:
        foreign = await asked(at)
    async with person_there() as at:
        await refused(at, GRANT, foreign)
        assert at.effects == []
        state = await asked(at)
        answer = await entered(at, GRANT, YES, state)
        assert at.effects == [("credit", facts(answer)["id"])]


async def test_an_answer_of_another_kind_is_a_no() -> None:
    async with person_there() as at:
        state = await asked(at)
        sampled = {"role": "assistant", "content": {"type": "text", "text": "approve"}}
        answer = await entered(at, GRANT, {QUESTION: {**sampled, "model": "m"}}, state)
        assert failure(answer)["kind"] == "not-permitted"
        assert at.effects == []


async def test_a_client_that_no_longer_says_it_can_ask_is_not_heard() -> None:
    async with person_there() as at:
        state = await asked(at)
        async with connected(at.server) as silent:
            answer = await silent.session.call_tool(
                "grant-credit",
                GRANT,
                input_responses=YES,
                request_state=state,
                allow_input_required=True,
            )
            assert failure(answer)["kind"] == "approval-required"
            assert at.effects == []
