"""Whatever is tried with a plan in whatever order and while the clock jumps: it is done at most
once, and only as it was planned, in time, and agreed to by as many people as it needs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_mcp.guard.ledger import Claimed, Planned, PlanRefused
from billing_mcp.guard.operations import (
    Hold,
    NewOperation,
    Operation,
    Partition,
    Plan,
    Settlement,
    State,
)
from billing_mcp.guard.sqlite_ledger import SqliteLedger
from guard.ledgers import LEASE, NOON, Clock, grant, key

HOUR = timedelta(hours=1)
PLAN_LIVES = HOUR
ASKER = "agent"

# A busy machine may stop for longer than the 200 ms that an example is given otherwise.
drawn = settings(deadline=None, derandomize=True, max_examples=60)

AS_PLANNED: dict[str, Any] = {}
ALTERED: tuple[dict[str, Any], ...] = (
    {"amount": "50.01"},
    {"amount": "5000"},
    {"tool": "void-invoice"},
    {"principal": "somebody else"},
    {"arguments": {"accountId": "acc-2", "amount": Decimal(50)}},
    {"arguments": {"accountId": "acc-1", "amount": Decimal(50), "purpose": None}},
    {"arguments": {"accountId": "acc-1"}},
    {"operation_id": str(UUID(int=3))},
    {"partition": Partition("beta", "sandbox")},
    {"partition": Partition("acme", "live")},
)
ELSEWHERE = ("operation_id", "partition")
# Other words for the same call.
SAME: tuple[dict[str, Any], ...] = (
    AS_PLANNED,
    {"arguments": {"amount": Decimal("50.00"), "accountId": "acc-1"}},
    {"arguments": {"accountId": "acc-1", "amount": Decimal("5E+1"), "dryRun": False}},
    {"client": "another client of the same caller"},
)

Step = tuple[str, Any]
steps = st.one_of(
    st.tuples(st.just("take"), st.sampled_from([*SAME, *ALTERED])),
    st.tuples(st.just("take"), st.sampled_from(SAME)),
    st.tuples(st.just("plan"), st.sampled_from([*SAME, *ALTERED])),
    st.tuples(st.just("approve"), st.sampled_from(["ann", "ben", ASKER])),
    st.tuples(st.just("deny"), st.sampled_from(["ann", "ben"])),
    # Minutes; the clock is put right in both directions, and further than the plan lives.
    st.tuples(st.just("clock"), st.sampled_from([-90, -61, -1, 1, 59, 60, 61, 90])),
    st.tuples(st.just("end"), st.sampled_from([State.COMMITTED, State.UNKNOWN])),
)


@dataclass
class History:
    """What has happened to the plan, told without the ledger's own words for it."""

    needed: int
    approved_by: list[str] = field(default_factory=list)
    denied: bool = False
    taken: Operation | None = None


@dataclass
class Attack:
    ledger: SqliteLedger
    clock: Clock
    planned: NewOperation
    history: History

    async def take(self, words: dict[str, Any]) -> None:
        answer = await self.ledger.take_plan(grant(**words), LEASE)
        if not isinstance(answer, Claimed):
            return
        history = self.history
        assert words in SAME, words
        assert history.taken is None, "done twice"
        assert not history.denied
        assert self.clock.now < NOON + PLAN_LIVES
        people = set(history.approved_by) - ({ASKER} if history.needed == 2 else set())
        assert len(people) >= history.needed
        history.taken = answer.operation

    async def plan(self, words: dict[str, Any]) -> None:
        """Try to put another plan, one that needs nobody and lives longer, in its place."""
        if not words.keys().isdisjoint(ELSEWHERE):
            return
        await self.ledger.plan(grant(**words), Plan({}, NOON + 9 * HOUR, 0))

    async def approve(self, by: str) -> None:
        answer = await self.ledger.approve(key(), by)
        if isinstance(answer, Planned):
            assert by not in self.history.approved_by
            self.history.approved_by.append(by)

    async def deny(self, by: str) -> None:
        answer = await self.ledger.deny(key(), by, "no")
        if isinstance(answer, Planned):
            assert self.history.taken is None
            self.history.denied = True

    async def clock_(self, minutes: int) -> None:
        self.clock.pass_(timedelta(minutes=minutes))

    async def end(self, state: State) -> None:
        """Settle what was taken, while it is held and open."""
        taken = self.history.taken
        if taken is None:
            return
        row = await self.ledger.get(key())
        assert row is not None
        if row.state is State.CLAIMED and row.is_leased(self.clock.now):
            hold = Hold(key(), row.attempt)
            await self.ledger.sent(hold)
            await self.ledger.settle(hold, Settlement(state, {"id": "c"}))


async def attacked(needed: int, tried: Sequence[Step], *, eager: bool) -> None:
    clock = Clock()
    ledger = await SqliteLedger.open(None, clock)
    planned = grant(principal=ASKER)
    shown = Plan({"effect": "50 USD for Acme"}, NOON + PLAN_LIVES, needed)
    assert isinstance(await ledger.plan(planned, shown), Planned)
    attack = Attack(ledger, clock, planned, History(needed))
    ways: dict[str, Callable[[Any], Awaitable[None]]] = {
        "take": attack.take,
        "plan": attack.plan,
        "approve": attack.approve,
        "deny": attack.deny,
        "clock": attack.clock_,
        "end": attack.end,
    }
    for name, value in tried:
        await ways[name](value)
        if eager:
            await attack.take(AS_PLANNED)
    assert all(not verdict.findings for verdict in await ledger.verify())
    await ledger.close()


@settings(drawn, max_examples=300)
@given(st.integers(0, 2), st.lists(steps, min_size=3, max_size=9), st.booleans())
def test_no_order_of_tries_gets_more_out_of_a_plan_than_what_was_agreed_to(
    needed: int, tried: list[Step], eager: bool
) -> None:
    anyio.run(partial(attacked, needed, tried, eager=eager))


@drawn
@given(st.sampled_from(SAME), st.integers(0, 2), st.integers(-600, 59))
def test_the_plan_itself_in_whatever_words_is_committed_in_time(
    words: dict[str, Any], needed: int, minutes: int
) -> None:
    """Without this the test above would hold of a ledger that refuses everything."""

    async def run() -> str:
        clock = Clock()
        ledger = await SqliteLedger.open(None, clock)
        await ledger.plan(grant(principal=ASKER), Plan({}, NOON + PLAN_LIVES, needed))
        for by in ("ann", "ben")[:needed]:
            assert isinstance(await ledger.approve(key(), by), Planned)
        clock.pass_(timedelta(minutes=minutes))
        answer = await ledger.take_plan(grant(**words), LEASE)
        await ledger.close()
        return type(answer).__name__

    assert anyio.run(run) == "Claimed"


@drawn
@given(st.integers(0, 127))
def test_an_id_with_one_bit_flipped_is_the_id_of_no_plan(bit: int) -> None:
    async def run() -> None:
        ledger = await SqliteLedger.open(None, Clock())
        planned = grant()
        await ledger.plan(planned, Plan({}, NOON + PLAN_LIVES))
        flipped = str(UUID(int=UUID(planned.key.id).int ^ (1 << bit)))
        answer = await ledger.take_plan(grant(flipped), LEASE)
        assert answer == PlanRefused("missing")
        await ledger.close()

    anyio.run(run)


# What somebody may write into the row who can write the file, each by a column and its new value.
TAMPERED: tuple[tuple[str, str], ...] = (
    ("fingerprint", repr(grant(amount="5000").fingerprint)),
    ("seal", "''"),
    ("seal", "NULL"),
    ("seal", "'0' || substr(seal, 2)"),
    ("expires_at", "expires_at + 1"),
    ("expires_at", "expires_at * 2"),
    ("principal", "'somebody else'"),
    ("tool", "'void-invoice'"),
    # What people read before they agree, and how many of them.
    ("amount", "'1'"),
    ("currency", "'JPY'"),
    ("arguments", "replace(arguments, 'acc-1', 'acc-2')"),
    ("plan", "replace(plan, '50 USD', '5 USD')"),
    ("plan", "replace(plan, '\"approvalsNeeded\":1', '\"approvalsNeeded\":0')"),
)


@drawn
@given(st.sampled_from(TAMPERED), st.sampled_from(SAME), st.booleans())
def test_a_plan_whose_row_was_tampered_with_is_neither_approved_nor_committed(
    tampered: tuple[str, str], words: dict[str, Any], approved: bool
) -> None:
    """Nor does what the row then says become what may be done; and the audit tells of it."""
    column, value = tampered

    async def run() -> None:
        ledger = await SqliteLedger.open(None, Clock())
        await ledger.plan(grant(), Plan({"effect": "50 USD for Acme"}, NOON + PLAN_LIVES, 1))
        if approved:
            assert isinstance(await ledger.approve(key(), "ann"), Planned)
        changed = ledger._db.execute(
            f"UPDATE billing_operations SET {column} = {value} WHERE {column} IS NOT {value}"
        )
        # The seal may begin with a zero.
        if changed.rowcount:
            by = await ledger.approve(key(), "ben")
            assert isinstance(by, PlanRefused), by
            assert by.why == "altered"
            for tried in (words, {"amount": "5000"}, {"principal": "somebody else"}):
                answer = await ledger.take_plan(grant(**tried), LEASE)
                assert isinstance(answer, PlanRefused), (tried, answer)
            (verdict,) = await ledger.verify()
            assert verdict.findings
        await ledger.close()

    anyio.run(run)


def test_an_approval_that_was_written_into_the_row_is_found_by_the_audit() -> None:
    """Whoever can write the file can write that too: it is the audit that tells of them."""

    async def run() -> None:
        ledger = await SqliteLedger.open(None, Clock())
        await ledger.plan(grant(), Plan({}, NOON + PLAN_LIVES, 1))
        ledger._db.execute("UPDATE billing_operations SET approvals = '[[\"ann\",0]]'")
        (verdict,) = await ledger.verify()
        assert verdict.findings
        await ledger.close()

    anyio.run(run)
