"""The price plans that run for an account at a moment, and the cycle each of them is in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from billing_mcp.sandbox import clock
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai.columns import unpacked
from billing_mcp.sandbox.togai.cycles import Cycle, cycle_at


@dataclass(frozen=True, slots=True)
class Running:
    """A schedule, the details that count for it, and its cycle at the moment asked about."""

    schedule: Row
    details: dict[str, Any]
    cycle: Cycle

    @property
    def grace_ends(self) -> datetime:
        """When events of this cycle are no longer counted."""
        return self.cycle.grace_ends(self.details["pricingCycleConfig"]["gracePeriod"])


def running_at(db: Connection, account_id: str, moment: datetime) -> list[Running]:
    """The account's schedules that cover the moment, oldest first."""
    stamp = clock.written(moment)
    rows = db.execute(
        "select * from pricing_schedules where account_id = ? and start_date <= ?"
        " and ? < end_date order by start_date, id",
        (account_id, stamp, stamp),
    ).fetchall()
    return [running(db, row, moment) for row in rows]


def running(db: Connection, schedule: Row, moment: datetime) -> Running:
    """The schedule at a moment that it covers."""
    details = effective_details(db, schedule)
    return Running(schedule, details, _cycle(schedule, details, moment))


def cycles_until(db: Connection, schedule: Row, moment: datetime) -> Iterator[Running]:
    """The schedule in each of its cycles, from its association on, up to the moment's."""
    details = effective_details(db, schedule)
    first = clock.midnight(date.fromisoformat(schedule["associated_on"]))
    last = _whole_cycle(schedule, details, moment).start
    at = first
    while True:
        whole = _whole_cycle(schedule, details, at)
        yield Running(schedule, details, _within(schedule, whole))
        if whole.start >= last:
            return
        at = whole.end


def effective_details(db: Connection, schedule: Row) -> dict[str, Any]:
    """The plan's details with the account's override over them."""
    plan = db.execute(
        "select details from price_plans where id = ?", (schedule["price_plan_id"],)
    ).fetchone()
    return {**unpacked(plan, "details"), **(unpacked(schedule, "details_override") or {})}


def _cycle(schedule: Row, details: dict[str, Any], moment: datetime) -> Cycle:
    return _within(schedule, _whole_cycle(schedule, details, moment))


def _whole_cycle(schedule: Row, details: dict[str, Any], moment: datetime) -> Cycle:
    associated_on = date.fromisoformat(schedule["associated_on"])
    return cycle_at(details["pricingCycleConfig"], associated_on, moment)


def _within(schedule: Row, whole: Cycle) -> Cycle:
    """A cycle begins no earlier and ends no later than its schedule."""
    start, end = clock.read(schedule["start_date"]), clock.read(schedule["end_date"])
    return Cycle(max(whole.start, start), min(whole.end, end))
