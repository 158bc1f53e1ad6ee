"""Every way to correct one event, lost before or after it was done, alone or with somebody else
correcting the same event meanwhile."""

from typing import Any

import pytest
from mcp.types import CallToolResult

from answers import facts, failure
from faults.company_states import Copied, copied
from faults.ordeals import kept, striking_writes
from good_calls import event
from world import OPERATION

pytestmark = pytest.mark.anyio

# It has no other events.
ACCOUNT = {"accountId": "harbor-main"}
OTHERS = event(attributes=[{"name": "answers", "value": "1"}])
ACTIONS: dict[str, dict[str, Any]] = {
    "undo": {"action": "UNDO"},
    "redo": {"action": "REDO"},
    "replace": {"action": "REDO_EVENT", "event": OTHERS},
    "replace under another id": {"action": "REDO_EVENT", "event": OTHERS | {"id": "right"}},
}
NAMED = ("eventId", "referenceId", "neither")


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("fault", ["reset-before", "reset-after"])
async def test_a_lost_correction_is_found_or_done_once(fault: str, action: str, named: str) -> None:
    async with copied() as at:
        call = await mistaken(at, action, named)
        facts(await at.call("correct-events", call))
        once = kept(at)
        call = await mistaken(at, action, named)
        await lose(at, call, fault)
        facts(await at.call("correct-events", call))
        assert kept(at) == once


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("action", [action for action in ACTIONS if action != "undo"])
async def test_an_event_that_somebody_else_only_took_back_is_not_called_replaced(
    action: str, named: str
) -> None:
    async with copied() as at:
        call = await mistaken(at, action, named)
        await lose(at, call, "reset-before")
        facts(await at.call("undo-events", ACCOUNT | {"eventId": "mistaken-event"}))
        after = kept(at)
        assert failure(await at.call("correct-events", call))["kind"] == "invalid-request"
        assert kept(at) == after


@pytest.mark.parametrize("named", NAMED)
async def test_an_event_that_was_sent_anew_after_it_was_taken_back_is_left_alone(
    named: str,
) -> None:
    async with copied() as at:
        call = await mistaken(at, "undo", named)
        await lose(at, call, "reset-after")
        await ingest(at)
        after = kept(at)
        facts(await at.call("correct-events", call))
        assert kept(at) == after


async def test_a_correction_that_was_to_wait_is_asked_for_again_only_when_no_job_waits() -> None:
    async with copied() as at:
        call = await mistaken(at, "undo", "eventId") | {"requireConfirmation": True}
        await lose(at, call, "reset-before")
        facts(await at.call("correct-events", call))
        once = kept(at)
        call = await mistaken(at, "undo", "eventId") | {"requireConfirmation": True}
        await lose(at, call, "reset-after")
        unknown = failure(await at.call("correct-events", call))
        assert kept(at) == once
    assert "list-jobs" in unknown["message"]


async def mistaken(at: Copied, action: str, named: str) -> dict[str, Any]:
    """A call that corrects an event that a new company has counted."""
    await at.begin_again()
    await ingest(at)
    found = facts(await at.call("get-event", {"eventId": "mistaken-event"}))["data"]
    names = {"eventId": "mistaken-event", "referenceId": found[0]["referenceId"]}
    name = {} if named == "neither" else {named: names[named]}
    return ACCOUNT | ACTIONS[action] | name | {"operationId": OPERATION}


async def ingest(at: Copied) -> None:
    facts(await at.call("ingest-events", {"events": [event(id="mistaken-event")]}))


async def lose(at: Copied, call: dict[str, Any], fault: str) -> None:
    at.sandbox.faults.replace(striking_writes(fault))
    lost = await at.call("correct-events", call)
    assert isinstance(lost, CallToolResult)
    assert failure(lost)["kind"] == "outcome-unknown"
    at.sandbox.faults.clear()
    at.time.pass_by()
