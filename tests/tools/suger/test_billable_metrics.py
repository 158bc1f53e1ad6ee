"""Defining how records become one figure."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp import results
from tools.suger.desk import OPERATION, Desk

pytestmark = pytest.mark.anyio

METRIC = {"id": "nodes", "name": "Nodes", "aggregationType": "MAX"}


async def test_a_metric_is_created_shown_and_listed(desk: Desk) -> None:
    created = await desk.ask(
        "create-billable-metric",
        body=METRIC | {"description": "Most nodes at once"},
        operationId=OPERATION,
    )
    assert created["operationId"] == OPERATION
    shown = await desk.ask("get-billable-metric", billableMetricId="nodes")
    assert created == shown | {"operationId": OPERATION}
    assert (shown["id"], shown["aggregationType"], shown["status"]) == ("nodes", "MAX", "ACTIVE")
    page = await desk.ask("list-billable-metrics")
    assert page == {
        "environment": "sandbox",
        "data": [
            {
                "id": "nodes",
                "name": "Nodes",
                "aggregationType": "MAX",
                "status": "ACTIVE",
                "description": "Most nodes at once",
            }
        ],
        "count": 1,
        "hasMore": False,
    }


async def test_the_vendor_names_a_metric_that_brings_no_id(desk: Desk) -> None:
    created = await desk.ask(
        "create-billable-metric", body={"name": "Nodes", "aggregationType": "COUNT"}
    )
    assert len(created["id"]) == 36


async def test_filters_are_sent_as_what_their_operation_compares(desk: Desk) -> None:
    text = {"name": "os", "operation": "CONTAINS", "value": "10"}
    number = {"name": "size", "operation": "GTE", "value": "0.10"}
    json_number = {"name": "size", "operation": "LT", "value": 2.5, "valueType": "FLOAT"}
    exists = {"name": "spot", "operation": "EXISTS"}
    info = {
        "filterGroups": [{"filters": [text, number]}, {"filters": [json_number, exists]}],
        "groupBys": ["os"],
        "propertyUniqueOn": "host",
    }
    shown = await desk.ask(
        "create-billable-metric", body=METRIC | {"aggregationType": "UNIQUE_COUNT", "info": info}
    )
    assert shown["info"]["filterGroups"][0]["filters"][1]["value"] == "0.10"
    kept = (await desk.wire("GET", "/suger/org/sandbox/billableMetric/nodes"))["info"]
    assert kept == {
        "filterGroups": [
            {
                "filters": [
                    text | {"valueType": "STRING"},
                    number | {"value": Decimal("0.1"), "valueType": "FLOAT"},
                ]
            },
            {
                "filters": [
                    json_number | {"value": Decimal("2.5")},
                    exists | {"valueType": "STRING"},
                ]
            },
        ],
        "groupBys": ["os"],
        "propertyUniqueOn": "host",
    }


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        ({"name": "Nodes"}, "body.aggregationType", "is required"),
        ({"aggregationType": "SUM"}, "body.name", "is required"),
        (METRIC | {"name": "abc"}, "body.name", "at least 4"),
        (METRIC | {"aggregationType": "LATEST"}, "body.aggregationType", "LAST"),
        (METRIC | {"aggregationType": "UNIQUE_COUNT"}, "body", "info.propertyUniqueOn"),
        (METRIC | {"id": "x" * 37}, "body.id", "at most 36"),
        (METRIC | {"description": "x" * 301}, "body.description", "at most 300"),
        (METRIC | {"status": "ACTIVE"}, "body.status", "no field"),
    ],
)
async def test_a_metric_that_cannot_be_meant_names_its_field(
    desk: Desk, body: dict[str, Any], field: str, told: str
) -> None:
    error = await desk.refused("create-billable-metric", body=body)
    assert (error["kind"], error["field"]) == ("invalid-request", field)
    assert told in error["message"]
    assert await desk.effects() == []


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ({"operation": "IS"}, "with value, because IS compares"),
        ({"operation": "EXISTS", "value": "x"}, "without value, because EXISTS takes none"),
        ({"operation": "GT", "value": "many"}, "a filter whose value is"),
        ({"operation": "GT", "value": "1", "valueType": "STRING"}, "valueType FLOAT"),
        ({"operation": "IS", "value": "1", "valueType": "FLOAT"}, "valueType STRING"),
    ],
)
async def test_a_filter_whose_value_does_not_suit_its_operation_is_not_sent(
    desk: Desk, condition: dict[str, Any], told: str
) -> None:
    info = {"filterGroups": [{"filters": [{"name": "size"} | condition]}]}
    error = await desk.refused("create-billable-metric", body=METRIC | {"info": info})
    assert error["field"] == "body.info.filterGroups[0].filters[0]"
    assert told in error["message"]


@pytest.mark.parametrize("value", [True, ["a"], 0.12345678901234567])
async def test_a_filter_compares_with_text_or_an_exact_number(desk: Desk, value: object) -> None:
    condition = {"name": "size", "operation": "EQ", "value": value}
    info = {"filterGroups": [{"filters": [condition]}]}
    error = await desk.refused("create-billable-metric", body=METRIC | {"info": info})
    assert error["field"] == "body.info.filterGroups[0].filters[0].value"


async def test_a_second_metric_with_the_same_id_is_a_conflict(desk: Desk) -> None:
    await desk.ask("create-billable-metric", body=METRIC)
    error = await desk.refused("create-billable-metric", body=METRIC)
    assert error["kind"] == "conflict"
    assert "already exists" in error["message"]


async def test_a_metric_is_renamed_and_retired(desk: Desk) -> None:
    await desk.ask("create-billable-metric", body=METRIC | {"description": "As it was"})
    renamed = await desk.ask(
        "update-billable-metric", billableMetricId="nodes", body={"name": "Machines"}
    )
    assert (renamed["name"], renamed["description"]) == ("Machines", "As it was")
    await desk.ask("update-billable-metric", billableMetricId="nodes", body={"status": "DELETED"})
    assert (await desk.ask("list-billable-metrics", status="ACTIVE"))["data"] == []
    assert (await desk.ask("list-billable-metrics", status="DELETED"))["count"] == 1


@pytest.mark.parametrize("body", [{}, {"name": None}, {"aggregationType": "SUM"}])
async def test_a_change_of_nothing_that_can_change_is_not_sent(
    desk: Desk, body: dict[str, Any]
) -> None:
    await desk.ask("create-billable-metric", body=METRIC)
    error = await desk.refused("update-billable-metric", billableMetricId="nodes", body=body)
    assert error["kind"] == "invalid-request"
    assert await desk.effects() == ["billable-metric.created"]


async def test_an_unknown_metric_is_not_found_and_says_where_ids_are_shown(desk: Desk) -> None:
    for tool, more in (
        ("get-billable-metric", {}),
        ("update-billable-metric", {"body": {"name": "Machines"}}),
    ):
        error = await desk.refused(tool, billableMetricId="unheard-of", **more)
        assert (error["kind"], error["field"]) == ("not-found", "billableMetricId")
        assert "list-billable-metrics" in error["next"]


@pytest.mark.parametrize(
    ("tool", "arguments", "path", "way_out"),
    [
        ("create-billable-metric", {"body": METRIC}, "", "list-billable-metrics"),
        (
            "update-billable-metric",
            {"billableMetricId": "nodes", "body": {"name": "Machines"}},
            "/nodes",
            "get-billable-metric",
        ),
    ],
)
async def test_a_lost_answer_to_a_write_is_not_sent_again(
    desk: Desk, tool: str, arguments: dict[str, Any], path: str, way_out: str
) -> None:
    if path:
        await desk.ask("create-billable-metric", body=METRIC)
    await desk.faults({"mode": "truncate", "path": f"/suger/org/sandbox/billableMetric{path}"})
    error = await desk.refused(tool, **arguments)
    assert error["kind"] == "outcome-unknown"
    assert way_out in error["next"]
    assert await desk.fired() == [1]


async def test_more_metrics_than_fit_an_answer_are_continued_by_offset(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await desk.ask("create-billable-metric", body=METRIC | {"id": f"nodes-{number}"})
    # Room for two rows of some 80 bytes.
    monkeypatch.setattr(results, "ANSWER_LIMIT_BYTES", 200)
    first = await desk.ask("list-billable-metrics")
    assert [row["id"] for row in first["data"]] == ["nodes-0", "nodes-1"]
    assert (first["hasMore"], first["nextOffset"]) == (True, 2)
    rest = await desk.ask("list-billable-metrics", offset=first["nextOffset"])
    assert [row["id"] for row in rest["data"]] == ["nodes-2"]
    assert rest["hasMore"] is False
