"""Togai's licence updates: how many of a licence an account holds, changed and listed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import add_ons, contact, licence_plans, usage_sums
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_FIELDS = (
    *("licenseId", "accountId", "updateType", "quantity", "effectiveFrom"),
    *("idempotencyKey", "metadata"),
)
_NONE = Decimal(0)
# Ours, as the bounds of every other text and quantity that the vendor does not bound.
_LONGEST_TEXT = 255
_LARGEST = Decimal(10) ** 15

_LISTING = Listing(
    select="select * from licence_updates",
    unique="number",
    filters={
        "account_id": "account_id = ?",
        "licenseId": "licence_id = ?",
        "effectiveFrom": "effective_from = ?",
    },
    order=("effective_from", True),
    default_size=50,
    maximum_size=50,
)


@dataclass(frozen=True, slots=True)
class Update:
    """An update as it is asked for, or one that was entered before."""

    relative: bool
    asked: Decimal
    moment: datetime

    def after(self, held: Decimal) -> Decimal:
        """What is held after the update of what was held before it."""
        return WIDE.add(held, self.asked) if self.relative else self.asked


@resource.route("POST", "/license_updates")
def add_licence_update(request: Call) -> Reply:
    return Reply(render(add(request, call.closed(request.body, _FIELDS))))


def add(request: Call, body: dict[str, Any], at: str = "") -> Row | dict[str, Any]:
    """Enter the update that a body describes; its row, which is the first one for its key."""
    key = call.text(body, "idempotencyKey", minimum=1, maximum=_LONGEST_TEXT, default=None, at=at)
    licence = _plain_licence(request, body, at)
    account = _account(request, body)
    relative = call.one_of(body, "updateType", ("RELATIVE", "ABSOLUTE"), at=at) == "RELATIVE"
    asked = call.number(body, "quantity", minimum=-_LARGEST, maximum=_LARGEST, at=at)
    moment = call.timestamp(body, "effectiveFrom", default=request.now, at=at)
    metadata = contact.text_map(body, "metadata") if "metadata" in body else None
    repeated: Row | None = request.db.execute(
        "select * from licence_updates where idempotency_key = ?", (key,)
    ).fetchone()
    if repeated:
        return repeated
    licence_plans.refuse_closed(request, account["id"], licence["id"], moment)
    columns = {
        "account_id": account["id"],
        "licence_id": licence["id"],
        "update_type": body["updateType"],
        "asked": money.plain(asked),
        "effective_from": clock.written(moment),
        "idempotency_key": key,
        "metadata": None if metadata is None else packed(metadata),
        "created_at": request.stamp,
    }
    quantity = _enter(request, columns, Update(relative, asked, moment))
    return columns | {"quantity": money.plain(quantity)}


@resource.route("GET", "/license_updates")
def list_licence_updates(request: Call) -> Reply:
    """Ours: `effectiveFrom` finds the updates of exactly that time."""
    query = dict(request.query)
    if "effectiveFrom" in query:
        query["effectiveFrom"] = clock.written(call.timestamp(query, "effectiveFrom"))
    found = page(replace(request, query=query), _LISTING)
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


@resource.route("PATCH", "/license_updates/{license_id}")
def update_licence_entry_details(request: Call) -> Reply:
    """The licence is named by the path, or by `licenseId` of the query.

    The vendor documents the second beside a path it gives no parameter for.
    """
    for name in request.query:
        if name != "licenseId":
            raise Refusal(400, f"{name} is not a query parameter of this operation")
    licence_id = request.query.get("licenseId", request.path["license_id"])
    body = call.closed(request.body, ("accountId", "effectiveFrom", "metadata"))
    moment = clock.written(call.timestamp(body, "effectiveFrom"))
    row = request.db.execute(
        "select * from licence_updates where licence_id = ? and account_id = ?"
        " and effective_from = ? order by number desc limit 1",
        (licence_id, call.text(body, "accountId", minimum=1, maximum=50), moment),
    ).fetchone()
    if row is None:
        raise Refusal(400, f"The account has no update of licence {licence_id} at {moment}")
    changes = {"metadata": packed(contact.text_map(body, "metadata"))}
    store.update(request.db, "licence_updates", changes, number=row["number"])
    request.effect("licence-update-details", licence_id)
    return Reply(render(dict(row) | changes))


def _plain_licence(request: Call, body: dict[str, Any], at: str) -> Row:
    licence_id = call.text(body, "licenseId", minimum=1, maximum=50, at=at)
    licence = add_ons.find(request, licence_id)
    if licence is None or licence["status"] == "ARCHIVED":
        raise Refusal(400, f"{at}licenseId: there is no add-on {licence_id}")
    if licence["type"] != "LICENSE":
        raise Refusal(400, f"{at}licenseId: add-on {licence_id} is of type {licence['type']}")
    return licence


def _account(request: Call, body: dict[str, Any]) -> Row:
    account_id = call.text(body, "accountId", minimum=1, maximum=50)
    account: Row | None = request.db.execute(
        "select * from accounts where id = ? and status <> 'ARCHIVED'", (account_id,)
    ).fetchone()
    if account is None:
        raise Refusal(400, f"accountId: there is no account {account_id}")
    return account


def _enter(request: Call, columns: dict[str, Any], update: Update) -> Decimal:
    """Enter an update among the others in order of time; answers what is held after it.

    Where it would lead above a plan's maximum, then or later, nothing is done (documented for the
    breach itself) and the answer is what is held anyway.
    """
    account_id, licence_id = columns["account_id"], columns["licence_id"]
    held = _held_at(request, account_id, licence_id, columns["effective_from"])
    later = request.db.execute(
        "select * from licence_updates where account_id = ? and licence_id = ?"
        " and effective_from > ? order by effective_from, number",
        (account_id, licence_id, columns["effective_from"]),
    ).fetchall()
    quantities = _replay(held, [update, *map(_read, later)])
    moments = [update.moment, *(clock.read(row["effective_from"]) for row in later)]
    for moment, quantity in zip(moments, quantities, strict=True):
        if quantity < 0:
            shown = clock.written(moment)
            raise Refusal(400, f"quantity: the account would hold {quantity} at {shown}")
        most = licence_plans.most_allowed(request.db, account_id, licence_id, moment)
        if most is not None and quantity > most:
            return held
    store.insert(request.db, "licence_updates", columns | {"quantity": money.plain(quantities[0])})
    for row, quantity in zip(later, quantities[1:], strict=True):
        changes = {"quantity": money.plain(quantity)}
        store.update(request.db, "licence_updates", changes, number=row["number"])
    request.effect("licence-update", licence_id, columns["idempotency_key"])
    usage_sums.mark_stale(request, account_id)
    return quantities[0]


def _held_at(request: Call, account_id: str, licence_id: str, moment: str) -> Decimal:
    row = request.db.execute(
        "select quantity from licence_updates where account_id = ? and licence_id = ?"
        " and effective_from <= ? order by effective_from desc, number desc limit 1",
        (account_id, licence_id, moment),
    ).fetchone()
    return _NONE if row is None else Decimal(row["quantity"])


def _read(row: Row) -> Update:
    relative = row["update_type"] == "RELATIVE"
    return Update(relative, Decimal(row["asked"]), clock.read(row["effective_from"]))


def _replay(held: Decimal, updates: Sequence[Update]) -> list[Decimal]:
    """What is held after each update, one after the other."""
    quantities = []
    for update in updates:
        held = update.after(held)
        quantities.append(held)
    return quantities


def render(row: Row | dict[str, Any]) -> dict[str, Any]:
    return present(
        licenseId=row["licence_id"],
        accountId=row["account_id"],
        quantity=Decimal(row["quantity"]),
        effectiveFrom=row["effective_from"],
        metadata=unpacked(row, "metadata"),
        createdAt=row["created_at"],
    )
