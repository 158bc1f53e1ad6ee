"""Which statuses invoices may be taken to, and what that does."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world
from sandbox.togai.written import credit, read, used, write

ALL = ("DUE", "PAID", "VOID", "UN_COLLECTIBLE", "REFUND_INITIATED")
# What a client may set, from where.
ALLOWED = {
    "DRAFT": ("DUE", "PAID"),
    "DUE": ("PAID", "VOID", "UN_COLLECTIBLE"),
    "PAID": ("REFUND_INITIATED",),
    "VOID": (),
    "UN_COLLECTIBLE": ("PAID", "VOID"),
    "REFUND_INITIATED": (),
}
# How a test gets there.
WAY = {
    "DRAFT": (),
    "DUE": ("DUE",),
    "PAID": ("PAID",),
    "VOID": ("DUE", "VOID"),
    "UN_COLLECTIBLE": ("DUE", "UN_COLLECTIBLE"),
    "REFUND_INITIATED": ("PAID", "REFUND_INITIATED"),
}


def take_to(ask: Asker, invoice: Any, status: str) -> Any:
    return ask.done("PATCH", f"/invoices/{invoice['id']}", {"status": status})


@pytest.mark.parametrize("start", ALLOWED)
@pytest.mark.parametrize("end", ALL)
def test_an_invoice_goes_only_where_its_status_leads(ask: Asker, start: str, end: str) -> None:
    world.account(ask)
    invoice = write(ask)
    for status in WAY[start]:
        take_to(ask, invoice, status)
    before = read(ask, invoice)

    answer = ask.togai("PATCH", f"/invoices/{invoice['id']}", {"status": end})

    if end == start:
        assert (answer.status, answer.body) == (200, before)
    elif end in ALLOWED[start]:
        assert (answer.status, answer.body["status"]) == (200, end)
    else:
        expected = ", ".join(ALLOWED[start]) or "nothing"
        message = f"status: from {start} an invoice goes to {expected}"
        assert (answer.status, answer.message) == (400, message)
        assert read(ask, invoice) == before


def test_a_paid_invoice_is_paid_in_full(ask: Asker) -> None:
    world.account(ask)
    invoice = write(ask, status="DUE")

    assert take_to(ask, invoice, "UN_COLLECTIBLE")["paidAmount"] == 0
    paid = take_to(ask, invoice, "PAID")
    assert (paid["totalAmount"], paid["paidAmount"]) == (100, 100)
    assert take_to(ask, invoice, "REFUND_INITIATED")["paidAmount"] == 100
    assert len(ask.effects("invoice-paid")) == 1


def test_the_older_operation_says_that_an_invoice_was_paid(ask: Asker) -> None:
    world.account(ask)
    invoice = write(ask, status="DUE")
    path = f"/invoices/{invoice['id']}/payments"

    assert ask.togai("POST", path, {"status": "VOID"}).status == 400
    assert ask.done("POST", path, {"status": "PAID"})["paidAmount"] == 100
    assert ask.togai("POST", "/invoices/inv.0/payments", {"status": "PAID"}).status == 404


def running(ask: Asker) -> Any:
    """The invoice of a plan that runs, five calls at 0.25 so far."""
    world.account(ask)
    world.schema(ask)
    cards = [{"usageMeterId": world.meter(ask), **world.RATED}]
    world.associate(ask, world.plan(ask, usageRateCards=cards))
    ask.done("POST", "/ingest", {"event": world.event("e1", "8")})
    (invoice,) = ask.done("GET", "/invoices")["data"]
    return invoice


def test_a_computed_draft_goes_on_by_itself_only(ask: Asker) -> None:
    invoice = running(ask)
    for status in ("DUE", "PAID", "VOID"):
        answer = ask.togai("PATCH", f"/invoices/{invoice['id']}", {"status": status})
        assert answer.status == 400
        assert answer.message.endswith(
            "is STANDARD and DRAFT; only CUSTOM in DRAFT can be made final"
        )
    lines = {"lineItems": [{"value": 1}]}
    assert ask.togai("PATCH", f"/invoices/{invoice['id']}", lines).status == 400

    ask.control("POST", "/clock", {"now": "2026-12-04T00:00:00Z"})
    final = take_to(ask, invoice, "PAID")
    assert (final["status"], final["totalAmount"], final["paidAmount"]) == ("PAID", 2, 2)


@pytest.mark.parametrize("body", [{}, {"status": "DRAFT"}, {"status": None}, {"total": 5}])
def test_a_change_that_makes_no_sense_is_refused(ask: Asker, body: dict[str, Any]) -> None:
    world.account(ask)
    invoice = write(ask)

    assert ask.togai("PATCH", f"/invoices/{invoice['id']}", body).status == 400
    assert ask.togai("PATCH", "/invoices/inv.0", {"status": "PAID"}).status == 404


def test_a_void_invoice_gives_back_what_credits_paid_of_it(ask: Asker) -> None:
    world.account(ask)
    lasting, ending = credit(ask, 30), credit(ask, 10, effectiveUntil="2026-11-25")
    invoice = write(ask, status="DUE")
    assert invoice["totalAmount"] == 60
    ask.control("POST", "/clock", {"now": "2026-11-26T00:00:00Z"})

    take_to(ask, invoice, "VOID")

    # The first is there again; the second came back too late and expired with it.
    assert used(ask, lasting) == (0, 0, "ACTIVE")
    assert used(ask, ending) == (0, 0, "EXPIRED")
    moves = {
        credit_id: [
            (entry["transactionType"], entry["amount"])
            for entry in ask.done("GET", f"/credits/{credit_id}")["transactions"]
        ]
        for credit_id in (lasting, ending)
    }
    assert moves[lasting] == [("CREDITED", 30), ("DEBITED", 30), ("CREDITED", 30)]
    assert moves[ending] == [
        *(("CREDITED", 10), ("DEBITED", 10), ("CREDITED", 10)),
        ("EXPIRED", 10),
    ]
    balance = ask.done("GET", "/accounts/main/credit_balance")
    assert (balance["availableBalance"], balance["runningBalance"]) == (30, 30)


def test_credits_of_a_void_invoice_pay_the_draft_that_runs(ask: Asker) -> None:
    invoice = running(ask)
    welcome = credit(ask, 5)
    other = write(ask, {"value": 4}, status="DUE")
    # 4 of 5 are gone, so that the draft of 2.00 holds what is left.
    assert (read(ask, invoice)["totalAmount"], used(ask, welcome)) == (1, (1, 4, "ACTIVE"))

    take_to(ask, other, "VOID")
    assert (read(ask, invoice)["totalAmount"], used(ask, welcome)) == (0, (2, 0, "ACTIVE"))
