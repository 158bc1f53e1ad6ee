"""What is always true of what accounts hold: licences, and what they bought."""

from collections import Counter

from life.books import Books
from life.company import amount
from life.events import moment_of
from life.model import Model


def check_seats(books: Books, model: Model) -> None:
    """Each update says what is held after it and all that came before it in time."""
    for account_id, account in books.accounts.items():
        shown = [
            (moment_of(row["effectiveFrom"]), amount(row["quantity"])) for row in account.seats
        ]
        held = model.held_seats(account_id)
        assert sorted(shown) == sorted(held), account_id
        assert all(quantity >= 0 for _, quantity in held), held


def check_admins(books: Books, model: Model) -> None:
    shown = Counter(
        (
            row["accountId"],
            row["name"],
            moment_of(row["effectiveFrom"]),
            moment_of(row["effectiveUntil"]) if "effectiveUntil" in row else None,
        )
        for row in books.admins
    )
    held = Counter(
        (account_id, name, since, until)
        for (account_id, name), periods in model.admins.items()
        for since, until in periods
    )
    assert shown == held


def check_purchases(books: Books) -> None:
    """What waits to be paid can be paid, and what was given was invoiced once."""
    invoiced = Counter(
        row["invoiceId"]
        for account in books.accounts.values()
        for row in account.bought
        if "invoiceId" in row
    )
    assert max(invoiced.values(), default=1) == 1, invoiced
    one_off = [one["id"] for one in books.invoices.values() if one["invoiceType"] == "AD_HOC"]
    assert sorted(one_off) == sorted(invoiced), invoiced
    for account in books.accounts.values():
        for row in account.bought:
            invoice = books.invoices.get(row.get("invoiceId", ""))
            if invoice is not None:
                assert amount(invoice["totalAmount"]) == amount(row["price"]), (row, invoice)
            settled = invoice is not None and _is_paid(books, invoice["id"])
            if row["status"] == "PENDING":
                assert invoice is not None, row
                assert invoice["status"] != "VOID", (row, invoice)
                assert not settled, (row, invoice)


def _is_paid(books: Books, invoice_id: str) -> bool:
    one = books.invoices[invoice_id]
    return amount(one["paidAmount"]) == amount(one["totalAmount"])
