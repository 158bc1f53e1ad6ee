"""Purchases (deprecated by the vendor): a plan bought once, an association, money for a wallet."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema, model_validator

from billing_mcp import errors
from billing_mcp.declarations import (
    CREATE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, Body, Day, Instant, Name, NextToken, NonNegative, Positive
from billing_mcp.results import Exact, Result, TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.tools.togai.plan_overrides import RULES, SHAPE, PricePlanOverride
from billing_mcp.tools.togai.price_plan_changes import open_plan
from billing_mcp.tools.togai.price_plans import exact_numbers, vendor_details
from billing_mcp.tools.togai.rate_cards import (
    SHAPES,
    BillingEntitlementRateCard,
    CreditGrantRateCard,
    FixedFeeRateCard,
)
from billing_mcp.upstream import Togai
from billing_mcp.wire import json_value

toolset = Toolset("togai-purchases")

PurchaseType = Literal["ENTITLEMENT_GRANT", "ASSOCIATION", "WALLET_TOPUP", "PREPAID"]
PaymentMode = Literal["PREPAID", "POSTPAID"]
ROUTE = "GET /accounts/{account_id}/purchases"


class Purchase(Result):
    concise: ClassVar[tuple[str, ...]] = (
        "id",
        "type",
        "status",
        "pricePlanId",
        "pricePlanName",
        "quantity",
        "price",
        "invoiceCurrency",
        "createdAt",
    )
    amounts: ClassVar = frozenset({"price"})

    id: str
    accountId: str | None = None
    type: str | None = None
    status: str | None = None
    pricePlanId: str | None = None
    pricePlanName: str | None = None
    pricePlanVersion: int | None = None
    quantity: int | None = None
    price: Exact | None = None
    invoiceId: str | None = None
    invoiceCurrency: str | None = None
    walletTopupDetails: dict[str, Any] | None = None
    idempotencyKey: str | None = None
    effectiveFrom: str | None = None
    effectiveUntil: str | None = None
    expiryDate: str | None = None
    createdAt: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_exact(cls, value: Any) -> Any:
        return exact_numbers(value)

    def currency(self) -> str | None:
        return self.invoiceCurrency


class WholePurchase(Purchase):
    """One purchase with its plan and what is left of its features."""

    features: list[dict[str, Any]] | None = None
    purchasePlan: dict[str, Any] | None = None


class PurchaseOverride(Body):
    """Each part that is given replaces the plan's whole part of that name."""

    fixedFeeRateCards: Annotated[list[FixedFeeRateCard] | None, Field(max_length=50)] = None
    billingEntitlementRateCards: Annotated[
        list[BillingEntitlementRateCard] | None, Field(max_length=50)
    ] = None
    creditGrantRateCards: Annotated[list[CreditGrantRateCard] | None, Field(max_length=50)] = None


def _published(shape: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "object", "description": shape})


PurchaseParts = Annotated[
    PurchaseOverride | None,
    _published("fixedFeeRateCards, billingEntitlementRateCards, creditGrantRateCards that differ"),
]
AssociationParts = Annotated[PricePlanOverride | None, _published(SHAPE)]
PlanId = Annotated[
    Name | None, Field(min_length=1, max_length=50, description="Not for WALLET_TOPUP")
]
Quantity = Annotated[int | None, Field(ge=1, le=1_000_000)]
CardQuantities = Annotated[
    dict[Name, NonNegative] | None,
    Field(max_length=100, description="By addon or feature id, instead of quantity"),
]
TopUp = Annotated[Positive | None, Field(description="WALLET_TOPUP: money for the wallet")]
Price = Annotated[NonNegative | None, Field(description="WALLET_TOPUP: default topupAmount")]
Expiry = Annotated[Instant | None, Field(description="Not paid or answered by then, it ends")]
SHORT_FORM = {
    "purchasePlanOverride": RULES,
    "associationOverride": RULES,
    **{
        f"{name}.{part}": shape
        for name in ("purchasePlanOverride", "associationOverride")
        for part, shape in SHAPES.items()
    },
}


@toolset.tool(READ, ROUTE, title="List the purchases of an account")
async def list_account_purchases(
    togai: Togai, accountId: AccountId, nextToken: NextToken = None
) -> TokenPage[Purchase]:
    """List what an account purchased. Deprecated by Togai without a successor."""
    at = {"account_id": accountId}
    return await togai.fetch(TokenPage[Purchase], at=at, query={"nextToken": nextToken})


@toolset.tool(READ, "GET /purchases/{purchase_id}")
async def get_purchase(
    togai: Togai, purchaseId: Annotated[Name, Field(min_length=1, max_length=50)]
) -> WholePurchase:
    """Show one purchase: its plan, price, invoice and feature credits. Deprecated by Togai."""
    return await togai.fetch(WholePurchase, at={"purchase_id": purchaseId})


async def by_key(
    togai: Togai, route: str, account_id: str, kind: type[Purchase], shown_by: str
) -> Verdict:
    """What has this operation as its key, among those of the account."""
    try:
        async for one in walks.rows(togai, kind, route, 100, at={"account_id": account_id}):
            if one.idempotencyKey == togai.operation_id:
                return Applied(one)
    except walks.MoreThanSearched:
        return Undecided(
            f"it is not among the latest of the account; {shown_by} shows the others, and their "
            f"idempotencyKey is {togai.operation_id} if it is one of them"
        )
    return NotApplied()


async def _bought(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    return await by_key(togai, ROUTE, asked["accountId"], Purchase, "list-account-purchases")


def require_terms(asked: Mapping[str, Any]) -> None:
    """Raises `InvalidRequest` for what belongs to another type of purchase."""
    kind = asked["type"]
    missing = "topupAmount" if kind == "WALLET_TOPUP" else "pricePlanId"
    if asked[missing] is None:
        raise errors.InvalidRequest(
            f"{missing} is missing for {kind}; nothing was sent.",
            field=missing,
            next_step="Give it, or another type.",
        )
    other: tuple[str, ...] = ("topupAmount", "purchaseAmount")
    if kind == "WALLET_TOPUP":
        other = ("pricePlanId", "associationOverride")
    elif kind != "ASSOCIATION":
        other = (*other, "associationOverride")
    if kind in ("WALLET_TOPUP", "ASSOCIATION"):
        other = (*other, "quantity", "rateCardQuantities", "purchasePlanOverride")
    for name in other:
        if asked[name] is not None:
            raise errors.InvalidRequest(
                f"{name} has no place in a purchase of type {kind}; nothing was sent.",
                field=name,
                next_step="Leave it out, or give another type.",
            )


def terms(togai: Togai, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a purchase or a proposal."""
    body = {name: value for name, value in asked.items() if value is not None}
    topup = {name: body.pop(name) for name in ("topupAmount", "purchaseAmount") if name in body}
    if topup:
        body["walletTopupDetails"] = topup
    found: dict[str, Any] = vendor_details(json_value(body))
    return found | {"idempotencyKey": togai.operation_id}


async def told(togai: Togai, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What is bought for whom, in words, and what must still be so when it is done.

    Raises `NotFound`, and `Conflict` for a plan that cannot be bought.
    """
    require_terms(asked)
    account, whose = await owned_account(togai, asked["accountId"])
    currency = account.invoiceCurrency
    if asked["type"] == "WALLET_TOPUP":
        given, paid = asked["topupAmount"], asked["purchaseAmount"]
        much = wording.amount(given, currency) if currency else str(given)
        price = much if paid is None else wording.amount(paid, currency or "")
        return f"{much} for the wallet of {whose}, at a price of {price}", {"currency": currency}
    plan = await open_plan(togai, asked["pricePlanId"])
    wanted = "BILLING" if asked["type"] == "ASSOCIATION" else "PURCHASE"
    if plan.type not in (None, wanted):
        raise errors.Conflict(
            f"The {wording.named('price plan', plan.id, plan.name)} is of type {plan.type}, not "
            f"{wanted}.",
            field="pricePlanId",
            next_step=f"list-price-plans shows those of type {wanted}.",
        )
    called = wording.named("price plan", plan.id, plan.name)
    read = {"plan": plan.status, "currency": currency}
    if asked["type"] == "ASSOCIATION":
        return f"the association of {whose} with {called}", read
    times = "" if asked["quantity"] in (None, 1) else f"{asked['quantity']} times "
    return f"{times}{called} for {whose}", read


async def _would_buy(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    what, read = await told(togai, asked)
    if asked["type"] == "PREPAID":
        when = "Togai invoices it now, and gives what it grants once the invoice is paid"
    else:
        when = "What it grants is there at once, and Togai invoices what it costs"
    return Effect(
        f"Buys {what}. {when}.",
        None,
        {"type": asked["type"], "status": "PENDING" if asked["type"] == "PREPAID" else "SUCCESS"},
        None,
        read,
    )


@toolset.tool(
    CREATE,
    "POST /accounts/{account_id}/purchases",
    title="Purchase a one-time plan",
    write=Write(
        find_out="list-account-purchases shows whether it is there",
        reconcile=_bought,
        preview=_would_buy,
        stake=stake_of_account(),
        key="idempotencyKey",
        target="accountId",
        amount="topupAmount",
    ),
    short_form=SHORT_FORM,
)
async def create_purchase(
    togai: Togai,
    accountId: AccountId,
    type: PurchaseType = "ENTITLEMENT_GRANT",  # noqa: A002 - the vendor's name
    pricePlanId: PlanId = None,
    quantity: Quantity = None,
    rateCardQuantities: CardQuantities = None,
    purchasePlanOverride: PurchaseParts = None,
    associationOverride: AssociationParts = None,
    topupAmount: TopUp = None,
    purchaseAmount: Price = None,
    effectiveFrom: Annotated[Day | None, Field(description="Default: today")] = None,
    effectiveUntil: Day | None = None,
    expiryDate: Expiry = None,
) -> Purchase:
    """Buy a plan of type PURCHASE, an association or wallet money for an account; it is invoiced.
    PREPAID: given once paid. Deprecated by Togai without a successor."""
    asked = {
        "type": type,
        "pricePlanId": pricePlanId,
        "quantity": quantity,
        "rateCardQuantities": rateCardQuantities,
        "purchasePlanOverride": purchasePlanOverride,
        "associationOverride": associationOverride,
        "topupAmount": topupAmount,
        "purchaseAmount": purchaseAmount,
        "effectiveFrom": effectiveFrom,
        "effectiveUntil": effectiveUntil,
        "expiryDate": expiryDate,
    }
    require_terms(asked)
    body = terms(togai, asked)
    made = await togai.fetch(Purchase, at={"account_id": accountId}, body=body)
    recognition.require_same(togai, made, same_terms(accountId, body), "purchase")
    return made


def same_terms(account_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a purchase shows again of its body: all but what differs from its plan."""
    parts = ("purchasePlanOverride", "associationOverride")
    return {name: body[name] for name in body if name not in parts} | {"accountId": account_id}
