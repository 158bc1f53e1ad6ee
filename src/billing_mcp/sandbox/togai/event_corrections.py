"""Togai's corrections: events that were counted are taken back, and ingested again if asked."""

from collections.abc import Mapping
from typing import Any

from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import ABSENT, Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import event_intake, event_usage, events, jobs, named_licences
from billing_mcp.sandbox.togai.columns import unpacked

resource = Resource()

_ACTIONS = ("UNDO", "REDO", "REDO_EVENT")
_COUNTED = "INGESTION_COMPLETED"
_MOST_AT_ONCE = 30
# The vendor's bound on an answer.
_MOST_SHOWN = 50
# Of the older operation.
_MOST_UNDONE_AT_ONCE = 5

_FILTERS = {
    "id": "reference_id = ?",
    "event_id": "event_id = ?",
    "event_source_time": "happened_at = ?",
    "created_at": "created_at = ?",
}
_TIMES = ("event_source_time", "created_at")
# Beside account_id, which is always there.
_COMBINATIONS = (
    frozenset[str](),
    *(frozenset({name}) for name in ("id", "event_id", "event_source_time")),
    *(frozenset({"event_id", name}) for name in ("created_at", "event_source_time")),
)


class NotCorrected(Exception):
    """The event cannot be taken back, or what should replace it was not counted."""


@resource.route("POST", "/events/correction")
def correct_events(request: Call) -> Reply:
    background, confirm = (
        call.one_of(request.query, name, ("true", "false"), default="false") == "true"
        for name in ("async", "require_confirmation")
    )
    action = call.one_of(request.query, "action", _ACTIONS)
    replacement = _replacement(request)
    query = {
        name: value
        for name, value in request.query.items()
        if name not in ("async", "require_confirmation", "action")
    }
    if not query and replacement is not None:
        # The vendor's own client can send no filter.
        query = {"account_id": replacement["accountId"], "event_id": _id_of(replacement)}
    # Ours: what waits for a confirmation is done in the background too.
    background = background or confirm
    rows = _counted(request, query, None if background else _MOST_AT_ONCE)
    if action == "REDO_EVENT":
        if replacement is None:
            raise Refusal(400, "event is required to correct an event with another one")
        if len(rows) > 1:
            raise Refusal(400, f"{len(rows)} events match; one event replaces one")
    else:
        replacement = None
    if background:
        task = {"action": action, "replacement": replacement}
        entities = [row["reference_id"] for row in rows]
        said = {"action": action, "account_id": query["account_id"]}
        job_id = jobs.start(
            request, "EVENT_CORRECTIONS", task, entities, metadata=said, confirm=confirm
        )
        return Reply({"data": [_of_job(request, row, job_id) for row in rows[:_MOST_SHOWN]]})
    return Reply({"data": [_corrected(request, row, action, replacement) for row in rows]})


@jobs.does("EVENT_CORRECTIONS")
def _correct_one(request: Call, task: dict[str, Any], reference_id: str) -> Mapping[str, str]:
    """One entry of a job. Refuses what cannot be corrected, which fails the entry."""
    row = request.db.execute(
        "select * from events where reference_id = ?", (reference_id,)
    ).fetchone()
    if not row["status"].startswith(_COUNTED):
        raise Refusal(400, f"The event is {row['status']} by now")
    outcome = _corrected(request, row, task["action"], task["replacement"])
    if outcome["status"] == "FAILED":
        raise Refusal(400, outcome["reason"])
    return {"status": outcome["status"]}


def _of_job(request: Call, row: Row, job_id: str) -> dict[str, Any]:
    """What a job has done with one event so far.

    Ours: nothing yet is FAILED, as the vendor has no other word, and the reason names the job.
    """
    entry = request.db.execute(
        "select * from job_entries where job_id = ? and entity_id = ?",
        (job_id, row["reference_id"]),
    ).fetchone()
    said = unpacked(entry, "metadata")
    if entry["status"] == "PENDING":
        return _outcome(row, "FAILED", f"Not corrected yet: job {job_id} waits to be confirmed")
    if entry["status"] == "FAILED":
        return _outcome(row, "FAILED", f"Job {job_id}: {said['message']}")
    return _outcome(_event(request, row["number"]), said["status"], f"Corrected by job {job_id}")


@resource.route("DELETE", "/events")
def undo_events(request: Call) -> Reply:
    """What the vendor had before corrections."""
    rows = _counted(request, dict(request.query), _MOST_UNDONE_AT_ONCE)
    return Reply({"data": [_corrected(request, row, "UNDO", None) for row in rows]})


def _replacement(request: Call) -> dict[str, Any] | None:
    if request.body is ABSENT:
        return None
    body = call.closed(request.body, ("event",))
    return event_intake.read_event(body["event"], "event.") if "event" in body else None


def _id_of(event: dict[str, Any]) -> str:
    event_id = event.get("id")
    if event_id is None:
        raise Refusal(400, "event.id is required where the query does not name the event")
    return str(event_id)


def _counted(request: Call, query: dict[str, str], most: int | None) -> list[Row]:
    """The counted events that the filters find, latest first. Refuses none and too many."""
    for name in query:
        if name not in ("account_id", *_FILTERS):
            raise Refusal(400, f"{name} is not a query parameter of this operation")
    account_id = call.text(query, "account_id", minimum=1)
    used = frozenset(query) - {"account_id"}
    if used not in _COMBINATIONS:
        raise Refusal(400, f"these filters cannot be combined: {', '.join(sorted(used))}")
    conditions, values = ["? in (account_id, account_reference)"], [account_id]
    for name in sorted(used):
        conditions.append(_FILTERS[name])
        is_time = name in _TIMES
        values.append(clock.written(call.timestamp(query, name)) if is_time else query[name])
    rows = request.db.execute(
        f"select * from events where {' and '.join(conditions)}"  # noqa: S608 - our own texts
        f" and status like '{_COUNTED}%' order by happened_at desc, event_id limit ?",
        (*values, -1 if most is None else most + 1),
    ).fetchall()
    if not rows:
        raise Refusal(400, "No event that was counted matches")
    if most is not None and len(rows) > most:
        raise Refusal(400, f"More than {most} events match; at most {most} are corrected at once")
    return rows


def _corrected(
    request: Call, row: Row, action: str, replacement: dict[str, Any] | None
) -> dict[str, Any]:
    """The outcome for one event; one that cannot be corrected stays exactly as it was."""
    try:
        with store.transaction(request.db):
            _take_back(request, row)
            if action == "UNDO":
                now = _event(request, row["number"])
                return _outcome(now, "REVERTED", "The event was taken back")
            now = _ingest_again(request, replacement or unpacked(row, "payload"))
    except (event_usage.CycleClosed, NotCorrected) as obstacle:
        return _outcome(row, "FAILED", str(obstacle))
    return _outcome(now, "REVERTED_AND_REINGESTED", "The event was taken back and ingested again")


def _take_back(request: Call, row: Row) -> None:
    if row["schema_name"] == named_licences.SCHEMA:
        raise NotCorrected("An event with the opposite action takes a named licence back")
    event_usage.undo(request, row)
    changes = {"status": "REVERTED", "status_description": f"Taken back at {request.stamp}"}
    store.update(request.db, "events", changes, number=row["number"])
    request.effect("event-undone", row["reference_id"], row["event_id"])


def _ingest_again(request: Call, payload: dict[str, Any]) -> Row:
    """The new arrival's row."""
    intake = event_intake.take(request, payload)
    if intake.status.startswith(event_intake.FAILED):
        raise NotCorrected(f"{intake.status}: {intake.description}")
    row: Row = request.db.execute("select * from events order by number desc limit 1").fetchone()
    return row


def _event(request: Call, number: int) -> Row:
    row: Row = request.db.execute("select * from events where number = ?", (number,)).fetchone()
    return row


def _outcome(row: Row, status: str, reason: str) -> dict[str, Any]:
    return events.render(row) | {"status": status, "reason": reason}
