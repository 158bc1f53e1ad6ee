"""The older way to say that an invoice was paid."""

from collections.abc import Mapping
from typing import Any, Literal

from billing_mcp.declarations import DELETE, Effect, Toolset, Verdict, Write
from billing_mcp.tools.togai import invoice_lookups, recognition
from billing_mcp.tools.togai.invoice_changes import status_effect
from billing_mcp.tools.togai.invoices import InvoiceId, WholeInvoice
from billing_mcp.upstream import Togai

toolset = Toolset("togai-payments")


async def _paid(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    invoice = await invoice_lookups.invoice_of(togai, asked["invoiceId"])
    return recognition.in_force(invoice, {"status": asked["status"]})


async def _would_pay(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    invoice = await invoice_lookups.invoice_of(togai, asked["invoiceId"])
    return status_effect(invoice, asked["status"])


@toolset.tool(
    DELETE,
    "POST /invoices/{invoice_id}/payments",
    title="Update the payment status of an invoice (deprecated)",
    write=Write(
        find_out="get-invoice shows whether it is PAID",
        reconcile=_paid,
        preview=_would_pay,
        stake=invoice_lookups.stake_of_invoice,
        target="invoiceId",
    ),
)
async def update_invoice_payment_status(
    togai: Togai, invoiceId: InvoiceId, status: Literal["PAID"] = "PAID"
) -> WholeInvoice:
    """Deprecated: use update-invoice, or create-payments. Marks an invoice as paid."""
    at = {"invoice_id": invoiceId}
    return await togai.fetch(WholeInvoice, at=at, body={"status": status})
