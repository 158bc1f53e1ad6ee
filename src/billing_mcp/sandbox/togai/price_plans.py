"""Togai's price plans of the first generation: drafted, activated, changed, archived."""

from collections.abc import Mapping
from typing import Any

from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    contact,
    plan_migration,
    plan_versions,
    price_plan_errors,
    price_plan_rules,
    pricing_rules,
    quotas,
)
from billing_mcp.sandbox.togai.columns import present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page
from billing_mcp.sandbox.togai.plan_versions import existing

resource = Resource()

_FIELDS = ("name", "description", "type", "pricePlanDetails", "pricingRules")
_CHANGED = (
    *("description", "pricePlanDetails", "pricingRules"),
    *("migrationMode", "versionsToMigrate"),
)
TYPES = ("BILLING", "PURCHASE")
_LONGEST_DESCRIPTION = 255

_LISTING = Listing(select=plan_versions.COUNTING, unique="id", hidden=("status <> 'ARCHIVED'", ()))


@resource.route("GET", "/price_plans")
def list_price_plans(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply(found.answer([_list_entry(row) for row in found.rows]))


@resource.route("POST", "/price_plans")
def create_price_plan(request: Call) -> Reply:
    body = call.closed(request.body, _FIELDS)
    dry_run = call.one_of(request.query, "dry_run", ("true", "false"), default="false") == "true"
    name = call.text(body, "name", minimum=1, maximum=50)
    text = description(body)
    plan_type = call.one_of(body, "type", TYPES, default="BILLING")
    given = call.mapping(body, "pricePlanDetails")
    read = price_plan_rules.details(request, given, plan_type, "pricePlanDetails.")
    rules = pricing_rules.read(request, body.get("pricingRules", []), "pricingRules")
    plan_versions.refuse_taken_name(request, name)
    quotas.room_for_one(request, quotas.PRICE_PLANS)
    row = plan_versions.drafted(
        request, name, plan_type, description=text, details=read, rules=rules
    )
    if dry_run:
        return Reply(render(row))
    plan_versions.keep_new(request, row)
    return Reply(render(existing(request, row["id"])))


@resource.route("GET", "/price_plans/{price_plan_id}")
def get_price_plan(request: Call) -> Reply:
    plan_id = request.path["price_plan_id"]
    if "version" in request.query:
        return Reply(render(plan_versions.numbered(request, plan_id, request.query["version"])))
    return Reply(render(existing(request, plan_id)))


@resource.route("PATCH", "/price_plans/{price_plan_id}")
def update_price_plan(request: Call) -> Reply:
    """A draft changes in place; of an active plan a new version is active at once (ours)."""
    row = changeable(request, request.path["price_plan_id"])
    body = call.closed(request.body, _CHANGED)
    migration = plan_migration.read(body)
    columns: dict[str, Any] = {}
    if "description" in body:
        columns["description"] = description(body)
    if "pricePlanDetails" in body:
        columns["details"] = _merged(request, row, body)
    if "pricingRules" in body:
        columns["pricing_rules"] = pricing_rules.read(request, body["pricingRules"], "pricingRules")
    if row["version_status"] == "DRAFT":
        plan_versions.change(request, row, **columns)
    elif columns:
        draft = plan_versions.open_draft(request, row["id"])
        plan_versions.change(request, draft, **columns)
        draft = plan_versions.latest(request, row["id"])
        price_plan_errors.refuse_any(request, draft)
        before = unpacked(row, "active_currencies")
        active = [one for one in before if one in plan_versions.supported(draft)]
        plan_versions.publish(request, draft, active)
        plan_migration.migrate_versions(request, row["id"], migration)
    request.effect("price-plan-update", row["id"])
    return Reply(render(existing(request, row["id"])))


def _merged(request: Call, row: Row, body: dict[str, Any]) -> dict[str, Any]:
    """The plan's details with the parts that are given in the place of its own."""
    place = "pricePlanDetails."
    stored = price_plan_rules.shown(unpacked(row, "details"))
    given = call.closed(call.mapping(body, "pricePlanDetails"), price_plan_rules.OVERRIDDEN, place)
    return price_plan_rules.details(request, {**stored, **given}, row["type"], place)


@resource.route("POST", "/price_plans/{price_plan_id}/activate")
def activate_price_plan(request: Call) -> Reply:
    row = changeable(request, request.path["price_plan_id"])
    body = call.closed(request.body, ("currencies",))
    call.listed(body, "currencies", minimum=1)
    wanted = contact.texts(body, "currencies", minimum=1)
    for currency in wanted:
        if currency not in plan_versions.supported(row):
            raise Refusal(400, f"currencies: the plan has no rates in {currency}")
    price_plan_errors.refuse_any(request, row)
    active = unpacked(row, "active_currencies")
    now_active = [*active, *(one for one in dict.fromkeys(wanted) if one not in active)]
    return Reply(render(plan_versions.publish(request, row, now_active)))


@resource.route("DELETE", "/price_plans/{price_plan_id}")
def archive_price_plan(request: Call) -> Reply:
    row = existing(request, request.path["price_plan_id"])
    running = request.db.execute(
        "select account_id from pricing_schedules where price_plan_id = ? and end_date > ?",
        (row["id"], request.stamp),
    ).fetchone()
    if running:
        raise Refusal(400, f"Price plan {row['id']} is associated with {running['account_id']}")
    if row["status"] != "ARCHIVED":
        store.update(request.db, "price_plans", {"status": "ARCHIVED"}, id=row["id"])
        request.effect("price-plan-archived", row["id"])
    return Reply({"success": True})


def changeable(request: Call, price_plan_id: str) -> Row:
    """The plan in the version that counts, to be changed by the operations of this generation.

    Refuses with 404, and with 400 an archived plan and one with a draft of the second generation.
    """
    row = existing(request, price_plan_id)
    if row["status"] == "ARCHIVED":
        raise Refusal(400, f"Price plan {price_plan_id} is archived")
    if plan_versions.latest(request, price_plan_id)["version"] != row["version"]:
        raise Refusal(
            400, f"Price plan {price_plan_id} has a draft: finalize or discard that one first"
        )
    return row


def description(body: Mapping[str, Any]) -> str | None:
    return call.text(body, "description", maximum=_LONGEST_DESCRIPTION, default=None)


def details(row: Row | Mapping[str, Any]) -> dict[str, Any]:
    """The plan's details as the vendor shows them."""
    return {
        **price_plan_rules.shown(unpacked(row, "details")),
        "activeCurrencies": unpacked(row, "active_currencies"),
        "type": row["type"],
    }


def render(row: Row | Mapping[str, Any]) -> dict[str, Any]:
    schedule = {
        "id": row["schedule_id"],
        "pricePlanDetails": details(row),
        "startDate": row["created_at"],
        "endDate": clock.written(clock.OPEN_END),
        "version": row["version"],
        "pricingRules": unpacked(row, "pricing_rules"),
        "isOverriden": False,
    }
    return present(
        id=row["id"],
        name=row["name"],
        type=row["type"],
        description=row["description"],
        status=row["status"],
        pricingSchedule=[schedule],
    )


def _list_entry(row: Row) -> dict[str, Any]:
    shown = details(row)
    return present(
        id=row["id"],
        name=row["name"],
        version=row["version"],
        description=row["description"],
        status=row["status"],
        usageMeters=[card["usageMeterId"] for card in shown.get("usageRateCards", [])],
        pricePlanDetails=shown,
        pricingRules=unpacked(row, "pricing_rules"),
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
        type=row["type"],
    )
