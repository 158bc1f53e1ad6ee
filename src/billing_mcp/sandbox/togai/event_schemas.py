"""Togai's event schemas: what an event of a name consists of, in numbered versions."""

import re
from typing import Any

from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import contact, event_enrichments, quotas
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

NAME = r"[\sa-zA-Z0-9_-]*"
_STATUSES = ("ACTIVE", "INACTIVE")
_UPDATED = (
    *("description", "attributes", "dimensions", "enrichments"),
    *("filterFields", "eventIdTemplate"),
)
# Ours: how a template names parts of the event; the vendor's form was not found.
PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")

_CURRENT = (
    "select s.*, (select count(*) from usage_meters m where m.event_schema_name = s.name"
    " and m.status <> 'ARCHIVED') as meters from event_schemas s"
    " where version = (select max(version) from event_schemas n where n.name = s.name)"
)
_LISTING = Listing(
    select=_CURRENT,
    unique="name",
    filters={"status": "status = ?"},
    hidden=("status <> 'ARCHIVED'", ("status",)),
)


@resource.route("GET", "/event_schema")
def list_event_schemas(request: Call) -> Reply:
    call.one_of(request.query, "status", _STATUSES, default=None)
    found = page(request, _LISTING)
    data = [render(request, row) | {"usageMetersCount": row["meters"]} for row in found.rows]
    return Reply(found.answer(data))


@resource.route("POST", "/event_schema")
def create_event_schema(request: Call) -> Reply:
    body = call.closed(request.body, ("name", *_UPDATED))
    name = call.text(body, "name", minimum=1, maximum=50, pattern=NAME)
    if not name.strip():
        raise Refusal(400, "name must not be blank")
    for required in ("attributes", "dimensions"):
        call.listed(body, required)
    if name.lower().startswith("togai-"):
        raise Refusal(400, "name: names that begin with togai- are the vendor's own")
    if _current(request, name) is not None:
        raise Refusal(400, f"Event schema {name} exists already")
    quotas.room_for_one(request, quotas.EVENT_SCHEMAS)
    columns = {
        "name": name,
        "version": 1,
        "status": "DRAFT",
        "filter_fields": "[]",
        **_read(body),
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    _check_names(columns)
    store.insert(request.db, "event_schemas", columns)
    request.effect("event-schema", name)
    return Reply(render(request, existing(request, name)), 201)


@resource.route("GET", "/event_schema/{event_schema_name}")
def get_event_schema(request: Call) -> Reply:
    name = request.path["event_schema_name"]
    version = request.query.get("version")
    if version is None:
        return Reply(render(request, existing(request, name)))
    row = request.db.execute(
        "select * from event_schemas where name = ? and cast(version as text) = ?", (name, version)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Event schema {name} has no version {version}")
    return Reply(render(request, row))


@resource.route("GET", "/event_schema/{event_schema_name}/versions")
def list_event_schema_versions(request: Call) -> Reply:
    """The latest first (ours)."""
    name = existing(request, request.path["event_schema_name"])["name"]
    rows = request.db.execute(
        "select * from event_schemas where name = ? order by version desc", (name,)
    )
    return Reply({"data": [render(request, row) for row in rows]})


@resource.route("PATCH", "/event_schema/{event_schema_name}")
def update_event_schema(request: Call) -> Reply:
    row = _open(request)
    changes = _read(call.closed(request.body, _UPDATED))
    changes["updated_at"] = request.stamp
    key = {"name": row["name"], "version": row["version"]}
    _check_names(dict(row) | changes)
    if row["status"] == "DRAFT":
        store.update(request.db, "event_schemas", changes, **key)
    else:
        _check_only_additions(row, changes)
        successor = dict(row) | changes | {"version": row["version"] + 1}
        store.update(request.db, "event_schemas", {"status": "ARCHIVED"}, **key)
        store.insert(request.db, "event_schemas", successor)
    request.effect("event-schema-update", row["name"])
    return Reply(render(request, existing(request, row["name"])))


@resource.route("POST", "/event_schema/{event_schema_name}/activate")
def activate_event_schema(request: Call) -> Reply:
    return _set_status(request, _open(request), "ACTIVE")


@resource.route("POST", "/event_schema/{event_schema_name}/deactivate")
def deactivate_event_schema(request: Call) -> Reply:
    row = _open(request)
    if row["status"] == "DRAFT":
        raise Refusal(400, f"Event schema {row['name']} was never activated")
    _refuse_if_metered(request, row)
    return _set_status(request, row, "INACTIVE")


@resource.route("DELETE", "/event_schema/{event_schema_name}")
def delete_event_schema(request: Call) -> Reply:
    row = existing(request, request.path["event_schema_name"])
    _refuse_if_metered(request, row)
    _set_status(request, row, "ARCHIVED")
    return Reply({"success": True})


def existing(request: Call, name: str) -> Row:
    """The current version of a schema, archived or not. Refuses with 404."""
    row = _current(request, name)
    if row is None:
        raise Refusal(404, f"Event schema {name} not found")
    return row


def _current(request: Call, name: str) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from event_schemas where name = ? order by version desc limit 1", (name,)
    ).fetchone()
    return row


def _open(request: Call) -> Row:
    row = existing(request, request.path["event_schema_name"])
    if row["status"] == "ARCHIVED":
        raise Refusal(400, f"Event schema {row['name']} is archived")
    return row


def _set_status(request: Call, row: Row, status: str) -> Reply:
    if row["status"] != status:
        changes = {"status": status, "updated_at": request.stamp}
        key = {"name": row["name"], "version": row["version"]}
        store.update(request.db, "event_schemas", changes, **key)
        request.effect(f"event-schema-{status.lower()}", row["name"])
    return Reply(render(request, existing(request, row["name"])))


def _refuse_if_metered(request: Call, row: Row) -> None:
    meter = request.db.execute(
        "select name from usage_meters where event_schema_name = ? and status = 'ACTIVE'",
        (row["name"],),
    ).fetchone()
    if meter:
        raise Refusal(400, f"Usage meter {meter['name']} of this schema is active; deactivate it")


def _read(body: dict[str, Any]) -> dict[str, Any]:
    """Columns and values of the fields that are there."""
    columns: dict[str, Any] = {}
    if "enrichments" in body:
        columns["enrichments"] = packed(event_enrichments.read(body))
    if "description" in body:
        columns["description"] = call.text(body, "description", maximum=255)
    if "attributes" in body:
        columns["attributes"] = packed(_named(body, "attributes", ("name", "defaultUnit")))
    if "dimensions" in body:
        columns["dimensions"] = packed(_named(body, "dimensions", ("name",)))
    if "filterFields" in body:
        columns["filter_fields"] = packed(contact.texts(body, "filterFields"))
    if "eventIdTemplate" in body:
        columns["event_id_template"] = call.text(body, "eventIdTemplate", minimum=1)
    return columns


def _named(body: dict[str, Any], field: str, names: tuple[str, ...]) -> list[dict[str, str]]:
    read: list[dict[str, str]] = []
    for index, item in enumerate(call.listed(body, field, maximum=50)):
        at = f"{field}[{index}]."
        given = call.closed(item, names, at)
        entry = {"name": call.text(given, "name", minimum=1, maximum=50, pattern=NAME, at=at)}
        if "defaultUnit" in given:
            entry["defaultUnit"] = call.text(given, "defaultUnit", maximum=10, at=at)
        if any(other["name"] == entry["name"] for other in read):
            raise Refusal(400, f"{at}name: {entry['name']} is there twice")
        read.append(entry)
    return read


def _check_names(columns: dict[str, Any]) -> None:
    """What filter fields and the id template name must be in the schema, and every name once."""
    dimensions = {entry["name"] for entry in unpacked(columns, "dimensions")}
    attributes = {entry["name"] for entry in unpacked(columns, "attributes")}
    added = unpacked(columns, "enrichments") if columns.get("enrichments") else None
    enriched = {
        name for kind in event_enrichments.TYPES for name in event_enrichments.names(added, kind)
    }
    for name in sorted(enriched & (dimensions | attributes)):
        raise Refusal(400, f"enrichments: {name} is in the schema already")
    for name in unpacked(columns, "filter_fields"):
        if name not in dimensions | attributes | enriched:
            raise Refusal(400, f"filterFields: {name} is neither a dimension nor an attribute")
    known = {"accountId", "timestamp", "schemaName"}
    known |= {f"dimensions.{name}" for name in dimensions}
    known |= {f"attributes.{name}" for name in attributes}
    template = columns.get("event_id_template")
    for name in PLACEHOLDER.findall(template or ""):
        if name not in known:
            raise Refusal(400, f"eventIdTemplate: {{{{{name}}}}} is not a part of the event")


def _check_only_additions(row: Row, changes: dict[str, Any]) -> None:
    for column in ("attributes", "dimensions"):
        if column in changes:
            kept = unpacked(changes, column)
            for entry in unpacked(row, column):
                if entry not in kept:
                    raise Refusal(
                        400, f"{column}: {entry['name']} is in use and cannot change or go away"
                    )


def render(request: Call, row: Row) -> dict[str, Any]:
    feature = request.db.execute(
        "select * from feature_schemas where schema_name = ?", (row["name"],)
    ).fetchone()
    return present(
        name=row["name"],
        description=row["description"],
        version=row["version"],
        status=row["status"],
        attributes=unpacked(row, "attributes"),
        dimensions=unpacked(row, "dimensions"),
        filterFields=unpacked(row, "filter_fields"),
        enrichments=unpacked(row, "enrichments"),
        featureDetails=feature
        and {"featureId": feature["feature_id"], "attributeName": feature["attribute_name"]},
        eventIdTemplate=row["event_id_template"],
        eventLevelRevenue=False,
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
    )
