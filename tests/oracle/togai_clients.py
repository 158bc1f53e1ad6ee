"""The vendor's Togai clients and, made through them, the things that tests begin with."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import togai_client
from togai_client.exceptions import ApiException

from billing_mcp.sandbox import Sandbox

# The client's package exports nothing explicitly, so the type checker cannot follow it.
sdk: Any = togai_client

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SLABS = {
    "pricingModel": "TIERED",
    "slabs": [
        {"order": 1, "startAfter": 0, "priceType": "PER_UNIT"},
        {
            "order": 2,
            "startAfter": 100,
            "priceType": "PACKAGE",
            "slabConfig": {"packageSize": "10"},
        },
    ],
}
RATES = [{"currency": "USD", "slabRates": [{"order": 1, "rate": 2}, {"order": 2, "rate": 15}]}]
CYCLE = {
    "interval": "MONTHLY",
    "startOffset": {"dayOffset": "1", "monthOffset": "NIL"},
    "gracePeriod": 3,
}


@dataclass(frozen=True, slots=True)
class Togai:
    """The vendor's clients. They are not typed here: every optional field of their models would
    have to be ruled out as None before a test looks at it."""

    accounts: Any
    add_ons: Any
    credits: Any
    customers: Any
    entitlements: Any
    ingestion: Any
    management: Any
    features: Any
    invoices: Any
    licences: Any
    plans: Any
    plans_v2: Any
    pricing_rules: Any
    experiments: Any
    schemas: Any
    meters: Any
    sandbox: Sandbox

    def customer(self, customer_id: str = "acme") -> Any:
        body = {
            "id": customer_id,
            "name": "Acme Rockets",
            "primaryEmail": "billing@acme.example",
            "address": {"line1": "1 Launch Road", "city": "Chennai"},
        }
        return self.customers.create_customer(sdk.CreateCustomerRequest.from_dict(body))

    def account(self, account_id: str = "acme-main") -> Any:
        self.customer()
        body = {
            "id": account_id,
            "name": "Acme main",
            "customerId": "acme",
            "invoiceCurrency": "USD",
            "aliases": ["acme-prod"],
        }
        return self.accounts.create_account(sdk.CreateAccountRequest.from_dict(body))

    def schema(self, name: str = "api_calls") -> Any:
        body = {
            "name": name,
            "attributes": [{"name": "calls", "defaultUnit": "call"}],
            "dimensions": [{"name": "region"}],
        }
        self.schemas.create_event_schema(sdk.CreateEventSchemaRequest.from_dict(body))
        return self.schemas.activate_event_schema(name)

    def meter(self) -> Any:
        self.schema()
        body = {
            "name": "Calls",
            "type": "COUNTER",
            "aggregation": "SUM",
            "computations": [{"computation": '{"var": "attributes.calls"}', "order": 1}],
            "eventSchemaName": "api_calls",
        }
        made = self.meters.create_usage_meter(sdk.CreateUsageMeterRequest.from_dict(body))
        return self.meters.activate_usage_meter(made.id)

    def feature(self) -> Any:
        body = {
            "name": "Calls",
            "schemaAssociations": [{"schemaName": "api_calls", "attributeName": "calls"}],
        }
        return self.features.create_feature(sdk.CreateFeatureRequest.from_dict(body))

    def plan(self, *, kind: str = "BILLING", **cards: Any) -> Any:
        details = {"supportedCurrencies": ["USD"], "pricingCycleConfig": CYCLE, **cards}
        body = {"name": f"Plan {kind}", "type": kind, "pricePlanDetails": details}
        return self.plans.create_price_plan(sdk.CreatePricePlanRequest.from_dict(body))

    def active_plan(self, **settings: Any) -> Any:
        made = self.plan(**settings)
        wanted = sdk.ActivatePricePlanRequest(currencies=["USD"])
        return self.plans.activate_price_plan(made.id, wanted)

    def associate(self, plan_id: str, mode: str = "ASSOCIATE", start: str = "2026-11-01") -> Any:
        body = {
            "mode": mode,
            "pricePlanId": plan_id,
            "effectiveFrom": start,
            "effectiveUntil": "9999-01-01",
        }
        request = sdk.UpdatePricingScheduleRequestWithActions.from_dict(body)
        return self.accounts.update_pricing_schedule("acme-main", request)

    def entitled(self) -> Any:
        """An account whose plan grants 100 calls a month and lets 10 more through."""
        self.account()
        meter = self.meter()
        feature = self.feature()
        rated = {"ratePlan": SLABS, "rateValues": RATES}
        grant = {
            "featureId": feature.id,
            "featureConfigs": [{"effectiveUntil": "P1M", "featureCreditLimit": 100}],
            "invoiceTiming": "IN_ADVANCE",
        }
        plan = self.active_plan(
            usageRateCards=[{"usageMeterId": meter.id, **rated}],
            billingEntitlementRateCards=[grant | rated],
            entitlementOverageRateCards=[{"featureId": feature.id, "maxQuantity": 10, **rated}],
        )
        self.associate(plan.id)
        return feature

    def event(self, event_id: str | None = "call-1", calls: str = "5", **fields: Any) -> Any:
        body = {
            "schemaName": "api_calls",
            "id": event_id,
            "timestamp": "2026-11-19T08:00:00Z",
            "accountId": "acme-main",
            "attributes": [{"name": "calls", "value": calls, "unit": "call"}],
            "dimensions": {"region": "eu"},
        }
        return sdk.Event.from_dict(body | fields)


def refused(status: int, operation: Any, *arguments: Any) -> str:
    """The message of a refusal with this status."""
    with pytest.raises(ApiException) as caught:
        operation(*arguments)
    assert caught.value.status == status
    assert caught.value.body is not None
    message: str = sdk.ErrorResponse.from_json(caught.value.body).message
    return message
