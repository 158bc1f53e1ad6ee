"""Togai's add-ons: what rate cards of fees, licences and credit grants are named after."""

from typing import Any

from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai.columns import present
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

TYPES = ("LICENSE", "FIXED_FEE", "CREDIT_GRANT", "NAMED_LICENSE")
_STATUSES = ("ACTIVE", "ARCHIVED")
_LONGEST_NAME = 255

_LISTING = Listing(
    select="select * from add_ons",
    unique="id",
    filters={"status": "status = ?"},
    hidden=("status = 'ACTIVE'", ("status",)),
)


@resource.route("GET", "/addons")
def list_add_ons(request: Call) -> Reply:
    call.one_of(request.query, "status", _STATUSES, default=None)
    found = page(request, _LISTING)
    return Reply(found.answer([render(row) for row in found.rows]))


@resource.route("POST", "/addons")
def create_add_on(request: Call) -> Reply:
    body = call.closed(request.body, ("name", "type", "billableName"))
    columns = _names(body) | {
        "id": request.new_id("addon"),
        "name": call.text(body, "name", minimum=1, maximum=_LONGEST_NAME),
        "type": call.one_of(body, "type", TYPES),
        "status": "ACTIVE",
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    _refuse_taken_name(request, columns["name"], None)
    store.insert(request.db, "add_ons", columns)
    request.effect("add-on", columns["id"])
    return Reply(render(existing(request, columns["id"])))


@resource.route("GET", "/addons/{addon_id}")
def get_add_on(request: Call) -> Reply:
    return Reply(render(existing(request, request.path["addon_id"])))


@resource.route("PATCH", "/addons/{addon_id}")
def update_add_on(request: Call) -> Reply:
    row = existing(request, request.path["addon_id"])
    if row["status"] == "ARCHIVED":
        raise Refusal(400, f"Add-on {row['id']} is archived")
    changes = _names(call.closed(request.body, ("name", "billableName")))
    if "name" in changes:
        _refuse_taken_name(request, changes["name"], row["id"])
    store.update(request.db, "add_ons", changes | {"updated_at": request.stamp}, id=row["id"])
    request.effect("add-on-update", row["id"])
    return Reply(render(existing(request, row["id"])))


@resource.route("DELETE", "/addons/{addon_id}")
def delete_add_on(request: Call) -> Reply:
    """Archives it; archiving it again succeeds without effect."""
    row = existing(request, request.path["addon_id"])
    if row["status"] == "ARCHIVED":
        return Reply({"success": True})
    plan = request.db.execute(
        "select p.name from price_plans p join price_plan_versions v on v.price_plan_id = p.id,"
        " json_each(v.details) cards, json_each(cards.value) card"
        " where p.status <> 'ARCHIVED' and cards.type = 'array' and card.type = 'object'"
        " and card.value ->> '$.id' = ? limit 1",
        (row["id"],),
    ).fetchone()
    if plan:
        raise Refusal(400, f"Add-on {row['id']} is in the price plan {plan['name']}")
    changes = {"status": "ARCHIVED", "updated_at": request.stamp}
    store.update(request.db, "add_ons", changes, id=row["id"])
    request.effect("add-on-delete", row["id"])
    return Reply({"success": True})


def existing(request: Call, add_on_id: str) -> Row:
    """The add-on's row, archived or not. Refuses with 404."""
    row = find(request, add_on_id)
    if row is None:
        raise Refusal(404, f"Add-on {add_on_id} not found")
    return row


def find(request: Call, add_on_id: str) -> Row | None:
    """The add-on's row if there is one."""
    row: Row | None = request.db.execute(
        "select * from add_ons where id = ?", (add_on_id,)
    ).fetchone()
    return row


def check_card(request: Call, add_on_id: str, types: tuple[str, ...], at: str) -> None:
    """Refuse a rate card that names an add-on of another type, or an archived one.

    Ours: the id of a card may also be one that no add-on has.
    """
    row = find(request, add_on_id)
    if row is None:
        return
    if row["status"] == "ARCHIVED":
        raise Refusal(400, f"{at}id: add-on {add_on_id} is archived")
    if row["type"] not in types:
        raise Refusal(400, f"{at}id: add-on {add_on_id} is of type {row['type']}")


def _names(body: dict[str, Any]) -> dict[str, Any]:
    """The columns of the names that are given."""
    columns = {"name": "name", "billableName": "billable_name"}
    return {
        column: call.text(body, name, minimum=1, maximum=_LONGEST_NAME)
        for name, column in columns.items()
        if name in body
    }


def _refuse_taken_name(request: Call, name: str, own_id: str | None) -> None:
    other = request.db.execute(
        "select id from add_ons where name = ? and status <> 'ARCHIVED' and id is not ?",
        (name, own_id),
    ).fetchone()
    if other:
        raise Refusal(400, f"name: add-on {other['id']} is called {name} already")


def render(row: Row) -> dict[str, Any]:
    return present(
        id=row["id"],
        name=row["name"],
        type=row["type"],
        billableName=row["billable_name"],
        displayName=row["billable_name"] or row["name"],
        status=row["status"],
        createdAt=row["created_at"],
    )
