"""Which price plan is associated with an account, and when."""

from datetime import date
from typing import Any

from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import accounts, feature_grants, price_plan_rules, price_plans
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page
from billing_mcp.sandbox.togai.running import effective_details

resource = Resource()

_FIELDS = (
    *("mode", "pricePlanId", "effectiveFrom", "effectiveUntil", "pricePlanDetailsOverride"),
    *("pricingRulesOverride", "retainStartOffsets", "preActions"),
)
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
    account = accounts.existing(request, request.path["account_id"])
    if account["status"] == "ARCHIVED":
        raise Refusal(400, f"Account {account['id']} is archived")
    body = call.closed(request.body, _FIELDS)
    start, end = call.day(body, "effectiveFrom"), call.day(body, "effectiveUntil")
    if end <= start:
        raise Refusal(400, "effectiveUntil must be later than effectiveFrom")
    if call.flag(body, "retainStartOffsets", default=False):
        raise Refusal(501, "not imitated by the sandbox: retainStartOffsets")
    if call.listed(body, "preActions", default=[]):
        raise Refusal(501, "not imitated by the sandbox: preActions")
    mode = call.one_of(body, "mode", ("ASSOCIATE", "DISASSOCIATE"), default="ASSOCIATE")
    if mode == "ASSOCIATE":
        _associate(request, account, body, (start, end))
    else:
        _disassociate(request, account, body, (start, end))
    rows = request.db.execute(
        "select * from pricing_schedules where account_id = ? order by start_date, id",
        (account["id"],),
    )
    answer = {"accountId": account["id"], "accountName": account["name"]}
    return Reply(answer | {"pricingSchedules": [_plan_override(request, row) for row in rows]})


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
    request: Call, account: Row, body: dict[str, Any], period: tuple[date, date]
) -> None:
    plan = _usable_plan(request, account, body)
    start, end = (clock.written(clock.midnight(day)) for day in period)
    other = request.db.execute(
        "select id from pricing_schedules where account_id = ? and price_plan_id = ?"
        " and start_date < ? and ? < end_date",
        (account["id"], plan["id"], end, start),
    ).fetchone()
    if other:
        raise Refusal(400, f"The plan is associated in schedule {other['id']} in that time already")
    override = rules = None
    if "pricePlanDetailsOverride" in body:
        details = unpacked(plan, "details")
        place = "pricePlanDetailsOverride."
        given = call.mapping(body, "pricePlanDetailsOverride")
        override = packed(price_plan_rules.override(request, given, details, place))
    if "pricingRulesOverride" in body:
        place = "pricingRulesOverride"
        rules = packed(price_plan_rules.pricing_rules(request, body[place], place))
    columns = {
        "id": request.new_id("sch"),
        "account_id": account["id"],
        "price_plan_id": plan["id"],
        "price_plan_version": plan["version"],
        "associated_on": period[0].isoformat(),
        "start_date": start,
        "end_date": end,
        "details_override": override,
        "rules_override": rules,
        "created_at": request.stamp,
    }
    store.insert(request.db, "pricing_schedules", columns)
    request.effect("association", str(columns["id"]))
    feature_grants.grant_what_is_due(request, str(columns["id"]))


def _usable_plan(request: Call, account: Row, body: dict[str, Any]) -> Row:
    plan_id = call.text(body, "pricePlanId", minimum=1, maximum=50)
    plan: Row | None = request.db.execute(
        "select * from price_plans where id = ?", (plan_id,)
    ).fetchone()
    if plan is None or plan["status"] != "ACTIVE":
        raise Refusal(400, f"pricePlanId: there is no active price plan {plan_id}")
    if plan["type"] != "BILLING":
        raise Refusal(400, f"pricePlanId: {plan_id} is a plan to purchase, not to associate")
    if account["invoice_currency"] not in unpacked(plan, "active_currencies"):
        currency = account["invoice_currency"]
        raise Refusal(400, f"pricePlanId: {plan_id} is not active in {currency}")
    for card in unpacked(plan, "details").get("billingEntitlementRateCards", []):
        if card["invoiceTiming"] == "PREPAID":
            raise Refusal(501, "not imitated by the sandbox: PREPAID entitlement rate cards")
    return plan


def _disassociate(
    request: Call, account: Row, body: dict[str, Any], period: tuple[date, date]
) -> None:
    """Take the period out of the schedules of the plan, or of every plan if none is named."""
    plan_id = call.text(body, "pricePlanId", default=None)
    start, end = (clock.written(clock.midnight(day)) for day in period)
    rows = request.db.execute(
        "select * from pricing_schedules where account_id = ? and start_date < ? and ? < end_date"
        " and price_plan_id = coalesce(?, price_plan_id)",
        (account["id"], end, start, plan_id),
    ).fetchall()
    if not rows:
        raise Refusal(400, f"Account {account['id']} has no such price plan in that time")
    for row in rows:
        if end < row["end_date"]:
            rest = dict(row) | {"id": request.new_id("sch"), "start_date": end}
            store.insert(request.db, "pricing_schedules", rest)
        if row["start_date"] < start:
            store.update(request.db, "pricing_schedules", {"end_date": start}, id=row["id"])
        else:
            request.db.execute("delete from pricing_schedules where id = ?", (row["id"],))
        feature_grants.end_at(request, row["id"], max(start, row["start_date"]))
        request.effect("disassociation", row["id"])
    feature_grants.grant_what_is_due(request)


def _plan_override(request: Call, row: Row) -> dict[str, Any]:
    plan = price_plans.existing(request, row["price_plan_id"])
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
    plan = price_plans.existing(request, row["price_plan_id"])
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
