"""Which price plan is associated with an account, and when."""

from collections.abc import Sequence
from typing import Any

from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    accounts,
    associations,
    billable,
    plan_versions,
    pre_actions,
    price_plan_rules,
    price_plans,
    pricing_rules,
)
from billing_mcp.sandbox.togai.associations import Period
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page
from billing_mcp.sandbox.togai.running import Schedule, effective_details

resource = Resource()

_FIELDS = (
    *("mode", "pricePlanId", "effectiveFrom", "effectiveUntil", "pricePlanDetailsOverride"),
    *("pricingRulesOverride", "retainStartOffsets"),
)
_MOST_EDITS = 10
_LISTING = Listing(
    select="select * from pricing_schedules",
    unique="id",
    filters={
        "start_date": "substr(end_date, 1, 10) > ?",
        "end_date": "substr(start_date, 1, 10) <= ?",
    },
    order=("start_date", False),
)


@resource.route("POST", "/accounts/{account_id}/price_plans")
def update_pricing_schedule(request: Call) -> Reply:
    account = associations.open_account(request)
    body = call.closed(request.body, (*_FIELDS, "preActions"))
    pre_actions.run(request, account, body)
    _edit(request, account, body, "", associations.of_account(request, account["id"]))
    return Reply(_answer(request, account))


@resource.route("POST", "/accounts/{account_id}/edit_schedules")
def edit_pricing_schedules(request: Call) -> Reply:
    """All edits in their order, or none (ours). `dry_run` answers what they would lead to."""
    account = associations.open_account(request)
    dry = call.one_of(request.query, "dry_run", ("true", "false"), default="false")
    edits = call.listed(
        call.closed(request.body, ("edits",)), "edits", minimum=1, maximum=_MOST_EDITS
    )
    before = associations.of_account(request, account["id"])
    try:
        with store.transaction(request.db):
            for index, item in enumerate(edits):
                place = f"edits[{index}]."
                _edit(request, account, call.closed(item, _FIELDS, place), place, before)
            _end_of_edits(_answer(request, account), dry=dry == "true")
    except _OnlyTried as tried:
        return Reply(tried.answer)
    return Reply(_answer(request, account))


class _OnlyTried(Exception):
    """Takes back what a dry run has done, and brings what it would have led to."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__("only tried")
        self.answer = answer


def _end_of_edits(answer: dict[str, Any], *, dry: bool) -> None:
    if dry:
        raise _OnlyTried(answer)


def _edit(
    request: Call, account: Row, given: dict[str, Any], at: str, before: Sequence[Row]
) -> None:
    """Associate a plan, or take a period out. `at` is where the edit is in the body.

    `before` are the account's schedules as they were before the request.
    """
    period = associations.read_period(given, at)
    mode = call.one_of(given, "mode", ("ASSOCIATE", "DISASSOCIATE"), default="ASSOCIATE", at=at)
    if mode == "ASSOCIATE":
        _associate(request, account, given, period, at, before)
    else:
        _disassociate(request, account, given, period, at)


def _answer(request: Call, account: Row) -> dict[str, Any]:
    return overrides(request, account, associations.of_account(request, account["id"]))


def overrides(request: Call, account: Row, schedules: Sequence[Schedule]) -> dict[str, Any]:
    """The schedules of an account with what they override, as an edit is answered."""
    answer = {"accountId": account["id"], "accountName": account["name"]}
    return answer | {"pricingSchedules": [_plan_override(request, row) for row in schedules]}


@resource.route("GET", "/accounts/{account_id}/pricing_schedules")
def list_pricing_schedules(request: Call) -> Reply:
    account = accounts.existing(request, request.path["account_id"])
    for name in ("start_date", "end_date"):
        call.day(request.query, name, default=None)
    extra = ("include_price_plan_info", "compact")
    for name in extra:
        call.one_of(request.query, name, ("true", "false"), default=None)
    found = page(request, _LISTING, {"account_id = ?": account["id"]}, *extra)
    data = [render(request, row) for row in found.rows]
    return Reply({"data": data, "nextToken": found.next_token, "previousToken": None})


def _associate(
    request: Call,
    account: Row,
    body: dict[str, Any],
    period: Period,
    at: str,
    before: Sequence[Row],
) -> None:
    plan_id = call.text(body, "pricePlanId", minimum=1, maximum=50, at=at)
    plan = associations.billed_plan(request, plan_id, at)
    associations.refuse_inactive_currency(account, plan, at)
    associations.refuse_twice(associations.of_account(request, account["id"]), plan["id"], period)
    own: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    if call.flag(body, "retainStartOffsets", default=False, at=at):
        own, rest["associated_on"] = associations.retained(request, before, plan, period, at)
    if "pricePlanDetailsOverride" in body:
        details = unpacked(plan, "details")
        place = f"{at}pricePlanDetailsOverride."
        given = call.mapping(body, "pricePlanDetailsOverride")
        own |= price_plan_rules.override(request, given, details, place)
    if own or "pricePlanDetailsOverride" in body:
        rest["details_override"] = packed(own)
    if "pricingRulesOverride" in body:
        place = f"{at}pricingRulesOverride"
        given_rules = pricing_rules.read(request, body["pricingRulesOverride"], place)
        rest["rules_override"] = packed(given_rules)
    billable.check(account, {**unpacked(plan, "details"), **own}, at)
    associations.insert(request, associations.drafted(request, account, plan, period, **rest))


def _disassociate(
    request: Call, account: Row, body: dict[str, Any], period: Period, at: str
) -> None:
    """Take the period out of the schedules of the plan, or of every plan if none is named."""
    plan_id = call.text(body, "pricePlanId", default=None, at=at)
    rows = [
        row
        for row in associations.of_account(request, account["id"])
        if period.meets(row) and plan_id in (None, row["price_plan_id"])
    ]
    if not rows:
        raise Refusal(400, f"Account {account['id']} has no such price plan in that time")
    for row in rows:
        rest = None
        if period.end < row["end_date"]:
            rest = associations.rest_behind(row, period.end, request.new_id("sch"))
        associations.cut(request, row, period.start, rest)


def _plan_override(request: Call, row: Schedule) -> dict[str, Any]:
    plan = plan_versions.existing(request, row["price_plan_id"])
    own = unpacked(row, "details_override")
    return present(
        id=row["id"],
        pricePlanId=plan["id"],
        pricePlanName=plan["name"],
        pricePlanDetailsOverride=None if own is None else price_plan_rules.shown(present(**own)),
        pricingRulesOverride=unpacked(row, "rules_override"),
        startDate=row["start_date"],
        endDate=row["end_date"],
    )


def render(request: Call, row: Row) -> dict[str, Any]:
    plan = plan_versions.existing(request, row["price_plan_id"])
    of_plan = price_plans.details(plan)
    shown = price_plan_rules.shown(effective_details(request.db, row))
    shown |= {name: of_plan[name] for name in ("activeCurrencies", "type")}
    info = present(name=plan["name"], description=plan["description"])
    wanted = request.query.get("include_price_plan_info") == "true"
    rules = "pricing_rules" if row["rules_override"] is None else "rules_override"
    return present(
        id=row["id"],
        pricePlanDetails=None if request.query.get("compact") == "true" else shown,
        startDate=row["start_date"],
        endDate=row["end_date"],
        version=row["price_plan_version"],
        pricingRules=unpacked(plan if rules == "pricing_rules" else row, rules),
        isOverriden=row["details_override"] is not None or row["rules_override"] is not None,
        pricePlanId=plan["id"],
        pricePlanName=plan["name"],
        pricePlanInfo=info if wanted else None,
    )
