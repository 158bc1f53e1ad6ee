"""Togai's settings: values of the organisation, of a customer or of an account, with a type."""

from collections.abc import Mapping, Sequence
from typing import Any

from billing_mcp import money
from billing_mcp.rating import json_logic
from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

# Ours: the one organisation that there is here.
ORGANISATION = "sandbox"
# Ours: dots divide the parts of a full id.
_PART = r"[^./\s]+"
_LONGEST_PART = 100
_OWNERS = {"CUSTOMER": "customers", "ACCOUNT": "accounts"}
_ENTITY_TYPES = ("ORGANIZATION", *_OWNERS)
_DATA_TYPES = ("STRING", "NUMERIC", "JSON", "JSON_LOGIC")
_GIVEN = ("id", "value", "namespace", "name", "dataType")
_UPDATED = ("name", "value", "dataType")
# Of one customer or account when it is created.
_MOST_AT_ONCE = 10

_LISTING = Listing(
    select="select * from settings",
    unique="full_id",
    filters={
        "entity_type": "entity_type = ?",
        "entity_id": "entity_id = ?",
        "setting_id": "id = ?",
        "namespace": "namespace = ?",
    },
)


@resource.route("GET", "/settings")
def list_settings(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply(found.answer([render(row) for row in found.rows]))


@resource.route("POST", "/settings")
def create_setting(request: Call) -> Reply:
    body = call.closed(request.body, (*_GIVEN, "entityType", "entityId"))
    given = {name: value for name, value in body.items() if name in _GIVEN}
    entity_type = call.one_of(body, "entityType", _ENTITY_TYPES)
    entity_id = call.text(body, "entityId", minimum=1, maximum=255)
    _refuse_unknown_entity(request, entity_type, entity_id)
    return Reply(render(_insert(request, _read(given, ""), entity_type, entity_id)), 201)


@resource.route("GET", "/settings/{setting_id_str}")
def get_setting(request: Call) -> Reply:
    return Reply(render(existing(request, request.path["setting_id_str"])))


@resource.route("PATCH", "/settings/{setting_id_str}")
def update_setting(request: Call) -> Reply:
    """Answers 201, as documented."""
    row = existing(request, request.path["setting_id_str"])
    changes = call.closed(request.body, _UPDATED)
    merged = _read(_short(row) | changes, "")
    columns = {
        "name": merged["name"],
        "value": merged["value"],
        "data_type": merged["dataType"],
        "updated_at": request.stamp,
    }
    store.update(request.db, "settings", columns, full_id=row["full_id"])
    request.effect("setting-update", row["full_id"])
    return Reply(render(existing(request, row["full_id"])), 201)


def existing(request: Call, full_id: str) -> Row:
    """Refuses with 404."""
    row = _row(request, full_id)
    if row is None:
        raise Refusal(404, f"Setting {full_id} not found")
    return row


def _row(request: Call, full_id: str) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from settings where full_id = ?", (full_id,)
    ).fetchone()
    return row


def read_list(body: Mapping[str, Any], at: str = "") -> list[dict[str, str]]:
    """The optional field `settings` of a new customer or account."""
    read = []
    given = call.listed(body, "settings", maximum=_MOST_AT_ONCE, default=[], at=at)
    for index, item in enumerate(given):
        place = f"{at}settings[{index}]."
        read.append(_read(call.closed(item, _GIVEN, place), place))
    return read


def add(
    request: Call, given: Sequence[Mapping[str, str]], entity_type: str, entity_id: str
) -> None:
    """Keep settings that `read_list` read as those of a customer or account."""
    for setting in given:
        _insert(request, setting, entity_type, entity_id)


def of_entity(request: Call, entity_type: str, entity_id: str) -> list[dict[str, str]]:
    """The settings of a customer or account, as its own answers have them."""
    rows = request.db.execute(
        "select * from settings where entity_type = ? and entity_id = ? order by rowid",
        (entity_type, entity_id),
    )
    return [_short(row) for row in rows]


def in_effect(request: Call, key: str, account_id: str, customer_id: str) -> Row | None:
    """The setting that a key means for an account: its own, its customer's or everybody's.

    The key is a full id, or `setting.<namespace>.<id>`; ours: capitals make no difference in the
    namespace, as the vendor writes it both ways.
    """
    full = _row(request, key)
    if full is not None:
        return full
    _, _, rest = key.partition(".")
    namespace, _, setting_id = rest.partition(".")
    row: Row | None = request.db.execute(
        "select * from settings where lower(namespace) = lower(?) and id = ?"
        " and (entity_type, entity_id) in (values ('ACCOUNT', ?), ('CUSTOMER', ?),"
        " ('ORGANIZATION', ?)) order by entity_type limit 1",  # which is their alphabetical order
        (namespace, setting_id, account_id, customer_id, ORGANISATION),
    ).fetchone()
    return row


def value(row: Row) -> Any:
    """What logic reads of a setting: JSON as it is, everything else as its text."""
    return money.from_json(row["value"]) if row["data_type"] == "JSON" else row["value"]


def _read(given: Mapping[str, Any], at: str) -> dict[str, str]:
    read = {
        "id": call.text(given, "id", maximum=_LONGEST_PART, pattern=_PART, at=at),
        "value": call.text(given, "value", at=at),
        "namespace": call.text(given, "namespace", maximum=_LONGEST_PART, pattern=_PART, at=at),
        "name": call.text(given, "name", at=at),
        "dataType": call.one_of(given, "dataType", _DATA_TYPES, at=at),
    }
    try:
        match read["dataType"]:
            case "NUMERIC":
                money.exact(read["value"])
            case "JSON":
                money.from_json(read["value"])
            case "JSON_LOGIC":
                json_logic.parse(read["value"])
    except ValueError as error:
        raise Refusal(400, f"{at}value is not {read['dataType']}: {error}") from error
    return read


def _refuse_unknown_entity(request: Call, entity_type: str, entity_id: str) -> None:
    if entity_type == "ORGANIZATION":
        if entity_id != ORGANISATION:
            raise Refusal(400, f"entityId: the organisation here is {ORGANISATION}")
        return
    found = request.db.execute(
        f"select 1 from {_OWNERS[entity_type]} where id = ? and status <> 'ARCHIVED'",  # noqa: S608 - ours
        (entity_id,),
    ).fetchone()
    if found is None:
        raise Refusal(400, f"entityId: there is no {entity_type.lower()} {entity_id}")


def _insert(request: Call, given: Mapping[str, str], entity_type: str, entity_id: str) -> Row:
    full_id = f"setting.{given['namespace']}.{given['id']}.{entity_type}.{entity_id}"
    if _row(request, full_id) is not None:
        raise Refusal(400, f"Setting {full_id} exists already")
    columns = {
        "full_id": full_id,
        "id": given["id"],
        "value": given["value"],
        "entity_type": entity_type,
        "entity_id": entity_id,
        "namespace": given["namespace"],
        "name": given["name"],
        "data_type": given["dataType"],
        "updated_at": request.stamp,
    }
    store.insert(request.db, "settings", columns)
    request.effect("setting", full_id)
    return existing(request, full_id)


def _short(row: Row) -> dict[str, str]:
    return {
        "id": row["id"],
        "value": row["value"],
        "namespace": row["namespace"],
        "name": row["name"],
        "dataType": row["data_type"],
    }


def render(row: Row) -> dict[str, str]:
    return _short(row) | {"entityType": row["entity_type"], "entityId": row["entity_id"]}
