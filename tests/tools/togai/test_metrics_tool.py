"""Metrics: exact figures of every kind, and questions outside the vendor's matrix explained."""

from typing import Any

import pytest
from mcp import Client

from answers import facts, failure
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
from good_calls import event
from recording import Recorder, Says, attach
from world import World

pytestmark = pytest.mark.anyio

NOVEMBER = {"startTime": "2026-11-01T00:00:00Z", "endTime": "2026-12-01T00:00:00Z"}


@pytest.fixture
def settings() -> Settings:
    return Settings(toolsets=("all",))


def asked(*queries: dict[str, Any], **when: str) -> dict[str, Any]:
    return {**NOVEMBER, **when, "metricQueries": list(queries)}


async def test_several_metrics_are_asked_for_at_once(world: World, client: Client) -> None:
    for units in ("0.1", "0.2"):
        used = event(schemaName="api_calls", attributes=[{"name": "calls", "value": units}])
        facts(await client.call_tool("ingest-events", {"events": [used]}))
    calls = [
        {"fieldName": "CUSTOMER_ID", "fieldValues": ["harbor-labs"]},
        {"fieldName": "USAGE_METER_ID", "fieldValues": [world.calls_meter]},
    ]
    usage = {"name": "METER_USAGE", "groupBy": "BILLABLE_ID", "filters": calls}
    revenue = {"name": "REVENUE", "id": "earned", "configs": {"CURRENCY": "INVOICE"}}
    queries = [query | {"aggregationPeriod": "MONTH"} for query in (usage, revenue)]

    answer = facts(await client.call_tool("query-metrics", asked(*queries)))

    assert answer["period"] == NOVEMBER
    first, second = answer["results"]
    assert (first["id"], second["id"]) == ("q1", "earned")
    assert first["data"] == [
        {
            "groupedBy": {"fieldName": "BILLABLE_ID", "fieldValue": world.calls_meter},
            "timestamps": ["2026-11-01T00:00:00.000Z"],
            "metricValues": ["0.3"],
        }
    ]
    # The grant of answers costs 99 flat.
    assert second["data"][0]["metricValues"] == ["99.00"]


async def test_days_are_the_usual_step(world: World, client: Client) -> None:
    answer = facts(await client.call_tool("query-metrics", asked({"name": "EVENTS"})))
    assert len(answer["results"][0]["data"][0]["timestamps"]) == 30


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (asked(), "metricQueries"),
        (asked(*[{"name": "EVENTS"}] * 6), "metricQueries"),
        (asked({"name": "EVENTS", "groupBy": "CUSTOMER_ID"}), "metricQueries[0]"),
        (asked({"name": "USAGE", "groupBy": "SCHEMA_NAME"}), "metricQueries[0]"),
        (asked({"name": "USAGE", "configs": {"CURRENCY": "BASE"}}), "metricQueries[0]"),
        (asked({"name": "EVENTS", "id": "a"}, {"name": "USAGE", "id": "a"}), "metricQueries"),
        (asked({"name": "EVENTS"}, endTime=NOVEMBER["startTime"]), "endTime"),
        (
            asked(
                {
                    "name": "REVENUE",
                    "filters": [{"fieldName": "EVENT_STATUS", "fieldValues": ["PROCESSED"]}],
                }
            ),
            "metricQueries[0]",
        ),
        (
            asked(
                {
                    "name": "EVENTS",
                    "filters": [{"fieldName": "SCHEMA_NAME", "fieldValues": ["a", "b"]}],
                }
            ),
            "metricQueries[0]",
        ),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_before_it_is_sent(
    arguments: dict[str, Any], field: str, server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"results": []}))
    attach(server, recorder)
    error = failure(await client.call_tool("query-metrics", arguments))
    assert (error["kind"], error["field"]) == ("invalid-request", field)
    assert recorder.requests == []


async def test_more_figures_than_can_be_shown_are_refused_with_the_way_out(
    server: BillingServer, client: Client
) -> None:
    points = {"timestamps": ["2026-11-01T00:00:00.000Z"] * 300, "metricValues": [1] * 300}
    result = {"id": "q1", "name": "EVENTS", "data": [points] * 7}
    attach(server, Recorder(Says({"results": [result]})))
    error = failure(await client.call_tool("query-metrics", asked({"name": "EVENTS"})))
    assert "2100 figures" in error["message"]
    assert "aggregationPeriod" in error["next"]
