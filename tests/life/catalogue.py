"""What the company sells: made once, past the tools, and copied into every life."""

from decimal import Decimal
from typing import Any

from billing_mcp.sandbox.backend import Backend

UNITS = {
    "pricingModel": "TIERED",
    "slabs": [{"order": 1, "startAfter": 0, "priceType": "PER_UNIT"}],
}
# What a call, an answer beyond those granted, and a seat cost, by the plan's name.
CALL_RATES = {"Basic": Decimal("0.25"), "Weekly": Decimal("0.333333"), "Extra": Decimal("0.1")}
FEES = {"Basic": Decimal(10), "Weekly": Decimal(3), "Extra": Decimal(7)}
OVERAGE_RATE = Decimal("0.5")
OVERAGE_LIMIT = Decimal(10)
ANSWERS_GRANTED = Decimal(40)
LEAST_OF_EXTRA = Decimal(9)

MONTHLY = {"interval": "MONTHLY", "gracePeriod": 3}
WEEKLY = {"interval": "WEEKLY", "gracePeriod": 9}


def rated(rate: Decimal) -> dict[str, Any]:
    values = [{"currency": "USD", "slabRates": [{"order": 1, "rate": rate}]}]
    return {"ratePlan": UNITS, "rateValues": values}


def fee(rate: Decimal, timing: str) -> dict[str, Any]:
    """A fee of each cycle, in full however short the cycle is."""
    return {
        "id": "platform",
        "displayName": "Platform",
        "invoiceTiming": timing,
        "type": "RECURRING",
        "enableProration": False,
        "rateValues": [{"currency": "USD", "rate": rate}],
    }


def granting_credit(amount: int, timing: str) -> dict[str, Any]:
    """A card that grants a credit for half of what it is worth."""
    slabs = [{"startAfter": 0, "priceType": "PER_UNIT", "rate": Decimal("0.5")}]
    per_currency = {"currency": "USD", "creditAmount": amount, "slabDetails": slabs}
    return {
        "id": "bonus",
        "displayName": "Bonus",
        "type": "RECURRING",
        "invoiceTiming": timing,
        "grantDetails": {"priority": 1, "expiryType": "PRICING_CYCLE"},
        "rateDetails": {"pricingModel": "TIERED", "currencySlabRateDetails": [per_currency]},
    }


def granting_answers(feature_id: str, timing: str, limit: Decimal) -> dict[str, Any]:
    return {
        "featureId": feature_id,
        "name": "granted",
        "invoiceTiming": timing,
        "featureConfigs": [{"effectiveUntil": "P1M", "featureCreditLimit": limit}],
        **rated(Decimal("0.1")),
    }


def furnish(backend: Backend) -> None:
    """Schemas, meters, a feature, add-ons and plans; the customers come later."""
    for name, attribute in (("api_calls", "calls"), ("answers", "answers")):
        body = {
            "name": name,
            "attributes": [{"name": attribute}],
            "dimensions": [{"name": "region"}],
        }
        backend.request("POST", "/togai/event_schema", body)
        backend.request("POST", f"/togai/event_schema/{name}/activate")
    meters = {
        schema: _meter(backend, name, schema, attribute)
        for name, schema, attribute in (
            ("Calls", "api_calls", "calls"),
            ("Answers given", "answers", "answers"),
        )
    }
    feeds = [{"schemaName": "answers", "attributeName": "answers"}]
    feature = {"name": "Answers", "schemaAssociations": feeds}
    answers = backend.request("POST", "/togai/features", feature)["id"]
    seats, admins = (
        backend.request("POST", "/togai/addons", {"name": name, "type": kind})["id"]
        for name, kind in (("Seats", "LICENSE"), ("Admins", "NAMED_LICENSE"))
    )
    calls = {name: _calls(meters["api_calls"], rate) for name, rate in CALL_RATES.items()}
    overage = {"featureId": answers, "name": "overage", "maxQuantity": OVERAGE_LIMIT}
    limited = {"maxQuantity": 20, "maxQuantityBreachAction": "DO_NOTHING"}
    prepaid = {"id": seats, "invoiceTiming": "PREPAID", "proratedRefundMode": "CREDITS"}
    _plan(
        backend,
        "Basic",
        usageRateCards=[calls["Basic"]],
        fixedFeeRateCards=[fee(FEES["Basic"], "IN_ARREARS")],
        billingEntitlementRateCards=[granting_answers(answers, "IN_ARREARS", ANSWERS_GRANTED)],
        entitlementOverageRateCards=[overage | rated(OVERAGE_RATE)],
        licenseRateCards=[
            {"id": seats, "enableProration": False, "config": limited, **rated(Decimal(3))},
            {"id": admins, "type": "NAMED_LICENSE", "enableProration": True, **rated(Decimal(2))},
        ],
        allow_ongoing_cycle_updates=True,
    )
    _plan(
        backend,
        "Weekly",
        usageRateCards=[calls["Weekly"]],
        fixedFeeRateCards=[fee(FEES["Weekly"], "IN_ADVANCE")],
        creditGrantRateCards=[granting_credit(4, "PREPAID")],
        licenseRateCards=[prepaid | {"enableProration": True, **rated(Decimal("0.9"))}],
        pricingCycleConfig=WEEKLY,
    )
    least = {"displayName": "Least", "rateValues": [{"currency": "USD", "rate": LEAST_OF_EXTRA}]}
    _plan(
        backend,
        "Extra",
        usageRateCards=[calls["Extra"]],
        fixedFeeRateCards=[fee(FEES["Extra"], "IN_ARREARS")],
        minimumCommitment=least,
        creditGrantRateCards=[granting_credit(5, "IN_ARREARS")],
        billingEntitlementRateCards=[granting_answers(answers, "PREPAID", Decimal(15))],
        pricingCycleConfig=MONTHLY | {"anniversaryCycle": True},
    )
    _plan(
        backend,
        "Bundle",
        kind="PURCHASE",
        fixedFeeRateCards=[fee(Decimal(6), "IN_ARREARS")],
        billingEntitlementRateCards=[granting_answers(answers, "IN_ARREARS", Decimal(12))],
        creditGrantRateCards=[granting_credit(8, "IN_ARREARS")],
    )


def _meter(backend: Backend, name: str, schema: str, attribute: str) -> str:
    """The id of an active meter that sums the attribute."""
    body = {
        "name": name,
        "type": "COUNTER",
        "aggregation": "SUM",
        "eventSchemaName": schema,
        "computations": [{"computation": f'{{"var": "attributes.{attribute}"}}', "order": 1}],
    }
    meter_id: str = backend.request("POST", "/togai/usage_meters", body)["id"]
    backend.request("POST", f"/togai/usage_meters/{meter_id}/activate")
    return meter_id


def _calls(meter_id: str, rate: Decimal) -> dict[str, Any]:
    return {"usageMeterId": meter_id, "displayName": "Calls", **rated(rate)}


def _plan(backend: Backend, name: str, *, kind: str = "BILLING", **details: Any) -> None:
    whole = {"supportedCurrencies": ["USD"], "pricingCycleConfig": MONTHLY} | details
    body = {"name": name, "type": kind, "pricePlanDetails": whole}
    plan_id = backend.request("POST", "/togai/price_plans", body)["id"]
    backend.request("POST", f"/togai/price_plans/{plan_id}/activate", {"currencies": ["USD"]})
