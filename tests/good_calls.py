"""For every tool a call that succeeds in the company of `world`, each independent of the others."""

from collections.abc import Mapping
from typing import Any

import calls.alerts
import calls.organisation
import calls.payments
import calls.price_plans
import calls.schedules
from copies import made_once
from world import CYCLE, World

FAILED_GROUP = "11111111-1111-4111-8111-111111111111"
FRESH_GROUP = "22222222-2222-4222-8222-222222222222"
# The operation that the ledger's tools look at: give it to a write before them.
GRANTED = "33333333-3333-4333-8333-333333333333"

PLAN = {
    "supportedCurrencies": ["USD"],
    "pricingCycleConfig": CYCLE,
    "fixedFeeRateCards": [
        {
            "id": "fee",
            "enableProration": False,
            "rateValues": [{"currency": "USD", "rate": "49"}],
        }
    ],
}


def good_calls(world: World) -> dict[str, dict[str, Any]]:
    """Arguments by tool. Prepares at the vendor what a call needs to find there."""
    return made_once("good calls", world.sandbox, lambda: _prepared(world))


def _prepared(world: World) -> dict[str, dict[str, Any]]:
    _report(world, FAILED_GROUP)
    refuse = {"refuse": ["on-aws"]}
    world.sandbox.backend.run_job("marketplace-report", refuse)
    _report(world, FRESH_GROUP)
    entries = f"/togai/accounts/harbor-main/features/{world.answers}/entries"
    entry_id = world.ask("GET", entries)["data"][0]["id"]
    of_the_ledger = {"get-operation": {"operationId": GRANTED}, "list-operations": {}}
    seeds = _togai(world, entry_id) | _looked_up(world) | _suger() | _run() | of_the_ledger
    return {
        **seeds,
        **calls.alerts.calls(world),
        **calls.organisation.calls(world),
        **calls.payments.calls(world),
        **calls.price_plans.calls(world),
        **calls.schedules.calls(world),
    }


def _report(world: World, group_id: str) -> None:
    body = {
        "id": group_id,
        "organizationID": "sandbox",
        "entitlementID": "on-aws",
        "records": {"api_calls": 5},
    }
    world.ask("POST", "/suger/org/sandbox/entitlement/on-aws/usageRecordGroup", body)


def event(account_id: str = "harbor-main", **given: Any) -> dict[str, Any]:
    """An event of 3 answers that were given today."""
    return {
        "schemaName": "answers",
        "timestamp": "2026-11-20T11:00:00Z",
        "accountId": account_id,
        "attributes": [{"name": "answers", "value": "3"}],
        "dimensions": {"region": "eu"},
        **given,
    }


def _togai(world: World, entry_id: str) -> dict[str, dict[str, Any]]:
    account = {"accountId": "harbor-main"}
    feature = account | {"featureId": world.answers}
    entry = feature | {"entryId": entry_id}
    return {
        "list-customers": {"search": "harbor"},
        "get-customer": {"customerId": "harbor-labs"},
        "create-customer": {
            "id": "new-customer",
            "name": "New Customer",
            "primaryEmail": "billing@new.example",
        },
        "list-accounts": {"customerId": "harbor-labs"},
        "create-account": {"customerId": "harbor-labs", "id": "harbor-new", "name": "New"},
        "ingest-events": {"events": [event()]},
        "list-usage-meters": {"eventSchemaName": "api_calls"},
        "list-price-plans": {},
        "create-price-plan": {"name": "New plan", "pricePlanDetails": PLAN},
        "list-invoices": account,
        "list-credits": account,
        "grant-credit": account | {"creditAmount": "50", "effectiveFrom": "2026-11-20"},
        "get-entitlements-account": account,
        "get-entitlement-value-account": feature,
        "check-entitlement-value-account": feature | {"body": {"value": "100"}},
        "get-feature-credits-balance": feature,
        "list-feature-credits-entries-feature": feature,
        "update-feature-credits-entry": entry | {"body": {"granted": "150"}},
        "void-feature-credits-entry-feature": entry,
        "ingest-event-if-user-is": {"body": {"event": event()}},
    }


def _looked_up(world: World) -> dict[str, dict[str, Any]]:
    return {
        "get-account": {"accountId": "harbor-main"},
        "list-event-schemas": {},
        "get-event-schema": {"eventSchemaName": "api_calls"},
        "list-features": {},
        "get-feature": {"featureId": world.answers},
        "get-price-plan": {"pricePlanId": world.plan},
        "get-invoice": {"invoiceId": world.invoice},
    }


def _suger() -> dict[str, dict[str, Any]]:
    usage: Mapping[str, Any] = {"records": {"api_calls": "5"}}
    return {
        "list-usagerecordgroups": {"entitlementId": "on-aws"},
        "report-usagerecordgroup": {"entitlementId": "on-aws", "body": usage},
        "batch-validate-usagerecordgroups": {"body": [{"entitlementID": "on-aws", **usage}]},
        "batch-report-usagerecordgroups": {"body": [{"entitlementID": "on-aws", **usage}]},
        "retry-usagerecordgroup": {"usageRecordGroupId": FAILED_GROUP},
        "delete-usagerecordgroup": {"usageRecordGroupId": FRESH_GROUP},
        "list-usagerecordreports": {"entitlementId": "on-aws"},
        "list-billable-metrics": {},
        "get-billable-metric": {"billableMetricId": "nodes"},
        "create-billable-metric": {"body": {"name": "Seats", "aggregationType": "MAX"}},
        "update-billable-metric": {
            "billableMetricId": "nodes",
            "body": {"description": "Nodes in use"},
        },
        "get-usage-metering-config-info": {},
        "update-usage-metering-config-info": {
            "body": {"partnerUsageMeteringConfigs": [{"partner": "AWS"}]}
        },
    }


def _run() -> dict[str, dict[str, Any]]:
    """What tools are found with, and run by."""
    customer = {"id": "run-customer", "name": "Run", "primaryEmail": "billing@run.example"}
    return {
        "search-tools": {"query": "what does this customer owe us"},
        "run-read-tool": {"name": "get-account", "arguments": {"accountId": "harbor-main"}},
        "run-write-tool": {"name": "create-customer", "arguments": customer},
    }
