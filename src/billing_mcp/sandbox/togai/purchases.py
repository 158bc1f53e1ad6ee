"""Togai's purchases, as far as they grant entitlements (deprecated by the vendor, still there)."""

from typing import Any

from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import accounts, feature_grants, plan_versions
from billing_mcp.sandbox.togai.columns import present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_TYPES = ("ENTITLEMENT_GRANT", "ASSOCIATION", "WALLET_TOPUP", "PREPAID")
_IMITATED = (
    *("pricePlanId", "quantity", "idempotencyKey"),
    *("effectiveFrom", "effectiveUntil", "type"),
)
_NOT_IMITATED = (
    *("rateCardQuantities", "purchasePlanOverride", "associationOverride"),
    *("walletTopupDetails", "expiryDate"),
)
_LISTING = Listing(select="select * from purchases", unique="id", order=("created_at", True))


@resource.route("POST", "/accounts/{account_id}/purchases")
def create_purchase(request: Call) -> Reply:
    account = accounts.existing(request, request.path["account_id"])
    body = call.closed(request.body, (*_IMITATED, *_NOT_IMITATED))
    for name in _NOT_IMITATED:
        if name in body:
            raise Refusal(501, f"not imitated by the sandbox: {name} of a purchase")
    if call.one_of(body, "type", _TYPES, default=_TYPES[0]) != _TYPES[0]:
        raise Refusal(501, f"not imitated by the sandbox: purchases of type {body['type']}")
    key = call.text(body, "idempotencyKey", minimum=1, default=None)
    repeated = request.db.execute(
        "select * from purchases where idempotency_key = ?", (key,)
    ).fetchone()
    if repeated:
        return Reply(_render(repeated, account))
    plan = _plan(request, body)
    start = call.day(body, "effectiveFrom", default=request.now.date())
    end = call.day(body, "effectiveUntil", default=None)
    if end is not None and end <= start:
        raise Refusal(400, "effectiveUntil must be later than effectiveFrom")
    columns = {
        "id": request.new_id("purchase"),
        "account_id": account["id"],
        "price_plan_id": plan["id"],
        "price_plan_version": plan["version"],
        "quantity": call.whole(body, "quantity", minimum=1, maximum=1_000_000, default=1),
        "idempotency_key": key,
        "effective_from": clock.written(clock.midnight(start)),
        "effective_until": None if end is None else clock.written(clock.midnight(end)),
        "created_at": request.stamp,
    }
    store.insert(request.db, "purchases", columns)
    number = 1
    for card in unpacked(plan, "details").get("billingEntitlementRateCards", []):
        number = feature_grants.grant_purchase(request, columns, card, number)
    request.effect("purchase", str(columns["id"]), key)
    return Reply(_render(columns, account))


@resource.route("GET", "/accounts/{account_id}/purchases")
def list_purchases(request: Call) -> Reply:
    account = accounts.existing(request, request.path["account_id"])
    found = page(request, _LISTING, {"account_id = ?": account["id"]})
    return Reply(found.answer([_render(row, account) for row in found.rows]))


def _plan(request: Call, body: dict[str, Any]) -> Row:
    plan_id = call.text(body, "pricePlanId", minimum=1, maximum=50)
    plan = plan_versions.active(request.db, plan_id)
    if plan is None or plan["type"] != "PURCHASE":
        raise Refusal(400, f"pricePlanId: there is no active plan {plan_id} of type PURCHASE")
    return plan


def _render(row: Row | dict[str, Any], account: Row) -> dict[str, Any]:
    until = row["effective_until"]
    return present(
        id=row["id"],
        accountId=row["account_id"],
        pricePlanId=row["price_plan_id"],
        quantity=row["quantity"],
        idempotencyKey=row["idempotency_key"],
        pricePlanVersion=row["price_plan_version"],
        createdAt=row["created_at"],
        effectiveFrom=row["effective_from"][:10],
        effectiveUntil=until and until[:10],
        invoiceCurrency=account["invoice_currency"],
        status="SUCCESS",
        type="ENTITLEMENT_GRANT",
    )
