"""Togai's contacts: the people of a customer, who may be let into its portal."""

from typing import Any

from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import customers
from billing_mcp.sandbox.togai.columns import present

resource = Resource()

_FIELDS = ("preferredUsername", "name", "password", "email", "phone", "verified", "loginAccess")
_LONGEST_NAME = 50
_LONGEST_PASSWORD = 100
_LONGEST_EMAIL = 320
# Documented: 30 in a request, but only 20 in an answer.
_LONGEST_PHONE = 20


@resource.route("POST", "/customers/{customer_id}/contacts")
def create_contact(request: Call) -> Reply:
    """Ours: the password is looked at and not kept."""
    customer = customers.existing(request, request.path["customer_id"])
    if customer["status"] == "ARCHIVED":
        raise Refusal(400, f"Customer {customer['id']} is archived")
    body = call.closed(request.body, _FIELDS)
    call.text(body, "password", minimum=1, maximum=_LONGEST_PASSWORD, default=None)
    columns = {
        "username": request.new_uuid(),
        "customer_id": customer["id"],
        "preferred_username": call.text(
            body, "preferredUsername", pattern="[A-Za-z0-9]{3,50}", default=None
        ),
        "name": call.text(body, "name", minimum=1, maximum=_LONGEST_NAME),
        "email": call.text(body, "email", maximum=_LONGEST_EMAIL, pattern=r"\S+@\S+\.\S+"),
        "phone": call.text(body, "phone", maximum=_LONGEST_PHONE, default=None),
        "login_access": int(call.flag(body, "loginAccess", default=False)),
        "verified": int(call.flag(body, "verified", default=False)),
        "created_at": request.stamp,
    }
    _refuse_taken(request, columns)
    store.insert(request.db, "customer_contacts", columns)
    request.effect("contact", columns["username"])
    row = request.db.execute(
        "select * from customer_contacts where username = ?", (columns["username"],)
    ).fetchone()
    return Reply(render(row), 201)


def _refuse_taken(request: Call, columns: dict[str, Any]) -> None:
    other = request.db.execute(
        "select customer_id, email from customer_contacts"
        " where preferred_username = ? or customer_id = ? and email = ?",
        (columns["preferred_username"], columns["customer_id"], columns["email"]),
    ).fetchone()
    if other is None:
        return
    if (other["customer_id"], other["email"]) == (columns["customer_id"], columns["email"]):
        raise Refusal(400, f"email: customer {other['customer_id']} has a contact with it already")
    raise Refusal(400, f"preferredUsername: {columns['preferred_username']} is taken")


def render(row: Row) -> dict[str, Any]:
    return present(
        username=row["username"],
        preferredUsername=row["preferred_username"],
        name=row["name"],
        email=row["email"],
        phone=row["phone"],
        loginAccess=bool(row["login_access"]),
        createdBy="api",
        createdAt=row["created_at"],
        verified=bool(row["verified"]),
    )
