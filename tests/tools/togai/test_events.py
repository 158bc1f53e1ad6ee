"""Usage events: sent in batches, each with its id and its own outcome."""

import json
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.server import BillingServer
from good_calls import event
from recording import Recorder, Says, attach
from world import OPERATION, World

pytestmark = pytest.mark.anyio

ACCEPTED = Says({"success": True}, 202)


def sent(recorder: Recorder) -> list[list[dict[str, Any]]]:
    """The events of each request."""
    return [json.loads(body)["events"] for body in recorder.bodies]


async def test_an_event_without_id_is_known_by_its_operation_and_place(
    world: World, client: Client
) -> None:
    events = {"events": [event(), event(id="mine"), event()], "operationId": OPERATION}
    answer = facts(await client.call_tool("ingest-events", events | {"detail": "full"}))
    assert [(e["index"], e["id"], e["outcome"]) for e in answer["events"]] == [
        (0, f"{OPERATION}-0", "accepted"),
        (1, "mine", "accepted"),
        (2, f"{OPERATION}-2", "accepted"),
    ]
    assert world.effects("event") == [f"{OPERATION}-0", "mine", f"{OPERATION}-2"]


async def test_the_same_operation_counts_nothing_twice(world: World, client: Client) -> None:
    events = {"events": [event(), event()], "operationId": OPERATION}
    for _ in range(2):
        assert facts(await client.call_tool("ingest-events", events))["accepted"] == 2
    assert world.effects("event") == [f"{OPERATION}-0", f"{OPERATION}-1"]
    balance = world.ask("GET", f"/togai/accounts/harbor-main/features/{world.answers}")["balance"]
    assert balance == 94


async def test_many_events_go_in_batches_of_500_and_progress_is_told(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(ACCEPTED)
    attach(server, recorder)
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    answer = facts(
        await client.call_tool(
            "ingest-events",
            {"events": [event()] * 1_001, "operationId": OPERATION},
            progress_callback=hear,
        )
    )
    assert answer == {
        "environment": "sandbox",
        "operationId": OPERATION,
        "accepted": 1_001,
        "rejected": 0,
        "unknown": 0,
        "failures": [],
    }
    batches = sent(recorder)
    assert [len(batch) for batch in batches] == [500, 500, 1]
    assert batches[2][0]["id"] == f"{OPERATION}-1000"
    assert told == [
        (500, 1_001, "500 of 1001 events"),
        (1_000, 1_001, "1000 of 1001 events"),
        (1_001, 1_001, "1001 of 1001 events"),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.5, "12.5"), (3, "3"), ("-0.250", "-0.250"), (0.0000001, "0.0000001"), ("12.50", "12.50")],
)
async def test_a_number_of_an_attribute_is_sent_as_the_text_the_vendor_wants(
    value: Any, text: str, server: BillingServer, client: Client
) -> None:
    recorder = Recorder(ACCEPTED)
    attach(server, recorder)
    attributes = [{"name": "answers", "value": value, "unit": "units"}]
    facts(await client.call_tool("ingest-events", {"events": [event(attributes=attributes)]}))
    assert sent(recorder)[0][0]["attributes"] == [
        {"name": "answers", "value": text, "unit": "units"}
    ]


async def test_a_time_of_another_zone_is_sent_in_utc(server: BillingServer, client: Client) -> None:
    recorder = Recorder(ACCEPTED)
    attach(server, recorder)
    at = event(timestamp="2026-11-20T23:30:00.250+11:00")
    facts(await client.call_tool("ingest-events", {"events": [at]}))
    assert sent(recorder)[0][0]["timestamp"] == "2026-11-20T12:30:00.250Z"


async def test_a_partial_answer_keeps_the_outcome_of_each_event(
    server: BillingServer, client: Client
) -> None:
    details = {
        "a": {"success": True, "statusCode": 202, "message": "Event accepted"},
        "b": {"success": False, "statusCode": 400, "message": "too\u0007old\n"},
        "d": {"success": False},
        "e": "refused",
    }
    recorder = Recorder(Says({"success": False, "details": details}, 207))
    attach(server, recorder)
    result = await client.call_tool(
        "ingest-events", {"events": [event(id=name) for name in "abcde"]}
    )
    answer = facts(result)
    assert (answer["accepted"], answer["rejected"], answer["unknown"]) == (1, 2, 2)
    unnamed = "the vendor refused some events of this batch without naming them"
    assert answer["failures"] == [
        {"index": 1, "id": "b", "outcome": "rejected", "message": "too old"},
        {"index": 2, "id": "c", "outcome": "unknown", "message": unnamed},
        {"index": 3, "id": "d", "outcome": "rejected", "message": "no reason given"},
        {"index": 4, "id": "e", "outcome": "unknown", "message": unnamed},
    ]
    assert "events" not in answer
    assert "too old" in said(result)


@pytest.mark.parametrize("body", [{}, {"details": None}, {"details": []}, []])
async def test_a_partial_answer_that_names_no_event_leaves_all_unknown(
    body: Any, server: BillingServer, client: Client
) -> None:
    attach(server, Recorder(Says(body, 207)))
    answer = facts(await client.call_tool("ingest-events", {"events": [event(), event()]}))
    assert (answer["accepted"], answer["unknown"]) == (0, 2)


async def test_ids_that_repeat_are_refused_before_anything_is_sent(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(ACCEPTED)
    attach(server, recorder)
    events = [event(id="a"), event(), event(id="a")]
    wrong = failure(await client.call_tool("ingest-events", {"events": events}))
    assert wrong["field"] == "events[2].id"
    assert wrong["message"] == "events[2].id repeats events[0].id; nothing was sent."
    assert recorder.requests == []


async def test_an_id_that_an_event_without_one_would_get_is_refused_too(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(ACCEPTED)
    attach(server, recorder)
    operation = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
    events = [event(id=f"{operation}-1"), event()]
    wrong = failure(
        await client.call_tool("ingest-events", {"events": events, "operationId": operation})
    )
    assert wrong["field"] == "events[1].id"
    assert recorder.requests == []


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"timestamp": "2026-11-20T11:00:00"}, "events[0].timestamp", "with its zone"),
        ({"timestamp": "yesterday"}, "events[0].timestamp", "a UTC time such as"),
        ({"attributes": [{"name": "n", "value": True}]}, "events[0].attributes[0].value", "number"),
        ({"attributes": [{"name": "n", "value": "1,5"}]}, "events[0].attributes[0].value", "1,5"),
        ({"schema": "x"}, "events[0].schema", "did you mean schemaName?"),
        ({"dimensions": {"region": ""}}, "events[0].dimensions.region", "at least 1"),
        ({"attributes": [{"name": "n", "value": "1"}] * 11}, "events[0].attributes", "at most 10"),
    ],
)
async def test_a_wrong_event_is_named_by_its_place(
    given: dict[str, Any], field: str, words: str, world: World, client: Client
) -> None:
    wrong = failure(await client.call_tool("ingest-events", {"events": [event(**given)]}))
    assert wrong["kind"] == "invalid-request"
    assert wrong["field"] == field
    assert words in wrong["message"]
    assert world.effects("event") == []


@pytest.mark.parametrize(("count", "words"), [(0, "at least 1"), (10_001, "at most 10000")])
async def test_how_many_events_a_call_may_bring_is_bounded(
    count: int, words: str, world: World, client: Client
) -> None:
    wrong = failure(await client.call_tool("ingest-events", {"events": [event()] * count}))
    assert wrong["field"] == "events"
    assert words in wrong["message"]


async def test_a_list_that_arrives_as_json_text_is_read(world: World, client: Client) -> None:
    answer = facts(await client.call_tool("ingest-events", {"events": json.dumps([event()])}))
    assert answer["accepted"] == 1


AGAIN = f"Call ingest-events again with operationId {OPERATION} and the same events"


@pytest.mark.parametrize(
    ("refusal", "kind", "begins"),
    [
        (
            Says({"message": "no such schema"}, 400),
            "invalid-request",
            "Correct the events from index 500",
        ),
        (Says({"message": "slow down"}, 429, {"Retry-After": "90"}), "rate-limited", AGAIN),
    ],
)
async def test_an_error_after_a_batch_tells_what_was_taken_and_how_to_go_on(
    refusal: Says, kind: str, begins: str, server: BillingServer, client: Client
) -> None:
    attach(server, Recorder(ACCEPTED, refusal))
    wrong = failure(
        await client.call_tool(
            "ingest-events", {"events": [event()] * 700, "operationId": OPERATION}
        )
    )
    assert wrong["kind"] == kind
    assert "500 of 700 events were accepted before that." in wrong["message"]
    assert wrong["next"].startswith(begins)
    assert wrong["operationId"] == OPERATION


async def test_an_error_of_the_first_batch_is_told_as_it_is(
    server: BillingServer, client: Client
) -> None:
    attach(server, Recorder(Says({"message": "no such schema"}, 400)))
    wrong = failure(await client.call_tool("ingest-events", {"events": [event()]}))
    assert wrong["message"] == 'Togai answered HTTP 400: "no such schema".'
