"""What becomes of an account's pricing schedules: a plan is associated, a period is taken out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    accounts,
    billing,
    feature_grants,
    plan_versions,
    usage_sums,
)
from billing_mcp.sandbox.togai.columns import unpacked
from billing_mcp.sandbox.togai.running import (
    Schedule,
    effective_details,
    in_cycle,
    in_cycle_at,
)


@dataclass(frozen=True, slots=True)
class Period:
    """From 00:00 UTC of a day until before that of another."""

    first: date
    until: date

    @property
    def start(self) -> str:
        return clock.written(clock.midnight(self.first))

    @property
    def end(self) -> str:
        return clock.written(clock.midnight(self.until))

    def meets(self, schedule: Schedule) -> bool:
        return bool(schedule["start_date"] < self.end and self.start < schedule["end_date"])


def read_period(given: Mapping[str, Any], at: str) -> Period:
    """`effectiveFrom` and `effectiveUntil` of an edit; `at` is where the edit is in the body."""
    period = Period(
        call.day(given, "effectiveFrom", at=at), call.day(given, "effectiveUntil", at=at)
    )
    if period.until <= period.first:
        raise Refusal(400, f"{at}effectiveUntil must be later than effectiveFrom")
    return period


def open_account(request: Call) -> Row:
    """The account of the path. Refuses with 404, and with 400 one that is archived."""
    account = accounts.existing(request, request.path["account_id"])
    if account["status"] == "ARCHIVED":
        raise Refusal(400, f"Account {account['id']} is archived")
    return account


def of_account(request: Call, account_id: str) -> list[Row]:
    """All schedules of an account, the earliest first."""
    return request.db.execute(
        "select * from pricing_schedules where account_id = ? order by start_date, id",
        (account_id,),
    ).fetchall()


def billed_plan(request: Call, plan_id: str, at: str) -> Row:
    """An active plan that can be associated, in the version that counts. Refuses with 400."""
    plan = plan_versions.active(request.db, plan_id)
    if plan is None:
        raise Refusal(400, f"{at}pricePlanId: there is no active price plan {plan_id}")
    if plan["type"] != "BILLING":
        raise Refusal(400, f"{at}pricePlanId: {plan_id} is a plan to purchase, not to associate")
    return plan


def refuse_inactive_currency(account: Row, plan: Row, at: str) -> None:
    currency = account["invoice_currency"]
    if currency not in unpacked(plan, "active_currencies"):
        raise Refusal(400, f"{at}pricePlanId: {plan['id']} is not active in {currency}")


def refuse_twice(schedules: Sequence[Schedule], plan_id: str, period: Period) -> None:
    """Ours: several plans may run for an account at a time, the same one only once."""
    for other in schedules:
        if other["price_plan_id"] == plan_id and period.meets(other):
            raise Refusal(
                400, f"The plan is associated in schedule {other['id']} in that time already"
            )


def retained(
    request: Call, before: Sequence[Schedule], plan: Row, period: Period, at: str
) -> tuple[dict[str, Any], str]:
    """The pricing cycle that runs on the day of an association, to go on with the plan.

    `before` are the schedules as they were before the request. Answers the override of the plan's
    details, and the day that an anniversary cycle counts from. Refuses as the vendor documents.
    """
    name = f"{at}retainStartOffsets"
    running = [one for one in before if one["start_date"] <= period.start < one["end_date"]]
    if not running:
        raise Refusal(400, f"{name}: no price plan is associated on {period.first}")
    config = effective_details(request.db, running[0])["pricingCycleConfig"]
    following = unpacked(plan, "details").get("pricingCycleConfig", {})
    if following.get("interval") != config["interval"]:
        raise Refusal(400, f"{name}: the plans have different intervals")
    day = running[0]["associated_on"] if config["anniversaryCycle"] else period.first.isoformat()
    return {"pricingCycleConfig": config}, day


def drafted(request: Call, account: Row, plan: Row, period: Period, **rest: Any) -> dict[str, Any]:
    """A new schedule, not stored yet. `rest`: `associated_on` and the overrides, as stored."""
    columns = {
        "id": request.new_id("sch"),
        "account_id": account["id"],
        "price_plan_id": plan["id"],
        "price_plan_version": plan["version"],
        "associated_on": period.first.isoformat(),
        "start_date": period.start,
        "end_date": period.end,
        "details_override": None,
        "rules_override": None,
        "next_cycle_at": None,
        "created_at": request.stamp,
    }
    return columns | rest


def insert(request: Call, schedule: Mapping[str, Any]) -> None:
    """Store a new schedule, and open those of its cycles that have begun."""
    store.insert(request.db, "pricing_schedules", schedule)
    request.effect("association", str(schedule["id"]))
    billing.schedule_added(request, str(schedule["id"]))


def rest_behind(schedule: Schedule, end: str, rest_id: str) -> dict[str, Any]:
    """The schedule of what is left of another one from this moment on."""
    return dict(schedule) | {"id": rest_id, "start_date": end, "next_cycle_at": None}


def cut(request: Call, schedule: Row, start: str, rest: Mapping[str, Any] | None) -> None:
    """End a stored schedule at a time, or take it out if it has not begun then.

    `rest` is what is left of it behind the time that is taken out.
    """
    if rest is not None:
        store.insert(request.db, "pricing_schedules", rest)
    if schedule["start_date"] < start:
        store.update(request.db, "pricing_schedules", {"end_date": start}, id=schedule["id"])
    else:
        request.db.execute("delete from pricing_schedules where id = ?", (schedule["id"],))
    feature_grants.end_at(request, schedule["id"], max(start, schedule["start_date"]))
    billing.schedule_cut(request, schedule, None if rest is None else str(rest["id"]))
    request.effect("disassociation", schedule["id"])


def extend(request: Call, schedule: Row, end: str) -> None:
    """Let a stored schedule that has not ended, and whose last cycle is whole, go on."""
    store.update(request.db, "pricing_schedules", {"end_date": end}, id=schedule["id"])
    usage_sums.mark_stale(request, schedule["account_id"])
    if schedule["next_cycle_at"] is not None:
        return
    longer = dict(schedule) | {"end_date": end}
    running = in_cycle_at(request.db, longer, request.now)
    if running is not None:
        following = in_cycle(request.db, longer, running.cycle.number + 1)
        at = None if following is None else clock.written(following.cycle.start)
        store.update(request.db, "pricing_schedules", {"next_cycle_at": at}, id=schedule["id"])
