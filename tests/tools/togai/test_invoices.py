"""Invoices: found by account, status and period, their amounts exact."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.sandbox.togai.invoices import NewInvoice, insert_invoice
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach
from world import World

pytestmark = pytest.mark.anyio


def invoice(world: World, account_id: str, status: str, total: str, month: int) -> str:
    """An invoice of a month in 2026."""
    line = {"description": "Total", "type": "GRAND_TOTAL_AMOUNT", "value": Decimal(total)}
    with world.sandbox.backend.transaction() as call:
        return insert_invoice(
            call,
            NewInvoice(
                account_id=account_id,
                price_plan_id=world.plan,
                start=date(2026, month, 1),
                end=date(2026, month + 1, 1),
                status=status,
                lines=line,
                paid=Decimal(total) if status == "PAID" else Decimal(0),
            ),
        )


@pytest.fixture
def invoices(world: World) -> dict[str, str]:
    """Our names of five invoices → their ids; `running` is the one of harbor-main's plan."""
    running = {"owner_id": "harbor-main", "status": "DRAFT"}
    (plan,) = world.sandbox.backend.request("GET", "/togai/invoices", **running)["data"]
    return {
        "running": plan["id"],
        "october": world.invoice,
        "september": invoice(world, "harbor-main", "PAID", "1234567.89", 9),
        "draft": invoice(world, "harbor-test", "DRAFT", "0.05", 11),
        "mill": invoice(world, "mill-1", "DUE", "7", 10),
    }


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({}, {"october", "september", "running", "draft", "mill"}),
        ({"accountId": "harbor-main"}, {"october", "september", "running"}),
        ({"accountId": "harbor-main", "status": "PAID"}, {"september"}),
        ({"status": "DUE"}, {"october", "mill"}),
        ({"invoiceClass": "ORDER"}, set()),
        ({"status": "DRAFT", "invoiceClass": "INVOICE", "accountId": "harbor-test"}, {"draft"}),
        ({"customerId": "harbor-labs"}, {"october", "september", "running", "draft"}),
        ({"customerId": "harbor-labs", "status": "DUE"}, {"october"}),
        ({"customerId": "harbor-labs", "accountId": "harbor-test"}, {"draft"}),
        ({"status": "DUE", "invoiceDate": "2026-11-01"}, {"october", "mill"}),
        (
            {"status": "DUE", "invoiceDate": "2026-11-01", "customerId": "north-mill"},
            {"mill"},
        ),
    ],
)
async def test_invoices_are_found_by_what_the_vendor_can_filter_by(
    arguments: dict[str, Any], found: set[str], invoices: dict[str, str], client: Client
) -> None:
    answer = facts(await client.call_tool("list-invoices", arguments))
    assert {row["id"] for row in answer["data"]} == {invoices[name] for name in found}


async def test_the_invoices_of_a_plan_are_found_by_period(
    world: World, invoices: dict[str, str], client: Client
) -> None:
    plan = {"accountId": "harbor-main", "pricePlanId": world.plan}
    period = {"startDate": "2026-09-01", "endDate": "2026-10-01"}
    (row,) = facts(await client.call_tool("list-invoices", plan | period))["data"]
    assert row["id"] == invoices["september"]
    assert row["startDate"] == "2026-09-01T00:00:00.000Z"
    assert row["endDate"] == "2026-10-01T00:00:00.000Z"


async def test_a_concise_invoice_says_who_owes_how_much_for_what_and_until_when(
    invoices: dict[str, str], client: Client
) -> None:
    arguments = {"accountId": "harbor-main", "status": "PAID"}
    result = await client.call_tool("list-invoices", arguments)
    (row,) = facts(result)["data"]
    assert row == {
        "id": invoices["september"],
        "ownerId": "harbor-main",
        "status": "PAID",
        "totalAmount": "1234567.89",
        "paidAmount": "1234567.89",
        "invoiceDetails": {"account": {"invoiceCurrency": "USD"}},
        "startDate": "2026-09-01T00:00:00.000Z",
        "endDate": "2026-10-01T00:00:00.000Z",
        "dueDate": "2026-10-01T00:00:00.000Z",
    }
    *_, columns, line = said(result).splitlines()
    assert columns.split("|")[1:6] == [
        "ownerId",
        "status",
        "totalAmount",
        "paidAmount",
        "invoiceCurrency",
    ]
    assert line.split("|")[1:6] == ["harbor-main", "PAID", "1234567.89", "1234567.89", "USD"]


async def test_an_amount_is_shown_at_the_scale_of_its_currency(
    server: BillingServer, client: Client
) -> None:
    def of(currency: str, total: Any) -> dict[str, Any]:
        account = {"account": {"invoiceCurrency": currency}}
        return {"id": currency, "totalAmount": total, "invoiceDetails": account}

    unknown = {"id": "?", "totalAmount": 7}
    attach(server, Recorder(Says({"data": [of("USD", 7), of("JPY", 7), of("KWD", 7), unknown]})))
    rows = facts(await client.call_tool("list-invoices", {}))["data"]
    assert [row["totalAmount"] for row in rows] == ["7.00", "7", "7.000", "7"]


@pytest.mark.parametrize(
    ("arguments", "field", "next_step"),
    [
        ({"invoiceDate": "2026-11-01"}, "invoiceDate", "invoiceDate needs status or invoiceClass"),
        ({"pricePlanId": "pp.1"}, "pricePlanId", "pricePlanId needs accountId"),
        ({"startDate": "2026-11-01"}, "startDate", "startDate and endDate need both of those"),
        (
            {"accountId": "a", "startDate": "2026-11-01"},
            "startDate",
            "Leave out startDate and look through the rows.",
        ),
        (
            {"accountId": "a", "pricePlanId": "pp.1", "status": "DUE"},
            "pricePlanId",
            "Leave out pricePlanId and look through the rows.",
        ),
    ],
)
async def test_filters_that_the_vendor_cannot_combine_are_refused_before_anything_is_sent(
    arguments: dict[str, Any], field: str, next_step: str, server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"data": []}))
    attach(server, recorder)
    wrong = failure(await client.call_tool("list-invoices", arguments))
    assert wrong["kind"] == "invalid-request"
    assert wrong["field"] == field
    assert next_step in wrong["next"]
    assert recorder.requests == []


async def test_the_vendors_names_of_the_query_are_used(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"data": []}))
    attach(server, recorder)
    arguments = {"accountId": "a", "status": "DUE", "invoiceClass": "INVOICE", "pageSize": 5}
    facts(await client.call_tool("list-invoices", arguments))
    facts(await client.call_tool("list-invoices", {"nextToken": "abc="}))
    assert [request.target for request in recorder.requests] == [
        "/togai/invoices?owner_id=a&status=DUE&class=INVOICE&pageSize=5",
        "/togai/invoices?nextToken=abc%3D",
    ]
