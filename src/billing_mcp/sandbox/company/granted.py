"""The demo company's credits: one in use, one nearly used up, one expired, one voided."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox.company.books import Books

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
