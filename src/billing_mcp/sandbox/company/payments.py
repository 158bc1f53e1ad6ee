"""Who of the demo company's customers has paid which invoice."""

from datetime import UTC, datetime

from billing_mcp.sandbox import clock
from billing_mcp.sandbox.company.books import Books
from billing_mcp.sandbox.company.customers import CUSTOMERS

_PAYDAY = 12
# Who has not paid the month's invoice by the twelfth of the month after.
_OWED = {10: ("acme-prod", "acme-staging", "helios-main", "finch-live", "sakura-tokyo")}


def paid_at(month: int) -> datetime:
    return datetime(2026, month + 1, _PAYDAY, 10, tzinfo=UTC)


def pay(books: Books, month: int) -> None:
    """Mark the invoices of a month as paid, except for those that are still owed."""
    began = clock.written(datetime(2026, month, 1, tzinfo=UTC))
    for customer in CUSTOMERS:
        for account in customer.accounts:
            if account.id in _OWED.get(month, ()):
                continue
            for invoice in books.ask("GET", "/togai/invoices", owner_id=account.id)["data"]:
                if invoice["startDate"] == began and invoice["status"] == "DUE":
                    path = f"/togai/invoices/{invoice['id']}"
                    books.ask("PATCH", path, {"status": "PAID"})
