"""Price plans (V1, as the seeds have them): what accounts pay for usage, fees and features."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema, model_validator

from billing_mcp import money
from billing_mcp.declarations import (
    CREATE,
    READ,
    Applied,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.errors import InvalidRequest, Unavailable
from billing_mcp.params import Name, NextToken, PageSize, Version
from billing_mcp.results import Result, TokenPage, values
from billing_mcp.sameness import holds
from billing_mcp.tools.togai.rate_cards import RULES, SHAPE, SHAPES, PricePlanDetails
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, present

toolset = Toolset("togai-billing")

# The maps of a rate card whose values the vendor wants as text, whatever they mean.
_TEXT_MAPS = frozenset({"slabConfig", "slabRateConfig", "rateConfig"})

# The numbers of a plan that are no counts: exact, whatever the vendor wrote them as.
_NUMBERS = frozenset({"rate", "startAfter", "creditAmount", "featureCreditLimit", "maxQuantity"})


class PricePlan(Result):
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

    id: str
    name: str
    type: str | None = None
    status: str | None = None
    version: int | None = None
    description: str | None = None
    pricePlanDetails: dict[str, Any] | None = None
    pricingSchedule: list[dict[str, Any]] | None = None

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_exact(cls, value: Any) -> Any:
        return _exact_numbers(value)


def _exact_numbers(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            name: Decimal(value)
            if name in _NUMBERS and isinstance(value, int)
            else _exact_numbers(value)
            for name, value in node.items()
        }
    if isinstance(node, list):
        return [_exact_numbers(item) for item in node]
    return node


@toolset.tool(READ, "GET /price_plans")
async def list_price_plans(
    togai: Togai, pageSize: PageSize = None, nextToken: NextToken = None
) -> TokenPage[PricePlan]:
    """List price plans. detail=full shows their rate cards, slabs and rates."""
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
    """Show one price plan: its rate cards with slabs and rates by currency, cycle and versions."""
    return await togai.fetch(
        WholePricePlan, at={"price_plan_id": pricePlanId}, query={"version": version}
    )


# Pages of 100 that are searched for a plan of that name.
PAGES_SEARCHED = 20


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """The vendor gives the id, so a plan is recognised by its name and all that was asked of it."""
    named = [plan async for plan in _all_plans(togai) if plan.name == asked["name"]]
    if not named:
        return NotApplied()
    fitting = [plan for plan in named if holds(values(plan), asked)]
    if len(named) == len(fitting) == 1:
        return Applied(fitting[0])
    return Undecided(
        f"there are plans of that name ({', '.join(plan.id for plan in named)}), but not one that "
        "is surely of this call; get-price-plan shows them"
    )


async def _all_plans(togai: Togai) -> AsyncIterator[PricePlan]:
    """Raises `Unavailable` when there are more than can be looked through."""
    query: dict[str, Any] = {"pageSize": 100}
    for _ in range(PAGES_SEARCHED):
        page = await togai.fetch(TokenPage[PricePlan], route="GET /price_plans", query=query)
        for plan in page.data:
            yield plan
        if not page.nextToken:
            return
        query = {"nextToken": page.nextToken}
    raise Unavailable(f"There are more than {PAGES_SEARCHED * 100} price plans to look through.")


@toolset.tool(
    CREATE,
    "POST /price_plans",
    write=Write(
        find_out="list-price-plans shows whether the plan is there",
        reconcile=_created,
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
    """Create a price plan as a draft. It charges nobody until it is activated and associated with
    an account."""
    if type == "BILLING" and pricePlanDetails.pricingCycleConfig is None:
        raise InvalidRequest(
            "pricePlanDetails.pricingCycleConfig is required for a BILLING plan.",
            field="pricePlanDetails.pricingCycleConfig",
            next_step=f"Nothing was sent. Its shape: {SHAPES['pricingCycleConfig']}",
        )
    return await togai.fetch(
        PricePlan,
        body=present(
            name=name,
            type=type,
            description=description,
            pricePlanDetails=_vendor_details(given(pricePlanDetails)),
        ),
    )


def _vendor_details(node: Any, *, as_text: bool = False) -> Any:
    """The details without nulls; in the vendor's config maps every number as text."""
    if isinstance(node, dict):
        return {
            name: _vendor_details(value, as_text=name in _TEXT_MAPS or as_text)
            for name, value in node.items()
            if value is not None
        }
    if isinstance(node, list):
        return [_vendor_details(item) for item in node]
    if as_text:
        return money.plain(node)
    return node
