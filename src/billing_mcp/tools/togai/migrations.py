"""Migrations: all accounts of a price plan's version go on with another version or plan."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp.declarations import (
    ANY_WRITE,
    READ,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import Name, NextToken, PageSize
from billing_mcp.results import Result, TokenPage
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import jobs, recognition, walks
from billing_mcp.tools.togai.price_plan_changes import open_plan
from billing_mcp.tools.togai.price_plan_drafts import told_moment
from billing_mcp.upstream import Togai
from billing_mcp.wire import present

toolset = Toolset("togai-jobs")

OldMode = Literal[
    "IMMEDIATE", "IMMEDIATE_IGNORE_OVERRIDE", "NEXT_CYCLE", "NEXT_CYCLE_IGNORE_OVERRIDE"
]
Mode = Literal[OldMode, "START_OF_CURRENT_CYCLE"]
PlanId = Annotated[Name, Field(min_length=1, max_length=255)]
PlanVersion = Annotated[int, Field(ge=1, le=1_000_000)]
SameOffsets = Annotated[
    bool | None, Field(description="Keep the accounts' running pricing cycle; same interval only")
]
_ROUTE = "GET /migrations/{migration_id}"
_JOB = "PRICE_PLAN"


class Migration(Result):
    concise: ClassVar = (
        "id",
        "status",
        "sourceId",
        "targetId",
        "totalMigrationEntries",
        "failedMigrationEntries",
        "updatedAt",
    )

    id: str
    type: str | None = None
    status: str | None = None
    sourceId: str | None = None
    targetId: str | None = None
    updatedAt: str | None = None
    totalMigrationEntries: int | None = None
    pendingMigrationEntries: int | None = None
    failedMigrationEntries: int | None = None
    completedMigrationEntries: int | None = None


@toolset.tool(READ, "GET /migrations", title="List migrations (deprecated)")
async def list_migrations(
    togai: Togai, pageSize: PageSize = None, nextToken: NextToken = None
) -> TokenPage[Migration]:
    """List plan migrations. Deprecated: use list-jobs."""
    query = {"pageSize": pageSize, "nextToken": nextToken}
    return await togai.fetch(TokenPage[Migration], query=query)


@toolset.tool(READ, _ROUTE, title="Get the status of a migration (deprecated)")
async def get_migration_status(
    togai: Togai, migrationId: Annotated[Name, Field(min_length=1, max_length=100)]
) -> Migration:
    """Show one plan migration. Deprecated: use get-job."""
    return await togai.fetch(Migration, at={"migration_id": migrationId})


async def _jobs_before(togai: Togai, _: Mapping[str, Any]) -> list[str] | None:
    return await jobs.known(togai, _JOB)


async def _started(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """A new job over the same versions in the same mode is the one that was started. If somebody
    else started it at that very time, it moves the same accounts to the same version."""
    names = ("sourceId", "sourceVersion", "targetId", "targetVersion", "migrationMode")
    wanted = {name: asked.get(name) for name in names}
    fitting, silent = [], []
    try:
        found = await jobs.new(togai, _JOB)
    except walks.MoreThanSearched:
        return Undecided("list-jobs shows the latest migrations, and get-job what they move")
    for job in found:
        if job.status == jobs.WAITING and not asked.get("requireConfirmation"):
            continue
        if "sourceId" not in (job.metadata or {}):
            silent.append(job.id)
        elif holds(job.metadata, wanted):
            fitting.append(job.id)
    if fitting and togai.baseline is not None:
        return recognition.DONE
    if not fitting and not silent:
        return NotApplied()
    ids = ", ".join((fitting or silent)[: wording.MOST_LISTED])
    return Undecided(f"it may be one of these jobs: {ids}; get-job and list-job-entries show them")


async def _would_migrate(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    source = await open_plan(togai, asked["sourceId"])
    target = source
    if asked["targetId"] is not None and asked["targetId"] != source.id:
        target = await open_plan(togai, asked["targetId"])
    of = wording.named("price plan", source.id, source.name)
    to = "it" if target is source else wording.named("price plan", target.id, target.name)
    version = asked["targetVersion"]
    into = f"version {version} of {to}" if version is not None else f"the version of {to} in force"
    sentence = (
        f"Moves all accounts of version {asked['sourceVersion']} of {of} to {into}, "
        f"{told_moment(asked['migrationMode'])}."
    )
    if asked.get("requireConfirmation"):
        sentence += " The job waits for confirm-job before it does anything."
    return Effect(
        sentence + " How many accounts these are, Togai says only of the job.",
        {"pricePlanId": source.id, "version": asked["sourceVersion"]},
        {"pricePlanId": target.id, "version": version},
        "reject-job, before it is confirmed."
        if asked.get("requireConfirmation")
        else "No tool takes a migration back; a migration the other way round begins new cycles.",
        {"source": source.status, "target": target.status},
    )


_WRITE = Write(
    find_out="list-jobs and get-job show whether there is such a job",
    reconcile=_started,
    baseline=_jobs_before,
    preview=_would_migrate,
    stake=recognition.anybody,
    target="sourceId",
)


@toolset.tool(
    ANY_WRITE, "POST /migrations/price_plan", title="Start a migration (deprecated)", write=_WRITE
)
async def migrate_price_plan_accounts(
    togai: Togai,
    sourceId: PlanId,
    sourceVersion: PlanVersion,
    targetId: PlanId,
    targetVersion: PlanVersion,
    migrationMode: OldMode,
    retainStartOffsets: SameOffsets = None,
) -> recognition.Done:
    """Move all accounts of one plan version to another. Deprecated: use migrate-price-plan-v2."""
    body = present(
        sourceId=sourceId,
        sourceVersion=sourceVersion,
        targetId=targetId,
        targetVersion=targetVersion,
        migrationMode=migrationMode,
        retainStartOffsets=retainStartOffsets,
    )
    return await togai.fetch(recognition.Done, body=body)


@toolset.tool(
    ANY_WRITE,
    "POST /price_plans/migration",
    title="Migrate accounts to another plan version (v1)",
    write=_WRITE,
)
async def migrate_price_plan_v1(
    togai: Togai,
    sourceId: PlanId,
    sourceVersion: PlanVersion,
    migrationMode: Mode,
    targetId: PlanId | None = None,
    targetVersion: PlanVersion | None = None,
    retainStartOffsets: SameOffsets = None,
    isPricePlanV2Migration: bool | None = None,
    requireConfirmation: bool | None = None,
) -> recognition.Done:
    """Move all accounts of a plan version to another. Deprecated: use migrate-price-plan-v2."""
    body = present(
        sourceId=sourceId,
        sourceVersion=sourceVersion,
        targetId=targetId,
        targetVersion=targetVersion,
        migrationMode=migrationMode,
        retainStartOffsets=retainStartOffsets,
        isPricePlanV2Migration=isPricePlanV2Migration,
        requireConfirmation=requireConfirmation,
    )
    return await togai.fetch(recognition.Done, body=body)


@toolset.tool(
    ANY_WRITE,
    "POST /v2/price_plans/migration",
    title="Migrate accounts to another plan (v2)",
    write=_WRITE,
)
async def migrate_price_plan_v2(
    togai: Togai,
    sourceId: PlanId,
    sourceVersion: PlanVersion,
    migrationMode: Annotated[Mode, Field(description="IGNORE_OVERRIDE drops agreed prices")],
    targetId: Annotated[PlanId | None, Field(description="Default: the same plan")] = None,
    targetVersion: Annotated[PlanVersion | None, Field(description="Default: in force")] = None,
    retainStartOffsets: SameOffsets = None,
    isPricePlanV2Migration: bool | None = None,
    requireConfirmation: Annotated[
        bool | None, Field(description="Wait for confirm-job; list-job-entries shows whom it moves")
    ] = None,
) -> recognition.Done:
    """Start a job that moves all accounts of a plan version to another version or plan. list-jobs
    shows it. This cannot be undone."""
    body = present(
        sourceId=sourceId,
        sourceVersion=sourceVersion,
        targetId=targetId,
        targetVersion=targetVersion,
        migrationMode=migrationMode,
        retainStartOffsets=retainStartOffsets,
        isPricePlanV2Migration=isPricePlanV2Migration,
        requireConfirmation=requireConfirmation,
    )
    return await togai.fetch(recognition.Done, body=body)
