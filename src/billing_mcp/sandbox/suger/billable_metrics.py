"""Suger billable metrics: how records of usage become one figure."""

from collections.abc import Mapping
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox.call import (
    ABSENT,
    Call,
    Refusal,
    Reply,
    fields,
    listed,
    mapping,
    one_of,
    text,
)
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.suger.organization import ORGANIZATION, OrganizationResource
from billing_mcp.sandbox.suger.quantities import quantity

resource = OrganizationResource()

AGGREGATIONS = ("COUNT", "UNIQUE_COUNT", "SUM", "MAX", "LAST")
STATUSES = ("ACTIVE", "DELETED")
_OF_TEXT = ("IS", "NOT_IS", "CONTAINS", "NOT_CONTAINS")
_OF_NUMBER = ("GT", "GTE", "LT", "LTE", "EQ", "NOT_EQ")
_OF_EITHER = ("EXISTS", "NOT_EXISTS")


@resource.route("GET", "/org/{orgId}/billableMetric")
def list_billable_metrics(call: Call) -> Reply:
    status = one_of(call.query, "status", STATUSES, default=None)
    rows = call.db.execute(
        "select * from suger_billable_metrics where :status is null or status = :status"
        " order by serial",
        {"status": status},
    )
    return Reply([render(row) for row in rows])


@resource.route("POST", "/org/{orgId}/billableMetric")
def create_billable_metric(call: Call) -> Reply:
    body = fields(call.body)
    metric_id = text(body, "id", minimum=1, maximum=36, default=None) or call.new_uuid()
    if text(body, "organizationId", default=ORGANIZATION) != ORGANIZATION:
        raise Refusal(400, "organizationId must be the organization of the path")
    name = _name(body)
    description = _description(body)
    aggregation = one_of(body, "aggregationType", AGGREGATIONS)
    status = one_of(body, "status", STATUSES, default="ACTIVE")
    info = _info(mapping(body, "info", default={}))
    if aggregation == "UNIQUE_COUNT" and "propertyUniqueOn" not in info:
        raise Refusal(400, "info.propertyUniqueOn is required for UNIQUE_COUNT")
    taken = "select 1 from suger_billable_metrics where id = ?"
    if call.db.execute(taken, (metric_id,)).fetchone():
        raise Refusal(409, f"billable metric {metric_id} already exists")
    call.db.execute(
        """
        insert into suger_billable_metrics
          (id, name, description, aggregation_type, status, info, creation_time, last_update_time)
        values (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            *(metric_id, name, description, aggregation, status),
            *(money.to_json(info).decode(), call.stamp, call.stamp),
        ),
    )
    call.effect("billable-metric.created", metric_id)
    return Reply(render(_row(call, metric_id)))


@resource.route("GET", "/org/{orgId}/billableMetric/{billableMetricId}")
def get_billable_metric(call: Call) -> Reply:
    return Reply(render(_row(call, call.path["billableMetricId"])))


@resource.route("PATCH", "/org/{orgId}/billableMetric/{billableMetricId}")
def update_billable_metric(call: Call) -> Reply:
    metric_id = call.path["billableMetricId"]
    row = _row(call, metric_id)
    body = fields(call.body)
    call.db.execute(
        "update suger_billable_metrics"
        " set name = ?, description = ?, status = ?, last_update_time = ? where id = ?",
        (
            _name(body) if "name" in body else row["name"],
            _description(body) if "description" in body else row["description"],
            one_of(body, "status", STATUSES, default=row["status"]),
            *(call.stamp, metric_id),
        ),
    )
    call.effect("billable-metric.updated", metric_id)
    return Reply(render(_row(call, metric_id)))


def _name(body: Mapping[str, Any]) -> str:
    return text(body, "name", minimum=4, maximum=50)


def _description(body: Mapping[str, Any]) -> str:
    return text(body, "description", maximum=300, default="")


def _info(info: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of BillableMetricInfo that were given, read."""
    read: dict[str, Any] = {}
    groups = listed(info, "filterGroups", default=ABSENT, at="info.")
    if groups is not ABSENT:
        read["filterGroups"] = [
            _filter_group(group, f"info.filterGroups[{index}].")
            for index, group in enumerate(groups)
        ]
    properties = listed(info, "groupBys", default=ABSENT, at="info.")
    if properties is not ABSENT:
        places = {str(index): name for index, name in enumerate(properties)}
        read["groupBys"] = [text(places, at, minimum=1, at="info.groupBys.") for at in places]
        if len(set(read["groupBys"])) < len(properties):
            raise Refusal(400, "info.groupBys must not name a property twice")
    unique_on = text(info, "propertyUniqueOn", default="", at="info.")
    if unique_on:
        read["propertyUniqueOn"] = unique_on
    return read


def _filter_group(group: Any, at: str) -> dict[str, Any]:
    conditions = listed(fields(group, at), "filters", default=[], at=at)
    return {
        "filters": [
            _filter(condition, f"{at}filters[{index}].")
            for index, condition in enumerate(conditions)
        ]
    }


def _filter(condition: Any, at: str) -> dict[str, Any]:
    body = fields(condition, at)
    value_type = one_of(body, "valueType", ("STRING", "FLOAT"), default="STRING", at=at)
    suitable = _OF_TEXT if value_type == "STRING" else _OF_NUMBER
    operation = one_of(body, "operation", (*suitable, *_OF_EITHER), at=at)
    read: dict[str, Any] = {
        "name": text(body, "name", minimum=1, at=at),
        "operation": operation,
        "valueType": value_type,
    }
    if operation not in _OF_EITHER:
        if value_type == "STRING":
            read["value"] = text(body, "value", at=at)
        else:
            read["value"] = quantity(body, "value", at)
    return read


def _row(call: Call, metric_id: str) -> Row:
    row: Row | None = call.db.execute(
        "select * from suger_billable_metrics where id = ?", (metric_id,)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"billable metric {metric_id} not found")
    return row


def render(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "organizationId": ORGANIZATION,
        "name": row["name"],
        "description": row["description"],
        "aggregationType": row["aggregation_type"],
        "status": row["status"],
        "info": money.from_json(row["info"]),
        "creationTime": row["creation_time"],
        "lastUpdateTime": row["last_update_time"],
    }
