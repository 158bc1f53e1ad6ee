"""What the prompts say adds up does add up, in every invoice and report of the demo company."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from mcp import Client

from answers import connected, facts
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer

pytestmark = pytest.mark.anyio


def lines(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield tree
    for line in tree["lineItems"]:
        yield from lines(line)


def amount(tree: Mapping[str, Any], kind: str) -> Decimal:
    """The value of the lines of a type; an invoice without one has nothing of it."""
    return sum((Decimal(line["value"]) for line in lines(tree) if line["type"] == kind), Decimal(0))


async def trees(client: Client) -> list[dict[str, Any]]:
    found = []
    for account_id in ("acme-prod", "helios-main", "kite-reports"):
        listed = facts(await client.call_tool("list-invoices", {"accountId": account_id}))
        for invoice in listed["data"]:
            whole = facts(await client.call_tool("get-invoice", {"invoiceId": invoice["id"]}))
            assert whole["revenueInfo"]["value"] == invoice["totalAmount"]
            found.append(whole["revenueInfo"])
    return found


async def test_the_lines_of_an_invoice_add_up_as_explain_a_bill_says() -> None:
    async with connected(BillingServer(Settings(toolsets=("all",)))) as client:
        invoices = await trees(client)
    for tree in invoices:
        for line in lines(tree):
            if line["lineItems"]:
                below = sum(Decimal(part["value"]) for part in line["lineItems"])
                assert Decimal(line["value"]) == below
        net, gross = amount(tree, "NET_AMOUNT"), amount(tree, "GROSS_AMOUNT")
        plan = amount(tree, "PRICE_PLAN_AMOUNT")
        assert net == gross + amount(tree, "TOTAL_CREDITS")
        assert gross == plan + amount(tree, "TOTAL_ADVANCED_FEES")
        assert plan == amount(tree, "SUB_TOTAL_AMOUNT") + amount(tree, "TRUE_UP_AMOUNT")
    assert min(amount(tree, "TOTAL_CREDITS") for tree in invoices) < 0
    assert max(amount(tree, "TRUE_UP_AMOUNT") for tree in invoices) > 0


@pytest.mark.parametrize("partner", ["AWS", "AZURE", "GCP"])
async def test_what_was_reported_is_what_was_sent_as_reconcile_a_marketplace_says(
    partner: str,
) -> None:
    window = {"partner": partner, "startDate": "2026-11-01", "endDate": "2026-11-30"}
    whole = {**window, "limit": 1000, "detail": "full"}
    async with connected(BillingServer(Settings())) as client:
        groups = facts(await client.call_tool("list-usagerecordgroups", whole))
        reports = facts(await client.call_tool("list-usagerecordreports", whole))
    assert not groups["hasMore"]
    sent: Counter[tuple[str, str]] = Counter()
    for report in reports["data"]:
        if report["info"]["status"] == "SUCCESS":
            for dimension, quantity in report["info"]["reportedRecords"].items():
                sent[report["entitlementID"], dimension] += Decimal(quantity)  # type: ignore[assignment]  # exact
    used: Counter[tuple[str, str]] = Counter()
    good = {row["id"] for row in reports["data"] if row["info"]["status"] == "SUCCESS"}
    for group in groups["data"]:
        if group["status"] == "REPORTED":
            assert group["usageRecordReportID"] in good
            for dimension, quantity in (group["records"] or {}).items():
                used[group["entitlementID"], dimension] += Decimal(quantity)  # type: ignore[assignment]  # exact
    assert used == sent
    assert used


async def test_a_check_of_a_value_does_not_know_what_is_used_as_the_prompt_warns() -> None:
    async with connected(BillingServer(Settings())) as client:
        account = {"accountId": "quill-desk"}
        entitled = facts(await client.call_tool("get-entitlements-account", account))
        feature = {**account, "featureId": entitled["data"][0]["featureId"]}
        balance = facts(await client.call_tool("get-feature-credits-balance", feature))
        checked = await client.call_tool(
            "check-entitlement-value-account", {**feature, "body": {"value": "50"}}
        )
    assert balance["balance"] == "30"
    assert facts(checked)["success"] is True
