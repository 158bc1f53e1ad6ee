"""The rate cards of a price plan (V2): listed, and changed in its draft."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema, model_validator

from billing_mcp import errors
from billing_mcp.declarations import (
    ANY_WRITE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import Body, Name, NextToken, PageSize, wrong
from billing_mcp.results import Result, TokenPage, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.tools.togai.price_plans import exact_numbers, vendor_details
from billing_mcp.tools.togai.price_plans_v2 import PricePlanId, as_read, draft_of, latest
from billing_mcp.tools.togai.rate_cards import (
    SHAPES,
    BillingEntitlementRateCard,
    CreditGrantRateCard,
    EntitlementOverageRateCard,
    FixedFeeRateCard,
    Id,
    InvoiceTiming,
    Label,
    LicenseRateCard,
    MinimumCommitment,
    UsageRateCard,
)
from billing_mcp.upstream import Togai
from billing_mcp.wire import given

toolset = Toolset("togai-price-plans")

CardName = Annotated[Name, Field(min_length=1, max_length=50)]
CardType = Literal[
    "USAGE",
    "FIXED_FEE",
    "LICENSE",
    "BILLING_ENTITLEMENT",
    "ENTITLEMENT_OVERAGE",
    "CREDIT_GRANT",
    "MINIMUM_COMMITMENT",
]
# The field of the details that each type of card has, and what in it is the billableId.
FIELDS: dict[str, tuple[str, str | None]] = {
    "USAGE": ("usageRateCard", "usageMeterId"),
    "FIXED_FEE": ("fixedFeeRateCard", "id"),
    "LICENSE": ("licenseRateCard", "id"),
    "BILLING_ENTITLEMENT": ("billingEntitlementRateCard", "featureId"),
    "ENTITLEMENT_OVERAGE": ("entitlementOverageRateCard", "featureId"),
    "CREDIT_GRANT": ("creditGrantRateCard", "id"),
    "MINIMUM_COMMITMENT": ("minimumCommitmentRateCard", None),
}
CARDS_ROUTE = "GET /v2/price_plans/{price_plan_id}/rate_cards"


class RateCardDetails(Body):
    usageRateCard: UsageRateCard | None = None
    fixedFeeRateCard: FixedFeeRateCard | None = None
    licenseRateCard: LicenseRateCard | None = None
    billingEntitlementRateCard: BillingEntitlementRateCard | None = None
    entitlementOverageRateCard: EntitlementOverageRateCard | None = None
    creditGrantRateCard: CreditGrantRateCard | None = None
    minimumCommitmentRateCard: MinimumCommitment | None = None


class RateCardData(Body):
    """A rate card; of its details the one of its type."""

    billableId: Id
    type: CardType
    invoiceTiming: InvoiceTiming
    rateCardDetails: RateCardDetails
    displayName: Label | None = None
    tag: Annotated[Name | None, Field(max_length=50)] = None

    @model_validator(mode="after")
    def _details_suit_the_type(self) -> "RateCardData":
        field, key = FIELDS[self.type]
        if self.rateCardDetails.model_fields_set != {field}:
            raise wrong(f"a card of type {self.type} with rateCardDetails.{field} alone")
        card = getattr(self.rateCardDetails, field)
        if key is not None and getattr(card, key) != self.billableId:
            raise wrong(f"a card whose billableId is its {key}")
        return self


SHAPE = (
    "{billableId, type:USAGE|FIXED_FEE|LICENSE|BILLING_ENTITLEMENT|ENTITLEMENT_OVERAGE|"
    "CREDIT_GRANT|MINIMUM_COMMITMENT, invoiceTiming:IN_ARREARS, displayName, "
    "rateCardDetails:{usageRateCard|fixedFeeRateCard|…: a card as in create-price-plan}}; not in a "
    "DELETE. In full: billing://schemas/rate-card"
)
_EXAMPLES = {
    "usageRateCard": "usageRateCards",
    "fixedFeeRateCard": "fixedFeeRateCards",
    "licenseRateCard": "licenseRateCards",
    "billingEntitlementRateCard": "billingEntitlementRateCards",
    "entitlementOverageRateCard": "entitlementOverageRateCards",
    "creditGrantRateCard": "creditGrantRateCards",
    "minimumCommitmentRateCard": "minimumCommitment",
}
RULES = (
    '[{"actionType":"CREATE|UPDATE|DELETE","rateCardName":"…","rateCard":{"billableId":"um.…",'
    '"type":"USAGE","invoiceTiming":"IN_ARREARS","rateCardDetails":{"usageRateCard":{…}}}}]; '
    "billableId is the card's usageMeterId, featureId or id; numbers are strings. "
    + " ".join(
        f"{field}: {SHAPES[name].removeprefix('[').removesuffix(']')}"
        for field, name in _EXAMPLES.items()
    )
)


class RateCardOperation(Body):
    actionType: Literal["CREATE", "UPDATE", "DELETE"]
    rateCardName: CardName
    rateCard: Annotated[
        RateCardData | None, WithJsonSchema({"type": "object", "description": SHAPE})
    ] = None

    @model_validator(mode="after")
    def _card_unless_deleted(self) -> "RateCardOperation":
        if (self.actionType == "DELETE") == (self.rateCard is not None):
            raise wrong("an operation with rateCard exactly when it is no DELETE")
        return self


Operations = Annotated[list[RateCardOperation], Field(min_length=1, max_length=100)]


class RateCard(Result):
    long: ClassVar = True
    concise: ClassVar = ("name", "type", "displayName", "billableId", "invoiceTiming", "currencies")

    name: str
    type: str | None = None
    billableId: str | None = None
    displayName: str | None = None
    invoiceTiming: str | None = None
    tag: str | None = None
    currencies: list[str] | None = None
    rateCardDetails: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_exact(cls, value: Any) -> Any:
        return exact_numbers(value)


class EditedCards(Result):
    """The cards that were made or changed."""

    rateCards: list[RateCard]


@toolset.tool(READ, CARDS_ROUTE, title="List the rate cards of a price plan")
async def list_price_plan_rate_cards(
    togai: Togai, pricePlanId: PricePlanId, pageSize: PageSize = None, nextToken: NextToken = None
) -> TokenPage[RateCard]:
    """List what a price plan charges for, in its latest version. detail=full shows the rates."""
    return await togai.fetch(
        TokenPage[RateCard],
        at={"price_plan_id": pricePlanId},
        query={"pageSize": pageSize, "nextToken": nextToken},
    )


async def _cards(togai: Togai, price_plan_id: str) -> dict[str, RateCard]:
    found = walks.rows(togai, RateCard, CARDS_ROUTE, 100, at={"price_plan_id": price_plan_id})
    return {card.name: card async for card in found}


async def _edited(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    try:
        found = await _cards(togai, asked["pricePlanId"])
    except errors.NotFound:
        return NotApplied()
    return cards_as_edited(found, asked["operations"])


def cards_as_edited(
    found: Mapping[str, RateCard], operations: Sequence[Mapping[str, Any]]
) -> Verdict:
    """All operations are there or none; of several on one card the last one counts."""
    last = {one["rateCardName"]: one for one in operations}
    for name, operation in last.items():
        card = found.get(name)
        if operation["actionType"] == "DELETE":
            if card is not None:
                return NotApplied()
        elif card is None or not holds(values(card), operation["rateCard"]):
            return NotApplied()
    touched = [name for name, one in last.items() if one["actionType"] != "DELETE"]
    return Applied(EditedCards(rateCards=[found[name] for name in touched]))


def told_edits(
    found: Mapping[str, RateCard],
    operations: Sequence[RateCardOperation],
    place: str,
    shown_by: str,
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """What operations do to the cards of a place, in words; the cards before, and after.

    Raises `Conflict` for a card that is there already, or is not there.
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    there = set(found)
    told = []
    for index, one in enumerate(operations):
        name = one.rateCardName
        if (one.actionType == "CREATE") == (name in there):
            found_or_not = "is a" if name in there else "is no"
            raise errors.Conflict(
                f"There {found_or_not} rate card {wording.quoted(name)} in {place}.",
                field=f"operations[{index}].rateCardName",
                next_step=f"{shown_by} shows those there are.",
            )
        (there.discard if one.actionType == "DELETE" else there.add)(name)
        before[name] = values(found[name]) if name in found else None
        after[name] = None if one.rateCard is None else given(one.rateCard)
        verb = {"CREATE": "adds", "UPDATE": "replaces", "DELETE": "removes"}[one.actionType]
        told.append(f"{verb} {wording.quoted(name)}")
    return wording.listed(told), before, after


async def _would_edit(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    plan = await latest(togai, asked["pricePlanId"])
    told, before, after = told_edits(
        await _cards(togai, plan.id),
        asked["operations"],
        draft_of(plan),
        "list-price-plan-rate-cards",
    )
    return Effect(
        f"In {draft_of(plan)} it {told}. Nobody is billed by it until finalize-price-plan.",
        before,
        after,
        "discard-price-plan drops the draft with all that was changed in it.",
        as_read(plan),
    )


@toolset.tool(
    ANY_WRITE,
    "POST /v2/price_plans/{price_plan_id}/rate_cards",
    title="Change the rate cards of a price plan",
    write=Write(
        find_out="list-price-plan-rate-cards shows whether the draft has them",
        reconcile=_edited,
        preview=_would_edit,
        stake=recognition.nobody,
        target="pricePlanId",
    ),
    short_form={"operations": RULES},
)
async def edit_price_plan_rate_cards(
    togai: Togai, pricePlanId: PricePlanId, operations: Operations
) -> EditedCards:
    """Add, replace or remove rate cards in a price plan's draft, all or none; of an active plan a
    draft begins. Nobody is billed by it until finalize-price-plan."""
    body = vendor_operations(operations)
    return await togai.fetch(EditedCards, at={"price_plan_id": pricePlanId}, body=body)


def vendor_operations(operations: Sequence[RateCardOperation]) -> dict[str, Any]:
    """The body of operations as the vendor takes it."""
    return {"operations": [vendor_details(given(one)) for one in operations]}
