"""Togai's price plans of the first generation: drafted, activated, archived."""

from typing import Any

from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import contact, price_plan_rules, quotas
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_FIELDS = ("name", "description", "type", "pricePlanDetails", "pricingRules")
_TYPES = ("BILLING", "PURCHASE")

_LISTING = Listing(
    select="select * from price_plans", unique="id", hidden=("status <> 'ARCHIVED'", ())
)


@resource.route("GET", "/price_plans")
def list_price_plans(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply(found.answer([_list_entry(row) for row in found.rows]))


@resource.route("POST", "/price_plans")
def create_price_plan(request: Call) -> Reply:
    body = call.closed(request.body, _FIELDS)
    dry_run = call.one_of(request.query, "dry_run", ("true", "false"), default="false") == "true"
    name = call.text(body, "name", minimum=1, maximum=50)
    description = call.text(body, "description", maximum=255, default=None)
    plan_type = call.one_of(body, "type", _TYPES, default="BILLING")
    given = call.mapping(body, "pricePlanDetails")
    details = price_plan_rules.details(request, given, plan_type, "pricePlanDetails.")
    rules = price_plan_rules.pricing_rules(request, body.get("pricingRules", []), "pricingRules")
    other = request.db.execute(
        "select id from price_plans where name = ? and status <> 'ARCHIVED'", (name,)
    ).fetchone()
    if other:
        raise Refusal(400, f"name: price plan {other['id']} is called {name} already")
    quotas.room_for_one(request, quotas.PRICE_PLANS)
    columns = {
        "id": request.new_id("pp"),
        "schedule_id": request.new_id("sch"),
        "name": name,
        "description": description,
        "type": plan_type,
        "status": "DRAFT",
        "version": 1,
        "details": packed(details),
        "active_currencies": "[]",
        "pricing_rules": packed(rules),
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    if dry_run:
        return Reply(render(columns))
    store.insert(request.db, "price_plans", columns)
    request.effect("price-plan", str(columns["id"]))
    return Reply(render(existing(request, str(columns["id"]))))


@resource.route("GET", "/price_plans/{price_plan_id}")
def get_price_plan(request: Call) -> Reply:
    row = existing(request, request.path["price_plan_id"])
    if request.query.get("version", str(row["version"])) != str(row["version"]):
        raise Refusal(404, f"Price plan {row['id']} has no version {request.query['version']}")
    return Reply(render(row))


@resource.route("POST", "/price_plans/{price_plan_id}/activate")
def activate_price_plan(request: Call) -> Reply:
    row = existing(request, request.path["price_plan_id"])
    if row["status"] == "ARCHIVED":
        raise Refusal(400, f"Price plan {row['id']} is archived")
    body = call.closed(request.body, ("currencies",))
    call.listed(body, "currencies", minimum=1)
    wanted = contact.texts(body, "currencies", minimum=1)
    supported = unpacked(row, "details")["supportedCurrencies"]
    for currency in wanted:
        if currency not in supported:
            raise Refusal(400, f"currencies: the plan has no rates in {currency}")
    active = unpacked(row, "active_currencies")
    changes = {
        "status": "ACTIVE",
        "active_currencies": packed([*active, *(c for c in wanted if c not in active)]),
        "updated_at": request.stamp,
    }
    store.update(request.db, "price_plans", changes, id=row["id"])
    request.effect("price-plan-active", row["id"])
    return Reply(render(existing(request, row["id"])))


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
        changes = {"status": "ARCHIVED", "updated_at": request.stamp}
        store.update(request.db, "price_plans", changes, id=row["id"])
        request.effect("price-plan-archived", row["id"])
    return Reply({"success": True})


def existing(request: Call, price_plan_id: str) -> Row:
    """The plan's row, archived or not. Refuses with 404."""
    row: Row | None = request.db.execute(
        "select * from price_plans where id = ?", (price_plan_id,)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Price plan {price_plan_id} not found")
    return row


def details(row: Row | dict[str, Any]) -> dict[str, Any]:
    """The plan's details as the vendor shows them."""
    return {
        **unpacked(row, "details"),
        "activeCurrencies": unpacked(row, "active_currencies"),
        "type": row["type"],
    }


def render(row: Row | dict[str, Any]) -> dict[str, Any]:
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
