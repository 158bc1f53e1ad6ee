"""Usage events looked up, sent one by one, and corrected."""

from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
from calls.organisation import event
from guard.guarded import guarded
from recording import Recorder, Says, attach
from tools.planning import planned, refused
from world import World

pytestmark = pytest.mark.anyio

ACCOUNT = {"accountId": "harbor-test"}
COMPLETED = "INGESTION_COMPLETED_EVENT_NOT_METERED"
OPEN = '[everyone]\ndestructive = "allowed"\n'


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    policy = tmp_path / "policy.toml"
    policy.write_text(OPEN, encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


def sent(world: World, *event_ids: str) -> None:
    for event_id in event_ids:
        world.ask("POST", "/togai/ingest", {"event": event(event_id)})


def status_of(world: World, event_id: str) -> str:
    found = world.ask("GET", f"/togai/events/{event_id}")["events"]
    status: str = found[-1]["ingestionStatus"]["status"]
    return status


async def test_events_are_listed_with_what_became_of_them(world: World, client: Client) -> None:
    sent(world, "one", "two", "one")
    answer = await client.call_tool("list-events", ACCOUNT | {"pageSize": 2})
    rows = facts(answer)
    assert rows["hasMore"] is True
    assert rows["data"][0] == {
        "eventPayload": {
            "id": "one",
            "accountId": "harbor-test",
            "schemaName": "api_calls",
            "timestamp": "2026-11-20T11:00:00Z",
        },
        "ingestionStatus": {"status": COMPLETED},
    }
    assert said(answer).splitlines()[1] == "id|accountId|schemaName|timestamp|status"
    failed = {"status": "INGESTION_FAILED_DUPLICATE_EVENT", "detail": "full"}
    (twice,) = facts(await client.call_tool("list-events", failed))["data"]
    assert "arrived at" in twice["ingestionStatus"]["statusDescription"]


async def test_every_arrival_of_an_event_is_shown_with_what_was_made_of_it(
    world: World, client: Client
) -> None:
    sent(world, "one", "one")
    found = facts(await client.call_tool("get-event", {"eventId": "one"}))["data"]
    first, second = found
    meters = {meter["name"]: meter for meter in first["eventPipelineInfo"]["usageMeters"]}
    assert meters["API calls"]["units"] == "3"
    assert second["ingestionStatus"]["status"] == "INGESTION_FAILED_DUPLICATE_EVENT"
    missing = failure(await client.call_tool("get-event", {"eventId": "none"}))
    assert missing["kind"] == "not-found"


async def test_an_event_without_id_gets_that_of_its_operation(world: World, client: Client) -> None:
    given = {name: value for name, value in event("x").items() if name != "id"}
    taken = facts(await client.call_tool("ingest-event", {"event": given}))
    assert taken["eventId"] == taken["operationId"]
    assert status_of(world, taken["eventId"]) == COMPLETED


async def test_an_event_is_taken_back_sent_again_and_replaced(world: World, client: Client) -> None:
    sent(world, "one", "two", "three")
    undone = await client.call_tool(
        "correct-events", ACCOUNT | {"action": "UNDO", "eventId": "one"}
    )
    (row,) = facts(undone)["data"]
    assert (row["status"], row["reason"]) == ("REVERTED", "The event was taken back")
    assert status_of(world, "one") == "REVERTED"
    again = ACCOUNT | {"action": "REDO", "eventId": "two"}
    (row,) = facts(await client.call_tool("correct-events", again))["data"]
    assert row["status"] == "REVERTED_AND_REINGESTED"
    other = event("three") | {"attributes": [{"name": "calls", "value": "7"}]}
    instead = ACCOUNT | {"action": "REDO_EVENT", "eventId": "three", "event": other}
    (row,) = facts(await client.call_tool("correct-events", instead))["data"]
    assert row["status"] == "REVERTED_AND_REINGESTED"
    latest = world.ask("GET", "/togai/events/three")["events"][-1]
    assert latest["eventPayload"]["attributes"] == [{"name": "calls", "value": "7"}]


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"eventId": "one"},
        {"eventSourceTime": "2026-11-20T11:00:00Z"},
        {"eventId": "one", "createdAt": "2026-11-20T12:00:00Z"},
        {"eventId": "one", "eventSourceTime": "2026-11-20T12:00:00+01:00"},
    ],
)
async def test_the_documented_combinations_of_filters_find_events(
    filters: dict[str, str], world: World, client: Client
) -> None:
    sent(world, "one")
    undone = facts(await client.call_tool("undo-events", ACCOUNT | filters))
    assert [row["eventPayload"]["id"] for row in undone["data"]] == ["one"]
    assert status_of(world, "one") == "REVERTED"


@pytest.mark.parametrize("tool", ["correct-events", "undo-events"])
@pytest.mark.parametrize(
    "filters",
    [
        {"referenceId": "event.1", "eventId": "one"},
        {"createdAt": "2026-11-20T12:00:00Z"},
        {"eventSourceTime": "2026-11-20T12:00:00Z", "createdAt": "2026-11-20T12:00:00Z"},
    ],
)
async def test_other_combinations_are_refused_before_anything_is_sent(
    tool: str, filters: dict[str, str], server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"data": []}))
    attach(server, recorder)
    action = {"action": "UNDO"} if tool == "correct-events" else {}
    wrong = failure(await client.call_tool(tool, ACCOUNT | action | filters))
    assert wrong["kind"] == "invalid-request"
    assert wrong["field"] in filters
    assert not [one for one in recorder.requests if one.method != "GET"]


@pytest.mark.parametrize(
    "given", [{"action": "REDO_EVENT"}, {"action": "UNDO", "event": event("one")}]
)
async def test_an_event_is_given_to_replace_one_and_not_otherwise(
    given: dict[str, Any], world: World, client: Client
) -> None:
    call = ACCOUNT | given | {"eventId": "one"}
    wrong = failure(await client.call_tool("correct-events", call))
    assert (wrong["kind"], wrong["field"]) == ("invalid-request", "event")


async def test_a_correction_that_waits_is_said_to_wait(world: World, client: Client) -> None:
    sent(world, "one")
    call = ACCOUNT | {"action": "UNDO", "requireConfirmation": True}
    (row,) = facts(await client.call_tool("correct-events", call))["data"]
    assert "waits to be confirmed" in row["reason"]
    assert status_of(world, "one") == COMPLETED


async def test_more_events_than_are_corrected_at_once_make_no_plan() -> None:
    async with guarded(Settings(toolsets=("all",))) as at:
        sent(at.world, *(f"e{number}" for number in range(6)))
        at.world.sandbox.backend.db.execute("delete from effects")
        error = await refused(at, "undo-events", **ACCOUNT)
        plan = await planned(at, "correct-events", **ACCOUNT, action="REDO")
        none = await refused(at, "correct-events", action="UNDO", accountId="mill-1")
    assert error["kind"] == none["kind"] == "conflict"
    assert error["message"] == "6 events match, and at most 5 are corrected at once."
    assert "No counted event of account mill-1 matches." in none["message"]
    assert plan["effect"] == (
        'Takes back 6 events of account harbor-test ("Account harbor-test") (e0, e1, e2, e3, e4 '
        "and 1 other) and ingests them again, measured and billed as plans and meters are now."
    )


async def test_several_events_are_not_replaced_by_one() -> None:
    async with guarded(Settings(toolsets=("all",))) as at:
        sent(at.world, "one", "two")
        at.world.sandbox.backend.db.execute("delete from effects")
        error = await refused(
            at, "correct-events", **ACCOUNT, action="REDO_EVENT", event=event("one")
        )
    assert error["message"] == "2 events match, and one event replaces one."
