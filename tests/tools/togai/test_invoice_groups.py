"""Invoice groups through the tools."""

from datetime import UTC, datetime

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.config import Settings
from calls.payments import grouped, opened, written
from world import World

pytestmark = pytest.mark.anyio

NEW = {
    "name": "Harbor together",
    "email": "ap@harbor.example",
    "accountIds": ["harbor-main", "harbor-test"],
}


@pytest.fixture
def settings() -> Settings:
    return Settings(toolsets=("togai-invoice-groups", "togai-invoices", "togai-billing"))


async def test_a_group_is_made_with_all_that_it_can_have(world: World, client: Client) -> None:
    more = {
        "dailyInvoiceConsolidation": False,
        "netTermDays": 30,
        "address": {"line1": "1 Quay", "city": "Porto"},
    }
    made = facts(await client.call_tool("create-invoice-group", NEW | more))
    kept = world.ask("GET", f"/togai/invoice_groups/{made['id']}")
    assert (kept["netTermDays"], kept["dailyInvoiceConsolidation"]) == (30, False)
    assert kept["billingAddress"] == {"line1": "1 Quay", "city": "Porto"}
    assert kept["accounts"] == ["harbor-main", "harbor-test"]


async def test_groups_are_listed_and_one_is_shown_with_its_accounts(
    world: World, client: Client
) -> None:
    group_id = grouped(world, "Seen", "seen-1", "seen-2")
    listed = await client.call_tool("list-invoice-groups", {"pageSize": 5})
    assert f"{group_id}|Seen|USD|2" in said(listed)
    shown = facts(await client.call_tool("get-invoice-group", {"invoiceGroupId": group_id}))
    assert shown["accounts"] == ["seen-1", "seen-2"]


async def test_accounts_are_added_and_a_wrong_one_is_refused_with_the_vendors_reason(
    world: World, client: Client
) -> None:
    group = {"invoiceGroupId": grouped(world, "Growing", "growing-1")}
    added = facts(
        await client.call_tool(
            "add-invoice-group-accounts", group | {"accountIds": [opened(world, "growing-2")]}
        )
    )
    assert added["accountsCount"] == 2
    abroad = group | {"accountIds": ["mill-1"]}
    wrong = failure(await client.call_tool("add-invoice-group-accounts", abroad))
    assert wrong["kind"] == "invalid-request"
    assert "mill-1 is billed in EUR" in wrong["message"]


async def test_a_composite_invoice_is_shown_in_the_groups_currency(
    world: World, client: Client
) -> None:
    group_id = grouped(world, "Billed", "billed-1")
    written(world, "billed-1", status="DUE")
    world.sandbox.backend.advance_to(datetime(2026, 11, 21, tzinfo=UTC))

    (row,) = facts(await client.call_tool("list-invoices", {"accountId": group_id}))["data"]

    assert row["totalAmount"] == "80.00"
    assert row["invoiceDetails"]["invoiceGroup"]["invoiceCurrency"] == "USD"
    whole = facts(await client.call_tool("get-invoice", {"invoiceId": row["id"]}))
    assert whole["revenueInfo"]["value"] == "80.00"
    assert whole["revenueInfo"]["lineItems"][0]["type"] == "TOTAL_AMOUNT"
