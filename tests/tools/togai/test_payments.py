"""Payments through the tools: recorded with what they are used for, listed, shown."""

from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.config import Settings
from calls.payments import REFERENCE, written
from world import OPERATION, World

pytestmark = pytest.mark.anyio

PAYMENT: dict[str, Any] = {
    "accountId": "harbor-main",
    "totalAmount": "60",
    "currency": "usd",
    "externalPaymentReference": REFERENCE,
}


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("togai-payments",), policy=policy)


async def test_a_payment_is_recorded_with_all_that_it_can_have(
    world: World, client: Client
) -> None:
    invoice_id = written(world, status="DUE")
    records = [
        {"type": "CREDIT", "amount": "5.5"},
        {"type": "INVOICE", "togaiId": invoice_id, "amount": 40},
    ]
    more = {
        "description": "October",
        "notes": "By wire",
        "lineItemRecords": records,
        "operationId": OPERATION,
        "externalPaymentReference": REFERENCE | {"metadata": {"clerk": "7"}},
    }
    made = facts(await client.call_tool("create-payments", PAYMENT | more))

    assert (made["totalAmount"], made["currency"], made["operationId"]) == (
        "60.00",
        "USD",
        OPERATION,
    )
    used = [(row["type"], row["amount"], row["order"]) for row in made["lineItemRecords"]]
    assert used == [("CREDIT", "5.50", 1), ("INVOICE", "40.00", 2), ("WALLET_CREDIT", "14.50", 3)]
    kept = world.ask("GET", f"/togai/payments/{made['id']}")
    assert kept["externalPaymentReferences"]["metadata"] == {
        "clerk": "7",
        "billingMcpOperation": OPERATION,
    }
    assert (kept["description"], kept["notes"]) == ("October", "By wire")
    paid = world.ask("GET", f"/togai/invoices/{invoice_id}")
    assert (paid["status"], paid["paidAmount"]) == ("PARTIALLY_PAID", 40)


async def test_records_may_say_their_order_but_not_the_same_one(
    world: World, client: Client
) -> None:
    wallet = {"type": "WALLET_CREDIT", "amount": "1"}
    twice = {"lineItemRecords": [wallet | {"order": 2}, wallet | {"order": 2}]}
    wrong = failure(await client.call_tool("create-payments", PAYMENT | twice))
    assert (wrong["field"], world.effects("payment")) == ("lineItemRecords", [])
    placed = {"lineItemRecords": [wallet | {"order": 9}, wallet | {"order": 3}]}
    made = facts(await client.call_tool("create-payments", PAYMENT | placed))
    assert [row["order"] for row in made["lineItemRecords"]] == [3, 9, 10]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"totalAmount": "0"}, "totalAmount"),
        ({"currency": "dollars"}, "currency"),
        ({"lineItemRecords": []}, "lineItemRecords"),
        ({"lineItemRecords": [{"type": "INVOICE"}]}, "lineItemRecords[0]"),
        ({"lineItemRecords": [{"type": "CASH"}]}, "lineItemRecords[0].type"),
        ({"externalPaymentReference": REFERENCE | {"sourceType": "SHELLS"}}, None),
        ({"externalPaymentReference": REFERENCE | {"iban": "1"}}, None),
        ({"idempotencyKey": "x"}, "idempotencyKey"),
    ],
)
async def test_a_wrong_payment_records_nothing(
    change: dict[str, Any], field: str | None, world: World, client: Client
) -> None:
    call = PAYMENT | {"lineItemRecords": [{"type": "WALLET_CREDIT"}]} | change
    wrong = failure(await client.call_tool("create-payments", call))
    assert wrong["kind"] == "invalid-request"
    if field is not None:
        assert wrong["field"] == field
    assert world.effects("payment") == []


async def test_payments_are_a_table_and_one_is_shown_with_its_records(
    world: World, client: Client
) -> None:
    wallet = {"lineItemRecords": [{"type": "WALLET_CREDIT"}]}
    made = facts(await client.call_tool("create-payments", PAYMENT | wallet))

    listed = await client.call_tool("list-payments", {})

    (row,) = facts(listed)["data"]
    assert (row["id"], row["totalAmount"], row["currency"]) == (made["id"], "60.00", "USD")
    assert "lineItemRecords" not in row
    assert "BANK_TRANSFER|T-1" in said(listed)
    one = facts(await client.call_tool("get-payment", {"paymentId": made["id"], "version": 1}))
    assert one["lineItemRecords"] == made["lineItemRecords"]
    assert world.effects("payment") == ["T-1"]
    none = failure(await client.call_tool("get-payment", {"paymentId": "payment.0"}))
    assert none["kind"] == "not-found"


async def test_the_older_operation_marks_an_invoice_as_paid(world: World, client: Client) -> None:
    invoice_id = written(world, status="DUE")
    paid = facts(await client.call_tool("update-invoice-payment-status", {"invoiceId": invoice_id}))
    assert (paid["status"], paid["paidAmount"]) == ("PAID", "80.00")
