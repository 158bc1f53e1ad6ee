"""Usage events: what happened, from which usage meters compute what is billed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from billing_mcp import errors, money
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
from billing_mcp.params import Body, Instant, Name, wrong
from billing_mcp.results import Result
from billing_mcp.tools import wording
from billing_mcp.tools.togai.accounts import MOST_LOOKED_UP, accounts_named, stake_in
from billing_mcp.upstream import Answer, Togai
from billing_mcp.wire import json_value, utc_text

toolset = Toolset("togai-billing")

# The vendor's documents disagree between 500 and 1000; 500 is right under both.
BATCH = 500
MOST_EVENTS = 10_000

Outcome = Literal["accepted", "rejected", "unknown"]


def _digits(value: Any) -> str:
    """A number as the text that the vendor wants for an attribute."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise wrong('a number, best as a string: "12.5"')
    try:
        return money.plain(money.exact(value))
    except money.NotANumber as error:
        raise wrong(str(error)) from error


class Attribute(Body):
    name: Annotated[Name, Field(min_length=1, max_length=50)]
    value: Annotated[str, PlainValidator(_digits), WithJsonSchema({"type": "string"})]
    unit: Annotated[Name, Field(min_length=1, max_length=50)] | None = None


class Event(Body):
    schemaName: Annotated[Name, Field(min_length=1, max_length=50)]
    timestamp: Instant
    accountId: Annotated[Name, Field(min_length=1, max_length=512)]
    attributes: Annotated[list[Attribute], Field(default_factory=list, max_length=10)]
    dimensions: Annotated[
        dict[Name, Annotated[Name, Field(min_length=1, max_length=200)]],
        Field(default_factory=dict),
    ]
    id: Annotated[Name, Field(min_length=1, max_length=512)] | None = None

    def wire(self, event_id: str) -> dict[str, Any]:
        """The vendor's event. It dedupes by `id` for 45 days, over all ways to ingest."""
        attributes = [
            {name: value for name, value in attribute if value is not None}
            for attribute in self.attributes
        ]
        return {
            "schemaName": self.schemaName,
            "id": self.id or event_id,
            "timestamp": json_value(self.timestamp),
            "accountId": self.accountId,
            "attributes": attributes,
            "dimensions": self.dimensions,
        }


class EventOutcome(Result):
    index: int
    id: str
    outcome: Outcome
    message: str | None = None


class Ingested(Result):
    """How many events the vendor took, and what became of each."""

    long: ClassVar = True
    concise: ClassVar = ("accepted", "rejected", "unknown", "failures")

    accepted: int
    rejected: int
    unknown: int
    failures: list[EventOutcome]
    events: list[EventOutcome]


class Arrival(Result):
    """One arrival of an event. An event that was sent twice has two."""

    ingestionStatus: dict[str, Any] | None = None

    @property
    def has_failed(self) -> bool:
        return str((self.ingestionStatus or {}).get("status")).startswith("INGESTION_FAILED")


class Arrivals(Result):
    events: list[Arrival]


# What the vendor documents of an id that its lookup takes, and the events that we look up.
LONGEST_LOOKED_UP_ID = 50
MOST_EVENTS_LOOKED_UP = 500
REPEATED = "called again with the same operationId, {tool} counts each event once"


async def arrivals(togai: Togai, event_id: str) -> list[Arrival]:
    """What the vendor knows of an event; nothing may mean that it is still on its way."""
    try:
        found = await togai.fetch(
            Arrivals, route="GET /events/{event_id}", at={"event_id": event_id}
        )
    except errors.NotFound:
        return []
    return found.events


async def _ingested(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """Ingestion is asynchronous, so an event that is not there yet may still come: only when all
    are there is it decided."""
    ids = [
        event.get("id") or f"{togai.operation_id}-{index}"
        for index, event in enumerate(asked["events"])
    ]
    again = REPEATED.format(tool=togai.tool)
    if len(ids) > MOST_EVENTS_LOOKED_UP or max(map(len, ids)) > LONGEST_LOOKED_UP_ID:
        return Undecided(f"these events are too many, or their ids too long, to look up; {again}")
    there = 0
    for event_id in ids:
        if not await arrivals(togai, event_id):
            return Undecided(f"{there} of {len(ids)} events were seen, {event_id} was not; {again}")
        there += 1
    events = [
        EventOutcome(index=index, id=event_id, outcome="accepted")
        for index, event_id in enumerate(ids)
    ]
    return Applied(Ingested(accepted=there, rejected=0, unknown=0, failures=[], events=events))


# Accounts and schemas whose numbers of events a plan tells: the largest ones.
MOST_TOLD = 50
EVENT_BACK = (
    "correct-events with action UNDO and its eventId, as long as the cycle it counts in is open."
)


async def would_ingest(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    events: Sequence[Event] = asked["events"]
    _wired(togai, events)
    schemas = Counter(event.schemaName for event in events)
    accounts = Counter(event.accountId for event in events)
    first = utc_text(min(event.timestamp for event in events))
    last = utc_text(max(event.timestamp for event in events))
    when = f"at {first}" if first == last else f"from {first} to {last}"
    by_schema = wording.listed(
        [f"{number} of schema {wording.identified(name)}" for name, number in _most(schemas)]
    )
    return Effect(
        f"Sends {wording.counted(len(events), 'usage event')} that happened {when}: {by_schema}; "
        f"{await _by_account(togai, accounts)}. What they cost is not known before they are rated, "
        "and whether Togai has counted any of their ids before cannot be known.",
        after={
            "events": len(events),
            "bySchema": dict(_most(schemas)[:MOST_TOLD]),
            "byAccount": dict(_most(accounts)[:MOST_TOLD]),
            "accounts": len(accounts),
            "firstTimestamp": first,
            "lastTimestamp": last,
        },
        undo=EVENT_BACK,
    )


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    """The larger first, equal ones in the order of their names."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


async def _by_account(togai: Togai, counts: Counter[str]) -> str:
    """Whom the events are for. Those of an account that Togai does not find are never billed, which
    it says later, of each event."""
    if len(counts) > MOST_LOOKED_UP:
        return f"they are for {len(counts)} accounts, too many to look up here"
    found = await accounts_named(togai, [reference for reference, _ in _most(counts)])
    parts, unknown = [], []
    for reference, account in found.items():
        if account is None:
            unknown.append(f"{counts[reference]} for {wording.identified(reference)}")
            continue
        alias = "" if account.id == reference else f", named {wording.identified(reference)}"
        whose = wording.named("account", account.id, account.name)
        if account.customerId is not None:
            whose += f" of customer {wording.identified(account.customerId)}"
        parts.append(f"{counts[reference]} for {whose}{alias}")
    if unknown:
        parts.append(
            f"{wording.listed(unknown)}, where there is no such account, so that Togai will take "
            "the events and not count them"
        )
    return "; ".join(parts)


async def stake_of_events(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    return await stake_in(togai, [event.accountId for event in asked["events"]])


@toolset.tool(
    CREATE,
    "POST /ingestBatch",
    write=Write(
        find_out="repeat it with the same operationId",
        reconcile=_ingested,
        preview=would_ingest,
        stake=stake_of_events,
        key="id",
        target="events",
        is_partial=lambda result: bool(result.failures),
    ),
)
async def ingest_events(
    togai: Togai, events: Annotated[list[Event], Field(min_length=1, max_length=MOST_EVENTS)]
) -> Ingested:
    """Send usage events, in batches of 500. Accepted means taken, not yet metered. An event without
    id gets operationId-index, so the same operationId never counts it twice."""
    sent = _wired(togai, events)
    outcomes: list[EventOutcome] = []
    for start in range(0, len(sent), BATCH):
        batch = sent[start : start + BATCH]
        try:
            answer = await togai.send(body={"events": batch})
        except errors.BillingError as error:
            raise _interrupted(togai, error, outcomes, len(sent)) from error
        outcomes.extend(_outcomes(batch, start, answer))
        await togai.progress(len(outcomes), len(sent), f"{len(outcomes)} of {len(sent)} events")
    counts = {
        outcome: sum(1 for event in outcomes if event.outcome == outcome)
        for outcome in ("accepted", "rejected", "unknown")
    }
    return Ingested(
        **counts,
        failures=[event for event in outcomes if event.outcome != "accepted"],
        events=outcomes,
    )


def _wired(togai: Togai, events: Sequence[Event]) -> list[dict[str, Any]]:
    """The events for the vendor, each with its id.

    Raises `InvalidRequest` when two have the same: the vendor would count one of them.
    """
    sent = [event.wire(f"{togai.operation_id}-{index}") for index, event in enumerate(events)]
    seen: dict[str, int] = {}
    for index, event in enumerate(sent):
        first = seen.setdefault(event["id"], index)
        if first != index:
            raise errors.InvalidRequest(
                f"events[{index}].id repeats events[{first}].id; nothing was sent.",
                field=f"events[{index}].id",
                next_step="An id is counted once: give each event its own, or leave ids out.",
            )
    return sent


def _outcomes(
    batch: Sequence[Mapping[str, Any]], start: int, answer: Answer
) -> Iterator[EventOutcome]:
    """What became of each event of a batch. 207 means that some were refused."""
    details = answer.body.get("details") if isinstance(answer.body, dict) else None
    for position, event in enumerate(batch):
        outcome: Outcome = "accepted"
        message = None
        if answer.status == 207:
            outcome, message = _told(details, event["id"])
        yield EventOutcome(index=start + position, id=event["id"], outcome=outcome, message=message)


def _told(details: object, event_id: str) -> tuple[Outcome, str | None]:
    """What a partial answer says of one event.

    The vendor documents `details` as a free map; an event that it does not speak of is unknown.
    """
    entry = details.get(event_id) if isinstance(details, dict) else None
    if not isinstance(entry, dict) or not isinstance(entry.get("success"), bool):
        return "unknown", "the vendor refused some events of this batch without naming them"
    if entry["success"]:
        return "accepted", None
    return "rejected", errors.one_line(str(entry.get("message") or "no reason given"))


def _interrupted(
    togai: Togai, error: errors.BillingError, done: Sequence[EventOutcome], total: int
) -> errors.BillingError:
    """An error in the middle: what was taken before it stays taken, and is not counted twice."""
    if not done:
        return error
    accepted = sum(1 for event in done if event.outcome == "accepted")
    next_step = (
        f"Call ingest-events again with operationId {togai.operation_id} and the same events: "
        "those accepted are not counted twice."
    )
    if isinstance(error, errors.InvalidRequest):
        # An operation has one set of arguments, and those accepted have its id in theirs.
        next_step = (
            f"Correct the events from index {len(done)} on, and send only these, without "
            "operationId: those before them would be counted again."
        )
    interrupted = type(error)(
        f"{error.message} {accepted} of {total} events were accepted before that.",
        field=error.field,
        retry_after_seconds=error.retry_after_seconds,
        next_step=next_step,
    )
    interrupted.partly = True
    return interrupted
