"""Events that count only if the account's balance covers them."""

from decimal import Decimal
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure
from billing_mcp.server import BillingServer
from good_calls import event
from recording import Recorder, Says, attach
from world import OPERATION, World

pytestmark = pytest.mark.anyio


def using(units: str, **given: Any) -> dict[str, Any]:
    attributes = [{"name": "answers", "value": units}]
    return {"body": {"event": event(attributes=attributes, **given)}}


async def left(world: World, client: Client) -> tuple[Decimal | int, Decimal | int]:
    """The balance, and the overage that was used."""
    arguments = {"accountId": "harbor-main", "featureId": world.answers}
    found = facts(await client.call_tool("get-feature-credits-balance", arguments))
    return Decimal(found["balance"]), Decimal(found["usedOverage"])


async def test_what_the_balance_covers_is_used_up_then_the_overage(
    world: World, client: Client
) -> None:
    used = facts(await client.call_tool("ingest-event-if-user-is", using("96.5")))
    assert used["success"] is True
    assert used["eventId"] == used["operationId"]
    assert await left(world, client) == (Decimal("3.5"), 0)
    facts(await client.call_tool("ingest-event-if-user-is", using("13.5", id="mine")))
    assert await left(world, client) == (0, 10)
    assert world.effects("event") == [used["operationId"], "mine"]


async def test_what_the_balance_does_not_cover_is_refused_and_uses_nothing(
    world: World, client: Client
) -> None:
    refused = failure(await client.call_tool("ingest-event-if-user-is", using("110.5")))
    assert refused["kind"] == "invalid-request"
    assert "110.5 asked for, 110 left" in refused["message"]
    assert refused["next"].startswith("Nothing was used. get-feature-credits-balance shows")
    assert await left(world, client) == (100, 0)
    assert world.effects("event") == []


async def test_a_repeated_operation_is_answered_as_done_and_counted_once(
    world: World, client: Client
) -> None:
    arguments = using("40") | {"operationId": OPERATION}
    first = facts(await client.call_tool("ingest-event-if-user-is", arguments))
    again = facts(await client.call_tool("ingest-event-if-user-is", arguments))
    assert "replayed" not in first
    assert again == first | {"replayed": True}
    assert await left(world, client) == (60, 0)


async def test_an_event_id_that_was_used_before_is_a_conflict_that_says_what_to_do(
    world: World, client: Client
) -> None:
    facts(await client.call_tool("ingest-event-if-user-is", using("40", id="mine")))
    taken = failure(await client.call_tool("ingest-event-if-user-is", using("40", id="mine")))
    assert taken["kind"] == "conflict"
    assert "give a new id for another" in taken["next"]
    assert await left(world, client) == (60, 0)


async def test_a_conflict_after_a_lost_answer_is_the_first_try_of_this_event(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"message": "down"}, 503), Says({"message": "Duplicate Id"}, 409))
    attach(server, recorder)
    used = facts(await client.call_tool("ingest-event-if-user-is", using("1", id="mine")))
    assert used["success"] is True
    assert used["replayed"] is True
    assert len(recorder.requests) == 2


async def test_a_refusal_after_a_lost_answer_leaves_the_outcome_unknown(
    server: BillingServer, client: Client
) -> None:
    attach(server, Recorder(Says({"message": "down"}, 503), Says({"message": "0 left"}, 400)))
    arguments = using("1") | {"operationId": OPERATION}
    lost = failure(await client.call_tool("ingest-event-if-user-is", arguments))
    assert lost["kind"] == "outcome-unknown"
    assert f"again with operationId {OPERATION} and the same event" in lost["next"]


async def test_an_event_of_no_feature_is_refused(world: World, client: Client) -> None:
    body = {"event": event(schemaName="api_calls", attributes=[{"name": "calls", "value": "1"}])}
    refused = failure(await client.call_tool("ingest-event-if-user-is", {"body": body}))
    assert refused["kind"] == "invalid-request"
    assert "No feature is fed by events of this schema" in refused["message"]
