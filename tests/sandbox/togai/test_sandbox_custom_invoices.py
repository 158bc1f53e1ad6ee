"""Invoices that somebody writes: their lines, their drafts, and what credits pay of them."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world
from sandbox.togai.written import body_of, credit, read, used, write


def shape(line: Any) -> Any:
    """Type and value of a line and all below it."""
    return line["type"], line["value"], [shape(part) for part in line["lineItems"]]


def test_a_written_invoice_shows_its_lines_as_they_are_worth(ask: Asker) -> None:
    world.account(ask, netTermDays=15)
    made = write(
        ask,
        {"id": "line-1", "description": "Workshop", "value": Decimal("99.999")},
        {"description": "Payouts", "quantity": 32109, "valuePerQuantity": Decimal("0.001")},
        {"quantity": 2, "valuePerQuantity": 5, "value": 1000, "billableId": "addon.x"},
        status="DUE",
    )

    # 99.99 (cut), 32109 x 0.001 = 32.109 cut to 32.10, 2 x 5 whatever the value beside it.
    lines: list[Any] = [
        ("CUSTOM_AMOUNT", Decimal(value), []) for value in ("99.99", "32.10", "10.00")
    ]
    total = Decimal("142.09")
    gross = ("GROSS_AMOUNT", total, lines)
    net = ("NET_AMOUNT", total, [gross])
    tree = ("GRAND_TOTAL_AMOUNT", total, [("TOTAL_AMOUNT", total, [net])])
    assert shape(made["revenueInfo"]) == tree
    first, second, third = made["revenueInfo"]["lineItems"][0]["lineItems"][0]["lineItems"][0][
        "lineItems"
    ]
    assert (first["id"], first["description"]) == ("line-1", "Workshop")
    assert (second["quantity"], second["valuePerQuantity"]) == (32109, Decimal("0.001"))
    assert (third["id"], third["description"]) == ("addon.x", "Custom charge")
    assert (made["invoiceType"], made["invoiceClass"]) == ("CUSTOM", "INVOICE")
    assert (made["totalAmount"], made["paidAmount"]) == (total, 0)
    assert (made["startDate"], made["endDate"]) == (
        "2026-11-01T00:00:00.000Z",
        "2026-12-01T00:00:00.000Z",
    )
    # Dated today, due fifteen days later.
    assert (made["status"], made["finalizingStatus"]) == ("DUE", "FINALIZED")
    assert made["invoiceDate"] == "2026-11-20T00:00:00.000Z"
    assert made["dueDate"] == "2026-12-05T00:00:00.000Z"
    assert read(ask, made) == made


@pytest.mark.parametrize(
    ("currency", "value", "total"),
    [("JPY", "99.9", "99"), ("KWD", "1.2345", "1.234"), ("USD", "0.009", "0.00")],
)
def test_a_written_line_is_cut_to_the_minor_unit_of_its_currency(
    ask: Asker, currency: str, value: str, total: str
) -> None:
    world.account(ask, invoiceCurrency=currency)
    made = write(ask, {"description": "Fee", "value": Decimal(value)})

    assert made["totalAmount"] == Decimal(total)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"accountId": "nobody"}, "accountId"),
        ({"status": "VOID"}, "status"),
        ({"lineItems": []}, "lineItems"),
        ({"lineItems": [{"value": 1}] * 51}, "lineItems"),
        ({"lineItems": [{"description": "Fee"}]}, "lineItems[0].value"),
        ({"lineItems": [{"value": 1}, {"quantity": 1}]}, "lineItems[1].quantity"),
        ({"lineItems": [{"value": 1, "valuePerQuantity": 1}]}, "lineItems[0].quantity"),
        ({"lineItems": [{"value": -1}]}, "lineItems[0].value"),
        ({"lineItems": [{"value": "1"}]}, "lineItems[0].value"),
        ({"lineItems": [{"value": 1, "tax": 1}]}, "lineItems[0].tax"),
        (
            {"lineItems": [{"quantity": 10**7, "valuePerQuantity": 10**6}]},
            "lineItems[0].quantity times",
        ),
        ({"endDate": "2026-11-01T00:00:00Z"}, "endDate"),
        ({"startDate": "2026-11-01"}, "startDate"),
        ({"autoAdvance": "yes"}, "autoAdvance"),
        ({"applyCredits": 1}, "applyCredits"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"currency": "USD"}, "currency"),
    ],
)
def test_a_malformed_custom_invoice_is_refused(
    ask: Asker, fields: dict[str, Any], path: str
) -> None:
    world.account(ask)
    answer = ask.togai("POST", "/invoices", body_of(**fields))

    assert answer.status == 400
    assert answer.message.startswith(path)
    assert ask.done("GET", "/invoices")["data"] == []


def test_a_repeated_key_gives_back_the_written_invoice(ask: Asker) -> None:
    world.account(ask)
    first = write(ask, idempotencyKey="order-1")

    assert write(ask, {"value": 5}, idempotencyKey="order-1", status="DUE") == first
    assert write(ask, idempotencyKey="order-2")["id"] != first["id"]
    assert [effect["key"] for effect in ask.effects("custom-invoice")] == ["order-1", "order-2"]


def test_credits_pay_when_a_written_invoice_becomes_final_and_not_before(ask: Asker) -> None:
    world.account(ask)
    welcome = credit(ask, 30)
    draft = write(ask)
    assert (draft["totalAmount"], used(ask, welcome)) == (100, (0, 0, "ACTIVE"))

    due = ask.done("PATCH", f"/invoices/{draft['id']}", {"status": "DUE"})
    assert (due["status"], due["totalAmount"]) == ("DUE", 70)
    assert used(ask, welcome) == (0, 30, "CONSUMED")
    net = due["revenueInfo"]["lineItems"][0]["lineItems"][0]
    gross, credits_ = net["lineItems"]
    assert (gross["value"], credits_["type"], credits_["value"]) == (100, "TOTAL_CREDITS", -30)
    assert [line["id"] for line in credits_["lineItems"]] == [welcome]


def test_credits_for_other_things_or_none_at_all_leave_a_written_invoice_alone(
    ask: Asker,
) -> None:
    world.account(ask)
    other = credit(ask, 30, applicableEntityIds=["ALL_USAGE_METER_RATE_CARDS"])
    mine = credit(ask, 20, applicableEntityIds=["addon.x"])

    items = [{"value": 50, "billableId": "addon.x"}, {"value": 50}]
    assert write(ask, *items, status="DUE", applyCredits=False)["totalAmount"] == 100
    assert write(ask, *items, status="DUE")["totalAmount"] == 80
    assert (used(ask, other)[1], used(ask, mine)[1]) == (0, 20)


def test_credits_must_live_during_the_period_of_a_written_invoice(ask: Asker) -> None:
    world.account(ask)
    credit(ask, 30, effectiveFrom="2026-11-20")

    past = {"startDate": "2026-11-01T00:00:00Z", "endDate": "2026-11-20T00:00:00Z"}
    assert write(ask, status="DUE", **past)["totalAmount"] == 100
    reaching = past | {"endDate": "2026-11-20T00:00:01Z"}
    assert write(ask, status="DUE", **reaching)["totalAmount"] == 70


def test_a_written_invoice_may_be_paid_from_the_start(ask: Asker) -> None:
    world.account(ask)
    credit(ask, 30)
    made = write(ask, status="PAID")

    assert (made["status"], made["totalAmount"], made["paidAmount"]) == ("PAID", 70, 70)


def test_a_draft_goes_on_by_itself_at_its_end_if_it_was_told_to(ask: Asker) -> None:
    world.account(ask)
    going = write(ask, autoAdvance=True)
    free = write(ask, {"value": 0}, autoAdvance=True)
    staying = write(ask)
    over = {"startDate": "2026-10-01T00:00:00Z", "endDate": "2026-11-20T12:00:00Z"}
    assert write(ask, autoAdvance=True, **over)["status"] == "DUE"

    ask.control("POST", "/clock", {"now": "2026-11-30T23:59:59Z"})
    assert read(ask, going)["status"] == "DRAFT"
    ran = ask.control("POST", "/clock", {"now": "2026-12-02T00:00:00Z"})["ran"]
    assert ran == [{"job": "advance-custom-invoices", "time": "2026-12-01T00:00:00Z"}]
    final = read(ask, going)
    assert (final["status"], final["invoiceDate"]) == ("DUE", "2026-12-01T00:00:00.000Z")
    assert read(ask, free)["status"] == "PAID"
    assert read(ask, staying)["status"] == "DRAFT"


def test_a_custom_draft_can_be_changed_in_every_field(ask: Asker) -> None:
    world.account(ask, netTermDays=10)
    draft = write(ask)
    assert draft["dueDate"] == "2026-12-11T00:00:00.000Z"

    change = {"lineItems": [{"description": "Fee", "value": 7}], "endDate": "2026-12-05T00:00:00Z"}
    changed = ask.done("PATCH", f"/invoices/{draft['id']}", change | {"autoAdvance": True})
    assert (changed["totalAmount"], changed["status"]) == (7, "DRAFT")
    assert (changed["startDate"], changed["endDate"]) == (
        "2026-11-01T00:00:00.000Z",
        "2026-12-05T00:00:00.000Z",
    )
    assert (changed["autoAdvance"], changed["dueDate"]) == (True, "2026-12-15T00:00:00.000Z")
    wrong = {"startDate": "2026-12-05T00:00:00Z"}
    assert ask.togai("PATCH", f"/invoices/{draft['id']}", wrong).status == 400
    both = {"lineItems": [{"value": 8}], "status": "PAID"}
    assert ask.done("PATCH", f"/invoices/{draft['id']}", both)["paidAmount"] == 8
    late = ask.togai("PATCH", f"/invoices/{draft['id']}", change)
    assert late.status == 400
    assert late.message.endswith(
        "is CUSTOM and PAID; only CUSTOM in DRAFT can change other fields than status"
    )


def test_only_a_custom_draft_can_be_deleted(ask: Asker) -> None:
    world.account(ask)
    world.schema(ask)
    cards = [{"usageMeterId": world.meter(ask), **world.RATED}]
    world.associate(ask, world.plan(ask, usageRateCards=cards))
    (running,) = ask.done("GET", "/invoices")["data"]
    draft, due = write(ask, idempotencyKey="a"), write(ask, status="DUE")

    assert ask.done("DELETE", f"/invoices/{draft['id']}") == {"success": True}
    assert ask.togai("GET", f"/invoices/{draft['id']}").status == 404
    assert ask.togai("DELETE", f"/invoices/{draft['id']}").status == 404
    for other in (running, due):
        assert ask.togai("DELETE", f"/invoices/{other['id']}").status == 400
        assert read(ask, other)["status"] == other["status"]
    # The key of a deleted draft is free.
    assert write(ask, idempotencyKey="a")["id"] != draft["id"]
