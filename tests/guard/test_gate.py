"""One write from claim to settled: recorded before it leaves, done once, answered again."""

from typing import Any

import anyio.lowlevel
import pytest
from mcp.types import Implementation

from answers import facts, failure, said
from billing_mcp.config import Settings
from billing_mcp.guard.ledger import LedgerUnavailable
from billing_mcp.guard.operations import State
from billing_mcp.upstream import ATTEMPTS
from faults.company_states import copied
from good_calls import event, good_calls
from guard.guarded import LATER, Guarded, guarded
from recording import SILENCE, Granting, Recorder, Says, attach
from unguarded import ANYTHING
from write_tools import WRITES as EVERY_WRITE

pytestmark = pytest.mark.anyio

OPERATION = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
OTHER = "0b8c6a52-7d3c-4f0e-8a43-5d1f0c9b2e11"
GRANT = {"accountId": "harbor-main", "creditAmount": "50", "effectiveFrom": "2026-11-20"}
CUSTOMER = {"id": "acme", "name": "Acme", "primaryEmail": "billing@acme.example"}
WRITES = (
    *("create-customer", "create-account", "ingest-events", "create-price-plan", "grant-credit"),
    *("update-feature-credits-entry", "void-feature-credits-entry-feature"),
    *("ingest-event-if-user-is", "report-usagerecordgroup", "batch-report-usagerecordgroups"),
    *("retry-usagerecordgroup", "delete-usagerecordgroup", "create-billable-metric"),
    *("update-billable-metric", "update-usage-metering-config-info"),
)


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("tool", ["create-customer", "ingest-events", "report-usagerecordgroup"])
async def test_a_write_is_recorded_and_the_same_call_again_gets_its_answer_without_doing_it(
    tool: str, era: str
) -> None:
    async with guarded(Settings(policy=ANYTHING), era) as at:
        arguments = good_calls(at.world)[tool] | {"operationId": OPERATION}
        at.world.sandbox.backend.db.execute("delete from effects")
        first = facts(await at.call(tool, arguments))
        once = at.effects
        again = await at.call(tool, arguments)
        row = await at.row(OPERATION)
        assert at.effects == once
    assert len(once) == 1
    assert (row.state, row.tool, row.principal) == (State.COMMITTED, tool, "local")
    assert row.sent_at is not None
    assert "replayed" not in first
    assert facts(again) == first | {"replayed": True}
    assert said(again).endswith("replayed: true")


@pytest.mark.parametrize("tool", EVERY_WRITE)
async def test_every_write_of_every_toolset_is_recorded_and_answered_again(tool: str) -> None:
    async with copied() as at:
        arguments = at.company.calls[tool] | {"operationId": OPERATION}
        first = facts(await at.call(tool, arguments))
        once = at.picture()
        again = facts(await at.call(tool, arguments))
        row = await at.row(OPERATION)
        assert at.picture() == once
    secret = {"token": "[secret]"} if "token" in first else {}
    assert (row.state, row.tool, row.principal) == (State.COMMITTED, tool, "local")
    assert row.sent_at is not None
    assert again == first | secret | {"replayed": True}


async def test_a_write_that_another_tool_runs_goes_the_same_way() -> None:
    async with guarded() as at:
        given = {"name": "grant-credit", "arguments": GRANT | {"operationId": OPERATION}}
        first = facts(await at.call("run-write-tool", given))
        direct = facts(await at.call("grant-credit", given["arguments"]))  # type: ignore[arg-type]  # the object above
        assert len(at.effects) == 1
    assert direct == first | {"replayed": True}


async def test_two_equal_calls_without_an_id_are_two_operations() -> None:
    async with guarded() as at:
        first = facts(await at.call("grant-credit", GRANT))
        second = facts(await at.call("grant-credit", GRANT))
        assert [kind for kind, _ in at.effects] == ["credit", "credit"]
    assert first["operationId"] != second["operationId"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("grant-credit", GRANT | {"creditAmount": "51"}), ("create-customer", CUSTOMER)],
)
async def test_an_id_of_another_call_is_refused_and_does_nothing(
    tool: str, arguments: dict[str, Any]
) -> None:
    async with guarded() as at:
        facts(await at.call("grant-credit", GRANT | {"operationId": OPERATION}))
        wrong = failure(await at.call(tool, arguments | {"operationId": OPERATION}))
        assert len(at.effects) == 1
    assert (wrong["kind"], wrong["field"]) == ("conflict", "operationId")
    assert "nothing was done now" in wrong["message"]
    assert wrong["next"] == "Leave operationId out to do something new."


async def test_the_same_amount_written_otherwise_is_the_same_call() -> None:
    async with guarded() as at:
        facts(await at.call("grant-credit", GRANT | {"operationId": OPERATION}))
        again = GRANT | {"creditAmount": "50.00", "operationId": OPERATION.upper()}
        assert facts(await at.call("grant-credit", again))["replayed"] is True


async def test_of_64_calls_with_one_id_one_runs_and_all_get_its_outcome() -> None:
    answers: list[Any] = []
    async with guarded() as at:

        async def one() -> None:
            answers.append(await at.call("create-customer", CUSTOMER | {"operationId": OPERATION}))

        async with anyio.create_task_group() as group:
            for _ in range(64):
                group.start_soon(one)
        assert at.effects == [("customer", "acme")]
    found = [facts(answer) for answer in answers]
    assert sorted(fact.get("replayed", False) for fact in found) == [False] + [True] * 63
    assert {fact["id"] for fact in found} == {"acme"}


async def test_a_call_whose_twin_does_not_end_in_time_is_told_so_and_does_nothing() -> None:
    vendor = Recorder(SILENCE)
    async with guarded() as at:
        attach(at.server, vendor)
        arguments = CUSTOMER | {"operationId": OPERATION}
        async with anyio.create_task_group() as group:
            group.start_soon(at.call, "create-customer", arguments)
            await asked(vendor)
            (await at.gate()).call_s = 0
            twin = failure(await at.call("create-customer", arguments))
            group.cancel_scope.cancel()
    assert twin["kind"] == "outcome-unknown"
    assert "still running" in twin["message"]
    assert len(vendor.requests) == 1


async def asked(vendor: Recorder) -> None:
    with anyio.fail_after(20):
        while not vendor.requests:
            await anyio.lowlevel.checkpoint()


async def test_arguments_that_are_wrong_claim_nothing() -> None:
    async with guarded() as at:
        wrong = GRANT | {"creditAmount": "-1", "operationId": OPERATION}
        assert failure(await at.call("grant-credit", wrong))["kind"] == "invalid-request"
        facts(await at.call("grant-credit", GRANT | {"operationId": OPERATION}))


async def test_a_read_leaves_nothing_in_the_ledger_and_opens_none() -> None:
    async with guarded() as at:
        facts(await at.call("list-customers", {}))
        assert at.ledgers._gates == {}


async def test_what_the_vendor_refuses_is_rejected_and_answered_again_as_it_was() -> None:
    async with guarded() as at:
        taken = CUSTOMER | {"id": "harbor-labs", "operationId": OPERATION}
        first = failure(await at.call("create-customer", taken))
        again = await at.call("create-customer", taken)
        row = await at.row(OPERATION)
    assert (row.state, row.retryable) == (State.REJECTED, False)
    assert failure(again) == first
    assert again.structured_content is not None
    assert again.structured_content["replayed"] is True


async def test_what_may_pass_by_itself_may_be_tried_again_with_the_same_id() -> None:
    async with guarded() as at:
        arguments = CUSTOMER | {"operationId": OPERATION}
        at.fault(mode="status", status=429, method="POST", retryAfter=3600)
        assert failure(await at.call("create-customer", arguments))["kind"] == "rate-limited"
        assert (await at.row(OPERATION)).retryable
        at.mend()
        done = facts(await at.call("create-customer", arguments))
        assert at.effects == [("customer", "acme")]
    assert "replayed" not in done


async def test_a_batch_of_events_of_which_some_were_refused_is_partial_with_each_outcome() -> None:
    async with guarded() as at:
        good, bad = event(), event() | {"attributes": [{"name": "answers", "value": "3"}] * 2}
        arguments = {"events": [good, bad], "operationId": OPERATION}
        attach(at.server, Recorder(partly_refused()))
        first = facts(await at.call("ingest-events", arguments))
        row = await at.row(OPERATION)
        again = facts(await at.call("ingest-events", arguments))
    assert row.state is State.PARTIAL
    assert (first["accepted"], first["rejected"]) == (1, 1)
    assert row.outcome["structured"]["failures"][0]["message"] == "no such unit"
    assert again == first | {"replayed": True}


def partly_refused() -> Says:
    details = {
        f"{OPERATION}-0": {"success": True, "statusCode": 202, "message": "taken"},
        f"{OPERATION}-1": {"success": False, "statusCode": 400, "message": "no such unit"},
    }
    return Says({"success": False, "details": details}, 207)


async def test_events_cut_off_in_the_middle_go_on_with_the_same_call() -> None:
    taken = Says({"success": True, "statusCode": 202}, 202)
    slow_down = Says({"message": "slow down"}, 429, {"Retry-After": "90"})
    vendor = Recorder(taken, slow_down, taken)
    arguments = {"events": [event()] * 700, "operationId": OPERATION}
    async with guarded() as at:
        attach(at.server, vendor)
        cut = failure(await at.call("ingest-events", arguments))
        assert (await at.row(OPERATION)).state is State.UNKNOWN
        done = facts(await at.call("ingest-events", arguments))
        assert (await at.row(OPERATION)).state is State.COMMITTED
    assert cut["kind"] == "rate-limited"
    assert done["accepted"] == 700
    assert len(vendor.requests) == 4


async def test_events_refused_in_the_middle_are_partial_and_not_sent_again() -> None:
    taken = Says({"success": True, "statusCode": 202}, 202)
    vendor = Recorder(taken, Says({"message": "no such schema"}, 400))
    arguments = {"events": [event()] * 700, "operationId": OPERATION}
    async with guarded() as at:
        attach(at.server, vendor)
        first = failure(await at.call("ingest-events", arguments))
        assert (await at.row(OPERATION)).state is State.PARTIAL
        assert failure(await at.call("ingest-events", arguments)) == first
    assert "send only these, without operationId" in first["next"]
    assert len(vendor.requests) == 2


class _Broken:
    """A ledger that fails in one method from some call on, as a full disk does."""

    def __init__(self, ledger: Any, method: str) -> None:
        self._ledger, self._method = ledger, method

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            return self._full
        return getattr(self._ledger, name)

    async def _full(self, *_: object, **__: object) -> Any:
        raise LedgerUnavailable("The ledger cannot be used: the disk is full.")


async def breaking(at: Guarded, method: str) -> Any:
    """Break the ledger; gives back what mends it."""
    gate = await at.gate()
    whole = gate.ledger
    gate.ledger = gate.runs.ledger = _Broken(whole, method)

    def mend() -> None:
        gate.ledger = gate.runs.ledger = whole

    return mend


@pytest.mark.parametrize("method", ["claim", "sent"])
async def test_a_ledger_that_fails_before_the_request_keeps_it_here(method: str) -> None:
    async with guarded() as at:
        mend = await breaking(at, method)
        refused = failure(await at.call("create-customer", CUSTOMER | {"operationId": OPERATION}))
        listed = facts(await at.call("list-customers", {}))
        assert at.effects == []
        mend()
        facts(await at.call("create-customer", CUSTOMER | {"operationId": OPERATION}))
    assert refused["kind"] == "unavailable"
    assert "the disk is full" in refused["message"]
    assert listed["count"] == 2


async def test_an_end_that_cannot_be_recorded_is_unknown_until_it_is_looked_up() -> None:
    async with guarded() as at:
        mend = await breaking(at, "settle")
        lost = failure(await at.call("create-customer", CUSTOMER | {"operationId": OPERATION}))
        assert (await at.row(OPERATION)).state is State.SENT
        mend()
        at.time.pass_by(LATER)
        found = facts(await at.call("create-customer", CUSTOMER | {"operationId": OPERATION}))
        assert at.effects == [("customer", "acme")]
    assert lost["kind"] == "outcome-unknown"
    assert (found["id"], found["replayed"]) == ("acme", True)


async def test_a_refusal_that_cannot_be_recorded_is_still_told() -> None:
    async with guarded() as at:
        taken = CUSTOMER | {"id": "harbor-labs", "operationId": OPERATION}
        await breaking(at, "settle")
        assert failure(await at.call("create-customer", taken))["kind"] == "invalid-request"


async def test_a_call_that_is_cancelled_after_sending_is_unknown_and_before_it_undone() -> None:
    vendor = Recorder(SILENCE)
    async with guarded() as at:
        attach(at.server, vendor)
        async with anyio.create_task_group() as group:
            call = at.server.call_tool
            arguments: dict[str, Any] = CUSTOMER | {"operationId": OPERATION}
            group.start_soon(call, "create-customer", arguments)
            await asked(vendor)
            group.cancel_scope.cancel()
        row = await at.row(OPERATION)
    assert row.state is State.UNKNOWN
    assert "cancelled after its request had been sent" in row.outcome["text"]


async def test_a_lease_is_renewed_before_a_request_that_it_might_not_outlive() -> None:
    async with guarded() as at:
        arguments = {"events": [event()] * 1000, "operationId": OPERATION}
        lease = (await at.gate()).timing.lease
        seen: list[Any] = []

        async def later(progress: float, total: float | None, message: str | None) -> None:
            if progress == 500:
                at.time.pass_by(lease * 3 // 4)
            else:
                seen.append((await at.row(OPERATION)).lease_until)

        await at.client.call_tool("ingest-events", arguments, progress_callback=later)
    assert seen == [at.time.now + lease]


async def test_the_request_ids_of_the_vendor_are_kept_of_every_try() -> None:
    busy = Says({"message": "busy"}, 503, {"X-Request-Id": "try"})
    async with guarded() as at:
        attach(at.server, Granting(*[busy] * ATTEMPTS))
        await at.call("grant-credit", GRANT | {"operationId": OPERATION})
        row = await at.row(OPERATION)
    assert row.vendor_request_ids == ("try",) * ATTEMPTS


async def test_the_row_keeps_who_asked_for_what_and_no_address() -> None:
    async with guarded() as at:
        await at.call("create-customer", CUSTOMER | {"operationId": OPERATION})
        await at.call("grant-credit", GRANT | {"operationId": OTHER})
        customer, credit = await at.row(OPERATION), await at.row(OTHER)
    assert customer.arguments["primaryEmail"] == "[personal]"
    assert (customer.target, customer.customer) == ("acme", None)
    assert (credit.target, credit.customer) == ("harbor-main", "harbor-labs")


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_the_row_names_the_program_that_called_as_it_calls_itself(era: str) -> None:
    desk = Implementation(name="support\ndesk", version="7.1")
    async with guarded(era=era, client_info=desk) as at:
        await at.call("grant-credit", GRANT | {"operationId": OPERATION})
        row = await at.row(OPERATION)
        seen = facts(await at.call("get-operation", {"operationId": OPERATION}))
    assert row.client == seen["client"] == "support desk 7.1"
