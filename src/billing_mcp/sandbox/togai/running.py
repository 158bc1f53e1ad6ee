"""The price plans that run for an account at a moment, and the cycle each of them is in."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from billing_mcp import money
from billing_mcp.rating.cycles import Cycle, cycle_at, cycle_number, grace_end
from billing_mcp.rating.plan import CycleRule, NotAPlan, Plan, read_plan
from billing_mcp.rating.pricing_rules import PricingRule, read_rule
from billing_mcp.sandbox import clock
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai.columns import present, unpacked

# As it is stored, or as a draft has it.
Schedule = Row | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Running:
    """A schedule, the plan that counts for it, and one of its cycles."""

    schedule: Schedule
    plan: Plan
    cycle: Cycle

    @property
    def schedule_id(self) -> str:
        return str(self.schedule["id"])

    @property
    def account_id(self) -> str:
        return str(self.schedule["account_id"])

    @property
    def grace_ends(self) -> datetime:
        """When events of this cycle are no longer counted, and its invoice becomes final."""
        return grace_end(cycle_rule(self.plan), self.cycle)


class Schedules:
    """An account's schedules as they stand, to be asked for many moments.

    The cycles that were asked for are remembered: most events of an account are of the same one.
    """

    def __init__(self, db: Connection, account_id: str) -> None:
        self._db = db
        self._rows = db.execute(
            "select * from pricing_schedules where account_id = ? order by start_date, id",
            (account_id,),
        ).fetchall()
        self._known: dict[str, list[Running]] = {row["id"]: [] for row in self._rows}

    def at(self, moment: datetime, stamp: str) -> list[Running]:
        """Those that cover the moment, oldest first. `stamp` is the moment as it is stored."""
        covering = [row for row in self._rows if row["start_date"] <= stamp < row["end_date"]]
        found = [self._in_cycle_at(row, moment) for row in covering]
        return [running for running in found if running is not None]

    def _in_cycle_at(self, row: Row, moment: datetime) -> Running | None:
        known = self._known[row["id"]]
        for running in known:
            if running.cycle.start <= moment < running.cycle.end:
                return running
        found = in_cycle_at(self._db, row, moment)
        if found is not None:
            known.append(found)
        return found


def running_at(db: Connection, account_id: str, moment: datetime) -> list[Running]:
    """The account's schedules that cover the moment, oldest first."""
    return Schedules(db, account_id).at(moment, clock.written(moment))


def in_cycle_at(db: Connection, schedule: Schedule, moment: datetime) -> Running | None:
    """The schedule in the cycle that the moment lies in, if it covers the moment."""
    plan = plan_of(db, schedule)
    day = moment.astimezone(UTC).date()
    cycle = _within(schedule, _cycle_on(cycle_rule(plan), *_ends(schedule), day))
    if cycle is None or moment < cycle.start:
        return None
    return Running(schedule, plan, cycle)


def in_cycle(db: Connection, schedule: Schedule, number: int) -> Running | None:
    """The schedule in the cycle of a number (0 holds the association), if it has that one."""
    plan = plan_of(db, schedule)
    associated, until = _ends(schedule)
    cycle = _within(schedule, cycle_number(cycle_rule(plan), associated, until, number))
    return None if cycle is None else Running(schedule, plan, cycle)


def cycle_rule(plan: Plan) -> CycleRule:
    """The rule of a plan that can be associated. Raises `NotAPlan` for one that is only bought."""
    if plan.cycle is None:
        raise NotAPlan("pricingCycleConfig is missing")
    return plan.cycle


def plan_of(db: Connection, schedule: Schedule) -> Plan:
    """The plan as it counts for the schedule, read for rating."""
    return _read(_details(db, schedule), schedule["details_override"])


def effective_details(db: Connection, schedule: Schedule) -> dict[str, Any]:
    """The plan's details with the account's override over them; what that sets to null is gone."""
    whole: Any = money.from_json(_details(db, schedule))
    return present(**{**whole, **(unpacked(schedule, "details_override") or {})})


def rules_of(db: Connection, schedule: Schedule) -> tuple[PricingRule, ...]:
    """The pricing rules that count for the schedule: its own, or else those of its version."""
    text = schedule["rules_override"]
    if text is None:
        text = _version(db, schedule)["pricing_rules"]
    return _read_rules(text)


def _details(db: Connection, schedule: Schedule) -> str:
    """The details, as they are stored, of the version that the schedule is of."""
    return str(_version(db, schedule)["details"])


def _version(db: Connection, schedule: Schedule) -> Row:
    row: Row = db.execute(
        "select details, pricing_rules from price_plan_versions"
        " where price_plan_id = ? and version = ?",
        (schedule["price_plan_id"], schedule["price_plan_version"]),
    ).fetchone()
    return row


# An event asks for the plans of its account, and most events of a batch for the same ones.
@lru_cache(maxsize=1024)
def _read(details: str, override: str | None) -> Plan:
    whole: Any = money.from_json(details)
    own: Any = {} if override is None else money.from_json(override)
    return read_plan({**whole, **own})


@lru_cache(maxsize=1024)
def _read_rules(text: str) -> tuple[PricingRule, ...]:
    rules: Any = money.from_json(text)
    return tuple(read_rule(rule) for rule in rules)


# Finding a cycle is a dozen steps in the calendar, and cycles begin and end at midnight: every
# event of a day on alike plans is in the same one.
@lru_cache(maxsize=4096)
def _cycle_on(rule: CycleRule, associated: date, until: date, day: date) -> Cycle | None:
    return cycle_at(rule, associated, until, clock.midnight(day))


def _ends(schedule: Schedule) -> tuple[date, date]:
    """The day of the association, which the cycles are numbered from, and the day it ends."""
    until = clock.read(schedule["end_date"]).date()
    return date.fromisoformat(schedule["associated_on"]), until


def _within(schedule: Schedule, cycle: Cycle | None) -> Cycle | None:
    """The part of a cycle that a schedule has whose beginning was taken out later."""
    start = clock.read(schedule["start_date"])
    if cycle is None or cycle.end <= start:
        return None
    return cycle if cycle.start >= start else replace(cycle, start=start)
