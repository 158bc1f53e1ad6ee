"""Which price plan is associated with an account, and when."""

from datetime import date
from typing import Any

from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    accounts,
    billable,
    billing,
    feature_grants,
    plan_versions,
    price_plan_rules,
    price_plans,
    pricing_rules,
)
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page
from billing_mcp.sandbox.togai.running import effective_details

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
    account = _open_account(request)
    body = call.closed(request.body, (*_FIELDS, "preActions"))
    if call.listed(body, "preActions", default=[]):
        raise Refusal(501, "not imitated by the sandbox: preActions")
    _edit(request, account, body, "")
    return Reply(_answer(request, account))


@resource.route("POST", "/accounts/{account_id}/edit_schedules")
def edit_pricing_schedules(request: Call) -> Reply:
    """All edits in their order, or none (ours). `dry_run` answers what they would lead to."""
    account = _open_account(request)
    dry = call.one_of(request.query, "dry_run", ("true", "false"), default="false")
    edits = call.listed(
        call.closed(request.body, ("edits",)), "edits", minimum=1, maximum=_MOST_EDITS
    )
    try:
        with store.transaction(request.db):
            for index, item in enumerate(edits):
                place = f"edits[{index}]."
                _edit(request, account, call.closed(item, _FIELDS, place), place)
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


def _open_account(request: Call) -> Row:
    account = accounts.existing(request, request.path["account_id"])
    if account["status"] == "ARCHIVED":
        raise Refusal(400, f"Account {account['id']} is archived")
    return account


def _edit(request: Call, account: Row, given: dict[str, Any], at: str) -> None:
    """Associate a plan, or take a period out. `at` is where the edit is in the body."""
    start = call.day(given, "effectiveFrom", at=at)
    end = call.day(given, "effectiveUntil", at=at)
    if end <= start:
        raise Refusal(400, f"{at}effectiveUntil must be later than effectiveFrom")
    if call.flag(given, "retainStartOffsets", default=False, at=at):
        raise Refusal(501, f"not imitated by the sandbox: {at}retainStartOffsets")
    mode = call.one_of(given, "mode", ("ASSOCIATE", "DISASSOCIATE"), default="ASSOCIATE", at=at)
    if mode == "ASSOCIATE":
        _associate(request, account, given, (start, end), at)
    else:
        _disassociate(request, account, given, (start, end), at)


def _answer(request: Call, account: Row) -> dict[str, Any]:
    rows = request.db.execute(
        "select * from pricing_schedules where account_id = ? order by start_date, id",
        (account["id"],),
    )
    answer = {"accountId": account["id"], "accountName": account["name"]}
    return answer | {"pricingSchedules": [_plan_override(request, row) for row in rows]}


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
    request: Call, account: Row, body: dict[str, Any], period: tuple[date, date], at: str
) -> None:
    plan = _usable_plan(request, account, body, at)
    start, end = (clock.written(clock.midnight(day)) for day in period)
    other = request.db.execute(
        "select id from pricing_schedules where account_id = ? and price_plan_id = ?"
        " and start_date < ? and ? < end_date",
        (account["id"], plan["id"], end, start),
    ).fetchone()
    if other:
        raise Refusal(400, f"The plan is associated in schedule {other['id']} in that time already")
    own = rules = None
    if "pricePlanDetailsOverride" in body:
        details = unpacked(plan, "details")
        place = f"{at}pricePlanDetailsOverride."
        given = call.mapping(body, "pricePlanDetailsOverride")
        own = price_plan_rules.override(request, given, details, place)
    if "pricingRulesOverride" in body:
        place = f"{at}pricingRulesOverride"
        rules = packed(pricing_rules.read(request, body["pricingRulesOverride"], place))
    billable.check(account, {**unpacked(plan, "details"), **(own or {})}, at)
    columns = {
        "id": request.new_id("sch"),
        "account_id": account["id"],
        "price_plan_id": plan["id"],
        "price_plan_version": plan["version"],
        "associated_on": period[0].isoformat(),
        "start_date": start,
        "end_date": end,
        "details_override": None if own is None else packed(own),
        "rules_override": rules,
        "next_cycle_at": None,
        "created_at": request.stamp,
    }
    store.insert(request.db, "pricing_schedules", columns)
    request.effect("association", str(columns["id"]))
    billing.schedule_added(request, str(columns["id"]))


def _usable_plan(request: Call, account: Row, body: dict[str, Any], at: str) -> Row:
    plan_id = call.text(body, "pricePlanId", minimum=1, maximum=50, at=at)
    plan = plan_versions.active(request.db, plan_id)
    if plan is None:
        raise Refusal(400, f"{at}pricePlanId: there is no active price plan {plan_id}")
    if plan["type"] != "BILLING":
        raise Refusal(400, f"{at}pricePlanId: {plan_id} is a plan to purchase, not to associate")
    if account["invoice_currency"] not in unpacked(plan, "active_currencies"):
        currency = account["invoice_currency"]
        raise Refusal(400, f"{at}pricePlanId: {plan_id} is not active in {currency}")
    return plan


def _disassociate(
    request: Call, account: Row, body: dict[str, Any], period: tuple[date, date], at: str
) -> None:
    """Take the period out of the schedules of the plan, or of every plan if none is named."""
    plan_id = call.text(body, "pricePlanId", default=None, at=at)
    start, end = (clock.written(clock.midnight(day)) for day in period)
    rows = request.db.execute(
        "select * from pricing_schedules where account_id = ? and start_date < ? and ? < end_date"
        " and price_plan_id = coalesce(?, price_plan_id)",
        (account["id"], end, start, plan_id),
    ).fetchall()
    if not rows:
        raise Refusal(400, f"Account {account['id']} has no such price plan in that time")
    for row in rows:
        rest_id = request.new_id("sch") if end < row["end_date"] else None
        if rest_id is not None:
            rest = dict(row) | {"id": rest_id, "start_date": end, "next_cycle_at": None}
            store.insert(request.db, "pricing_schedules", rest)
        if row["start_date"] < start:
            store.update(request.db, "pricing_schedules", {"end_date": start}, id=row["id"])
        else:
            request.db.execute("delete from pricing_schedules where id = ?", (row["id"],))
        feature_grants.end_at(request, row["id"], max(start, row["start_date"]))
        billing.schedule_cut(request, row, rest_id)
        request.effect("disassociation", row["id"])


def _plan_override(request: Call, row: Row) -> dict[str, Any]:
    plan = plan_versions.existing(request, row["price_plan_id"])
    return present(
        id=row["id"],
        pricePlanId=plan["id"],
        pricePlanName=plan["name"],
        pricePlanDetailsOverride=unpacked(row, "details_override"),
        pricingRulesOverride=unpacked(row, "rules_override"),
        startDate=row["start_date"],
        endDate=row["end_date"],
    )


def render(request: Call, row: Row) -> dict[str, Any]:
    plan = plan_versions.existing(request, row["price_plan_id"])
    shown = {**price_plans.details(plan), **effective_details(request.db, row)}
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
