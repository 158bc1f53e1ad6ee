"""What a price plan says, read once from the vendor's JSON into typed, frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from billing_mcp import money
from billing_mcp.rating.cards import (
    Bounds,
    CreditGrant,
    Entitlement,
    FeatureGrant,
    FixedFee,
    GrantPrice,
    Licence,
    Overage,
    RatePlan,
    RateValue,
    Recurrence,
    Slab,
    SlabRate,
    UsageCard,
    in_advance,
)

USUAL_TIMING = "IN_ARREARS"


class NotAPlan(ValueError):
    """The details are not a plan that can be rated. The message names the field."""


@dataclass(frozen=True, slots=True)
class CycleRule:
    """When pricing cycles start. Offsets are the vendor's texts: `1` to `31`, `LAST`, `NIL` …"""

    interval: str
    grace_days: int = 0
    day_offset: str = "1"
    month_offset: str = "FIRST"
    anniversary: bool = False


@dataclass(frozen=True, slots=True)
class MinimumCommitment:
    name: str
    rates: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Plan:
    """`cycle` is None for a plan that is bought once (type PURCHASE)."""

    currencies: tuple[str, ...]
    cycle: CycleRule | None = None
    usage_cards: tuple[UsageCard, ...] = ()
    fixed_fees: tuple[FixedFee, ...] = ()
    licences: tuple[Licence, ...] = ()
    entitlements: tuple[Entitlement, ...] = ()
    overages: tuple[Overage, ...] = ()
    credit_grants: tuple[CreditGrant, ...] = ()
    minimum_commitment: MinimumCommitment | None = None
    deferred_revenue: bool = False


def read_plan(details: Mapping[str, Any]) -> Plan:
    """Read `pricePlanDetails` as `POST /price_plans` takes them, numbers being Decimal or int.

    Raises `NotAPlan` for fields that are missing or of the wrong kind, for slabs without rates or
    out of order, and for cards that a deferred-revenue plan may not have.
    """
    try:
        plan = _plan(details)
    except KeyError as error:
        raise NotAPlan(f"{error.args[0]} is missing") from error
    if plan.deferred_revenue:
        _check_deferred(plan)
    return plan


def _plan(details: Mapping[str, Any]) -> Plan:
    commitment = details.get("minimumCommitment")
    cycle = details.get("pricingCycleConfig")
    return Plan(
        tuple(details["supportedCurrencies"]),
        None if cycle is None else read_cycle_rule(cycle),
        tuple(_usage_card(card) for card in _cards(details, "usageRateCards")),
        tuple(_fixed_fee(card) for card in _cards(details, "fixedFeeRateCards")),
        tuple(_licence(card) for card in _cards(details, "licenseRateCards")),
        tuple(_entitlement(card) for card in _cards(details, "billingEntitlementRateCards")),
        tuple(_overage(card) for card in _cards(details, "entitlementOverageRateCards")),
        tuple(_credit_grant(card) for card in _cards(details, "creditGrantRateCards")),
        None
        if commitment is None
        else MinimumCommitment(commitment["displayName"], _currency_rates(commitment)),
        bool(details.get("deferredRevenue", False)),
    )


def read_cycle_rule(config: Mapping[str, Any]) -> CycleRule:
    """Read a `pricingCycleConfig`; without a start offset cycles start on the first day."""
    offset = config.get("startOffset") or {}
    return CycleRule(
        config["interval"],
        int(config["gracePeriod"]),
        str(offset.get("dayOffset", "1")),
        str(offset.get("monthOffset", "FIRST")),
        bool(config.get("anniversaryCycle", False)),
    )


def _check_deferred(plan: Plan) -> None:
    fees = [card.timing for card in plan.fixed_fees]
    timings = fees + [card.timing for card in plan.licences]
    forbidden: dict[str, object] = {
        "credit grant cards": plan.credit_grants,
        "entitlement cards": plan.entitlements,
        "overage cards": plan.overages,
        "cards invoiced in advance": any(in_advance(timing) for timing in timings),
    }
    for what, present in forbidden.items():
        if present:
            raise NotAPlan(f"a plan with deferredRevenue has no {what}")


def _cards(details: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return details.get(name) or []


def _name(card: Mapping[str, Any], otherwise: str) -> str:
    return card.get("displayName") or card.get("name") or otherwise


def _number(value: Any) -> Decimal:
    """An exact number. Whole ones may be longer than `money.exact` lets JSON numbers be."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, Decimal | str):
        raise NotAPlan(f"{value!r} is not an exact number")
    try:
        return money.exact(value)
    except money.NotANumber as error:
        raise NotAPlan(f"{value!r} is not {error}") from error


def _bounds(config: Mapping[str, Any] | None) -> Bounds:
    least, most = ((config or {}).get(name) for name in ("minimumRate", "maximumRate"))
    return Bounds(
        None if least is None else _number(least), None if most is None else _number(most)
    )


def _recurrence(config: Mapping[str, Any] | None, offset: str = "offset") -> Recurrence:
    given = config or {}
    # The vendor's clients send null for what they were not told.
    interval, start = given.get("interval"), given.get(offset)
    return Recurrence(1 if interval is None else int(interval), 0 if start is None else int(start))


def _currency_rates(card: Mapping[str, Any]) -> dict[str, Decimal]:
    return {value["currency"]: _number(value["rate"]) for value in card["rateValues"]}


def _slab(slab: Mapping[str, Any], order: int) -> Slab:
    price_type = slab["priceType"]
    size = None
    if price_type == "PACKAGE":
        size = _number((slab.get("slabConfig") or {})["packageSize"])
        if size <= 0:
            raise NotAPlan("packageSize must be greater than 0")
    elif price_type not in ("FLAT", "PER_UNIT"):
        raise NotAPlan(f"priceType {price_type} is not FLAT, PER_UNIT or PACKAGE")
    return Slab(order, _number(slab["startAfter"]), price_type, size)


def _rate_plan(model: str, slabs: tuple[Slab, ...]) -> RatePlan:
    """Slabs that are not in the order of their starts would rate some units twice or not at all."""
    for lower, higher in pairwise(slabs):
        if higher.start_after <= lower.start_after:
            raise NotAPlan(
                f"startAfter of slab {higher.order} must be greater than"
                f" {money.plain(lower.start_after)}, where the slab before it starts"
            )
    return RatePlan(model, slabs)


def _pricing_model(card: Mapping[str, Any]) -> str:
    model: str = card["pricingModel"]
    if model not in ("TIERED", "VOLUME"):
        raise NotAPlan(f"pricingModel {model} is not TIERED or VOLUME")
    return model


def _slabbed(card: Mapping[str, Any]) -> tuple[RatePlan, dict[str, RateValue]]:
    given = card["ratePlan"]
    slabs = tuple(
        sorted(
            (_slab(slab, int(slab["order"])) for slab in given["slabs"]),
            key=lambda slab: slab.order,
        )
    )
    values = {}
    for value in card["rateValues"]:
        rates = {int(rate["order"]): rate for rate in value["slabRates"]}
        if set(rates) != {slab.order for slab in slabs}:
            raise NotAPlan(f"slabRates in {value['currency']} must be one for each slab")
        values[value["currency"]] = RateValue(
            value["currency"],
            tuple(
                SlabRate(
                    slab.order,
                    _number(rates[slab.order]["rate"]),
                    _bounds(rates[slab.order].get("slabRateConfig")),
                )
                for slab in slabs
            ),
            _bounds(value.get("rateConfig")),
        )
    return _rate_plan(_pricing_model(given), slabs), values


def _usage_card(card: Mapping[str, Any]) -> UsageCard:
    meter = card["usageMeterId"]
    return UsageCard(meter, _name(card, meter), *_slabbed(card))


def _fixed_fee(card: Mapping[str, Any]) -> FixedFee:
    return FixedFee(
        card["id"],
        _name(card, card["id"]),
        card.get("invoiceTiming") or USUAL_TIMING,
        card.get("type") == "ONE_TIME",
        bool(card["enableProration"]),
        _currency_rates(card),
        _recurrence(card.get("recurrenceConfig")),
    )


def _licence(card: Mapping[str, Any]) -> Licence:
    maximum = (card.get("config") or {}).get("maxQuantity")
    return Licence(
        card["id"],
        _name(card, card["id"]),
        card.get("invoiceTiming") or USUAL_TIMING,
        bool(card["enableProration"]),
        card.get("usageCycle"),
        None if maximum is None else _number(maximum),
        card.get("proratedRefundMode") or "NONE",
        *_slabbed(card),
    )


def _entitlement(card: Mapping[str, Any]) -> Entitlement:
    grants = tuple(
        FeatureGrant(
            _number(config["featureCreditLimit"]),
            config["effectiveUntil"],
            config.get("effectiveFrom"),
        )
        for config in card["featureConfigs"]
    )
    feature = card["featureId"]
    timing = card["invoiceTiming"]
    recurrence = _recurrence(card.get("recurrenceConfig"))
    return Entitlement(feature, _name(card, feature), timing, grants, *_slabbed(card), recurrence)


def _overage(card: Mapping[str, Any]) -> Overage:
    maximum = card.get("maxQuantity")
    most = None if maximum is None else _number(maximum)
    billing = _recurrence(card.get("billingConfig"), "startOffset")
    feature = card["featureId"]
    return Overage(feature, _name(card, feature), most, *_slabbed(card), billing)


def _credit_grant(card: Mapping[str, Any]) -> CreditGrant:
    grant, rates = card["grantDetails"], card["rateDetails"]
    model = _pricing_model(rates)
    prices = {}
    for entry in rates["currencySlabRateDetails"]:
        currency = entry["currency"]
        numbered = list(enumerate(entry["slabDetails"], 1))
        slab_rates = tuple(
            SlabRate(order, _number(slab["rate"]), _bounds(slab.get("slabRateConfig")))
            for order, slab in numbered
        )
        prices[currency] = GrantPrice(
            _number(entry["creditAmount"]),
            _rate_plan(model, tuple(_slab(slab, order) for order, slab in numbered)),
            RateValue(currency, slab_rates, _bounds(entry.get("rateConfig"))),
        )
    return CreditGrant(
        card["id"],
        _name(card, card["id"]),
        card.get("invoiceTiming") or USUAL_TIMING,
        card.get("type") == "ONE_TIME",
        int(grant["priority"]),
        grant["expiryType"],
        grant.get("expiryDuration"),
        tuple(grant.get("applicableEntityIds") or ()),
        prices,
        _recurrence(card.get("recurrenceConfig")),
    )
