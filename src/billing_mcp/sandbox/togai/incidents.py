"""Togai's incidents: what an alert found, from when it was found until somebody closes it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai.alert_templates import TEMPLATES, Measured
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_LISTING = Listing(select="select * from incidents", unique="number", order=("number", True))


@resource.route("GET", "/incidents")
def list_incidents(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


@resource.route("GET", "/incidents/{incident_id}")
def get_incident(request: Call) -> Reply:
    return Reply(render(existing(request)))


@resource.route("PUT", "/incidents/{incident_id}/status")
def update_incident_status(request: Call) -> Reply:
    """Closes it; closing it again succeeds without effect."""
    row = existing(request)
    call.one_of(call.closed(request.body, ("status",)), "status", ("CLOSED",))
    if row["status"] == "OPEN":
        _close(request, row)
    return Reply(render(existing(request)))


def existing(request: Call) -> Row:
    """The row of the path's incident. Refuses with 404."""
    incident_id = request.path["incident_id"]
    row: Row | None = request.db.execute(
        "select * from incidents where id = ?", (incident_id,)
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Incident {incident_id} not found")
    return row


def check(request: Call, alert: Row) -> None:
    """Measure what an alert watches, and open an incident when that is a breach.

    Ours: one that is open stays so until it is closed or its validity ends. One that was closed
    while the breach lasts is not opened again before the figure was right at a check.
    """
    template = TEMPLATES[alert["template_id"]]
    entities = {name: entity["id"] for name, entity in unpacked(alert, "entity_details").items()}
    threshold = Decimal(unpacked(alert, "parameters")["threshold"]["value"])
    measured = template.measure(request, entities)
    request.db.execute(
        "update incidents set last_checked_at = ? where alert_id = ? and status = 'OPEN'",
        (request.stamp, alert["id"]),
    )
    following = request.now + timedelta(minutes=alert["interval_minutes"])
    changes: dict[str, Any] = {"next_check_at": clock.written(following)}
    if measured is None or not template.is_breached(measured, threshold):
        changes["armed"] = 1
    elif alert["armed"] and not _is_open(request, alert["id"]):
        changes["armed"] = 0
        _open(request, alert, measured, threshold)
    store.update(request.db, "alerts", changes, id=alert["id"])


def _is_open(request: Call, alert_id: str) -> bool:
    row = request.db.execute(
        "select 1 from incidents where alert_id = ? and status = 'OPEN'", (alert_id,)
    ).fetchone()
    return row is not None


def _open(request: Call, alert: Row, measured: Measured, threshold: Decimal) -> None:
    made = request.db.execute("select count(*) as made from incidents").fetchone()["made"]
    report = {
        "measured": {"value": measured.value, "unit": measured.unit},
        "threshold": {"value": threshold},
    }
    valid_until = None
    if alert["validity_minutes"] is not None:
        valid_until = clock.written(request.now + timedelta(minutes=alert["validity_minutes"]))
    columns = {
        "id": request.new_id("incident"),
        "number": made + 1,
        "alert_id": alert["id"],
        "alert_version": alert["version"],
        "template_id": alert["template_id"],
        "valid_until": valid_until,
        "report_data": packed(report),
        "status": "OPEN",
        "last_checked_at": request.stamp,
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    store.insert(request.db, "incidents", columns)
    request.effect("incident", columns["id"])


def _close(request: Call, row: Row) -> None:
    changes = {"status": "CLOSED", "updated_at": request.stamp}
    store.update(request.db, "incidents", changes, id=row["id"])
    request.effect("incident-closed", row["id"])


def render(row: Row) -> dict[str, Any]:
    return present(
        id=row["id"],
        alertId=row["alert_id"],
        alertVersion=row["alert_version"],
        alertTemplateId=row["template_id"],
        validUntil=row["valid_until"],
        reportData=unpacked(row, "report_data"),
        status=row["status"],
        lastCheckedAt=row["last_checked_at"],
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
    )


def _next_due(db: Connection, moment: datetime) -> datetime | None:
    stamp = clock.written(moment)
    row = db.execute(
        "select (select min(next_check_at) from alerts where next_check_at > ?) as checked,"
        " (select min(valid_until) from incidents where status = 'OPEN' and valid_until > ?)"
        " as ended",
        (stamp, stamp),
    ).fetchone()
    dates = [clock.read(text) for text in (row["checked"], row["ended"]) if text is not None]
    return min(dates, default=None)


def _check_due(request: Call) -> Reply:
    """Close what is no longer valid, so that it can be opened anew, and check what is due."""
    ended = request.db.execute(
        "select * from incidents where status = 'OPEN' and valid_until <= ? order by number",
        (request.stamp,),
    ).fetchall()
    for row in ended:
        _close(request, row)
        store.update(request.db, "alerts", {"armed": 1}, id=row["alert_id"])
    due = request.db.execute(
        "select * from alerts where next_check_at <= ? order by number", (request.stamp,)
    ).fetchall()
    for alert in due:
        check(request, alert)
    return Reply({"checked": len(due), "ended": len(ended)})


CHECK = Job("check-alerts", _next_due, _check_due)
