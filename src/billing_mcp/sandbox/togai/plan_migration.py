"""Moving what accounts are billed by to another version of their price plan, or to another plan."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing_mcp.rating.cards import in_advance
from billing_mcp.rating.plan import Plan, read_plan
from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    accounts,
    associations,
    billable,
    billing,
    feature_grants,
    plan_versions,
)
from billing_mcp.sandbox.togai.columns import packed, unpacked
from billing_mcp.sandbox.togai.running import effective_details, in_cycle_at

MODES = (
    *("IMMEDIATE", "IMMEDIATE_IGNORE_OVERRIDE", "NEXT_CYCLE", "NEXT_CYCLE_IGNORE_OVERRIDE"),
    "START_OF_CURRENT_CYCLE",
)
_VERSIONS = ("LATEST_VERSION", "ALL_VERSION")


@dataclass(frozen=True, slots=True)
class Migration:
    """What becomes of the accounts when a version is published; without a mode they stay."""

    mode: str | None
    all_versions: bool


def read(body: Mapping[str, Any]) -> Migration:
    """`migrationMode` and `versionsToMigrate`; ours: NONE, and the version that counted last."""
    mode = call.one_of(body, "migrationMode", ("NONE", *MODES), default="NONE")
    versions = call.one_of(body, "versionsToMigrate", _VERSIONS, default=_VERSIONS[0])
    return Migration(None if mode == "NONE" else mode, versions == "ALL_VERSION")


def migrate_versions(request: Call, price_plan_id: str, migration: Migration) -> None:
    """Move the accounts of earlier versions to the one that counts now, all of them or none."""
    if migration.mode is None:
        return
    target = plan_versions.existing(request, price_plan_id)
    oldest = 1 if migration.all_versions else target["version"] - 1
    for schedule in schedules_of(request, price_plan_id, range(oldest, target["version"])):
        move(request, schedule, target, migration.mode)


def schedules_of(request: Call, price_plan_id: str, versions: range) -> list[Row]:
    """The schedules of these versions that have not ended, the earlier ones of an account first."""
    return request.db.execute(
        "select * from pricing_schedules where price_plan_id = ? and end_date > ?"
        " and price_plan_version >= ? and price_plan_version < ? order by account_id, start_date",
        (price_plan_id, request.stamp, versions.start, versions.stop),
    ).fetchall()


def move(
    request: Call, schedule: Row, target: Row, mode: str, *, retain_offsets: bool = False
) -> str | None:
    """From the moment that the mode means, bill a schedule by a version of a plan.

    Answers the id of the schedule that goes on; None if the old one ends before that moment.
    Refuses with 400 where the account cannot be billed so. Ours: another version goes on with the
    numbers of the cycles, so that nothing that is charged once is charged again.
    """
    account = accounts.existing(request, schedule["account_id"])
    ignored = mode.endswith("_IGNORE_OVERRIDE")
    own = None if ignored else unpacked(schedule, "details_override")
    if retain_offsets:
        own = _retained(request, schedule, target) | (own or {})
    details = {**unpacked(target, "details"), **(own or {})}
    if account["invoice_currency"] not in unpacked(target, "active_currencies"):
        currency = account["invoice_currency"]
        raise Refusal(400, f"{account['id']}: {target['id']} is not active in {currency}")
    billable.check(account, details, f"{account['id']}: ")
    cut = clock.written(_cut(request, schedule, details, mode))
    if cut >= schedule["end_date"]:
        return None
    others = [
        other
        for other in associations.of_account(request, account["id"])
        if other["id"] != schedule["id"]
    ]
    period = associations.Period(clock.read(cut).date(), clock.read(schedule["end_date"]).date())
    associations.refuse_twice(others, target["id"], period)
    same = schedule["price_plan_id"] == target["id"] or retain_offsets
    rest = dict(schedule) | {
        "id": request.new_id("sch"),
        "price_plan_id": target["id"],
        "price_plan_version": target["version"],
        "associated_on": schedule["associated_on"] if same else cut[:10],
        "start_date": cut,
        "details_override": None if own is None else packed(own),
        "rules_override": None if ignored else schedule["rules_override"],
        "next_cycle_at": None,
        "created_at": request.stamp,
    }
    store.insert(request.db, "pricing_schedules", rest)
    if schedule["start_date"] < cut:
        store.update(request.db, "pricing_schedules", {"end_date": cut}, id=schedule["id"])
    else:
        request.db.execute("delete from pricing_schedules where id = ?", (schedule["id"],))
    feature_grants.end_at(request, schedule["id"], cut)
    billing.schedule_cut(request, schedule, str(rest["id"]))
    request.effect("migration", str(rest["id"]), account["id"])
    return str(rest["id"])


def _cut(request: Call, schedule: Row, details: Mapping[str, Any], mode: str) -> datetime:
    """When the new version begins: today, or at an edge of the cycle that runs (ours)."""
    start = clock.read(schedule["start_date"])
    running = in_cycle_at(request.db, schedule, request.now)
    if running is None:
        return start
    if mode.startswith("NEXT_CYCLE"):
        return running.cycle.end
    if mode == "START_OF_CURRENT_CYCLE":
        if not details.get("allow_ongoing_cycle_updates"):
            raise Refusal(
                400, "migrationMode: the plan does not allow updates of the ongoing cycle"
            )
        if pays_ahead(running.plan) or pays_ahead(read_plan(details)):
            raise Refusal(
                400, "migrationMode: fees in advance of the ongoing cycle are invoiced already"
            )
        return running.cycle.start
    return max(clock.midnight(request.now.date()), start)


def pays_ahead(plan: Plan) -> bool:
    """Whether a plan has a card that is invoiced before its cycle."""
    timings = {
        *(card.timing for card in plan.fixed_fees),
        *(card.timing for card in plan.licences),
        *(card.timing for card in plan.entitlements),
        *(card.timing for card in plan.credit_grants),
    }
    return any(in_advance(timing) for timing in timings)


def _retained(request: Call, schedule: Row, target: Row) -> dict[str, Any]:
    """The pricing cycle of the schedule, as an override of the plan that follows (documented)."""
    if in_cycle_at(request.db, schedule, request.now) is None:
        raise Refusal(400, f"retainStartOffsets: no cycle of {schedule['id']} runs at present")
    config = effective_details(request.db, schedule)["pricingCycleConfig"]
    following = unpacked(target, "details").get("pricingCycleConfig", {})
    if following.get("interval") != config["interval"]:
        raise Refusal(400, "retainStartOffsets: the plans have different intervals")
    return {"pricingCycleConfig": config}
