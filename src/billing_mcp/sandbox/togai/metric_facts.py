"""What Togai's metrics add up: events, usage, revenue and licences, each with its moment."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp.rating import usage_card
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.sandbox import clock
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import drafts, event_usage
from billing_mcp.sandbox.togai.columns import unpacked
from billing_mcp.sandbox.togai.metric_steps import Window
from billing_mcp.sandbox.togai.running import Running, in_cycle, plan_of

# Lines of an invoice that only hold the lines of cards, of commitments and of rules.
_HOLDERS = (
    *("GRAND_TOTAL_AMOUNT", "TOTAL_AMOUNT", "NET_AMOUNT", "GROSS_AMOUNT", "PRICE_PLAN_AMOUNT"),
    *("SUB_TOTAL_AMOUNT", "TOTAL_PRICING_RULE_ADDITION_AMOUNT", "TOTAL_ADVANCED_FEES"),
)
# Beside the gross under the net: what is not revenue of a plan.
_NOT_OF_A_PLAN = ("TOTAL_CREDITS", "TOTAL_MISCELLANEOUS_CHARGES")


@dataclass(frozen=True, slots=True)
class Fact:
    """An amount at a moment; `about` are the values of the fields it can be grouped by."""

    moment: datetime
    about: Mapping[str, str]
    amount: Decimal
    currency: str | None = None


Facts = Callable[[Call, Window], Iterator[Fact]]


def events(request: Call, window: Window) -> Iterator[Fact]:
    """Every arrival counts one. An account that was not found goes by the name it was sent."""
    rows = request.db.execute(
        "select happened_at, schema_name, status, account_reference, account_id, customer_id"
        " from events where happened_at >= ? and happened_at < ?",
        (clock.written(window.start), clock.written(window.end)),
    )
    for row in rows:
        about = {
            "ACCOUNT_ID": row["account_id"] or row["account_reference"],
            "SCHEMA_NAME": row["schema_name"],
            "RAW_EVENT_STATUS": row["status"],
            "EVENT_STATUS": _group_of(row["status"]),
        }
        if row["customer_id"] is not None:
            about["CUSTOMER_ID"] = row["customer_id"]
        yield Fact(clock.read(row["happened_at"]), about, Decimal(1))


# The vendor's groups of statuses, by the word after the first.
_STATUS_GROUPS = {"COMPLETED": "PROCESSED", "FAILED": "UNPROCESSED", "IN": "IN_PROGRESS"}


def _group_of(status: str) -> str:
    """Ours: a status that is in none of the vendor's groups stands for itself."""
    _, _, rest = status.partition("INGESTION_")
    return _STATUS_GROUPS.get(rest.partition("_")[0], status)


def usage(request: Call, window: Window) -> Iterator[Fact]:
    """What each meter counted of each event, priced or not."""
    rows = request.db.execute(
        "select happened_at, account_id, customer_id, pipeline from events"
        " where happened_at >= ? and happened_at < ? and status in (?, ?)",
        (
            *(clock.written(window.start), clock.written(window.end)),
            *(event_usage.METERED, event_usage.NOT_METERED),
        ),
    )
    for row in rows:
        owner = {"ACCOUNT_ID": row["account_id"], "CUSTOMER_ID": row["customer_id"]}
        for entry in unpacked(row, "pipeline").get("usageMeters", ()):
            if "units" in entry:
                moment = clock.read(row["happened_at"])
                yield Fact(moment, owner | _of_meter(entry["id"]), Decimal(entry["units"]))


def usage_for_cycle(request: Call, window: Window) -> Iterator[Fact]:
    """What the plans priced in each cycle that the window touches, all of it at once."""
    rows = request.db.execute(
        "select s.*, a.customer_id, u.cycle_number, u.usage_meter_id, u.units from cycle_usage u"
        " join pricing_schedules s on s.id = u.schedule_id join accounts a on a.id = s.account_id"
        " where s.start_date < ? and s.end_date > ?",
        (clock.written(window.end), clock.written(window.start)),
    ).fetchall()
    for row in rows:
        running = in_cycle(request.db, row, row["cycle_number"])
        if running is not None and window.touches(running.cycle.start, running.cycle.end):
            about = {"ACCOUNT_ID": row["account_id"], "CUSTOMER_ID": row["customer_id"]}
            moment = max(running.cycle.start, window.start)
            yield Fact(moment, about | _of_meter(row["usage_meter_id"]), Decimal(row["units"]))


def revenue(request: Call, window: Window) -> Iterator[Fact]:
    """What invoices charge before credits: usage when it happens, all else with its cycle.

    A fee in advance counts when the cycle begins that it is for.
    """
    for invoice in _invoices(request, window):
        running = _running(request, invoice)
        for line, moment, about in _charged(invoice):
            value = Decimal(line["value"])
            if line["type"] == "USAGE_RATE_CARD_AMOUNT" and running is not None:
                for at, amount in _earned(request, window, running, invoice, line["id"]):
                    value = WIDE.subtract(value, amount)
                    yield Fact(at, about, amount, invoice["currency"])
            yield Fact(moment, about, value, invoice["currency"])


def revenue_for_cycle(request: Call, window: Window) -> Iterator[Fact]:
    """What invoices charge before credits for each cycle that the window touches."""
    for invoice in _invoices(request, window):
        start, end = clock.read(invoice["start_date"]), clock.read(invoice["end_date"])
        if window.touches(start, end):
            for line, _, about in _charged(invoice):
                at = max(start, window.start)
                yield Fact(at, about, Decimal(line["value"]), invoice["currency"])


def named_licences(request: Call, window: Window) -> Iterator[Fact]:
    """Each name counts one in every step in which it holds the licence for a time."""
    rows = request.db.execute(
        "select n.*, a.customer_id from named_licences n join accounts a on a.id = n.account_id"
        " where n.effective_from < ? and coalesce(n.effective_until, ?) > ?"
        " order by n.account_id, n.licence_id, n.name, n.effective_from",
        (clock.written(window.end), clock.written(window.end), clock.written(window.start)),
    )
    seen: set[tuple[str, str, str, datetime]] = set()
    for row in rows:
        moment = max(clock.read(row["effective_from"]), window.start)
        until = window.end
        if row["effective_until"] is not None:
            until = min(until, clock.read(row["effective_until"]))
        about = {
            "ACCOUNT_ID": row["account_id"],
            "CUSTOMER_ID": row["customer_id"],
            "BILLABLE_ID": row["licence_id"],
        }
        for step in window.steps(moment, until):
            key = (row["account_id"], row["licence_id"], row["name"], step)
            if key not in seen:
                seen.add(key)
                yield Fact(max(step, moment), about, Decimal(1))


def _of_meter(usage_meter_id: str) -> dict[str, str]:
    return {"USAGE_METER_ID": usage_meter_id, "BILLABLE_ID": usage_meter_id}


def _invoices(request: Call, window: Window) -> list[Row]:
    """The invoices of plans that may have revenue in the window.

    A fee in advance counts at its invoice's end, which may be the window's first moment. Of a plan
    with deferred revenue only invoices that are no drafts count (documented).
    """
    drafts.settle(request)
    rows = request.db.execute(
        "select * from invoices where schedule_id is not null and status <> 'VOID'"
        " and start_date < ? and end_date >= ? order by start_date, id",
        (clock.written(window.end), clock.written(window.start)),
    ).fetchall()
    return [row for row in rows if row["status"] != "DRAFT" or not _deferred(request, row)]


def _deferred(request: Call, invoice: Row) -> bool:
    schedule = request.db.execute(
        "select * from pricing_schedules where id = ?", (invoice["schedule_id"],)
    ).fetchone()
    return plan_of(request.db, schedule).deferred_revenue


def _running(request: Call, invoice: Row) -> Running | None:
    """The plan and cycle of an invoice; None when its schedule has lost that cycle since."""
    schedule = request.db.execute(
        "select * from pricing_schedules where id = ?", (invoice["schedule_id"],)
    ).fetchone()
    return None if schedule is None else in_cycle(request.db, schedule, invoice["cycle_number"])


def _charged(invoice: Row) -> Iterator[tuple[dict[str, Any], datetime, dict[str, str]]]:
    """The lines of cards, commitments and rules, when each counts, and what it is about."""
    start = clock.read(invoice["start_date"])
    paid_ahead = start if invoice["type"] == drafts.ADVANCE else clock.read(invoice["end_date"])
    owner = {"ACCOUNT_ID": invoice["owner_id"], "CUSTOMER_ID": invoice["customer_id"]}
    for line in _cards(unpacked(invoice, "revenue_info")):
        about = owner | {"BILLABLE_ID": line.get("id") or invoice["price_plan_id"]}
        if line["type"] == "USAGE_RATE_CARD_AMOUNT":
            about["USAGE_METER_ID"] = line["id"]
        yield line, paid_ahead if line["type"].startswith("ADVANCED_") else start, about


def _cards(line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if line["type"] in _NOT_OF_A_PLAN:
        return
    if line["type"] not in _HOLDERS:
        yield line
        return
    for child in line["lineItems"]:
        yield from _cards(child)


def _earned(
    request: Call, window: Window, running: Running, invoice: Row, usage_meter_id: str
) -> Iterator[tuple[datetime, Decimal]]:
    """What the events of a cycle added to the amount of its usage card, from step to step."""
    card = next(
        (one for one in running.plan.usage_cards if one.usage_meter_id == usage_meter_id), None
    )
    if card is None or invoice["currency"] not in card.rate_values:
        return
    units, before = Decimal(0), usage_card.charge(card, invoice["currency"], {}).amount
    parts = _by_part(request, window, running, usage_meter_id)
    for moment, more in parts:
        units = WIDE.add(units, more)
        after = usage_card.charge(card, invoice["currency"], {usage_meter_id: units}).amount
        yield moment, WIDE.subtract(after, before)
        before = after


def _by_part(
    request: Call, window: Window, running: Running, usage_meter_id: str
) -> list[tuple[datetime, Decimal]]:
    """What the priced events of a cycle add up to, for each step from its first event's moment."""
    rows = request.db.execute(
        "select happened_at, pipeline from events where account_id = ? and happened_at >= ?"
        " and happened_at < ? and status = ? order by happened_at, number",
        (
            *(running.account_id, clock.written(running.cycle.start)),
            *(clock.written(running.cycle.end), event_usage.METERED),
        ),
    )
    sums: dict[Any, tuple[datetime, Decimal]] = {}
    for row in rows:
        pipeline = unpacked(row, "pipeline")
        if not _prices(pipeline, running.schedule_id, usage_meter_id):
            continue
        moment = clock.read(row["happened_at"])
        first, units = sums.get(window.part(moment), (moment, Decimal(0)))
        for entry in pipeline["usageMeters"]:
            if entry["id"] == usage_meter_id:
                units = WIDE.add(units, Decimal(entry["units"]))
        sums[window.part(moment)] = (first, units)
    return sorted(sums.values())


def _prices(pipeline: Mapping[str, Any], schedule_id: str, usage_meter_id: str) -> bool:
    return any(
        entry["scheduleId"] == schedule_id and usage_meter_id in entry["usageMeters"]
        for entry in pipeline.get("pricePlans", ())
    )
