"""Togai's invoice groups: accounts whose invoices of a day are merged into one."""

from typing import Any

from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import contact, group_rows
from billing_mcp.sandbox.togai.columns import packed
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_FIELDS = ("name", "email", "dailyInvoiceConsolidation", "accountIds", "netTermDays", "address")
_MOST_ACCOUNTS = 100
_LONGEST_NAME = 255
_LONGEST_TERM_DAYS = 3650

_LISTING = Listing(select="select * from invoice_groups where status = 'ACTIVE'", unique="id")
_ACCOUNTS = Listing(
    select="select * from invoice_group_accounts",
    unique="account_id",
    order=("account_id", False),
    default_size=100,
)


@resource.route("GET", "/invoice_groups")
def list_invoice_groups(request: Call) -> Reply:
    found = page(request, _LISTING)
    data = [render(request, row) for row in found.rows]
    return Reply({"data": data, "nextToken": found.next_token})


@resource.route("POST", "/invoice_groups")
def create_invoice_group(request: Call) -> Reply:
    body = call.closed(request.body, _FIELDS)
    term = call.whole(body, "netTermDays", minimum=0, maximum=_LONGEST_TERM_DAYS, default=None)
    columns: dict[str, Any] = {
        "name": call.text(body, "name", minimum=1, maximum=_LONGEST_NAME),
        "email": contact.email(body, "email"),
        "consolidates": int(call.flag(body, "dailyInvoiceConsolidation")),
        "net_term_days": term,
        "address": packed(contact.address(body)),
        "status": "ACTIVE",
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    members = _accounts(request, body)
    group_id = request.new_id("inv_group")
    columns |= {"id": group_id, "currency": members[0]["invoice_currency"]}
    store.insert(request.db, "invoice_groups", columns)
    _join(request, group_id, columns["currency"], members)
    request.effect("invoice-group", group_id)
    return Reply(render(request, group_rows.existing(request, group_id)))


@resource.route("GET", "/invoice_groups/{invoice_group_id}")
def get_invoice_group(request: Call) -> Reply:
    group = group_rows.existing(request, request.path["invoice_group_id"])
    found = page(request, _ACCOUNTS, {"group_id = ?": group["id"]})
    accounts = [row["account_id"] for row in found.rows]
    return Reply(render(request, group) | {"accounts": accounts, "nextToken": found.next_token})


@resource.route("POST", "/invoice_groups/{invoice_group_id}/add_accounts")
def add_accounts(request: Call) -> Reply:
    group = group_rows.existing(request, request.path["invoice_group_id"])
    members = _accounts(request, call.closed(request.body, ("accountIds",)))
    _join(request, group["id"], group["currency"], members)
    store.update(request.db, "invoice_groups", {"updated_at": request.stamp}, id=group["id"])
    request.effect("invoice-group-add", group["id"])
    return Reply(render(request, group_rows.existing(request, group["id"])))


@resource.route("POST", "/invoice_groups/{invoice_group_id}/remove_accounts")
def remove_accounts(request: Call) -> Reply:
    """Documented: without its last account the group is deleted."""
    group = group_rows.existing(request, request.path["invoice_group_id"])
    body = call.closed(request.body, ("accountIds",))
    for index, account_id in enumerate(_ids(body)):
        own = group_rows.group_of(request, account_id)
        if own is None or own["id"] != group["id"]:
            at = f"accountIds[{index}]"
            raise Refusal(400, f"{at}: account {account_id} is not in invoice group {group['id']}")
        request.db.execute("delete from invoice_group_accounts where account_id = ?", (account_id,))
    status = "ACTIVE" if _count(request, group["id"]) else "DELETED"
    changes = {"status": status, "updated_at": request.stamp}
    store.update(request.db, "invoice_groups", changes, id=group["id"])
    request.effect("invoice-group-remove", group["id"])
    return Reply({"success": True})


def _ids(body: dict[str, Any]) -> list[str]:
    call.listed(body, "accountIds", minimum=1, maximum=_MOST_ACCOUNTS)
    return list(dict.fromkeys(contact.texts(body, "accountIds", minimum=1, maximum=50)))


def _accounts(request: Call, body: dict[str, Any]) -> list[Row]:
    """The accounts of the body, which must be there and of one currency."""
    found = []
    for index, account_id in enumerate(_ids(body)):
        row = request.db.execute(
            "select * from accounts where id = ? and status <> 'ARCHIVED'", (account_id,)
        ).fetchone()
        if row is None:
            raise Refusal(400, f"accountIds[{index}]: there is no account {account_id}")
        found.append(row)
    return found


def _join(request: Call, group_id: str, currency: str, members: list[Row]) -> None:
    for account in members:
        if account["invoice_currency"] != currency:
            raise Refusal(
                400,
                f"accountIds: account {account['id']} is billed in {account['invoice_currency']},"
                f" the group in {currency}",
            )
        own = group_rows.group_of(request, account["id"])
        if own is not None and own["id"] != group_id:
            raise Refusal(400, f"accountIds: account {account['id']} is in group {own['id']}")
        request.db.execute(
            "insert or ignore into invoice_group_accounts (account_id, group_id, joined_at)"
            " values (?, ?, ?)",
            (account["id"], group_id, request.stamp),
        )


def _count(request: Call, group_id: str) -> int:
    row = request.db.execute(
        "select count(*) as n from invoice_group_accounts where group_id = ?", (group_id,)
    ).fetchone()
    count: int = row["n"]
    return count


def render(request: Call, row: Row) -> dict[str, Any]:
    return group_rows.details(row) | {
        "accountsCount": _count(request, row["id"]),
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
    }
