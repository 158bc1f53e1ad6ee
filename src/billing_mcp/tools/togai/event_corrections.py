"""Corrections: counted events are taken back, sent again, or replaced by another one."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
    ANY_WRITE,
    DELETE,
    Applied,
    Effect,
    NotApplied,
    Preview,
    Stake,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import Instant, Name
from billing_mcp.results import Page
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import jobs, walks
from billing_mcp.tools.togai.accounts import accounts_named, stake_in
from billing_mcp.tools.togai.event_lookups import (
    EVENTS_ROUTE,
    EventAccount,
    EventId,
    UsageEvent,
)
from billing_mcp.tools.togai.events import LONGEST_LOOKED_UP_ID, Event
from billing_mcp.upstream import Togai
from billing_mcp.wire import present, query

toolset = Toolset("togai-events")

MOST_AT_ONCE = 30
MOST_UNDONE_AT_ONCE = 5
# Events of a plan whose ids it tells.
MOST_TOLD = 50

ReferenceId = Annotated[
    Name, Field(min_length=1, max_length=50, description="Togai's referenceId of one arrival")
]
SourceTime = Annotated[Instant | None, Field(description="The event's own timestamp")]
ArrivedAt = Annotated[Instant | None, Field(description="When it arrived; with eventId")]

# The vendor's filters beside the account, and which of them go together.
_FILTERS = {
    "referenceId": "id",
    "eventId": "event_id",
    "eventSourceTime": "event_source_time",
    "createdAt": "created_at",
}
_COMBINATIONS = (
    frozenset[str](),
    *(frozenset({name}) for name in ("referenceId", "eventId", "eventSourceTime")),
    *(frozenset({"eventId", name}) for name in ("createdAt", "eventSourceTime")),
)


class CorrectedEvent(UsageEvent):
    """What became of one event: REVERTED, REVERTED_AND_REINGESTED, or FAILED and why."""

    concise: ClassVar = ("eventPayload.id", "referenceId", "status", "reason")

    status: str
    reason: str | None = None


def _is_partial(page: Page[CorrectedEvent]) -> bool:
    return any(event.status == "FAILED" for event in page.data)


def _filtered(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The query that finds the events. Raises `InvalidRequest` for filters that do not go
    together."""
    used = [name for name in _FILTERS if asked.get(name) is not None]
    if frozenset(used) not in _COMBINATIONS:
        raise errors.InvalidRequest(
            f"{' and '.join(used)} cannot be combined; nothing was sent.",
            field=used[-1],
            next_step="Give referenceId, eventId or eventSourceTime, eventId with createdAt or "
            "with eventSourceTime, or none of them for all events of the account.",
        )
    return {"account_id": asked["accountId"]} | {_FILTERS[name]: asked[name] for name in used}


def _matches(event: UsageEvent, asked: Mapping[str, Any]) -> bool:
    """Whether the filters find the event."""
    found = {
        "referenceId": event.referenceId,
        "eventId": event.eventPayload.get("id"),
        "eventSourceTime": event.eventPayload.get("timestamp"),
        "createdAt": event.createdAt,
    }
    return all(holds(found[name], text) for name, text in _texts(asked).items())


def _texts(asked: Mapping[str, Any]) -> dict[str, str]:
    """The filters as text, in a call and in what the ledger keeps of one."""
    given = {name: asked[name] for name in _FILTERS if asked.get(name) is not None}
    return query(given)


async def _events(togai: Togai, asked: Mapping[str, Any]) -> AsyncIterator[UsageEvent]:
    """The arrivals that the filters find, counted or not."""
    account = {"account_id": asked["accountId"]}
    event_id = asked.get("eventId")
    if event_id is not None and len(event_id) <= LONGEST_LOOKED_UP_ID:
        try:
            found = await togai.fetch(
                Page[UsageEvent], route="GET /events/{event_id}", at={"event_id": event_id}
            )
        except errors.NotFound:
            return
        for event in found.data:
            if _matches(event, asked):
                yield event
        return
    async for event in walks.rows(togai, UsageEvent, EVENTS_ROUTE, 50, query=account):
        if _matches(event, asked):
            yield event


async def _counted(togai: Togai, asked: Mapping[str, Any]) -> list[UsageEvent]:
    """What would be corrected. Raises `Conflict` when there is nothing."""
    try:
        found = [event async for event in _events(togai, asked) if event.counts]
    except walks.MoreThanSearched as error:
        raise errors.Conflict(
            f"Account {wording.identified(asked['accountId'])} has too many events to look through "
            "for a plan.",
            field="accountId",
            next_step="Name one event by eventId or referenceId.",
        ) from error
    if not found:
        raise errors.Conflict(
            f"No counted event of account {wording.identified(asked['accountId'])} matches.",
            field="eventId" if asked.get("eventId") else "accountId",
            next_step="list-events with this accountId shows those there are; only "
            "INGESTION_COMPLETED ones are counted.",
        )
    return found


def _would(action: str | None, most: int) -> Preview:
    """What a correction would do: a fixed action, or that of the call."""

    async def preview(togai: Togai, asked: Mapping[str, Any]) -> Effect:
        kind = action or asked["action"]
        _filtered(asked)
        if action is None:
            _require_event(kind, asked["event"])
        events = await _counted(togai, asked)
        background = bool(asked.get("inBackground") or asked.get("requireConfirmation"))
        if len(events) > most and not background:
            raise errors.Conflict(
                f"{len(events)} events match, and at most {most} are corrected at once.",
                field="accountId",
                next_step="Name fewer events, or let correct-events do it with inBackground true.",
            )
        if kind == "REDO_EVENT" and len(events) > 1:
            raise errors.Conflict(
                f"{len(events)} events match, and one event replaces one.",
                field="eventId",
                next_step="Name the one by referenceId.",
            )
        whose = await _whose(togai, asked["accountId"])
        told = wording.listed([wording.identified(event.event_id) for event in events])
        what = f"{wording.counted(len(events), 'event')} of {whose} ({told})"
        return Effect(
            _SENTENCES[kind].format(what=what) + _WAITS[bool(asked.get("requireConfirmation"))],
            {"events": [_shown(event) for event in events[:MOST_TOLD]]},
            None if kind != "REDO_EVENT" else {"event": asked["event"].wire("")},
            _UNDO[kind],
            {"counted": sorted(event.referenceId for event in events)},
        )

    return preview


_SENTENCES = {
    "UNDO": "Takes back {what}: they are no longer billed, and the feature credits they used are "
    "given back.",
    "REDO": "Takes back {what} and ingests them again, measured and billed as plans and meters are "
    "now.",
    "REDO_EVENT": "Takes back {what} and ingests the given event in its place.",
}
_UNDO: dict[str, str | None] = {
    "UNDO": "ingest-event with the same event, as long as its cycle is open.",
    "REDO": None,
    "REDO_EVENT": "correct-events with REDO_EVENT and the event as it was before.",
}
_WAITS = {False: "", True: " Nothing is done until confirm-job."}


def _shown(event: UsageEvent) -> dict[str, Any]:
    return present(
        id=event.eventPayload.get("id"),
        referenceId=event.referenceId,
        timestamp=event.eventPayload.get("timestamp"),
        status=event.ingestionStatus.status,
    )


async def _whose(togai: Togai, reference: str) -> str:
    try:
        account = (await accounts_named(togai, [reference]))[reference]
    except walks.MoreThanSearched:
        account = None
    if account is None:
        return f"account {wording.identified(reference)}"
    return wording.named("account", account.id, account.name)


def _require_event(action: str, event: Event | None) -> None:
    if (action == "REDO_EVENT") != (event is not None):
        raise errors.InvalidRequest(
            "An event is given with action REDO_EVENT and with no other; nothing was sent.",
            field="event",
            next_step="Give the event that replaces the one found, or action UNDO or REDO.",
        )


async def _stake(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    # An event that replaces another may be of another account.
    event = asked.get("event")
    references = [asked["accountId"], *([event.accountId] if event else ())]
    return await stake_in(togai, references)


def _reverted(event: UsageEvent, status: str) -> CorrectedEvent:
    fields = dict(event) | {"status": status, "reason": "Found as it was corrected"}
    return CorrectedEvent.model_construct(**fields)


async def _counted_before(togai: Togai, asked: Mapping[str, Any]) -> list[str] | None:
    """The arrivals to be corrected; None when they are more than are corrected at once. Where a
    job is to wait, the jobs there are."""
    if asked.get("requireConfirmation"):
        return await jobs.known(togai, "EVENT_CORRECTIONS")
    if asked.get("referenceId") is not None:
        return [asked["referenceId"]]
    counted: list[str] = []
    try:
        async for event in _events(togai, asked):
            if event.counts:
                counted.append(event.referenceId)
            if len(counted) > MOST_AT_ONCE:
                return None
    except walks.MoreThanSearched:
        return None
    return counted


async def _corrected(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """It is seen in each event that was to be corrected, and in what came in its place."""
    before = togai.baseline
    try:
        if asked.get("requireConfirmation"):
            waits = await jobs.new(togai, "EVENT_CORRECTIONS")
            look_at = "list-jobs shows whether a job of this call waits to be confirmed"
            return Undecided(look_at) if waits or before is None else NotApplied()
        if before is None:
            return _LOOK
        found = [event async for event in _events(togai, asked) if event.referenceId in before]
        back = [event for event in found if event.ingestionStatus.status == "REVERTED"]
        left = any(event.counts for event in found)
        if not back:
            return NotApplied()
        if asked.get("action", "UNDO") == "UNDO":
            # What is taken back already is not among those that are taken back again.
            done = _done([_reverted(event, "REVERTED") for event in back])
            return NotApplied() if left else done
        return _LOOK if left else await _ingested_again(togai, asked, back)
    except walks.MoreThanSearched:
        return _LOOK


async def _ingested_again(
    togai: Togai, asked: Mapping[str, Any], back: list[UsageEvent]
) -> Verdict:
    """What was taken back alone was taken back by somebody else."""
    again = []
    for event in back:
        wanted = asked.get("event") or event.eventPayload
        own = (asked.get("eventId") or togai.operation_id) if asked.get("event") else None
        event_id = wanted.get("id") or own
        if event_id is None:
            return _LOOK
        place = {"accountId": asked["accountId"], "eventId": event_id}
        fits = [
            one
            async for one in _events(togai, place)
            if one.counts
            and one.referenceId not in togai.baseline
            and holds(one.eventPayload, wanted)
        ]
        if not fits:
            return NotApplied()
        again.append(_reverted(fits[-1], "REVERTED_AND_REINGESTED"))
    return _done(again)


_LOOK = Undecided("list-events of the account shows which events are REVERTED")


def _done(events: list[CorrectedEvent]) -> Applied:
    return Applied(Page[CorrectedEvent](data=events))


@toolset.tool(
    ANY_WRITE,
    "POST /events/correction",
    title="Correct or undo ingested events",
    write=Write(
        find_out="get-event shows whether it is REVERTED",
        reconcile=_corrected,
        baseline=_counted_before,
        preview=_would(None, MOST_AT_ONCE),
        stake=_stake,
        target="accountId",
        is_partial=_is_partial,
    ),
)
async def correct_events(
    togai: Togai,
    action: Annotated[
        Literal["UNDO", "REDO", "REDO_EVENT"],
        Field(description="Take back; and ingest again; or ingest event instead"),
    ],
    accountId: EventAccount,
    eventId: EventId | None = None,
    referenceId: ReferenceId | None = None,
    eventSourceTime: SourceTime = None,
    createdAt: ArrivedAt = None,
    event: Annotated[Event | None, Field(description="With REDO_EVENT")] = None,
    inBackground: Annotated[
        bool | None, Field(description="By a job, and more than 30 events")
    ] = None,
    requireConfirmation: Annotated[
        bool | None, Field(description="The job waits for confirm-job")
    ] = None,
) -> Page[CorrectedEvent]:
    """Correct counted events of an account: all of them, or those the filters name, at most 30.
    What they cost and used is given back. Events of closed cycles stay."""
    asked = {
        "accountId": accountId,
        "eventId": eventId,
        "referenceId": referenceId,
        "eventSourceTime": eventSourceTime,
        "createdAt": createdAt,
    }
    filters = _filtered(asked)
    _require_event(action, event)
    how = {"action": action, "async": inBackground, "require_confirmation": requireConfirmation}
    body = {} if event is None else {"event": event.wire(eventId or togai.operation_id)}
    return await togai.fetch(Page[CorrectedEvent], query=how | filters, body=body)


@toolset.tool(
    DELETE,
    "DELETE /events",
    title="Undo ingested events (deprecated)",
    write=Write(
        find_out="get-event shows whether it is REVERTED",
        reconcile=_corrected,
        baseline=_counted_before,
        preview=_would("UNDO", MOST_UNDONE_AT_ONCE),
        stake=_stake,
        target="accountId",
        is_partial=_is_partial,
    ),
)
async def undo_events(
    togai: Togai,
    accountId: EventAccount,
    eventId: EventId | None = None,
    referenceId: ReferenceId | None = None,
    eventSourceTime: SourceTime = None,
    createdAt: ArrivedAt = None,
) -> Page[CorrectedEvent]:
    """Deprecated: correct-events with action UNDO does this. Takes back at most 5 counted events
    of an account."""
    asked = {
        "accountId": accountId,
        "eventId": eventId,
        "referenceId": referenceId,
        "eventSourceTime": eventSourceTime,
        "createdAt": createdAt,
    }
    return await togai.fetch(Page[CorrectedEvent], query=_filtered(asked))
