"""The rate cards of a price plan as a reader needs them: each tier's price in every currency."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from billing_mcp.resources.addresses import uri
from billing_mcp.resources.markdown import amount, facts, quoted, row
from billing_mcp.resources.pages import Section

Card = Mapping[str, Any]

_MODELS = {
    "TIERED": "each part of the units at the rate of its own tier",
    "VOLUME": "all units at the rate of the tier reached",
}


def sections_of(details: Mapping[str, Any]) -> Iterator[Section]:
    """A section for each rate card, in the order of `KINDS`."""
    for name, section_of in KINDS.items():
        found = details.get(name)
        if isinstance(found, Mapping):
            yield section_of(found)
        else:
            yield from map(section_of, found or ())


def _usage(card: Card) -> Section:
    meter = quoted(card.get("usageMeterId"))
    return _slabbed("Usage", card, (("prices the units of usage meter", meter),))


def _licence(card: Card) -> Section:
    limit = (card.get("config") or {}).get("maxQuantity")
    return _slabbed(
        "Licence",
        card,
        (
            ("licence", quoted(card.get("id"))),
            ("kind", quoted(card.get("type"))),
            *_timing(card),
            ("prorated", _yes_or_no(card.get("enableProration"))),
            ("counted for each", quoted(card.get("usageCycle"))),
            ("at most", quoted(limit)),
            ("refund of what is given back", quoted(card.get("proratedRefundMode"))),
        ),
    )


def _entitlement(card: Card) -> Section:
    grants = ", ".join(map(_granted, card.get("featureConfigs") or ()))
    return _slabbed(
        "Entitlement",
        card,
        (
            ("grants of feature", _feature(card)),
            ("feature credits", grants),
            *_timing(card),
            ("charged", _recurrence(card.get("recurrenceConfig"), "offset")),
        ),
        unit="credits granted",
    )


def _granted(config: Card) -> str:
    start = config.get("effectiveFrom")
    begins = f"from {quoted(start)}" if start else "from the start"
    limit, end = quoted(config.get("featureCreditLimit")), quoted(config.get("effectiveUntil"))
    return f"{limit}, usable {begins} until {end} after the start of the cycle"


def _overage(card: Card) -> Section:
    return _slabbed(
        "Overage",
        card,
        (
            ("units used beyond what was granted of feature", _feature(card)),
            ("at most", quoted(card.get("maxQuantity"))),
            ("billed", _recurrence(card.get("billingConfig"), "startOffset")),
        ),
    )


def _fixed_fee(card: Card) -> Section:
    described = facts(
        (
            ("fee", quoted(card.get("id"))),
            ("amount", _in_every_currency(card)),
            ("kind", quoted(card.get("type"))),
            *_timing(card),
            ("prorated", _yes_or_no(card.get("enableProration"))),
            ("charged", _recurrence(card.get("recurrenceConfig"), "offset")),
            ("when cycles begin", uri("guides", "pricing-cycles")),
        )
    )
    return Section(_heading("Fixed fee", card), described)


def _commitment(card: Card) -> Section:
    described = facts(
        (
            ("least for a cycle", _in_every_currency(card)),
            ("what is missing is charged as a true-up", uri("guides", "commitments-and-true-up")),
        )
    )
    return Section(_heading("Minimum commitment", card), described)


def _credit_grant(card: Card) -> Section:
    grant, rates = card.get("grantDetails") or {}, card.get("rateDetails") or {}
    expiry = " ".join(quoted(grant[name]) for name in _EXPIRY if name in grant)
    only = grant.get("applicableEntityIds")
    priced = rates.get("currencySlabRateDetails") or ()
    described = facts(
        (
            ("credit grant", quoted(card.get("id"))),
            ("kind", quoted(card.get("type"))),
            *_timing(card),
            ("charged", _recurrence(card.get("recurrenceConfig"), "offset")),
            ("expires", expiry),
            ("priority (lower is used first)", quoted(grant.get("priority"))),
            ("pays only for", ", ".join(map(quoted, only)) if only else None),
            ("price", _model(rates, uri("guides", "credits"))),
            ("bounds of the whole card", _card_bounds(priced)),
        )
    )
    rows = [text for rate in priced for text in _grant_rows(rate)]
    columns = ("currency", "credit granted", "tier", "units of credit", "price")
    return Section(_heading("Credit grant", card), described, columns, rows)


_EXPIRY = ("expiryType", "expiryDuration")


def _grant_rows(rate: Card) -> Iterator[str]:
    currency, slabs = rate.get("currency"), rate.get("slabDetails") or ()
    granted = amount(rate.get("creditAmount"), currency)
    for number, (slab, units) in enumerate(zip(slabs, _ranges(slabs), strict=True), 1):
        yield row((quoted(currency), granted, str(number), units, _price(slab, slab, currency)))


KINDS: Mapping[str, Callable[[Card], Section]] = {
    "fixedFeeRateCards": _fixed_fee,
    "usageRateCards": _usage,
    "licenseRateCards": _licence,
    "billingEntitlementRateCards": _entitlement,
    "entitlementOverageRateCards": _overage,
    "creditGrantRateCards": _credit_grant,
    "minimumCommitment": _commitment,
}


def _slabbed(
    kind: str, card: Card, described: Sequence[tuple[str, str | None]], *, unit: str = "units"
) -> Section:
    """A card whose slabs are the same for all currencies."""
    rate_plan, values = card.get("ratePlan") or {}, card.get("rateValues") or ()
    slabs = rate_plan.get("slabs") or ()
    packaged = any(slab.get("priceType") == "PACKAGE" for slab in slabs)
    guides = uri("guides", "tiered-and-volume")
    if packaged:
        guides += f" {uri('guides', 'packages')}"
    told = facts(
        (
            *described,
            ("price", _model(rate_plan, guides)),
            ("bounds of the whole card", _card_bounds(values)),
        )
    )
    rates = [{rate["order"]: rate for rate in value.get("slabRates") or ()} for value in values]
    rows = [
        row(
            (
                quoted(slab.get("order")),
                units,
                *(
                    _price(slab, rate.get(slab.get("order")), value.get("currency"))
                    for value, rate in zip(values, rates, strict=True)
                ),
            )
        )
        for slab, units in zip(slabs, _ranges(slabs), strict=True)
    ]
    columns = ("tier", unit, *(quoted(value.get("currency")) for value in values))
    return Section(_heading(f"{kind} rate card", card), told, columns, rows)


def _heading(kind: str, card: Card) -> str:
    name = card.get("displayName") or card.get("name")
    return f"### {kind} {quoted(name)}" if name else f"### {kind}"


def _model(rate_plan: Card, guides: str) -> str:
    model = rate_plan.get("pricingModel")
    rule = _MODELS.get(str(model))
    return f"{quoted(model)}: {rule} ({guides})" if rule else f"{quoted(model)} ({guides})"


def _ranges(slabs: Sequence[Card]) -> list[str]:
    """The units of each slab: those after its start, up to and with the next one's start."""
    starts = [quoted(slab.get("startAfter")) for slab in slabs]
    ends = [*(f" up to {start}" for start in starts[1:]), ""]
    return [
        f"{'from 0' if start == '0' else f'above {start}'}{end}"
        for start, end in zip(starts, ends, strict=False)
    ]


def _price(slab: Card, rate: Card | None, currency: Any) -> str:
    """What a slab costs in a currency, its own bounds behind it."""
    if rate is None:
        return "no rate"
    price, price_type = amount(rate.get("rate"), currency), slab.get("priceType")
    if price_type == "PER_UNIT":
        text = f"{price} each"
    elif price_type == "FLAT":
        text = f"{price} flat"
    elif price_type == "PACKAGE":
        size = (slab.get("slabConfig") or {}).get("packageSize")
        text = f"{price} per package of {quoted(size)}"
    else:
        text = f"{price} {quoted(price_type)}"
    bounds = _bounds(rate.get("slabRateConfig"), currency)
    return f"{text}, {bounds}" if bounds else text


def _bounds(config: Card | None, currency: Any) -> str:
    """The least and the most that is charged, where a plan has them."""
    given = config or {}
    return ", ".join(
        f"{word} {amount(given[name], currency)}"
        for name, word in (("minimumRate", "at least"), ("maximumRate", "at most"))
        if given.get(name) is not None
    )


def _card_bounds(values: Sequence[Card]) -> str:
    bounds = (_bounds(value.get("rateConfig"), value.get("currency")) for value in values)
    return "; ".join(text for text in bounds if text)


def _in_every_currency(card: Card) -> str:
    values = card.get("rateValues") or ()
    return ", ".join(amount(value.get("rate"), value.get("currency")) for value in values)


def _timing(card: Card) -> tuple[tuple[str, str | None], ...]:
    return (("invoiced", quoted(card.get("invoiceTiming"))),)


def _yes_or_no(flag: object) -> str | None:
    return None if flag is None else "yes" if flag else "no"


def _recurrence(config: Card | None, start: str) -> str | None:
    """In which cycles: every so many, from which one on (0 is the first)."""
    if not config:
        return None
    interval, offset = quoted(config.get("interval", 1)), quoted(config.get(start, 0))
    return f"every {interval} cycles, from cycle {offset} on (0 is the first)"


def _feature(card: Card) -> str:
    feature_id = card.get("featureId")
    guide = uri("guides", "entitlements-and-feature-credits")
    return f"{quoted(feature_id)} ({uri('features', str(feature_id))}, {guide})"
