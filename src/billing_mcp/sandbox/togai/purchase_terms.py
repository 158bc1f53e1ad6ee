"""What is bought, on which terms, and for how much: read from the body of a purchase."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.credits import CreditUse
from billing_mcp.rating.invoice import custom_tree, custom_value
from billing_mcp.rating.lines import Line
from billing_mcp.rating.plan import NotAPlan, Plan, read_plan
from billing_mcp.rating.purchase import card_ids, lines
from billing_mcp.sandbox import call, clock
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    accounts,
    associations,
    billable,
    plan_versions,
    price_plan_rules,
    purchase_grants,
    wallet_ledger,
)
from billing_mcp.sandbox.togai.associations import Period
from billing_mcp.sandbox.togai.columns import packed, unpacked

_TYPES = ("ENTITLEMENT_GRANT", "ASSOCIATION", "WALLET_TOPUP", "PREPAID")
_MODES = ("PREPAID", "POSTPAID")
# The fields that belong to one kind of purchase only.
_OF_PLAN = ("quantity", "rateCardQuantities", "purchasePlanOverride")
_ANY = ("idempotencyKey", "effectiveFrom", "effectiveUntil", "expiryDate", "type")
_FIELDS = (*_ANY, *_OF_PLAN, "pricePlanId", "associationOverride", "walletTopupDetails")
_BELONG = {
    "ASSOCIATION": ("pricePlanId", "associationOverride"),
    "WALLET_TOPUP": ("walletTopupDetails",),
}
_OVERRIDDEN = ("fixedFeeRateCards", "billingEntitlementRateCards", "creditGrantRateCards")
_LONGEST_KEY = 255
_LARGEST = 1_000_000


def read(request: Call, account: Row, *, proposed: bool) -> dict[str, Any]:
    """The row of a purchase, or of a proposal of one, not stored yet. Refuses with 400."""
    names = (*_FIELDS, "paymentMode") if proposed else _FIELDS
    body = call.closed(request.body, names)
    kind = _type(body, proposed=proposed)
    mode = "PREPAID" if kind == "PREPAID" else "POSTPAID"
    if proposed:
        mode = call.one_of(body, "paymentMode", _MODES)
    start = call.day(body, "effectiveFrom", default=request.now.date())
    end = call.day(body, "effectiveUntil", default=None)
    if end is not None and end <= start:
        raise Refusal(400, "effectiveUntil must be later than effectiveFrom")
    expires = call.timestamp(body, "expiryDate", default=None)
    if expires is not None and expires <= request.now:
        raise Refusal(400, "expiryDate must be in the future")
    key = call.text(body, "idempotencyKey", minimum=1, maximum=_LONGEST_KEY, default=None)
    columns = {
        "id": request.new_id("purchase"),
        "account_id": account["id"],
        "proposed": int(proposed),
        "type": kind,
        "payment_mode": mode,
        "status": "PROPOSAL_ACTIVE" if proposed else "PENDING",
        "price_plan_id": None,
        "price_plan_version": None,
        "quantity": call.whole(body, "quantity", minimum=1, maximum=_LARGEST, default=1),
        "rate_card_quantities": None,
        "idempotency_key": key,
        "plan_override": None,
        "wallet_topup": None,
        "effective_from": clock.written(clock.midnight(start)),
        "effective_until": None if end is None else clock.written(clock.midnight(end)),
        "expires_at": None if expires is None else clock.written(expires),
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    columns |= _subject(request, account, body, kind)
    total = price(request, columns).amount
    return columns | {"price_minor": str(money.minor_units(total, account["invoice_currency"]))}


def _type(body: Mapping[str, Any], *, proposed: bool) -> str:
    """The type, if all that is in the body belongs to it. Without one it grants (documented)."""
    stated = proposed or "type" in body
    kind = call.one_of(body, "type", _TYPES) if stated else _TYPES[0]
    allowed = _BELONG.get(kind, ("pricePlanId", *_OF_PLAN))
    for name in body:
        if name not in (*_ANY, "paymentMode", *allowed):
            raise Refusal(400, f"{name} has no place in a purchase of type {kind}")
    return kind


def repeated(request: Call, columns: Mapping[str, Any]) -> Row | None:
    """What was made with this key before, of the same sort. Refuses the key of another sort."""
    row: Row | None = request.db.execute(
        "select * from purchases where idempotency_key = ?", (columns["idempotency_key"],)
    ).fetchone()
    if row is not None and row["proposed"] != columns["proposed"]:
        other = "proposal" if row["proposed"] else "purchase"
        raise Refusal(400, f"idempotencyKey is that of {other} {row['id']}")
    return row


def _subject(request: Call, account: Row, body: dict[str, Any], kind: str) -> dict[str, Any]:
    if kind == "WALLET_TOPUP":
        return {"wallet_topup": packed(_topup(account, body))}
    plan_id = call.text(body, "pricePlanId", minimum=1, maximum=50)
    if kind == "ASSOCIATION":
        return _association(request, account, body, associations.billed_plan(request, plan_id, ""))
    plan = plan_versions.active(request.db, plan_id)
    if plan is None or plan["type"] != "PURCHASE":
        raise Refusal(400, f"pricePlanId: there is no active plan {plan_id} of type PURCHASE")
    associations.refuse_inactive_currency(account, plan, "")
    own = None
    if "purchasePlanOverride" in body:
        at = "purchasePlanOverride."
        given = call.closed(call.mapping(body, "purchasePlanOverride"), _OVERRIDDEN, at)
        own = price_plan_rules.override(request, given, unpacked(plan, "details"), at)
    whole = _rated({**unpacked(plan, "details"), **(own or {})})
    return {
        "price_plan_id": plan["id"],
        "price_plan_version": plan["version"],
        "rate_card_quantities": _quantities(body, whole),
        "plan_override": None if own is None else packed(own),
    }


def _topup(account: Row, body: dict[str, Any]) -> dict[str, Any]:
    given = call.mapping(body, "walletTopupDetails")
    at = "walletTopupDetails."
    call.closed(given, ("purchaseAmount", "topupAmount"), at)
    for name, least in (("topupAmount", 0), ("purchaseAmount", -1)):
        if name == "topupAmount" or name in given:
            amount = call.number(given, name, above=least, maximum=wallet_ledger.LARGEST, at=at)
            wallet_ledger.whole(amount, account["invoice_currency"], f"{at}{name}")
    if given.get("purchaseAmount", 0) < 0:
        raise Refusal(400, f"{at}purchaseAmount must be at least 0")
    return given


def _association(request: Call, account: Row, body: dict[str, Any], plan: Row) -> dict[str, Any]:
    """Ours: without an end for good."""
    associations.refuse_inactive_currency(account, plan, "")
    own = None
    details = unpacked(plan, "details")
    if "associationOverride" in body:
        given = call.mapping(body, "associationOverride")
        own = price_plan_rules.override(request, given, details, "associationOverride.")
    billable.check(account, {**details, **(own or {})}, "")
    return {
        "price_plan_id": plan["id"],
        "price_plan_version": plan["version"],
        "plan_override": None if own is None else packed(own),
    }


def _rated(details: dict[str, Any]) -> Plan:
    try:
        return read_plan(details)
    except NotAPlan as error:
        raise Refusal(400, f"pricePlanId: the plan cannot be rated: {error}") from error


def _quantities(body: dict[str, Any], plan: Plan) -> str | None:
    """Ours: cards are named by the id of the add-on or feature that they price."""
    if "rateCardQuantities" not in body:
        return None
    given = call.mapping(body, "rateCardQuantities")
    at = "rateCardQuantities."
    for name in given:
        if name not in card_ids(plan):
            raise Refusal(400, f"{at}{name} is not what a card of the plan prices")
        call.number(given, name, minimum=0, maximum=_LARGEST, at=at)
    return packed(given)


def period(row: Row) -> Period:
    """The time of an association."""
    until = row["effective_until"]
    end = clock.OPEN_END if until is None else clock.read(until)
    return Period(clock.read(row["effective_from"]).date(), end.date())


def price(request: Call, row: Row | dict[str, Any]) -> Line:
    """What a purchase costs, as the lines of an invoice; an association costs nothing by itself."""
    account = accounts.existing(request, row["account_id"])
    currency = account["invoice_currency"]
    bought: list[Line] = []
    if row["type"] == "WALLET_TOPUP":
        topup = unpacked(row, "wallet_topup")
        paid = Decimal(topup.get("purchaseAmount", topup["topupAmount"]))
        bought.append(custom_value("Wallet top-up", paid, currency))
    elif row["type"] != "ASSOCIATION":
        plan = read_plan(purchase_grants.details(request, row))
        bought.extend(lines(plan, currency, purchase_grants.quantities(row)))
    return custom_tree(bought, CreditUse(), currency)
