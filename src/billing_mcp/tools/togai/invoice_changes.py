"""What a person does with an invoice by hand: its status, and a custom draft's lines and period."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import DELETE, Effect, NotApplied, Toolset, Verdict, Write
from billing_mcp.params import Instant
from billing_mcp.results import values
from billing_mcp.tools import wording
from billing_mcp.tools.togai import invoice_lookups, recognition
from billing_mcp.tools.togai.custom_invoices import CustomLine, Lines, require_custom_draft, told
from billing_mcp.tools.togai.invoices import InvoiceId, WholeInvoice
from billing_mcp.upstream import Togai
from billing_mcp.wire import present, utc_text

toolset = Toolset("togai-invoices")

Status = Literal["DUE", "PAID", "VOID", "UN_COLLECTIBLE", "REFUND_INITIATED"]

# What each status means for whoever owes the invoice, and from which statuses this server lets it
# be set. Togai has the last word.
_FOLLOWS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "DUE": ("it is owed from now on, less what credits and the wallet pay", ("DRAFT",)),
    "PAID": (
        "it counts as paid in full, though no payment is recorded",
        ("DRAFT", "DUE", "PARTIALLY_PAID", "UN_COLLECTIBLE"),
    ),
    "VOID": (
        "it is cancelled and nothing is owed",
        ("DUE", "PARTIALLY_PAID", "UN_COLLECTIBLE"),
    ),
    "UN_COLLECTIBLE": ("it is written off as bad debt", ("DUE", "PARTIALLY_PAID")),
    "REFUND_INITIATED": ("it is marked for refund; no money moves", ("PAID",)),
}
# What may be set after it again.
_UNDO = {"UN_COLLECTIBLE": "update-invoice with status PAID or VOID; it cannot be DUE again."}


def status_effect(invoice: WholeInvoice, status: str) -> Effect:
    """What a status would change. Raises `Conflict` where the present one does not lead there."""
    if invoice.status == status:
        raise errors.Conflict(
            f"{invoice_lookups.wording_of(invoice)} is so already.",
            field="status",
            next_step="get-invoice shows it as it is now.",
        )
    follows, statuses = _FOLLOWS[status]
    invoice_lookups.require_status(invoice, statuses, f"become {status}")
    if invoice.status == "DRAFT":
        require_custom_draft(invoice, f"become {status} by hand")
    before = {"status": invoice.status}
    return Effect(
        f"Makes {invoice_lookups.called(invoice)} {status}: {follows}.",
        before,
        {"status": status},
        _UNDO.get(status),
        before | {"totalAmount": invoice.totalAmount, "paidAmount": invoice.paidAmount},
    )


# Lines are told from the invoice's tree; the rest is in it as it was set.
_FIELDS = ("startDate", "endDate", "autoAdvance")


def _require_something(given: Mapping[str, Any]) -> None:
    if all(given[name] is None for name in ("status", "lineItems", *_FIELDS)):
        raise errors.InvalidRequest(
            "Nothing to change is given; nothing was sent.",
            field="status",
            next_step="Give status, or for a custom draft lineItems, startDate, endDate or "
            "autoAdvance.",
        )


async def _updated(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    invoice = await invoice_lookups.invoice_of(togai, asked["invoiceId"])
    wanted = {name: asked[name] for name in ("status", *_FIELDS)}
    # DUE may be PAID by the time that somebody looks: credits and wallets pay at once.
    if asked["status"] == "DUE" and invoice.status in ("PAID", "PARTIALLY_PAID", "MERGED"):
        wanted["status"] = None
    verdict = recognition.in_force(invoice, wanted)
    if asked["lineItems"] is None or isinstance(verdict, NotApplied):
        return verdict
    lines = [CustomLine.model_validate(line) for line in asked["lineItems"]]
    return verdict if _has_lines(invoice, lines) else NotApplied()


def _has_lines(invoice: WholeInvoice, lines: list[CustomLine]) -> bool:
    currency = invoice.currency() or ""
    found = [
        line.value
        for line in invoice_lookups.every(invoice.revenueInfo)
        if line.type == "CUSTOM_AMOUNT"
    ]
    return found == [line.amount(currency) for line in lines]


async def _would_update(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _require_something(asked)
    invoice = await invoice_lookups.invoice_of(togai, asked["invoiceId"])
    fields = present(**{name: asked[name] for name in _FIELDS})
    if not fields and asked["lineItems"] is None:
        return status_effect(invoice, asked["status"])
    require_custom_draft(invoice, "change in more than its status")
    shown = values(invoice)
    before = {name: shown.get(name) for name in fields}
    after: dict[str, Any] = dict(fields)
    changes = [
        f"{name} {utc_text(asked[name]) if isinstance(asked[name], datetime) else value}"
        for name, value in fields.items()
    ]
    currency = invoice.currency()
    if asked["lineItems"] is not None and currency is not None:
        total, lines = told(asked["lineItems"], currency)
        changes.append(f"lines of {wording.amount(total, currency)} in all: {lines}")
        before["totalAmount"], after["totalAmount"] = invoice.totalAmount, total
    sentence = f"Gives {invoice_lookups.called(invoice)} {wording.listed(changes)}."
    if asked["status"] is not None:
        status = status_effect(invoice, asked["status"])
        sentence += f" Then: {status.sentence}"
        before["status"], after["status"] = invoice.status, asked["status"]
    undo = "update-invoice with the values as they were before, as long as it is DRAFT."
    provided = {"status": invoice.status, "totalAmount": invoice.totalAmount}
    return Effect(sentence, before, after, undo, provided | before)


@toolset.tool(
    DELETE,
    "PATCH /invoices/{invoice_id}",
    write=Write(
        find_out="get-invoice shows the invoice as it is now",
        reconcile=_updated,
        preview=_would_update,
        stake=invoice_lookups.stake_of_invoice,
        target="invoiceId",
    ),
)
async def update_invoice(
    togai: Togai,
    invoiceId: InvoiceId,
    status: Annotated[
        Status | None, Field(description="VOID cancels; UN_COLLECTIBLE writes off")
    ] = None,
    lineItems: Annotated[
        Lines | None, Field(description="Replaces the lines of a custom DRAFT")
    ] = None,
    startDate: Instant | None = None,
    endDate: Instant | None = None,
    autoAdvance: bool | None = None,
) -> WholeInvoice:
    """Change an invoice's status by hand; other fields only of a custom DRAFT. To record money that
    came in use create-payments."""
    given = {
        "status": status,
        "lineItems": lineItems,
        "startDate": startDate,
        "endDate": endDate,
        "autoAdvance": autoAdvance,
    }
    _require_something(given)
    return await togai.fetch(WholeInvoice, at={"invoice_id": invoiceId}, body=present(**given))
