"""What the price plans of an account say about one of its licences at a moment."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from billing_mcp.rating.cards import Licence
from billing_mcp.sandbox import clock
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Connection
from billing_mcp.sandbox.togai.running import in_cycle_at, plan_of, running_at


def cards_at(
    db: Connection, account_id: str, licence_id: str, moment: datetime
) -> Iterator[Licence]:
    """The cards that price the licence then."""
    for running in running_at(db, account_id, moment):
        yield from (card for card in running.plan.licences if card.id == licence_id)


def most_allowed(
    db: Connection, account_id: str, licence_id: str, moment: datetime
) -> Decimal | None:
    """The smallest `maxQuantity` of the plans that run then; None: any number."""
    cards = cards_at(db, account_id, licence_id, moment)
    return min((card.maximum for card in cards if card.maximum is not None), default=None)


def closed_since(
    db: Connection, account_id: str, licence_id: str, moment: datetime, now: datetime
) -> datetime | None:
    """When the grace period of a cycle ended that a change at the moment would reach into."""
    schedules = db.execute(
        "select * from pricing_schedules where account_id = ? and end_date > ?",
        (account_id, clock.written(moment)),
    ).fetchall()
    for schedule in schedules:
        if not any(card.id == licence_id for card in plan_of(db, schedule).licences):
            continue
        first = in_cycle_at(db, schedule, max(moment, clock.read(schedule["start_date"])))
        if first is not None and first.grace_ends <= now:
            return first.grace_ends
    return None


def refuse_closed(request: Call, account_id: str, licence_id: str, moment: datetime) -> None:
    """Refuse a change that an invoice which is final would have had to show (ours)."""
    ended = closed_since(request.db, account_id, licence_id, moment, request.now)
    if ended is not None:
        shown = clock.written(ended)
        raise Refusal(400, f"effectiveFrom: the grace period of that cycle ended at {shown}")
