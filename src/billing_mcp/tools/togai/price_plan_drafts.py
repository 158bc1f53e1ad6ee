"""The end of a price plan's draft (V2): finalized, or discarded."""

from collections.abc import Mapping
from typing import Any, Literal

from billing_mcp import errors
from billing_mcp.declarations import (
    ANY_WRITE,
    DELETE,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.results import TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition
from billing_mcp.tools.togai.price_plans_v2 import (
    ERRORS_ROUTE,
    PlanError,
    PricePlanId,
    PricePlanV2,
    as_read,
    called,
    latest,
)
from billing_mcp.upstream import Togai
from billing_mcp.wire import present

toolset = Toolset("togai-price-plans")

MigrationMode = Literal[
    "NONE",
    "IMMEDIATE",
    "IMMEDIATE_IGNORE_OVERRIDE",
    "NEXT_CYCLE",
    "NEXT_CYCLE_IGNORE_OVERRIDE",
    "START_OF_CURRENT_CYCLE",
]
VersionsToMigrate = Literal["LATEST_VERSION", "ALL_VERSION"]
_WHEN = {
    "IMMEDIATE": "at once",
    "NEXT_CYCLE": "from their next cycle on",
    "START_OF_CURRENT_CYCLE": "from the start of their running cycle on",
}


def told_migration(mode: str | None, versions: str | None) -> str:
    """What becomes of the accounts that have the plan, in a sentence."""
    if mode in (None, "NONE"):
        return "Accounts that have the plan stay with the version they have."
    whose = "of every version" if versions == "ALL_VERSION" else "of the version before it"
    return f"All accounts {whose} are billed by it {told_moment(str(mode))}."


def told_moment(mode: str) -> str:
    """From when on a mode counts, and what it does to the prices of single accounts."""
    own = ", losing what was agreed with them" if mode.endswith("_OVERRIDE") else ""
    return _WHEN[mode.removesuffix("_IGNORE_OVERRIDE")] + own


async def _draft(togai: Togai, price_plan_id: str) -> PricePlanV2:
    """Raises `Conflict` for a plan without a draft."""
    plan = await latest(togai, price_plan_id)
    if plan.status != "DRAFT":
        raise errors.Conflict(
            f"The {called(plan)} has no draft.",
            field="pricePlanId",
            next_step="edit-price-plan-rate-cards or update-price-plan-v2 begin one.",
        )
    return plan


async def _require_no_errors(togai: Togai, plan: PricePlanV2) -> None:
    at = {"price_plan_id": plan.id}
    page = await togai.fetch(TokenPage[PlanError], route=ERRORS_ROUTE, at=at)
    if page.data:
        first = page.data[0]
        raise errors.Conflict(
            f"The {called(plan)} has errors, the first in "
            f"{wording.identified(first.entityId or 'it')}: {wording.quoted(first.errorMessage)}.",
            field="pricePlanId",
            next_step="list-price-plan-errors shows them all; mend them first.",
        )


async def _drafted_version(togai: Togai, asked: Mapping[str, Any]) -> int | None:
    """The version that the draft is; None when there is none."""
    try:
        plan = await latest(togai, asked["pricePlanId"])
    except errors.NotFound:
        return None
    return plan.version if plan.status == "DRAFT" else None


async def _became_of_draft(
    togai: Togai, asked: Mapping[str, Any]
) -> Literal["there", "finalized", "discarded", "unknown"]:
    """A draft that was discarded leaves its number to the next one; one in force keeps it."""
    try:
        plan = await latest(togai, asked["pricePlanId"])
    except errors.NotFound:
        # A plan that never was in force goes with its draft.
        return "discarded"
    if togai.baseline is None or plan.version is None:
        return "there" if plan.status == "DRAFT" else "unknown"
    if plan.version == togai.baseline and plan.status == "DRAFT":
        return "there"
    return "finalized" if plan.version >= togai.baseline else "discarded"


async def _finalized(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    became = await _became_of_draft(togai, asked)
    if became == "unknown":
        return Undecided("list-price-plan-versions shows which versions were in force")
    return recognition.DONE if became == "finalized" else NotApplied()


async def _would_finalize(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    plan = await _draft(togai, asked["pricePlanId"])
    await _require_no_errors(togai, plan)
    migration = told_migration(asked["migrationMode"], asked["versionsToMigrate"])
    return Effect(
        f"Makes version {plan.version} of {called(plan)} the one in force. {migration}",
        {"version": plan.version, "status": "DRAFT"},
        {"version": plan.version, "status": "ACTIVE"},
        None,
        as_read(plan),
    )


@toolset.tool(
    ANY_WRITE,
    "POST /v2/price_plans/{price_plan_id}/finalize",
    write=Write(
        find_out="get-price-plan-v2 shows whether the latest version is ACTIVE",
        reconcile=_finalized,
        baseline=_drafted_version,
        preview=_would_finalize,
        stake=recognition.anybody,
        target="pricePlanId",
    ),
)
async def finalize_price_plan(
    togai: Togai,
    pricePlanId: PricePlanId,
    migrationMode: MigrationMode | None = None,
    versionsToMigrate: VersionsToMigrate | None = None,
) -> recognition.Done:
    """Put a price plan's draft in force. Accounts keep their version unless migrationMode moves
    them. This cannot be undone."""
    return await togai.fetch(
        recognition.Done,
        at={"price_plan_id": pricePlanId},
        body=present(migrationMode=migrationMode, versionsToMigrate=versionsToMigrate),
    )


async def _discarded(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    became = await _became_of_draft(togai, asked)
    if became == "unknown":
        return Undecided("list-price-plan-versions shows which versions were in force")
    return recognition.DONE if became == "discarded" else NotApplied()


async def _would_discard(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    plan = await _draft(togai, asked["pricePlanId"])
    left = "the plan as it is in force stays"
    if plan.version == 1:
        left = "the plan never was in force and goes with it"
    return Effect(
        f"Drops the draft (version {plan.version}) of {called(plan)} with all that is in it; "
        f"{left}.",
        {"version": plan.version, "status": "DRAFT"},
        None,
        None,
        as_read(plan),
    )


@toolset.tool(
    DELETE,
    "DELETE /v2/price_plans/{price_plan_id}/discard",
    title="Discard the draft of a price plan",
    write=Write(
        find_out="get-price-plan-v2 shows whether there still is a draft",
        reconcile=_discarded,
        baseline=_drafted_version,
        preview=_would_discard,
        stake=recognition.nobody,
        target="pricePlanId",
    ),
)
async def discard_price_plan(togai: Togai, pricePlanId: PricePlanId) -> recognition.Done:
    """Drop a price plan's draft; a plan that never was active goes with it. This cannot be
    undone."""
    return await togai.fetch(recognition.Done, at={"price_plan_id": pricePlanId})
