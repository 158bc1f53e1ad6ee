"""Togai's usage meters: how the events of a schema become a number."""

from typing import Any

from billing_mcp.rating import json_logic
from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import event_enrichments, event_schemas, quotas
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_STATUSES = ("ACTIVE", "INACTIVE")
_AGGREGATIONS = ("COUNT", "SUM")
_UPDATED = (
    *("name", "billableName", "description", "filters", "type", "aggregation"),
    *("computations", "eventSchemaName"),
)
# What may change while events are being metered.
_HARMLESS = ("name", "billable_name", "description")

_LISTING = Listing(
    select="select * from usage_meters",
    unique="id",
    filters={"status": "status = ?", "aggregations": "instr(?, aggregation) > 0"},
    sorts={"updated_at": "updated_at"},
    hidden=("status <> 'ARCHIVED'", ("status",)),
)


@resource.route("GET", "/usage_meters")
def list_usage_meters(request: Call) -> Reply:
    call.one_of(request.query, "status", _STATUSES, default=None)
    for name in request.query.get("aggregations", "COUNT").split(","):
        call.one_of({"aggregations": name}, "aggregations", _AGGREGATIONS)
    found = page(request, _LISTING)
    return Reply(found.answer([render(request, row) for row in found.rows]))


@resource.route("POST", "/usage_meters")
def create_usage_meter(request: Call) -> Reply:
    body = call.closed(request.body, _UPDATED)
    # The vendor's document does not require the schema's name; a meter of nothing is no use.
    for required in ("name", "type", "aggregation", "eventSchemaName"):
        call.text(body, required)
    quotas.room_for_one(request, quotas.USAGE_METERS)
    columns = {
        "id": request.new_id("um"),
        "filters": "[]",
        "computations": "[]",
        "version": 1,
        "status": "DRAFT",
        **_read(body),
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    _check(request, columns)
    store.insert(request.db, "usage_meters", columns)
    request.effect("usage-meter", columns["id"])
    return Reply(render(request, existing(request, columns["id"])), 201)


@resource.route("GET", "/usage_meters/{usage_meter_id}")
def get_usage_meter(request: Call) -> Reply:
    row = existing(request, request.path["usage_meter_id"])
    wanted = request.query.get("includeSchema", "true").lower()
    return Reply(render(request, row, with_schema=wanted != "false"))


@resource.route("PATCH", "/usage_meters/{usage_meter_id}")
def update_usage_meter(request: Call) -> Reply:
    row = _open(request)
    changes = _read(call.closed(request.body, _UPDATED))
    if row["status"] == "ACTIVE" and not set(changes).issubset(_HARMLESS):
        raise Refusal(400, f"Usage meter {row['id']} is active; deactivate it before this change")
    changes |= {"version": row["version"] + 1, "updated_at": request.stamp}
    _check(request, dict(row) | changes)
    store.update(request.db, "usage_meters", changes, id=row["id"])
    request.effect("usage-meter-update", row["id"])
    return Reply(render(request, existing(request, row["id"])))


@resource.route("POST", "/usage_meters/{usage_meter_id}/activate")
def activate_usage_meter(request: Call) -> Reply:
    row = _open(request)
    schema = event_schemas.existing(request, row["event_schema_name"])
    if schema["status"] != "ACTIVE":
        raise Refusal(400, f"Event schema {schema['name']} is not active; activate it first")
    return _set_status(request, row, "ACTIVE")


@resource.route("POST", "/usage_meters/{usage_meter_id}/deactivate")
def deactivate_usage_meter(request: Call) -> Reply:
    row = _open(request)
    if row["status"] == "DRAFT":
        raise Refusal(400, f"Usage meter {row['id']} was never activated")
    return _set_status(request, row, "INACTIVE")


@resource.route("DELETE", "/usage_meters/{usage_meter_id}")
def delete_usage_meter(request: Call) -> Reply:
    row = existing(request, request.path["usage_meter_id"])
    plan = request.db.execute(
        "select p.name from price_plans p join price_plan_versions v on v.price_plan_id = p.id,"
        " json_each(v.details, '$.usageRateCards') card"
        " where p.status <> 'ARCHIVED' and card.value ->> 'usageMeterId' = ?",
        (row["id"],),
    ).fetchone()
    if plan:
        raise Refusal(400, f"Usage meter {row['id']} is priced by the plan {plan['name']}")
    _set_status(request, row, "ARCHIVED")
    return Reply({"success": True})


def existing(request: Call, usage_meter_id: str) -> Row:
    """The meter's row, archived or not. Refuses with 404."""
    row: Row | None = request.db.execute(
        "select * from usage_meters where id = ?", (usage_meter_id,)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Usage meter {usage_meter_id} not found")
    return row


def _open(request: Call) -> Row:
    row = existing(request, request.path["usage_meter_id"])
    if row["status"] == "ARCHIVED":
        raise Refusal(400, f"Usage meter {row['id']} is archived")
    return row


def _set_status(request: Call, row: Row, status: str) -> Reply:
    if row["status"] != status:
        changes = {"status": status, "updated_at": request.stamp}
        if status == "ACTIVE":
            changes["last_activated_at"] = request.stamp
        store.update(request.db, "usage_meters", changes, id=row["id"])
        request.effect(f"usage-meter-{status.lower()}", row["id"])
    return Reply(render(request, existing(request, row["id"])))


def _read(body: dict[str, Any]) -> dict[str, Any]:
    """Columns and values of the fields that are there."""
    columns: dict[str, Any] = {}
    if "name" in body:
        name = call.text(body, "name", minimum=1, maximum=50, pattern=event_schemas.NAME)
        columns["name"] = name
    if "billableName" in body:
        columns["billable_name"] = call.text(body, "billableName", maximum=255)
    if "description" in body:
        columns["description"] = call.text(body, "description", maximum=255)
    if "type" in body:
        columns["type"] = call.one_of(body, "type", ("COUNTER",))
    if "aggregation" in body:
        columns["aggregation"] = call.one_of(body, "aggregation", _AGGREGATIONS)
    if "eventSchemaName" in body:
        columns["event_schema_name"] = call.text(body, "eventSchemaName", minimum=1)
    if "filters" in body:
        columns["filters"] = packed(_filters(body))
    if "computations" in body:
        columns["computations"] = packed(_computations(body))
    return columns


def _filters(body: dict[str, Any]) -> list[dict[str, str]]:
    read = []
    for index, item in enumerate(call.listed(body, "filters")):
        at = f"filters[{index}]."
        given = call.closed(item, ("field", "value"), at)
        read.append({name: call.text(given, name, at=at) for name in ("field", "value")})
    return read


def _computations(body: dict[str, Any]) -> list[dict[str, Any]]:
    read = []
    for index, item in enumerate(call.listed(body, "computations", maximum=1)):
        at = f"computations[{index}]."
        given = call.closed(item, ("id", "matcher", "computation", "order"), at)
        entry: dict[str, Any] = {
            "computation": call.text(given, "computation", minimum=1, maximum=500, at=at),
            "order": call.whole(given, "order", minimum=0, maximum=1000, at=at),
        }
        if "id" in given:
            entry["id"] = call.text(given, "id", maximum=50, at=at)
        if "matcher" in given:
            entry["matcher"] = call.text(given, "matcher", maximum=1500, at=at)
        for name in ("matcher", "computation"):
            if entry.get(name):
                _check_logic(entry[name], f"{at}{name}")
        read.append(entry)
    return read


def _check_logic(text: str, place: str) -> None:
    try:
        json_logic.parse(text)
    except json_logic.LogicError as error:
        raise Refusal(400, f"{place} is not usable JSONLogic: {error}") from error


def _check(request: Call, columns: dict[str, Any]) -> None:
    """What one field alone cannot tell. Refuses with 400."""
    schema = request.db.execute(
        "select * from event_schemas where name = ? order by version desc limit 1",
        (columns["event_schema_name"],),
    ).fetchone()
    if schema is None or schema["status"] == "ARCHIVED":
        name = columns["event_schema_name"]
        raise Refusal(400, f"eventSchemaName: there is no event schema {name}")
    dimensions = [entry["name"] for entry in unpacked(schema, "dimensions")]
    dimensions += event_enrichments.names(unpacked(schema, "enrichments"), "DIMENSION")
    for entry in unpacked(columns, "filters"):
        if entry["field"] not in dimensions:
            raise Refusal(400, f"filters: {entry['field']} is not a dimension of {schema['name']}")
    for entry in unpacked(columns, "computations"):
        if columns["aggregation"] == "COUNT" and entry["computation"] != "1":
            raise Refusal(400, 'computations[0].computation must be "1" when counting')
    if columns["aggregation"] == "SUM" and not unpacked(columns, "computations"):
        raise Refusal(400, "computations is required when summing: what should be added up?")
    other = request.db.execute(
        "select id from usage_meters where name = ? and id <> ? and status <> 'ARCHIVED'",
        (columns["name"], columns["id"]),
    ).fetchone()
    if other:
        raise Refusal(400, f"name: usage meter {other['id']} is called {columns['name']} already")


def render(request: Call, row: Row, *, with_schema: bool = True) -> dict[str, Any]:
    schema = event_schemas.existing(request, row["event_schema_name"]) if with_schema else None
    return present(
        id=row["id"],
        name=row["name"],
        billableName=row["billable_name"],
        displayName=row["billable_name"] or row["name"],
        description=row["description"],
        filters=unpacked(row, "filters"),
        type=row["type"],
        status=row["status"],
        aggregation=row["aggregation"],
        computations=unpacked(row, "computations"),
        eventSchema=schema and event_schemas.render(request, schema),
        createdAt=row["created_at"],
        lastActivatedAt=row["last_activated_at"],
        updatedAt=row["updated_at"],
    )
