"""Togai's customers."""

from typing import Any

from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import accounts, contact, quotas, settings
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_CREATED = ("id", "name", "primaryEmail", "address", "settings", "account")
_UPDATED = ("name", "primaryEmail", "address")

_LISTING = Listing(
    select="select * from customers",
    unique="id",
    filters={"id": "id = ?", "status": "status = ?"},
    combinations=(frozenset(("id",)), frozenset(("status",))),
    searched=("id", "name", "primary_email"),
    sorts={"id": "id", "updated_at": "updated_at"},
    hidden=("status <> 'ARCHIVED'", ("id", "status")),
)


@resource.route("GET", "/customers")
def list_customers(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply(found.answer([render(row) for row in found.rows]))


@resource.route("POST", "/customers")
def create_customer(request: Call) -> Reply:
    body = call.closed(request.body, _CREATED)
    customer_id = call.text(body, "id", minimum=1, maximum=50)
    name = call.text(body, "name", minimum=3, maximum=255)
    primary_email = contact.email(body, "primaryEmail")
    address = contact.address(body)
    own_settings = settings.read_list(body)
    if _row(request, customer_id) is not None:
        raise Refusal(400, f"Customer with id {customer_id} exists already")
    quotas.room_for_one(request, quotas.CUSTOMERS)
    columns = {
        "id": customer_id,
        "internal_id": request.new_id("cust"),
        "name": name,
        "primary_email": primary_email,
        "address": packed(address),
        "status": "ACTIVE",
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    store.insert(request.db, "customers", columns)
    request.effect("customer", customer_id)
    settings.add(request, own_settings, "CUSTOMER", customer_id)
    answer = _without_state(render(existing(request, customer_id)))
    answer["settings"] = settings.of_entity(request, "CUSTOMER", customer_id)
    if "account" in body:
        given = call.mapping(body, "account")
        row = accounts.create(request, given, customer_id, at="account.")
        answer["account"] = accounts.render(request, row)
    return Reply(answer, 201)


def _without_state(customer: dict[str, Any]) -> dict[str, Any]:
    """The vendor's answer to a creation has neither the status nor the times (documented)."""
    state = ("status", "createdAt", "updatedAt")
    return {name: value for name, value in customer.items() if name not in state}


@resource.route("GET", "/customers/{customer_id}")
def get_customer(request: Call) -> Reply:
    return Reply(render(existing(request, request.path["customer_id"])))


@resource.route("PATCH", "/customers/{customer_id}")
def update_customer(request: Call) -> Reply:
    row = existing(request, request.path["customer_id"])
    if row["status"] == "ARCHIVED":
        raise Refusal(400, f"Customer {row['id']} is archived")
    body = call.closed(request.body, _UPDATED)
    changes: dict[str, Any] = {"updated_at": request.stamp}
    if "name" in body:
        changes["name"] = call.text(body, "name", minimum=3, maximum=255)
    if "primaryEmail" in body:
        changes["primary_email"] = contact.email(body, "primaryEmail")
    if "address" in body:
        changes["address"] = packed(contact.address(body))
    store.update(request.db, "customers", changes, id=row["id"])
    request.effect("customer-update", row["id"])
    return Reply(render(existing(request, row["id"])))


@resource.route("DELETE", "/customers/{customer_id}")
def delete_customer(request: Call) -> Reply:
    row = existing(request, request.path["customer_id"])
    open_accounts = request.db.execute(
        "select count(*) from accounts where customer_id = ? and status <> 'ARCHIVED'", (row["id"],)
    ).fetchone()[0]
    if open_accounts:
        raise Refusal(400, f"Customer {row['id']} still has {open_accounts} accounts; delete them")
    if row["status"] != "ARCHIVED":
        changes = {"status": "ARCHIVED", "updated_at": request.stamp}
        store.update(request.db, "customers", changes, id=row["id"])
        request.effect("customer-delete", row["id"])
    return Reply({"success": True})


def existing(request: Call, customer_id: str) -> Row:
    """The customer's row. Refuses with 404."""
    row = _row(request, customer_id)
    if row is None:
        raise Refusal(404, f"Customer {customer_id} not found")
    return row


def _row(request: Call, customer_id: str) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from customers where id = ?", (customer_id,)
    ).fetchone()
    return row


def render(row: Row) -> dict[str, Any]:
    address = unpacked(row, "address")
    return present(
        id=row["id"],
        togaiCustomerId=row["internal_id"],
        name=row["name"],
        primaryEmail=row["primary_email"],
        billingAddress=contact.billing_address(address),
        address=address,
        status=row["status"],
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
    )
