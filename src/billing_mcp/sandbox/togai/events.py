"""Togai's events: ingesting them one by one or in batches, gated or not, and looking them up."""

from typing import Any

from billing_mcp.sandbox import call
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import event_intake
from billing_mcp.sandbox.togai.columns import present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_ACCEPTED = 202
_PARTIAL = 207

_LISTING = Listing(
    select="select * from events",
    unique="number",
    filters={
        "status": "status = ?",
        "account_id": "? in (account_id, account_reference)",
        "schema_name": "schema_name = ?",
    },
    order=("happened_at", True),
    default_size=50,
    maximum_size=50,
)


@resource.route("POST", "/ingest")
def ingest(request: Call) -> Reply:
    """Answers before anything is known about the event's meaning, as the vendor does.

    Ours: it is processed at once, so that its status can be read right after.
    """
    body = call.closed(request.body, ("event",))
    event_intake.take(request, event_intake.read_event(call.mapping(body, "event"), "event."))
    return Reply(_outcome(_ACCEPTED, "Event accepted"), _ACCEPTED)


@resource.route("POST", "/ingestBatch")
def ingest_batch(request: Call) -> Reply:
    """Each event is accepted or refused by itself; what is accepted is kept."""
    body = call.closed(request.body, ("events",))
    events = call.listed(body, "events", minimum=1, maximum=request.settings.batch_limit)
    details: dict[str, Any] = {}
    accepted: list[dict[str, Any]] = []
    for index, item in enumerate(events):
        place = f"events[{index}]"
        try:
            accepted.append(event_intake.read_event(item, f"{place}."))
        except Refusal as refusal:
            outcome = {"success": False, "statusCode": refusal.status, "message": refusal.message}
        else:
            outcome = {"success": True, "statusCode": _ACCEPTED, "message": "Event accepted"}
        event_id = item.get("id") if isinstance(item, dict) else None
        named = isinstance(event_id, str) and event_id not in details
        details[str(event_id) if named else place] = outcome
    if not accepted:
        first = next(iter(details.values()))
        raise Refusal(400, f"No event was accepted. The first: {first['message']}")
    event_intake.take_all(request, accepted)
    status = _ACCEPTED if len(accepted) == len(events) else _PARTIAL
    message = f"{len(accepted)} of {len(events)} events accepted"
    return Reply(_outcome(status, message) | {"details": details}, status)


@resource.route("POST", "/entitled")
def ingest_entitled_event(request: Call) -> Reply:
    """Ingests only if the account's feature credits allow it; refusals are kept as events too."""
    body = call.closed(request.body, ("event",))
    event = event_intake.read_event(call.mapping(body, "event"), "event.")
    intake = event_intake.take(request, event, entitled=True)
    if intake.status == event_intake.DUPLICATE:
        return Reply({"message": "Duplicate Id"}, 409)
    if intake.status.startswith(event_intake.FAILED):
        return Reply({"message": f"{intake.status}: {intake.description}"[:500]}, 400)
    return Reply({"success": True})


@resource.route("GET", "/events")
def list_events(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply({"events": [render(row) for row in found.rows], "nextToken": found.next_token})


@resource.route("GET", "/events/{event_id}")
def get_event(request: Call) -> Reply:
    """Every arrival under this id: duplicates and failures too."""
    rows = request.db.execute(
        "select * from events where event_id = ? order by number", (request.path["event_id"],)
    ).fetchall()
    if not rows:
        raise Refusal(404, f"Event {request.path['event_id']} not found")
    events = [render(row) | {"eventPipelineInfo": unpacked(row, "pipeline")} for row in rows]
    return Reply({"events": events})


def _outcome(status: int, message: str) -> dict[str, Any]:
    return {"success": status == _ACCEPTED, "statusCode": status, "message": message}


def render(row: Row) -> dict[str, Any]:
    return present(
        referenceId=row["reference_id"],
        eventPayload=unpacked(row, "payload"),
        ingestionStatus={
            "status": row["status"],
            "statusDescription": row["status_description"],
        },
        customerId=row["customer_id"],
        source={"id": "api", "type": "API"},
        createdAt=row["created_at"],
    )
