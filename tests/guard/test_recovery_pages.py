"""Recovery reaches every open operation of its partition, however many there are before it."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from billing_mcp import errors
from billing_mcp.declarations import Applied, Undecided, Verdict
from billing_mcp.guard.ledger import Claimed
from billing_mcp.guard.operations import Operation, Partition, Settlement, State
from billing_mcp.guard.reconcile import PAGE, Question, Recovery, Timing
from billing_mcp.guard.stored_ledger import StoredLedger
from billing_mcp.results import Outcome
from guard.ledgers import ACME, LEASE, Clock, grant, key

pytestmark = pytest.mark.anyio

OTHER = Partition("bolt", "sandbox")
# As many before it as two pages hold, and one.
DECIDABLE = 2 * PAGE + 1
A_MOMENT = timedelta(milliseconds=1)


@dataclass(slots=True)
class Vendor:
    """Knows what became of one operation alone; looking takes time, so that rows move."""

    clock: Clock
    asked: Counter[int] = field(default_factory=Counter)
    meanwhile: Callable[[], Awaitable[None]] | None = None

    def question_of(self, operation: Operation) -> Question | None:
        # The first was made by a tool that is no more.
        return None if operation.id == str(UUID(int=0)) else AboutOne(self)


@dataclass(slots=True)
class AboutOne:
    vendor: Vendor

    async def ask(self, kept: Mapping[str, Any], _: Any) -> Verdict:
        self.vendor.asked[kept["number"]] += 1
        if self.vendor.asked[kept["number"]] > 1:
            # A walk that comes back may never end.
            pytest.fail(f"asked again about {kept['number']}")
        self.vendor.clock.pass_(A_MOMENT)
        if self.vendor.meanwhile is not None:
            await self.vendor.meanwhile()
        if kept["number"] == DECIDABLE:
            return Applied({"id": "credit-1"})
        return Undecided("the vendor does not say")

    def answered(self, answer: Any) -> Outcome:
        return Outcome(answer, str(answer))

    def failed(self, error: errors.BillingError) -> Outcome:
        return Outcome({"error": {"kind": error.kind}}, error.message, error.status)


async def lost(
    ledger: StoredLedger, clock: Clock, number: int, partition: Partition = ACME
) -> None:
    """A write whose answer was lost: it stays open, and nobody holds it."""
    clock.pass_(A_MOMENT)
    arguments = {"number": number}
    new = grant(str(UUID(int=number)), None, partition=partition, arguments=arguments)
    answer = await ledger.claim(new, LEASE)
    assert isinstance(answer, Claimed)
    await ledger.sent(answer.operation.hold)
    await ledger.settle(answer.operation.hold, Settlement(State.UNKNOWN))


def recovery(ledger: StoredLedger, clock: Clock, vendor: Vendor) -> Recovery:
    return Recovery(ledger, ACME, Timing(LEASE, clock), vendor.question_of)


async def test_what_cannot_be_decided_and_other_partitions_keep_nothing_from_being_decided(
    ledger: StoredLedger, clock: Clock
) -> None:
    for number in range(PAGE + 1):
        await lost(ledger, clock, number, OTHER)
    for number in range(DECIDABLE + 1):
        await lost(ledger, clock, number)
    clock.pass_(A_MOMENT)
    vendor = Vendor(clock)
    await recovery(ledger, clock, vendor).once()
    decided = await ledger.get(key(str(UUID(int=DECIDABLE))))
    assert decided is not None
    assert decided.state is State.COMMITTED
    # Each of the others once, though every look has made its row the latest.
    assert vendor.asked == dict.fromkeys(range(1, DECIDABLE + 1), 1)
    left = [row.id for row in await ledger.expired_leases(ACME, DECIDABLE + 1)]
    assert left == [str(UUID(int=number)) for number in range(DECIDABLE)]
    untouched = await ledger.expired_leases(OTHER, DECIDABLE)
    assert [row.attempt for row in untouched] == [1] * (PAGE + 1)


async def test_a_look_ends_while_others_go_on_losing_writes(
    ledger: StoredLedger, clock: Clock
) -> None:
    for number in range(1, PAGE + 1):
        await lost(ledger, clock, number)
    numbers = iter(range(1000, 1000 + 3 * PAGE))

    async def lose_another() -> None:
        # In the end it stops, so that a look without an end would be seen and not waited for.
        if (number := next(numbers, None)) is not None:
            await lost(ledger, clock, number)

    vendor = Vendor(clock, meanwhile=lose_another)
    await recovery(ledger, clock, vendor).once()
    assert vendor.asked == dict.fromkeys(range(1, PAGE + 1), 1)


async def test_rows_of_one_moment_are_not_lost_between_two_pages(
    ledger: StoredLedger, clock: Clock
) -> None:
    for number in range(5):
        answer = await ledger.claim(grant(str(UUID(int=number)), None), LEASE)
        assert isinstance(answer, Claimed)
    clock.pass_(LEASE)
    found: list[int] = []
    last = None
    while page := await ledger.expired_leases(ACME, 2, last):
        last = page[-1]
        found += [UUID(row.id).int for row in page]
    assert found == [0, 1, 2, 3, 4]
