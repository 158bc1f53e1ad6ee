"""Events that are ingested only if the account is entitled to what they use."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
    CREATE,
    Applied,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import Body
from billing_mcp.results import Result
from billing_mcp.tools.togai.events import LONGEST_LOOKED_UP_ID, REPEATED, Event, arrivals
from billing_mcp.upstream import Togai

toolset = Toolset("togai-entitlements")


class EntitledEvent(Body):
    event: Event


class Used(Result):
    success: bool
    eventId: str | None = None


async def _used(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    event_id = asked["body"]["event"].get("id") or togai.operation_id
    again = REPEATED.format(tool=togai.tool)
    if len(event_id) > LONGEST_LOOKED_UP_ID:
        return Undecided(f"the event's id is too long to look up; {again}")
    found = await arrivals(togai, event_id)
    if not found:
        return Undecided(f"event {event_id} was not seen, and may still be on its way; {again}")
    # A refused event is kept with its failure, and used nothing.
    if all(arrival.has_failed for arrival in found):
        return NotApplied()
    return Applied(Used(success=True, eventId=event_id))


@toolset.tool(
    CREATE,
    "POST /entitled",
    title="Ingest event if the account is entitled",
    write=Write(
        find_out="repeat it with the same operationId", reconcile=_used, key="id", target="body"
    ),
)
async def ingest_event_if_user_is(togai: Togai, body: Annotated[EntitledEvent, Field()]) -> Used:
    """Use up a feature: ingest one event if the account's balance, overage included, covers it,
    else refuse. Without id the event gets the operationId."""
    event = body.event.wire(togai.operation_id)
    answer = await togai.send(body={"event": event}, accept=(400, 409))
    if answer.status < 400:
        used = togai.read(Used, answer)
        return used.model_copy(update={"eventId": event["id"]})
    refusal = togai.refusal(answer)
    # The vendor documents 409 for an id that was ingested before. After a lost answer, or when the
    # caller repeats an operation, that is the earlier try of this very event.
    own_id = body.event.id is None
    repeated = answer.attempts > 1 or togai.tried_before or (own_id and togai.operation_given)
    if answer.status == 409 and repeated:
        togai.mark_replayed()
        return Used(success=True, eventId=event["id"])
    if answer.status == 409:
        refusal.next_step = (
            "An event with this id was ingested before and counts once; give a new id for another."
        )
    elif answer.attempts > 1:
        raise errors.OutcomeUnknown(
            f"{refusal.message} An earlier try may have been ingested.",
            next_step=f"Call {togai.tool} again with operationId {togai.operation_id} and the "
            "same event: it is counted once.",
        )
    else:
        refusal.next_step = (
            "Nothing was used. get-feature-credits-balance shows what is left of the feature."
        )
    raise refusal
