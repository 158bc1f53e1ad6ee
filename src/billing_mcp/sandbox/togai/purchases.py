"""Togai's purchases (deprecated by the vendor, still there): bought at once, or once paid for."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai import (
    accounts,
    associations,
    billing,
    invoices,
    plan_versions,
    price_plan_rules,
    price_plans,
    purchase_grants,
    purchase_terms,
)
from billing_mcp.sandbox.togai.columns import present, unpacked
from billing_mcp.sandbox.togai.invoice_lines import wire
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_LISTING = Listing(
    select="select * from purchases where status not like 'PROPOSAL%'",
    unique="id",
    order=("created_at", True),
)


@resource.route("POST", "/accounts/{account_id}/purchases")
def create_purchase(request: Call) -> Reply:
    account = associations.open_account(request)
    columns = purchase_terms.read(request, account, proposed=False)
    repeated = purchase_terms.repeated(request, columns)
    if repeated is not None:
        return Reply(render(request, repeated))
    store.insert(request.db, "purchases", columns)
    settle(request, str(columns["id"]))
    return Reply(render(request, existing(request, str(columns["id"]))))


@resource.route("GET", "/accounts/{account_id}/purchases")
def list_purchases(request: Call) -> Reply:
    """With them the proposals that were approved."""
    account = accounts.existing(request, request.path["account_id"])
    found = page(request, _LISTING, {"account_id = ?": account["id"]})
    return Reply(found.answer([_list_entry(request, row) for row in found.rows]))


@resource.route("GET", "/purchases/{purchase_id}")
def get_purchase(request: Call) -> Reply:
    row = existing(request, request.path["purchase_id"])
    if row["status"].startswith("PROPOSAL"):
        raise Refusal(404, f"Purchase {row['id']} not found")
    shown = render(request, row) | present(purchasePlan=_plan(request, row))
    return Reply(shown | {"features": _features(request, row)})


def existing(request: Call, purchase_id: str) -> Row:
    """A purchase or a proposal. Refuses with 404."""
    row = purchase_grants.existing(request, purchase_id)
    if row is None:
        raise Refusal(404, f"Purchase {purchase_id} not found")
    return row


def settle(request: Call, purchase_id: str) -> None:
    """Invoice what a purchase costs, and give it, unless it is to be paid before (ours).

    The account's wallet pays what it can, but not for money that is put into it.
    """
    row = existing(request, purchase_id)
    waits = row["payment_mode"] == "PREPAID" and row["price_minor"] != "0"
    if row["price_minor"] != "0":
        invoice_id = _invoice(request, row)
        purchase_grants.change(request, purchase_id, invoice_id=invoice_id)
    if waits:
        purchase_grants.change(request, purchase_id, status="PENDING")
    else:
        if row["type"] == "ASSOCIATION":
            _associate(request, row)
        purchase_grants.give(request, existing(request, purchase_id))
    if row["price_minor"] != "0" and row["type"] != "WALLET_TOPUP":
        billing.net_off(request, invoice_id)


def _invoice(request: Call, row: Row) -> str:
    today = request.now.date()
    until = row["effective_until"]
    start = clock.read(row["effective_from"]).date()
    end = start if until is None else clock.read(until).date()
    new = invoices.NewInvoice(
        account_id=row["account_id"],
        price_plan_id=row["price_plan_id"],
        start=start,
        end=end,
        status="DUE",
        lines=wire(purchase_terms.price(request, row)),
        invoice_date=today,
        kind="AD_HOC",
    )
    return invoices.insert_invoice(request, new)


def _associate(request: Call, row: Row) -> None:
    account = accounts.existing(request, row["account_id"])
    version = str(row["price_plan_version"])
    plan = plan_versions.numbered(request, row["price_plan_id"], version)
    period = purchase_terms.period(row)
    associations.refuse_twice(associations.of_account(request, account["id"]), plan["id"], period)
    own = row["plan_override"]
    made = associations.drafted(request, account, plan, period, details_override=own)
    associations.insert(request, made)


def _plan(request: Call, row: Row) -> dict[str, Any] | None:
    if row["price_plan_id"] is None:
        return None
    version = str(row["price_plan_version"])
    return price_plans.details(plan_versions.numbered(request, row["price_plan_id"], version))


def _features(request: Call, row: Row) -> list[dict[str, Any]]:
    """The feature credits that the purchase granted, as they are now."""
    entries = request.db.execute(
        "select e.*, f.name from feature_entries e join features f on f.id = e.feature_id"
        " where e.account_id = ? and e.id like ? || '#%' order by e.number",
        (row["account_id"], row["id"]),
    ).fetchall()
    return [
        {
            "id": entry["feature_id"],
            "name": entry["name"],
            "creditsGranted": Decimal(entry["granted"]),
            "creditsAvailable": Decimal(entry["granted"]) - Decimal(entry["used"]),
            "updatedAt": row["updated_at"],
            "effectiveFrom": entry["effective_from"],
            "effectiveUntil": entry["effective_until"],
        }
        for entry in entries
    ]


def render(request: Call, row: Row) -> dict[str, Any]:
    account = accounts.existing(request, row["account_id"])
    until, own = row["effective_until"], unpacked(row, "plan_override")
    field = "associationOverride" if row["type"] == "ASSOCIATION" else "purchasePlanOverride"
    override = {field: None if own is None else price_plan_rules.shown(own)}
    return present(
        id=row["id"],
        accountId=row["account_id"],
        pricePlanId=row["price_plan_id"],
        quantity=row["quantity"],
        rateCardQuantities=unpacked(row, "rate_card_quantities"),
        idempotencyKey=row["idempotency_key"],
        pricePlanVersion=row["price_plan_version"],
        **override,
        walletTopupDetails=unpacked(row, "wallet_topup"),
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
        effectiveFrom=row["effective_from"][:10],
        effectiveUntil=until and until[:10],
        expiryDate=row["expires_at"],
        price=_price(row, account),
        invoiceId=row["invoice_id"],
        invoiceCurrency=account["invoice_currency"],
        status=row["status"],
        type=row["type"],
        comment=row["comment"],
    )


def _price(row: Row, account: Row) -> Decimal:
    return money.from_minor_units(int(row["price_minor"]), account["invoice_currency"])


def plan_name(request: Call, row: Row) -> str | None:
    if row["price_plan_id"] is None:
        return None
    name: str = plan_versions.existing(request, row["price_plan_id"])["name"]
    return name


def _list_entry(request: Call, row: Row) -> dict[str, Any]:
    whole = render(request, row)
    names = (
        *("id", "pricePlanId", "quantity", "rateCardQuantities", "pricePlanVersion", "status"),
        *("idempotencyKey", "walletTopupDetails", "price", "invoiceCurrency", "createdAt"),
        *("updatedAt", "type"),
    )
    kept = {name: whole[name] for name in names if name in whole}
    return kept | present(pricePlanName=plan_name(request, row))


def _next_expiry(db: Connection, moment: datetime) -> datetime | None:
    row = db.execute(
        "select min(expires_at) as at from purchases where expires_at > ?"
        " and status in ('PENDING', 'PROPOSAL_ACTIVE')",
        (clock.written(moment),),
    ).fetchone()
    return None if row["at"] is None else clock.read(row["at"])


def _expire(request: Call) -> Reply:
    """Ours: what is not answered or not paid for by then is not bought, and no longer owed.

    One that is paid for in part waits on.
    """
    rows = request.db.execute(
        "select p.id, p.status, p.invoice_id from purchases p"
        " left join invoices i on i.id = p.invoice_id where p.expires_at <= ?"
        " and p.status in ('PENDING', 'PROPOSAL_ACTIVE') and coalesce(i.status, 'DUE') = 'DUE'",
        (request.stamp,),
    ).fetchall()
    for row in rows:
        proposed = row["status"] == "PROPOSAL_ACTIVE"
        status = "PROPOSAL_EXPIRED" if proposed else "FAILURE"
        purchase_grants.change(request, row["id"], status=status)
        if not proposed:
            changes = {"status": "VOID", "updated_at": request.stamp}
            store.update(request.db, "invoices", changes, id=row["invoice_id"])
        request.effect("purchase-expired", row["id"])
    return Reply({"expired": len(rows)})


EXPIRE = Job("expire-purchases", _next_expiry, _expire)
