"""Togai's alerts: what is watched of whom, how often, and from which threshold on."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import incidents
from billing_mcp.sandbox.togai.alert_templates import TEMPLATES, Template
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_STATUSES = ("ACTIVE", "INACTIVE")
_CHANGED = ("description", "status", "interval", "validity", "parameters")
_CREATED = (*_CHANGED, "alertTemplateId", "entityDetails", "ownerDetails")
_REQUIRED = ("interval", "status", "parameters")
# Ours: minutes, as the vendor says of `validity`; from an hour to a month, and a year of validity.
_SHORTEST, _LONGEST, _LONGEST_VALIDITY = 60, 44_640, 525_600
_LONGEST_TEXT = 255

_LISTING = Listing(select="select * from alerts", unique="number", order=("number", True))

# The things an alert can be about, by their names in `entityDetails`.
_TABLES = {"account": "accounts", "usageMeter": "usage_meters", "feature": "features"}


@resource.route("GET", "/alerts")
def list_alerts(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


@resource.route("POST", "/alerts")
def create_alert(request: Call) -> Reply:
    body = call.closed(request.body, _CREATED)
    for name in _REQUIRED:
        if name not in body:
            raise Refusal(400, f"{name} is required")
    template_id = call.one_of(body, "alertTemplateId", TEMPLATES)
    columns = _changes(body) | {
        "id": request.new_id("alert"),
        "number": _next_number(request),
        "version": 1,
        "template_id": template_id,
        "entity_details": packed(_entities(request, TEMPLATES[template_id], body)),
        "owner_details": _owner(body),
        "armed": 1,
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    store.insert(request.db, "alerts", columns)
    request.effect("alert", columns["id"])
    return _checked(request, columns["id"])


@resource.route("PATCH", "/alerts/{alert_id}")
def update_alert(request: Call) -> Reply:
    """Every change makes a new version, which opens incidents anew."""
    row = existing(request, request.path["alert_id"])
    changes = _changes(call.closed(request.body, _CHANGED)) | {
        "version": row["version"] + 1,
        "armed": 1,
        "updated_at": request.stamp,
    }
    store.update(request.db, "alerts", changes, id=row["id"])
    request.effect("alert-update", row["id"])
    return _checked(request, row["id"])


def existing(request: Call, alert_id: str) -> Row:
    """The alert's row. Refuses with 404."""
    row: Row | None = request.db.execute(
        "select * from alerts where id = ?", (alert_id,)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Alert {alert_id} not found")
    return row


def _checked(request: Call, alert_id: str) -> Reply:
    """Check an active alert at once, and from then on at each interval (ours)."""
    row = existing(request, alert_id)
    if row["status"] == "ACTIVE":
        incidents.check(request, row)
    else:
        store.update(request.db, "alerts", {"next_check_at": None}, id=alert_id)
    return Reply(render(row))


def _next_number(request: Call) -> int:
    row = request.db.execute("select count(*) as made from alerts").fetchone()
    return int(row["made"]) + 1


def _changes(body: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of the fields that are given."""
    columns: dict[str, Any] = {}
    if "description" in body:
        columns["description"] = call.text(body, "description", maximum=_LONGEST_TEXT)
    if "status" in body:
        columns["status"] = call.one_of(body, "status", _STATUSES)
    if "interval" in body:
        columns["interval_minutes"] = call.whole(
            body, "interval", minimum=_SHORTEST, maximum=_LONGEST
        )
    if "validity" in body:
        columns["validity_minutes"] = call.whole(
            body, "validity", minimum=1, maximum=_LONGEST_VALIDITY
        )
    if "parameters" in body:
        columns["parameters"] = packed({"threshold": {"value": _threshold(body)}})
    return columns


def _threshold(body: Mapping[str, Any]) -> Decimal:
    parameters = call.closed(call.mapping(body, "parameters"), ("threshold",), "parameters.")
    threshold = call.mapping(parameters, "threshold", at="parameters.")
    call.closed(threshold, ("value",), "parameters.threshold.")
    return call.number(threshold, "value", minimum=0, at="parameters.threshold.")


def _entities(request: Call, template: Template, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the alert is about, of which everything has to be there."""
    at = "entityDetails."
    given = call.closed(call.mapping(body, "entityDetails"), template.entities, at)
    found = {}
    for name in template.entities:
        entity = call.closed(call.mapping(given, name, at=at), ("id",), f"{at}{name}.")
        entity_id = call.text(entity, "id", at=f"{at}{name}.")
        row = request.db.execute(
            f"select id from {_TABLES[name]} where id = ?",  # noqa: S608 - our own names
            (entity_id,),
        ).fetchone()
        if row is None:
            raise Refusal(404, f"{at}{name}.id: there is no {name} {entity_id}")
        found[name] = {"id": entity_id}
    return found


def _owner(body: Mapping[str, Any]) -> str | None:
    """Whom an incident is for. The sandbox sends nobody anything."""
    given = call.mapping(body, "ownerDetails", default=None)
    if given is None:
        return None
    at = "ownerDetails.contact."
    contact = call.mapping(
        call.closed(given, ("contact",), "ownerDetails."), "contact", at="ownerDetails."
    )
    call.closed(contact, ("email",), at)
    email = call.text(contact, "email", maximum=320, pattern=r"[^@\s]+@[^@\s]+", at=at)
    return packed({"contact": {"email": email}})


def render(row: Row) -> dict[str, Any]:
    return present(
        id=row["id"],
        version=row["version"],
        description=row["description"],
        status=row["status"],
        validity=row["validity_minutes"],
        alertTemplateId=row["template_id"],
        interval=row["interval_minutes"],
        entityDetails=unpacked(row, "entity_details"),
        ownerDetails=unpacked(row, "owner_details"),
        parameters=unpacked(row, "parameters"),
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
    )
