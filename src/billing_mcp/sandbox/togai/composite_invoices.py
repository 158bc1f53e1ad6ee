"""Invoices of a group: at the end of a day, those that became due that day are merged into one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_mcp.rating.exact_numbers import total
from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call, Reply
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai.columns import unpacked
from billing_mcp.sandbox.togai.invoices import NewInvoice, insert_invoice

# The vendor allows so many lines below another; more invoices of a day make a further one.
_MOST_MERGED = 50
_A_DAY = timedelta(days=1)

_WAITING = (
    "select i.* from invoice_group_accounts m"
    " join invoice_groups g on g.id = m.group_id and g.consolidates = 1"
    " join invoices i on i.owner_id = m.account_id"
    " where i.status in ('DUE', 'PARTIALLY_PAID') and i.class = 'INVOICE'"
    " and i.generated_at >= m.joined_at"
)


def _next_due(db: Connection, moment: datetime) -> datetime | None:
    """The midnight after the first invoice that waits, if that is still to come."""
    row = db.execute(
        f"select min(generated_at) as at from ({_WAITING}) where generated_at >= ?",  # noqa: S608 - our own text
        (clock.written(clock.midnight(moment.date())),),
    ).fetchone()
    return None if row["at"] is None else clock.midnight(clock.read(row["at"]).date()) + _A_DAY


def _merge(request: Call) -> Reply:
    """Merge what became due on the days before today, each group's by itself."""
    today = clock.written(clock.midnight(request.now.date()))
    rows = request.db.execute(
        "select w.*, substr(w.generated_at, 1, 10) as due_day, m.group_id"  # noqa: S608 - our own text
        f" from ({_WAITING}) w join invoice_group_accounts m on m.account_id = w.owner_id"
        " where w.generated_at < ? order by m.group_id, due_day, w.owner_id, w.id",
        (today,),
    ).fetchall()
    merged: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        merged.setdefault((row["group_id"], row["due_day"]), []).append(row)
    for (group_id, _), parts in merged.items():
        for start in range(0, len(parts), _MOST_MERGED):
            _compose(request, group_id, parts[start : start + _MOST_MERGED])
    return Reply({"merged": len(rows)})


def _compose(request: Call, group_id: str, parts: Sequence[Row]) -> None:
    """One invoice that stands for others, paid as far as they are (ours)."""
    totals = [_total_of(part) for part in parts]
    paid = sum(int(part["paid_minor"]) for part in parts)
    new = NewInvoice(
        account_id=group_id,
        price_plan_id=None,
        start=min(clock.read(part["start_date"]) for part in parts).date(),
        end=max(clock.read(part["end_date"]) for part in parts).date(),
        status="PARTIALLY_PAID" if paid else "DUE",
        lines={
            "description": "Grand total",
            "type": "GRAND_TOTAL_AMOUNT",
            "value": total(Decimal(line["value"]) for line in totals),
            "lineItems": totals,
        },
        invoice_date=request.now.date(),
        kind="COMPOSITE",
    )
    composite_id = insert_invoice(request, new)
    store.update(request.db, "invoices", {"paid_minor": str(paid)}, id=composite_id)
    for part in parts:
        request.db.execute(
            "insert into merged_invoices (invoice_id, composite_id) values (?, ?)",
            (part["id"], composite_id),
        )
        changes = {"status": "MERGED", "updated_at": request.stamp}
        store.update(request.db, "invoices", changes, id=part["id"])
    request.effect("invoice-composite", composite_id)


def _total_of(part: Row) -> dict[str, Any]:
    """The total of an invoice as a line of the one it is merged into, named after its account."""
    root = unpacked(part, "revenue_info")
    below = root.get("lineItems", [])
    if [line["type"] for line in below] == ["TOTAL_AMOUNT"]:
        below = below[0]["lineItems"]
    parties = unpacked(part, "details")
    name = parties["account"]["name"]
    plan = parties.get("pricePlanName")
    described = f"{name}, {plan}" if plan else name
    return {
        "id": part["id"],
        "description": described,
        "type": "TOTAL_AMOUNT",
        "value": root["value"],
        "lineItems": below,
    }


MERGE = Job("merge-group-invoices", _next_due, _merge)
