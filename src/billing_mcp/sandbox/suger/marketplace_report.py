"""The job `marketplace-report`: each hour, what was used is told to the marketplaces."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.rating.marketplace import Aggregate, Metric, add, aggregate
from billing_mcp.sandbox import clock
from billing_mcp.sandbox.call import ABSENT, Call, Reply, closed, listed
from billing_mcp.sandbox.jobs import Job, full_hour_after
from billing_mcp.sandbox.store import Connection
from billing_mcp.sandbox.suger import entitlements, hourly_report
from billing_mcp.sandbox.suger.entitlements import Entitlement
from billing_mcp.sandbox.suger.hourly_report import Draft
from billing_mcp.sandbox.suger.metering_config import MeteringConfig, config_for
from billing_mcp.sandbox.suger.partner_calls import PartnerCall
from billing_mcp.sandbox.suger.usage_record_reports import insert_report

# An entitlement in one of these is no customer of ours any more, to the marketplace.
_ENDED = ("CANCELLED", "DELETED", "SUSPENDED")


def next_due(db: Connection, now: datetime) -> datetime | None:
    """The next full hour, while any group waits for its report."""
    waiting = db.execute(
        "select 1 from suger_usage_record_groups where status in ('CREATED', 'REPORT_PENDING')"
    )
    return full_hour_after(now) if waiting.fetchone() else None


def run(call: Call) -> Reply:
    """Report every waiting group, one report for each entitlement.

    The control's body may be `{"refuse": ["<entitlement id>", …]}`: the marketplace then refuses
    what is reported for these.
    """
    refuse = _refuse(call)
    waiting = call.db.execute(
        "select distinct entitlement_id from suger_usage_record_groups"
        " where status in ('CREATED', 'REPORT_PENDING') order by entitlement_id"
    ).fetchall()
    outcome = Outcome()
    for row in waiting:
        entitlement = entitlements.find(call.db, row["entitlement_id"])
        refused = entitlement.id in refuse or entitlement.status in _ENDED
        _report(call, entitlement, refused=refused, outcome=outcome)
    return Reply({"reports": outcome.reports, "groups": outcome.groups})


JOB = Job("marketplace-report", next_due, run)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did: the reports it made, and how many groups have which status now."""

    reports: list[dict[str, str]] = field(default_factory=list)
    groups: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """A group that waits for its report."""

    id: str
    status: str
    records: Mapping[str, Decimal]
    billable_records: Sequence[Mapping[str, Any]]
    time: datetime


def _refuse(call: Call) -> Collection[str]:
    if call.body is ABSENT:
        return ()
    refuse = listed(closed(call.body, ("refuse",)), "refuse", default=[])
    for entitlement_id in refuse:
        entitlements.find(call.db, str(entitlement_id))
    return refuse


def _report(call: Call, entitlement: Entitlement, *, refused: bool, outcome: Outcome) -> None:
    config = config_for(call.db, entitlement.partner)
    metrics = _metrics(call.db)
    usable: list[Group] = []
    stuck: list[Group] = []
    reasons: dict[str, None] = {}
    for group in _waiting(call.db, entitlement.id):
        reason = _obstacle(group, entitlement, config, metrics)
        if any(entitlement.dimension_key(key) is None for key in group.records):
            _set(call, [group], "INVALID", None, outcome)
        elif reason is None:
            usable.append(group)
        elif group.status == "CREATED":
            # It may be mended within the hour; what cannot be reported then has failed.
            _set(call, [group], "REPORT_PENDING", None, outcome)
        else:
            stuck.append(group)
            reasons[reason] = None
    if stuck:
        info = _info(call, entitlement, stuck, "FAILED", "; ".join(reasons))
        _set(call, stuck, "REPORT_FAILED", _keep(call, entitlement, info, outcome), outcome)
    if usable:
        figures = _aggregates(call, entitlement, usable, metrics)
        parts = _decimal_parts(call.db, entitlement.id)
        records = _records(entitlement, usable)
        draft = hourly_report.draft(entitlement, config, records, figures, parts)
        _send(call, entitlement, usable, draft, refused=refused, outcome=outcome)


def _waiting(db: Connection, entitlement_id: str) -> list[Group]:
    """The waiting groups in order of their usage, which is the order that LAST means."""
    rows = db.execute(
        """
        select id, status, records, billable_records, usage_time from suger_usage_record_groups
        where entitlement_id = ? and status in ('CREATED', 'REPORT_PENDING')
        order by usage_time, serial
        """,
        (entitlement_id,),
    )
    groups = []
    for row in rows:
        records: Any = money.from_json(row["records"])
        billable_records: Any = money.from_json(row["billable_records"])
        groups.append(
            Group(
                id=row["id"],
                status=row["status"],
                records={key: Decimal(value) for key, value in records.items()},
                billable_records=billable_records,
                time=clock.read(row["usage_time"]),
            )
        )
    return groups


def _metrics(db: Connection) -> dict[str, Metric]:
    """The billable metrics that are not deleted, by id."""
    rows = db.execute("select * from suger_billable_metrics where status = 'ACTIVE'")
    metrics = {}
    for row in rows:
        info: Any = money.from_json(row["info"])
        metrics[row["id"]] = Metric(row["id"], row["name"], row["aggregation_type"], info)
    return metrics


def _obstacle(
    group: Group, entitlement: Entitlement, config: MeteringConfig, metrics: Mapping[str, Metric]
) -> str | None:
    """Why no report can be made of the group's billable records as things stand."""
    prices = entitlement.unit_prices()
    for record in group.billable_records:
        key = record["key"]
        if key not in metrics:
            return f"billable metric {key} is deleted"
        if not config.billable_dimensions:
            continue
        dimension = entitlement.billable_dimension(key) or {}
        for target in config.destinations.get(key, ()):
            name = target.dimension_key
            if entitlement.dimension_key(name) != name:
                return f"billable metric {key} is mapped to {name}, which is no usage dimension"
            if target.mode != "AMOUNT":
                continue
            if hourly_report.price_of(dimension) is None:
                return f"the price model of billable metric {key} gives no amount"
            if not prices.get(name):
                return f"billable metric {key} is mapped by amount to {name}, which has no price"
    return None


def _records(entitlement: Entitlement, groups: Sequence[Group]) -> dict[str, Decimal]:
    """The quantities of metering API v1 by dimension key; records may say names instead."""
    totals: dict[str, Decimal] = {}
    for group in groups:
        for name, quantity in group.records.items():
            add(totals, {entitlement.dimension_key(name) or name: quantity})
    return totals


def _aggregates(
    call: Call, entitlement: Entitlement, groups: Sequence[Group], metrics: Mapping[str, Metric]
) -> list[Aggregate]:
    """The figures of metering API v2."""
    by_metric: dict[str, list[Mapping[str, Any]]] = {}
    for group in groups:
        for record in group.billable_records:
            by_metric.setdefault(record["key"], []).append(record)
    seen = _seen_today(call, entitlement.id) if by_metric else {}
    return [
        figure
        for key, records in by_metric.items()
        for figure in aggregate(metrics[key], records, seen.get(key, {}))
    ]


def _seen_today(call: Call, entitlement_id: str) -> dict[str, dict[str, set[str]]]:
    """Metric -> group -> the values that successful reports of this UTC day have counted.

    A report made at midnight is the last one of the day before.
    """
    day = (call.now - timedelta(microseconds=1)).date()
    rows = call.db.execute(
        "select info from suger_usage_record_reports"
        " where entitlement_id = ? and creation_time > ? and creation_time <= ?",
        (entitlement_id, clock.written(clock.midnight(day)), call.stamp),
    )
    seen: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        info: Any = money.from_json(row["info"])
        if info["status"] == "SUCCESS":
            for figure in info.get("aggregatedBillableRecords", []):
                items = figure.get("uniqueCountAggregationResult", {}).get("newItems", {})
                groups = seen.setdefault(figure["key"], {})
                groups.setdefault(figure["groupBysExpression"], set()).update(items)
    return seen


def _decimal_parts(db: Connection, entitlement_id: str) -> dict[str, Decimal]:
    rows = db.execute(
        "select dimension_key, decimal_part from suger_dimension_usage where entitlement_id = ?",
        (entitlement_id,),
    )
    return {row["dimension_key"]: Decimal(row["decimal_part"]) for row in rows}


def _send(
    call: Call,
    entitlement: Entitlement,
    groups: Sequence[Group],
    draft: Draft,
    *,
    refused: bool,
    outcome: Outcome,
) -> None:
    """Tell the marketplace, and keep what it answered. A refusal leaves every total as it was."""
    info = _info(call, entitlement, groups, "SUCCESS", "nothing to send to the marketplace")
    info |= draft.fields
    if draft.outgoing:
        start, end = clock.read(info["startTime"]), call.now
        partner_call = PartnerCall(
            entitlement, draft.outgoing, start, end, call.new_uuid, refused=refused
        )
        sent, info["message"] = partner_call.made()
        info |= sent
        if refused:
            info |= {"status": "FAILED", "reportedRecords": {}}
            if entitlement.partner == "AWS":
                info["newDecimalParts"] = info["decimalParts"]
            report_id = _keep(call, entitlement, info, outcome)
            _set(call, groups, "REPORT_FAILED", report_id, outcome)
            return
    info["reportedRecords"] = dict(draft.outgoing)
    if draft.covered:
        info |= {
            "includedRecords": dict(draft.covered),
            "usedCommitAmountIncrement": draft.commit_used,
        }
    if entitlement.partner == "AWS":
        info["newDecimalParts"] = dict(draft.new_decimal_parts)
    report_id = _keep(call, entitlement, info, outcome)
    call.effect("usage-record-report.accepted", report_id, entitlement.id)
    _count(call, entitlement, draft)
    _set(call, groups, "REPORTED", report_id, outcome)


def _info(
    call: Call, entitlement: Entitlement, groups: Sequence[Group], status: str, message: str
) -> dict[str, Any]:
    """What every report says. It begins with the hour of its first usage and ends now."""
    first = min(group.time for group in groups).replace(minute=0, second=0, microsecond=0)
    return {
        "partner": entitlement.partner,
        "status": status,
        "message": message,
        "startTime": clock.written(first),
        "endTime": call.stamp,
        "usageRecordGroupIds": [group.id for group in groups],
    }


def _keep(call: Call, entitlement: Entitlement, info: dict[str, Any], outcome: Outcome) -> str:
    report_id = insert_report(call, entitlement.id, info)
    outcome.reports.append(
        {"id": report_id, "entitlementID": entitlement.id, "status": info["status"]}
    )
    return report_id


def _count(call: Call, entitlement: Entitlement, draft: Draft) -> None:
    """Add a successful report to the entitlement's totals."""
    rows = call.db.execute(
        "select dimension_key, reported, included from suger_dimension_usage"
        " where entitlement_id = ?",
        (entitlement.id,),
    )
    before = {row["dimension_key"]: (row["reported"], row["included"]) for row in rows}
    parts = _decimal_parts(call.db, entitlement.id) | dict(draft.new_decimal_parts)
    for key in {**draft.outgoing, **draft.covered}:
        reported, included = before.get(key, ("0", "0"))
        totals = (
            WIDE.add(Decimal(reported), draft.outgoing.get(key, Decimal(0))),
            WIDE.add(Decimal(included), draft.covered.get(key, Decimal(0))),
            parts.get(key, Decimal(0)),
        )
        call.db.execute(
            "insert or replace into suger_dimension_usage"
            " (entitlement_id, dimension_key, reported, included, decimal_part)"
            " values (?, ?, ?, ?, ?)",
            (entitlement.id, key, *(money.plain(total) for total in totals)),
        )
    used = WIDE.add(entitlement.used_commit_amount, draft.commit_used)
    call.db.execute(
        "update suger_entitlements set used_commit_amount = ? where id = ?",
        (money.plain(used), entitlement.id),
    )


def _set(
    call: Call, groups: Sequence[Group], status: str, report_id: str | None, outcome: Outcome
) -> None:
    reported = call.stamp if status == "REPORTED" else None
    call.db.executemany(
        "update suger_usage_record_groups"
        " set status = ?, report_id = ?, reported_time = ?, last_update_time = ? where id = ?",
        [(status, report_id, reported, call.stamp, group.id) for group in groups],
    )
    outcome.groups[status] = outcome.groups.get(status, 0) + len(groups)
