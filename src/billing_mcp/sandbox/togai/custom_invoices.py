"""Togai's custom invoices: lines that somebody wrote, as a draft or final from the start."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.credits import CreditUse
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.invoice import custom_quantity, custom_tree, custom_value
from billing_mcp.rating.lines import Line
from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai import (
    billing,
    credit_ledger,
    group_rows,
    invoice_owners,
    invoices,
    usage_sums,
)
from billing_mcp.sandbox.togai.columns import packed, unpacked
from billing_mcp.sandbox.togai.invoice_lines import wire
from billing_mcp.sandbox.togai.invoice_owners import Owner

resource = Resource()

_FIELDS = (
    *("accountId", "ownerType", "startDate", "endDate", "idempotencyKey", "status"),
    *("lineItems", "autoAdvance", "applyCredits", "applyWalletBalance"),
)
_LINE = ("id", "description", "valuePerQuantity", "quantity", "value", "billableId")
_MOST_LINES = 50
# Ours, so that the sum of the largest lines is still a whole number that the database keeps.
_LARGEST = Decimal(10) ** 12
_LONGEST_TEXT = 255
_UNNAMED = "Custom charge"


@resource.route("POST", "/invoices")
def create_custom_invoice(request: Call) -> Reply:
    body = call.closed(request.body, _FIELDS)
    status = call.one_of(body, "status", ("DRAFT", "DUE", "PAID"))
    key = call.text(body, "idempotencyKey", minimum=1, maximum=_LONGEST_TEXT, default=None)
    owner = _owner(request, body)
    items = read_items(body)
    start, end = read_period(body)
    choices = {
        "auto_advance": int(call.flag(body, "autoAdvance", default=False)),
        "apply_credits": int(call.flag(body, "applyCredits", default=True)),
        "apply_wallet": int(call.flag(body, "applyWalletBalance", default=True)),
    }
    repeated = request.db.execute(
        "select invoice_id from custom_invoices where idempotency_key = ?", (key,)
    ).fetchone()
    if repeated:
        return Reply(invoices.render(invoices.existing(request, repeated["invoice_id"])), 201)
    tree = custom_tree(lines(items, owner.currency), CreditUse(), owner.currency)
    new = invoices.NewInvoice(
        account_id=owner.id,
        price_plan_id=None,
        start=start.date(),
        end=end.date(),
        status="DRAFT",
        lines=wire(tree),
        kind="CUSTOM",
    )
    invoice_id = invoices.insert_invoice(request, new)
    columns = {
        "invoice_id": invoice_id,
        "idempotency_key": key,
        "line_items": packed(items),
        "apply_credits": choices["apply_credits"],
        "apply_wallet": choices["apply_wallet"],
        "created_at": request.stamp,
    }
    store.insert(request.db, "custom_invoices", columns)
    period = {"start_date": clock.written(start), "end_date": clock.written(end)}
    changes = period | {"auto_advance": choices["auto_advance"]}
    store.update(request.db, "invoices", changes, id=invoice_id)
    request.effect("custom-invoice", invoice_id, key)
    if status != "DRAFT":
        finalise(request, invoice_id, status)
    else:
        _advance(request)
    return Reply(invoices.render(invoices.existing(request, invoice_id)), 201)


@resource.route("DELETE", "/invoices/{invoice_id}")
def delete_custom_invoice(request: Call) -> Reply:
    row = invoices.existing(request, request.path["invoice_id"])
    refuse_unless_custom_draft(row, "be deleted")
    request.db.execute("delete from custom_invoices where invoice_id = ?", (row["id"],))
    request.db.execute("delete from invoices where id = ?", (row["id"],))
    request.effect("custom-invoice-delete", row["id"])
    return Reply({"success": True})


def refuse_unless_custom_draft(row: Row, what: str) -> None:
    """Refuse what the vendor allows for custom invoices in draft only."""
    if row["type"] != "CUSTOM" or row["status"] != "DRAFT":
        kind = f"{row['type']} and {row['status']}"
        raise Refusal(400, f"Invoice {row['id']} is {kind}; only CUSTOM in DRAFT can {what}")


def _owner(request: Call, body: dict[str, Any]) -> Owner:
    """An account; or an invoice group, whose id then is in `accountId` (ours)."""
    owners = ("ACCOUNT", "INVOICE_GROUP")
    kind = call.one_of(body, "ownerType", owners, default="ACCOUNT")
    owner_id = call.text(body, "accountId", minimum=1, maximum=50)
    if kind == "INVOICE_GROUP":
        group = group_rows.find(request, owner_id)
        if group is None or group["status"] != "ACTIVE":
            raise Refusal(400, f"accountId: there is no invoice group {owner_id}")
        return invoice_owners.of_group(request, group)
    found = request.db.execute(
        "select 1 from accounts where id = ? and status <> 'ARCHIVED'", (owner_id,)
    ).fetchone()
    if found is None:
        raise Refusal(400, f"accountId: there is no account {owner_id}")
    return invoice_owners.of_account(request, owner_id)


def read_period(
    body: dict[str, Any], start: datetime | None = None, end: datetime | None = None
) -> tuple[datetime, datetime]:
    """The period of the body; what is not in it stays as it was, if it was."""
    starts = call.timestamp(body, "startDate", default=call.REQUIRED if start is None else start)
    ends = call.timestamp(body, "endDate", default=call.REQUIRED if end is None else end)
    if ends <= starts:
        raise Refusal(400, "endDate must be later than startDate")
    return starts, ends


def read_items(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The line items as sent, after a look at each."""
    items = call.listed(body, "lineItems", minimum=1, maximum=_MOST_LINES)
    for index, item in enumerate(items):
        at = f"lineItems[{index}]."
        given = call.closed(item, _LINE, at)
        for name in ("id", "description", "billableId"):
            call.text(given, name, minimum=1, maximum=_LONGEST_TEXT, default=None, at=at)
        for name in ("value", "quantity", "valuePerQuantity"):
            call.number(given, name, minimum=0, maximum=_LARGEST, default=None, at=at)
        if ("quantity" in given) != ("valuePerQuantity" in given):
            raise Refusal(400, f"{at}quantity and valuePerQuantity go together")
        if not {"value", "quantity"} & given.keys():
            raise Refusal(400, f"{at}value is required, or quantity and valuePerQuantity")
        if _line(given, "USD").exact > _LARGEST:
            raise Refusal(400, f"{at}quantity times valuePerQuantity must be at most {_LARGEST}")
    return items


def lines(items: Sequence[dict[str, Any]], currency: str) -> list[Line]:
    """The lines that the items make. Documented: a quantity wins over a value beside it."""
    return [_line(item, currency) for item in items]


def _line(item: dict[str, Any], currency: str) -> Line:
    description = item.get("description", _UNNAMED)
    if "quantity" in item:
        quantity, rate = Decimal(item["quantity"]), Decimal(item["valuePerQuantity"])
        line = custom_quantity(description, quantity, rate, currency)
    else:
        line = custom_value(description, Decimal(item["value"]), currency)
    return replace(line, source=item.get("billableId", item.get("id")))


def rewrite(request: Call, row: Row, body: dict[str, Any]) -> None:
    """Change a custom draft: the fields that the body has."""
    start, end = read_period(body, clock.read(row["start_date"]), clock.read(row["end_date"]))
    changes: dict[str, Any] = {
        "start_date": clock.written(start),
        "end_date": clock.written(end),
        "updated_at": request.stamp,
        **_dated(clock.midnight(end.date()), row["net_term_days"]),
    }
    if "autoAdvance" in body:
        changes["auto_advance"] = int(call.flag(body, "autoAdvance"))
    if "lineItems" in body:
        items = read_items(body)
        asked = {"line_items": packed(items)}
        store.update(request.db, "custom_invoices", asked, invoice_id=row["id"])
        tree = custom_tree(lines(items, row["currency"]), CreditUse(), row["currency"])
        changes |= _totals(tree, row["currency"])
    store.update(request.db, "invoices", changes, id=row["id"])
    _advance(request)


def finalise(request: Call, invoice_id: str, status: str | None = None) -> None:
    """A custom draft is dated, credits and the wallet pay their part, and it is DUE or PAID.

    Without a status it is DUE, or PAID when credits left nothing to pay. A group has neither
    credits nor a wallet (ours), and what is PAID from the start was not paid from a wallet (ours).
    """
    row = invoices.existing(request, invoice_id)
    asked = request.db.execute(
        "select * from custom_invoices where invoice_id = ?", (invoice_id,)
    ).fetchone()
    currency = row["currency"]
    written = lines(unpacked(asked, "line_items"), currency)
    use = CreditUse()
    owner = invoice_owners.existing(request, row["owner_id"])
    is_account = group_rows.find(request, owner.id) is None
    if asked["apply_credits"] and is_account:
        start, end = clock.read(row["start_date"]), clock.read(row["end_date"])
        period = Cycle(0, start, end, start, end)
        use = credit_ledger.pay(request, row["owner_id"], invoice_id, written, period)
        usage_sums.mark_stale(request, row["owner_id"])
    totals = _totals(custom_tree(written, use, currency), currency)
    if status is None:
        status = "DUE" if totals["total_minor"] else "PAID"
    changes = {
        "status": status,
        "finalizing_status": "FINALIZED",
        "generated_at": request.stamp,
        "updated_at": request.stamp,
        "paid_minor": totals["total_minor"] if status == "PAID" else 0,
        **_dated(clock.midnight(request.now.date()), owner.term_days),
        **totals,
    }
    store.update(request.db, "invoices", changes, id=invoice_id)
    request.effect("invoice-final", invoice_id)
    if status == "DUE" and asked["apply_wallet"] and is_account:
        billing.net_off(request, invoice_id)


def _totals(tree: Line, currency: str) -> dict[str, Any]:
    total = money.minor_units(tree.amount, currency)
    return {"total_minor": total, "revenue_info": packed(wire(tree))}


def _dated(date: datetime, term: int) -> dict[str, Any]:
    due = clock.written(date + timedelta(days=term))
    return {"invoice_date": clock.written(date), "due_date": due, "net_term_days": term}


_ADVANCING = "type = 'CUSTOM' and status = 'DRAFT' and auto_advance = 1"


def _next_due(db: Connection, moment: datetime) -> datetime | None:
    row = db.execute(
        f"select min(end_date) as at from invoices where {_ADVANCING} and end_date > ?",  # noqa: S608 - our own text
        (clock.written(moment),),
    ).fetchone()
    return None if row["at"] is None else clock.read(row["at"])


def _advance(request: Call) -> Reply:
    """Make the drafts final that were asked to go on by themselves and whose period is over."""
    rows = request.db.execute(
        f"select id from invoices where {_ADVANCING} and end_date <= ? order by end_date, id",  # noqa: S608 - our own text
        (request.stamp,),
    ).fetchall()
    for row in rows:
        finalise(request, row["id"])
    return Reply({"finalised": len(rows)})


ADVANCE = Job("advance-custom-invoices", _next_due, _advance)
