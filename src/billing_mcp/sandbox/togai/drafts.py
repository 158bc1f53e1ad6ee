"""The invoices that run: what an account's usage, plans, licences and credits make of them.

A draft is computed when somebody reads it or when it becomes final, never while events come in.
All drafts of an account are computed together, because they share its credits: those that become
final first take first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating import recurrence
from billing_mcp.rating.credits import CreditState, CreditUse, apply_credits
from billing_mcp.rating.cycle_charges import CycleCharges, Measured, advance_charges, charges
from billing_mcp.rating.exact_numbers import WIDE, total
from billing_mcp.rating.invoice import advance_tree, invoice_tree
from billing_mcp.rating.licence import Refund
from billing_mcp.rating.lines import Line
from billing_mcp.rating.pricing_rules import Ruled, RuleLog
from billing_mcp.sandbox import store
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    charge_lists,
    credit_ledger,
    licence_history,
    rule_logs,
    usage_sums,
)
from billing_mcp.sandbox.togai.columns import packed
from billing_mcp.sandbox.togai.feature_grants import entry_id
from billing_mcp.sandbox.togai.invoice_lines import usage_lines, wire
from billing_mcp.sandbox.togai.running import Running, in_cycle, rules_of

ADVANCE = "STANDARD_ADVANCED"


@dataclass(frozen=True, slots=True)
class Draft:
    """An invoice as it would be if it became final now."""

    running: Running
    lines: Sequence[Line]  # what credits may pay, less discounts, in the order of the invoice
    credit_use: CreditUse
    tree: Line
    usage: list[dict[str, Any]]
    pays_for: int  # the number of the cycle that its fees in advance are for
    refunds: Sequence[Refund] = ()
    logs: Sequence[RuleLog] = ()


def settle(request: Call, account_id: str | None = None) -> None:
    """Bring the drafts of an account, or of all accounts, up to date before they are read."""
    rows = request.db.execute(
        "select account_id from stale_accounts where account_id = coalesce(?, account_id)"
        " order by account_id",
        (account_id,),
    ).fetchall()
    for row in rows:
        redraft(request, row["account_id"])


def redraft(request: Call, account_id: str) -> None:
    """Compute all drafts of an account, and hold the credits that they use."""
    held: dict[str, Decimal] = {}
    credits_ = credit_ledger.states(request, account_id)
    for row in _of_account(request, account_id):
        draft = compute(request, row, credits_)
        write(request, row, draft)
        credits_ = credit_ledger.less(credits_, draft.credit_use)
        for credit_id, amount in draft.credit_use.by_credit().items():
            held[credit_id] = WIDE.add(held.get(credit_id, Decimal(0)), amount)
    credit_ledger.hold_only(request, account_id, held)
    request.db.execute("delete from stale_accounts where account_id = ?", (account_id,))


def _of_account(request: Call, account_id: str) -> list[Row]:
    return request.db.execute(
        "select * from invoices where owner_id = ? and status = 'DRAFT' and final_at is not null"
        " order by final_at, start_date, type, id",
        (account_id,),
    ).fetchall()


def compute(request: Call, invoice: Row, credits_: Sequence[CreditState]) -> Draft:
    """Rate the cycle of a computed invoice, with credits that others have not used."""
    running = running_of(request, invoice)
    currency = invoice["currency"]
    if invoice["type"] == ADVANCE:
        fees = own_advance(request, running, currency)
        use = apply_credits(fees.lines, credits_, running.cycle, currency)
        tree = advance_tree(fees, use, currency)
        return Draft(running, fees.lines, use, tree, [], running.cycle.number, logs=fees.logs)
    measured = _measured(request, running)
    found = _charges(request, running, measured, currency)
    use = apply_credits(found.lines, credits_, running.cycle, currency)
    plan_name = request.db.execute(
        "select name from price_plans where id = ?", (invoice["price_plan_id"],)
    ).fetchone()["name"]
    names = {card.usage_meter_id: card.name for card in running.plan.usage_cards}
    return Draft(
        running,
        found.lines,
        use,
        invoice_tree(found, use, plan_name, charge_lists.lines(request, invoice, found.lines)),
        usage_lines(measured.usage, names),
        running.cycle.number + 1,
        found.refunds,
        found.logs,
    )


def running_of(request: Call, invoice: Row) -> Running:
    """The schedule and cycle that an invoice is computed from."""
    schedule = request.db.execute(
        "select * from pricing_schedules where id = ?", (invoice["schedule_id"],)
    ).fetchone()
    running = in_cycle(request.db, schedule, invoice["cycle_number"])
    if running is None:
        raise LookupError(f"invoice {invoice['id']} is of a cycle that its schedule has not")
    return running


def own_advance(request: Call, running: Running, currency: str) -> Ruled:
    """A cycle's own fees in advance: invoiced at its beginning if no cycle came before it."""
    measured = Measured(licences=_licences(request, running))
    rules = rules_of(request.db, running.schedule)
    return advance_charges(running.plan, currency, running.cycle, measured, rules)


def _charges(request: Call, running: Running, measured: Measured, currency: str) -> CycleCharges:
    following = in_cycle(request.db, running.schedule, running.cycle.number + 1)
    return charges(
        running.plan,
        currency,
        running.cycle,
        measured,
        following=None if following is None else following.cycle,
        rules=rules_of(request.db, running.schedule),
    )


def _measured(request: Call, running: Running) -> Measured:
    number = running.cycle.number
    return Measured(
        usage_sums.of_cycle(request.db, running.schedule_id, number),
        _licences(request, running),
        _overage(request, running),
        _invoiced(request, running),
    )


def _licences(request: Call, running: Running) -> dict[str, Any]:
    ids = [card.id for card in running.plan.licences]
    return {**licence_history.histories(request.db, running.account_id, ids)}


def _invoiced(request: Call, running: Running) -> dict[str, Decimal]:
    rows = request.db.execute(
        "select licence_id, amount from licences_in_advance"
        " where schedule_id = ? and cycle_number = ?",
        (running.schedule_id, running.cycle.number),
    )
    return {row["licence_id"]: Decimal(row["amount"]) for row in rows}


def keep_advance(request: Call, draft: Draft) -> None:
    """The draft is final: keep what it charges in advance for licences."""
    for line in draft.lines:
        if line.type == "ADVANCED_LICENSE_RATE_CARD_AMOUNT":
            columns = {
                "schedule_id": draft.running.schedule_id,
                "cycle_number": draft.pays_for,
                "licence_id": line.source,
                "amount": money.plain(line.amount),
            }
            store.insert(request.db, "licences_in_advance", columns)


def _overage(request: Call, running: Running) -> dict[str, Decimal]:
    """Overage by feature since each card was last billed, if this cycle bills it."""
    number = running.cycle.number
    last = in_cycle(request.db, running.schedule, number + 1) is None
    found = {}
    for card in running.plan.overages:
        cycles: Iterable[int] | None = recurrence.window(card.billing, number)
        if last:
            cycles = recurrence.open_window(card.billing, number)
        found[card.feature_id] = total(
            _overage_in(request, running, card.feature_id, cycle) for cycle in cycles or ()
        )
    return found


def _overage_in(request: Call, running: Running, feature_id: str, number: int) -> Decimal:
    cycle = in_cycle(request.db, running.schedule, number)
    if cycle is None:
        return Decimal(0)
    row = request.db.execute(
        "select used from feature_entries where account_id = ? and feature_id = ? and id = ?",
        (running.account_id, feature_id, entry_id(cycle, "OVERAGE")),
    ).fetchone()
    return Decimal(0) if row is None else Decimal(row["used"])


def write(request: Call, invoice: Row, draft: Draft) -> None:
    """Keep what a draft was computed to be."""
    changes = {
        "total_minor": str(money.minor_units(draft.tree.amount, invoice["currency"])),
        "revenue_info": packed(wire(draft.tree)),
        "usage_info": packed(draft.usage),
        "updated_at": request.stamp,
    }
    store.update(request.db, "invoices", changes, id=invoice["id"])
    rule_logs.keep(request, invoice["id"], draft.logs)
