"""The demo company's credits: one in use, one nearly used up, one expired, one voided."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox.company.books import Books
from billing_mcp.sandbox.company.customers import Account
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import credits as togai_credits
from billing_mcp.sandbox.togai.columns import unpacked

_ALL_USAGE = "ALL_USAGE_METER_RATE_CARDS"


def life() -> Iterator[tuple[datetime, Callable[[Books], object]]]:
    """When which credit is granted or taken back."""
    yield datetime(2026, 8, 3, 10, tzinfo=UTC), _welcome
    yield datetime(2026, 8, 3, 10, 30, tzinfo=UTC), _trial
    yield datetime(2026, 10, 6, 14, tzinfo=UTC), _mistake
    yield datetime(2026, 10, 6, 14, 20, tzinfo=UTC), _mistake_voided
    yield datetime(2026, 11, 10, 9, tzinfo=UTC), _outage


def _welcome(books: Books) -> None:
    """For usage only, not for the platform fee: 15 of its 120 USD are left in November."""
    _grant(books, "kite-reports", "120", "2026-08-03", "Welcome credit", "2027-01-31", [_ALL_USAGE])


def _trial(books: Books) -> None:
    """For a meter the account never used, so that it expired untouched."""
    report = [books.meters["report"]]
    _grant(books, "marlow-lab", "50", "2026-08-03", "Trial of reports", "2026-10-01", report)


def _mistake(books: Books) -> None:
    _grant(books, "finch-live", "500", "2026-10-06", "Entered for the wrong account")


def _mistake_voided(books: Books) -> None:
    books.ask("POST", f"/togai/credits/{books.credits['finch-live']}/void")


def _outage(books: Books) -> None:
    _grant(books, "acme-prod", "150", "2026-11-10", "Outage of 3 November")


def _grant(
    books: Books,
    account_id: str,
    amount: str,
    start: str,
    purpose: str,
    end: str | None = None,
    applicable: list[str] | None = None,
) -> None:
    request: dict[str, Any] = {
        "accountId": account_id,
        "creditAmount": Decimal(amount),
        "purpose": purpose,
        "priority": 1,
        "effectiveFrom": start,
        "idempotencyKey": f"{account_id}-{start}",
    }
    if end is not None:
        request["effectiveUntil"] = end
    if applicable:
        request["applicableEntityIds"] = applicable
    answer = books.ask("POST", "/togai/credits", {"creditRequests": [request]})
    books.credits[account_id] = answer["credits"][0]["id"]


def usable(
    books: Books, account: Account, amounts: dict[str, Decimal], start: date, end: date
) -> list[tuple[str, Decimal]]:
    """Which credits pay how much of a bill, whose amounts are given by usage meter.

    The key "" stands for everything that is no usage. In the order of the sandbox's rule:
    priority, then the earliest end, then age.
    """
    with books.call() as call:
        rows = call.db.execute(
            "select * from credits where account_id = ? and status = 'ACTIVE'"
            " and effective_from < ? and (effective_until is null or effective_until > ?)"
            " order by priority, coalesce(effective_until, '9999'), created_at, id",
            (account.id, end.isoformat(), start.isoformat()),
        ).fetchall()
    left = dict(amounts)
    paid = []
    for row in rows:
        begun = room = togai_credits.remaining(row) - Decimal(row["held"])
        for entity, amount in left.items():
            if _applies(row, entity):
                part = min(room, amount)
                left[entity] = amount - part
                room -= part
        if room < begun:
            paid.append((row["id"], begun - room))
    return paid


def hold(books: Books, credit_id: str, amount: Decimal) -> None:
    """Reserve more of a credit, for a further invoice that still runs."""
    with books.call() as call:
        held = Decimal(togai_credits.existing(call, credit_id)["held"])
        togai_credits.hold(call, credit_id, held + amount)


def _applies(row: Row, entity: str) -> bool:
    applicable = unpacked(row, "applicable_entity_ids")
    return not applicable or entity in applicable or (entity != "" and _ALL_USAGE in applicable)
