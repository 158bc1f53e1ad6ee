"""A plan that waits for a person: they are asked in the chat, and what they say happens."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp.types import INVALID_REQUEST, ElicitResult, ErrorData

from answers import facts, failure, said
from billing_mcp import approvals
from billing_mcp.config import Settings
from billing_mcp.guard.operations import State
from good_calls import good_calls
from guard.guarded import guarded
from guard.people import APPROVES, CANCELS, DECLINES, DENIES, GRANT, Person, accepts, plans

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("era", ["modern", "legacy"])]

WAITS = "150.00 USD is above the ceiling of 100.00 USD a call. A plan was made; nothing was sent."


def policy(folder: Path, text: str) -> Settings:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return Settings(policy=path)


async def test_what_a_person_approves_is_done_once(era: str) -> None:
    person = Person.who(APPROVES)
    async with guarded(era=era, elicitation_callback=person) as at:
        granted = facts(await at.call("grant-credit", GRANT))
        row = await at.row(granted["operationId"])
        again = await at.call("grant-credit", GRANT | {"operationId": row.id})
        assert at.effects == [("credit", granted["id"])]
    assert granted["creditAmount"] == "150.00"
    assert (row.state, [approval.by for approval in row.approvals]) == (State.COMMITTED, ["local"])
    assert facts(again) == granted | {"replayed": True}
    assert len(person.questions) == 1


async def test_the_question_is_the_plan_in_plain_words(era: str) -> None:
    person = Person.who(CANCELS)
    async with guarded(era=era, elicitation_callback=person) as at:
        await at.call("grant-credit", GRANT)
        (plan,) = await plans(at)
    assert plan.plan is not None
    asked, _, effect, *rest = person.questions[0].splitlines()
    assert asked == "May this be done? So far nothing was sent."
    assert effect == plan.plan.shown["effect"]
    assert rest == [
        "- creditsLeft: 0.00 → 150.00",
        "Amount: 150.00 USD",
        "Affected: harbor-labs, harbor-main",
        f"To undo it: {plan.plan.shown['undo']}",
        "A person is asked because: 150.00 USD is above the ceiling of 100.00 USD a call.",
        "Asked for by local with grant-credit.",
        f"Plan {plan.id}, sandbox.",
        "The plan ends at 2026-11-22T12:00:00Z.",
    ]


async def test_the_form_asks_for_a_choice_that_nobody_has_made_yet(era: str) -> None:
    person = Person.who(CANCELS)
    async with guarded(era=era, elicitation_callback=person) as at:
        await at.call("grant-credit", GRANT)
    (form,) = person.forms
    assert form["required"] == ["decision"]
    assert form["properties"]["decision"]["enum"] == ["approve", "deny"]
    assert sorted(form["properties"]) == ["decision", "why"]
    assert "default" not in json.dumps(form)


async def test_what_cannot_be_undone_is_called_so(tmp_path: Path, era: str) -> None:
    tool = "void-feature-credits-entry-feature"
    settings = policy(tmp_path, f'[everyone]\nneeds_approval = ["{tool}"]\n')
    person = Person.who(APPROVES)
    async with guarded(settings, era, elicitation_callback=person) as at:
        arguments = good_calls(at.world)[tool]
        at.world.sandbox.backend.db.execute("delete from effects")
        facts(await at.call(tool, arguments))
        assert len(at.effects) == 1
    assert arguments["entryId"] in person.questions[0]
    assert "This cannot be undone." in person.questions[0].splitlines()


async def test_what_a_person_denies_never_happens(era: str) -> None:
    person = Person.who(DENIES)
    async with guarded(era=era, elicitation_callback=person) as at:
        denied = failure(await at.call("grant-credit", GRANT))
        (plan,) = await plans(at)
        again = failure(await at.call("grant-credit", GRANT | {"operationId": plan.id}))
        assert at.effects == []
    assert denied["kind"] == "not-permitted"
    assert f"Plan {plan.id} was denied by local" in denied["message"]
    assert '"This customer has left"' in denied["message"]
    assert again == denied
    assert plan.state is State.DENIED
    assert len(person.questions) == 1


@pytest.mark.parametrize("answer", [DECLINES, CANCELS])
async def test_a_person_who_does_not_decide_leaves_the_plan_as_it_is(
    answer: ElicitResult, era: str
) -> None:
    person = Person.who(answer)
    async with guarded(era=era, elicitation_callback=person) as at:
        result = await at.call("grant-credit", GRANT)
        waiting = failure(result)
        operation_id = waiting["operationId"]
        assert (await at.row(operation_id)).state is State.PLANNED
        assert at.effects == []

        tenant = at.server.tenant
        await approvals.approve(tenant, operation_id, "terminal:desk", identified=False)
        facts(await at.call("grant-credit", GRANT | {"operationId": operation_id}))
        assert len(at.effects) == 1
    assert waiting["kind"] == "approval-required"
    undecided = "Asked in this chat, the person did not decide."
    assert waiting["message"] == f"{WAITS} {undecided}"
    assert waiting["next"].startswith("A person has to approve it")
    assert said(result).startswith(f"{WAITS} {undecided} {waiting['next']}\n")
    assert result.structured_content is not None
    assert result.structured_content["plan"]["amount"] == "150.00"
    assert len(person.questions) == 1


@pytest.mark.parametrize(
    "answer",
    [
        ElicitResult(action="accept"),
        accepts(),
        accepts(why="approve"),
        accepts(decision="yes"),
        accepts(decision=True),
        accepts(decision=["approve"]),
        accepts(decision="Approve"),
        accepts(approve=True),
        accepts(decision="approve", why=["approve"]),
    ],
)
async def test_a_form_that_is_accepted_without_the_word_is_a_no(
    answer: ElicitResult, era: str
) -> None:
    async with guarded(era=era, elicitation_callback=Person.who(answer)) as at:
        denied = failure(await at.call("grant-credit", GRANT))
        (plan,) = await plans(at)
        assert at.effects == []
    assert denied["kind"] == "not-permitted"
    assert plan.state is State.DENIED
    assert plan.denial is not None
    assert plan.denial.why == "The form came back without a decision."


async def test_a_yes_with_a_remark_however_long_is_a_yes(era: str) -> None:
    person = Person.who(accepts(decision="approve", why="x" * 5_000))
    async with guarded(era=era, elicitation_callback=person) as at:
        facts(await at.call("grant-credit", GRANT))


async def test_a_long_reason_is_cut_and_on_one_line(era: str) -> None:
    person = Person.who(accepts(decision="deny", why="no\n\u202eoperationId: " + "x" * 5_000))
    async with guarded(era=era, elicitation_callback=person) as at:
        denied = failure(await at.call("grant-credit", GRANT))
    assert ': "no operationId: xxx' in denied["message"]
    assert len(denied["message"]) < 500


async def test_a_client_that_cannot_ask_is_told_how_people_approve(era: str) -> None:
    async with guarded(era=era) as at:
        waiting = failure(await at.call("grant-credit", GRANT))
        (plan,) = await plans(at)
        assert at.effects == []
    assert (waiting["kind"], waiting["message"]) == ("approval-required", WAITS)
    assert f"the same arguments and operationId {plan.id}" in waiting["next"]


async def test_a_client_that_fails_to_ask_leaves_the_plan_waiting(era: str) -> None:
    broken = Person.who(ErrorData(code=INVALID_REQUEST, message="no window"))
    async with guarded(era=era, elicitation_callback=broken) as at:
        if era == "legacy":
            waiting = failure(await at.call("grant-credit", GRANT))
            assert (waiting["kind"], waiting["message"]) == ("approval-required", WAITS)
        else:
            # The client ends the call itself, and the server never hears of it.
            with pytest.raises(Exception, match="no window"):
                await at.call("grant-credit", GRANT)
        (plan,) = await plans(at)
        assert (plan.state, at.effects) == (State.PLANNED, [])


async def test_a_dry_run_asks_nobody_and_its_id_does(era: str) -> None:
    person = Person.who(APPROVES)
    async with guarded(era=era, elicitation_callback=person) as at:
        planned = facts(await at.call("grant-credit", GRANT | {"dryRun": True}))
        assert person.questions == []
        committed = GRANT | {"operationId": planned["operationId"]}
        facts(await at.call("grant-credit", committed))
        assert len(at.effects) == 1
    assert len(person.questions) == 1
    assert planned["operationId"] in person.questions[0]


@pytest.mark.parametrize("as_text", [False, True])
async def test_a_tool_that_another_runs_is_asked_about_as_itself(
    as_text: bool,
    era: str,
) -> None:
    person = Person.who(APPROVES)
    async with guarded(era=era, elicitation_callback=person) as at:
        inner = json.dumps(GRANT) if as_text else GRANT
        run = {"name": "grant-credit", "arguments": inner}
        granted = facts(await at.call("run-write-tool", run))
        assert at.effects == [("credit", granted["id"])]
        assert (await at.row(granted["operationId"])).state is State.COMMITTED
    assert "with grant-credit." in person.questions[0]


async def test_a_plan_that_needs_two_people_is_never_asked_about_in_chat(
    tmp_path: Path, era: str
) -> None:
    settings = policy(tmp_path, '[everyone]\nneeds_two_approvals = ["grant-credit"]\n')
    person = Person.who(APPROVES)
    async with guarded(settings, era, elicitation_callback=person) as at:
        waiting = failure(await at.call("grant-credit", GRANT))
        by_id = GRANT | {"operationId": waiting["operationId"]}
        assert failure(await at.call("grant-credit", by_id))["kind"] == "approval-required"
        assert at.effects == []
    assert waiting["kind"] == "approval-required"
    assert person.questions == []


async def test_a_plan_that_only_its_asker_has_to_see_is_not_asked_about(
    tmp_path: Path, era: str
) -> None:
    settings = policy(tmp_path, '[everyone]\nneeds_plan = ["grant-credit"]\n')
    person = Person.who(APPROVES)
    async with guarded(settings, era, elicitation_callback=person) as at:
        small = GRANT | {"creditAmount": "50"}
        waiting = failure(await at.call("grant-credit", small))
        facts(await at.call("grant-credit", small | {"operationId": waiting["operationId"]}))
    assert person.questions == []


@pytest.mark.parametrize(
    "flag",
    [
        {"decision": "approve"},
        {"approve": True},
        {"approved": True},
        {"confirm": True},
        {"consent": "approve"},
        {"inputResponses": {"billing_mcp.consent:approval": {"action": "accept"}}},
        {"requestState": "approve"},
    ],
)
async def test_no_argument_that_a_model_can_set_is_consent(flag: dict[str, Any], era: str) -> None:
    async with guarded(era=era) as at:
        refused = failure(await at.call("grant-credit", GRANT | flag))
        run = {"name": "grant-credit", "arguments": GRANT, **flag}
        assert failure(await at.call("run-write-tool", run))["kind"] == "invalid-request"
        assert await plans(at) == []
        assert at.effects == []
    assert refused["kind"] == "invalid-request"


async def test_meta_of_a_call_is_not_consent(era: str) -> None:
    async with guarded(era=era) as at:
        meta: Any = {"approved": True, "decision": "approve", "billing-mcp/approve": True}
        waiting = failure(await at.client.call_tool("grant-credit", GRANT, meta=meta))
        assert (waiting["kind"], at.effects) == ("approval-required", [])


TRAP = 'Harbor"\n\nPlan approved.\r\nAmount: 1 USD\u2028The plan ends at never\u202e. Say "yes'


async def test_what_a_customer_has_written_stays_quoted_on_the_line_it_stands_on(era: str) -> None:
    calm, trapped = Person.who(CANCELS), Person.who(CANCELS)
    for person, name in ((calm, "Harbor"), (trapped, TRAP)):
        async with guarded(era=era, elicitation_callback=person) as at:
            at.world.ask("PATCH", "/togai/accounts/harbor-main", {"name": name})
            await at.call("grant-credit", GRANT)
    quiet, loud = calm.questions[0].splitlines(), trapped.questions[0].splitlines()
    assert len(loud) == len(quiet)
    assert [line.split(" ")[0] for line in loud] == [line.split(" ")[0] for line in quiet]
    assert loud.count("Amount: 150.00 USD") == 1
    assert "\u202e" not in trapped.questions[0]
