"""Things a Togai test needs before it begins: customers, schemas, meters, features, plans."""

from decimal import Decimal
from typing import Any

from sandbox.asking import Asker

CUSTOMER = {
    "id": "acme",
    "name": "Acme Rockets",
    "primaryEmail": "billing@acme.example",
    "address": {"line1": "1 Launch Road", "city": "Chennai"},
}
SLABS = {
    "pricingModel": "TIERED",
    "slabs": [{"order": 1, "startAfter": 0, "priceType": "PER_UNIT"}],
}
RATES = [{"currency": "USD", "slabRates": [{"order": 1, "rate": Decimal("0.25")}]}]
RATED = {"ratePlan": SLABS, "rateValues": RATES}
CYCLE = {"interval": "MONTHLY", "gracePeriod": 3}
FOREVER = "9999-01-01"


def account(ask: Asker, account_id: str = "main", **fields: Any) -> Any:
    """An account of the customer acme, who is made if need be."""
    if ask.togai("GET", "/customers/acme").status == 404:
        ask.done("POST", "/customers", CUSTOMER)
    body = {"id": account_id, "name": f"Acme {account_id}", "customerId": "acme", **fields}
    return ask.done("POST", "/accounts", body)


def schema(ask: Asker, name: str = "api_calls", **fields: Any) -> str:
    """An active schema with the attributes calls and bytes, the dimensions region and tier."""
    body = {
        "name": name,
        "attributes": [{"name": "calls", "defaultUnit": "call"}, {"name": "bytes"}],
        "dimensions": [{"name": "region"}, {"name": "tier"}],
    }
    ask.done("POST", "/event_schema", body | fields)
    ask.done("POST", f"/event_schema/{name}/activate")
    return name


def meter(ask: Asker, name: str = "Calls", **fields: Any) -> str:
    """The id of an active meter that adds up calls."""
    body = {
        "name": name,
        "type": "COUNTER",
        "aggregation": "SUM",
        "eventSchemaName": "api_calls",
        "computations": [{"computation": '{"var": "attributes.calls"}', "order": 1}],
    }
    made = ask.done("POST", "/usage_meters", body | fields)
    ask.done("POST", f"/usage_meters/{made['id']}/activate")
    meter_id: str = made["id"]
    return meter_id


def feature(ask: Asker, name: str = "Calls", schema_name: str = "api_calls") -> str:
    """The id of a feature fed by the attribute calls."""
    associations = [{"schemaName": schema_name, "attributeName": "calls"}]
    body = {"name": name, "schemaAssociations": associations}
    feature_id: str = ask.done("POST", "/features", body)["id"]
    return feature_id


def plan(ask: Asker, name: str = "Plan", *, kind: str = "BILLING", **details: Any) -> str:
    """The id of an active plan."""
    body = {
        "name": name,
        "type": kind,
        "pricePlanDetails": {"supportedCurrencies": ["USD"], "pricingCycleConfig": CYCLE} | details,
    }
    plan_id: str = ask.done("POST", "/price_plans", body)["id"]
    ask.done("POST", f"/price_plans/{plan_id}/activate", {"currencies": ["USD"]})
    return plan_id


def associate(ask: Asker, plan_id: str, start: str = "2026-11-01", end: str = FOREVER) -> Any:
    body = {"pricePlanId": plan_id, "effectiveFrom": start, "effectiveUntil": end}
    return ask.done("POST", "/accounts/main/price_plans", body)


def granting(feature_id: str, limit: Any, until: str = "P1M", **fields: Any) -> dict[str, Any]:
    """A billing entitlement rate card."""
    configs = [{"effectiveUntil": until, "featureCreditLimit": limit}]
    return {
        "featureId": feature_id,
        "featureConfigs": configs,
        "invoiceTiming": "IN_ARREARS",
        **RATED,
        **fields,
    }


def event(event_id: str | None = "e1", calls: str = "5", **fields: Any) -> dict[str, Any]:
    body = {
        "schemaName": "api_calls",
        "timestamp": "2026-11-19T08:00:00Z",
        "accountId": "main",
        "attributes": [{"name": "calls", "value": calls}],
        "dimensions": {"region": "eu"},
        **fields,
    }
    return body if event_id is None else {"id": event_id, **body}


def status_of(ask: Asker, event_id: str) -> str:
    """The status of the latest arrival under this id."""
    arrivals = ask.done("GET", f"/events/{event_id}")["events"]
    status: str = arrivals[-1]["ingestionStatus"]["status"]
    return status
