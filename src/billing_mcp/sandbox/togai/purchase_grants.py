"""What a purchase gives: feature credits, credits, or money in the wallet."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating import credit_grant
from billing_mcp.rating.cards import Recurrence
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.rating.plan import Plan, read_plan
from billing_mcp.rating.purchase import Quantities
from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    accounts,
    credit_ledger,
    feature_grants,
    plan_versions,
    wallet_ledger,
)
from billing_mcp.sandbox.togai.columns import unpacked


def existing(request: Call, purchase_id: str) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from purchases where id = ?", (purchase_id,)
    ).fetchone()
    return row


def change(request: Call, purchase_id: str, **columns: Any) -> None:
    store.update(request.db, "purchases", columns | {"updated_at": request.stamp}, id=purchase_id)


def quantities(purchase: Row | dict[str, Any]) -> Quantities:
    """How often each card is bought."""
    named = unpacked(purchase, "rate_card_quantities") or {}
    return Quantities(
        Decimal(purchase["quantity"]), {name: Decimal(value) for name, value in named.items()}
    )


def details(request: Call, purchase: Row | dict[str, Any]) -> dict[str, Any]:
    """The details of the plan that is bought, with what was agreed otherwise over them."""
    version = str(purchase["price_plan_version"])
    plan = plan_versions.numbered(request, purchase["price_plan_id"], version)
    return {**unpacked(plan, "details"), **(unpacked(purchase, "plan_override") or {})}


def give(request: Call, purchase: Row) -> None:
    """Give what was bought. An association is none of this module's."""
    if purchase["type"] == "WALLET_TOPUP":
        _top_up(request, purchase)
    elif purchase["type"] != "ASSOCIATION":
        whole = details(request, purchase)
        number, times = 1, quantities(purchase)
        for card in whole.get("billingEntitlementRateCards", []):
            quantity = times.of(card["featureId"])
            number = feature_grants.grant_purchase(request, purchase, card, quantity, number)
        _grant_credits(request, purchase, read_plan(whole))
    change(request, purchase["id"], status="SUCCESS")
    request.effect("purchase", purchase["id"], purchase["idempotency_key"])


def release(request: Call, invoice_id: str) -> None:
    """An invoice is paid in full: give what waited for it."""
    row = _waiting_for(request, invoice_id)
    if row is not None:
        give(request, row)


def fail(request: Call, invoice_id: str) -> None:
    """An invoice is void: what waited for it to be paid never comes."""
    row = _waiting_for(request, invoice_id)
    if row is not None:
        change(request, row["id"], status="FAILURE")


def _waiting_for(request: Call, invoice_id: str) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from purchases where invoice_id = ? and status = 'PENDING'", (invoice_id,)
    ).fetchone()
    return row


def _top_up(request: Call, purchase: Row) -> None:
    account = accounts.existing(request, purchase["account_id"])
    amount = Decimal(unpacked(purchase, "wallet_topup")["topupAmount"])
    minor = money.minor_units(amount, account["invoice_currency"])
    wallet_ledger.put_in(request, account["id"], minor, "Purchase", purchase["id"])


def _grant_credits(request: Call, purchase: Row, plan: Plan) -> None:
    """Ours: once, from the purchase's start; what ends with the pricing cycle ends with it."""
    account, times = accounts.existing(request, purchase["account_id"]), quantities(purchase)
    start = clock.read(purchase["effective_from"])
    until = purchase["effective_until"]
    end = clock.OPEN_END if until is None else clock.read(until)
    for card in plan.credit_grants:
        once = replace(card, one_time=True, recurrence=Recurrence())
        cycle = Cycle(0, start, end, start, end)
        given = credit_grant.granted(once, account["invoice_currency"], cycle)
        amount = None if given is None else WIDE.multiply(given.amount, times.of(card.id))
        if given is None or not amount:
            continue
        ends = given.effective_until
        credit_ledger.grant_from_plan(
            request,
            account,
            amount,
            card.name,
            source=f"{purchase['id']}${card.id}",
            starts=given.effective_from.date().isoformat(),
            ends=None if ends >= clock.OPEN_END else ends.date().isoformat(),
            priority=given.priority,
            applicable=given.applicable,
        )
