"""Invoices by hand, charges beside the plan and bill runs through the tools."""

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, forget, said
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
from calls.payments import PERIOD, granted, running, written
from world import OPERATION, World

pytestmark = pytest.mark.anyio

WORKSHOP = {"description": "Workshop", "value": "80"}
INVOICE: dict[str, Any] = {"accountId": "harbor-main", "lineItems": [WORKSHOP], **PERIOD}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Nothing here waits for a person's yes."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("togai-invoices", "togai-credits"), policy=policy)


async def test_an_invoice_is_written_with_all_that_it_can_have(
    world: World, client: Client
) -> None:
    lines = [
        {"id": "line-1", "description": "Talk", "value": "99.999", "billableId": "addon.x"},
        {"quantity": 3, "valuePerQuantity": "0.125"},
    ]
    more = {
        "lineItems": lines,
        "status": "DUE",
        "autoAdvance": True,
        "applyCredits": False,
        "applyWalletBalance": False,
        "ownerType": "ACCOUNT",
    }
    world.ask("POST", "/togai/accounts/harbor-main/wallet_topup", {"topupAmount": 5})
    made = facts(await client.call_tool("create-custom-invoice", INVOICE | more))
    # 99.99 and 0.37, both cut.
    assert (made["status"], made["totalAmount"], made["paidAmount"]) == ("DUE", "100.36", "0.00")
    assert world.effects("custom-invoice") == [made["operationId"]]


async def test_an_invoice_is_a_draft_unless_told_otherwise(world: World, client: Client) -> None:
    made = facts(await client.call_tool("create-custom-invoice", INVOICE))
    assert made["status"] == "DRAFT"
    assert world.ask("GET", f"/togai/invoices/{made['id']}")["autoAdvance"] is False


async def test_an_old_invoice_never_passes_for_another_one(
    server: BillingServer, world: World, client: Client
) -> None:
    call = INVOICE | {"operationId": OPERATION}
    first = facts(await client.call_tool("create-custom-invoice", call))
    await forget(server)
    again = facts(await client.call_tool("create-custom-invoice", call))
    assert again["id"] == first["id"]
    await forget(server)
    other = call | {"endDate": "2026-11-02T00:00:00Z"}
    wrong = failure(await client.call_tool("create-custom-invoice", other))
    assert wrong["kind"] == "conflict"
    assert first["id"] in wrong["message"]
    assert world.effects("custom-invoice") == [OPERATION]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lineItems": []}, "lineItems"),
        ({"lineItems": [{"description": "Talk"}]}, "lineItems[0]"),
        ({"lineItems": [{"quantity": "1"}]}, "lineItems[0]"),
        ({"lineItems": [{"value": "-1"}]}, "lineItems[0].value"),
        ({"status": "VOID"}, "status"),
        ({"endDate": "2026-10-01T00:00:00Z"}, "endDate"),
        ({"currency": "USD"}, "currency"),
    ],
)
async def test_a_wrong_invoice_names_its_field_and_writes_nothing(
    change: dict[str, Any], field: str, world: World, client: Client
) -> None:
    wrong = failure(await client.call_tool("create-custom-invoice", INVOICE | change))
    assert (wrong["kind"], wrong["field"]) == ("invalid-request", field)
    assert world.effects("custom-invoice") == []


async def test_a_draft_is_changed_made_due_and_cancelled(world: World, client: Client) -> None:
    draft = {"invoiceId": written(world)}
    changes = {
        "lineItems": [{"description": "Talk", "value": "12.5"}],
        "startDate": "2026-10-02T00:00:00Z",
        "endDate": "2026-12-02T00:00:00Z",
        "autoAdvance": True,
    }
    changed = facts(await client.call_tool("update-invoice", draft | changes))
    assert (changed["totalAmount"], changed["startDate"]) == ("12.50", "2026-10-02T00:00:00.000Z")
    for status in ("DUE", "UN_COLLECTIBLE", "VOID"):
        shown = facts(await client.call_tool("update-invoice", draft | {"status": status}))
        assert shown["status"] == status
    refused = failure(await client.call_tool("update-invoice", draft | {"status": "PAID"}))
    assert refused["kind"] == "invalid-request"
    assert "from VOID an invoice goes to nothing" in refused["message"]
    nothing = failure(await client.call_tool("update-invoice", draft))
    assert nothing["field"] == "status"


async def test_a_draft_is_deleted(world: World, client: Client) -> None:
    draft = {"invoiceId": written(world)}
    assert facts(await client.call_tool("delete-custom-invoice", draft))["success"] is True
    gone = failure(await client.call_tool("delete-custom-invoice", draft))
    assert gone["kind"] == "not-found"
    assert "list-invoices" in gone["next"]


async def test_charges_are_set_on_a_running_invoice(world: World, client: Client) -> None:
    invoice = {"invoiceId": running(world)}
    items = [
        {"name": "Set-up", "value": "100", "considerForRevenue": True},
        {"name": "Visits", "rate": "12.5", "quantity": "3"},
        {"name": "Levy", "value": '{"*": [2, 3]}'},
    ]
    result = await client.call_tool("set-invoice-charges", invoice | {"items": items})
    assert [row["value"] for row in facts(result)["data"]] == ["100", "37.5", '{"*": [2, 3]}']
    assert "Visits|37.5|12.5|3" in said(result)
    # The plan's 99, then 100, 37.50 and 6.
    shown = facts(await client.call_tool("get-invoice", invoice))
    assert shown["totalAmount"] == "242.50"
    assert facts(await client.call_tool("set-invoice-charges", invoice | {"items": []}))
    assert world.ask("GET", f"/togai/invoices/{invoice['invoiceId']}")["totalAmount"] == 99


async def test_charges_are_set_on_the_upcoming_invoice(world: World, client: Client) -> None:
    upcoming = {"accountId": "harbor-main", "items": [{"name": "Set-up", "value": "1.239"}]}
    facts(await client.call_tool("set-upcoming-charges", upcoming))
    shown = world.ask("GET", f"/togai/invoices/{running(world)}")
    assert str(shown["totalAmount"]) == "100.23"


@pytest.mark.parametrize(
    "item",
    [
        {"name": "Fee"},
        {"name": "Fee", "rate": "1"},
        {"name": "Fee", "rate": "1", "quantity": "1", "value": "1"},
        {"value": "1"},
        {"name": "Fee", "value": "1", "tax": "1"},
    ],
)
async def test_a_wrong_charge_sets_nothing(
    item: dict[str, Any], world: World, client: Client
) -> None:
    call = {"accountId": "harbor-main", "items": [item]}
    wrong = failure(await client.call_tool("set-upcoming-charges", call))
    assert wrong["kind"] == "invalid-request"
    assert wrong["field"].startswith("items[0]")
    assert world.effects("miscellaneous-charges") == []


async def test_a_bill_run_makes_final_what_it_lists(world: World, client: Client) -> None:
    draft = written(world)
    mine = {"accountId": "harbor-main", "startTime": "2026-10-01T00:00:00Z"}
    listed = facts(await client.call_tool("list-bill-run-invoices", mine))
    assert [row["id"] for row in listed["data"]] == [draft]
    early = mine | {"endTime": "2026-10-02T00:00:00Z"}
    assert facts(await client.call_tool("list-bill-run-invoices", early))["count"] == 0

    facts(await client.call_tool("create-bill-run", {"requireConfirmation": True}))
    assert world.ask("GET", f"/togai/invoices/{draft}")["status"] == "DRAFT"
    facts(await client.call_tool("create-bill-run", {}))
    assert world.ask("GET", f"/togai/invoices/{draft}")["status"] == "DUE"


async def test_logs_of_pricing_rules_are_listed(world: World, client: Client) -> None:
    shown = facts(await client.call_tool("list-pricing-rule-logs", {"invoiceId": running(world)}))
    assert (shown["data"], shown["count"]) == ([], 0)


async def test_a_credit_is_shown_with_what_was_done_with_it_and_voided(
    world: World, client: Client
) -> None:
    credit = {"creditId": granted(world, "Welcome")}
    account = {"accountId": "harbor-test"}
    balance = facts(await client.call_tool("get-credit-balance", account))
    assert (balance["availableBalance"], balance["unit"]) == ("30.00", "USD")
    until = {"endDate": "2026-11-21T00:00:00Z"}
    written(world, "harbor-test", status="DUE", lineItems=[{"value": 10}], **until)

    assert facts(await client.call_tool("void-credit", credit))["status"] == "VOIDED"

    shown = facts(await client.call_tool("get-credit", credit))
    moved = [(entry["transactionType"], entry["amount"]) for entry in shown["transactions"]]
    assert moved == [("CREDITED", "30.00"), ("DEBITED", "10.00"), ("VOIDED", "20.00")]
    again = failure(await client.call_tool("void-credit", credit))
    assert "only an ACTIVE one" in again["message"]
