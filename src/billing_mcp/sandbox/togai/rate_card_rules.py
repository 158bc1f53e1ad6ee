"""What a rate card of a price plan must look like; a refusal names the path of the field."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox import call, clock
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.togai import add_ons, contact

_PRICING_MODELS = ("TIERED", "VOLUME")
_PRICE_TYPES = ("FLAT", "PER_UNIT", "PACKAGE")
_TIMINGS = ("IN_ADVANCE", "IN_ARREARS", "PREPAID")
_RECURRENCES = ("ONE_TIME", "RECURRING")
_INTERVALS = ("WEEKLY", "MONTHLY", "QUARTERLY", "HALF_YEARLY", "ANNUALLY")
_EXPIRIES = ("PRICING_CYCLE", "NO_EXPIRY", "CUSTOM")
_REFUNDS = ("NONE", "CREDITS", "PAYMENT", "WALLET")
_NAMES = ("displayName", "name", "tag")
_MOST_SLABS = 10
_LARGEST = 2**31 - 1
_DECIMAL = re.compile(r"\d{1,30}(?:\.\d{1,30})?", re.ASCII)


def usage(request: Call, card: Any, currencies: list[str], at: str) -> None:
    given = call.closed(card, (*_NAMES, "usageMeterId", "ratePlan", "rateValues"), at)
    _names(given, at)
    meter_id = call.text(given, "usageMeterId", minimum=1, maximum=50, at=at)
    meter = request.db.execute(
        "select 1 from usage_meters where id = ? and status <> 'ARCHIVED'", (meter_id,)
    ).fetchone()
    if meter is None:
        raise Refusal(400, f"{at}usageMeterId: there is no usage meter {meter_id}")
    _rates(given, currencies, at)


def fixed_fee(request: Call, card: Any, currencies: list[str], at: str) -> None:
    fields = ("id", "invoiceTiming", "type", "rateValues", "enableProration", "recurrenceConfig")
    given = call.closed(card, (*_NAMES, *fields), at)
    _names(given, at)
    add_on_id = call.text(given, "id", minimum=1, maximum=50, at=at)
    add_ons.check_card(request, add_on_id, ("FIXED_FEE",), at)
    call.one_of(given, "invoiceTiming", _TIMINGS, default=None, at=at)
    call.one_of(given, "type", _RECURRENCES, default=None, at=at)
    call.flag(given, "enableProration", at=at)
    _recurrence(given, "recurrenceConfig", "offset", at)
    _currency_rates(given, currencies, at)


def license_(request: Call, card: Any, currencies: list[str], at: str) -> None:
    fields = (
        *("id", "type", "invoiceTiming", "usageCycle", "enableProration", "config"),
        *("ratePlan", "rateValues", "proratedRefundMode"),
    )
    given = call.closed(card, (*_NAMES, *fields), at)
    _names(given, at)
    add_on_id = call.text(given, "id", minimum=1, maximum=50, at=at)
    add_ons.check_card(request, add_on_id, ("LICENSE", "NAMED_LICENSE"), at)
    call.one_of(given, "type", ("LICENSE", "NAMED_LICENSE"), default=None, at=at)
    call.one_of(given, "invoiceTiming", _TIMINGS, default=None, at=at)
    call.one_of(given, "usageCycle", _INTERVALS, default=None, at=at)
    call.flag(given, "enableProration", at=at)
    call.one_of(given, "proratedRefundMode", _REFUNDS, default=None, at=at)
    if "config" in given:
        place = f"{at}config."
        limits = ("maxQuantity", "maxQuantityBreachAction")
        config = call.closed(given["config"], limits, place)
        call.whole(config, "maxQuantity", minimum=0, maximum=_LARGEST, default=None, at=place)
        call.one_of(config, "maxQuantityBreachAction", ("DO_NOTHING",), default=None, at=place)
    _rates(given, currencies, at)


def billing_entitlement(request: Call, card: Any, currencies: list[str], at: str) -> None:
    fields = (
        *("featureId", "featureConfigs", "invoiceTiming", "ratePlan", "rateValues"),
        "recurrenceConfig",
    )
    given = call.closed(card, (*_NAMES, *fields), at)
    _names(given, at)
    _feature(request, given, at)
    call.one_of(given, "invoiceTiming", _TIMINGS, at=at)
    for index, item in enumerate(call.listed(given, "featureConfigs", minimum=1, at=at)):
        place = f"{at}featureConfigs[{index}]."
        names = ("effectiveFrom", "effectiveUntil", "featureCreditLimit")
        config = call.closed(item, names, place)
        call.number(config, "featureCreditLimit", minimum=0, at=place)
        _duration(config, "effectiveUntil", place)
        if "effectiveFrom" in config:
            _duration(config, "effectiveFrom", place)
    _recurrence(given, "recurrenceConfig", "offset", at)
    _rates(given, currencies, at)


def entitlement_overage(request: Call, card: Any, currencies: list[str], at: str) -> None:
    fields = ("featureId", "maxQuantity", "ratePlan", "rateValues", "billingConfig")
    given = call.closed(card, (*_NAMES, *fields), at)
    _names(given, at)
    _feature(request, given, at)
    call.number(given, "maxQuantity", minimum=0, default=None, at=at)
    _recurrence(given, "billingConfig", "startOffset", at)
    _rates(given, currencies, at)


def minimum_commitment(card: Any, currencies: list[str], at: str) -> None:
    given = call.closed(card, ("displayName", "rateValues"), at)
    call.text(given, "displayName", minimum=1, at=at)
    _currency_rates(given, currencies, at)


def credit_grant(request: Call, card: Any, currencies: list[str], at: str) -> None:
    fields = ("id", "grantDetails", "rateDetails", "invoiceTiming", "type", "recurrenceConfig")
    given = call.closed(card, (*_NAMES, *fields), at)
    _names(given, at)
    add_on_id = call.text(given, "id", minimum=1, at=at)
    add_ons.check_card(request, add_on_id, ("CREDIT_GRANT",), at)
    call.one_of(given, "invoiceTiming", _TIMINGS, default=None, at=at)
    call.one_of(given, "type", _RECURRENCES, default=None, at=at)
    _recurrence(given, "recurrenceConfig", "offset", at)
    place = f"{at}grantDetails."
    names = ("priority", "expiryType", "expiryDuration", "applicableEntityIds")
    grant = call.closed(call.mapping(given, "grantDetails", at=at), names, place)
    call.whole(grant, "priority", minimum=0, maximum=_LARGEST, at=place)
    if call.one_of(grant, "expiryType", _EXPIRIES, at=place) == "CUSTOM":
        _duration(grant, "expiryDuration", place)
    if "applicableEntityIds" in grant:
        contact.texts(grant, "applicableEntityIds", at=place)
    place = f"{at}rateDetails."
    parts = ("pricingModel", "currencySlabRateDetails")
    rate_details = call.closed(call.mapping(given, "rateDetails", at=at), parts, place)
    call.one_of(rate_details, "pricingModel", _PRICING_MODELS, at=place)
    _credit_rates(rate_details, currencies, place)


def _credit_rates(given: Mapping[str, Any], currencies: list[str], at: str) -> None:
    named = []
    for index, item in enumerate(call.listed(given, "currencySlabRateDetails", at=at)):
        place = f"{at}currencySlabRateDetails[{index}]."
        fields = ("currency", "creditAmount", "slabDetails", "rateConfig")
        entry = call.closed(item, fields, place)
        named.append(call.text(entry, "currency", at=place))
        call.number(entry, "creditAmount", minimum=0, at=place)
        _bounds(entry, "rateConfig", place)
        slabs = call.listed(entry, "slabDetails", minimum=1, maximum=_MOST_SLABS, at=place)
        previous = None
        for number, slab in enumerate(slabs):
            spot = f"{place}slabDetails[{number}]."
            names = ("startAfter", "priceType", "slabConfig", "rate", "slabRateConfig")
            read = call.closed(slab, names, spot)
            previous = _start(read, previous, spot)
            _price_type(read, spot)
            call.number(read, "rate", minimum=0, at=spot)
            _bounds(read, "slabRateConfig", spot)
    _each_currency_once(named, currencies, f"{at}currencySlabRateDetails")


def _names(given: Mapping[str, Any], at: str) -> None:
    for name in _NAMES:
        call.text(given, name, minimum=1, maximum=255, default=None, at=at)


def _feature(request: Call, given: Mapping[str, Any], at: str) -> None:
    feature_id = call.text(given, "featureId", minimum=1, maximum=50, at=at)
    found = request.db.execute("select 1 from features where id = ?", (feature_id,)).fetchone()
    if found is None:
        raise Refusal(400, f"{at}featureId: there is no feature {feature_id}")


def _duration(given: Mapping[str, Any], name: str, at: str) -> None:
    text = call.text(given, name, at=at)
    try:
        clock.after(datetime(2000, 1, 1, tzinfo=UTC), text)
    except ValueError as error:
        raise Refusal(400, f"{at}{name}: {error}") from error


def _recurrence(given: Mapping[str, Any], name: str, offset: str, at: str) -> None:
    """Every how many pricing cycles, from which one on."""
    if name in given:
        place = f"{at}{name}."
        config = call.closed(given[name], ("interval", offset), place)
        call.whole(config, "interval", minimum=1, maximum=1000, default=None, at=place)
        call.whole(config, offset, minimum=0, maximum=1000, default=None, at=place)


def _rates(given: Mapping[str, Any], currencies: list[str], at: str) -> None:
    """A rate plan's slabs, and the rates of each slab in each currency of the plan."""
    place = f"{at}ratePlan."
    plan = call.closed(call.mapping(given, "ratePlan", at=at), ("pricingModel", "slabs"), place)
    call.one_of(plan, "pricingModel", _PRICING_MODELS, at=place)
    slabs = call.listed(plan, "slabs", minimum=1, maximum=_MOST_SLABS, at=place)
    previous = None
    for index, item in enumerate(slabs):
        spot = f"{place}slabs[{index}]."
        slab = call.closed(item, ("order", "startAfter", "priceType", "slabConfig"), spot)
        _order(slab, index + 1, spot)
        previous = _start(slab, previous, spot)
        _price_type(slab, spot)
    named = []
    for index, item in enumerate(call.listed(given, "rateValues", at=at)):
        spot = f"{at}rateValues[{index}]."
        value = call.closed(item, ("currency", "slabRates", "rateConfig"), spot)
        named.append(call.text(value, "currency", at=spot))
        _bounds(value, "rateConfig", spot)
        _slab_rates(value, len(slabs), spot)
    _each_currency_once(named, currencies, f"{at}rateValues")


def _slab_rates(value: Mapping[str, Any], slabs: int, at: str) -> None:
    rates = call.listed(value, "slabRates", minimum=1, at=at)
    if len(rates) != slabs:
        raise Refusal(400, f"{at}slabRates must have one rate for each of the {slabs} slabs")
    for index, item in enumerate(rates):
        spot = f"{at}slabRates[{index}]."
        rate = call.closed(item, ("order", "rate", "slabRateConfig"), spot)
        _order(rate, index + 1, spot)
        call.number(rate, "rate", minimum=0, at=spot)
        _bounds(rate, "slabRateConfig", spot)


def _order(slab: Mapping[str, Any], expected: int, at: str) -> None:
    if call.whole(slab, "order", minimum=1, maximum=_MOST_SLABS, at=at) != expected:
        raise Refusal(400, f"{at}order must be {expected}: slabs are numbered 1, 2, 3, …")


def _start(slab: Mapping[str, Any], previous: Decimal | None, at: str) -> Decimal:
    start = call.number(slab, "startAfter", minimum=0, at=at)
    if previous is None and start != 0:
        raise Refusal(400, f"{at}startAfter must be 0 for the first slab")
    if previous is not None and start <= previous:
        raise Refusal(400, f"{at}startAfter must be greater than {previous}, the slab's before it")
    return start


def _price_type(slab: Mapping[str, Any], at: str) -> None:
    price_type = call.one_of(slab, "priceType", _PRICE_TYPES, at=at)
    config = contact.text_map(dict(slab), "slabConfig", at) if "slabConfig" in slab else {}
    size = config.get("packageSize", "")
    if price_type == "PACKAGE" and not (_DECIMAL.fullmatch(size) and Decimal(size) > 0):
        raise Refusal(
            400, f'{at}slabConfig.packageSize must be a positive number as text, such as "10"'
        )


def _bounds(given: Mapping[str, Any], name: str, at: str) -> None:
    """The optional minimumRate and maximumRate, which are numbers written as texts."""
    if name not in given:
        return
    place = f"{at}{name}."
    config = call.closed(given[name], ("minimumRate", "maximumRate"), place)
    bounds = {}
    for bound in config:
        text = call.text(config, bound, at=place)
        if not _DECIMAL.fullmatch(text):
            raise Refusal(400, f'{place}{bound} must be a number as text, such as "9.50"')
        bounds[bound] = money.exact(text)
    if bounds.get("minimumRate", 0) > bounds.get("maximumRate", bounds.get("minimumRate", 0)):
        raise Refusal(400, f"{place}minimumRate must not be greater than maximumRate")


def _currency_rates(given: Mapping[str, Any], currencies: list[str], at: str) -> None:
    named = []
    for index, item in enumerate(call.listed(given, "rateValues", minimum=1, at=at)):
        spot = f"{at}rateValues[{index}]."
        value = call.closed(item, ("currency", "rate"), spot)
        named.append(call.text(value, "currency", at=spot))
        call.number(value, "rate", minimum=0, at=spot)
    _each_currency_once(named, currencies, f"{at}rateValues")


def _each_currency_once(named: list[str], currencies: list[str], place: str) -> None:
    if sorted(named) != sorted(currencies):
        raise Refusal(
            400,
            f"{place} must name each of the supportedCurrencies once: {', '.join(currencies)}",
        )
