"""Togai's accounts: what is billed, and what events name."""

from typing import Any

from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import account_aliases, contact, group_rows, quotas, settings
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

# Ours: the organisation's base currency, which an account has unless it says otherwise.
BASE_CURRENCY = "USD"
_LONGEST_TERM_DAYS = 3650

_UPDATED = (
    *("name", "status", "invoiceCurrency", "netTermDays", "primaryEmail"),
    *("billingInformation", "address", "metadata", "tags"),
)
_CREATED = ("id", *_UPDATED, "aliases", "accountAliases", "settings")

_LISTING = Listing(
    select="select * from accounts",
    unique="id",
    filters={
        "account_id": "id = ?",
        "customer_id": "customer_id = ?",
        "status": "status = ?",
        "invoice_currency": "invoice_currency = ?",
    },
    combinations=(
        *(frozenset((name,)) for name in ("account_id", "customer_id", "status")),
        *(frozenset(("invoice_currency",)), frozenset(("customer_id", "status"))),
    ),
    searched=("id", "name", "primary_email"),
    sorts={"account_id": "id", "updated_at": "updated_at"},
    hidden=("status <> 'ARCHIVED'", ("account_id", "status")),
)


@resource.route("GET", "/accounts")
def list_accounts(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply(found.answer([render(request, row) for row in found.rows]))


@resource.route("POST", "/accounts")
def create_account(request: Call) -> Reply:
    body = call.closed(request.body, (*_CREATED, "customerId"))
    customer_id = call.text(body, "customerId", minimum=1, maximum=255)
    customer = request.db.execute(
        "select status from customers where id = ?", (customer_id,)
    ).fetchone()
    if customer is None or customer["status"] != "ACTIVE":
        raise Refusal(400, f"customerId: there is no active customer {customer_id}")
    given = {name: value for name, value in body.items() if name != "customerId"}
    return Reply(render(request, create(request, given, customer_id)), 201)


@resource.route("GET", "/accounts/{account_id}")
def get_account(request: Call) -> Reply:
    row = existing(request, request.path["account_id"])
    moment = call.timestamp(request.query, "effectiveOn", default=request.now)
    shown = render(request, row, clock.written(moment))
    asked = call.one_of(request.query, "includeGroupDetails", ("true", "false"), default="false")
    group = group_rows.group_of(request, row["id"]) if asked == "true" else None
    return Reply(
        shown if group is None else shown | {"invoiceGroupDetails": group_rows.details(group)}
    )


@resource.route("PATCH", "/accounts/{account_id}")
def update_account(request: Call) -> Reply:
    row = existing(request, request.path["account_id"])
    if row["status"] == "ARCHIVED":
        raise Refusal(400, f"Account {row['id']} is archived")
    changes = _read(call.closed(request.body, _UPDATED), "")
    if changes.get("invoice_currency", row["invoice_currency"]) != row["invoice_currency"]:
        _refuse_if_in_use(request, row)
    changes["updated_at"] = request.stamp
    store.update(request.db, "accounts", changes, id=row["id"])
    request.effect("account-update", row["id"])
    return Reply(render(request, existing(request, row["id"])))


@resource.route("DELETE", "/accounts/{account_id}")
def delete_account(request: Call) -> Reply:
    row = existing(request, request.path["account_id"])
    if row["status"] != "ARCHIVED":
        changes = {"status": "ARCHIVED", "updated_at": request.stamp}
        store.update(request.db, "accounts", changes, id=row["id"])
        request.effect("account-delete", row["id"])
    return Reply({"success": True})


@resource.route("POST", "/accounts/{account_id}/add_aliases")
def add_aliases(request: Call) -> Reply:
    row = existing(request, request.path["account_id"])
    body = call.closed(request.body, ("aliases", "accountAliases"))
    if not body:
        raise Refusal(400, "give aliases or accountAliases")
    for name in body:
        call.listed(body, name, minimum=1, maximum=10)
    account_aliases.add(request, row["id"], body)
    store.update(request.db, "accounts", {"updated_at": request.stamp}, id=row["id"])
    return Reply(render(request, row))


@resource.route("POST", "/accounts/{account_id}/remove_aliases")
def remove_aliases(request: Call) -> Reply:
    row = existing(request, request.path["account_id"])
    body = call.closed(request.body, ("aliases", "accountAliases"))
    account_aliases.remove(request, row["id"], body)
    store.update(request.db, "accounts", {"updated_at": request.stamp}, id=row["id"])
    return Reply(render(request, row))


@resource.route("GET", "/accounts/{account_id}/account_aliases")
def list_aliases(request: Call) -> Reply:
    row = existing(request, request.path["account_id"])
    rows = account_aliases.every(request, row["id"])
    return Reply({"data": [account_aliases.render(alias) for alias in rows], "nextToken": None})


def create(request: Call, body: dict[str, Any], customer_id: str, at: str = "") -> Row:
    """Make an account of this customer, which exists, from the request's body or a part of it."""
    call.closed(body, _CREATED, at)
    account_id = call.text(body, "id", minimum=1, maximum=50, at=at)
    call.text(body, "name", at=at)
    columns: dict[str, Any] = {
        "invoice_currency": BASE_CURRENCY,
        "net_term_days": 0,
        "metadata": "{}",
        "tags": "[]",
        "status": "ACTIVE",
        **_read(body, at),
    }
    own_settings = settings.read_list(body, at)
    if _row(request, account_id) is not None:
        raise Refusal(400, f"{at}id: Account with id {account_id} exists already")
    if account_aliases.account_named(request, account_id, request.stamp) is not None:
        raise Refusal(400, f"{at}id: {account_id} is an alias of another account")
    quotas.room_for_one(request, quotas.ACCOUNTS)
    columns |= {
        "id": account_id,
        "internal_id": request.new_id("acc"),
        "customer_id": customer_id,
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    store.insert(request.db, "accounts", columns)
    account_aliases.add(request, account_id, body, at)
    settings.add(request, own_settings, "ACCOUNT", account_id)
    request.effect("account", account_id)
    return existing(request, account_id)


def existing(request: Call, account_id: str) -> Row:
    """The account's row, archived or not. Refuses with 404."""
    row = _row(request, account_id)
    if row is None:
        raise Refusal(404, f"Account {account_id} not found")
    return row


def _row(request: Call, account_id: str) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from accounts where id = ?", (account_id,)
    ).fetchone()
    return row


def _read(body: dict[str, Any], at: str) -> dict[str, Any]:
    """Columns and values of the fields that are there."""
    readers: dict[str, tuple[str, Any]] = {
        "name": ("name", lambda: call.text(body, "name", minimum=3, maximum=255, at=at)),
        "status": ("status", lambda: call.one_of(body, "status", ("ACTIVE", "DRAFT"), at=at)),
        "invoiceCurrency": (
            "invoice_currency",
            lambda: call.text(body, "invoiceCurrency", pattern="[A-Z]{3}", at=at),
        ),
        "netTermDays": (
            "net_term_days",
            lambda: call.whole(body, "netTermDays", minimum=0, maximum=_LONGEST_TERM_DAYS, at=at),
        ),
        "primaryEmail": ("primary_email", lambda: contact.email(body, "primaryEmail", at)),
        "billingInformation": (
            "billing_information",
            lambda: packed(contact.billing_information(body, at)),
        ),
        "address": ("address", lambda: packed(contact.address(body, at))),
        "metadata": ("metadata", lambda: packed(contact.text_map(body, "metadata", at))),
        "tags": ("tags", lambda: packed(contact.texts(body, "tags", at=at))),
    }
    return {column: read() for name, (column, read) in readers.items() if name in body}


def _refuse_if_in_use(request: Call, row: Row) -> None:
    used = request.db.execute(
        "select 'credits' as what from credits where account_id = ?"
        " union all select 'price plans' from pricing_schedules where account_id = ?"
        " union all select 'invoices' from invoices where owner_id = ?"
        " union all select 'money in its wallet' from wallet_entries where account_id = ?"
        " union all select 'an invoice group' from invoice_group_accounts where account_id = ?",
        (row["id"],) * 5,
    ).fetchone()
    if used:
        raise Refusal(400, f"invoiceCurrency cannot change: the account has {used['what']}")


def render(request: Call, row: Row, moment: str | None = None) -> dict[str, Any]:
    """The account, with the aliases in effect at a moment (now, if none is given)."""
    owner = request.db.execute(
        "select internal_id from customers where id = ?", (row["customer_id"],)
    ).fetchone()
    aliases = account_aliases.in_effect(request, row["id"], moment or request.stamp)
    return present(
        id=row["id"],
        togaiAccountId=row["internal_id"],
        togaiCustomerId=owner["internal_id"],
        name=row["name"],
        customerId=row["customer_id"],
        invoiceCurrency=row["invoice_currency"],
        aliases=[{"alias": alias["value"]} for alias in aliases],
        netTermDays=row["net_term_days"],
        address=unpacked(row, "address"),
        primaryEmail=row["primary_email"],
        billingInformation=unpacked(row, "billing_information"),
        status=row["status"],
        settings=settings.of_entity(request, "ACCOUNT", row["id"]),
        metadata=unpacked(row, "metadata"),
        tags=unpacked(row, "tags"),
    )
