"""The demo company at Suger: its buyers, entitlements and metering on three marketplaces."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox.company import usage
from billing_mcp.sandbox.company.books import Books
from billing_mcp.sandbox.company.customers import CUSTOMERS, Customer
from billing_mcp.sandbox.suger.buyers import insert_buyer
from billing_mcp.sandbox.suger.entitlements import insert_entitlement
from billing_mcp.sandbox.suger.usage_record_groups import insert_usage_record_group

# Usage is shown from here on; Suger lists thirty days unless it is asked for others.
FIRST_DAY = date(2026, 11, 6)

_ORG = "/suger/org/sandbox"
_LAST_MORNING = datetime(2026, 11, 20, tzinfo=UTC)

# Event schema -> key, name and unit price of the dimension its usage is metered by.
_DIMENSIONS: dict[str, tuple[str, str, str]] = {
    "api_requests": ("api_requests", "API requests", "0.001"),
    "compute": ("compute_hours", "Compute hours", "0.04"),
    "storage": ("storage_gb_days", "Storage GB-days", "0.02"),
    "report": ("reports", "Reports", "1.5"),
    "assistant": ("assistant_answers", "Assistant answers", "0.1"),
}
# Azure takes API requests by the thousand.
_THOUSANDS = {"key": "thousand_requests", "name": "Thousand API requests", "rate": Decimal(1)}

_ANSWERS = "answers-by-workspace"
_EXPORTS = "trial-exports"


def announce(books: Books) -> None:
    """What the marketplaces tell: who bought what. And how Suger is set up."""
    for metric_id, name, aggregation, info in (
        (_ANSWERS, "Answers by workspace", "SUM", {"groupBys": ["workspace"]}),
        (_EXPORTS, "Trial exports", "COUNT", {}),
    ):
        body = {"id": metric_id, "name": name, "aggregationType": aggregation, "info": info}
        books.ask("POST", f"{_ORG}/billableMetric", body)
    mapping = {"dimensionKey": _THOUSANDS["key"], "convertionMultiplier": Decimal("0.001")}
    azure = {
        "partner": "AZURE",
        "enableDimensionMapping": True,
        "dimensionMappingV2": {"api_requests": [{**mapping, "mappingMode": "QUANTITY"}]},
    }
    config = {"partnerUsageMeteringConfigs": [azure]}
    books.ask("PATCH", f"{_ORG}/usageMeteringConfigInfo", config)
    for number, customer in enumerate(CUSTOMERS, 1):
        if customer.partner is not None:
            account_id = customer.accounts[0].id
            books.entitlements[account_id] = _sell(books, customer, customer.partner, number)


def _sell(books: Books, customer: Customer, partner: str, number: int) -> str:
    external = f"{partner.lower()}-customer-{number:03}"
    schemas = [schema for account, schema in usage.RHYTHMS if account == customer.accounts[0].id]
    info: dict[str, Any] = {
        "dimensions": [_dimension(schema) for schema in schemas],
        "currency": "USD",
    }
    if partner == "AZURE":
        info["dimensions"].append(_THOUSANDS)
    if "assistant" in schemas:
        info["billableDimensions"] = [
            {"billableMetricId": metric_id, "priceModelBasic": {"unitAmount": Decimal("0.1")}}
            for metric_id in (_ANSWERS, _EXPORTS)
        ]
    with books.call() as call:
        buyer = {"awsBuyer": {"awsAccountID": f"{number:012}"}} if partner == "AWS" else {}
        buyer_id = insert_buyer(
            call, partner=partner, external_id=external, name=customer.name, info=buyer
        )
        return insert_entitlement(
            call,
            buyer_id=buyer_id,
            name=f"Northbeam Cloud for {customer.name}",
            product_id="northbeam-cloud",
            start_time=datetime(2026, 8, 1, tzinfo=UTC),
            info=info,
            external_id=f"{external}-subscription",
            external_product_id=f"northbeam-{partner.lower()}",
        )


def _dimension(schema: str) -> dict[str, Any]:
    key, name, rate = _DIMENSIONS[schema]
    return {"key": key, "name": name, "rate": Decimal(rate)}


def reported_at(day: date) -> datetime:
    return usage.metered_at(day) + timedelta(minutes=15)


def report(books: Books, day: date) -> None:
    """Tell Suger what was used on a day; the next full hour tells the marketplaces."""
    groups: dict[str, dict[str, int]] = {}
    for (account_id, schema), rhythm in usage.RHYTHMS.items():
        if account_id in books.entitlements and (units := rhythm.on(day)):
            groups.setdefault(account_id, {})[_DIMENSIONS[schema][0]] = units
    batch = [
        {"entitlementID": books.entitlements[account_id], "records": records}
        for account_id, records in groups.items()
    ]
    books.ask("POST", f"{_ORG}/batchCreateUsageRecordGroups", batch)


def last_morning() -> Iterator[tuple[datetime, Callable[[Books], object]]]:
    """The twentieth of November: one of each thing that can become of usage."""
    for hours, minutes, step in (
        (0, 40, _refused),
        (8, 30, _by_workspace),
        (9, 10, _unknown_dimension),
        (9, 40, _reported_twice),
        (11, 20, _of_a_deleted_metric),
        (12, 0, _waiting),
    ):
        yield _LAST_MORNING + timedelta(hours=hours, minutes=minutes), step


def _refused(books: Books) -> None:
    """AWS does not know Copper Finch at this moment: its report of the 19th has failed."""
    refuse = {"refuse": [books.entitlements["finch-live"]]}
    books.backend.run_job("marketplace-report", refuse)


def _by_workspace(books: Books) -> None:
    records = [
        {"key": _ANSWERS, "quantity": quantity, "properties": {"workspace": workspace}}
        for workspace, quantity in (("editorial", 21), ("foreign-rights", 9))
    ]
    _one(books, "quill-desk", billableRecords=records)


def _unknown_dimension(books: Books) -> None:
    """Stripe pushed usage of a dimension the entitlement has not: INVALID at the next hour."""
    with books.call() as call:
        insert_usage_record_group(
            call,
            entitlement_id=books.entitlements["kite-reports"],
            records={"seats": Decimal(4)},
            source="STRIPE",
        )


def _reported_twice(books: Books) -> None:
    group = _one(books, "acme-prod", records={"compute_hours": 4_000})
    books.ask("DELETE", f"{_ORG}/usageRecordGroup/{group['id']}")


def _of_a_deleted_metric(books: Books) -> None:
    """Its metric is deleted before the hour, so that no report can be made: REPORT_PENDING."""
    _one(books, "quill-desk", billableRecords=[{"key": _EXPORTS}])
    books.ask("PATCH", f"{_ORG}/billableMetric/{_EXPORTS}", {"status": "DELETED"})


def _waiting(books: Books) -> None:
    _one(books, "sakura-tokyo", records={"api_requests": 12_480})


def _one(books: Books, account_id: str, **usage_of: Any) -> Any:
    entitlement_id = books.entitlements[account_id]
    path = f"{_ORG}/entitlement/{entitlement_id}/usageRecordGroup"
    body = {"organizationID": "sandbox", "entitlementID": entitlement_id, "records": {}, **usage_of}
    return books.ask("POST", path, body)
