"""What became of an operation whose outcome nobody knows: asked of the vendor, by reading only.

Nothing here writes at a vendor: recovery runs when nobody waits for the write any more, and
`get-operation` is a read. A write that is not there is given back to its caller, who may repeat it.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import anyio

from billing_mcp import errors
from billing_mcp.declarations import Applied, NotApplied, Undecided, Verdict
from billing_mcp.guard.ledger import HoldLost, Lapsed, Ledger
from billing_mcp.guard.operations import (
    Key,
    Operation,
    Partition,
    Settlement,
    State,
)
from billing_mcp.guard.outcomes import recorded, summary
from billing_mcp.results import Outcome

logger = logging.getLogger(__name__)

# Operations that recovery asks the vendors about at once.
AT_ONCE = 4
# And how many it reads from the ledger at once.
PAGE = 100
NOTHING_LEFT = "Nothing was sent: this server stopped before it."
NOT_THERE = (
    "It is not there: it was not applied, or something has undone or replaced it since. The same "
    "call may run again."
)


class Question(Protocol):
    """How to ask the vendor about one operation, and how to put what it says."""

    async def ask(self, kept: Mapping[str, Any], baseline: Any) -> Verdict:
        """What became of it, by the arguments that the ledger kept, and by what the vendor had
        before it. Raises our errors when the vendor cannot be read."""
        ...

    def answered(self, answer: Any) -> Outcome:
        """What the tool would have answered."""
        ...

    def failed(self, error: errors.BillingError) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Timing:
    """`lease` outlives the longest request; `now` is real UTC, given so that tests can move it."""

    lease: timedelta
    now: Callable[[], datetime]


async def looked_up(operation: Operation, question: Question, timing: Timing) -> Verdict:
    """What became of an operation that was sent; a vendor that cannot be read decides nothing.

    That something is not there counts only when the vendor cannot be at it any more.
    """
    try:
        verdict = await question.ask(operation.arguments, operation.baseline)
    except errors.BillingError as error:
        return Undecided(f"it could not be looked up ({error.message.rstrip('.')})", 30)
    if isinstance(verdict, NotApplied) and operation.sent_at is not None:
        left = operation.sent_at + timing.lease - timing.now()
        if left > timedelta(0):
            seconds = -(-left // timedelta(seconds=1))
            return Undecided("it is not there yet, and the vendor may still be at it", seconds)
    return verdict


async def decide(ledger: Ledger, key: Key, question: Question, timing: Timing) -> Operation | None:
    """Find out what became of an operation that nobody holds, and record it.

    Gives back the row as it is then; None when there is no such operation. Raises `LedgerError`.
    """
    lapsed = await ledger.take_over(key, timing.lease)
    if lapsed is None:
        return await ledger.get(key)
    try:
        return await ledger.settle(lapsed.operation.hold, await _found(lapsed, question, timing))
    except HoldLost:
        # The caller came back meanwhile, and is served first.
        return await ledger.get(key)


async def _found(lapsed: Lapsed, question: Question, timing: Timing) -> Settlement:
    operation = lapsed.operation
    if operation.state is State.CLAIMED:
        return not_done(question, NOTHING_LEFT)
    verdict = await looked_up(operation, question, timing)
    match verdict:
        case Applied(answer):
            outcome = question.answered(answer)
            return Settlement(State.COMMITTED, recorded(outcome), summary(outcome))
        case NotApplied():
            return not_done(question, NOT_THERE)
        case Undecided():
            return unknown(operation, question, verdict)


def not_done(question: Question, sentence: str) -> Settlement:
    outcome = question.failed(errors.Unavailable(sentence))
    return Settlement(State.REJECTED, recorded(outcome), summary(outcome), retryable=True)


def unknown(operation: Operation, question: Question, verdict: Undecided) -> Settlement:
    outcome = question.failed(still_unknown(operation, verdict))
    return Settlement(State.UNKNOWN, recorded(outcome), summary(outcome))


def still_unknown(operation: Operation, verdict: Undecided) -> errors.OutcomeUnknown:
    wait = f" in {verdict.retry_after_s} seconds" if verdict.retry_after_s else ""
    return errors.OutcomeUnknown(
        f"Whether this write was applied is not known: {verdict.look_at}.",
        retry_after_seconds=verdict.retry_after_s,
        next_step=verdict.next_step
        or f"Do not repeat it under another operationId. Call {operation.tool} again with "
        f"operationId {operation.id} and the same arguments{wait}: it is looked up first, and "
        "never applied twice.",
    )


@dataclass(frozen=True, slots=True)
class Recovery:
    """Decides what a crash or a lost answer has left open in one partition.

    `question_of` gives None for an operation that nobody can ask about any more.
    """

    ledger: Ledger
    partition: Partition
    timing: Timing
    question_of: Callable[[Operation], Question | None]
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep

    async def run(self) -> None:
        """Take what is open now, and once more when the leases of a dead process have ended.

        Raises `LedgerError`.
        """
        await self.once()
        await self.sleep((self.timing.lease + timedelta(seconds=1)).total_seconds())
        await self.once()

    async def once(self) -> None:
        """Decide what nobody holds, several at once. Live calls are never touched.

        Each row is asked about once, however many there are; what is begun after the start is left
        to a later look, so that this one ends while others go on writing.
        """
        started = self.timing.now()
        last: Operation | None = None
        while page := await self.ledger.expired_leases(self.partition, PAGE, last):
            last = page[-1]
            await self._all_decided([row for row in page if row.created_at <= started])
            if last.created_at > started:
                break

    async def _all_decided(self, operations: Sequence[Operation]) -> None:
        limiter = anyio.CapacityLimiter(AT_ONCE)

        async def one(operation: Operation) -> None:
            async with limiter:
                await self._decided(operation)

        async with anyio.create_task_group() as group:
            for operation in operations:
                group.start_soon(one, operation)

    async def _decided(self, operation: Operation) -> None:
        try:
            question = self.question_of(operation)
            if question is not None:
                await decide(self.ledger, operation.key, question, self.timing)
        # One operation that cannot be asked about must not leave the others undecided; it stays
        # open, and whoever asks for it by its id hears why.
        except Exception:
            logger.exception("operation %s could not be decided", operation.id)
