"""Payments: money received, and the invoices, credits and wallet that it was used for."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world
from sandbox.togai.billed import fee, invoices, priced, until
from sandbox.togai.written import credit, read, used, write

REFERENCE = {"sourceName": "First Bank", "sourceType": "BANK_TRANSFER", "transactionNumber": "T1"}


def body_of(total: Any, *records: Any, **fields: Any) -> dict[str, Any]:
    numbered = [{"order": n, **record} for n, record in enumerate(records, 1)]
    return {
        "accountId": "main",
        "externalPaymentReference": REFERENCE,
        "lineItemRecords": numbered,
        "currency": "USD",
        "totalAmount": total,
        **fields,
    }


def pay(ask: Asker, total: Any, *records: Any, **fields: Any) -> Any:
    answer = ask.togai("POST", "/payments", body_of(total, *records, **fields))
    assert answer.status == 201, answer.body
    return answer.body


def for_invoice(invoice: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "INVOICE", "togaiId": invoice["id"], **fields}


def balance(ask: Asker) -> Any:
    return ask.done("GET", "/accounts/main/wallet")["balance"]


def test_a_payment_is_used_up_record_by_record_and_the_rest_goes_to_the_wallet(
    ask: Asker,
) -> None:
    world.account(ask)
    first, second = write(ask, {"value": 100}, status="DUE"), write(ask, status="DUE")

    made = pay(
        ask,
        Decimal("250.50"),
        for_invoice(second, amount=40),
        for_invoice(first),
        {"type": "CREDIT", "amount": Decimal("10.50")},
        description="November",
        notes="Thanks",
    )

    wallet = ask.done("GET", "/accounts/main/wallet")
    (granted,) = ask.done("GET", "/credits", account_id="main")["data"]
    assert made == {
        "id": made["id"],
        "description": "November",
        "notes": "Thanks",
        "accountId": "main",
        "externalPaymentReferences": REFERENCE,
        "lineItemRecords": [
            {"type": "INVOICE", "togaiId": second["id"], "amount": 40, "order": 1},
            {"type": "INVOICE", "togaiId": first["id"], "amount": 100, "order": 2},
            {"type": "CREDIT", "togaiId": granted["id"], "amount": Decimal("10.50"), "order": 3},
            {"type": "WALLET_CREDIT", "togaiId": wallet["id"], "amount": 100, "order": 4},
        ],
        "totalAmount": Decimal("250.50"),
        "currency": "USD",
        "version": 1,
        "createdBy": "api",
        "createdAt": "2026-11-20T12:00:00.000Z",
    }
    assert (read(ask, first)["status"], read(ask, first)["paidAmount"]) == ("PAID", 100)
    assert (read(ask, second)["status"], read(ask, second)["paidAmount"]) == ("PARTIALLY_PAID", 40)
    assert (granted["creditAmount"], granted.get("effectiveUntil")) == (Decimal("10.50"), None)
    assert wallet["balance"] == 100
    assert ask.done("GET", f"/payments/{made['id']}", version=1) == made
    assert ask.done("GET", "/payments")["data"] == [made]
    assert [effect["key"] for effect in ask.effects("payment")] == ["T1"]


def test_records_are_taken_in_their_order_not_in_that_of_the_list(ask: Asker) -> None:
    world.account(ask)
    first, second = write(ask, status="DUE"), write(ask, status="DUE")

    pay(ask, 120, for_invoice(first, order=9), for_invoice(second, order=4))

    assert (read(ask, first)["paidAmount"], read(ask, second)["paidAmount"]) == (20, 100)


def test_a_second_payment_pays_the_rest_of_an_invoice(ask: Asker) -> None:
    world.account(ask)
    invoice = write(ask, status="DUE")

    pay(ask, 30, for_invoice(invoice))
    too_much = ask.togai("POST", "/payments", body_of(80, for_invoice(invoice, amount=80)))
    record = "lineItemRecords: the one of order 1"
    expected = f"{record} pays for invoice {invoice['id']}, which is owed 70.00"
    assert (too_much.status, too_much.message) == (400, expected)
    pay(ask, 70, for_invoice(invoice))

    assert (read(ask, invoice)["status"], read(ask, invoice)["paidAmount"]) == ("PAID", 100)
    again = ask.togai("POST", "/payments", body_of(1, for_invoice(invoice)))
    assert again.status == 400
    assert again.message.endswith("which is PAID")


def test_a_payment_may_make_a_credit_grow(ask: Asker) -> None:
    world.account(ask)
    welcome, void = credit(ask, 20), credit(ask, 5)
    ask.done("POST", f"/credits/{void}/void")
    write(ask, {"value": 15}, status="DUE")

    pay(ask, 30, {"type": "CREDIT", "togaiId": welcome})

    found = ask.done("GET", f"/credits/{welcome}")
    assert found["creditAmount"] == 50
    assert used(ask, welcome) == (0, 15, "ACTIVE")
    moved = [(row["transactionType"], row["amount"]) for row in found["transactions"]]
    assert moved[-1] == ("CREDITED", 30)
    refused = ask.togai("POST", "/payments", body_of(5, {"type": "CREDIT", "togaiId": void}))
    assert refused.message.endswith(f"names no active credit of the account: {void}")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"accountId": "none"}, "accountId: there is no account none"),
        ({"currency": "EUR"}, "currency: account main is billed in USD"),
        ({"totalAmount": 0}, "totalAmount must be greater than 0"),
        ({"totalAmount": Decimal("1.005")}, "totalAmount: 1.005 is not a whole number"),
        ({"lineItemRecords": []}, "lineItemRecords must have at least 1"),
        ({"lineItemRecords": [{"type": "INVOICE", "order": 1}]}, "lineItemRecords[0].togaiId"),
        ({"lineItemRecords": [{"type": "CASH", "order": 1}]}, "lineItemRecords[0].type"),
        ({"lineItemRecords": [{"type": "CREDIT"}]}, "lineItemRecords[0].order"),
        (
            {"lineItemRecords": [{"type": "CREDIT", "order": 1}] * 2},
            "lineItemRecords[1].order: 1 is that of another record",
        ),
        (
            {"lineItemRecords": [{"type": "CREDIT", "order": 1, "amount": 101}]},
            "lineItemRecords: the one of order 1 takes more than what is left",
        ),
        (
            {
                "lineItemRecords": [
                    {"type": "CREDIT", "order": 1},
                    {"type": "WALLET_CREDIT", "order": 2},
                ]
            },
            "lineItemRecords: the one of order 2 finds nothing left",
        ),
        (
            {"lineItemRecords": [{"type": "INVOICE", "togaiId": "inv.0", "order": 1}]},
            "lineItemRecords: the one of order 1 names no invoice of account main: inv.0",
        ),
        (
            {"lineItemRecords": [{"type": "WALLET_CREDIT", "togaiId": "wallet.0", "order": 1}]},
            "lineItemRecords: the one of order 1 names no wallet of the account: wallet.0",
        ),
        ({"externalPaymentReference": {}}, "externalPaymentReference.sourceName is required"),
        (
            {"externalPaymentReference": REFERENCE | {"sourceType": "SHELLS"}},
            "externalPaymentReference.sourceType must be one of",
        ),
        ({"paidBy": "acme"}, "paidBy is not a field here"),
    ],
)
def test_a_payment_that_makes_no_sense_is_refused_and_leaves_nothing(
    ask: Asker, fields: dict[str, Any], message: str
) -> None:
    world.account(ask)
    answer = ask.togai("POST", "/payments", body_of(100, {"type": "WALLET_CREDIT"}) | fields)

    assert answer.status == 400
    assert answer.message.startswith(message)
    assert (balance(ask), ask.done("GET", "/payments")["data"]) == (0, [])
    assert ask.done("GET", "/credits")["data"] == []


def test_an_inactive_wallet_takes_no_payment(ask: Asker) -> None:
    world.account(ask)
    ask.done("PATCH", "/accounts/main/wallet", {"status": "INACTIVE"})
    invoice = write(ask, status="DUE")

    refused = ask.togai("POST", "/payments", body_of(150, for_invoice(invoice)))
    assert refused.message == (
        "lineItemRecords: what is left of totalAmount goes to the wallet, which is INACTIVE"
    )
    assert read(ask, invoice)["paidAmount"] == 0
    pay(ask, 100, for_invoice(invoice))


def test_an_invoice_of_another_account_cannot_be_paid(ask: Asker) -> None:
    world.account(ask)
    world.account(ask, "other")
    invoice = write(ask, status="DUE", accountId="other")

    assert ask.togai("POST", "/payments", body_of(100, for_invoice(invoice))).status == 400


def test_what_a_payment_paid_of_a_void_invoice_goes_to_the_wallet(ask: Asker) -> None:
    world.account(ask)
    invoice = write(ask, status="DUE")
    pay(ask, 30, for_invoice(invoice))

    ask.done("PATCH", f"/invoices/{invoice['id']}", {"status": "VOID"})

    assert (balance(ask), read(ask, invoice)["paidAmount"]) == (30, 0)


def test_a_payment_in_full_releases_what_was_prepaid(ask: Asker) -> None:
    card = {
        "id": "prepaid",
        "displayName": "Prepaid",
        "grantDetails": {"priority": 1, "expiryType": "NO_EXPIRY"},
        "rateDetails": {
            "pricingModel": "TIERED",
            "currencySlabRateDetails": [
                {
                    "currency": "USD",
                    "creditAmount": 40,
                    "slabDetails": [{"startAfter": 0, "priceType": "FLAT", "rate": 30}],
                }
            ],
        },
        "invoiceTiming": "PREPAID",
        "type": "RECURRING",
    }
    priced(ask, creditGrantRateCards=[card], fixedFeeRateCards=[fee("1")])
    until(ask, "2026-11-21T00:00:00Z")
    (advance,) = [row for row in invoices(ask) if row["invoiceType"] == "STANDARD_ADVANCED"]
    assert (advance["status"], advance["totalAmount"]) == ("DUE", 30)

    pay(ask, 29, for_invoice(advance))
    assert ask.done("GET", "/credits", account_id="main")["data"] == []
    pay(ask, 1, for_invoice(advance))
    (given,) = ask.done("GET", "/credits", account_id="main")["data"]
    assert given["creditAmount"] == 40


def test_payments_are_listed_the_latest_first_and_read_in_their_one_version(ask: Asker) -> None:
    world.account(ask)
    made = [pay(ask, amount, {"type": "WALLET_CREDIT"}) for amount in (1, 2, 3)]

    first = ask.done("GET", "/payments", pageSize=2)
    second = ask.done("GET", "/payments", nextToken=first["nextToken"])
    ids = [row["id"] for row in first["data"] + second["data"]]
    assert ids == [payment["id"] for payment in reversed(made)]
    assert ask.togai("GET", f"/payments/{made[0]['id']}", version=2).status == 404
    assert ask.togai("GET", "/payments/payment.0").status == 404
    assert ask.togai("GET", "/payments", pageSize=51).status == 400
