"""Togai's price plans of the second generation: a draft is filled, finalized, or discarded."""

from typing import Any

from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    plan_migration,
    plan_versions,
    price_plan_errors,
    price_plan_rules,
    price_plans,
    pricing_rules,
    quotas,
    rate_cards,
)
from billing_mcp.sandbox.togai.columns import present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page, page_of_list

resource = Resource()

_CHANGED = ("description", "pricingCycleConfig", "supportedCurrencies")
_CREATED = ("name", "type", "deferredRevenue", "allowOngoingCycleUpdates", *_CHANGED)

_LISTING = Listing(select=f"{plan_versions.LATEST} and p.status <> 'ARCHIVED'", unique="id")
_VERSIONS = Listing(select=plan_versions.SELECT, unique="version", order=("version", True))


@resource.route("GET", "/v2/price_plans")
def list_price_plans(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


@resource.route("POST", "/v2/price_plans")
def create_price_plan(request: Call) -> Reply:
    body = call.closed(request.body, _CREATED)
    name = call.text(body, "name", minimum=1, maximum=50)
    plan_type = call.one_of(body, "type", price_plans.TYPES)
    text = price_plans.description(body)
    details = _header(body) | {"supportedCurrencies": price_plan_rules.currencies(body, "")}
    flags = {
        "deferredRevenue": "deferredRevenue",
        "allowOngoingCycleUpdates": "allow_ongoing_cycle_updates",
    }
    for field, kept in flags.items():
        if field in body:
            details[kept] = call.flag(body, field)
    plan_versions.refuse_taken_name(request, name)
    quotas.room_for_one(request, quotas.PRICE_PLANS)
    row = plan_versions.drafted(
        request, name, plan_type, description=text, details=details, rules=[]
    )
    plan_versions.keep_new(request, row)
    return Reply(render(plan_versions.latest(request, row["id"])))


@resource.route("GET", "/v2/price_plans/{price_plan_id}")
def get_price_plan(request: Call) -> Reply:
    return Reply(render(_asked(request)))


@resource.route("PATCH", "/v2/price_plans/{price_plan_id}")
def update_price_plan(request: Call) -> Reply:
    """Changes the draft, which is begun if there is none (ours)."""
    body = call.closed(request.body, _CHANGED)
    draft = _draft(request)
    details = unpacked(draft, "details") | _header(body)
    if "supportedCurrencies" in body:
        details["supportedCurrencies"] = price_plan_rules.currencies(body, "")
    columns: dict[str, Any] = {"details": details}
    if "description" in body:
        columns["description"] = price_plans.description(body)
    plan_versions.change(request, draft, **columns)
    request.effect("price-plan-draft", draft["id"])
    return Reply(render(plan_versions.latest(request, draft["id"])))


@resource.route("DELETE", "/v2/price_plans/{price_plan_id}/discard")
def discard_price_plan(request: Call) -> Reply:
    plan_versions.discard(request, _present_draft(request))
    return Reply({"success": True})


@resource.route("GET", "/v2/price_plans/{price_plan_id}/errors")
def list_price_plan_errors(request: Call) -> Reply:
    """Those of the latest version."""
    shown, token = page_of_list(request, price_plan_errors.found(request, _latest(request)))
    return Reply({"data": list(shown), "nextToken": token})


@resource.route("POST", "/v2/price_plans/{price_plan_id}/finalize")
def finalize_price_plan(request: Call) -> Reply:
    """The draft counts from now on, active in all its currencies (ours)."""
    body = call.closed(request.body, ("migrationMode", "versionsToMigrate"))
    migration = plan_migration.read(body)
    draft = _present_draft(request)
    price_plan_errors.refuse_any(request, draft)
    plan_versions.publish(request, draft, plan_versions.supported(draft))
    plan_migration.migrate_versions(request, draft["id"], migration)
    return Reply({"success": True})


@resource.route("GET", "/v2/price_plans/{price_plan_id}/pricing_rules")
def list_pricing_rules(request: Call) -> Reply:
    rules = unpacked(_asked(request), "pricing_rules")
    return Reply({"data": pricing_rules.in_order(rules)})


@resource.route("PUT", "/v2/price_plans/{price_plan_id}/pricing_rules")
def update_pricing_rules(request: Call) -> Reply:
    """Replaces the rules of the draft, which is begun if there is none (ours)."""
    body = call.closed(request.body, ("pricingRules",))
    rules = pricing_rules.read(request, body.get("pricingRules", []), "pricingRules")
    draft = _draft(request)
    plan_versions.change(request, draft, pricing_rules=rules)
    request.effect("price-plan-rules", draft["id"])
    return Reply({"data": pricing_rules.in_order(rules)})


@resource.route("GET", "/v2/price_plans/{price_plan_id}/rate_cards")
def list_rate_cards(request: Call) -> Reply:
    """Those of the latest version."""
    row = _latest(request)
    shown, token = page_of_list(request, _cards(row))
    return Reply({"data": list(shown), "nextToken": token})


@resource.route("POST", "/v2/price_plans/{price_plan_id}/rate_cards")
def change_rate_cards(request: Call) -> Reply:
    """All operations in their order, or none; answers the cards made or changed (ours)."""
    draft = _draft(request)
    details = unpacked(draft, "details")
    touched = rate_cards.operate(request, details)
    plan_versions.change(request, draft, details=details)
    request.effect("price-plan-rate-cards", draft["id"])
    cards = _cards(plan_versions.latest(request, draft["id"]))
    return Reply({"rateCards": [card for card in cards if card["name"] in touched]})


@resource.route("GET", "/v2/price_plans/{price_plan_id}/versions")
def list_price_plan_versions(request: Call) -> Reply:
    """The latest first."""
    plan_id = _latest(request)["id"]
    found = page(request, _VERSIONS, {"id = ?": plan_id})
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


def _latest(request: Call) -> Row:
    """The latest version of the plan of the path. An archived one is 404: it has no status here."""
    row = plan_versions.latest(request, request.path["price_plan_id"])
    if row["status"] == "ARCHIVED":
        raise Refusal(404, f"Price plan {row['id']} is archived")
    return row


def _asked(request: Call) -> Row:
    """The version that the query asks for: LATEST (without one), ACTIVE, or a number."""
    latest, version = _latest(request), request.query.get("version", "LATEST")
    if version == "LATEST":
        return latest
    if version == "ACTIVE":
        row = plan_versions.active(request.db, latest["id"])
        if row is None:
            raise Refusal(404, f"Price plan {latest['id']} has no active version")
        return row
    return plan_versions.numbered(request, latest["id"], version)


def _draft(request: Call) -> Row:
    return plan_versions.open_draft(request, _latest(request)["id"])


def _present_draft(request: Call) -> Row:
    row = _latest(request)
    if row["version_status"] != "DRAFT":
        raise Refusal(400, f"Price plan {row['id']} has no draft")
    return row


def _header(body: dict[str, Any]) -> dict[str, Any]:
    if "pricingCycleConfig" not in body:
        return {}
    cycle = price_plan_rules.cycle(body["pricingCycleConfig"], "pricingCycleConfig.")
    return {"pricingCycleConfig": cycle}


def _cards(row: Row) -> list[dict[str, Any]]:
    reference = {
        "referenceId": row["schedule_id"],
        "referenceType": "PRICE_PLAN",
        "pricePlanId": row["id"],
    }
    details = unpacked(row, "details")
    return [rate_cards.render(kind, card, reference) for kind, card in rate_cards.each(details)]


def render(row: Row) -> dict[str, Any]:
    details = unpacked(row, "details")
    return present(
        id=row["id"],
        referenceId=row["schedule_id"],
        name=row["name"],
        description=row["description"],
        type=row["type"],
        pricingCycleConfig=details.get("pricingCycleConfig"),
        supportedCurrencies=details["supportedCurrencies"],
        deferredRevenue=details.get("deferredRevenue"),
        allowOngoingCycleUpdates=details.get("allow_ongoing_cycle_updates"),
        version=row["version"],
        status=row["version_status"],
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
    )
