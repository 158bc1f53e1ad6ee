"""Price plans (V1, as the seeds have them): what accounts pay for usage, fees and features."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema, model_validator

from billing_mcp import errors, money
from billing_mcp.declarations import (
    CREATE,
    READ,
    Effect,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import Name, NextToken, PageSize, Version
from billing_mcp.results import Result, TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.tools.togai.feature_credits import feature_of
from billing_mcp.tools.togai.rate_cards import RULES, SHAPE, SHAPES, PricePlanDetails
from billing_mcp.tools.togai.usage_meters import meter_of
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, present

toolset = Toolset("togai-billing")

# The maps of a rate card whose values the vendor wants as text, whatever they mean.
_TEXT_MAPS = frozenset({"slabConfig", "slabRateConfig", "rateConfig"})

# The numbers of a plan that are no counts: exact, whatever the vendor wrote them as.
_NUMBERS = frozenset({"rate", "startAfter", "creditAmount", "featureCreditLimit", "maxQuantity"})


class PricePlan(recognition.Named):
    long: ClassVar = True
    concise: ClassVar = (
        "id",
        "name",
        "type",
        "status",
        "version",
        "pricePlanDetails.supportedCurrencies",
        "pricePlanDetails.pricingCycleConfig.interval",
        "description",
    )

    type: str | None = None
    status: str | None = None
    version: int | None = None
    description: str | None = None
    pricePlanDetails: dict[str, Any] | None = None
    pricingSchedule: list[dict[str, Any]] | None = None

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_exact(cls, value: Any) -> Any:
        return exact_numbers(value)


def exact_numbers(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            name: Decimal(value)
            if name in _NUMBERS and isinstance(value, int)
            else exact_numbers(value)
            for name, value in node.items()
        }
    if isinstance(node, list):
        return [exact_numbers(item) for item in node]
    return node


@toolset.tool(READ, "GET /price_plans")
async def list_price_plans(
    togai: Togai, pageSize: PageSize = None, nextToken: NextToken = None
) -> TokenPage[PricePlan]:
    """List price plans; detail=full shows rates. Deprecated: use list-price-plans-v2."""
    return await togai.fetch(
        TokenPage[PricePlan], query={"pageSize": pageSize, "nextToken": nextToken}
    )


class WholePricePlan(PricePlan):
    """One price plan, which is asked for because of its rate cards."""

    long: ClassVar = False


@toolset.tool(READ, "GET /price_plans/{price_plan_id}")
async def get_price_plan(
    togai: Togai,
    pricePlanId: Annotated[Name, Field(min_length=1, max_length=50)],
    version: Version = None,
) -> WholePricePlan:
    """Show one price plan: its rate cards with slabs and rates by currency, cycle and versions.
    Deprecated: use get-price-plan-v2, then list-price-plan-rate-cards."""
    return await togai.fetch(
        WholePricePlan, at={"price_plan_id": pricePlanId}, query={"version": version}
    )


def _all_plans(togai: Togai) -> AsyncIterator[PricePlan]:
    """Those that are not archived."""
    return walks.rows(togai, PricePlan, "GET /price_plans", 100)


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    return await recognition.by_name(_all_plans(togai), asked, "price plan", "get-price-plan")


_KINDS = {
    "usageRateCards": "usage card",
    "fixedFeeRateCards": "fixed fee",
    "licenseRateCards": "licence card",
    "billingEntitlementRateCards": "feature entitlement",
    "entitlementOverageRateCards": "feature overage card",
    "creditGrantRateCards": "credit grant",
}
# Of a plan's meters and features so many are looked up before it is made.
_MOST_LOOKED_UP = 20


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    """Found out by reading alone. The vendor's own `dry_run` is a parameter of the write, and its
    documents do not say what it leaves undone."""
    details: PricePlanDetails = asked["pricePlanDetails"]
    _require_cycle(asked["type"], details)
    await recognition.require_free_name(
        _all_plans(togai), asked["name"], "price plan", "get-price-plan"
    )
    unseen = await _require_priced_things(togai, details)
    cards = {kind: len(getattr(details, kind) or ()) for kind in _KINDS}
    cards = {kind: number for kind, number in cards.items() if number}
    parts = [wording.counted(number, _KINDS[kind]) for kind, number in cards.items()]
    if details.minimumCommitment is not None:
        parts.append("a minimum commitment")
    cycle = details.pricingCycleConfig
    kind = asked["type"] if cycle is None else f"{asked['type']}, {cycle.interval}"
    sentence = (
        f"Creates the draft price plan {wording.quoted(asked['name'])} ({kind}) in "
        f"{wording.listed(details.supportedCurrencies)} with {_all(parts) or 'no rate card'}. "
        "It charges nobody until it is activated and associated with an account."
    )
    if unseen:
        sentence += f" {wording.counted(unseen, 'meter or feature')} of it were not looked up."
    return Effect(
        sentence,
        after={
            "name": asked["name"],
            "type": asked["type"],
            "status": "DRAFT",
            "currencies": details.supportedCurrencies,
            "cards": cards,
            "minimumCommitment": details.minimumCommitment is not None,
        },
        undo="No tool of this server removes a price plan; in Togai it can be archived.",
    )


def _all(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


async def _require_priced_things(togai: Togai, details: PricePlanDetails) -> int:
    """Look up the meters and features that are priced, and tell how many were too many for that.

    Raises `NotFound` for the first that is not there.
    """
    kinds: Iterable[tuple[str, str, Callable[[Togai, str], Awaitable[Result]], str]] = (
        ("usageRateCards", "usageMeterId", meter_of, "list-usage-meters"),
        ("billingEntitlementRateCards", "featureId", feature_of, "list-features"),
        ("entitlementOverageRateCards", "featureId", feature_of, "list-features"),
    )
    looked_up: set[str] = set()
    unseen: set[str] = set()
    for kind, member, find, shown_by in kinds:
        for index, card in enumerate(getattr(details, kind) or ()):
            an_id: str = getattr(card, member)
            if an_id in looked_up:
                continue
            if len(looked_up) == _MOST_LOOKED_UP:
                unseen.add(an_id)
                continue
            looked_up.add(an_id)
            try:
                await find(togai, an_id)
            except errors.NotFound as error:
                raise errors.NotFound(
                    f"What this card prices is not there: {error.message}",
                    field=f"pricePlanDetails.{kind}[{index}].{member}",
                    next_step=f"{shown_by} shows those there are.",
                ) from error
    return len(unseen)


def _require_cycle(kind: str, details: PricePlanDetails) -> None:
    if kind == "BILLING" and details.pricingCycleConfig is None:
        raise errors.InvalidRequest(
            "pricePlanDetails.pricingCycleConfig is required for a BILLING plan.",
            field="pricePlanDetails.pricingCycleConfig",
            next_step=f"Nothing was sent. Its shape: {SHAPES['pricingCycleConfig']}",
        )


@toolset.tool(
    CREATE,
    "POST /price_plans",
    write=Write(
        find_out="list-price-plans shows whether the plan is there",
        reconcile=_created,
        preview=_would_create,
        stake=recognition.nobody,
        target="name",
    ),
    short_form={
        "pricePlanDetails": RULES,
        **{f"pricePlanDetails.{part}": shape for part, shape in SHAPES.items()},
    },
)
async def create_price_plan(
    togai: Togai,
    name: Annotated[Name, Field(min_length=1, max_length=50)],
    pricePlanDetails: Annotated[
        PricePlanDetails, WithJsonSchema({"type": "object", "description": SHAPE})
    ],
    type: Literal["BILLING", "PURCHASE"] = "BILLING",  # noqa: A002  the seed's name
    description: Annotated[Name | None, Field(max_length=255)] = None,
) -> PricePlan:
    """Create a price plan as a draft that charges nobody yet. Deprecated: use
    create-price-plan-v2."""
    _require_cycle(type, pricePlanDetails)
    return await togai.fetch(
        PricePlan,
        body=present(
            name=name,
            type=type,
            description=description,
            pricePlanDetails=vendor_details(given(pricePlanDetails)),
        ),
    )


def vendor_details(node: Any, *, as_text: bool = False) -> Any:
    """The details without nulls; in the vendor's config maps every number as text."""
    if isinstance(node, dict):
        return {
            name: vendor_details(value, as_text=name in _TEXT_MAPS or as_text)
            for name, value in node.items()
            if value is not None
        }
    if isinstance(node, list):
        return [vendor_details(item) for item in node]
    if as_text:
        return money.plain(node)
    return node
