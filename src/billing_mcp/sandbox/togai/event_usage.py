"""What an event counts for: the readings of meters, the sums of cycles, and the way back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.rating.json_logic import LogicError
from billing_mcp.rating.meters import Event, Meter, read_meter, units
from billing_mcp.sandbox import clock, store
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai import feature_uses, sizes
from billing_mcp.sandbox.togai.columns import packed, unpacked
from billing_mcp.sandbox.togai.event_lookups import Lookups
from billing_mcp.sandbox.togai.running import Running, in_cycle_at, running_at
from billing_mcp.sandbox.togai.usage_sums import Additions

METERED = "INGESTION_COMPLETED_EVENT_METERED"
NOT_METERED = "INGESTION_COMPLETED_EVENT_NOT_METERED"


class CycleClosed(Exception):
    """The cycle an event counted in is over with its grace: its invoice is final."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One meter's result; `units` is None when the meter lets the event pass by."""

    meter: Row
    units: Decimal | None

    def shown(self) -> dict[str, Any]:
        """The reading as the event's pipeline info has it."""
        entry = {"id": self.meter["id"], "name": self.meter["name"]}
        entry |= {"version": self.meter["version"]}
        if self.units is None:
            return entry | {"status": "PROCESSED_FILTERED_OUT"}
        return entry | {"status": "PROCESSED_UNITS_COMPUTED", "units": self.units}


def readings(lookups: Lookups, event: Mapping[str, Any]) -> list[Reading]:
    """Every active meter's reading of an event. Raises `rating.json_logic.LogicError`."""
    meters = lookups.meters(event["schemaName"])
    attributes = {entry["name"]: entry["value"] for entry in event["attributes"]}
    seen = Event(event["dimensions"], attributes)
    return [Reading(row, _units(row, seen)) for row in meters]


def _units(row: Row, event: Event) -> Decimal | None:
    found = units(_meter(row["aggregation"], row["filters"], row["computations"]), event)
    if found is not None and not sizes.is_usual(found):
        raise LogicError(f"the units of {row['name']} {sizes.TOO_LONG}")
    return found


# The logic of a meter is read once, not once for each event.
@lru_cache(maxsize=1024)
def _meter(aggregation: str, filters: str, computations: str) -> Meter:
    details = {
        "aggregation": aggregation,
        "filters": money.from_json(filters),
        "computations": money.from_json(computations),
    }
    return read_meter(details)


def count(
    lookups: Lookups, account_id: str, results: list[Reading], plans: list[Running]
) -> list[dict[str, Any]]:
    """Add an event to the cycles of the plans that price it and are still open.

    Answers these plans as the event's pipeline info has them.
    """
    matched = {entry.meter["id"]: entry.units for entry in results if entry.units is not None}
    priced = []
    for plan in plans:
        cards = [card.usage_meter_id for card in plan.plan.usage_cards]
        ids = [meter_id for meter_id in cards if meter_id in matched]
        if ids and plan.grace_ends > lookups.request.now:
            _add(lookups.additions, plan, {meter_id: matched[meter_id] for meter_id in ids})
            priced.append(_priced(lookups, plan, ids))
    lookups.additions.mark_stale(account_id)
    return priced


def _add(additions: Additions, plan: Running, amounts: Mapping[str, Decimal]) -> None:
    for meter_id, amount in amounts.items():
        additions.add(plan.schedule_id, plan.cycle.number, meter_id, amount)


def _take(additions: Additions, plan: Running, amounts: Mapping[str, Decimal]) -> None:
    # A minus sign in front would round to the 28 digits of Python's own context.
    _add(additions, plan, {name: amount.copy_negate() for name, amount in amounts.items()})


def _priced(lookups: Lookups, plan: Running, meter_ids: list[str]) -> dict[str, Any]:
    row = lookups.price_plan(plan.schedule["price_plan_id"])
    return {
        "name": row["name"],
        "id": row["id"],
        "scheduleId": plan.schedule_id,
        "cycleStart": plan.cycle.start.date().isoformat(),
        "cycleEnd": plan.cycle.end.date().isoformat(),
        "usageMeters": meter_ids,
    }


def undo(request: Call, event: Row) -> None:
    """Give back all that a counted event added: usage, what that costs, and feature credits.

    The event's row is not touched. Raises `CycleClosed`, and then nothing has been given back.
    """
    if event["account_id"] is None:
        return
    moment, pipeline = clock.read(event["happened_at"]), unpacked(event, "pipeline")
    plans = running_at(request.db, event["account_id"], moment)
    if plans and all(plan.grace_ends <= request.now for plan in plans):
        raise CycleClosed(_closed(plans[-1]))
    if not plans and feature_uses.is_invoiced(request, event):
        raise CycleClosed("The invoice of that time is final")
    counted = _counted(pipeline)
    added: list[tuple[Running, list[str]]] = []
    running = {plan.schedule_id: plan for plan in plans}
    for entry in pipeline.get("pricePlans", []):
        plan = running.get(entry["scheduleId"])
        if plan is None:
            # What was open went with its schedule when that was cut; this stayed where it was.
            raise CycleClosed(f"The invoice of the cycle from {entry['cycleStart']} on is final")
        if plan.grace_ends <= request.now:
            raise CycleClosed(_closed(plan))
        added.append((plan, entry["usageMeters"]))
    additions = Additions()
    for plan, meter_ids in added:
        _take(additions, plan, {meter_id: counted[meter_id] for meter_id in meter_ids})
    if "featureDetails" in pipeline:
        feature_uses.give_back(request, event, pipeline["featureDetails"]["featureId"])
    additions.mark_stale(event["account_id"])
    additions.keep(request)


def _closed(plan: Running) -> str:
    return f"The cycle's grace period ended at {clock.written(plan.grace_ends)}"


def _counted(pipeline: Mapping[str, Any]) -> dict[str, Decimal]:
    return {
        entry["id"]: Decimal(entry["units"])
        for entry in pipeline.get("usageMeters", [])
        if "units" in entry
    }


def between(db: Connection, account_id: str, start: datetime, end: datetime) -> dict[str, Decimal]:
    """What the account's counted events from start until before end add up to, by usage meter."""
    rows = db.execute(
        "select pipeline from events where account_id = ? and happened_at >= ?"
        " and happened_at < ? and status in (?, ?)",
        (account_id, clock.written(start), clock.written(end), METERED, NOT_METERED),
    )
    sums: dict[str, Decimal] = {}
    for row in rows:
        for meter_id, amount in _counted(unpacked(row, "pipeline")).items():
            sums[meter_id] = WIDE.add(sums.get(meter_id, Decimal(0)), amount)
    return sums


def move(request: Call, before: Row, schedule_ids: list[str]) -> None:
    """A schedule was cut: its events of open cycles go to where their time is now.

    `before` is the schedule as it was, `schedule_ids` what it has become; an event whose time
    none of them covers is no longer priced by the plan.
    """
    rows = request.db.execute(
        "select * from events where account_id = ? and happened_at >= ? and happened_at < ?"
        " and status = ? order by number",
        (before["account_id"], before["start_date"], before["end_date"], METERED),
    ).fetchall()
    lookups = Lookups(request)
    for row in rows:
        pipeline = unpacked(row, "pipeline")
        # An event about a named licence is counted for no plan.
        entries = pipeline.get("pricePlans", [])
        old = next((one for one in entries if one["scheduleId"] == before["id"]), None)
        moment = clock.read(row["happened_at"])
        was = None if old is None else in_cycle_at(request.db, before, moment)
        if old is None or was is None or was.grace_ends <= request.now:
            continue
        counted = _counted(pipeline)
        amounts = {meter_id: counted[meter_id] for meter_id in old["usageMeters"]}
        _take(lookups.additions, was, amounts)
        entries.remove(old)
        now = _covering(request, schedule_ids, moment)
        if now is not None:
            # Another version of the plan may price other meters.
            cards = [card.usage_meter_id for card in now.plan.usage_cards]
            ids = [meter_id for meter_id in cards if meter_id in counted]
            _add(lookups.additions, now, {meter_id: counted[meter_id] for meter_id in ids})
            if ids:
                entries.append(_priced(lookups, now, ids))
        changes = {"pipeline": packed(pipeline), "status": METERED if entries else NOT_METERED}
        store.update(request.db, "events", changes, number=row["number"])
    lookups.keep()


def _covering(request: Call, schedule_ids: list[str], moment: datetime) -> Running | None:
    for schedule_id in schedule_ids:
        row = request.db.execute(
            "select * from pricing_schedules where id = ?", (schedule_id,)
        ).fetchone()
        running = None if row is None else in_cycle_at(request.db, row, moment)
        if running is not None:
            return running
    return None
