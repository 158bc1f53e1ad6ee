"""Togai's named licences: who holds one, added and removed by events of a schema of its own."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import add_ons, licence_history, licence_plans, usage_sums
from billing_mcp.sandbox.togai.columns import present
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

# Predefined by the vendor: it needs not be created, and its events name no usage.
SCHEMA: Final = "togai-named-license"
_LONGEST_NAME = 50

_LISTING = Listing(
    select="select * from named_licences",
    unique="id",
    order=("updated_at", True),
    default_size=50,
    maximum_size=50,
)


class InvalidNamedLicence(ValueError):
    """The event cannot be applied. The message says why."""


@resource.route("GET", "/named_license_updates")
def list_named_licence_updates(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


def apply_event(request: Call, account_id: str, event: Mapping[str, Any]) -> bool:
    """Add a name to a licence or remove it; answers whether a plan prices the licence then.

    Raises `InvalidNamedLicence`.
    """
    licence_id, name, action = _read(request, event)
    at = clock.read(event["timestamp"])
    stamp = clock.written(at)
    ended = licence_plans.closed_since(request.db, account_id, licence_id, at, request.now)
    if ended is not None:
        raise InvalidNamedLicence(f"The grace period of that cycle ended at {clock.written(ended)}")
    if action == "1":
        _add(request, account_id, licence_id, name, stamp)
    else:
        _remove(request, account_id, licence_id, name, stamp)
    usage_sums.mark_stale(request, account_id)
    return any(licence_plans.cards_at(request.db, account_id, licence_id, at))


def _read(request: Call, event: Mapping[str, Any]) -> tuple[str, str, str]:
    dimensions = event["dimensions"]
    for dimension in ("license_id", "name"):
        if dimension not in dimensions:
            raise InvalidNamedLicence(f"The dimension {dimension} is missing")
    licence_id, name = dimensions["license_id"], dimensions["name"]
    if len(name) > _LONGEST_NAME:
        raise InvalidNamedLicence(f"The name is longer than {_LONGEST_NAME} characters")
    actions = [entry["value"] for entry in event["attributes"] if entry["name"] == "action"]
    if len(actions) != 1 or actions[0] not in ("1", "-1"):
        raise InvalidNamedLicence("The attribute action must be there once, as 1 or -1")
    licence = add_ons.find(request, licence_id)
    if licence is None or licence["type"] != "NAMED_LICENSE" or licence["status"] != "ACTIVE":
        raise InvalidNamedLicence(f"There is no named licence {licence_id}")
    return licence_id, name, actions[0]


def _add(request: Call, account_id: str, licence_id: str, name: str, stamp: str) -> None:
    """Ours: a name may not be held twice at a time, nor added before it was held already."""
    held = request.db.execute(
        "select 1 from named_licences where account_id = ? and licence_id = ? and name = ?"
        " and (effective_until is null or effective_until > ?)",
        (account_id, licence_id, name, stamp),
    ).fetchone()
    if held:
        raise InvalidNamedLicence(f"{name} holds the licence then or later already")
    most = licence_plans.most_allowed(request.db, account_id, licence_id, clock.read(stamp))
    if most is not None and _most_held_from(request, account_id, licence_id, stamp) >= most:
        raise InvalidNamedLicence(f"The plan allows no more than {most} of this licence")
    columns = {
        "id": request.new_id("named_license_entry"),
        "account_id": account_id,
        "licence_id": licence_id,
        "name": name,
        "effective_from": stamp,
        "effective_until": None,
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    store.insert(request.db, "named_licences", columns)


def _most_held_from(request: Call, account_id: str, licence_id: str, stamp: str) -> Decimal:
    """The most names that hold the licence at a moment or later."""
    most = Decimal(0)
    for moment, held in licence_history.named(request.db, account_id, licence_id):
        # What is held at the moment itself is what the last change before it left.
        most = held if moment <= stamp else max(most, held)
    return most


def _remove(request: Call, account_id: str, licence_id: str, name: str, stamp: str) -> None:
    row = request.db.execute(
        "select id from named_licences where account_id = ? and licence_id = ? and name = ?"
        " and effective_until is null and effective_from <= ?",
        (account_id, licence_id, name, stamp),
    ).fetchone()
    if row is None:
        raise InvalidNamedLicence(f"{name} does not hold the licence then")
    changes = {"effective_until": stamp, "updated_at": request.stamp}
    store.update(request.db, "named_licences", changes, id=row["id"])


def render(row: Row) -> dict[str, Any]:
    return present(
        id=row["id"],
        licenseId=row["licence_id"],
        accountId=row["account_id"],
        name=row["name"],
        effectiveFrom=row["effective_from"],
        effectiveUntil=row["effective_until"],
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
    )
