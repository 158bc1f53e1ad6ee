"""Price plans (V1, deprecated): changed, activated, archived."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from billing_mcp import errors
from billing_mcp.declarations import (
    DELETE,
    UPDATE,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import Currency, Name
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition
from billing_mcp.tools.togai.plan_overrides import RULES, SHAPE, PricePlanOverride
from billing_mcp.tools.togai.price_plan_drafts import (
    MigrationMode,
    VersionsToMigrate,
    told_migration,
)
from billing_mcp.tools.togai.price_plans import PricePlan, WholePricePlan, vendor_details
from billing_mcp.tools.togai.pricing_rules import NewPricingRules, without_null
from billing_mcp.tools.togai.rate_cards import SHAPES
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, present

toolset = Toolset("togai-price-plans")

PricePlanId = Annotated[Name, Field(min_length=1, max_length=50)]
PLAN_ROUTE = "GET /price_plans/{price_plan_id}"


async def plan_of(togai: Togai, price_plan_id: str) -> WholePricePlan:
    """The plan as the first generation shows it. Raises `NotFound`."""
    at = {"price_plan_id": price_plan_id}
    return await togai.fetch(WholePricePlan, route=PLAN_ROUTE, at=at)


def schedule_of(plan: PricePlan) -> dict[str, Any]:
    """What the plan says, in the version that is shown."""
    return plan.pricingSchedule[-1] if plan.pricingSchedule else {}


def details_of(plan: PricePlan) -> dict[str, Any]:
    found: dict[str, Any] = schedule_of(plan).get("pricePlanDetails") or {}
    return found


def called(plan: PricePlan) -> str:
    return wording.named("price plan", plan.id, plan.name)


async def open_plan(togai: Togai, price_plan_id: str) -> WholePricePlan:
    """Raises `Conflict` for a plan that is archived."""
    plan = await plan_of(togai, price_plan_id)
    if plan.status == "ARCHIVED":
        raise errors.Conflict(
            f"The {called(plan)} is ARCHIVED.",
            field="pricePlanId",
            next_step="list-price-plans shows those that are not.",
        )
    return plan


def as_read(plan: PricePlan) -> dict[str, Any]:
    """What must still be so when a change is committed."""
    details = details_of(plan)
    return {
        "status": plan.status,
        "version": schedule_of(plan).get("version"),
        "supportedCurrencies": details.get("supportedCurrencies"),
        "activeCurrencies": details.get("activeCurrencies"),
    }


async def _version_before(togai: Togai, asked: Mapping[str, Any]) -> int | None:
    """The version that accounts are to be moved from; None where they stay."""
    if asked["migrationMode"] in (None, "NONE"):
        return None
    plan = await plan_of(togai, asked["pricePlanId"])
    version: int | None = schedule_of(plan).get("version") if plan.status == "ACTIVE" else None
    return version


async def _updated(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    plan = await plan_of(togai, asked["pricePlanId"])
    if togai.baseline is not None and schedule_of(plan).get("version") == togai.baseline:
        # The plan may have been so before; its accounts have not been moved.
        return NotApplied()
    rules = asked.get("pricingRules")
    in_force = holds(plan.description, asked.get("description")) and holds(
        details_of(plan), asked.get("pricePlanDetails")
    )
    if rules is not None:
        in_force = in_force and holds(schedule_of(plan).get("pricingRules") or [], rules)
    return Applied(plan) if in_force else NotApplied()


async def _would_update(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    plan = await open_plan(togai, asked["pricePlanId"])
    own: PricePlanOverride | None = asked["pricePlanDetails"]
    wanted = present(
        description=asked["description"],
        pricePlanDetails=None if own is None else vendor_details(given(own)),
    )
    if asked["pricingRules"] is not None:
        wanted["pricingRules"] = [without_null(rule) for rule in asked["pricingRules"]]
    _require_something(wanted)
    before = {
        "description": plan.description,
        "pricePlanDetails": {name: details_of(plan).get(name) for name in given(own)}
        if own
        else None,
        "pricingRules": schedule_of(plan).get("pricingRules"),
    }
    parts = [*(name for name in wanted if name != "pricePlanDetails"), *(given(own) if own else ())]
    sentence = f"Changes {wording.listed(parts)} of the draft {called(plan)}."
    if plan.status == "ACTIVE":
        migration = told_migration(asked["migrationMode"], asked["versionsToMigrate"])
        version = int(schedule_of(plan).get("version") or 1) + 1
        sentence = (
            f"Puts version {version} of {called(plan)} in force with another "
            f"{wording.listed(parts)}. {migration}"
        )
    return Effect(sentence, {name: before[name] for name in wanted}, wanted, None, as_read(plan))


def _require_something(wanted: Mapping[str, Any]) -> None:
    if not wanted:
        raise errors.InvalidRequest(
            "None of description, pricePlanDetails, pricingRules is given; nothing was sent.",
            field="pricePlanDetails",
            next_step="Give what is to be changed.",
        )


@toolset.tool(
    UPDATE,
    "PATCH /price_plans/{price_plan_id}",
    title="Update price plan (v1)",
    write=Write(
        find_out="get-price-plan shows whether it is changed",
        reconcile=_updated,
        baseline=_version_before,
        preview=_would_update,
        stake=recognition.anybody,
        target="pricePlanId",
    ),
    short_form={
        "pricePlanDetails": RULES,
        **{f"pricePlanDetails.{part}": shape for part, shape in SHAPES.items()},
    },
)
async def update_price_plan(
    togai: Togai,
    pricePlanId: PricePlanId,
    pricePlanDetails: Annotated[
        PricePlanOverride | None, WithJsonSchema({"type": "object", "description": SHAPE})
    ] = None,
    description: Annotated[Name | None, Field(max_length=255)] = None,
    pricingRules: NewPricingRules | None = None,
    migrationMode: MigrationMode | None = None,
    versionsToMigrate: VersionsToMigrate | None = None,
) -> PricePlan:
    """Change a draft plan; of an active one a new version is in force at once. Deprecated: use
    edit-price-plan-rate-cards, then finalize-price-plan."""
    body = present(
        description=description,
        pricePlanDetails=vendor_details(given(pricePlanDetails)) if pricePlanDetails else None,
    )
    if pricingRules is not None:
        body["pricingRules"] = [without_null(rule) for rule in pricingRules]
    _require_something(body)
    body |= present(migrationMode=migrationMode, versionsToMigrate=versionsToMigrate)
    return await togai.fetch(PricePlan, at={"price_plan_id": pricePlanId}, body=body)


async def _activated(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    plan = await plan_of(togai, asked["pricePlanId"])
    active = set(details_of(plan).get("activeCurrencies") or ())
    return Applied(plan) if active >= set(asked["currencies"]) else NotApplied()


async def _would_activate(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    plan = await open_plan(togai, asked["pricePlanId"])
    details = details_of(plan)
    supported, active = details.get("supportedCurrencies"), details.get("activeCurrencies") or []
    for index, currency in enumerate(asked["currencies"]):
        if supported is not None and currency not in supported:
            raise errors.Conflict(
                f"The {called(plan)} has no rates in {currency}.",
                field=f"currencies[{index}]",
                next_step="add-price-plan-currencies gives it some.",
            )
    return Effect(
        f"Activates the {called(plan)} in {wording.listed(asked['currencies'])}: accounts of "
        f"{'these currencies' if len(asked['currencies']) > 1 else 'this currency'} can be "
        "associated with it.",
        {"status": plan.status, "activeCurrencies": active},
        {
            "status": "ACTIVE",
            "activeCurrencies": [*active, *(c for c in asked["currencies"] if c not in active)],
        },
        None,
        as_read(plan),
    )


@toolset.tool(
    UPDATE,
    "POST /price_plans/{price_plan_id}/activate",
    write=Write(
        find_out="get-price-plan shows its activeCurrencies",
        reconcile=_activated,
        preview=_would_activate,
        stake=recognition.nobody,
        target="pricePlanId",
    ),
)
async def activate_price_plan(
    togai: Togai,
    pricePlanId: PricePlanId,
    currencies: Annotated[list[Currency], Field(min_length=1, max_length=20)],
) -> PricePlan:
    """Put a draft plan in force in some of its currencies. Deprecated: use finalize-price-plan."""
    at = {"price_plan_id": pricePlanId}
    return await togai.fetch(PricePlan, at=at, body={"currencies": currencies})


async def _archived(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    try:
        plan = await plan_of(togai, asked["pricePlanId"])
    except errors.NotFound:
        return recognition.DONE
    return recognition.DONE if plan.status == "ARCHIVED" else NotApplied()


async def _would_archive(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    plan = await open_plan(togai, asked["pricePlanId"])
    return Effect(
        f"Archives the {called(plan)}, now {plan.status}, for good: no account can be associated "
        "with it any more. Togai refuses it while one is.",
        {"status": plan.status},
        {"status": "ARCHIVED"},
        None,
        as_read(plan),
    )


@toolset.tool(
    DELETE,
    "DELETE /price_plans/{price_plan_id}",
    write=Write(
        find_out="get-price-plan shows whether it is ARCHIVED",
        reconcile=_archived,
        preview=_would_archive,
        stake=recognition.nobody,
        target="pricePlanId",
    ),
)
async def archive_price_plan(togai: Togai, pricePlanId: PricePlanId) -> recognition.Done:
    """Archive a price plan that no account is on. This cannot be undone. Deprecated by Togai
    without a successor."""
    return await togai.fetch(recognition.Done, at={"price_plan_id": pricePlanId})
