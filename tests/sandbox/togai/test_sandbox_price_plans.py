"""Price plans of the emulated Togai: what a plan must look like, and how it lives."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.world import CYCLE, RATED, account, associate, feature, meter, plan, schema

FLAT_FEE = {
    "id": "addon.fee",
    "type": "RECURRING",
    "invoiceTiming": "IN_ADVANCE",
    "enableProration": True,
    "recurrenceConfig": {"interval": 1, "offset": 0},
    "rateValues": [{"currency": "USD", "rate": Decimal("49.50")}],
}
LICENSE = {
    "id": "addon.seat",
    "type": "LICENSE",
    "enableProration": False,
    "usageCycle": "WEEKLY",
    "proratedRefundMode": "NONE",
    "config": {"maxQuantity": 5, "maxQuantityBreachAction": "DO_NOTHING"},
    **RATED,
}
CREDIT_GRANT = {
    "id": "addon.credit",
    "type": "ONE_TIME",
    "grantDetails": {"priority": 1, "expiryType": "NO_EXPIRY", "applicableEntityIds": ["um.1"]},
    "rateDetails": {
        "pricingModel": "VOLUME",
        "currencySlabRateDetails": [
            {
                "currency": "USD",
                "creditAmount": 100,
                "slabDetails": [{"startAfter": 0, "priceType": "FLAT", "rate": 80}],
            }
        ],
    },
}
COMMITMENT = {"displayName": "Commitment", "rateValues": [{"currency": "USD", "rate": 500}]}


def body(**details: Any) -> dict[str, Any]:
    return {
        "name": "Plan",
        "pricePlanDetails": {"supportedCurrencies": ["USD"], "pricingCycleConfig": CYCLE} | details,
    }


def full(ask: Asker) -> dict[str, Any]:
    """A plan with a card of every kind."""
    schema(ask)
    feature_id = feature(ask)
    return deepcopy(
        body(
            usageRateCards=[{"usageMeterId": meter(ask), "displayName": "Calls", **RATED}],
            fixedFeeRateCards=[FLAT_FEE],
            licenseRateCards=[LICENSE],
            billingEntitlementRateCards=[
                {
                    "featureId": feature_id,
                    "featureConfigs": [{"effectiveUntil": "P1M", "featureCreditLimit": 10}],
                    "invoiceTiming": "IN_ARREARS",
                    **RATED,
                }
            ],
            entitlementOverageRateCards=[{"featureId": feature_id, "maxQuantity": 5, **RATED}],
            creditGrantRateCards=[CREDIT_GRANT],
            minimumCommitment=COMMITMENT,
        )
    )


def changed(plan_body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The plan with one field of its details set, or taken away when the value is `...`."""
    *way, last = path.split("/")
    spot: Any = plan_body["pricePlanDetails"]
    for part in way:
        spot = spot[int(part)] if part.isdigit() else spot[part]
    if value is ...:
        del spot[last]
    else:
        spot[last] = value
    return plan_body


def test_a_plan_with_every_kind_of_card_becomes_a_draft_with_named_cards(ask: Asker) -> None:
    made = ask.done("POST", "/price_plans", full(ask))

    (schedule,) = made["pricingSchedule"]
    details = schedule["pricePlanDetails"]
    assert (made["status"], made["type"], details["activeCurrencies"]) == ("DRAFT", "BILLING", [])
    assert details["pricingCycleConfig"] == {
        "interval": "MONTHLY",
        "startOffset": {"dayOffset": "1", "monthOffset": "NIL"},
        "gracePeriod": 3,
        "anniversaryCycle": False,
    }
    kinds = [kind for kind in details if kind.endswith("Cards")]
    assert len(kinds) == 6
    assert all(details[kind][0]["name"].startswith("card.") for kind in kinds)
    assert details["fixedFeeRateCards"][0]["rateValues"][0]["rate"] == Decimal("49.50")


SLAB = "usageRateCards/0/ratePlan/slabs/0"
RATE = "usageRateCards/0/rateValues/0"
CONFIG = "creditGrantRateCards/0/rateDetails/currencySlabRateDetails/0"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("supportedCurrencies", ..., "supportedCurrencies is required"),
        ("supportedCurrencies", [], "supportedCurrencies must have at least 1 items"),
        ("supportedCurrencies", ["usd"], "supportedCurrencies[0] must match [A-Z]{3}"),
        ("supportedCurrencies", ["USD", "USD"], "supportedCurrencies must not name a currency"),
        ("supportedCurrencies", ["USD", "EUR"], "minimumCommitment.rateValues must name each of"),
        ("pricingCycleConfig", ..., "pricingCycleConfig is required for a plan of type BILLING"),
        ("pricingCycleConfig/interval", "DAILY", "pricingCycleConfig.interval must be one of"),
        ("pricingCycleConfig/gracePeriod", ..., "pricingCycleConfig.gracePeriod is required"),
        ("usageCards", [], "usageCards is not a field here"),
        ("usageRateCards/0/usageMeterId", "um.none", "usageRateCards[0].usageMeterId: there is no"),
        ("usageRateCards/0/ratePlan/pricingModel", "FLAT", "usageRateCards[0].ratePlan.pricingM"),
        ("usageRateCards/0/ratePlan/slabs", [], "usageRateCards[0].ratePlan.slabs must have at l"),
        (f"{SLAB}/order", 2, "usageRateCards[0].ratePlan.slabs[0].order must be 1"),
        (f"{SLAB}/startAfter", 5, "usageRateCards[0].ratePlan.slabs[0].startAfter must be 0"),
        (f"{SLAB}/priceType", "UNIT", "usageRateCards[0].ratePlan.slabs[0].priceType must be one"),
        (f"{SLAB}/priceType", "PACKAGE", "usageRateCards[0].ratePlan.slabs[0].slabConfig.packag"),
        (f"{SLAB}/slabConfig", {"packageSize": 10}, "usageRateCards[0].ratePlan.slabs[0].slabC"),
        (f"{RATE}/currency", "EUR", "usageRateCards[0].rateValues must name each of the"),
        (f"{RATE}/slabRates", [], "usageRateCards[0].rateValues[0].slabRates must have at least"),
        (f"{RATE}/slabRates/0/rate", -1, "usageRateCards[0].rateValues[0].slabRates[0].rate must"),
        (f"{RATE}/slabRates/0/rate", "1", "usageRateCards[0].rateValues[0].slabRates[0].rate must"),
        (f"{RATE}/rateConfig", {"minimumRate": 5}, "usageRateCards[0].rateValues[0].rateConfig.m"),
        (
            f"{RATE}/rateConfig",
            {"minimumRate": "5", "maximumRate": "4.99"},
            "usageRateCards[0].rateValues[0].rateConfig.minimumRate must not be greater",
        ),
        ("fixedFeeRateCards/0/id", ..., "fixedFeeRateCards[0].id is required"),
        ("fixedFeeRateCards/0/enableProration", ..., "fixedFeeRateCards[0].enableProration is r"),
        ("fixedFeeRateCards/0/recurrenceConfig/interval", 0, "fixedFeeRateCards[0].recurrenceC"),
        ("licenseRateCards/0/type", "FIXED_FEE", "licenseRateCards[0].type must be one of LICEN"),
        ("licenseRateCards/0/config/maxQuantity", -1, "licenseRateCards[0].config.maxQuantity"),
        ("billingEntitlementRateCards/0/featureId", "feat.x", "billingEntitlementRateCards[0].fe"),
        (
            "billingEntitlementRateCards/0/featureConfigs/0/effectiveUntil",
            "one month",
            "billingEntitlementRateCards[0].featureConfigs[0].effectiveUntil: 'one month' is not",
        ),
        ("entitlementOverageRateCards/0/maxQuantity", -1, "entitlementOverageRateCards[0].maxQu"),
        (
            "creditGrantRateCards/0/grantDetails/expiryType",
            "CUSTOM",
            "creditGrantRateCards[0].grantDetails.expiryDuration is required",
        ),
        (f"{CONFIG}/creditAmount", -1, "creditGrantRateCards[0].rateDetails.currencySlabRateDet"),
        (f"{CONFIG}/currency", "EUR", "creditGrantRateCards[0].rateDetails.currencySlabRateDeta"),
        ("minimumCommitment/displayName", "", "minimumCommitment.displayName must have at least"),
        ("deferredRevenue", True, "creditGrantRateCards cannot be in a plan with deferredRevenue"),
    ],
)
def test_a_malformed_plan_is_refused_by_the_path_of_its_field(
    ask: Asker, path: str, value: Any, message: str
) -> None:
    answer = ask.togai("POST", "/price_plans", changed(full(ask), path, value))

    assert answer.status == 400
    start = f"pricePlanDetails.{message}"
    assert answer.message[: len(start)] == start


def slabs(*starts: int, **fields: Any) -> dict[str, Any]:
    """A rated card with slabs that start after these quantities."""
    numbered = list(enumerate(starts, 1))
    return {
        "ratePlan": {
            "pricingModel": "TIERED",
            "slabs": [
                {"order": order, "startAfter": start, "priceType": "PER_UNIT"}
                for order, start in numbered
            ],
        },
        "rateValues": [
            {"currency": "USD", "slabRates": [{"order": order, "rate": 1} for order, _ in numbered]}
        ],
        **fields,
    }


def test_slabs_start_one_after_the_other_and_are_at_most_ten(ask: Asker) -> None:
    schema(ask)
    meter_id = meter(ask)

    def attempt(card: dict[str, Any]) -> Any:
        plan_body = body(usageRateCards=[{"usageMeterId": meter_id, **card}])
        return ask.togai("POST", "/price_plans", plan_body, dry_run="true")

    assert attempt(slabs(*range(0, 100, 10))).status == 200
    assert attempt(slabs(*range(0, 110, 10))).message.endswith("slabs must have at most 10 items")
    assert "[1].startAfter must be greater than 0" in attempt(slabs(0, 0)).message
    missing = slabs(0, 10)
    missing["rateValues"][0]["slabRates"].pop()
    assert attempt(missing).message.endswith("must have one rate for each of the 2 slabs")


@pytest.mark.parametrize(
    ("interval", "day", "month", "accepted"),
    [
        ("WEEKLY", "7", None, True),
        ("WEEKLY", "8", None, False),
        ("WEEKLY", "LAST", "NIL", True),
        ("MONTHLY", "31", None, True),
        ("MONTHLY", "0", None, False),
        ("MONTHLY", "1", "1", False),
        ("QUARTERLY", "15", "3", True),
        ("QUARTERLY", "15", "4", False),
        ("QUARTERLY", "15", None, False),
        ("HALF_YEARLY", "15", "LAST", True),
        ("HALF_YEARLY", "15", "7", False),
        ("ANNUALLY", "LAST", "12", True),
        ("ANNUALLY", "LAST", "13", False),
    ],
)
def test_a_start_offset_must_suit_its_interval(
    ask: Asker, interval: str, day: str, month: str | None, accepted: bool
) -> None:
    offset = {"dayOffset": day} | ({} if month is None else {"monthOffset": month})
    cycle = {"interval": interval, "gracePeriod": 0, "startOffset": offset}

    answer = ask.togai("POST", "/price_plans", body(pricingCycleConfig=cycle))

    assert answer.status == (200 if accepted else 400)


def test_deferred_revenue_goes_with_no_fee_in_advance(ask: Asker) -> None:
    answer = ask.togai(
        "POST", "/price_plans", body(deferredRevenue=True, fixedFeeRateCards=[FLAT_FEE])
    )

    assert answer.message == (
        "pricePlanDetails.fixedFeeRateCards[0].invoiceTiming cannot be IN_ADVANCE with"
        " deferredRevenue"
    )


def test_a_plan_to_purchase_needs_no_cycle_and_two_cards_no_common_name(ask: Asker) -> None:
    plan_body = body()
    del plan_body["pricePlanDetails"]["pricingCycleConfig"]
    twins = [FLAT_FEE | {"name": "fee"}, FLAT_FEE | {"name": "fee"}]

    assert ask.togai("POST", "/price_plans", plan_body | {"type": "PURCHASE"}).status == 200
    answer = ask.togai("POST", "/price_plans", body(fixedFeeRateCards=twins))

    assert answer.message == (
        "pricePlanDetails.fixedFeeRateCards[1].name: fee is the name of another card"
    )


def test_pricing_rules_are_kept_with_ids(ask: Asker) -> None:
    rule = {
        "name": "Discount",
        "order": 1,
        "invoiceTiming": "IN_ARREARS",
        "condition": '{">": [{"var": "usage.urc.um.1"}, 100]}',
        "computation": '{"*": [{"var": "revenue.urc.um.1"}, 0.9]}',
        "action": {"type": "UPDATE", "target": "revenue.urc.um.1"},
    }

    made = ask.done("POST", "/price_plans", body() | {"pricingRules": [rule]})
    refused = ask.togai("POST", "/price_plans", body() | {"pricingRules": [rule | {"order": 0}]})

    (kept,) = made["pricingSchedule"][0]["pricingRules"]
    assert kept == rule | {"id": kept["id"], "version": 1}
    assert refused.message == "pricingRules[0].order must be a whole number from 1 to 1000"


def test_a_dry_run_is_checked_and_answered_but_not_kept(ask: Asker) -> None:
    answer = ask.togai("POST", "/price_plans", body(), dry_run="true")

    assert (answer.status, answer.body["name"]) == (200, "Plan")
    assert ask.togai("POST", "/price_plans", body(nonsense=1), dry_run="true").status == 400
    assert ask.done("GET", "/price_plans")["data"] == []
    assert ask.effects("price-plan") == []


def test_currencies_are_activated_one_after_the_other(ask: Asker) -> None:
    plan_id = ask.done("POST", "/price_plans", body(supportedCurrencies=["USD", "EUR"]))["id"]

    def activate(*currencies: str) -> Any:
        return ask.togai(
            "POST", f"/price_plans/{plan_id}/activate", {"currencies": list(currencies)}
        )

    activate("EUR")
    both = activate("USD", "EUR").body

    assert both["status"] == "ACTIVE"
    active = both["pricingSchedule"][0]["pricePlanDetails"]["activeCurrencies"]
    assert active == ["EUR", "USD"]
    assert activate("JPY").message == "currencies: the plan has no rates in JPY"
    assert activate().status == 400


def test_a_plan_that_accounts_use_cannot_be_archived(ask: Asker) -> None:
    account(ask)
    plan_id = plan(ask)
    associate(ask, plan_id, end="2026-12-01")

    refused = ask.togai("DELETE", f"/price_plans/{plan_id}")
    ask.control("POST", "/clock", {"advance": "P1M"})

    assert refused.message == f"Price plan {plan_id} is associated with main"
    assert ask.done("DELETE", f"/price_plans/{plan_id}") == {"success": True}
    assert ask.done("GET", f"/price_plans/{plan_id}")["status"] == "ARCHIVED"
    assert ask.done("GET", "/price_plans")["data"] == []
    wanted = {"currencies": ["USD"]}
    assert ask.togai("POST", f"/price_plans/{plan_id}/activate", wanted).status == 400


def test_a_plans_name_is_unique_until_it_is_archived(ask: Asker) -> None:
    plan_id = ask.done("POST", "/price_plans", body())["id"]

    taken = ask.togai("POST", "/price_plans", body())
    ask.done("DELETE", f"/price_plans/{plan_id}")

    assert taken.message == f"name: price plan {plan_id} is called Plan already"
    assert ask.togai("POST", "/price_plans", body()).status == 200


def test_a_plan_or_version_that_is_not_there_is_404(ask: Asker) -> None:
    plan_id = plan(ask)

    assert ask.done("GET", f"/price_plans/{plan_id}", version=1)["id"] == plan_id
    assert ask.togai("GET", f"/price_plans/{plan_id}", version=2).status == 404
    assert ask.togai("GET", "/price_plans/pp.0").message == "Price plan pp.0 not found"
