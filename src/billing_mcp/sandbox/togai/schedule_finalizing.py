"""Making a draft of pricing schedules count, and what keeps it from that."""

from typing import Any

from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    accounts,
    associations,
    billable,
    billing,
    plan_migration,
    plan_versions,
    price_plan_errors,
    schedule_drafts,
)
from billing_mcp.sandbox.togai.columns import packed, unpacked
from billing_mcp.sandbox.togai.running import Schedule, effective_details, in_cycle_at
from billing_mcp.sandbox.togai.schedule_drafts import Draft


def errors(request: Call, draft: Draft, schedule_id: str | None = None) -> list[dict[str, Any]]:
    """What keeps a draft, or one schedule of it, from being finalized, as the vendor lists it."""
    found = []
    if schedule_drafts.outdated(request, draft):
        message = "The schedules were changed since the draft was begun: discard it"
        reference = draft.account_id if schedule_id is None else schedule_id
        found.append(_error(reference, draft.account_id, "ACCOUNT", message))
    account = accounts.existing(request, draft.account_id)
    for one in draft.added():
        found += _of_schedule(request, account, one)
    for before, after in draft.overridden():
        found += _of_schedule(request, account, after)
        found += _of_running(request, before, after)
    return [one for one in found if schedule_id in (None, one["referenceId"])]


def _of_schedule(request: Call, account: Row, schedule: Schedule) -> list[dict[str, Any]]:
    """Errors of the plan as it counts for the schedule, and whether the account can have it."""
    row = plan_versions.numbered(
        request, schedule["price_plan_id"], str(schedule["price_plan_version"])
    )
    details = effective_details(request.db, schedule)
    own = schedule["rules_override"]
    whole = dict(row) | {
        "schedule_id": schedule["id"],
        "details": packed(details),
        "pricing_rules": row["pricing_rules"] if own is None else own,
    }
    found = price_plan_errors.found(request, whole)
    message = _obstacle(account, row, details)
    if found or message is None:
        return found
    return [_error(schedule["id"], schedule["id"], "SCHEDULE", message)]


def _obstacle(account: Row, plan: Row, details: dict[str, Any]) -> str | None:
    """Why the account cannot be billed by the plan, if it cannot."""
    currency = account["invoice_currency"]
    if plan["status"] != "ACTIVE":
        return f"price plan {plan['id']} is {plan['status']}"
    if currency not in unpacked(plan, "active_currencies"):
        return f"price plan {plan['id']} is not active in {currency}"
    try:
        billable.check(account, details, "")
    except Refusal as refusal:
        return refusal.message
    return None


def _of_running(request: Call, schedule: Schedule, after: Schedule) -> list[dict[str, Any]]:
    """Ours: a cycle that runs is billed otherwise if the plan allows it and pays nothing ahead."""
    message = None
    if after["end_date"] <= request.stamp:
        message = "The schedule has ended"
    elif schedule["start_date"] <= request.stamp:
        if not effective_details(request.db, schedule).get("allow_ongoing_cycle_updates"):
            message = "The plan does not allow updates of the ongoing cycle"
        elif _pays_ahead(request, schedule) or _pays_ahead(request, after):
            message = "Fees in advance of the ongoing cycle are invoiced already"
    if message is None:
        return []
    return [_error(schedule["id"], schedule["id"], "SCHEDULE", message)]


def _pays_ahead(request: Call, schedule: Schedule) -> bool:
    running = in_cycle_at(request.db, schedule, request.now)
    return running is not None and plan_migration.pays_ahead(running.plan)


def _error(reference: str, entity_id: str, entity_type: str, message: str) -> dict[str, Any]:
    return {
        "referenceId": reference,
        "entityId": entity_id,
        "entityType": entity_type,
        "errorMessage": message,
    }


def refuse_any(request: Call, draft: Draft) -> None:
    found = errors(request, draft)
    if found:
        first = found[0]
        raise Refusal(
            400,
            f"The draft of {draft.account_id} has {len(found)} errors; the first is in"
            f" {first['entityId']}: {first['errorMessage']}",
        )


def finalize(request: Call, draft: Draft) -> None:
    """Do what was drafted. The draft has no errors and is of the schedules as they are."""
    last = {one["id"]: one for one in draft.schedules}
    for edit in draft.edits:
        if edit["do"] == "cut":
            _cut(request, edit, last)
        elif edit["do"] == "merge":
            row = _found(request, edit["into"])
            if row is not None:
                associations.extend(request, row, edit["end"])
    for before, after in draft.overridden():
        _bill_otherwise(request, before, after)
    for one in draft.added():
        associations.insert(request, one)
    schedule_drafts.forget(request, draft.account_id)
    request.effect("schedules-final", draft.account_id)


def _cut(request: Call, edit: dict[str, Any], last: dict[str, dict[str, Any]]) -> None:
    """Take a period out of those of its schedules that are stored."""
    for schedule_id, rest_id in edit["rests"].items():
        row = _found(request, schedule_id)
        if row is None:
            continue
        rest = None
        if rest_id is not None:
            rest = associations.rest_behind(row, edit["end"], rest_id)
            if rest_id in last:
                rest |= {name: last[rest_id][name] for name in schedule_drafts.OVERRIDES}
        associations.cut(request, row, edit["start"], rest)


def _bill_otherwise(request: Call, before: Schedule, after: Schedule) -> None:
    """The overrides count from the schedule's start, or from that of the cycle that runs (ours)."""
    row = _stored(request, before["id"])
    overrides = {name: after[name] for name in schedule_drafts.OVERRIDES}
    if row["start_date"] > request.stamp:
        store.update(request.db, "pricing_schedules", overrides, id=row["id"])
        billing.schedule_added(request, row["id"])
        return
    running = in_cycle_at(request.db, row, request.now)
    if running is None:
        raise LookupError(f"schedule {row['id']} has no cycle at {request.stamp}")
    start = clock.written(running.cycle.start)
    rest = associations.rest_behind(row, start, request.new_id("sch")) | overrides
    associations.cut(request, row, start, rest)


def _found(request: Call, schedule_id: str) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from pricing_schedules where id = ?", (schedule_id,)
    ).fetchone()
    return row


def _stored(request: Call, schedule_id: str) -> Row:
    row = _found(request, schedule_id)
    if row is None:
        raise LookupError(f"there is no schedule {schedule_id}")
    return row
