"""Price plans, V2: what one is, its versions and what is wrong with it; its header."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import CREATE, READ, UPDATE, Effect, Toolset, Verdict, Write
from billing_mcp.params import Currency, Name, NextToken, PageSize
from billing_mcp.results import Result, TokenPage, values
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.tools.togai.rate_cards import PricingCycle
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, present

toolset = Toolset("togai-price-plans")

PricePlanId = Annotated[Name, Field(min_length=1, max_length=50)]
Currencies = Annotated[list[Currency], Field(min_length=1, max_length=20)]
Description = Annotated[Name | None, Field(max_length=255)]
PlanVersion = Annotated[
    Name | None,
    Field(pattern="^(LATEST|ACTIVE|[1-9][0-9]{0,6})$", description="LATEST, ACTIVE or a number"),
]
PLAN_ROUTE = "GET /v2/price_plans/{price_plan_id}"


class PricePlanV2(recognition.Named):
    concise: ClassVar = (
        "id",
        "name",
        "type",
        "version",
        "status",
        "supportedCurrencies",
        "pricingCycleConfig.interval",
        "description",
    )

    referenceId: str | None = None
    type: str | None = None
    description: str | None = None
    version: int | None = None
    status: str | None = None
    supportedCurrencies: list[str] | None = None
    pricingCycleConfig: dict[str, Any] | None = None
    deferredRevenue: bool | None = None
    allowOngoingCycleUpdates: bool | None = None
    createdAt: str | None = None
    updatedAt: str | None = None


class PlanError(Result):
    concise: ClassVar = ("entityType", "entityId", "errorMessage")

    referenceId: str | None = None
    entityId: str | None = None
    entityType: str | None = None
    errorMessage: str


@toolset.tool(READ, "GET /v2/price_plans", title="List price plans (v2)")
async def list_price_plans_v2(
    togai: Togai, pageSize: PageSize = None, nextToken: NextToken = None
) -> TokenPage[PricePlanV2]:
    """List price plans, each in its latest version: status, currencies, cycle."""
    query = {"pageSize": pageSize, "nextToken": nextToken}
    return await togai.fetch(TokenPage[PricePlanV2], query=query)


@toolset.tool(READ, PLAN_ROUTE, title="Get price plan (v2)")
async def get_price_plan_v2(
    togai: Togai, pricePlanId: PricePlanId, version: PlanVersion = None
) -> PricePlanV2:
    """Show the header of a price plan. Prices: list-price-plan-rate-cards."""
    at = {"price_plan_id": pricePlanId}
    return await togai.fetch(PricePlanV2, at=at, query={"version": version})


@toolset.tool(
    READ,
    "GET /v2/price_plans/{price_plan_id}/versions",
    title="List the versions of a price plan",
)
async def list_price_plan_versions(
    togai: Togai, pricePlanId: PricePlanId, pageSize: PageSize = None, nextToken: NextToken = None
) -> TokenPage[PricePlanV2]:
    """List a price plan's versions, its draft among them."""
    return await togai.fetch(
        TokenPage[PricePlanV2],
        at={"price_plan_id": pricePlanId},
        query={"pageSize": pageSize, "nextToken": nextToken},
    )


ERRORS_ROUTE = "GET /v2/price_plans/{price_plan_id}/errors"


@toolset.tool(READ, ERRORS_ROUTE, title="List the errors of a price plan")
async def list_price_plan_errors(
    togai: Togai, pricePlanId: PricePlanId, nextToken: NextToken = None
) -> TokenPage[PlanError]:
    """List what keeps a price plan's draft from being finalized."""
    at = {"price_plan_id": pricePlanId}
    return await togai.fetch(TokenPage[PlanError], at=at, query={"nextToken": nextToken})


async def latest(togai: Togai, price_plan_id: str) -> PricePlanV2:
    """The plan in its latest version: its draft if there is one. Raises `NotFound`."""
    at = {"price_plan_id": price_plan_id}
    return await togai.fetch(PricePlanV2, route=PLAN_ROUTE, at=at)


def called(plan: PricePlanV2) -> str:
    return wording.named("price plan", plan.id, plan.name)


def draft_of(plan: PricePlanV2) -> str:
    """`the draft (version 3) of price plan pp.1 ("Team")`, also when it is only begun by this."""
    if plan.status == "DRAFT":
        return f"the draft (version {plan.version}) of {called(plan)}"
    return f"a new draft of {called(plan)}, whose version {plan.version} stays in force"


def as_read(plan: PricePlanV2) -> dict[str, Any]:
    """What must still be so when a change of the draft is committed."""
    return {"version": plan.version, "status": plan.status, "updatedAt": plan.updatedAt}


def _all(togai: Togai) -> AsyncIterator[PricePlanV2]:
    return walks.rows(togai, PricePlanV2, "GET /v2/price_plans", 100)


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    return await recognition.by_name(_all(togai), asked, "price plan", "get-price-plan-v2")


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    await recognition.require_free_name(
        _all(togai), asked["name"], "price plan", "get-price-plan-v2"
    )
    cycle: PricingCycle | None = asked["pricingCycleConfig"]
    kind = asked["type"] if cycle is None else f"{asked['type']}, {cycle.interval}"
    return Effect(
        f"Creates the draft price plan {wording.quoted(asked['name'])} ({kind}) in "
        f"{wording.listed(asked['supportedCurrencies'])} without rate cards. It charges nobody "
        "until it is filled, finalized and associated with an account.",
        after={
            "name": asked["name"],
            "type": asked["type"],
            "status": "DRAFT",
            "supportedCurrencies": asked["supportedCurrencies"],
        },
        undo="discard-price-plan, until it is finalized.",
    )


@toolset.tool(
    CREATE,
    "POST /v2/price_plans",
    title="Create price plan (v2)",
    write=Write(
        find_out="list-price-plans-v2 shows whether the plan is there",
        reconcile=_created,
        preview=_would_create,
        stake=recognition.nobody,
        target="name",
    ),
)
async def create_price_plan_v2(
    togai: Togai,
    name: Annotated[Name, Field(min_length=1, max_length=50)],
    type: Literal["BILLING", "PURCHASE"],  # noqa: A002  the vendor's name
    supportedCurrencies: Currencies,
    pricingCycleConfig: Annotated[
        PricingCycle | None, Field(description="Required to finalize a BILLING plan")
    ] = None,
    description: Description = None,
    deferredRevenue: bool | None = None,
    allowOngoingCycleUpdates: bool | None = None,
) -> PricePlanV2:
    """Start a price plan as a draft. Then edit-price-plan-rate-cards and finalize-price-plan."""
    return await togai.fetch(
        PricePlanV2,
        body=present(
            name=name,
            type=type,
            supportedCurrencies=supportedCurrencies,
            pricingCycleConfig=given(pricingCycleConfig) if pricingCycleConfig else None,
            description=description,
            deferredRevenue=deferredRevenue,
            allowOngoingCycleUpdates=allowOngoingCycleUpdates,
        ),
    )


_HEADER = ("description", "pricingCycleConfig", "supportedCurrencies")


async def _updated(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    plan = await latest(togai, asked["pricePlanId"])
    return recognition.in_force(plan, {name: asked.get(name) for name in _HEADER})


async def _would_update(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    wanted = present(**{name: asked[name] for name in _HEADER})
    _require_something(wanted)
    plan = await latest(togai, asked["pricePlanId"])
    before = {name: values(plan).get(name) for name in wanted}
    told = recognition.changed(before, wanted)
    return Effect(
        f"In {draft_of(plan)} it changes {wording.listed(told) or 'nothing'}. Nobody is billed by "
        "it until finalize-price-plan.",
        before,
        wanted,
        "discard-price-plan drops the draft with all that was changed in it.",
        as_read(plan),
    )


def _require_something(wanted: Mapping[str, Any]) -> None:
    if not wanted:
        raise errors.InvalidRequest(
            f"None of {', '.join(_HEADER)} is given; nothing was sent.",
            field=_HEADER[0],
            next_step="Give what is to be changed.",
        )


@toolset.tool(
    UPDATE,
    "PATCH /v2/price_plans/{price_plan_id}",
    title="Update price plan (v2)",
    write=Write(
        find_out="get-price-plan-v2 shows whether the draft has it",
        reconcile=_updated,
        preview=_would_update,
        stake=recognition.nobody,
        target="pricePlanId",
    ),
)
async def update_price_plan_v2(
    togai: Togai,
    pricePlanId: PricePlanId,
    description: Description = None,
    pricingCycleConfig: PricingCycle | None = None,
    supportedCurrencies: Currencies | None = None,
) -> PricePlanV2:
    """Change the header of a price plan's draft; of an active plan a draft begins."""
    body = present(
        description=description,
        pricingCycleConfig=given(pricingCycleConfig) if pricingCycleConfig else None,
        supportedCurrencies=supportedCurrencies,
    )
    _require_something(body)
    return await togai.fetch(PricePlanV2, at={"price_plan_id": pricePlanId}, body=body)
