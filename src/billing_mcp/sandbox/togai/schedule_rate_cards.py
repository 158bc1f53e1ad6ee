"""Togai's rate cards and pricing rules of one account's schedule, and the errors of its draft."""

from typing import Any

from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    paging,
    plan_versions,
    price_plan_rules,
    pricing_rules,
    rate_cards,
    schedule_drafts,
    schedule_finalizing,
)
from billing_mcp.sandbox.togai.account_schedules import MODES, rules_of
from billing_mcp.sandbox.togai.columns import packed, unpacked
from billing_mcp.sandbox.togai.running import Schedule, effective_details
from billing_mcp.sandbox.togai.schedule_drafts import Draft

resource = Resource()


@resource.route("GET", "/v2/schedules/{schedule_id}/errors")
def list_schedule_errors(request: Call) -> Reply:
    """Of its draft; a schedule that nothing is drafted for has none (ours)."""
    schedule_id = request.path["schedule_id"]
    draft = schedule_drafts.of_schedule(request, schedule_id)
    if draft is None and _active(request) is None:
        raise _unknown(schedule_id)
    found = [] if draft is None else schedule_finalizing.errors(request, draft, schedule_id)
    shown, token = paging.page_of_list(request, found)
    return Reply({"data": list(shown), "nextToken": token})


@resource.route("GET", "/v2/schedules/{schedule_id}/pricing_rules")
def list_pricing_rules(request: Call) -> Reply:
    schedule = _in_mode(request)
    return Reply({"data": pricing_rules.in_order(rules_of(_plan(request, schedule), schedule))})


@resource.route("PUT", "/v2/schedules/{schedule_id}/pricing_rules")
def update_pricing_rules(request: Call) -> Reply:
    """Replaces the rules in the account's draft, which is begun if there is none (ours)."""
    body = call.closed(request.body, ("pricingRules",))
    rules = pricing_rules.read(request, body.get("pricingRules", []), "pricingRules")
    draft, schedule = _drafted(request)
    draft.add(schedule_drafts.override(schedule, rules_override=packed(rules)))
    schedule_drafts.keep(request, draft)
    return Reply({"data": pricing_rules.in_order(rules)})


@resource.route("GET", "/v2/schedules/{schedule_id}/rate_cards")
def list_rate_cards(request: Call) -> Reply:
    schedule = _in_mode(request)
    shown, token = paging.page_of_list(request, _cards(request, schedule), "mode")
    return Reply({"data": list(shown), "nextToken": token})


@resource.route("POST", "/v2/schedules/{schedule_id}/rate_cards")
def change_rate_cards(request: Call) -> Reply:
    """All operations in their order, or none, in the account's draft; answers the cards touched."""
    draft, schedule = _drafted(request)
    details = effective_details(request.db, schedule)
    touched = rate_cards.operate(request, details)
    own = packed(_difference(request, schedule, details))
    draft.add(schedule_drafts.override(schedule, details_override=own))
    schedule_drafts.keep(request, draft)
    cards = _cards(request, draft.schedule(schedule["id"]))
    return Reply({"rateCards": [card for card in cards if card["name"] in touched]})


def _difference(request: Call, schedule: Schedule, details: dict[str, Any]) -> dict[str, Any]:
    """The parts that are not as in the plan; one that is gone is null."""
    whole = unpacked(_plan(request, schedule), "details")
    names = (name for name in price_plan_rules.OVERRIDDEN if details.get(name) != whole.get(name))
    return {name: details.get(name) for name in names}


def _unknown(schedule_id: str) -> Refusal:
    return Refusal(404, f"Schedule {schedule_id} not found")


def _active(request: Call) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from pricing_schedules where id = ?", (request.path["schedule_id"],)
    ).fetchone()
    return row


def _in_mode(request: Call) -> Schedule:
    """The schedule as it counts, or as it is drafted; 404 where it is not there (ours)."""
    schedule_id = request.path["schedule_id"]
    if call.one_of(paging.asked(request), "mode", MODES) == "ACTIVE":
        row = _active(request)
        if row is not None:
            return row
    else:
        draft = schedule_drafts.of_schedule(request, schedule_id)
        if draft is not None:
            return draft.schedule(schedule_id)
    raise _unknown(schedule_id)


def _drafted(request: Call) -> tuple[Draft, dict[str, Any]]:
    """The draft that the schedule is in, begun if its account has none, and the schedule."""
    schedule_id = request.path["schedule_id"]
    draft = schedule_drafts.of_schedule(request, schedule_id)
    if draft is None:
        row = _active(request)
        if row is None:
            raise _unknown(schedule_id)
        draft = schedule_drafts.opened(request, row["account_id"])
    try:
        return draft, draft.schedule(schedule_id)
    except LookupError as error:
        raise Refusal(400, f"Schedule {schedule_id} is taken out in the draft") from error


def _plan(request: Call, schedule: Schedule) -> Row:
    version = str(schedule["price_plan_version"])
    return plan_versions.numbered(request, schedule["price_plan_id"], version)


def _cards(request: Call, schedule: Schedule) -> list[dict[str, Any]]:
    reference = {
        "referenceId": schedule["id"],
        "referenceType": "ACCOUNT",
        "pricePlanId": schedule["price_plan_id"],
        "accountId": schedule["account_id"],
    }
    details = effective_details(request.db, schedule)
    return [rate_cards.render(kind, card, reference) for kind, card in rate_cards.each(details)]
