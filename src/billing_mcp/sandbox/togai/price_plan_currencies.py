"""Currencies of a Togai price plan, first generation: rates in another one, or in one less."""

from collections.abc import Mapping
from typing import Any

from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.togai import plan_versions, price_plan_rules, price_plans
from billing_mcp.sandbox.togai.columns import unpacked
from billing_mcp.sandbox.togai.plan_versions import existing

resource = Resource()

# The lists of rates: the cards they are for, what names a card in the body, and in the card.
_RATES = {
    "usageRates": ("usageRateCards", "usageMeterId", "usageMeterId"),
    "fixedFeeRates": ("fixedFeeRateCards", "id", "id"),
    "licenseRates": ("licenseRateCards", "id", "id"),
    "billingEntitlementRates": ("billingEntitlementRateCards", "id", "featureId"),
    "creditGrantRates": ("creditGrantRateCards", "id", "id"),
    "entitlementOverageRates": ("entitlementOverageRateCards", "id", "featureId"),
}


@resource.route("POST", "/price_plans/{price_plan_id}/currencies")
def add_currency(request: Call) -> Reply:
    """The currency is supported, not yet active. Every card needs its rates (ours)."""
    row = price_plans.changeable(request, request.path["price_plan_id"])
    body = call.closed(request.body, ("currency", "minimumCommitmentRate", *_RATES))
    currency = call.text(body, "currency", pattern="[A-Z]{3}")
    details = price_plan_rules.shown(unpacked(row, "details"))
    if currency in details["supportedCurrencies"]:
        raise Refusal(400, f"currency: the plan has rates in {currency} already")
    details["supportedCurrencies"] = [*details["supportedCurrencies"], currency]
    for name, (kind, key, card_key) in _RATES.items():
        given = call.listed(body, name, default=[])
        rates = _by_card(given, key, name, [card[card_key] for card in details.get(kind, [])])
        for card in details.get(kind, []):
            if card[card_key] not in rates:
                raise Refusal(400, f"{name} has no rates for {card[card_key]}")
            _add(card, currency, rates[card[card_key]])
    if "minimumCommitment" in details:
        rate = call.number(body, "minimumCommitmentRate", minimum=0)
        details["minimumCommitment"]["rateValues"].append({"currency": currency, "rate": rate})
    elif "minimumCommitmentRate" in body:
        raise Refusal(400, "minimumCommitmentRate: the plan has no minimum commitment")
    read = price_plan_rules.details(request, details, row["type"], "")
    plan_versions.change(request, row, details=read)
    request.effect("price-plan-currency", row["id"], currency)
    return Reply(price_plans.render(existing(request, row["id"])))


def _by_card(items: list[Any], key: str, name: str, known: list[str]) -> dict[str, dict[str, Any]]:
    rates: dict[str, dict[str, Any]] = {}
    for index, item in enumerate(items):
        place = f"{name}[{index}]."
        given = call.fields(item, place)
        card_id = call.text(given, key, minimum=1, at=place)
        if card_id not in known:
            raise Refusal(400, f"{place}{key}: the plan has no such card: {card_id}")
        rates[card_id] = {field: value for field, value in given.items() if field != key}
    return rates


def _add(card: dict[str, Any], currency: str, rates: Mapping[str, Any]) -> None:
    """Put a card's rates in the currency where the card has those of the others."""
    if "rateDetails" in card:
        card["rateDetails"]["currencySlabRateDetails"].append({"currency": currency, **rates})
    else:
        card["rateValues"].append({"currency": currency, **rates})


@resource.route("DELETE", "/price_plans/{price_plan_id}/currencies/{currency_id}")
def remove_currency(request: Call) -> Reply:
    """Only a currency that was not activated, and not the last one (ours)."""
    row = price_plans.changeable(request, request.path["price_plan_id"])
    currency = request.path["currency_id"]
    details = unpacked(row, "details")
    if currency not in details["supportedCurrencies"]:
        raise Refusal(404, f"Price plan {row['id']} has no currency {currency}")
    if currency in unpacked(row, "active_currencies"):
        raise Refusal(400, f"The currency {currency} of {row['id']} is active")
    if len(details["supportedCurrencies"]) == 1:
        raise Refusal(400, f"{currency} is the only currency of {row['id']}")
    details["supportedCurrencies"].remove(currency)
    for kind, _, _ in _RATES.values():
        for card in details.get(kind, []):
            _remove(card.get("rateDetails", card), currency)
    _remove(details.get("minimumCommitment", {}), currency)
    plan_versions.change(request, row, details=details)
    request.effect("price-plan-currency-removed", row["id"], currency)
    return Reply(price_plans.render(existing(request, row["id"])))


def _remove(card: dict[str, Any], currency: str) -> None:
    for name in ("rateValues", "currencySlabRateDetails"):
        if name in card:
            card[name] = [value for value in card[name] if value["currency"] != currency]
