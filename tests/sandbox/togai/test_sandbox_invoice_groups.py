"""Invoice groups: who is in them, and the composite invoices that stand for their accounts'."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world
from sandbox.togai.billed import until
from sandbox.togai.written import body_of, credit, read, used, write

ADDRESS = {"line1": "1 Launch Road", "city": "Chennai"}


def wish(*accounts: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": "Acme together",
        "email": "ap@acme.example",
        "dailyInvoiceConsolidation": True,
        "accountIds": list(accounts),
        "address": ADDRESS,
        **fields,
    }


def grouped(ask: Asker, **fields: Any) -> Any:
    """A group of the accounts main and other."""
    world.account(ask, netTermDays=5)
    world.account(ask, "other")
    return ask.done("POST", "/invoice_groups", wish("main", "other", **fields))


def merged(ask: Asker, group: Any) -> list[Any]:
    rows = ask.done("GET", "/invoices", owner_id=group["id"])["data"]
    return [read(ask, row) for row in rows]


def test_a_group_is_made_of_accounts_read_and_listed(ask: Asker) -> None:
    made = grouped(ask, netTermDays=30)

    assert made == {
        "id": made["id"],
        "name": "Acme together",
        "email": "ap@acme.example",
        "dailyInvoiceConsolidation": True,
        "netTermDays": 30,
        "invoiceCurrency": "USD",
        "billingAddress": ADDRESS,
        "accountsCount": 2,
        "createdAt": "2026-11-20T12:00:00.000Z",
        "updatedAt": "2026-11-20T12:00:00.000Z",
    }
    assert ask.done("GET", "/invoice_groups") == {"data": [made], "nextToken": None}
    found = ask.done("GET", f"/invoice_groups/{made['id']}")
    assert found == made | {"accounts": ["main", "other"], "nextToken": None}
    assert ask.togai("GET", "/invoice_groups/inv_group.0").status == 404


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"accountIds": []}, "accountIds must have at least 1"),
        ({"accountIds": ["main", "none"]}, "accountIds[1]: there is no account none"),
        (
            {"accountIds": ["main", "euro"]},
            "accountIds: account euro is billed in EUR, the group in USD",
        ),
        ({"name": ""}, "name must have at least 1"),
        ({"dailyInvoiceConsolidation": "yes"}, "dailyInvoiceConsolidation must be true or false"),
        ({"netTermDays": -1}, "netTermDays must be a whole number"),
        ({"currency": "USD"}, "currency is not a field here"),
    ],
)
def test_a_group_that_makes_no_sense_is_refused(
    ask: Asker, fields: dict[str, Any], message: str
) -> None:
    world.account(ask)
    world.account(ask, "euro", invoiceCurrency="EUR")
    answer = ask.togai("POST", "/invoice_groups", wish("main") | fields)

    assert answer.status == 400
    assert answer.message.startswith(message)
    assert ask.done("GET", "/invoice_groups")["data"] == []


def test_an_account_is_in_one_group_at_a_time(ask: Asker) -> None:
    group = grouped(ask)
    world.account(ask, "third")
    path = f"/invoice_groups/{group['id']}"

    refused = ask.togai("POST", "/invoice_groups", wish("main"))
    assert refused.message == f"accountIds: account main is in group {group['id']}"
    added = ask.done("POST", f"{path}/add_accounts", {"accountIds": ["third", "main"]})
    assert added["accountsCount"] == 3
    gone = {"accountIds": ["third"]}
    assert ask.done("POST", f"{path}/remove_accounts", gone) == {"success": True}
    again = ask.togai("POST", f"{path}/remove_accounts", gone)
    assert again.message.endswith(f"account third is not in invoice group {group['id']}")
    assert ask.done("GET", path)["accounts"] == ["main", "other"]


def test_an_account_says_which_group_it_is_billed_in_when_it_is_asked_to(ask: Asker) -> None:
    group = grouped(ask)
    world.account(ask, "third")

    shown = ask.done("GET", "/accounts/main", includeGroupDetails="true")

    assert shown["invoiceGroupDetails"]["id"] == group["id"]
    assert shown["invoiceGroupDetails"]["billingAddress"] == ADDRESS
    assert "invoiceGroupDetails" not in ask.done("GET", "/accounts/main")
    alone = ask.done("GET", "/accounts/third", includeGroupDetails="true")
    assert "invoiceGroupDetails" not in alone
    refused = ask.togai("PATCH", "/accounts/main", {"invoiceCurrency": "EUR"})
    assert refused.message.endswith("the account has an invoice group")


def test_a_group_without_accounts_is_deleted(ask: Asker) -> None:
    group = grouped(ask)
    path = f"/invoice_groups/{group['id']}"

    ask.done("POST", f"{path}/remove_accounts", {"accountIds": ["main", "other"]})

    assert ask.togai("GET", path).status == 404
    assert ask.togai("POST", f"{path}/add_accounts", {"accountIds": ["main"]}).status == 404
    assert ask.done("GET", "/invoice_groups")["data"] == []


def test_what_becomes_due_on_a_day_is_merged_at_its_end(ask: Asker) -> None:
    group = grouped(ask, netTermDays=30)
    one = write(ask, {"value": 10}, status="DUE")
    two = write(ask, {"value": Decimal("2.50")}, status="DUE", accountId="other")
    paid = write(ask, status="PAID")
    draft = write(ask)
    assert merged(ask, group) == []

    until(ask, "2026-11-21T00:00:00Z")

    (composite,) = merged(ask, group)
    assert (composite["invoiceType"], composite["status"]) == ("COMPOSITE", "DUE")
    assert (composite["totalAmount"], composite["paidAmount"]) == (Decimal("12.50"), 0)
    assert (composite["ownerId"], composite["customerId"]) == (group["id"], "acme")
    assert composite["invoiceDetails"]["invoiceGroup"]["name"] == "Acme together"
    assert (composite["invoiceDate"], composite["dueDate"]) == (
        "2026-11-21T00:00:00.000Z",
        "2026-12-21T00:00:00.000Z",
    )
    parts = composite["revenueInfo"]["lineItems"]
    assert [(part["type"], part["id"], part["value"], part["description"]) for part in parts] == [
        ("TOTAL_AMOUNT", one["id"], 10, "Acme main"),
        ("TOTAL_AMOUNT", two["id"], Decimal("2.50"), "Acme other"),
    ]
    statuses = [read(ask, row)["status"] for row in (one, two, paid, draft)]
    assert statuses == ["MERGED", "MERGED", "PAID", "DRAFT"]
    refused = ask.togai("PATCH", f"/invoices/{one['id']}", {"status": "PAID"})
    assert refused.message == "status: from MERGED an invoice goes to nothing"


def test_each_day_has_a_composite_invoice_of_its_own(ask: Asker) -> None:
    group = grouped(ask)
    write(ask, {"value": 1}, status="DUE")
    until(ask, "2026-11-21T09:00:00Z")
    write(ask, {"value": 2}, status="DUE")
    until(ask, "2026-11-30T00:00:00Z")

    assert sorted(row["totalAmount"] for row in merged(ask, group)) == [1, 2]


def test_a_group_that_does_not_consolidate_leaves_invoices_as_they_are(ask: Asker) -> None:
    group = grouped(ask, dailyInvoiceConsolidation=False)
    invoice = write(ask, status="DUE")
    until(ask, "2026-11-30T00:00:00Z")

    assert (merged(ask, group), read(ask, invoice)["status"]) == ([], "DUE")


def test_an_invoice_that_was_due_before_its_account_joined_stays_by_itself(ask: Asker) -> None:
    world.account(ask)
    world.account(ask, "other")
    before = write(ask, status="DUE")
    until(ask, "2026-11-20T13:00:00Z")
    group = ask.done("POST", "/invoice_groups", wish("main", "other"))
    after = write(ask, {"value": 7}, status="DUE")
    until(ask, "2026-11-22T00:00:00Z")

    (composite,) = merged(ask, group)
    assert composite["totalAmount"] == 7
    assert (read(ask, before)["status"], read(ask, after)["status"]) == ("DUE", "MERGED")


def test_the_invoices_of_plans_are_merged_too(ask: Asker) -> None:
    group = grouped(ask)
    card = {"type": "RECURRING", "enableProration": False, "invoiceTiming": "IN_ARREARS"}
    rates = [{"currency": "USD", "rate": 9}]
    plan_id = world.plan(ask, fixedFeeRateCards=[{"id": "fee", "rateValues": rates, **card}])
    world.associate(ask, plan_id)
    until(ask, "2026-12-05T00:00:00Z")

    (composite,) = merged(ask, group)
    (part,) = composite["revenueInfo"]["lineItems"]
    assert (composite["totalAmount"], part["description"]) == (9, "Acme main, Plan")
    assert composite["startDate"] == "2026-11-01T00:00:00.000Z"


def test_wallets_pay_before_invoices_are_merged_and_the_rest_is_paid_for_the_group(
    ask: Asker,
) -> None:
    group = grouped(ask)
    ask.done("POST", "/accounts/main/wallet_topup", {"topupAmount": 30})
    one = write(ask, status="DUE")
    two = write(ask, {"value": 50}, status="DUE", accountId="other")
    until(ask, "2026-11-21T00:00:00Z")
    (composite,) = merged(ask, group)
    owed = (composite["status"], composite["totalAmount"], composite["paidAmount"])
    assert owed == ("PARTIALLY_PAID", 150, 30)

    body = {
        "accountId": "other",
        "externalPaymentReference": {
            "sourceName": "Till",
            "sourceType": "CASH",
            "transactionNumber": "1",
        },
        "lineItemRecords": [{"type": "INVOICE", "togaiId": composite["id"], "order": 1}],
        "currency": "USD",
        "totalAmount": 120,
    }
    ask.done("POST", "/payments", body)

    assert (read(ask, composite)["status"], read(ask, composite)["paidAmount"]) == ("PAID", 150)
    parts = [(read(ask, row)["status"], read(ask, row)["paidAmount"]) for row in (one, two)]
    assert parts == [("MERGED", 100), ("MERGED", 50)]


def test_a_void_composite_invoice_voids_its_parts_and_gives_back_what_was_paid(
    ask: Asker,
) -> None:
    group = grouped(ask)
    welcome = credit(ask, 20)
    ask.done("POST", "/accounts/main/wallet_topup", {"topupAmount": 30})
    one = write(ask, status="DUE")
    until(ask, "2026-11-21T00:00:00Z")
    (composite,) = merged(ask, group)
    assert (composite["totalAmount"], composite["paidAmount"]) == (80, 30)

    ask.done("PATCH", f"/invoices/{composite['id']}", {"status": "VOID"})

    assert (read(ask, one)["status"], read(ask, one)["paidAmount"]) == ("VOID", 0)
    assert read(ask, composite)["paidAmount"] == 0
    assert used(ask, welcome) == (0, 0, "ACTIVE")
    assert ask.done("GET", "/accounts/main/wallet")["balance"] == 30


def test_an_invoice_can_be_written_for_a_group(ask: Asker) -> None:
    group = grouped(ask, netTermDays=3)
    credit(ask, 20)
    ask.done("POST", "/accounts/main/wallet_topup", {"topupAmount": 30})
    body = body_of(accountId=group["id"], ownerType="INVOICE_GROUP", status="DUE")

    made = ask.done("POST", "/invoices", body)

    # A group has neither credits nor a wallet.
    assert (made["status"], made["totalAmount"], made["paidAmount"]) == ("DUE", 100, 0)
    assert (made["ownerId"], made["dueDate"]) == (group["id"], "2026-11-23T00:00:00.000Z")
    wrong = ask.togai("POST", "/invoices", body | {"accountId": "main"})
    assert wrong.message == "accountId: there is no invoice group main"
    assert ask.togai("POST", "/invoices", body | {"ownerType": "ACCOUNT"}).status == 400
    until(ask, "2026-11-22T00:00:00Z")
    assert read(ask, made)["status"] == "DUE"
