"""How Togai's invoices go from one status to another, and what that does to credits."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    billing,
    credit_ledger,
    custom_invoices,
    drafts,
    invoices,
    purchase_grants,
    usage_sums,
    wallet_ledger,
)

resource = Resource()

_STATUSES = ("DUE", "PAID", "VOID", "UN_COLLECTIBLE", "REFUND_INITIATED")
_DRAFT_FIELDS = ("startDate", "endDate", "lineItems", "autoAdvance")

# Ours: which statuses a client may set, from which. A draft that is computed goes on by itself.
_AFTER: Mapping[str, tuple[str, ...]] = {
    "DRAFT": ("DUE", "PAID"),
    "DUE": ("PAID", "VOID", "UN_COLLECTIBLE"),
    "PARTIALLY_PAID": ("PAID", "VOID", "UN_COLLECTIBLE"),
    "UN_COLLECTIBLE": ("PAID", "VOID"),
    "PAID": ("REFUND_INITIATED",),
}


@resource.route("PATCH", "/invoices/{invoice_id}")
def update_invoice(request: Call) -> Reply:
    row = invoices.existing(request, request.path["invoice_id"])
    body = call.closed(request.body, (*_DRAFT_FIELDS, "status"))
    if not body:
        raise Refusal(400, f"give one of {', '.join((*_DRAFT_FIELDS, 'status'))}")
    status = call.one_of(body, "status", _STATUSES, default=None)
    if body.keys() & set(_DRAFT_FIELDS):
        custom_invoices.refuse_unless_custom_draft(row, "change other fields than status")
        custom_invoices.rewrite(request, row, body)
        request.effect("invoice-update", row["id"])
    if status is not None:
        set_status(request, row["id"], status)
    return _answer(request, row)


@resource.route("POST", "/invoices/{invoice_id}/payments")
def update_payment_status(request: Call) -> Reply:
    """The older way to say that an invoice was paid."""
    row = invoices.existing(request, request.path["invoice_id"])
    body = call.closed(request.body, ("status",))
    set_status(request, row["id"], call.one_of(body, "status", ("PAID",)))
    return _answer(request, row)


def set_status(request: Call, invoice_id: str, status: str) -> None:
    """Take an invoice to a status; to the one it has without effect. Refuses with 400."""
    row = invoices.existing(request, invoice_id)
    if row["status"] == status:
        return
    if row["status"] == "DRAFT":
        custom_invoices.refuse_unless_custom_draft(row, "be made final")
    allowed = _AFTER.get(row["status"], ())
    if status not in allowed:
        shown = ", ".join(allowed) or "nothing"
        raise Refusal(400, f"status: from {row['status']} an invoice goes to {shown}")
    if row["status"] == "DRAFT":
        custom_invoices.finalise(request, invoice_id, status)
    elif status == "PAID":
        billing.pay(request, row)
    else:
        changes = {"status": status, "updated_at": request.stamp}
        store.update(request.db, "invoices", changes, id=invoice_id)
    if status == "VOID":
        _undo_payment(request, row)
    request.effect("invoice-status", invoice_id, status)


def _answer(request: Call, row: Row) -> Reply:
    drafts.settle(request, row["owner_id"])
    return Reply(invoices.render(invoices.existing(request, row["id"])))


def _undo_payment(request: Call, invoice: Row) -> None:
    """What was paid of a void invoice is given back; those merged into it are void with it.

    What waited for one of them to be paid is not bought (ours).
    """
    _give_back_credits(request, invoice)
    _give_back_receipts(request, invoice)
    purchase_grants.fail(request, invoice["id"])
    for part in billing.merged_into(request, invoice["id"]):
        changes = {"status": "VOID", "updated_at": request.stamp}
        store.update(request.db, "invoices", changes, id=part["id"])
        _give_back_credits(request, part)
        _give_back_receipts(request, part)
        purchase_grants.fail(request, part["id"])


def _give_back_receipts(request: Call, invoice: Row) -> None:
    """Money goes to the wallet of the account that it came from, whatever way it came (ours)."""
    rows = request.db.execute(
        "select account_id, amount_minor from invoice_receipts where invoice_id = ? order by rowid",
        (invoice["id"],),
    ).fetchall()
    for receipt in rows:
        minor, reason = int(receipt["amount_minor"]), f"Void {invoice['id']}"
        wallet_ledger.put_in(request, receipt["account_id"], minor, reason, invoice["id"])
    request.db.execute("delete from invoice_receipts where invoice_id = ?", (invoice["id"],))
    store.update(request.db, "invoices", {"paid_minor": "0"}, id=invoice["id"])


def _give_back_credits(request: Call, invoice: Row) -> None:
    """What credits paid of a void invoice is theirs again; those that have ended lose it anew."""
    rows = request.db.execute(
        "select credit_id, amount from credit_transactions"
        " where invoice_id = ? and type = 'DEBITED' order by number",
        (invoice["id"],),
    ).fetchall()
    for debit in rows:
        row = credit_ledger.existing(request, debit["credit_id"])
        amount = Decimal(debit["amount"])
        changes: dict[str, Any] = {
            "consumed": money.plain(WIDE.subtract(Decimal(row["consumed"]), amount)),
            "status": "ACTIVE" if row["status"] == "CONSUMED" else row["status"],
            "updated_at": request.stamp,
        }
        store.update(request.db, "credits", changes, id=row["id"])
        credit_ledger.record(request, row["id"], "CREDITED", amount, invoice["id"])
        until = row["effective_until"]
        if row["status"] == "VOIDED" or (until is not None and until <= request.stamp[:10]):
            ended = "VOIDED" if row["status"] == "VOIDED" else "EXPIRED"
            credit_ledger.lapse(request, credit_ledger.existing(request, row["id"]), ended)
    usage_sums.mark_stale(request, invoice["owner_id"])
