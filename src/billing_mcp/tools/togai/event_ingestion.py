"""One usage event at a time, as the vendor's single ingestion takes it."""

from collections.abc import Mapping
from typing import Any

from billing_mcp.declarations import (
    CREATE,
    Applied,
    Effect,
    Stake,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.results import Result
from billing_mcp.tools.togai.events import (
    LONGEST_LOOKED_UP_ID,
    REPEATED,
    Event,
    arrivals,
    stake_of_events,
    would_ingest,
)
from billing_mcp.upstream import Togai

toolset = Toolset("togai-events")


class Taken(Result):
    success: bool
    eventId: str | None = None
    message: str | None = None


async def _ingested(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """Ingestion is asynchronous: an event that is not there yet may still come."""
    event_id = asked["event"].get("id") or togai.operation_id
    again = REPEATED.format(tool=togai.tool)
    if len(event_id) > LONGEST_LOOKED_UP_ID:
        return Undecided(f"the event's id is too long to look up; {again}")
    if not await arrivals(togai, event_id):
        return Undecided(f"event {event_id} was not seen, and may still be on its way; {again}")
    return Applied(Taken(success=True, eventId=event_id))


async def _would_ingest(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    return await would_ingest(togai, {"events": [asked["event"]]})


async def _stake(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    return await stake_of_events(togai, {"events": [asked["event"]]})


@toolset.tool(
    CREATE,
    "POST /ingest",
    title="Ingest one event",
    write=Write(
        find_out="repeat it with the same operationId",
        reconcile=_ingested,
        preview=_would_ingest,
        stake=_stake,
        key="id",
        target="event",
    ),
)
async def ingest_event(togai: Togai, event: Event) -> Taken:
    """Send one usage event. Accepted means taken, not yet metered. Without id it gets the
    operationId."""
    sent = event.wire(togai.operation_id)
    answer = await togai.fetch(Taken, body={"event": sent})
    return answer.model_copy(update={"eventId": sent["id"]})
