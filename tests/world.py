"""A small company in an otherwise empty sandbox, whose figures can be worked out by hand.

Account harbor-main may give 100 answers in November, and 10 more as overage.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox
from billing_mcp.sandbox.suger.buyers import insert_buyer
from billing_mcp.sandbox.suger.entitlements import insert_entitlement
from billing_mcp.sandbox.togai.invoices import NewInvoice, insert_invoice
from billing_mcp.server import BillingServer
from copies import made_once

# What a caller would write down to be able to repeat a write.
OPERATION = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"

CYCLE = {"interval": "MONTHLY", "gracePeriod": 3}
FLAT = {"pricingModel": "TIERED", "slabs": [{"order": 1, "startAfter": 0, "priceType": "FLAT"}]}
RATED = {
    "ratePlan": FLAT,
    "rateValues": [{"currency": "USD", "slabRates": [{"order": 1, "rate": 99}]}],
}


@dataclass(frozen=True, slots=True)
class World:
    """The ids that the vendors gave."""

    sandbox: Sandbox
    calls_meter: str
    requests_meter: str
    answers_meter: str
    answers: str  # the feature
    plan: str
    invoice: str

    def ask(self, method: str, target: str, body: Any = None, **query: str) -> Any:
        """An operation of a vendor, past our server."""
        given = {} if body is None else {"body": body}
        return self.sandbox.backend.request(method, target, **given, **query)

    def effects(self, kind: str) -> list[str | None]:
        """The vendor's keys of what was really applied, in order."""
        rows = self.sandbox.backend.db.execute(
            "select key from effects where kind = ? order by number", (kind,)
        )
        return [row["key"] for row in rows]


def open_world(server: BillingServer, settings: SandboxSettings | None = None) -> World:
    """Give the server a sandbox with nothing in it but this company."""
    sandbox = open_sandbox(settings or SandboxSettings(demo=False))
    server.tenant._sandbox = sandbox
    return furnish(sandbox)


def furnish(sandbox: Sandbox) -> World:
    """Make this company in an empty sandbox."""
    return World(sandbox, **made_once("world", sandbox, lambda: _made(sandbox)))


def _made(sandbox: Sandbox) -> dict[str, str]:
    ids = _togai(sandbox)
    _suger(sandbox)
    return ids


def _togai(sandbox: Sandbox) -> dict[str, str]:
    ask = sandbox.backend.request
    for customer_id, name in (("harbor-labs", "Harbor Labs"), ("north-mill", "North Mill")):
        email = f"billing@{customer_id}.example"
        body = {"id": customer_id, "name": name, "primaryEmail": email, "address": {}}
        ask("POST", "/togai/customers", body)
    for account_id, customer_id, currency in (
        ("harbor-main", "harbor-labs", "USD"),
        ("harbor-test", "harbor-labs", "USD"),
        ("mill-1", "north-mill", "EUR"),
    ):
        body = {"id": account_id, "name": f"Account {account_id}", "customerId": customer_id}
        ask("POST", "/togai/accounts", body | {"invoiceCurrency": currency})
    for schema, attribute in (("api_calls", "calls"), ("answers", "answers")):
        attributes = [{"name": attribute, "defaultUnit": "units"}]
        described = {"name": schema, "attributes": attributes, "dimensions": [{"name": "region"}]}
        ask("POST", "/togai/event_schema", described | {"description": schema})
        ask("POST", f"/togai/event_schema/{schema}/activate")
    feature: dict[str, Any] = {
        "name": "Answers",
        "schemaAssociations": [{"schemaName": "answers", "attributeName": "answers"}],
    }
    feature_id = ask("POST", "/togai/features", feature)["id"]
    plan_id = _assistant_plan(sandbox, feature_id)
    return {
        "calls_meter": meter(sandbox, "API calls", "api_calls", "calls"),
        "requests_meter": meter(sandbox, "Requests", "api_calls"),
        "answers_meter": meter(sandbox, "Answers given", "answers"),
        "answers": feature_id,
        "plan": plan_id,
        "invoice": _invoice(sandbox, plan_id),
    }


def meter(sandbox: Sandbox, name: str, schema: str, attribute: str | None = None) -> str:
    """An active usage meter that sums an attribute, or counts events; its id."""
    body: dict[str, Any] = {
        "name": name,
        "type": "COUNTER",
        "aggregation": "SUM" if attribute else "COUNT",
        "eventSchemaName": schema,
    }
    if attribute:
        logic = f'{{"var": "attributes.{attribute}"}}'
        body["computations"] = [{"computation": logic, "order": 1}]
    meter_id: str = sandbox.backend.request("POST", "/togai/usage_meters", body)["id"]
    sandbox.backend.request("POST", f"/togai/usage_meters/{meter_id}/activate")
    return meter_id


def _assistant_plan(sandbox: Sandbox, feature_id: str) -> str:
    ask = sandbox.backend.request
    granted = {
        "featureId": feature_id,
        "name": "granted",
        "invoiceTiming": "IN_ARREARS",
        "featureConfigs": [{"effectiveUntil": "P1M", "featureCreditLimit": 100}],
        **RATED,
    }
    overage = {"featureId": feature_id, "name": "overage", "maxQuantity": 10, **RATED}
    plan = {
        "name": "Assistant",
        "pricePlanDetails": {
            "supportedCurrencies": ["USD"],
            "pricingCycleConfig": CYCLE,
            "billingEntitlementRateCards": [granted],
            "entitlementOverageRateCards": [overage],
        },
    }
    plan_id: str = ask("POST", "/togai/price_plans", plan)["id"]
    ask("POST", f"/togai/price_plans/{plan_id}/activate", {"currencies": ["USD"]})
    period = {"effectiveFrom": "2026-11-20", "effectiveUntil": "9999-01-01"}
    ask("POST", "/togai/accounts/harbor-main/price_plans", {"pricePlanId": plan_id, **period})
    return plan_id


def _invoice(sandbox: Sandbox, plan_id: str) -> str:
    """October of harbor-main: 49.50 USD, due."""
    lines = {
        "description": "Grand total",
        "type": "GRAND_TOTAL_AMOUNT",
        "value": Decimal("49.50"),
        "lineItems": [],
    }
    with sandbox.backend.transaction() as call:
        new = NewInvoice(
            account_id="harbor-main",
            price_plan_id=plan_id,
            start=date(2026, 10, 1),
            end=date(2026, 11, 1),
            status="DUE",
            lines=lines,
        )
        return insert_invoice(call, new)


def _suger(sandbox: Sandbox) -> None:
    """Entitlement on-aws, of dimension api_calls and billable metric nodes; one group on it."""
    with sandbox.backend.transaction() as call:
        insert_buyer(
            call,
            id="buyer-aws",
            partner="AWS",
            external_id="customer-aws",
            name="Harbor Labs at AWS",
            info={},
        )
        insert_entitlement(
            call,
            id="on-aws",
            buyer_id="buyer-aws",
            name="Entitlement on AWS",
            product_id="prod-1",
            start_time=datetime(2026, 1, 1, tzinfo=UTC),
            info={
                "dimensions": [
                    {"key": "api_calls", "name": "API calls", "rate": Decimal("0.01")},
                ],
                "billableDimensions": [{"billableMetricId": "nodes"}],
            },
            external_id="external-aws",
        )
    body = {"id": "nodes", "name": "Nodes used", "aggregationType": "SUM", "info": {}}
    sandbox.backend.request("POST", "/suger/org/sandbox/billableMetric", body)
