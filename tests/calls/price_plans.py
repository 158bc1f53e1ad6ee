"""Good calls of the tools for price plans, their rate cards and rules, add-ons and calculators."""

from typing import Any

from world import CYCLE, World

HEADER = {
    "type": "BILLING",
    "supportedCurrencies": ["USD"],
    "pricingCycleConfig": CYCLE,
}
FEE = {
    "id": "fee",
    "enableProration": False,
    "rateValues": [{"currency": "USD", "rate": "49"}],
}
FEE_CARD = {
    "billableId": "fee",
    "type": "FIXED_FEE",
    "invoiceTiming": "IN_ARREARS",
    "rateCardDetails": {"fixedFeeRateCard": FEE},
}
RULE = {
    "name": "Surcharge",
    "order": 1,
    "computation": '{"*": [{"var": "revenue.ff.fee"}, 0.1]}',
    "action": {"type": "ADD", "description": "A tenth more"},
}


def drafted(world: World, name: str) -> str:
    """The id of a plan of the second generation that is a draft with one fee."""
    plan_id: str = world.ask("POST", "/togai/v2/price_plans", HEADER | {"name": name})["id"]
    fee = FEE | {"rateValues": [{"currency": "USD", "rate": 49}]}
    card = FEE_CARD | {"rateCardDetails": {"fixedFeeRateCard": fee}}
    operation = {"actionType": "CREATE", "rateCardName": "fee", "rateCard": card}
    path = f"/togai/v2/price_plans/{plan_id}/rate_cards"
    world.ask("POST", path, {"operations": [operation]})
    return plan_id


def drafted_v1(world: World, name: str, *currencies: str) -> str:
    """The id of a draft of the first generation with one fee in these currencies."""
    rates = [{"currency": currency, "rate": 49} for currency in currencies]
    details = {
        "supportedCurrencies": list(currencies),
        "pricingCycleConfig": CYCLE,
        "fixedFeeRateCards": [FEE | {"rateValues": rates}],
    }
    body = {"name": name, "pricePlanDetails": details}
    plan_id: str = world.ask("POST", "/togai/price_plans", body)["id"]
    return plan_id


def add_on(world: World, name: str) -> str:
    body = {"name": name, "type": "FIXED_FEE"}
    add_on_id: str = world.ask("POST", "/togai/addons", body)["id"]
    return add_on_id


def calls(world: World) -> dict[str, dict[str, Any]]:
    """Arguments by tool. Prepares at the vendor what a call needs to find there."""
    plan = {"pricePlanId": drafted(world, "Growing")}
    return {
        "list-price-plans-v2": {},
        "get-price-plan-v2": plan | {"version": "LATEST"},
        "list-price-plan-versions": plan,
        "list-price-plan-errors": plan,
        "create-price-plan-v2": HEADER | {"name": "Newer plan"},
        "update-price-plan-v2": plan | {"description": "For teams"},
        "list-price-plan-rate-cards": plan,
        "edit-price-plan-rate-cards": plan
        | {
            "operations": [
                {"actionType": "CREATE", "rateCardName": "second", "rateCard": FEE_CARD},
                {"actionType": "DELETE", "rateCardName": "fee"},
            ]
        },
        "list-price-plan-pricing-rules": plan,
        "set-price-plan-pricing-rules": plan | {"pricingRules": [RULE]},
        "finalize-price-plan": {"pricePlanId": drafted(world, "Ready")},
        "discard-price-plan": {"pricePlanId": drafted(world, "Abandoned")},
        **_first_generation(world),
        **_add_ons(world),
        **_calculators(world),
    }


def _first_generation(world: World) -> dict[str, dict[str, Any]]:
    plan_id = drafted_v1(world, "Older", "USD", "EUR")
    shown = world.ask("GET", f"/togai/price_plans/{plan_id}")
    rates = {"currency": "GBP", "fixedFeeRates": [{"id": "fee", "rate": "40"}]}
    return {
        "list-pricing-rules-v1": {
            "pricePlanId": plan_id,
            "pricingScheduleId": shown["pricingSchedule"][0]["id"],
        },
        "update-price-plan": {
            "pricePlanId": plan_id,
            "pricePlanDetails": {"supportedCurrencies": ["USD"], "fixedFeeRateCards": [FEE]},
        },
        "activate-price-plan": {
            "pricePlanId": drafted_v1(world, "Waiting", "USD"),
            "currencies": ["USD"],
        },
        "archive-price-plan": {"pricePlanId": drafted_v1(world, "Outdated", "USD")},
        "add-price-plan-currencies": {"pricePlanId": drafted_v1(world, "Abroad", "USD"), **rates},
        "remove-price-plan-currency": {
            "pricePlanId": drafted_v1(world, "At home", "USD", "EUR"),
            "currency": "EUR",
        },
    }


def _add_ons(world: World) -> dict[str, dict[str, Any]]:
    seen = {"addonId": add_on(world, "Support")}
    return {
        "list-addons": {},
        "create-addon": {"name": "Seats", "type": "LICENSE"},
        "get-addon": seen,
        "update-addon": seen | {"billableName": "Premium support"},
        "delete-addon": {"addonId": add_on(world, "Onboarding")},
    }


def _calculators(world: World) -> dict[str, dict[str, Any]]:
    question = {
        "currencyConfig": {"mode": "CUSTOM", "currency": "USD"},
        "pricePlanDetailsConfig": {"mode": "PRICE_PLAN", "pricePlanId": world.plan},
        "usageConfig": {"mode": "CUSTOM", "usageMap": {world.calls_meter: "1000"}},
        "licenseEntriesConfig": {"mode": "CUSTOM"},
    }
    return {"calculate-revenue-v1": question, "calculate-revenue-v2": question}
