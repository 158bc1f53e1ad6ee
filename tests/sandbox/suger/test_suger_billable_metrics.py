"""Billable metrics over HTTP."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.suger.wire import Wire

METRIC = {"id": "requests", "name": "Requests", "aggregationType": "SUM"}


def test_a_metric_reads_back_as_it_was_created(wire: Wire) -> None:
    info = {
        "filterGroups": [
            {
                "filters": [
                    {"name": "os", "operation": "IS", "valueType": "STRING", "value": "linux"},
                    {
                        "name": "ms",
                        "operation": "GT",
                        "valueType": "FLOAT",
                        "value": Decimal("1.5"),
                    },
                    {"name": "zone", "operation": "EXISTS", "valueType": "STRING"},
                ]
            }
        ],
        "groupBys": ["os", "cluster"],
        "propertyUniqueOn": "user",
    }
    sent = METRIC | {"aggregationType": "UNIQUE_COUNT", "description": "All of them", "info": info}
    created = wire.ask("POST", "/billableMetric", sent)
    assert created.status == 200
    assert created.body == sent | {
        "organizationId": "sandbox",
        "status": "ACTIVE",
        "creationTime": "2026-11-20T12:00:00.000Z",
        "lastUpdateTime": "2026-11-20T12:00:00.000Z",
    }
    assert wire.ask("GET", "/billableMetric/requests").body == created.body
    assert wire.ask("GET", "/billableMetric").body == [created.body]


def test_a_metric_without_an_id_gets_one(wire: Wire) -> None:
    sent = {"name": "Requests", "aggregationType": "COUNT"}
    first = wire.ask("POST", "/billableMetric", sent).body["id"]
    second = wire.ask("POST", "/billableMetric", sent).body["id"]
    assert first != second
    assert len(first) == 36


def test_a_second_metric_with_the_same_id_is_refused_with_409(wire: Wire) -> None:
    wire.ask("POST", "/billableMetric", METRIC)
    again = wire.ask("POST", "/billableMetric", METRIC | {"name": "Another"})
    assert (again.status, again.body) == (409, "billable metric requests already exists")
    assert wire.ask("GET", "/billableMetric/requests").body["name"] == "Requests"


def with_filter(**condition: Any) -> dict[str, Any]:
    return {"info": {"filterGroups": [{"filters": [condition]}]}}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"name": "abc"}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"name": None}, "name"),
        ({"id": "x" * 37}, "id"),
        ({"description": "x" * 301}, "description"),
        ({"aggregationType": "LATEST"}, "aggregationType"),
        ({"aggregationType": "UNIQUE_COUNT"}, "info.propertyUniqueOn"),
        ({"status": "GONE"}, "status"),
        ({"organizationId": "acme"}, "organizationId"),
        ({"info": {"groupBys": "os"}}, "info.groupBys"),
        ({"info": {"groupBys": ["os", "os"]}}, "info.groupBys"),
        ({"info": {"groupBys": [1]}}, "info.groupBys.0"),
        ({"info": {"filterGroups": [1]}}, "info.filterGroups[0]"),
        (with_filter(operation="IS", value="a"), "info.filterGroups[0].filters[0].name"),
        (with_filter(name="os", operation="GT", value="a"), "filters[0].operation"),
        (
            with_filter(name="os", operation="IS", valueType="FLOAT", value=1),
            "filters[0].operation",
        ),
        (with_filter(name="os", operation="IS"), "filters[0].value"),
        (with_filter(name="ms", operation="GT", valueType="FLOAT", value="1"), "filters[0].value"),
    ],
)
def test_a_malformed_metric_is_refused_by_the_name_of_its_field(
    wire: Wire, change: dict[str, Any], names: str
) -> None:
    answer = wire.ask("POST", "/billableMetric", METRIC | change)
    assert answer.status == 400
    assert names in answer.body
    assert wire.ask("GET", "/billableMetric").body == []


@pytest.mark.parametrize("missing", ["name", "aggregationType"])
def test_a_metric_needs_a_name_and_an_aggregation(wire: Wire, missing: str) -> None:
    sent = {key: value for key, value in METRIC.items() if key != missing}
    answer = wire.ask("POST", "/billableMetric", sent)
    assert (answer.status, answer.body) == (400, f"{missing} is required")


def test_an_update_changes_name_description_and_status_and_nothing_else(wire: Wire) -> None:
    before = wire.ask("POST", "/billableMetric", METRIC).body
    wire.advance("PT1H")
    change = {
        "name": "Renamed",
        "description": "New",
        "status": "DELETED",
        "aggregationType": "MAX",
        "info": {"groupBys": ["os"]},
    }
    after = wire.ask("PATCH", "/billableMetric/requests", change)
    assert after.status == 200
    assert after.body == before | {
        "name": "Renamed",
        "description": "New",
        "status": "DELETED",
        "lastUpdateTime": "2026-11-20T13:00:00.000Z",
    }


def test_an_update_leaves_alone_what_it_does_not_name(wire: Wire) -> None:
    wire.ask("POST", "/billableMetric", METRIC | {"description": "Kept"})
    body = wire.ask("PATCH", "/billableMetric/requests", {"name": "Renamed"}).body
    assert (body["name"], body["description"], body["status"]) == ("Renamed", "Kept", "ACTIVE")


def test_a_metric_that_does_not_exist_is_not_found(wire: Wire) -> None:
    answer = wire.ask("GET", "/billableMetric/none")
    assert (answer.status, answer.body) == (404, "billable metric none not found")
    assert wire.ask("PATCH", "/billableMetric/none", {"name": "Renamed"}).status == 404


def test_the_list_is_filtered_by_status(wire: Wire) -> None:
    wire.ask("POST", "/billableMetric", METRIC)
    wire.ask("POST", "/billableMetric", METRIC | {"id": "old"})
    wire.ask("PATCH", "/billableMetric/old", {"status": "DELETED"})

    def listed(**query: str) -> list[str]:
        return [metric["id"] for metric in wire.ask("GET", "/billableMetric", **query).body]

    assert listed() == ["requests", "old"]
    assert listed(status="ACTIVE") == ["requests"]
    assert listed(status="DELETED") == ["old"]
    assert wire.ask("GET", "/billableMetric", status="GONE").status == 400


def test_a_filter_group_without_filters_is_an_empty_one(wire: Wire) -> None:
    answer = wire.ask("POST", "/billableMetric", METRIC | {"info": {"filterGroups": [{}]}})
    assert (answer.status, answer.body["info"]) == (200, {"filterGroups": [{"filters": []}]})
