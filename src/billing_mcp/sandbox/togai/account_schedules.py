"""Togai's schedules of the second generation: edits are drafted, finalized, or discarded."""

from datetime import timedelta
from typing import Any

from billing_mcp.sandbox import call, clock
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    accounts,
    associations,
    paging,
    plan_versions,
    pre_actions,
    price_plan_rules,
    pricing_rules,
    pricing_schedules,
    schedule_drafts,
    schedule_finalizing,
)
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.running import Schedule, effective_details, in_cycle_at
from billing_mcp.sandbox.togai.schedule_drafts import Draft

resource = Resource()

MODES = ("ACTIVE", "DRAFT")
_EDIT = ("mode", "effectiveFrom", "effectiveUntil", "associationConfig", "mergeSchedules")
_CONFIG = ("pricePlanId", "scheduleId", "pricingCycleConfigOverride", "retainStartOffsets")
_MOST_EDITS = 10
_A_DAY = timedelta(days=1)


@resource.route("GET", "/v2/accounts/{account_id}/schedules")
def list_account_schedules(request: Call) -> Reply:
    """Ours: where nothing is drafted, the list of drafts is empty."""
    account = accounts.existing(request, request.path["account_id"])
    schedules: list[Schedule] = []
    if call.one_of(paging.asked(request), "mode", MODES) == "ACTIVE":
        schedules += associations.of_account(request, account["id"])
    else:
        draft = schedule_drafts.find(request, account["id"])
        schedules += [] if draft is None else draft.schedules
    return _page(request, schedules, "mode")


@resource.route("POST", "/v2/accounts/{account_id}/edit_schedules")
def edit_schedules(request: Call) -> Reply:
    """All edits in their order, or none; with `discard` they begin a draft anew (ours)."""
    account = associations.open_account(request)
    anew = call.one_of(request.query, "discard", ("true", "false"), default="false") == "true"
    body = call.closed(request.body, ("edits",))
    edits = call.listed(body, "edits", minimum=1, maximum=_MOST_EDITS)
    if anew:
        schedule_drafts.forget(request, account["id"])
    draft = schedule_drafts.opened(request, account["id"])
    before = [dict(one) for one in draft.schedules]
    for index, item in enumerate(edits):
        place = f"edits[{index}]."
        given = call.closed(item, _EDIT, place)
        mode = call.one_of(
            given, "mode", ("ASSOCIATE", "DISASSOCIATE"), default="ASSOCIATE", at=place
        )
        if mode == "ASSOCIATE":
            _associate(request, account, draft, given, place, before)
        else:
            _disassociate(request, draft, given, place)
        if call.flag(given, "mergeSchedules", default=False, at=place):
            _merge(request, draft)
    schedule_drafts.keep(request, draft)
    return Reply(pricing_schedules.overrides(request, account, draft.schedules))


@resource.route("POST", "/v2/accounts/{account_id}/finalize_schedules")
def finalize_schedules(request: Call) -> Reply:
    """Answers the schedules as they are then."""
    account = associations.open_account(request)
    body: dict[str, Any] = {}
    if request.body is not call.ABSENT:
        body = call.closed(request.body, ("mergeSchedules", "preActions"))
    draft = schedule_drafts.existing(request, account["id"])
    if call.flag(body, "mergeSchedules", default=False):
        _merge(request, draft)
    schedule_finalizing.refuse_any(request, draft)
    pre_actions.run(request, account, body)
    schedule_finalizing.finalize(request, draft)
    return _page(request, associations.of_account(request, account["id"]))


@resource.route("DELETE", "/v2/accounts/{account_id}/discard_schedules")
def discard_schedules(request: Call) -> Reply:
    account = accounts.existing(request, request.path["account_id"])
    draft = schedule_drafts.existing(request, account["id"])
    schedule_drafts.forget(request, draft.account_id)
    request.effect("schedules-discarded", account["id"])
    return Reply({"success": True})


def _associate(
    request: Call,
    account: Row,
    draft: Draft,
    given: dict[str, Any],
    at: str,
    before: list[dict[str, Any]],
) -> None:
    """By the plan that is named, or again by what another schedule of the draft has (ours)."""
    period = associations.read_period(given, at)
    place = f"{at}associationConfig."
    config = call.closed(call.mapping(given, "associationConfig", at=at), _CONFIG, place)
    copied: dict[str, Any] = {}
    if "scheduleId" in config:
        schedule = _named(draft, config, place)
        copied = {name: schedule[name] for name in schedule_drafts.OVERRIDES}
        version = str(schedule["price_plan_version"])
        plan = plan_versions.numbered(request, schedule["price_plan_id"], version)
        if config.get("pricePlanId", plan["id"]) != plan["id"]:
            raise Refusal(400, f"{place}pricePlanId is not the plan of {schedule['id']}")
    else:
        plan_id = call.text(config, "pricePlanId", minimum=1, maximum=50, at=place)
        plan = associations.billed_plan(request, plan_id, place)
    associations.refuse_twice(draft.schedules, plan["id"], period)
    own = unpacked(copied, "details_override") if copied.get("details_override") else {}
    rest: dict[str, Any] = dict(copied)
    if call.flag(config, "retainStartOffsets", default=False, at=place):
        kept, rest["associated_on"] = associations.retained(request, before, plan, period, place)
        own |= kept
    if "pricingCycleConfigOverride" in config:
        cycle = f"{place}pricingCycleConfigOverride."
        given_cycle = config["pricingCycleConfigOverride"]
        own |= {"pricingCycleConfig": price_plan_rules.cycle(given_cycle, cycle)}
    rest["details_override"] = packed(own) if own else copied.get("details_override")
    made = associations.drafted(request, account, plan, period, **rest)
    draft.add(schedule_drafts.associate(made))


def _disassociate(request: Call, draft: Draft, given: dict[str, Any], at: str) -> None:
    """Take the period out of a schedule, out of those of a plan, or of all (ours)."""
    period = associations.read_period(given, at)
    place = f"{at}associationConfig."
    names = ("pricePlanId", "scheduleId")
    config = call.closed(call.mapping(given, "associationConfig", default={}, at=at), names, place)
    wanted = [one for one in draft.schedules if _is_of(one, config) and period.meets(one)]
    if not wanted:
        raise Refusal(
            400, f"{at}mode: account {draft.account_id} has no such price plan in that time"
        )
    draft.add(schedule_drafts.cut(request, wanted, period))


def _is_of(schedule: Schedule, config: dict[str, Any]) -> bool:
    return bool(
        config.get("scheduleId", schedule["id"]) == schedule["id"]
        and config.get("pricePlanId", schedule["price_plan_id"]) == schedule["price_plan_id"]
    )


def _named(draft: Draft, config: dict[str, Any], at: str) -> dict[str, Any]:
    schedule_id = call.text(config, "scheduleId", minimum=1, maximum=50, at=at)
    try:
        return draft.schedule(schedule_id)
    except LookupError as error:
        raise Refusal(400, f"{at}scheduleId: the draft has no schedule {schedule_id}") from error


def _merge(request: Call, draft: Draft) -> None:
    """Let each schedule that is new go on as the one it follows, where they are alike."""
    for following in draft.added():
        for one in list(draft.schedules):
            if schedule_drafts.mergeable(one, following) and _goes_on(
                request, draft, one, following
            ):
                draft.add(schedule_drafts.merge(one, following))
                break


def _goes_on(
    request: Call, draft: Draft, schedule: dict[str, Any], following: dict[str, Any]
) -> bool:
    """Ours: one that is billed already can grow while it runs, and only by whole cycles."""
    if any(schedule is one for one in draft.added()):
        return True
    if schedule["end_date"] <= request.stamp:
        return False
    whole = schedule | {"end_date": following["end_date"]}
    end = clock.read(schedule["end_date"])
    running = in_cycle_at(request.db, whole, end - _A_DAY)
    return running is not None and running.cycle.end == end


def _page(request: Call, schedules: list[Any], *extra: str) -> Reply:
    shown, token = paging.page_of_list(request, schedules, *extra)
    data = [render(request, one) for one in shown]
    return Reply({"data": data, "nextToken": token, "previousToken": None})


def render(request: Call, schedule: Schedule) -> dict[str, Any]:
    details = effective_details(request.db, schedule)
    version = str(schedule["price_plan_version"])
    plan = plan_versions.numbered(request, schedule["price_plan_id"], version)
    return {
        "id": schedule["id"],
        "accountId": schedule["account_id"],
        "pricePlanId": plan["id"],
        "version": plan["version"],
        "deferredRevenue": bool(details.get("deferredRevenue")),
        "pricePlanInfo": present(name=plan["name"], description=plan["description"]),
        "accountScheduleInfo": {
            "supportedCurrencies": details["supportedCurrencies"],
            "pricingCycleConfig": details["pricingCycleConfig"],
            "pricingRules": pricing_rules.in_order(rules_of(plan, schedule)),
        },
        "isOverridden": any(schedule[name] is not None for name in schedule_drafts.OVERRIDES),
        "startDate": schedule["start_date"],
        "endDate": schedule["end_date"],
        "allowOngoingCycleUpdates": bool(details.get("allow_ongoing_cycle_updates")),
    }


def rules_of(plan: Row, schedule: Schedule) -> list[dict[str, Any]]:
    """The pricing rules of a schedule as they are shown: its own, or else those of its version."""
    own = unpacked(schedule, "rules_override")
    rules: list[dict[str, Any]] = unpacked(plan, "pricing_rules") if own is None else own
    return rules
