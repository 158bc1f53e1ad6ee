"""The vendor's own Togai client reads what is said of money: wallets, payments, groups, charges.

Its defects: `InvoiceLineItem.lineItems` is required and recursive, so that no invoice with lines
decodes without the patch below. `InvoiceGroupsApi.list_invoice_groups` and `get_invoice_group` take
no `nextToken`, so that it reads first pages only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from oracle.togai_clients import NOON, Togai, refused, sdk

REFERENCE = {"sourceName": "First Bank", "sourceType": "CARD", "transactionNumber": "T1"}


@dataclass(frozen=True, slots=True)
class Clients:
    wallets: Any
    payments: Any
    groups: Any


@pytest.fixture
def money(togai: Togai) -> Clients:
    client = togai.accounts.api_client
    return Clients(sdk.WalletApi(client), sdk.PaymentsApi(client), sdk.InvoiceGroupsApi(client))


@pytest.fixture
def lines_may_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's model demands that every line has lines below it, without end."""
    lines = sdk.InvoiceLineItem.model_fields["line_items"]
    monkeypatch.setattr(lines, "default", None)
    monkeypatch.setattr(lines, "annotation", list[sdk.InvoiceLineItem] | None)
    monkeypatch.setattr(lines, "metadata", [])
    sdk.InvoiceLineItem.model_rebuild(force=True)
    sdk.Invoice.model_rebuild(force=True)


def every(line: Any) -> Iterator[Any]:
    """A line and all below it."""
    yield line
    for part in line.line_items or ():
        yield from every(part)


def written(togai: Togai, value: int = 100, **fields: Any) -> Any:
    body = {
        "accountId": "acme-main",
        "startDate": "2026-10-01T00:00:00Z",
        "endDate": "2026-11-01T00:00:00Z",
        "status": "DUE",
        "lineItems": [{"description": "Workshop", "value": value}],
        **fields,
    }
    request = sdk.CreateCustomInvoiceRequest.from_dict(body)
    return togai.invoices.create_custom_invoice(request)


def group(togai: Togai, money: Clients) -> Any:
    togai.account()
    body = {
        "name": "Acme together",
        "email": "ap@acme.example",
        "dailyInvoiceConsolidation": True,
        "accountIds": ["acme-main"],
        "netTermDays": 30,
        "address": {"line1": "1 Launch Road"},
    }
    return money.groups.create_invoice_group(sdk.CreateInvoiceGroupRequest.from_dict(body))


def test_a_wallet_is_read_and_topped_up(togai: Togai, money: Clients) -> None:
    togai.account()
    empty = money.wallets.wallet_balance_for_account("acme-main")
    assert (empty.balance, empty.credit_unit, empty.status) == (0, "USD", "ACTIVE")
    assert (empty.effective_from, empty.customer_id) == (NOON, "acme")

    request = sdk.TopupWalletRequest(topupAmount=50.25)
    full = money.wallets.top_up_wallet_for_account("acme-main", request)

    assert (full.balance, full.hold_amount, full.id) == (50.25, 0, empty.id)
    none = sdk.TopupWalletRequest(topupAmount=0)
    message = refused(400, money.wallets.top_up_wallet_for_account, "acme-main", none)
    assert message == "topupAmount must be greater than 0"
    unknown = refused(404, money.wallets.wallet_balance_for_account, "none")
    assert unknown == "Account none not found"


def test_a_wallet_is_switched_off(togai: Togai, money: Clients) -> None:
    togai.account()
    body = {"status": "INACTIVE", "effectiveFrom": "2026-12-01T00:00:00Z"}
    request = sdk.UpdateWalletRequest.from_dict(body)

    off = money.wallets.update_wallet_for_account("acme-main", request)

    assert (off.status, off.effective_from) == ("INACTIVE", datetime(2026, 12, 1, tzinfo=UTC))
    empty = sdk.UpdateWalletRequest()
    message = refused(400, money.wallets.update_wallet_for_account, "acme-main", empty)
    assert message == "give effectiveFrom or status"


@pytest.mark.usefixtures("lines_may_end")
def test_entries_of_a_wallet_are_paged(togai: Togai, money: Clients) -> None:
    togai.account()
    request = sdk.TopupWalletRequest(topupAmount=60)
    money.wallets.top_up_wallet_for_account("acme-main", request)
    invoice = written(togai)
    assert (invoice.status, invoice.paid_amount) == ("PARTIALLY_PAID", 60)

    first = money.wallets.wallet_entries_for_account("acme-main", page_size=1)
    second = money.wallets.wallet_entries_for_account("acme-main", next_token=first.next_token)

    (debit,), (credit,) = first.data, second.data
    assert (debit.transaction_type, debit.amount, debit.closing_balance) == ("DEBITED", 60, 0)
    assert (debit.status, debit.entity_id) == ("COMPLETED", invoice.id)
    assert (credit.transaction_type, credit.description) == ("CREDITED", "Top-up")
    assert second.next_token is None
    unknown = refused(404, money.wallets.wallet_entries_for_account, "none")
    assert unknown == "Account none not found"


@pytest.mark.usefixtures("lines_may_end")
def test_a_payment_is_recorded_listed_and_read(togai: Togai, money: Clients) -> None:
    togai.account()
    invoice = written(togai)
    records = [
        {"type": "INVOICE", "togaiId": invoice.id, "order": 1},
        {"type": "CREDIT", "amount": 20.5, "order": 2},
    ]
    body = {
        "accountId": "acme-main",
        "externalPaymentReference": REFERENCE | {"metadata": {"clerk": "7"}},
        "lineItemRecords": records,
        "currency": "USD",
        "totalAmount": 130.5,
        "notes": "Thanks",
    }
    request = sdk.CreatePaymentRequest.from_dict(body)

    made = money.payments.create_payments(request)

    used = [(record.type, record.amount) for record in made.line_item_records]
    assert used == [("INVOICE", 100), ("CREDIT", 20.5), ("WALLET_CREDIT", 10)]
    assert (made.version, made.created_at, made.total_amount) == (1, NOON, 130.5)
    assert made.external_payment_references.metadata == {"clerk": "7"}
    assert money.payments.get_payment(made.id, version=1).notes == "Thanks"
    assert [row.id for row in money.payments.list_payments(page_size=5).data] == [made.id]
    assert refused(404, money.payments.get_payment, "payment.0") == "Payment payment.0 not found"
    again = refused(400, money.payments.create_payments, request)
    assert again.endswith(f"names invoice {invoice.id}, which is PAID")


def test_an_invoice_group_gains_and_loses_accounts(togai: Togai, money: Clients) -> None:
    made = group(togai, money)
    assert (made.invoice_currency, made.accounts_count, made.net_term_days) == ("USD", 1, 30)
    body = {"id": "acme-two", "name": "Acme two", "customerId": "acme"}
    togai.accounts.create_account(sdk.CreateAccountRequest.from_dict(body))
    two = sdk.UpdateInvoiceGroupAccounts(accountIds=["acme-two"])

    assert money.groups.add_invoice_group_accounts(made.id, two).accounts_count == 2
    read = money.groups.get_invoice_group(made.id)
    assert (read.accounts, read.billing_address.line1) == (
        ["acme-main", "acme-two"],
        "1 Launch Road",
    )
    assert [row.id for row in money.groups.list_invoice_groups().data] == [made.id]
    shown = togai.accounts.get_account("acme-two", include_group_details=True)
    assert shown.invoice_group_details.name == "Acme together"
    assert money.groups.remove_invoice_group_accounts(made.id, two).success is True


def test_refusals_about_invoice_groups(togai: Togai, money: Clients) -> None:
    made = group(togai, money)
    nobody = sdk.UpdateInvoiceGroupAccounts(accountIds=["none"])
    groups = money.groups

    assert refused(400, groups.add_invoice_group_accounts, made.id, nobody) == (
        "accountIds[0]: there is no account none"
    )
    assert refused(400, groups.remove_invoice_group_accounts, made.id, nobody) == (
        f"accountIds[0]: account none is not in invoice group {made.id}"
    )
    assert refused(404, groups.get_invoice_group, "inv_group.0") == (
        "Invoice group inv_group.0 not found"
    )
    assert "is in group" in refused(400, group_again, groups)


def group_again(groups: Any) -> Any:
    body = {
        "name": "Again",
        "email": "ap@acme.example",
        "dailyInvoiceConsolidation": False,
        "accountIds": ["acme-main"],
        "address": {},
    }
    return groups.create_invoice_group(sdk.CreateInvoiceGroupRequest.from_dict(body))


@pytest.mark.usefixtures("lines_may_end")
def test_a_composite_invoice_is_read_and_paid(togai: Togai, money: Clients) -> None:
    made = group(togai, money)
    part = written(togai)
    togai.sandbox.backend.advance_to(datetime(2026, 11, 21, tzinfo=UTC))

    (row,) = togai.invoices.list_invoices(owner_id=made.id).data
    read = togai.invoices.get_invoice(row.id)

    assert (read.invoice_type, read.status, read.total_amount) == ("COMPOSITE", "DUE", 100)
    assert read.invoice_details.invoice_group.id == made.id
    assert [line.type for line in every(read.revenue_info)][:2] == [
        "GRAND_TOTAL_AMOUNT",
        "TOTAL_AMOUNT",
    ]
    assert togai.invoices.get_invoice(part.id).status == "MERGED"
    paid = togai.invoices.update_invoice(row.id, sdk.UpdateInvoiceRequest(status="PAID"))
    assert paid.paid_amount == 100


@pytest.mark.usefixtures("lines_may_end")
def test_charges_are_set_for_an_invoice_and_for_an_upcoming_one(togai: Togai) -> None:
    togai.account()
    togai.associate(togai.active_plan().id)
    (running,) = togai.invoices.list_invoices(owner_id="acme-main").data
    items = [{"name": "Set-up", "value": "100"}, {"name": "Visits", "rate": 12.5, "quantity": 3}]
    request = sdk.ManageMiscellaneousChargesRequest.from_dict({"items": items})

    answer = togai.invoices.manage_miscellaneous_charges_in_invoice(running.id, request)
    assert [(charge.name, charge.value) for charge in answer.data] == [
        ("Set-up", "100"),
        ("Visits", "37.5"),
    ]
    more = sdk.ManageMiscellaneousChargesRequest.from_dict({"items": items[:1]})
    togai.invoices.manage_miscellaneous_charges_in_account("acme-main", more)

    read = togai.invoices.get_invoice(running.id)
    charged = [line.value for line in every(read.revenue_info) if "MISC" in line.type]
    assert charged == [237.5, 100, 37.5, 100]
    wrong = sdk.ManageMiscellaneousChargesRequest.from_dict({"items": [{"name": "Fee"}]})
    manage = togai.invoices
    for operation, where in (
        (manage.manage_miscellaneous_charges_in_invoice, running.id),
        (manage.manage_miscellaneous_charges_in_account, "acme-main"),
    ):
        message = refused(400, operation, where, wrong)
        assert message == "items[0].value is required, or rate and quantity"


@pytest.mark.usefixtures("lines_may_end")
def test_a_bill_run_makes_what_waits_final(togai: Togai) -> None:
    togai.account()
    draft = written(togai, status="DRAFT")
    listed = togai.invoices.list_invoices_for_bill_run(owner_id="acme-main", page_size=5)
    assert [row.id for row in listed.data] == [draft.id]

    assert togai.invoices.create_invoice_bill_run(require_confirmation=False).success is True

    assert togai.invoices.list_invoices_for_bill_run().data == []
    assert togai.invoices.get_invoice(draft.id).status == "DUE"
    list_eligible = togai.invoices.list_invoices_for_bill_run
    assert refused(400, lambda: list_eligible(status="OPEN")).startswith("status must be one of")


def test_lists_and_runs_are_refused_for_a_bad_page_or_without_a_key(
    togai: Togai, money: Clients, sandbox_url: str
) -> None:
    message = "pageSize must be a whole number from 1 to 50"
    assert refused(400, lambda: money.payments.list_payments(page_size=51)) == message
    with sdk.ApiClient(sdk.Configuration(host=f"{sandbox_url}/togai")) as nobody:
        for operation in (
            sdk.InvoiceGroupsApi(nobody).list_invoice_groups,
            sdk.InvoicesApi(nobody).create_invoice_bill_run,
        ):
            assert refused(401, operation)
    assert togai.sandbox.backend.now() == NOON
