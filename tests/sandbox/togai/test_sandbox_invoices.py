"""Stored invoices of the emulated Togai: filters, figures, lines."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_mcp import money
from billing_mcp.sandbox.togai.invoices import NewInvoice, insert_invoice
from sandbox.asking import Asker
from sandbox.togai.world import account, plan

OCTOBER = {"start": date(2026, 10, 1), "end": date(2026, 11, 1)}


def lines(total: str) -> dict[str, Any]:
    kind = "FIXED_FEE_RATE_CARD_AMOUNT"
    fee = {"type": kind, "description": "Fee", "value": Decimal(total), "lineItems": []}
    return {
        "type": "GRAND_TOTAL_AMOUNT",
        "description": "Total",
        "value": Decimal(total),
        "lineItems": [fee],
    }


def store(ask: Asker, **fields: Any) -> str:
    settings: dict[str, Any] = {
        "account_id": "main",
        "price_plan_id": None,
        "status": "DUE",
        "lines": lines("12.34"),
        **OCTOBER,
        **fields,
    }
    with ask.sandbox.backend.transaction() as call:
        return insert_invoice(call, NewInvoice(**settings))


def test_an_invoice_shows_period_term_figures_parties_and_lines(ask: Asker) -> None:
    account(ask, netTermDays=30)
    plan_id = plan(ask)
    usage = {
        "type": "TOTAL_USAGE",
        "description": "Usage",
        "value": Decimal("5.5"),
        "lineItems": [],
    }

    invoice_id = store(
        ask,
        price_plan_id=plan_id,
        status="PARTIALLY_PAID",
        lines=lines("1234.50"),
        usage=[usage],
        paid=Decimal("34.50"),
        sequence_id="INV-7",
    )

    invoice = ask.done("GET", f"/invoices/{invoice_id}")
    details = invoice.pop("invoiceDetails")
    assert invoice == {
        "id": invoice_id,
        "customerId": "acme",
        "ownerId": "main",
        "pricePlanId": plan_id,
        "status": "PARTIALLY_PAID",
        "finalizingStatus": "FINALIZED",
        "invoiceClass": "INVOICE",
        "invoiceType": "STANDARD",
        "startDate": "2026-10-01T00:00:00.000Z",
        "endDate": "2026-11-01T00:00:00.000Z",
        "endDateInclusive": "2026-10-31T23:59:59.999Z",
        "invoiceDate": "2026-11-01T00:00:00.000Z",
        "dueDate": "2026-12-01T00:00:00.000Z",
        "generatedAt": "2026-11-20T12:00:00.000Z",
        "updatedAt": "2026-11-20T12:00:00.000Z",
        "sequenceId": "INV-7",
        "totalAmount": Decimal("1234.50"),
        "paidAmount": Decimal("34.50"),
        "netTermDays": 30,
        "usageInfo": [usage],
        "revenueInfo": lines("1234.50"),
        "autoAdvance": True,
        "info": [],
        "metadata": {},
    }
    assert (details["pricePlanName"], details["customer"]["name"]) == ("Plan", "Acme Rockets")
    assert details["account"]["invoiceCurrency"] == "USD"
    assert details["account"]["primaryEmail"] == "billing@acme.example"


def test_a_draft_is_not_final_yet(ask: Asker) -> None:
    account(ask)

    invoice = ask.done("GET", f"/invoices/{store(ask, status='DRAFT')}")

    assert "finalizingStatus" not in invoice
    assert "generatedAt" not in invoice


def test_an_invoice_of_fractions_of_a_minor_unit_cannot_be_stored(ask: Asker) -> None:
    account(ask, invoiceCurrency="JPY")

    with pytest.raises(money.NotANumber, match="not a whole number of minor units of JPY"):
        store(ask, lines=lines("12.5"))


@pytest.fixture
def three(ask: Asker) -> dict[str, str]:
    """Names of three invoices by their ids."""
    account(ask)
    account(ask, "other")
    plan_id = plan(ask)
    november = {"start": date(2026, 11, 1), "end": date(2026, 12, 1)}
    return {
        store(ask, price_plan_id=plan_id): "october",
        store(ask, price_plan_id=plan_id, status="DRAFT", **november): "running",
        store(ask, account_id="other", invoice_class="ORDER"): "order",
        "plan": plan_id,
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, {"october", "running", "order"}),
        ({"status": "DUE"}, {"october", "order"}),
        ({"class": "ORDER"}, {"order"}),
        ({"owner_id": "main"}, {"october", "running"}),
        ({"customer_id": "acme"}, {"october", "running", "order"}),
        ({"class": "INVOICE", "owner_id": "main"}, {"october", "running"}),
        ({"status": "DRAFT", "owner_id": "main"}, {"running"}),
        ({"status": "DUE", "class": "INVOICE"}, {"october"}),
        ({"status": "DUE", "class": "ORDER", "owner_id": "main"}, set()),
        ({"status": "DUE", "invoice_date": "2026-11-01"}, {"october", "order"}),
        ({"class": "ORDER", "invoice_date": "2026-11-02"}, set()),
        (
            {"status": "DUE", "invoice_date": "2026-11-01", "customer_id": "acme"},
            {"october", "order"},
        ),
        ({"owner_id": "main", "price_plan_id": "PLAN"}, {"october", "running"}),
        (
            {"owner_id": "main", "price_plan_id": "PLAN", "start_date": "2026-11-01"},
            {"running"},
        ),
        (
            {
                "owner_id": "main",
                "price_plan_id": "PLAN",
                "start_date": "2026-10-01",
                "end_date": "2026-11-01",
            },
            {"october"},
        ),
        # 1793491200 is 2026-11-01T00:00:00Z.
        ({"owner_id": "main", "start_time": "1793491200"}, {"october", "running"}),
        ({"owner_id": "main", "start_time": "1793491201"}, {"running"}),
        ({"end_time": "1793491200"}, set()),
        ({"status": "DUE", "end_time": "1793491201"}, {"october", "order"}),
    ],
)
def test_invoices_are_listed_by_the_documented_combinations(
    ask: Asker, three: dict[str, str], query: dict[str, str], found: set[str]
) -> None:
    meant = {name: three["plan"] if value == "PLAN" else value for name, value in query.items()}

    rows = ask.done("GET", "/invoices", **meant)["data"]

    assert {three[row["id"]] for row in rows} == found
    assert all("revenueInfo" not in row for row in rows)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"invoice_date": "2026-11-01"}, "these filters cannot be combined: invoice_date"),
        ({"price_plan_id": "pp.0"}, "these filters cannot be combined: price_plan_id"),
        (
            {"owner_id": "main", "start_date": "2026-11-01"},
            "these filters cannot be combined: owner_id, start_date",
        ),
        ({"class": "ORDER", "customer_id": "acme"}, "these filters cannot be combined: class, cus"),
        ({"status": "OPEN"}, "status must be one of DRAFT, DUE"),
        ({"class": "BILL"}, "class must be one of INVOICE, ORDER, BILLABLE"),
        ({"status": "DUE", "invoice_date": "yesterday"}, "invoice_date must be a date"),
        ({"start_time": "2026-11-01"}, "start_time must match [0-9]{1,12}"),
        ({"pageSize": "51"}, "pageSize must be a whole number from 1 to 50"),
    ],
)
def test_other_filters_are_refused(ask: Asker, query: dict[str, str], message: str) -> None:
    answer = ask.togai("GET", "/invoices", **query)

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_invoices_are_listed_latest_first_and_paged(ask: Asker, three: dict[str, str]) -> None:
    first = ask.done("GET", "/invoices", pageSize=2)
    second = ask.done("GET", "/invoices", nextToken=first["nextToken"])

    names = [three[row["id"]] for page in (first, second) for row in page["data"]]
    assert names[0] == "running"
    assert sorted(names) == ["october", "order", "running"]
    assert second["nextToken"] is None


def test_an_invoice_that_is_not_there_is_404(ask: Asker) -> None:
    answer = ask.togai("GET", "/invoices/inv.0")

    assert (answer.status, answer.message) == (404, "Invoice inv.0 not found")
