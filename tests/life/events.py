"""Steps of a life: events that come, come again, come late, and are taken back."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from life.company import Company, Picks
from life.model import DUPLICATE, TOO_LATE, UNMEASURED, Arrival

EVENT_IDS = tuple(f"e{number}" for number in range(14))
UNITS = tuple(Decimal(text) for text in ("1", "4.5", "13", "0.333", "27", "120", "0"))
# An event of a cycle that ended not longer ago is in time for every plan of the catalogue.
ALWAYS_IN_TIME = timedelta(days=3)


def drawn(company: Company, picks: Picks, schema: str | None = None) -> dict[str, Any]:
    """An event of today or of the days before it."""
    schema = schema or picks.of(("api_calls", "answers"))
    day = company.today(-picks.of((0, 1, 2, 5, 9, 19, 33)))
    return {
        "schemaName": schema,
        "id": picks.of(EVENT_IDS),
        "timestamp": f"{day}T00:00:00Z",
        "accountId": picks.of((*company.model.accounts, "nobody")),
        "attributes": [{"name": schema.removeprefix("api_"), "value": str(picks.of(UNITS))}],
        "dimensions": {},
    }


async def ingest(company: Company, picks: Picks) -> None:
    event = drawn(company, picks)
    taken = company.model.is_taken(event["id"], company.now)
    assert await company.ask("ingest-event", event=event)
    await arrived(company, event, taken=taken)


async def ingest_batch(company: Company, picks: Picks) -> None:
    """Two events that may be the same one."""
    events = [drawn(company, picks), drawn(company, picks)]
    if events[0]["id"] == events[1]["id"]:
        events.pop()
    taken = [company.model.is_taken(event["id"], company.now) for event in events]
    assert await company.ask("ingest-events", events=events)
    for event, was in zip(events, taken, strict=True):
        await arrived(company, event, taken=was)


async def ask_first(company: Company, picks: Picks) -> None:
    """An event that counts only if the account is entitled to it."""
    event = drawn(company, picks, "answers")
    taken = company.model.is_taken(event["id"], company.now)
    accepted = await company.ask("ingest-event-if-user-is", body={"event": event})
    assert not (accepted and taken), event
    arrivals = await arrived(company, event, taken=taken)
    assert bool(accepted) is arrivals[-1].counted


async def arrived(company: Company, event: dict[str, Any], *, taken: bool) -> list[Arrival]:
    """Keep an arrival as it is shown; what was there before has not changed by it."""
    known = company.model.events.setdefault(event["id"], [])
    shown = await looked_up(company, event["id"])
    # What it is counted for goes with the schedules, though.
    assert [(one.reference, one.counted) for one in shown[:-1]] == [
        (one.reference, one.counted) for one in known
    ], event
    new = shown[-1]
    known.append(new)
    assert (new.account_id, new.moment) == (event["accountId"], moment_of(event["timestamp"]))
    assert (new.status == DUPLICATE) is taken, new
    off = new.schema == "api_calls" and not company.model.measures_calls
    assert (new.status == UNMEASURED) is (off and new.counted), new
    late = new.moment < company.now - ALWAYS_IN_TIME
    assert late or new.status != TOO_LATE, new
    return known


async def looked_up(company: Company, event_id: str) -> list[Arrival]:
    """All arrivals under an id, in their order."""
    found = await company.read("get-event", eventId=event_id)
    return [_read(row) for row in found["data"]]


def _read(row: dict[str, Any]) -> Arrival:
    payload, pipeline = row["eventPayload"], row.get("eventPipelineInfo", {})
    attributes = payload["attributes"]
    return Arrival(
        event_id=payload["id"],
        account_id=payload["accountId"],
        schema=payload["schemaName"],
        units=Decimal(attributes[0]["value"]) if attributes else Decimal(0),
        moment=moment_of(payload["timestamp"]),
        arrived=moment_of(row["createdAt"]),
        reference=row["referenceId"],
        status=row["ingestionStatus"]["status"],
        priced=tuple((plan["id"], plan["cycleStart"]) for plan in pipeline.get("pricePlans", ())),
    )


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


async def switch_meter(company: Company, picks: Picks) -> None:
    """The meter of calls is switched off, or on again: what comes meanwhile is not measured."""
    on = bool(picks.number(2))
    tool = "activate-usage-meter" if on else "deactivate-usage-meter"
    if await company.ask(tool, usageMeterId=company.meters["Calls"]):
        company.model.measures_calls = on


async def correct(company: Company, picks: Picks) -> None:
    """Take an event back, or let it come again, as it was or otherwise."""
    event_id = picks.of(EVENT_IDS)
    action = picks.of(("UNDO", "REDO", "REDO_EVENT"))
    known = company.model.events.get(event_id, [])
    account_id = next((one.account_id for one in known if one.counted), "main")
    arguments: dict[str, Any] = {"action": action, "accountId": account_id, "eventId": event_id}
    if action == "REDO_EVENT":
        arguments["event"] = drawn(company, picks) | {"id": event_id, "accountId": account_id}
    answer = await company.ask("correct-events", **arguments)
    await corrected(company, event_id, _of(known, account_id), answer)


async def undo(company: Company, picks: Picks) -> None:
    """The older tool for the same."""
    event_id = picks.of(EVENT_IDS)
    known = company.model.events.get(event_id, [])
    account_id = next((one.account_id for one in known if one.counted), "main")
    answer = await company.ask("undo-events", accountId=account_id, eventId=event_id)
    await corrected(company, event_id, _of(known, account_id), answer)


def _of(known: Sequence[Arrival], account_id: str) -> list[Arrival]:
    return [one for one in known if one.counted and one.account_id == account_id]


async def corrected(
    company: Company, event_id: str, meant: Sequence[Arrival], answer: dict[str, Any] | None
) -> None:
    """What a correction of counted events says it did is what is shown afterwards, and no more."""
    if answer is None:
        # None is counted, or several are (after 45 days), and one event cannot replace them.
        assert len(meant) != 1, company.refused
        return
    known = company.model.events[event_id]
    said = Counter(outcome["status"] for outcome in answer["data"])
    assert said.total() == len(meant), answer
    assert said.keys() <= {"FAILED", "REVERTED", "REVERTED_AND_REINGESTED"}, answer
    failed = {one["referenceId"] for one in answer["data"] if one["status"] == "FAILED"}
    # The outcome for one that came again shows its new arrival.
    gone = {one.reference for one in meant} - failed
    shown = await looked_up(company, event_id)
    before, new = shown[: len(known)], shown[len(known) :]
    for was, now in zip(known, before, strict=True):
        assert now.counted is (was.counted and was.reference not in gone), (was, now)
        assert (now.status == "REVERTED") >= (was.reference in gone), (was, now)
    assert len(new) == said["REVERTED_AND_REINGESTED"], answer
    assert all(one.counted for one in new), new
    company.model.events[event_id] = shown
