"""What tests of computed invoices share: plans that charge something, and reading what they do."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sandbox.asking import Asker
from sandbox.togai.world import RATED, account, associate, event, meter, plan, schema


def fee(rate: str, timing: str = "IN_ARREARS", **fields: Any) -> dict[str, Any]:
    """A fixed fee of each cycle, in full."""
    return {
        "id": "platform",
        "displayName": "Platform",
        "invoiceTiming": timing,
        "type": "RECURRING",
        "enableProration": False,
        "rateValues": [{"currency": "USD", "rate": Decimal(rate)}],
        **fields,
    }


def priced(ask: Asker, start: str = "2026-11-01", **details: Any) -> str:
    """The account main on a monthly plan with calls at 0.25; the plan's id."""
    account(ask, netTermDays=30)
    schema(ask)
    plan_id = plan(ask, usageRateCards=[{"usageMeterId": meter(ask), **RATED}], **details)
    associate(ask, plan_id, start)
    return plan_id


def send(ask: Asker, event_id: str, calls: str, at: str = "2026-11-19T08:00:00Z") -> None:
    ask.done("POST", "/ingest", {"event": event(event_id, calls, timestamp=at)})


def invoices(ask: Asker, owner: str = "main") -> list[Any]:
    """Every invoice in full, the latest first."""
    rows = ask.done("GET", "/invoices", owner_id=owner)["data"]
    return [ask.done("GET", f"/invoices/{row['id']}") for row in rows]


def brief(ask: Asker) -> list[tuple[str, str, Any]]:
    """Start, status and total of every invoice, in order of their dates."""
    rows = [(row["startDate"][:10], row["status"], row["totalAmount"]) for row in invoices(ask)]
    return sorted(rows)


def lines(tree: Any) -> Iterator[Any]:
    yield tree
    for child in tree["lineItems"]:
        yield from lines(child)


def amounts(invoice: Any, kind: str) -> list[Any]:
    return [line["value"] for line in lines(invoice["revenueInfo"]) if line["type"] == kind]


def until(ask: Asker, moment: str) -> None:
    """Move the clock."""
    ask.control("POST", "/clock", {"now": moment})


def credit(ask: Asker, amount: str, **fields: Any) -> str:
    """The id of a credit of the account main."""
    wish = {
        "accountId": "main",
        "purpose": "Promotion",
        "effectiveFrom": "2026-11-01",
        "creditAmount": Decimal(amount),
        "priority": 1,
        **fields,
    }
    (made,) = ask.done("POST", "/credits", {"creditRequests": [wish]})["credits"]
    credit_id: str = made["id"]
    return credit_id


def standing(ask: Asker, credit_id: str) -> tuple[Any, ...]:
    """Status, held, consumed, and the transactions of a credit; they must add up."""
    found = ask.done("GET", f"/credits/{credit_id}")
    moves = [(entry["transactionType"], entry["amount"]) for entry in found["transactions"]]
    gone = sum(amount for kind, amount in moves if kind in ("EXPIRED", "VOIDED"))
    paid = sum(amount for kind, amount in moves if kind == "DEBITED")
    assert paid == found["consumedAmount"]
    left = found["creditAmount"] - paid - gone - found["holdAmount"]
    assert left >= 0
    return found["status"], found["holdAmount"], found["consumedAmount"], moves
