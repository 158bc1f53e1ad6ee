"""The currencies of a price plan (V1): rates in another one, or in one less."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from billing_mcp import errors
from billing_mcp.declarations import (
    CREATE,
    DELETE,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import Body, Currency, Name, NonNegative
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition
from billing_mcp.tools.togai.price_plan_changes import (
    PricePlanId,
    as_read,
    called,
    details_of,
    open_plan,
    plan_of,
)
from billing_mcp.tools.togai.price_plans import PricePlan, vendor_details
from billing_mcp.tools.togai.rate_cards import MOST_SLABS, Clamp, GrantSlab, Id, SlabRate
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, present

toolset = Toolset("togai-price-plans")

_SLAB_RATES = Annotated[list[SlabRate], Field(min_length=1, max_length=MOST_SLABS)]


class UsageRate(Body):
    usageMeterId: Annotated[Name, Field(min_length=1, max_length=50)]
    slabRates: _SLAB_RATES
    rateConfig: Clamp | None = None


class SlabbedRate(Body):
    id: Id
    slabRates: _SLAB_RATES
    rateConfig: Clamp | None = None


class FeeRate(Body):
    id: Id
    rate: NonNegative


class GrantRate(Body):
    id: Id
    creditAmount: NonNegative
    slabDetails: Annotated[list[GrantSlab], Field(min_length=1, max_length=MOST_SLABS)]
    rateConfig: Clamp | None = None


# In short form, as rate cards are: the slabs are those of create-price-plan.
_SLABS = '[{"order":1,"rate":"0.05"}], one for each slab of the card'
SHAPES = {
    "usageRates": f'[{{"usageMeterId":"um.…","slabRates":{_SLABS}}}]',
    "fixedFeeRates": '[{"id":"addon.…","rate":"49"}]',
    "licenseRates": f'[{{"id":"addon.…","slabRates":{_SLABS}}}]',
    "billingEntitlementRates": f'[{{"id":"feat.…","slabRates":{_SLABS}}}]',
    "entitlementOverageRates": f'[{{"id":"feat.…","slabRates":{_SLABS}}}]',
    "creditGrantRates": '[{"id":"addon.…","creditAmount":"100","slabDetails":[{"startAfter":"0",'
    '"priceType":"FLAT","rate":"90"}]}]',
}


def _short(name: str) -> WithJsonSchema:
    key = "usageMeterId" if name == "usageRates" else "id"
    rates = {"fixedFeeRates": "rate", "creditGrantRates": "creditAmount, slabDetails"}
    shape = f"{{{key}, {rates.get(name, 'slabRates:[{order, rate}]')}}}"
    return WithJsonSchema({"type": "array", "items": {"type": "object"}, "description": shape})


Rates = Annotated[list[SlabbedRate] | None, Field(max_length=100)]
# The lists of rates: the cards they are for, what names a card in the list, and in the plan.
_LISTS = {
    "usageRates": ("usageRateCards", "usageMeterId", "usageMeterId"),
    "fixedFeeRates": ("fixedFeeRateCards", "id", "id"),
    "licenseRates": ("licenseRateCards", "id", "id"),
    "billingEntitlementRates": ("billingEntitlementRateCards", "id", "featureId"),
    "entitlementOverageRates": ("entitlementOverageRateCards", "id", "featureId"),
    "creditGrantRates": ("creditGrantRateCards", "id", "id"),
}


def _rates_of(card: Mapping[str, Any], currency: str) -> Mapping[str, Any] | None:
    """A card's rates in a currency."""
    rates = card.get("rateDetails", {}).get("currencySlabRateDetails") or card.get("rateValues")
    return next((one for one in rates or () if one.get("currency") == currency), None)


def _wanted(asked: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Each rate that is asked for: the cards' list, their key, the card's id, and the rate."""
    for name, (cards, key, card_key) in _LISTS.items():
        for rate in asked.get(name) or ():
            fields = {field: value for field, value in rate.items() if field != key}
            yield cards, card_key, rate[key], fields


async def _added(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    plan = await plan_of(togai, asked["pricePlanId"])
    details, currency = details_of(plan), asked["currency"]
    if currency not in (details.get("supportedCurrencies") or ()):
        return NotApplied()
    for cards, key, card_id, fields in _wanted(asked):
        found: list[dict[str, Any]] = details.get(cards) or []
        card = next((one for one in found if one.get(key) == card_id), {})
        if not holds(_rates_of(card, currency), fields):
            return Undecided(
                f"the plan has rates in {currency}, but not those of this call; get-price-plan "
                "shows them"
            )
    return Applied(plan)


async def _would_add(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    plan = await open_plan(togai, asked["pricePlanId"])
    details, currency = details_of(plan), asked["currency"]
    supported = details.get("supportedCurrencies") or []
    if currency in supported:
        raise errors.Conflict(
            f"The {called(plan)} has rates in {currency} already.",
            field="currency",
            next_step="get-price-plan shows them.",
        )
    for name, (cards, key, card_key) in _LISTS.items():
        named = {getattr(rate, key) for rate in asked[name] or ()}
        for card in details.get(cards) or ():
            if card.get(card_key) not in named:
                raise errors.Conflict(
                    f"{name} has no rates for {wording.identified(str(card.get(card_key)))} of "
                    f"{called(plan)}.",
                    field=name,
                    next_step=f"Every card needs rates in {currency}: {SHAPES[name]}",
                )
    return Effect(
        f"Gives every card of {called(plan)} rates in {currency}. No account is billed in it "
        "until activate-price-plan names it.",
        {"supportedCurrencies": supported},
        {"supportedCurrencies": [*supported, currency]},
        "remove-price-plan-currency, until it is activated.",
        as_read(plan),
    )


@toolset.tool(
    CREATE,
    "POST /price_plans/{price_plan_id}/currencies",
    title="Add currencies to a price plan",
    write=Write(
        find_out="get-price-plan shows its supportedCurrencies",
        reconcile=_added,
        preview=_would_add,
        stake=recognition.nobody,
        target="pricePlanId",
    ),
    short_form=SHAPES,
)
async def add_price_plan_currencies(
    togai: Togai,
    pricePlanId: PricePlanId,
    currency: Currency,
    usageRates: Annotated[
        list[UsageRate] | None, Field(max_length=100), _short("usageRates")
    ] = None,
    fixedFeeRates: Annotated[
        list[FeeRate] | None, Field(max_length=100), _short("fixedFeeRates")
    ] = None,
    licenseRates: Annotated[Rates, _short("licenseRates")] = None,
    billingEntitlementRates: Annotated[Rates, _short("billingEntitlementRates")] = None,
    entitlementOverageRates: Annotated[Rates, _short("entitlementOverageRates")] = None,
    creditGrantRates: Annotated[
        list[GrantRate] | None, Field(max_length=100), _short("creditGrantRates")
    ] = None,
    minimumCommitmentRate: NonNegative | None = None,
) -> PricePlan:
    """Give every card of a price plan rates in one more currency; then activate-price-plan.
    Superseded by edit-price-plan-rate-cards."""
    lists = {
        "usageRates": usageRates,
        "fixedFeeRates": fixedFeeRates,
        "licenseRates": licenseRates,
        "billingEntitlementRates": billingEntitlementRates,
        "entitlementOverageRates": entitlementOverageRates,
        "creditGrantRates": creditGrantRates,
    }
    body = present(currency=currency, minimumCommitmentRate=minimumCommitmentRate)
    for name, rates in lists.items():
        if rates is not None:
            body[name] = [vendor_details(given(rate)) for rate in rates]
    return await togai.fetch(PricePlan, at={"price_plan_id": pricePlanId}, body=body)


async def _removed(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    plan = await plan_of(togai, asked["pricePlanId"])
    there = asked["currency"] in (details_of(plan).get("supportedCurrencies") or ())
    return NotApplied() if there else Applied(plan)


async def _would_remove(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    plan = await open_plan(togai, asked["pricePlanId"])
    details, currency = details_of(plan), asked["currency"]
    supported = details.get("supportedCurrencies") or []
    if currency not in supported:
        raise errors.NotFound(
            f"The {called(plan)} has no rates in {currency}.",
            field="currency",
            next_step="get-price-plan shows its supportedCurrencies.",
        )
    if currency in (details.get("activeCurrencies") or ()):
        raise errors.Conflict(
            f"The currency {currency} of {called(plan)} is active, and stays.",
            field="currency",
            next_step="Only a currency that was not activated can be removed.",
        )
    return Effect(
        f"Removes the currency {currency} from {called(plan)} with the rates of every card in it.",
        {"supportedCurrencies": supported},
        {"supportedCurrencies": [one for one in supported if one != currency]},
        "add-price-plan-currencies with its rates.",
        as_read(plan),
    )


@toolset.tool(
    DELETE,
    "DELETE /price_plans/{price_plan_id}/currencies/{currency_id}",
    title="Remove a draft currency from a price plan",
    write=Write(
        find_out="get-price-plan shows its supportedCurrencies",
        reconcile=_removed,
        preview=_would_remove,
        stake=recognition.nobody,
        target="pricePlanId",
    ),
)
async def remove_price_plan_currency(
    togai: Togai, pricePlanId: PricePlanId, currency: Currency
) -> PricePlan:
    """Remove a currency that is not active yet from a plan, with its rates. Superseded by
    update-price-plan-v2."""
    at = {"price_plan_id": pricePlanId, "currency_id": currency}
    return await togai.fetch(PricePlan, at=at)
