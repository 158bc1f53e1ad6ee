"""What happens to credits: granted, held by drafts, used by invoices, expired, voided.

At any time a credit's amount is what is consumed, what has lapsed (expired or voided), what is
held by drafts, and what is left; the transactions add up to the first two.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.credits import CreditState, CreditUse, apply_credits
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.rating.lines import Line
from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import usage_sums
from billing_mcp.sandbox.togai.columns import packed, unpacked

_NONE = Decimal(0)


def existing(request: Call, credit_id: str) -> Row:
    """The credit's row. Refuses with 404."""
    row: Row | None = request.db.execute(
        "select * from credits where id = ?", (credit_id,)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Credit {credit_id} not found")
    return row


def grant(request: Call, columns: dict[str, Any], account: Row) -> Row:
    """Keep a new credit. `columns` say what is particular to it."""
    credit_id = request.new_id("cred")
    rest = {
        "id": credit_id,
        "customer_id": account["customer_id"],
        "held": "0",
        "consumed": "0",
        "lapsed": "0",
        "currency": account["invoice_currency"],
        "status": "ACTIVE",
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    store.insert(request.db, "credits", columns | rest)
    record(request, credit_id, "CREDITED", Decimal(columns["amount"]))
    usage_sums.mark_stale(request, account["id"])
    request.effect("credit", credit_id, columns["idempotency_key"])
    return existing(request, credit_id)


def grant_from_plan(
    request: Call,
    account: Row,
    amount: Decimal,
    purpose: str,
    *,
    source: str,
    starts: str,
    ends: str | None = None,
    priority: int = 1,
    applicable: Sequence[str] = (),
) -> None:
    """Give what a plan grants or gives back. `starts` and `ends` are dates."""
    columns = {
        "account_id": account["id"],
        "purpose": purpose,
        "applicable_entity_ids": packed(list(applicable)),
        "effective_from": starts,
        "effective_until": ends,
        "amount": money.plain(amount),
        "priority": priority,
        "grantor_id": source,
        "idempotency_key": None,
    }
    row = grant(request, columns, account)
    if ends is not None and ends <= request.stamp[:10]:
        # A cycle that ended and is still within its grace: its own invoice can use the credit.
        store.update(request.db, "credits", {"status": "EXPIRED"}, id=row["id"])


def remaining(row: Row) -> Decimal:
    """What no final invoice has used and what has not lapsed, whether a draft holds it or not."""
    return WIDE.subtract(
        WIDE.subtract(Decimal(row["amount"]), Decimal(row["consumed"])), Decimal(row["lapsed"])
    )


def states(request: Call, account_id: str) -> list[CreditState]:
    """The account's credits as invoices may use them, whatever drafts hold.

    One whose day has come is among them until the invoices of its time are final.
    """
    rows = request.db.execute(
        "select * from credits where account_id = ? and status in ('ACTIVE', 'EXPIRED')"
        " and lapsed = '0' order by id",
        (account_id,),
    )
    return [_state(row) for row in rows]


def _state(row: Row) -> CreditState:
    until = row["effective_until"]
    return CreditState(
        row["id"],
        row["priority"],
        clock.midnight(clock.read_day(row["effective_from"])),
        None if until is None else clock.midnight(clock.read_day(until)),
        clock.read(row["created_at"]),
        remaining(row),
        tuple(unpacked(row, "applicable_entity_ids")),
    )


def less(credits_: Sequence[CreditState], use: CreditUse) -> list[CreditState]:
    """The credits after a use of them."""
    used = use.by_credit()
    return [
        replace(credit, left=WIDE.subtract(credit.left, used.get(credit.id, _NONE)))
        for credit in credits_
    ]


def pay(
    request: Call, account_id: str, invoice_id: str, lines: Sequence[Line], cycle: Cycle
) -> CreditUse:
    """Let credits pay for the lines of an invoice that is final, by the rule of `rating.credits`.

    What drafts hold is not spared: what becomes final takes first. Mark the account stale after it.
    """
    account = request.db.execute("select * from accounts where id = ?", (account_id,)).fetchone()
    use = apply_credits(lines, states(request, account_id), cycle, account["invoice_currency"])
    for credit_id, amount in use.by_credit().items():
        debit(request, credit_id, amount, invoice_id)
    return use


def hold(request: Call, credit_id: str, amount: Decimal) -> None:
    """Reserve this much of a credit, in all, for invoices that are not final."""
    changes = {"held": money.plain(amount), "updated_at": request.stamp}
    store.update(request.db, "credits", changes, id=credit_id)


def hold_only(request: Call, account_id: str, held: dict[str, Decimal]) -> None:
    """The account's drafts hold these amounts, by credit, and nothing else."""
    rows = request.db.execute("select id, held from credits where account_id = ?", (account_id,))
    for row in rows.fetchall():
        amount = held.get(row["id"], _NONE)
        if amount != Decimal(row["held"]):
            hold(request, row["id"], amount)


def debit(
    request: Call, credit_id: str, amount: Decimal, invoice_id: str, entity_id: str | None = None
) -> None:
    """Settle part of an invoice with a credit. Raises `ValueError` when it has not so much."""
    row = existing(request, credit_id)
    if row["status"] not in ("ACTIVE", "EXPIRED") or amount > remaining(row):
        raise ValueError(f"credit {credit_id} cannot pay {money.plain(amount)}")
    consumed = WIDE.add(Decimal(row["consumed"]), amount)
    spent = consumed == Decimal(row["amount"])
    changes = {
        "consumed": money.plain(consumed),
        "status": "CONSUMED" if spent else row["status"],
        "updated_at": request.stamp,
    }
    store.update(request.db, "credits", changes, id=credit_id)
    record(request, credit_id, "DEBITED", amount, invoice_id, entity_id)


def lapse(request: Call, row: Row, status: str) -> None:
    """What is left of a credit expires or is voided; drafts hold nothing of it any more."""
    left = remaining(row)
    changes = {
        "status": status,
        "held": "0",
        "lapsed": money.plain(WIDE.add(Decimal(row["lapsed"]), left)),
        "updated_at": request.stamp,
    }
    store.update(request.db, "credits", changes, id=row["id"])
    record(request, row["id"], status, left)


def lapse_what_no_draft_can_use(request: Call, account_id: str) -> None:
    """Let expired credits go whose time no draft of the account reaches into any more."""
    rows = request.db.execute(
        "select * from credits c where account_id = ? and status = 'EXPIRED' and lapsed = '0'"
        " and not exists (select 1 from invoices i where i.owner_id = c.account_id"
        " and i.status = 'DRAFT' and i.schedule_id is not null"
        " and substr(i.start_date, 1, 10) < c.effective_until)",
        (account_id,),
    ).fetchall()
    for row in rows:
        lapse(request, row, "EXPIRED")


def record(
    request: Call,
    credit_id: str,
    kind: str,
    amount: Decimal,
    invoice_id: str | None = None,
    entity_id: str | None = None,
) -> None:
    columns = {
        "id": request.new_id("cred_txn"),
        "credit_id": credit_id,
        "type": kind,
        "invoice_id": invoice_id,
        "entity_id": entity_id,
        "amount": money.plain(amount),
        "created_at": request.stamp,
    }
    store.insert(request.db, "credit_transactions", columns)
