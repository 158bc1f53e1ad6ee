"""Togai's migrations: all accounts of a version of a price plan go on with another, as a job."""

from collections.abc import Mapping
from typing import Any

from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import jobs, plan_migration, plan_versions
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_JOB = "PRICE_PLAN"
_FIRST_GENERATION = (
    *("sourceId", "sourceVersion", "targetId", "targetVersion"),
    *("migrationMode", "retainStartOffsets"),
)
_FIELDS = (*_FIRST_GENERATION, "isPricePlanV2Migration", "requireConfirmation")
_LONGEST_ID = 255
_HIGHEST_VERSION = 2**31 - 1
_LISTING = Listing(
    select="select * from jobs where type = 'PRICE_PLAN'", unique="number", order=("number", True)
)


@resource.route("POST", "/price_plans/migration")
def migrate_price_plan(request: Call) -> Reply:
    return _migrate(request, _FIELDS, plan_migration.MODES, 201)


@resource.route("POST", "/v2/price_plans/migration")
def migrate_price_plan_v2(request: Call) -> Reply:
    return _migrate(request, _FIELDS, plan_migration.MODES, 201)


@resource.route("POST", "/migrations/price_plan")
def migrate_accounts(request: Call) -> Reply:
    """What the vendor had before jobs: nothing is left out, and nothing waits."""
    for name in ("targetId", "targetVersion"):
        if name not in call.fields(request.body):
            raise Refusal(400, f"{name} is required")
    modes = tuple(mode for mode in plan_migration.MODES if mode != "START_OF_CURRENT_CYCLE")
    return _migrate(request, _FIRST_GENERATION, modes, 200)


@resource.route("GET", "/migrations")
def list_migrations(request: Call) -> Reply:
    """The latest first (ours)."""
    found = page(request, _LISTING)
    return Reply(found.answer([_render(request, row) for row in found.rows]))


@resource.route("GET", "/migrations/{migration_id}")
def get_migration(request: Call) -> Reply:
    """A migration is a job, and has its id (ours)."""
    migration_id = request.path["migration_id"]
    row = request.db.execute(
        "select * from jobs where id = ? and type = ?", (migration_id, _JOB)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Migration {migration_id} not found")
    return Reply(_render(request, row))


def _migrate(request: Call, fields: tuple[str, ...], modes: tuple[str, ...], status: int) -> Reply:
    body = call.closed(request.body, fields)
    source = _source(request, body)
    target = _target(request, body, source)
    if (source["id"], source["version"]) == (target["id"], target["version"]):
        raise Refusal(400, "targetVersion: source and target are the same version of a plan")
    # The sandbox keeps the plans of both generations alike, so that the flag says nothing new.
    call.flag(body, "isPricePlanV2Migration", default=False)
    mode = call.one_of(body, "migrationMode", modes)
    task = {
        "sourceId": source["id"],
        "sourceVersion": source["version"],
        "targetId": target["id"],
        "targetVersion": target["version"],
        "migrationMode": mode,
        "retainStartOffsets": call.flag(body, "retainStartOffsets", default=False),
    }
    versions = range(source["version"], source["version"] + 1)
    schedules = plan_migration.schedules_of(request, source["id"], versions)
    jobs.start(
        request,
        _JOB,
        task,
        list(dict.fromkeys(schedule["account_id"] for schedule in schedules)),
        metadata={name: _shown(value) for name, value in task.items()},
        confirm=call.flag(body, "requireConfirmation", default=False),
    )
    return Reply({"success": True}, status)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _source(request: Call, body: Mapping[str, Any]) -> Row:
    plan_id = call.text(body, "sourceId", minimum=1, maximum=_LONGEST_ID)
    version = call.whole(body, "sourceVersion", minimum=1, maximum=_HIGHEST_VERSION)
    return _active(request, ("sourceId", plan_id), ("sourceVersion", version))


def _target(request: Call, body: Mapping[str, Any], source: Row) -> Row:
    """Ours: without an id it is the plan of the source, without a version the one that counts."""
    plan_id = call.text(body, "targetId", minimum=1, maximum=_LONGEST_ID, default=source["id"])
    counting = plan_versions.active(request.db, plan_id)
    if counting is None or counting["type"] != "BILLING":
        raise Refusal(400, f"targetId: there is no active price plan {plan_id} to be billed by")
    version = call.whole(
        body, "targetVersion", minimum=1, maximum=_HIGHEST_VERSION, default=counting["version"]
    )
    return _active(request, ("targetId", plan_id), ("targetVersion", version))


def _active(request: Call, plan: tuple[str, str], version: tuple[str, int]) -> Row:
    """A version of a plan that was published. Refuses by the name of the field."""
    row: Row | None = request.db.execute(
        f"{plan_versions.SELECT} where p.id = ? and v.version = ? and v.status = 'ACTIVE'",
        (plan[1], version[1]),
    ).fetchone()
    if row is None:
        known = request.db.execute("select 1 from price_plans where id = ?", (plan[1],)).fetchone()
        if known is None:
            raise Refusal(400, f"{plan[0]}: there is no price plan {plan[1]}")
        raise Refusal(400, f"{version[0]}: {plan[1]} has no active version {version[1]}")
    return row


@jobs.does(_JOB)
def _move_account(request: Call, task: dict[str, Any], account_id: str) -> dict[str, str]:
    """Move all schedules of an account that are of the source, or none of them."""
    target = plan_versions.numbered(request, task["targetId"], str(task["targetVersion"]))
    version = int(task["sourceVersion"])
    moved = [
        plan_migration.move(
            request,
            schedule,
            target,
            task["migrationMode"],
            retain_offsets=task["retainStartOffsets"],
        )
        for schedule in plan_migration.schedules_of(
            request, task["sourceId"], range(version, version + 1)
        )
        if schedule["account_id"] == account_id
    ]
    ids = [schedule_id for schedule_id in moved if schedule_id is not None]
    return {"scheduleIds": ",".join(ids)}


def _render(request: Call, row: Row) -> dict[str, Any]:
    job = jobs.render(request, row)
    return {
        "id": job["id"],
        "type": job["type"],
        "updatedAt": job["updatedAt"],
        "status": job["status"],
        "sourceId": job["metadata"]["sourceId"],
        "targetId": job["metadata"]["targetId"],
        "totalMigrationEntries": job["totalJobEntries"],
        "pendingMigrationEntries": job["pendingJobEntries"],
        "failedMigrationEntries": job["failedJobEntries"],
        "completedMigrationEntries": job["completedJobEntries"],
    }
