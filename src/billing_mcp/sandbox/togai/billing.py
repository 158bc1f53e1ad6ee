"""The run of billing cycles: they open, their invoices run, become final, are paid.

A cycle opens at its start: what the plan grants for it is given, and its invoice runs as a draft
until the cycle's end and grace. One job does both, and looks only at what falls due.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating import credit_grant
from billing_mcp.rating.cards import CreditGrant, in_advance
from billing_mcp.rating.licence import Refund
from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call, Reply
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai import (
    accounts,
    charge_lists,
    credit_ledger,
    drafts,
    event_usage,
    feature_grants,
    purchase_grants,
    usage_sums,
    wallet_ledger,
)
from billing_mcp.sandbox.togai.invoices import NewInvoice, insert_invoice
from billing_mcp.sandbox.togai.running import Running, cycle_rule, in_cycle, in_cycle_at, plan_of

# What an invoice says before it has been computed.
_NOTHING: dict[str, Any] = {
    "description": "Grand total",
    "type": "GRAND_TOTAL_AMOUNT",
    "value": Decimal(0),
    "lineItems": [],
}
_A_DAY = timedelta(days=1)


def schedule_added(request: Call, schedule_id: str) -> None:
    """Open the cycles of a new schedule that have begun.

    Ours: of an association in the past, those whose grace has not ended; the others were never
    open, and no event could be counted in them any more.
    """
    schedule = _schedule(request, schedule_id)
    if schedule is None:
        return
    grace = timedelta(days=cycle_rule(plan_of(request.db, schedule)).grace_days)
    first = max(clock.read(schedule["start_date"]), request.now - grace)
    running = in_cycle_at(request.db, schedule, first)
    at = None if running is None else clock.written(running.cycle.start)
    store.update(request.db, "pricing_schedules", {"next_cycle_at": at}, id=schedule_id)
    _open_due(request, schedule_id)


def schedule_cut(request: Call, before: Row, rest_id: str | None) -> None:
    """A schedule lost a part of its time, or all of it: its drafts and events follow.

    `before` is its row as it was; `rest_id` is the schedule of what was left behind the cut, which
    has no open cycle yet. Invoices that are final stay as they are (ours).
    """
    schedule = _schedule(request, before["id"])
    for invoice in request.db.execute(
        "select * from invoices where schedule_id = ? and status = 'DRAFT'", (before["id"],)
    ).fetchall():
        running = (
            None if schedule is None else in_cycle(request.db, schedule, invoice["cycle_number"])
        )
        if running is None:
            charge_lists.forget(request, invoice["id"])
            request.db.execute("delete from invoices where id = ?", (invoice["id"],))
        elif invoice["type"] != drafts.ADVANCE:
            store.update(request.db, "invoices", _period(running), id=invoice["id"])
    request.db.execute(
        "update pricing_schedules set next_cycle_at = null where id = ? and next_cycle_at >= "
        "end_date",
        (before["id"],),
    )
    kept = [schedule_id for schedule_id in (before["id"], rest_id) if schedule_id is not None]
    event_usage.move(request, before, kept)
    usage_sums.mark_stale(request, before["account_id"])
    if rest_id is not None:
        schedule_added(request, rest_id)
    _finalise_due(request)
    credit_ledger.lapse_what_no_draft_can_use(request, before["account_id"])


def _period(running: Running) -> dict[str, Any]:
    return {
        "end_date": clock.written(running.cycle.end),
        "invoice_date": clock.written(running.cycle.end),
        "final_at": clock.written(running.grace_ends),
    }


def _schedule(request: Call, schedule_id: str) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from pricing_schedules where id = ?", (schedule_id,)
    ).fetchone()
    return row


def _open_due(request: Call, schedule_id: str | None = None) -> int:
    """Open every cycle whose start has come; answers how many."""
    opened = 0
    rows = request.db.execute(
        "select * from pricing_schedules where next_cycle_at <= ? and id = coalesce(?, id)"
        " order by next_cycle_at, id",
        (request.stamp, schedule_id),
    ).fetchall()
    for schedule in rows:
        at = schedule["next_cycle_at"]
        while at is not None and at <= request.stamp:
            running = in_cycle_at(request.db, schedule, clock.read(at))
            if running is None:
                raise LookupError(f"schedule {schedule['id']} has no cycle at {at}")
            _open(request, running)
            opened += 1
            following = in_cycle(request.db, schedule, running.cycle.number + 1)
            at = None if following is None else clock.written(following.cycle.start)
        store.update(request.db, "pricing_schedules", {"next_cycle_at": at}, id=schedule["id"])
    return opened


def _open(request: Call, running: Running) -> None:
    """A cycle begins: give what the plan grants for it, and let its invoice run."""
    feature_grants.grant_cycle(request, running)
    account = accounts.existing(request, running.account_id)
    for card in running.plan.credit_grants:
        if card.timing != "PREPAID":
            _grant_credit(request, running, card, account)
    first = not request.db.execute(
        "select 1 from invoices where schedule_id = ?", (running.schedule_id,)
    ).fetchone()
    invoice_id = _insert(request, running, "STANDARD", running.cycle.end)
    store.update(
        request.db, "invoices", {"final_at": clock.written(running.grace_ends)}, id=invoice_id
    )
    if first:
        _open_advance(request, running, account["invoice_currency"])
    usage_sums.mark_stale(request, running.account_id)


def _open_advance(request: Call, running: Running, currency: str) -> None:
    """Invoice the first cycle's own fees in advance, which no earlier invoice could carry.

    Ours: at once, but with licences at the end of the day, whose last quantity counts.
    """
    if not drafts.own_advance(request, running, currency).cards:
        return
    licences = any(in_advance(card.timing) for card in running.plan.licences)
    final_at = clock.midnight(request.now.date()) + _A_DAY if licences else request.now
    invoice_id = _insert(request, running, drafts.ADVANCE, request.now)
    store.update(request.db, "invoices", {"final_at": clock.written(final_at)}, id=invoice_id)
    if not licences:
        _finalise(request, _invoice(request, invoice_id))


def _insert(request: Call, running: Running, kind: str, dated: datetime) -> str:
    new = NewInvoice(
        account_id=running.account_id,
        price_plan_id=running.schedule["price_plan_id"],
        start=running.cycle.start.date(),
        end=running.cycle.end.date(),
        status="DRAFT",
        lines=_NOTHING,
        invoice_date=dated.date(),
        kind=kind,
    )
    invoice_id = insert_invoice(request, new)
    key = {"schedule_id": running.schedule_id, "cycle_number": running.cycle.number}
    store.update(request.db, "invoices", key, id=invoice_id)
    return invoice_id


def _invoice(request: Call, invoice_id: str) -> Row:
    row: Row = request.db.execute("select * from invoices where id = ?", (invoice_id,)).fetchone()
    return row


def _grant_credit(request: Call, running: Running, card: CreditGrant, account: Row) -> None:
    given = credit_grant.granted(card, account["invoice_currency"], running.cycle)
    if given is None or given.amount == 0:
        return
    ends = given.effective_until
    # A credit ends with a day: one that is to end within a day lasts until the day is over.
    whole = ends if ends == clock.midnight(ends.date()) else clock.midnight(ends.date()) + _A_DAY
    credit_ledger.grant_from_plan(
        request,
        account,
        given.amount,
        card.name,
        source=feature_grants.entry_id(running, card.id),
        starts=given.effective_from.date().isoformat(),
        ends=None if ends >= clock.OPEN_END else whole.date().isoformat(),
        priority=given.priority,
        applicable=given.applicable,
    )


def _finalise_due(request: Call) -> int:
    """Make every draft final whose time has come; answers how many."""
    rows = request.db.execute(
        "select * from invoices where status = 'DRAFT' and final_at <= ?"
        " order by final_at, start_date, type, id",
        (request.stamp,),
    ).fetchall()
    for row in rows:
        _finalise(request, row)
    return len(rows)


def _finalise(request: Call, invoice: Row) -> None:
    """A draft is computed for the last time, credits pay their part, and it is due."""
    account = accounts.existing(request, invoice["owner_id"])
    charge_lists.take_over(request, invoice)
    draft = drafts.compute(request, invoice, credit_ledger.states(request, account["id"]))
    drafts.keep_advance(request, draft)
    usage_sums.mark_stale(request, account["id"])
    if invoice["type"] == drafts.ADVANCE and not sum(line.amount for line in draft.lines):
        request.db.execute("delete from invoices where id = ?", (invoice["id"],))
        return
    drafts.write(request, invoice, draft)
    for credit_id, amount in draft.credit_use.by_credit().items():
        credit_ledger.debit(request, credit_id, amount, invoice["id"])
    due = clock.read(invoice["invoice_date"]) + timedelta(days=account["net_term_days"])
    changes = {
        "status": "DUE",
        "finalizing_status": "FINALIZED",
        "generated_at": request.stamp,
        "net_term_days": account["net_term_days"],
        "due_date": clock.written(due),
    }
    store.update(request.db, "invoices", changes, id=invoice["id"])
    request.effect("invoice-final", invoice["id"])
    for refund in draft.refunds:
        _give_back(request, account, draft.running, refund)
    net_off(request, invoice["id"])
    credit_ledger.lapse_what_no_draft_can_use(request, account["id"])


def _give_back(request: Call, account: Row, running: Running, refund: Refund) -> None:
    """Licences that were paid in advance and not held, as the card's refund mode says."""
    source = feature_grants.entry_id(running, refund.source)
    if refund.mode == "CREDITS":
        credit_ledger.grant_from_plan(
            request,
            account,
            refund.amount,
            "Licences paid for in advance and not held",
            source=source,
            starts=request.stamp[:10],
        )
    elif refund.mode == "WALLET":
        minor = money.minor_units(refund.amount, account["invoice_currency"])
        wallet_ledger.put_in(request, account["id"], minor, "Licences not held", source)


def net_off(request: Call, invoice_id: str) -> None:
    """An invoice has become due: the wallet of its account pays what it can."""
    invoice = _invoice(request, invoice_id)
    owed = int(invoice["total_minor"]) - int(invoice["paid_minor"])
    amount = wallet_ledger.take(request, invoice["owner_id"], owed, invoice_id)
    if amount > 0:
        receive(request, invoice, invoice["owner_id"], amount)


def receive(request: Call, invoice: Row, account_id: str, minor: int) -> None:
    """Money of an account for an invoice, at most what it is still owed."""
    receipt = {"invoice_id": invoice["id"], "account_id": account_id, "amount_minor": str(minor)}
    store.insert(request.db, "invoice_receipts", receipt)
    paid = int(invoice["paid_minor"]) + minor
    if paid == int(invoice["total_minor"]):
        pay(request, invoice)
        return
    changes = {
        "status": "PARTIALLY_PAID",
        "paid_minor": str(paid),
        "updated_at": request.stamp,
    }
    store.update(request.db, "invoices", changes, id=invoice["id"])
    request.effect("invoice-part-paid", invoice["id"])


def pay(request: Call, invoice: Row) -> None:
    """An invoice is paid in full; what its PREPAID cards grant is released."""
    changes = {
        "status": "PAID",
        "paid_minor": invoice["total_minor"],
        "updated_at": request.stamp,
    }
    store.update(request.db, "invoices", changes, id=invoice["id"])
    request.effect("invoice-paid", invoice["id"])
    purchase_grants.release(request, invoice["id"])
    if invoice["schedule_id"] is not None:
        _release(request, invoice)
    for part in merged_into(request, invoice["id"]):
        store.update(
            request.db,
            "invoices",
            {"paid_minor": part["total_minor"], "updated_at": request.stamp},
            id=part["id"],
        )
        purchase_grants.release(request, part["id"])
        if part["schedule_id"] is not None:
            _release(request, part)


def merged_into(request: Call, composite_id: str) -> list[Row]:
    """The invoices that a composite one stands for."""
    return request.db.execute(
        "select i.* from merged_invoices m join invoices i on i.id = m.invoice_id"
        " where m.composite_id = ? order by i.id",
        (composite_id,),
    ).fetchall()


def _release(request: Call, invoice: Row) -> None:
    """Give what waited for the fees in advance on this invoice to be paid."""
    number = invoice["cycle_number"] + (invoice["type"] != drafts.ADVANCE)
    schedule = _schedule(request, invoice["schedule_id"])
    running = None if schedule is None else in_cycle(request.db, schedule, number)
    if running is None:
        return
    account = accounts.existing(request, running.account_id)
    feature_grants.grant_prepaid(request, running)
    for card in running.plan.credit_grants:
        if card.timing == "PREPAID":
            _grant_credit(request, running, card, account)
    usage_sums.mark_stale(request, account["id"])


def _next_due(db: Connection, moment: datetime) -> datetime | None:
    stamp = clock.written(moment)
    row = db.execute(
        "select (select min(next_cycle_at) from pricing_schedules where next_cycle_at > ?)"
        " as opens, (select min(final_at) from invoices"
        " where status = 'DRAFT' and final_at > ?) as ends",
        (stamp, stamp),
    ).fetchone()
    dates = [clock.read(text) for text in (row["opens"], row["ends"]) if text is not None]
    return min(dates, default=None)


def _run(request: Call) -> Reply:
    """What ends goes before what begins."""
    finalised = _finalise_due(request)
    return Reply({"finalised": finalised, "opened": _open_due(request)})


RUN = Job("billing-cycles", _next_due, _run)
