"""One invoice as the tools that change it need to know it: whose it is, and in which state."""

from collections.abc import Iterator, Mapping
from typing import Any

from billing_mcp import errors
from billing_mcp.declarations import Stake
from billing_mcp.tools import wording
from billing_mcp.tools.togai.invoices import InvoiceLine, WholeInvoice
from billing_mcp.upstream import Togai

INVOICE_ROUTE = "GET /invoices/{invoice_id}"


async def invoice_of(togai: Togai, invoice_id: str) -> WholeInvoice:
    """Raises `NotFound`."""
    return await togai.fetch(WholeInvoice, route=INVOICE_ROUTE, at={"invoice_id": invoice_id})


def called(invoice: WholeInvoice) -> str:
    """`the DUE invoice inv.1 of 49.50 USD of account harbor-main`."""
    words = f"the {invoice.status} invoice {wording.identified(invoice.id)}"
    if invoice.totalAmount is not None:
        currency = invoice.currency()
        words += f" of {shown(invoice.totalAmount, currency)}"
    if invoice.ownerId is not None:
        words += f" of {owner_kind(invoice)} {wording.identified(invoice.ownerId)}"
    return words


def owner_kind(invoice: WholeInvoice) -> str:
    return "account" if invoice.invoiceDetails and invoice.invoiceDetails.account else "group"


def shown(amount: Any, currency: str | None) -> str:
    return f"{amount}" if currency is None else wording.amount(amount, currency)


def every(line: InvoiceLine | None) -> Iterator[InvoiceLine]:
    """A line and all below it."""
    if line is not None:
        yield line
        for part in line.lineItems or ():
            yield from every(part)


async def stake_of_invoice(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    """Whom a write affects that names one invoice; nobody knows of a group of several customers."""
    invoice = await invoice_of(togai, asked["invoiceId"])
    if invoice.customerId is None or invoice.ownerId is None:
        return Stake(None, currency=invoice.currency())
    customers = frozenset({invoice.ownerId, invoice.customerId})
    return Stake(customers, invoice.customerId, invoice.currency())


def require_status(invoice: WholeInvoice, statuses: tuple[str, ...], what: str) -> None:
    """Raises `Conflict` for an invoice in another status."""
    if invoice.status is not None and invoice.status not in statuses:
        raise errors.Conflict(
            f"{wording_of(invoice)} cannot {what}: only {wording.listed(list(statuses))} can.",
            field="invoiceId",
            next_step="get-invoice shows its status; list-invoices those of another one.",
        )


def wording_of(invoice: WholeInvoice) -> str:
    """As `called`, at the beginning of a sentence."""
    words = called(invoice)
    return f"{words[0].upper()}{words[1:]}"
