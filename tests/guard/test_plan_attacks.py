"""Attacks on plans through the server: whatever is altered, whoever asks and whatever the clock
says, the vendor is never asked for anything but exactly what was planned and agreed to, once."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_mcp import approvals
from billing_mcp.errors import Conflict
from billing_mcp.guard.operations import State
from billing_mcp.results import Outcome
from billing_mcp.tenants import Caller
from good_calls import good_calls
from guard.guarded import NOON, Guarded, guarded

# A busy machine may stop for longer than the 200 ms that an example is given otherwise.
drawn = settings(deadline=None, derandomize=True, max_examples=60)

PLANNED: dict[str, Any] = {
    "accountId": "harbor-main",
    "creditAmount": "150",
    "effectiveFrom": "2026-11-20",
    "effectiveUntil": "2027-01-31",
    "purpose": "Outage",
    "priority": 3,
    "applicableEntityIds": ["fee", "calls"],
}
WRITES = (
    *("create-customer", "create-account", "ingest-events", "create-price-plan"),
    *("update-feature-credits-entry", "void-feature-credits-entry-feature"),
    *("ingest-event-if-user-is", "report-usagerecordgroup", "batch-report-usagerecordgroups"),
    *("retry-usagerecordgroup", "delete-usagerecordgroup", "create-billable-metric"),
    *("update-billable-metric", "update-usage-metering-config-info"),
)
# What a caller may be told who asks for what was not agreed to.
REFUSED = frozenset({"conflict", "not-permitted", "not-found", "invalid-request"})


@dataclass(frozen=True, slots=True)
class Desk:
    """A server whose calls are made one by one, in the order in which an attack wants them."""

    portal: BlockingPortal
    at: Guarded
    calls: dict[str, dict[str, Any]]

    def call(self, tool: str, arguments: dict[str, Any], principal: str = "local") -> Outcome:
        caller = Caller(self.at.server.tenant, principal)
        outcome: Outcome = self.portal.call(self.at.server.catalog.invoke, tool, arguments, caller)
        return outcome

    def grant(self, operation_id: str, principal: str = "local", **more: Any) -> Outcome:
        arguments = PLANNED | more | {"operationId": operation_id}
        return self.call("grant-credit", arguments, principal)

    def planned(self, *, approved: bool = True) -> str:
        """The id of a plan that needs a person."""
        outcome = self.call("grant-credit", PLANNED | {"dryRun": True})
        assert not outcome.is_error, outcome.text
        assert outcome.structured["plan"]["needs"] == "approval"
        operation_id: str = outcome.structured["operationId"]
        if approved:
            self.approve(operation_id)
        return operation_id

    def approve(self, operation_id: str) -> None:
        self._decided(lambda: approvals.approve(self.tenant, operation_id, "ann", identified=True))

    def deny(self, operation_id: str) -> None:
        self._decided(lambda: approvals.deny(self.tenant, operation_id, "ann", "too much"))

    def _decided(self, decide: Callable[[], Awaitable[Any]]) -> None:
        self.portal.call(decide)

    @property
    def tenant(self) -> Any:
        return self.at.server.tenant

    @property
    def done(self) -> int:
        """How many effects the vendors really had."""
        return len(self.at.effects)

    def state(self, operation_id: str) -> State:
        return self.portal.call(self.at.row, operation_id).state

    def refuse(self, outcome: Outcome, before: int, kinds: frozenset[str] = REFUSED) -> str:
        assert self.done == before, outcome.text
        assert outcome.is_error, outcome.text
        assert outcome.structured["error"]["kind"] in kinds, outcome.text
        return outcome.text


@pytest.fixture(scope="module")
def module_desk() -> Iterator[Desk]:
    with start_blocking_portal() as portal:
        serving: AbstractContextManager[Guarded] = portal.wrap_async_context_manager(guarded())
        with serving as at:
            yield Desk(portal, at, good_calls(at.world))


@pytest.fixture
def desk(module_desk: Desk) -> Iterator[Desk]:
    yield module_desk
    module_desk.at.time.now = NOON


other_amounts = (
    st.integers(1, 10**9)
    .filter(lambda cents: cents != 150_00)
    .map(lambda cents: str(Decimal(cents) / 100))
)
other_days = st.dates(date(2026, 11, 21), date(2027, 1, 30)).map(date.isoformat)
texts = st.text("abcdefgh ", min_size=1, max_size=9).map(str.strip).filter(bool)
# One argument changed, added or removed. None stands for removed.
alterations = st.one_of(
    st.fixed_dictionaries({"creditAmount": other_amounts}),
    st.fixed_dictionaries({"accountId": st.sampled_from(["harbor-test", "mill-1", "nobody"])}),
    st.fixed_dictionaries({"effectiveFrom": other_days}),
    st.fixed_dictionaries({"effectiveUntil": st.one_of(st.just(...), other_days)}),
    st.fixed_dictionaries({"purpose": st.one_of(st.just(...), texts)}),
    st.fixed_dictionaries({"priority": st.sampled_from([..., 1, 2, 4, 1000])}),
    st.fixed_dictionaries(
        {"applicableEntityIds": st.sampled_from([..., ["fee"], ["calls", "fee"], []])}
    ),
    st.dictionaries(
        st.sampled_from(["approved", "confirm", "force", "approvedBy", "policy", "role"]),
        st.sampled_from([True, "yes", "ann"]),
        min_size=1,
        max_size=2,
    ),
)
# Other words for the same call.
respellings = st.fixed_dictionaries(
    {},
    optional={
        "creditAmount": st.sampled_from(["150.00", "150.0", 150]),
        "priority": st.just(3),
        "purpose": st.just("Outage"),
        "dryRun": st.just(value=False),
    },
)


def altered(alteration: dict[str, Any], operation_id: str) -> dict[str, Any]:
    arguments = PLANNED | alteration | {"operationId": operation_id}
    return {name: value for name, value in arguments.items() if value is not ...}


def test_altered_arguments_are_refused_and_the_plan_in_other_words_is_done_once(
    desk: Desk,
) -> None:
    @drawn
    @given(alterations, respellings, st.booleans())
    def attack(alteration: dict[str, Any], words: dict[str, Any], upper: bool) -> None:
        operation_id = desk.planned()
        before = desk.done
        desk.refuse(desk.call("grant-credit", altered(alteration, operation_id)), before)
        assert desk.state(operation_id) is State.APPROVED
        again = operation_id.upper() if upper else operation_id
        first = desk.grant(again, **words)
        assert not first.is_error, first.text
        assert desk.done == before + 1
        # Replayed after the commit: the recorded answer, and nothing is done.
        second = desk.grant(operation_id)
        assert second.structured == first.structured | {"replayed": True}
        desk.refuse(desk.call("grant-credit", altered(alteration, operation_id)), before + 1)

    attack()


def test_an_id_with_a_bit_flipped_commits_nothing(desk: Desk) -> None:
    @drawn
    @given(st.integers(0, 35), st.integers(0, 6))
    def attack(place: int, bit: int) -> None:
        operation_id = desk.planned()
        before = desk.done
        letters = [*operation_id]
        letters[place] = chr(ord(letters[place]) ^ (1 << bit))
        text = "".join(letters)
        # Of a to f one bit makes capitals, and those are the same id.
        if text.lower() != operation_id:
            kinds = frozenset({"invalid-request", "approval-required"})
            desk.refuse(desk.grant(text), before, kinds)
        assert desk.state(operation_id) is State.APPROVED

    attack()


def test_another_caller_commits_nothing_and_leaves_the_plan_as_it_is(desk: Desk) -> None:
    @drawn
    @given(st.text(max_size=12).filter(lambda name: name != "local"))
    def attack(name: str) -> None:
        operation_id = desk.planned()
        before = desk.done
        desk.refuse(desk.grant(operation_id, name), before, frozenset({"not-permitted"}))
        assert desk.state(operation_id) is State.APPROVED

    attack()


def test_a_clock_that_jumps_makes_no_plan_live_longer(desk: Desk) -> None:
    """A plan for people lives a day; once it was seen to be over it stays so."""

    @drawn
    @given(st.lists(st.integers(-100_000, 200_000), min_size=1, max_size=4))
    def attack(jumps: list[int]) -> None:
        desk.at.time.now = NOON
        operation_id = desk.planned()
        before = desk.done
        late = False
        for seconds in jumps:
            desk.at.time.now = NOON + timedelta(seconds=seconds)
            late = late or seconds >= 86_400
            outcome = desk.grant(operation_id)
            if late:
                assert "expired" in desk.refuse(outcome, before)
            else:
                assert not outcome.is_error, outcome.text
                assert desk.done == before + 1
                return
        desk.at.time.now = NOON
        desk.refuse(desk.grant(operation_id), before)

    attack()


@pytest.mark.parametrize("tool", WRITES)
def test_a_plan_of_one_tool_is_not_committed_by_another(desk: Desk, tool: str) -> None:
    operation_id = desk.planned()
    arguments = desk.calls[tool] | {"operationId": operation_id}
    before = desk.done
    desk.refuse(desk.call(tool, arguments), before)
    desk.refuse(
        desk.call("run-write-tool", {"name": tool, "arguments": arguments}),
        before,
    )
    desk.refuse(desk.call(tool, arguments | {"dryRun": True}), before)
    assert desk.state(operation_id) is State.APPROVED


def test_what_was_not_approved_or_was_denied_is_not_done_however_often_it_is_asked_for(
    desk: Desk,
) -> None:
    operation_id = desk.planned(approved=False)
    before = desk.done
    waiting = frozenset({"approval-required"})
    for _ in range(5):
        desk.refuse(desk.grant(operation_id), before, waiting)
        desk.refuse(desk.call("grant-credit", PLANNED), before, waiting)
        again = {"name": "grant-credit", "arguments": PLANNED | {"operationId": operation_id}}
        desk.refuse(desk.call("run-write-tool", again), before, waiting)
    desk.deny(operation_id)
    for _ in range(5):
        said = desk.refuse(desk.grant(operation_id), before, frozenset({"not-permitted"}))
        assert '"too much"' in said


def test_an_approval_of_one_plan_is_none_of_another(desk: Desk) -> None:
    """Nor of the same write under another id."""
    operation_id = desk.planned()
    before = desk.done
    waiting = frozenset({"approval-required"})
    desk.refuse(desk.grant(str(uuid4())), before, waiting)
    dearer = PLANNED | {"creditAmount": "150.01"}
    desk.refuse(desk.call("grant-credit", dearer), before, waiting)
    desk.refuse(desk.call("grant-credit", dearer | {"operationId": operation_id}), before)
    assert not desk.grant(operation_id).is_error
    assert desk.done == before + 1


def test_a_dry_run_never_does_anything_and_uses_no_plan_up(desk: Desk) -> None:
    operation_id = desk.planned()
    before = desk.done
    for _ in range(3):
        told = desk.grant(operation_id, dryRun=True)
        assert not told.is_error, told.text
        assert told.structured["operationId"] == operation_id
    assert desk.done == before
    assert not desk.grant(operation_id).is_error
    desk.refuse(desk.grant(operation_id, dryRun=True), before + 1)


# What somebody may write into a plan's row who can write the file.
TAMPERED = (
    ("amount", "'1'"),
    ("arguments", "replace(arguments, 'harbor-main', 'mill-1')"),
    ("plan", "replace(plan, '150', '1')"),
    ("plan", "replace(plan, '\"approvalsNeeded\":1', '\"approvalsNeeded\":0')"),
    ("seal", "lower(hex(zeroblob(32)))"),
    ("expires_at", "expires_at + 1"),
    ("principal", "'somebody else'"),
    ("tool", "'create-customer'"),
)


@pytest.mark.parametrize(("column", "value"), TAMPERED)
@pytest.mark.parametrize("approved", [True, False])
def test_a_plan_whose_row_was_changed_is_not_done(
    desk: Desk, column: str, value: str, *, approved: bool
) -> None:
    operation_id = desk.planned(approved=approved)
    before = desk.done
    gate: Any = desk.portal.call(desk.at.gate)
    changed = gate.ledger._db.execute(
        f"UPDATE billing_operations SET {column} = {value} WHERE id = ?", (operation_id,)
    )
    assert changed.rowcount == 1
    if not approved:
        with pytest.raises(Conflict, match="was changed in the ledger"):
            desk.approve(operation_id)
    kinds = REFUSED if approved else REFUSED | {"approval-required"}
    desk.refuse(desk.grant(operation_id), before, kinds)
    desk.refuse(desk.grant(operation_id, accountId="mill-1"), before, kinds)
    desk.refuse(desk.grant(operation_id, "somebody else"), before, kinds)


def test_ids_of_what_never_was_a_plan_commit_nothing_that_waits_for_people(desk: Desk) -> None:
    before = desk.done
    for number in (0, 1, 2**128 - 1):
        outcome = desk.grant(str(UUID(int=number)))
        desk.refuse(outcome, before, frozenset({"approval-required"}))
