"""Togai's pricing rules: read from a body, listed for a schedule, and what they did to invoices."""

from typing import Any

from billing_mcp.rating.pricing_rules import NotARule, read_rule
from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import contact, drafts, invoices, plan_versions
from billing_mcp.sandbox.togai.columns import unpacked

resource = Resource()

TIMINGS = ("IN_ADVANCE", "IN_ARREARS")
_FIELDS = ("name", "order", "invoiceTiming", "condition", "computation", "action")
_ACTION = ("type", "target", "id", "description", "metadata")
_MOST_RULES = 50
_HIGHEST_ORDER = 1000


def read(request: Call, body: Any, at: str) -> list[dict[str, Any]]:
    """Rules of a plan or a schedule, with ids. Refuses with 400 what cannot be run."""
    rules = []
    for index, item in enumerate(call.listed({at: body}, at, maximum=_MOST_RULES)):
        place = f"{at}[{index}]."
        given = call.closed(item, _FIELDS, place)
        call.text(given, "name", minimum=1, maximum=255, at=place)
        call.whole(given, "order", minimum=1, maximum=_HIGHEST_ORDER, at=place)
        call.one_of(given, "invoiceTiming", TIMINGS, default=None, at=place)
        call.text(given, "condition", default=None, at=place)
        call.text(given, "computation", minimum=1, at=place)
        _check_action(call.mapping(given, "action", at=place), f"{place}action.")
        rule = {"id": request.new_id("pp_rule"), "version": 1, **given}
        try:
            read_rule(rule)
        except NotARule as error:
            raise Refusal(400, f"{place}{error}") from error
        rules.append(rule)
    return rules


def _check_action(action: dict[str, Any], at: str) -> None:
    call.closed(action, _ACTION, at)
    call.one_of(action, "type", ("ADD", "UPDATE"), at=at)
    for name in ("target", "id", "description"):
        call.text(action, name, minimum=1, maximum=255, default=None, at=at)
    if "metadata" in action:
        contact.text_map(action, "metadata", at)


def in_order(rules: list[dict[str, Any]], timing: str | None = None) -> list[dict[str, Any]]:
    """The rules in the order they run in; without a timing a rule is of IN_ARREARS (ours)."""
    wanted = [
        rule
        for rule in rules
        if timing is None or rule.get("invoiceTiming", "IN_ARREARS") == timing
    ]
    return sorted(wanted, key=lambda rule: int(rule["order"]))


@resource.route(
    "GET", "/price_plans/{price_plan_id}/pricing_schedules/{pricing_schedule_id}/pricing_rules"
)
def list_pricing_rules(request: Call) -> Reply:
    """Those of a version of the plan, or of an account's schedule of it."""
    timing = call.one_of(request.query, "invoice_timing", TIMINGS, default=None)
    rules = _of_schedule(request, request.path["price_plan_id"])
    return Reply({"data": in_order(rules, timing)})


def _of_schedule(request: Call, price_plan_id: str) -> list[dict[str, Any]]:
    plan_versions.existing(request, price_plan_id)
    schedule_id = request.path["pricing_schedule_id"]
    version: Row | None = request.db.execute(
        "select pricing_rules from price_plan_versions"
        " where price_plan_id = :plan and reference_id = :schedule"
        " union all"
        " select coalesce(s.rules_override, v.pricing_rules) from pricing_schedules s"
        " join price_plan_versions v"
        " on v.price_plan_id = s.price_plan_id and v.version = s.price_plan_version"
        " where s.price_plan_id = :plan and s.id = :schedule",
        {"plan": price_plan_id, "schedule": schedule_id},
    ).fetchone()
    if version is None:
        raise Refusal(404, f"Pricing schedule {schedule_id} of {price_plan_id} not found")
    rules: list[dict[str, Any]] = unpacked(version, "pricing_rules")
    return rules


@resource.route("GET", "/invoice/{invoice_id}/pricing_rules_logs")
def list_pricing_rule_logs(request: Call) -> Reply:
    """What each rule did when the invoice was computed; none for an invoice that was written."""
    invoice = invoices.existing(request, request.path["invoice_id"])
    drafts.settle(request, invoice["owner_id"])
    row = request.db.execute(
        "select logs from pricing_rule_logs where invoice_id = ?", (invoice["id"],)
    ).fetchone()
    return Reply({"data": [] if row is None else unpacked(row, "logs")})
