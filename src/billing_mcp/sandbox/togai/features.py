"""Togai's features: what credits are granted for, fed by attributes of events."""

from typing import Any

from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import event_schemas
from billing_mcp.sandbox.togai.columns import present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_FIELDS = ("name", "billableName", "schemaAssociations")

_LISTING = Listing(
    select="select f.*, (select count(*) from feature_schemas s where s.feature_id = f.id)"
    " as schemas from features f",
    unique="id",
)


@resource.route("GET", "/features")
def list_features(request: Call) -> Reply:
    found = page(request, _LISTING)
    data = [_rendered(row) | {"schemaCount": row["schemas"]} for row in found.rows]
    return Reply(found.answer(data))


@resource.route("POST", "/features")
def create_feature(request: Call) -> Reply:
    body = call.closed(request.body, _FIELDS)
    name = call.text(body, "name", minimum=1, maximum=255)
    billable_name = call.text(body, "billableName", maximum=255, default=None)
    call.listed(body, "schemaAssociations")
    _refuse_taken_name(request, name, None)
    columns = {
        "id": request.new_id("feat"),
        "name": name,
        "billable_name": billable_name,
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    store.insert(request.db, "features", columns)
    _associate(request, str(columns["id"]), body)
    request.effect("feature", str(columns["id"]))
    return Reply(render(request, existing(request, str(columns["id"]))))


@resource.route("GET", "/features/{feature_id}")
def get_feature(request: Call) -> Reply:
    return Reply(render(request, existing(request, request.path["feature_id"])))


@resource.route("PATCH", "/features/{feature_id}")
def update_feature(request: Call) -> Reply:
    row = existing(request, request.path["feature_id"])
    body = call.closed(request.body, _FIELDS)
    changes = {"updated_at": request.stamp}
    if "name" in body:
        changes["name"] = call.text(body, "name", minimum=1, maximum=255)
        _refuse_taken_name(request, changes["name"], row["id"])
    if "billableName" in body:
        changes["billable_name"] = call.text(body, "billableName", maximum=255)
    store.update(request.db, "features", changes, id=row["id"])
    if "schemaAssociations" in body:
        request.db.execute("delete from feature_schemas where feature_id = ?", (row["id"],))
        _associate(request, row["id"], body)
    request.effect("feature-update", row["id"])
    return Reply(render(request, existing(request, row["id"])))


def existing(request: Call, feature_id: str) -> Row:
    """The feature's row. Refuses with 404."""
    row: Row | None = request.db.execute(
        "select * from features where id = ?", (feature_id,)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Feature {feature_id} not found")
    return row


def of_schema(request: Call, schema_name: str) -> Row | None:
    """The association of the feature that a schema's events feed, if there is one."""
    row: Row | None = request.db.execute(
        "select * from feature_schemas where schema_name = ?", (schema_name,)
    ).fetchone()
    return row


def _refuse_taken_name(request: Call, name: str, own_id: str | None) -> None:
    other = request.db.execute(
        "select id from features where name = ? and id is not ?", (name, own_id)
    ).fetchone()
    if other:
        raise Refusal(400, f"name: feature {other['id']} is called {name} already")


def _associate(request: Call, feature_id: str, body: dict[str, Any]) -> None:
    for index, item in enumerate(call.listed(body, "schemaAssociations", maximum=50)):
        at = f"schemaAssociations[{index}]."
        given = call.closed(item, ("schemaName", "attributeName"), at)
        schema_name = call.text(given, "schemaName", pattern=event_schemas.NAME, at=at)
        attribute = call.text(given, "attributeName", at=at)
        schema = request.db.execute(
            "select * from event_schemas where name = ? and status <> 'ARCHIVED'", (schema_name,)
        ).fetchone()
        if schema is None:
            raise Refusal(400, f"{at}schemaName: there is no event schema {schema_name}")
        if attribute not in [entry["name"] for entry in unpacked(schema, "attributes")]:
            raise Refusal(400, f"{at}attributeName: {attribute} is not an attribute of the schema")
        other = of_schema(request, schema_name)
        if other is not None:
            feature = other["feature_id"]
            raise Refusal(400, f"{at}schemaName: {schema_name} feeds the feature {feature} already")
        columns = {
            "schema_name": schema_name,
            "feature_id": feature_id,
            "attribute_name": attribute,
        }
        store.insert(request.db, "feature_schemas", columns)


def _rendered(row: Row) -> dict[str, Any]:
    return present(
        id=row["id"],
        name=row["name"],
        billableName=row["billable_name"],
        displayName=row["billable_name"] or row["name"],
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
    )


def render(request: Call, row: Row) -> dict[str, Any]:
    """The feature with what feeds it."""
    associations = request.db.execute(
        "select * from feature_schemas where feature_id = ? order by schema_name", (row["id"],)
    )
    return _rendered(row) | {
        "schemaAssociations": [
            {"schemaName": entry["schema_name"], "attributeName": entry["attribute_name"]}
            for entry in associations
        ]
    }
