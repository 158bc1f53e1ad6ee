"""Reading: with every tool that only reads, and a picture of all that is stored on either side."""

from collections.abc import Mapping
from typing import Any

from life.company import Company, Picks

_CALCULATED = {
    "currencyConfig": {"mode": "CUSTOM", "currency": "USD"},
    "usageConfig": {"mode": "CUSTOM", "usageMap": {}},
    "licenseEntriesConfig": {"mode": "CUSTOM"},
}
# Whose answer is the point of the reading itself: what they need is more than an id.
_ASKED: Mapping[str, dict[str, Any]] = {
    "query-metrics": {
        "startTime": "2026-11-01T00:00:00Z",
        "endTime": "2027-02-01T00:00:00Z",
        "metricQueries": [{"name": "REVENUE", "aggregationPeriod": "MONTH"}],
    },
    "check-entitlement-value-account": {"body": {"value": "3"}},
    "calculate-revenue-v1": _CALCULATED,
    "calculate-revenue-v2": _CALCULATED,
}
_OWN = {"search-tools", "run-read-tool", "get-operation", "list-operations"}


async def ids_at_hand(company: Company) -> dict[str, Any]:
    """An id for every argument that is one, as far as there is such a thing."""

    async def first(tool: str, name: str = "id", **arguments: Any) -> Any:
        rows = await company.rows(tool, **arguments)
        return rows[0][name] if rows else None

    schedule = await first("list-account-schedules", accountId="main")
    schedule = schedule or await first("list-account-schedules", accountId="steady")
    plan = company.plans["Basic"]
    shown = await company.read("get-price-plan", pricePlanId=plan)
    found = {
        "accountId": "main",
        "customerId": "acme",
        "featureId": company.answers,
        "pricePlanId": plan,
        "pricingScheduleId": shown["pricingSchedule"][0]["id"],
        "scheduleId": schedule,
        "usageMeterId": company.meters["Calls"],
        "addonId": company.add_ons["Seats"],
        "eventSchemaName": "api_calls",
        "invoiceId": await first("list-invoices"),
        "creditId": await first("list-credits"),
        "eventId": next(iter(company.model.events), None),
        "paymentId": await first("list-payments"),
        "jobId": await first("list-jobs"),
        "purchaseId": await first("list-account-purchases", accountId="main"),
        "purchaseProposalId": await first("list-account-proposals", accountId="main"),
        "invoiceGroupId": next(iter(company.model.groups), None),
        "migrationId": await first("list-jobs"),
        "alias": await first("list-aliases", "value"),
        "settingId": await first("list-settings"),
        "fileId": await first("list-reports", "fileId"),
        "incidentId": await first("list-incidents"),
        "pricePlanDetailsConfig": {"mode": "PRICE_PLAN", "pricePlanId": plan},
        "alertTemplateId": await first("list-alert-templates"),
    }
    return {name: value for name, value in found.items() if value is not None}


async def leave_something_of_everything(company: Company) -> None:
    """What a life has no step for, so that each reading tool finds something."""
    account = {"accountId": "main"}
    till = {"sourceName": "Till", "sourceType": "CASH", "transactionNumber": "1"}
    setting = {"id": "limit", "namespace": "api", "name": "Limit", "value": "1"}
    owner = {"entityType": "ACCOUNT", "entityId": "main", "dataType": "NUMERIC"}
    writes: dict[str, dict[str, Any]] = {
        "create-aliases": {"aliases": ["device"]},
        "create-setting": setting | owner,
        "update-wallet": account | {"status": "ACTIVE"},
        "create-payments": account
        | {
            "totalAmount": "5",
            "currency": "USD",
            "externalPaymentReference": till,
            "lineItemRecords": [{"type": "WALLET_CREDIT"}],
        },
        "create-proposal": account
        | {"type": "WALLET_TOPUP", "paymentMode": "PREPAID", "topupAmount": "20"},
        "create-bill-run": {},
        # Whatever main has, it is less than that.
        "create-alert": {
            "alertTemplateId": "alert_template.credit-balance",
            "interval": 1440,
            "entityDetails": {"account": {"id": "main"}},
            "parameters": {"threshold": {"value": 1_000_000}},
        },
    }
    for tool, arguments in writes.items():
        assert await company.ask(tool, **arguments), (tool, company.refused)
    company.model.received += 5
    company.sandbox.backend.run_job("write-reports", {})


async def look(company: Company, picks: Picks) -> None:
    """One reading tool."""
    ids = await ids_at_hand(company)
    await changes_nothing(company, picks.of(_readable(company, ids)), ids)


async def look_at_everything(company: Company) -> set[str]:
    """Every reading tool that there is something for; answers those there was nothing for."""
    ids = await ids_at_hand(company)
    names = _readable(company, ids)
    for name in names:
        await changes_nothing(company, name, ids)
    schema = company.server.catalog.schema
    reading = {
        name
        for name in company.server.catalog.served
        if schema(name)["annotations"]["readOnlyHint"]
    }
    return reading - _OWN - set(names)


def _readable(company: Company, ids: Mapping[str, Any]) -> list[str]:
    found = []
    for name in company.server.catalog.served:
        schema = company.server.catalog.schema(name)
        needed = set(schema["inputSchema"].get("required", ()))
        known = ids.keys() | _ASKED.get(name, {}).keys()
        if schema["annotations"]["readOnlyHint"] and name not in _OWN and needed <= known:
            found.append(name)
    return found


async def changes_nothing(company: Company, name: str, ids: Mapping[str, Any]) -> None:
    # What runs is computed when it is looked at; from then on it stays until something is done.
    await company.rows("list-invoices")
    before = picture(company)
    schema = company.server.catalog.schema(name)["inputSchema"]
    given = {one: ids[one] for one in schema.get("required", ()) if one in ids}
    await company.ask(name, **given, **_ASKED.get(name, {}))
    assert picture(company) == before, name


def picture(company: Company) -> list[str]:
    """All that the vendors have stored, the counter of ids among it."""
    return list(company.sandbox.backend.db.iterdump())
