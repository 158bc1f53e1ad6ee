"""What became of a write whose answer was lost, for every tool: found by reading alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest

from answers import connected, facts, failure
from billing_mcp.config import Settings
from billing_mcp.guard.ledger import Claimed
from billing_mcp.guard.operations import NewOperation, State
from billing_mcp.server import BillingServer
from billing_mcp.tools.suger import billable_metrics
from good_calls import event, good_calls
from guard.guarded import LATER, NOON, Guarded, Time, guarded
from guard.test_gate import OPERATION, OTHER, WRITES
from unguarded import ANYTHING

pytestmark = pytest.mark.anyio

UNGUARDED = Settings(policy=ANYTHING)

# Nothing the vendor keeps tells a batch from another one just like it.
UNDECIDABLE = "batch-report-usagerecordgroups"
# The vendor finishes an asynchronous work later than it answers: not being there says nothing yet.
ASYNCHRONOUS = ("ingest-events", "ingest-event-if-user-is")
KEYED = (*ASYNCHRONOUS, "grant-credit", "report-usagerecordgroup")
# The paths of the writes alone, so that reading works while a write does not.
WRITING = ("POST", "PUT", "PATCH", "DELETE")


async def lose(
    at: Guarded, tool: str, mode: str, calls: Mapping[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Call a tool whose every answer is lost; its arguments."""
    arguments = (calls or good_calls(at.world))[tool] | {"operationId": OPERATION} | more
    if tool == UNDECIDABLE:
        # Usage that no group has; `good_calls` has reported some of its own.
        arguments["body"] = [{"entitlementID": "on-aws", "records": {"api_calls": "7"}}]
    at.world.sandbox.backend.db.execute("delete from effects")
    at.world.sandbox.faults.replace([{"mode": mode, "method": method} for method in WRITING])
    lost = failure(await at.call(tool, arguments))
    assert lost["kind"] == "outcome-unknown"
    assert lost["operationId"] == arguments["operationId"]
    assert (await at.row(arguments["operationId"])).state is State.UNKNOWN
    at.mend()
    return arguments


@pytest.mark.parametrize("tool", [tool for tool in WRITES if tool != UNDECIDABLE])
async def test_a_write_that_was_applied_is_found_by_the_same_call_again(tool: str) -> None:
    async with guarded(UNGUARDED) as at:
        arguments = await lose(at, tool, "reset-after")
        once = at.effects
        found = facts(await at.call(tool, arguments))
        assert at.effects == once
        assert (await at.row(OPERATION)).state is State.COMMITTED
        again = facts(await at.call(tool, arguments))
    assert len(once) == 1
    assert again == found | {"replayed": True}


@pytest.mark.parametrize("tool", [tool for tool in WRITES if tool != UNDECIDABLE])
async def test_a_write_that_was_applied_is_found_by_looking_at_its_operation(tool: str) -> None:
    async with guarded(UNGUARDED) as at:
        await lose(at, tool, "reset-after")
        once = at.effects
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
        assert at.effects == once
    assert shown["state"] == "committed"
    assert shown["answer"]["operationId"] == OPERATION


@pytest.mark.parametrize("tool", [tool for tool in WRITES if tool not in ASYNCHRONOUS])
async def test_a_write_that_was_not_applied_is_said_to_be_so_once_no_vendor_can_be_at_it(
    tool: str,
) -> None:
    async with guarded(UNGUARDED) as at:
        arguments = await lose(at, tool, "reset-before")
        early = facts(await at.call("get-operation", {"operationId": OPERATION}))
        at.time.pass_by(LATER)
        late = facts(await at.call("get-operation", {"operationId": OPERATION}))
        assert at.effects == []
        facts(await at.call(tool, arguments))
        assert len(at.effects) == 1
    assert early["state"] == "unknown"
    assert early["answer"]["error"]["retryAfterSeconds"] == 50
    assert (late["state"], late["answer"]["error"]["kind"]) == ("rejected", "unavailable")


@pytest.mark.parametrize("tool", ASYNCHRONOUS)
async def test_events_that_are_not_seen_stay_unknown_until_they_are_sent_again(tool: str) -> None:
    async with guarded(UNGUARDED) as at:
        arguments = await lose(at, tool, "reset-before")
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
        assert at.effects == []
        facts(await at.call(tool, arguments))
        assert len(at.effects) == 1
    assert shown["state"] == "unknown"
    assert "counts each event once" in shown["answer"]["error"]["message"]


@pytest.mark.parametrize("tool", [tool for tool in WRITES if tool not in KEYED])
async def test_a_repeated_call_waits_while_the_vendor_may_still_be_at_it(tool: str) -> None:
    async with guarded(UNGUARDED) as at:
        arguments = await lose(at, tool, "reset-before")
        early = failure(await at.call(tool, arguments))
        assert at.effects == []
        at.time.pass_by(LATER)
        facts(await at.call(tool, arguments))
        assert len(at.effects) == 1
    assert early["kind"] == "outcome-unknown"
    assert early["retryAfterSeconds"] == 50
    assert "the vendor may still be at it" in early["message"]


async def test_a_batch_that_may_be_there_is_never_sent_again_and_what_to_look_at_is_said() -> None:
    async with guarded(UNGUARDED) as at:
        arguments = await lose(at, UNDECIDABLE, "reset-after")
        at.time.pass_by(LATER)
        once = at.effects
        for _ in range(3):
            still = failure(await at.call(UNDECIDABLE, arguments))
        assert at.effects == once
    assert still["kind"] == "outcome-unknown"
    assert f"reported in the last 30 days ({once[0][1]})" in still["message"]
    assert "list-usagerecordgroups" in still["message"]


@pytest.mark.parametrize("state", [State.CLAIMED, State.SENT])
async def test_recovery_takes_only_what_nobody_holds(state: State) -> None:
    async with guarded(UNGUARDED) as at:
        gate = await at.gate()
        await hold(at, state)
        await at.recover()
        held = (await at.row(OPERATION)).state
        at.time.pass_by(LATER)
        await at.recover()
        left = await at.row(OPERATION)
        assert await gate.ledger.expired_leases(gate.partition) == []
    assert held is state
    assert (left.state, left.retryable) == (State.REJECTED, True)


async def hold(at: Guarded, state: State) -> None:
    """A customer that another process has begun to create, without the vendor having heard."""
    gate = await at.gate()
    arguments: Mapping[str, Any] = {"id": "acme", "name": "Acme", "primaryEmail": "x@acme.example"}
    new = NewOperation.of(gate.key(OPERATION), "create-customer", arguments, "local")
    claim = await gate.ledger.claim(new, gate.timing.lease)
    assert isinstance(claim, Claimed)
    if state is State.SENT:
        await gate.ledger.sent(claim.operation.hold)


async def test_recovery_finds_what_a_dead_process_had_applied() -> None:
    async with guarded(UNGUARDED) as at:
        await hold(at, State.SENT)
        body = {"id": "acme", "name": "Acme", "primaryEmail": "x@acme.example", "address": {}}
        at.world.ask("POST", "/togai/customers", body)
        at.time.pass_by(LATER)
        await at.recover()
        row = await at.row(OPERATION)
    assert row.state is State.COMMITTED
    assert row.outcome["structured"]["id"] == "acme"


async def test_a_server_that_starts_decides_what_the_one_before_it_left_open(
    tmp_path: Path,
) -> None:
    settings = Settings(sandbox_data=tmp_path / "sandbox.db")
    first = BillingServer(settings)
    first.tenant.now = Time()
    async with connected(first) as client:
        await client.call_tool("list-customers", {"pageSize": 1})
        gate = await first.tenant.ledgers.gate("sandbox")
        arguments = {"id": "walnut", "name": "Walnut"}
        new = NewOperation.of(gate.key(OPERATION), "create-customer", arguments, "local")
        claim = await gate.ledger.claim(new, gate.timing.lease)
        assert isinstance(claim, Claimed)
        await gate.ledger.sent(claim.operation.hold)
    second = BillingServer(settings)
    second.tenant.now = Time(NOON + LATER)
    async with connected(second) as client:
        gate = await second.tenant.ledgers.gate("sandbox")
        with anyio.fail_after(20):
            while (row := await gate.ledger.get(gate.key(OPERATION))).state is State.SENT:  # type: ignore[union-attr]  # it was made above
                await anyio.lowlevel.checkpoint()
    assert row is not None
    assert (row.state, row.retryable) == (State.REJECTED, True)


async def test_a_vendor_that_cannot_be_read_decides_nothing() -> None:
    async with guarded(UNGUARDED) as at:
        await lose(at, "create-customer", "reset-after")
        at.fault(mode="status", status=503)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
        at.mend()
        found = facts(await at.call("get-operation", {"operationId": OPERATION}))
    assert shown["state"] == "unknown"
    assert "could not be looked up" in shown["answer"]["error"]["message"]
    assert found["state"] == "committed"


async def test_an_operation_that_cannot_be_asked_about_does_not_keep_recovery_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(*_: object) -> Any:
        raise KeyError("no such argument")

    async with guarded(UNGUARDED) as at:
        calls = good_calls(at.world)
        await lose(at, "create-billable-metric", "reset-after", calls, operationId=OTHER)
        await lose(at, "grant-credit", "reset-after", calls)
        monkeypatch.setattr(billable_metrics, "_metric", broken)
        await at.recover()
        assert (await at.row(OTHER)).state is State.UNKNOWN
        assert (await at.row(OPERATION)).state is State.COMMITTED


async def test_a_refusal_of_the_second_try_does_not_hide_that_the_first_was_applied() -> None:
    async with guarded(UNGUARDED) as at:
        arguments = await lose(at, "grant-credit", "reset-after")
        at.fault(mode="status", status=403, method="POST")
        found = facts(await at.call("grant-credit", arguments))
        assert len(at.effects) == 1
    assert found["replayed"] is True


async def test_a_busy_second_try_leaves_it_unknown() -> None:
    async with guarded(UNGUARDED) as at:
        arguments = await lose(at, "grant-credit", "reset-after")
        at.fault(mode="status", status=429, method="POST", retryAfter=3600)
        busy = failure(await at.call("grant-credit", arguments))
        assert (await at.row(OPERATION)).state is State.UNKNOWN
    assert busy["kind"] == "outcome-unknown"
    assert "Whether the earlier try of this operation was applied" in busy["message"]
    assert busy["retryAfterSeconds"] == 3600


async def test_an_event_with_the_callers_own_id_is_known_again_after_a_lost_answer() -> None:
    async with guarded(UNGUARDED) as at:
        at.fault(mode="reset-after", method="POST")
        arguments = {"body": {"event": event(id="call-17")}, "operationId": OPERATION}
        failure(await at.call("ingest-event-if-user-is", arguments))
        at.mend()
        found = facts(await at.call("ingest-event-if-user-is", arguments))
        assert len(at.effects) == 1
    assert (found["eventId"], found["replayed"]) == ("call-17", True)
