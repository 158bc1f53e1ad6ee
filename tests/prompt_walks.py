"""For every prompt its steps, called in the demo company as somebody would who follows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OPERATION = "0b6f2a34-6f0e-4a6e-9a55-3f8f0c1d2e4a"
ANOTHER = "1d8e5b10-93c4-4c57-8f0e-2b6d7a9c4e5f"

# Structured contents of the steps before, by the number of their call.
Seen = list[Any]
Arguments = Callable[[Seen], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Walk:
    """What the prompt is asked with, and the calls of its steps in their order."""

    given: dict[str, str]
    calls: tuple[tuple[str, Arguments], ...]


def always(**arguments: Any) -> Arguments:
    return lambda _: arguments


def row(answer: Any, **wanted: str) -> Any:
    """The one row of a list that has these values."""
    (found,) = [row for row in answer["data"] if all(row.get(key) == wanted[key] for key in wanted)]
    return found


SEPTEMBER, OCTOBER = "2026-09-01T00:00:00.000Z", "2026-10-01T00:00:00.000Z"

_ACME = ("list-customers", always(search="acme"))
_ACME_ACCOUNTS = ("list-accounts", lambda seen: {"customerId": seen[0]["data"][0]["id"]})
_PRODUCTION = {"accountId": "acme-prod"}


def _plan(answer: Any, name: str) -> dict[str, str]:
    return {"pricePlanId": row(answer, name=name)["id"]}


def _invoice(answer: Any, start: str) -> dict[str, str]:
    return {"invoiceId": row(answer, startDate=start)["id"]}


def _answers(seen: Seen) -> dict[str, str]:
    return {"accountId": "quill-desk", "featureId": seen[2]["data"][0]["featureId"]}


def _entitlement(seen: Seen) -> dict[str, str]:
    return {"entitlementId": seen[0]["data"][0]["metadata"]["sugerEntitlementId"]}


WALKS: dict[str, Walk] = {
    "explain-a-bill": Walk(
        {"customer": "acme", "month": "2026-10"},
        (
            _ACME,
            _ACME_ACCOUNTS,
            ("list-invoices", always(**_PRODUCTION)),
            ("get-invoice", lambda seen: _invoice(seen[2], OCTOBER)),
            ("get-invoice", lambda seen: _invoice(seen[2], SEPTEMBER)),
            ("get-price-plan", lambda seen: {"pricePlanId": seen[3]["pricePlanId"]}),
            ("list-credits", always(**_PRODUCTION)),
        ),
    ),
    "handle-a-dispute": Walk(
        {"customer": "acme", "month": "2026-10", "claim": "usage"},
        (
            _ACME,
            _ACME_ACCOUNTS,
            ("list-invoices", always(**_PRODUCTION)),
            ("get-invoice", lambda seen: _invoice(seen[2], OCTOBER)),
            ("get-price-plan", lambda seen: {"pricePlanId": seen[3]["pricePlanId"]}),
            ("list-event-schemas", always()),
            (
                "list-usage-meters",
                lambda seen: {"eventSchemaName": row(seen[5], name="compute")["name"]},
            ),
            ("list-credits", always(**_PRODUCTION)),
        ),
    ),
    "grant-goodwill-credit": Walk(
        {"customer": "acme", "amount": "50.00", "currency": "USD", "reason": "outage"},
        (
            _ACME,
            _ACME_ACCOUNTS,
            ("list-credits", always(**_PRODUCTION)),
            ("list-invoices", always(**_PRODUCTION)),
            (
                "grant-credit",
                always(
                    **_PRODUCTION,
                    creditAmount="50.00",
                    effectiveFrom="2026-11-20",
                    purpose="outage",
                    operationId=OPERATION,
                ),
            ),
            ("list-credits", always(**_PRODUCTION)),
        ),
    ),
    "onboard-a-customer": Walk(
        {
            "customerId": "blue-harbour",
            "name": "Harbour",
            "email": "billing@harbour.example",
            "currency": "USD",
            "pricePlanId": "Starter",
        },
        (
            ("list-customers", always(search="Harbour")),
            ("list-customers", always(search="billing@harbour.example")),
            ("list-price-plans", always()),
            ("get-price-plan", lambda seen: _plan(seen[2], "Starter")),
            (
                "create-customer",
                always(
                    id="blue-harbour",
                    name="Harbour",
                    primaryEmail="billing@harbour.example",
                    operationId=OPERATION,
                ),
            ),
            (
                "create-account",
                always(
                    customerId="blue-harbour",
                    id="blue-harbour-main",
                    name="Harbour main",
                    invoiceCurrency="USD",
                    operationId=ANOTHER,
                ),
            ),
            ("search-tools", always(query="put an account on a price plan")),
            ("get-account", always(accountId="blue-harbour-main")),
        ),
    ),
    "change-a-plan": Walk(
        {"customer": "acme", "pricePlanId": "Enterprise", "effectiveFrom": "2026-12-01"},
        (
            _ACME,
            _ACME_ACCOUNTS,
            ("list-invoices", always(**_PRODUCTION, detail="full")),
            ("list-price-plans", always()),
            (
                "get-price-plan",
                lambda seen: {"pricePlanId": row(seen[2], status="DRAFT")["pricePlanId"]},
            ),
            ("get-price-plan", lambda seen: _plan(seen[3], "Enterprise")),
            ("get-invoice", lambda seen: _invoice(seen[2], OCTOBER)),
            ("list-credits", always(**_PRODUCTION)),
            ("get-entitlements-account", always(**_PRODUCTION)),
            ("search-tools", always(query="move an account to another price plan")),
        ),
    ),
    "answer-entitlement-question": Walk(
        {"customer": "quill-lantern", "feature": "assistant", "value": "50"},
        (
            ("list-customers", always(search="quill-lantern")),
            ("list-accounts", lambda seen: {"customerId": seen[0]["data"][0]["id"]}),
            ("get-entitlements-account", always(accountId="quill-desk")),
            ("list-features", always()),
            ("get-feature", lambda seen: {"featureId": seen[2]["data"][0]["featureId"]}),
            ("get-feature-credits-balance", _answers),
            ("list-feature-credits-entries-feature", _answers),
            (
                "check-entitlement-value-account",
                lambda seen: {**_answers(seen), "body": {"value": "50"}},
            ),
        ),
    ),
    "find-unreported-usage": Walk(
        {"customer": "copper-finch"},
        (
            ("list-accounts", always(search="copper-finch", detail="full")),
            ("list-usagerecordgroups", _entitlement),
            ("list-usagerecordreports", lambda seen: {**_entitlement(seen), "detail": "full"}),
            ("get-usage-metering-config-info", always()),
            ("list-billable-metrics", always()),
            (
                "retry-usagerecordgroup",
                lambda seen: {
                    "usageRecordGroupId": row(seen[1], status="REPORT_FAILED")["id"],
                    "operationId": OPERATION,
                },
            ),
            ("list-usagerecordgroups", _entitlement),
        ),
    ),
    "close-the-month": Walk(
        {"month": "2026-10"},
        (
            ("list-invoices", always(status="DRAFT", pageSize=50)),
            (
                "list-invoices",
                always(invoiceClass="INVOICE", invoiceDate="2026-11-01", pageSize=50),
            ),
            ("list-accounts", always(status="ACTIVE", pageSize=100)),
            (
                "list-invoices",
                always(invoiceClass="INVOICE", invoiceDate="2026-10-01", pageSize=50),
            ),
            ("get-invoice", lambda seen: {"invoiceId": seen[1]["data"][0]["id"]}),
            ("list-credits", always(status="ACTIVE", pageSize=50)),
            ("list-invoices", always(status="DUE", pageSize=50)),
            ("search-tools", always(query="list usage events that failed")),
        ),
    ),
    "reconcile-a-marketplace": Walk(
        {"marketplace": "AWS", "month": "2026-11"},
        (
            ("get-usage-metering-config-info", always()),
            (
                "list-usagerecordgroups",
                always(partner="AWS", startDate="2026-11-01", endDate="2026-11-30", limit=1000),
            ),
            (
                "list-usagerecordreports",
                always(
                    partner="AWS",
                    startDate="2026-11-01",
                    endDate="2026-11-30",
                    limit=1000,
                    detail="full",
                ),
            ),
            ("list-accounts", always(status="ACTIVE", pageSize=100, detail="full")),
        ),
    ),
    "triage-failing-events": Walk(
        {"customer": "acme", "eventSchemaName": "compute"},
        (
            ("search-tools", always(query="list usage events by ingestion status")),
            ("list-event-schemas", always(status="ACTIVE")),
            ("get-event-schema", always(eventSchemaName="compute")),
            ("list-usage-meters", always(eventSchemaName="compute", detail="full")),
            ("list-accounts", always(search="acme", detail="full")),
            (
                "ingest-events",
                always(
                    events=[
                        {
                            "id": "mended-1",
                            "schemaName": "compute",
                            "timestamp": "2026-11-20T11:00:00Z",
                            "accountId": "acme-prod",
                            "attributes": [{"name": "hours", "value": "3"}],
                            "dimensions": {"region": "eu"},
                        }
                    ],
                    operationId=OPERATION,
                ),
            ),
        ),
    ),
}
