"""Usage meters of one event schema, which the vendor cannot filter by."""

from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach
from world import World, meter

pytestmark = pytest.mark.anyio

CALLS = {"eventSchemaName": "api_calls"}


def one(meter_id: str, schema: str | None = "api_calls") -> dict[str, Any]:
    """A usage meter as the vendor lists it."""
    shown: dict[str, Any] = {"id": meter_id, "name": meter_id, "status": "ACTIVE"}
    return shown if schema is None else shown | {"eventSchema": {"name": schema}}


def ids(answer: dict[str, Any]) -> list[str]:
    return [row["id"] for row in answer["data"]]


async def test_only_the_meters_of_the_schema_are_listed(world: World, client: Client) -> None:
    answer = facts(await client.call_tool("list-usage-meters", CALLS))
    assert set(ids(answer)) == {world.calls_meter, world.requests_meter}
    assert answer["hasMore"] is False
    other = facts(await client.call_tool("list-usage-meters", {"eventSchemaName": "answers"}))
    assert ids(other) == [world.answers_meter]
    none = facts(await client.call_tool("list-usage-meters", {"eventSchemaName": "API_CALLS"}))
    assert none["data"] == []


async def test_the_vendors_own_filters_go_together_with_the_schemas(
    world: World, client: Client
) -> None:
    counted = facts(await client.call_tool("list-usage-meters", CALLS | {"aggregation": "COUNT"}))
    assert ids(counted) == [world.requests_meter]
    world.ask("POST", f"/togai/usage_meters/{world.calls_meter}/deactivate")
    active = facts(await client.call_tool("list-usage-meters", CALLS | {"status": "ACTIVE"}))
    assert ids(active) == [world.requests_meter]


async def test_the_meters_are_found_on_whatever_page_of_the_vendor_they_are(
    world: World, client: Client
) -> None:
    for number in range(120):
        meter(world.sandbox, f"Answers {number}", "answers")
    answer = facts(await client.call_tool("list-usage-meters", CALLS | {"sort": "-updated_at"}))
    assert set(ids(answer)) == {world.calls_meter, world.requests_meter}
    assert answer["hasMore"] is False
    assert "note" not in answer


async def test_the_query_asks_for_full_pages_and_goes_on_by_the_token_alone(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(
        Says({"data": [one("a"), one("b", "other")], "nextToken": "p2"}),
        Says({"data": [one("c")], "nextToken": None}),
    )
    attach(server, recorder)
    answer = facts(await client.call_tool("list-usage-meters", CALLS | {"status": "ACTIVE"}))
    assert ids(answer) == ["a", "c"]
    assert [request.target for request in recorder.requests] == [
        "/togai/usage_meters?status=ACTIVE&pageSize=100",
        "/togai/usage_meters?nextToken=p2",
    ]


async def test_the_search_stops_at_a_bound_says_so_and_can_be_continued(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"data": [one("other", "x"), one("mine")], "nextToken": "more"}))
    attach(server, recorder)
    result = await client.call_tool("list-usage-meters", CALLS)
    answer = facts(result)
    assert len(recorder.requests) == 20
    assert answer["count"] == 20
    assert answer["hasMore"] is True
    assert answer["nextToken"] == "more"
    note = "Looked through 2000 usage meters of all schemas; there are more."
    assert answer["note"] == note
    assert note in said(result)

    recorder.answers = [Says({"data": [one("last")]})]
    rest = facts(await client.call_tool("list-usage-meters", CALLS | {"nextToken": "more"}))
    assert ids(rest) == ["last"]
    assert "nextToken=more" in recorder.requests[20].target


async def test_a_meter_listed_without_its_schema_is_looked_up(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(
        Says({"data": [one("a", None), one("b", None)]}),
        Says(one("a")),
        Says(one("b", "other")),
    )
    attach(server, recorder)
    answer = facts(await client.call_tool("list-usage-meters", CALLS))
    assert ids(answer) == ["a"]
    assert recorder.requests[1].target == "/togai/usage_meters/a?includeSchema=true"


async def test_the_schema_is_required(server: BillingServer, client: Client) -> None:
    recorder = Recorder(Says({"data": []}))
    attach(server, recorder)
    wrong = failure(await client.call_tool("list-usage-meters", {"eventSchema": "api_calls"}))
    assert "eventSchemaName is required" in wrong["message"]
    assert recorder.requests == []
