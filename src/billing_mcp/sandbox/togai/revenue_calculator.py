"""Togai's revenue calculators: what a plan, made up or not, would earn, and nothing is kept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from billing_mcp.rating.calendar_days import months_after
from billing_mcp.rating.cycle_charges import Measured
from billing_mcp.rating.cycles import Cycle, cycle_at
from billing_mcp.rating.plan import NotAPlan, Plan, read_plan
from billing_mcp.rating.revenue import CardRevenue, SlabRevenue, card_revenues
from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.togai import (
    accounts,
    calculator_lookups,
    plan_versions,
    price_plan_rules,
    price_plans,
    rate_cards,
    sizes,
)
from billing_mcp.sandbox.togai.columns import present
from billing_mcp.sandbox.togai.running import effective_details

resource = Resource()

_REQUIRED = ("currencyConfig", "pricePlanDetailsConfig", "usageConfig", "licenseEntriesConfig")
_OPTIONAL = ("namedLicenseEntriesConfig", "prorationConfig", "entitlementOverageConfig")
# The fields of each part of the request.
_PARTS = {
    "currencyConfig": ("mode", "currency", "accountId"),
    "pricePlanDetailsConfig": (
        *("mode", "pricePlanDetails", "pricePlanId", "accountId"),
        *("effectiveOn", "pricingCycleOrdinal"),
    ),
    "usageConfig": ("mode", "usageMap", "lookupRange", "lookupCycle"),
    "licenseEntriesConfig": ("mode", "custom", "lookupRange", "lookupCycle"),
    "namedLicenseEntriesConfig": ("mode", "custom", "lookupRange", "lookupCycle"),
    "prorationConfig": ("mode", "customConfig", "lookupCycleConfig"),
    "entitlementOverageConfig": ("mode", "custom", "lookupCycle"),
}
# Where the first generation has a card's revenue: the names of the card, and of its summary.
_SUMMARIES = {
    "USAGE": ("usageRateCard", "slabRevenueSummaries"),
    "FIXED_FEE": ("fixedFeeRateCard", "fixedFeeRevenueSummary"),
    "LICENSE": ("licenseRateCard", "licenseRevenueSummary"),
    "BILLING_ENTITLEMENT": ("billingEntitlementRateCard", "billingEntitlementRevenueSummary"),
    "CREDIT_GRANT": ("creditGrantRateCard", "creditGrantRevenueSummary"),
    "ENTITLEMENT_OVERAGE": ("entitlementOverageRateCard", "entitlementOverageRevenueSummary"),
}
_LAST_ORDINAL = 10_000
# What a plan that was made up in the request is called.
_CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class _Rated:
    """A plan with one cycle of it; `wire` are its details as the first generation shows them."""

    details: dict[str, Any]
    wire: dict[str, Any]
    plan: Plan
    cycle: Cycle
    reference: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Calculation:
    currency: str
    looked_up: calculator_lookups.Period | None
    rated: _Rated
    revenues: dict[str, list[CardRevenue]]

    def cards(self) -> Iterator[tuple[str, dict[str, Any], CardRevenue]]:
        """Each card with its type and revenue; a minimum commitment is no card's revenue."""
        counts = dict.fromkeys(self.revenues, 0)
        for card_type, card in rate_cards.each(self.rated.details):
            if card_type in counts:
                yield card_type, card, self.revenues[card_type][counts[card_type]]
                counts[card_type] += 1

    def answer(self, **more: Any) -> dict[str, Any]:
        period = self.looked_up
        return present(
            currency=self.currency,
            usageLookupRange=None
            if period is None
            else {"start": clock.written(period.start), "end": clock.written(period.end)},
            **more,
        )


@resource.route("POST", "/revenue_calculator")
def calculate_revenue(request: Call) -> Reply:
    found = _calculate(request)
    info = []
    for card_type, card, revenue in found.cards():
        info.append({_SUMMARIES[card_type][0]: card} | _summary(card_type, revenue))
    return Reply(found.answer(pricePlanDetails=found.rated.wire, revenueInfo=info))


@resource.route("POST", "/v2/revenue_calculator")
def calculate_revenue_v2(request: Call) -> Reply:
    found = _calculate(request)
    info = []
    for card_type, card, revenue in found.cards():
        shown = rate_cards.render(card_type, card, found.rated.reference)
        info.append({"rateCard": shown} | _summary(card_type, revenue))
    return Reply(found.answer(revenueInfo=info))


def _calculate(request: Call) -> _Calculation:
    # Reading a plan makes ids for cards without a name; none of that is to be left.
    with store.tried(request.db):
        return _calculated(request)


def _calculated(request: Call) -> _Calculation:
    body = call.closed(request.body, (*_REQUIRED, *_OPTIONAL))
    parts = {
        name: call.closed(call.mapping(body, name), _PARTS[name], f"{name}.")
        for name in (*_REQUIRED, *_OPTIONAL)
        if name in _REQUIRED or name in body
    }
    rated = _rated(request, parts["pricePlanDetailsConfig"])
    currency = _currency(request, parts["currencyConfig"], rated.plan)
    ids = [card.id for card in rated.plan.licences]
    used = calculator_lookups.period(request, parts["usageConfig"], "usageConfig.")
    held = calculator_lookups.period(
        request, parts["licenseEntriesConfig"], "licenseEntriesConfig."
    )
    licences = calculator_lookups.licences(request, parts["licenseEntriesConfig"], held, ids)
    if "namedLicenseEntriesConfig" in parts:
        config = parts["namedLicenseEntriesConfig"]
        by_name = calculator_lookups.period(request, config, "namedLicenseEntriesConfig.")
        named = calculator_lookups.named_licences(request, config, by_name, ids)
        licences, held = {**named, **licences}, held or by_name
    overage = {}
    if "entitlementOverageConfig" in parts:
        overage = calculator_lookups.overage(request, parts["entitlementOverageConfig"])
    cycle = rated.cycle
    if "prorationConfig" in parts:
        cycle = calculator_lookups.proration(request, parts["prorationConfig"], cycle)
    usage = calculator_lookups.usage(request, parts["usageConfig"], used)
    _refuse_long({**usage, **overage})
    revenues = card_revenues(
        rated.plan,
        currency,
        cycle,
        Measured(usage, licences, overage),
        licence_cycle=cycle if held is None else _over(cycle, held),
        prorated="prorationConfig" in parts,
    )
    return _Calculation(currency, used, rated, revenues)


def _over(cycle: Cycle, period: calculator_lookups.Period) -> Cycle:
    """Licences that are looked up are counted in the time they are looked up for (ours)."""
    start, end = (clock.midnight(moment.date()) for moment in (period.start, period.end))
    return Cycle(cycle.number, start, max(end, start), start, max(end, start))


def _refuse_long(numbers: Mapping[str, Any]) -> None:
    for name, number in numbers.items():
        if not sizes.is_usual(number):
            raise Refusal(400, f"{name} {sizes.TOO_LONG}")


def _currency(request: Call, config: dict[str, Any], plan: Plan) -> str:
    at = "currencyConfig."
    if call.one_of(config, "mode", ("CUSTOM", "ACCOUNT_INVOICE"), at=at) == "CUSTOM":
        currency = call.text(config, "currency", minimum=1, at=at)
    else:
        account_id = call.text(config, "accountId", minimum=1, at=at)
        currency = accounts.existing(request, account_id)["invoice_currency"]
    if currency not in plan.currencies:
        raise Refusal(400, f"{at}currency: the plan has no rates in {currency}")
    return currency


def _rated(request: Call, config: dict[str, Any]) -> _Rated:
    at = "pricePlanDetailsConfig."
    mode = call.one_of(config, "mode", ("CUSTOM", "PRICE_PLAN", "ACCOUNT"), at=at)
    moment = call.timestamp(config, "effectiveOn", default=request.now, at=at)
    ordinal = call.whole(
        config, "pricingCycleOrdinal", minimum=1, maximum=_LAST_ORDINAL, default=1, at=at
    )
    if mode == "ACCOUNT":
        account_id = call.text(config, "accountId", minimum=1, at=at)
        found = calculator_lookups.running(request, account_id, moment, f"{at}accountId")
        row = plan_versions.existing(request, found.schedule["price_plan_id"])
        details = effective_details(request.db, found.schedule)
        reference = _reference(found.schedule_id, "SCHEDULE", row["id"]) | {"accountId": account_id}
        wire = price_plans.details(row) | price_plan_rules.shown(details)
        whole = replace(found.cycle, start=found.cycle.whole_start, end=found.cycle.whole_end)
        return _Rated(details, wire, found.plan, whole, reference)
    if mode == "PRICE_PLAN":
        row = plan_versions.existing(request, call.text(config, "pricePlanId", minimum=1, at=at))
        wire = price_plans.details(row)
        details = {**plan_versions.details(row)}
        reference = _reference(row["schedule_id"], "PRICE_PLAN", row["id"])
    else:
        given = call.mapping(config, "pricePlanDetails", at=at)
        kind = "BILLING" if "pricingCycleConfig" in given else "PURCHASE"
        details = price_plan_rules.details(request, given, kind, f"{at}pricePlanDetails.")
        wire = details | {"activeCurrencies": details["supportedCurrencies"], "type": kind}
        reference = _reference(_CUSTOM, "PRICE_PLAN", _CUSTOM)
        moment = request.now
    plan = _plan(details)
    return _Rated(details, wire, plan, _cycle(plan, moment, ordinal - 1), reference)


def _plan(details: dict[str, Any]) -> Plan:
    for place in sizes.unusual(details, "pricePlanDetails"):
        raise Refusal(400, f"pricePlanDetailsConfig: {place} {sizes.TOO_LONG}")
    try:
        return read_plan(details)
    except NotAPlan as error:
        raise Refusal(400, f"pricePlanDetailsConfig: the plan cannot be rated: {error}") from error


def _cycle(plan: Plan, moment: Any, number: int) -> Cycle:
    """The undivided cycle around a moment; of a plan that is bought, a month (ours)."""
    day = moment.date()
    found = None if plan.cycle is None else cycle_at(plan.cycle, day, None, clock.midnight(day))
    start = clock.midnight(day) if found is None else found.whole_start
    end = months_after(start, 1) if found is None else found.whole_end
    return Cycle(number, start, end, start, end)


def _reference(reference_id: str, kind: str, price_plan_id: str) -> dict[str, Any]:
    return {"referenceId": reference_id, "referenceType": kind, "pricePlanId": price_plan_id}


def _summary(card_type: str, revenue: CardRevenue) -> dict[str, Any]:
    name = _SUMMARIES[card_type][1]
    summary: Any = {"revenue": revenue.revenue}
    if card_type in ("USAGE", "LICENSE"):
        summary = [_slab(slab) for slab in revenue.slabs]
    shown = {"usages": dict(revenue.usages), name: summary}
    if card_type == "ENTITLEMENT_OVERAGE":
        shown["slabRevenueSummaries"] = [_slab(slab) for slab in revenue.slabs]
    return shown


def _slab(slab: SlabRevenue) -> dict[str, Any]:
    metadata = present(
        minimumRateApplied=True if "minimumRate" in slab.clamps else None,
        maximumRateApplied=True if "maximumRate" in slab.clamps else None,
        packageQuantity=slab.packages,
    )
    return present(
        order=slab.order, usage=slab.units, revenue=slab.revenue, metadata=metadata or None
    )
