"""One call of a write tool, from claim to settled: nothing leaves unclaimed, nothing is done twice.

Reads never come here. `Gate.let_through` claims the operation, runs the tool, and records what it
came to. The same call again gets the recorded answer; a call whose outcome was lost is looked up
before anything else.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import anyio

from billing_mcp import errors
from billing_mcp.declarations import Applied, NotApplied, Undecided, Write
from billing_mcp.guard.ledger import (
    Claimed,
    Exceeded,
    HoldLost,
    Lapsed,
    Ledger,
    LedgerError,
    Mismatch,
    Planned,
    Replay,
    Running,
)
from billing_mcp.guard.operations import (
    DECIDED,
    Hold,
    Key,
    NewOperation,
    Operation,
    Partition,
    Settlement,
    State,
)
from billing_mcp.guard.outcomes import recorded, replayed, summary
from billing_mcp.guard.reconcile import Question, Timing, looked_up, still_unknown
from billing_mcp.results import Outcome
from billing_mcp.upstream import Binding

logger = logging.getLogger(__name__)

# While another call of the same operation runs in another process: how long until it is asked for
# again, at first and at most.
FIRST_LOOK = timedelta(milliseconds=20)
LONGEST_LOOK = timedelta(milliseconds=500)

# Refusals that may pass by themselves or by a setting: the same call may then run.
_PASSING = (errors.Unavailable, errors.RateLimited, errors.NotConfigured)


# What a claim comes to once nobody else is running it.
ClaimEnd = Claimed | Replay | Mismatch | Lapsed | Planned | Exceeded


@dataclass(frozen=True, slots=True)
class Performed:
    """What running a tool came to: its answer as the caller sees it, and what made it."""

    outcome: Outcome
    result: Any = None
    error: errors.BillingError | None = None


class Call(Question, Protocol):
    """One call of a write tool, as the door hands it over: validated, and not yet run.

    As a `Question` it asks the vendor what became of an earlier run.
    """

    binding: Binding

    @property
    def tool(self) -> str: ...

    @property
    def write(self) -> Write: ...

    @property
    def arguments(self) -> Mapping[str, Any]: ...

    @property
    def principal(self) -> str: ...

    @property
    def client(self) -> str | None: ...

    async def perform(self) -> Performed:
        """Run the tool. Whatever goes wrong is told in what it gives back."""
        ...


@dataclass(slots=True)
class _Run:
    """A run that holds its operation: how far it has come."""

    call: Call
    operation: Operation
    lease_until: datetime
    # Whether a request left in this run, and whether an earlier run may have been applied.
    sent: bool = False
    resumed: bool = False

    @property
    def hold(self) -> Hold:
        return self.operation.hold


@dataclass(slots=True)
class Gate:
    """The way to the writes of one partition.

    `call_s` is the longest that a tool may wait for a vendor, retries included. A lease is twice as
    long, and is renewed before a request that it might not outlive.
    """

    ledger: Ledger
    partition: Partition
    call_s: int
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    _running: dict[str, anyio.Event] = field(default_factory=dict, init=False)

    @property
    def timing(self) -> Timing:
        return Timing(timedelta(seconds=2 * self.call_s), self.now)

    def key(self, operation_id: str) -> Key:
        return Key(self.partition, operation_id)

    async def let_through(self, call: Call) -> Outcome:
        """Raises our errors for a call that may not run, or not now."""
        key = self.key(call.binding.operation_id)
        new = NewOperation.of(
            key,
            call.tool,
            call.arguments,
            call.principal,
            client=call.client,
            customer=_target(call),
        )
        # Here a policy decides: refused, a plan, a human, or this, with the spend to reserve.
        try:
            answer = await self._claimed(call, new)
        except LedgerError as error:
            logger.warning("%s was not begun: %s", call.tool, error)
            raise errors.Unavailable(
                f"The ledger of writes cannot be used, so nothing was sent ({error}).",
                next_step="Reading works. Whoever runs this server can look with `billing-mcp "
                "doctor`; then call again with the same operationId.",
            ) from error
        match answer:
            case Claimed(operation):
                return await self._run(call, operation)
            case Replay(operation):
                return replayed(operation)
            case Lapsed(operation):
                return await self._resume(call, operation)
            case Mismatch(operation, why):
                raise _mismatch(operation, why)
            case Planned(operation):
                raise errors.Conflict(
                    f"operationId {operation.id} is that of a plan; nothing was done now.",
                    field="operationId",
                )
            case Exceeded(ceiling):
                raise errors.NotPermitted(
                    f"This would pass the limit of {ceiling.limit} a day for the {ceiling.per} "
                    f"({ceiling.rule}); nothing was sent."
                )

    async def _claimed(self, call: Call, new: NewOperation) -> ClaimEnd:
        """Claim, and while another call holds it wait for how that ends.

        Raises `OutcomeUnknown` when it has not ended in the time that a call may take.
        """
        deadline = anyio.current_time() + self.call_s
        while True:
            claim = await self.ledger.claim(new, self.timing.lease)
            if not isinstance(claim, Running):
                return claim
            wait = FIRST_LOOK
            while (row := await self._after(claim.operation, wait, deadline)) is not None:
                unknown = row.state is State.UNKNOWN and row.outcome is not None
                if row.state in DECIDED or (unknown and not row.is_leased(self.now())):
                    return Replay(row)
                if not row.is_leased(self.now()):
                    break
                if anyio.current_time() >= deadline:
                    raise _still_running(call, self.call_s)
                wait = min(LONGEST_LOOK, wait * 2)

    async def _after(
        self, operation: Operation, wait: timedelta, deadline: float
    ) -> Operation | None:
        """The row once its run has ended here, or after a while when it runs elsewhere."""
        ended = self._running.get(operation.id)
        if ended is None:
            await self.sleep(wait.total_seconds())
        else:
            with anyio.CancelScope(deadline=deadline):
                await ended.wait()
        return await self.ledger.get(operation.key)

    async def _resume(self, call: Call, operation: Operation) -> Outcome:
        """An operation that somebody has begun and not ended."""
        if operation.state is State.CLAIMED:
            return await self._run(call, operation)
        call.binding.tried_before = True
        if call.write.key is not None:
            # The vendor dedupes it: the same request with the same key finds out and finishes it.
            return await self._run(call, operation, resumed=True)
        verdict = await looked_up(operation, call, self.timing)
        match verdict:
            case Applied(answer):
                return await self._found(call, operation, answer)
            case NotApplied():
                return await self._run(call, operation)
            case Undecided():
                return await self._left_unknown(call, operation, verdict)

    async def _found(self, call: Call, operation: Operation, answer: Any) -> Outcome:
        call.binding.replayed = True
        outcome = call.answered(answer)
        settlement = Settlement(State.COMMITTED, recorded(outcome), summary(outcome))
        return await self._settled(call, operation, settlement, outcome)

    async def _left_unknown(self, call: Call, operation: Operation, verdict: Undecided) -> Outcome:
        outcome = call.failed(still_unknown(operation, verdict))
        settlement = Settlement(State.UNKNOWN, recorded(outcome), summary(outcome))
        return await self._settled(call, operation, settlement, outcome)

    async def _run(self, call: Call, operation: Operation, *, resumed: bool = False) -> Outcome:
        assert operation.lease_until is not None
        run = _Run(call, operation, operation.lease_until, resumed=resumed)
        ended = self._running[operation.id] = anyio.Event()

        async def before_sending() -> None:
            await self._before_sending(run)

        call.binding.before_sending = before_sending
        try:
            performed = await call.perform()
            return await self._ended(run, performed)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._abandoned(run)
            raise
        finally:
            del self._running[operation.id]
            ended.set()

    async def _before_sending(self, run: _Run) -> None:
        """Write down that a request leaves, before it does. Raises `Unavailable`."""
        try:
            if not run.sent:
                await self.ledger.sent(run.hold)
                run.sent = True
            elif self.now() > run.lease_until - 3 * self.timing.lease / 4:
                operation = await self.ledger.extend(run.hold, self.timing.lease)
                assert operation.lease_until is not None
                run.lease_until = operation.lease_until
        except LedgerError as error:
            logger.warning("%s was stopped before a request: %s", run.call.tool, error)
            raise errors.Unavailable(
                f"The ledger of writes cannot be used, so the request was not sent ({error}).",
                next_step="Call again with the same operationId.",
            ) from error

    async def _ended(self, run: _Run, performed: Performed) -> Outcome:
        call, outcome = run.call, performed.outcome
        state = _state(run, performed)
        if run.resumed and state is State.UNKNOWN and isinstance(performed.error, _PASSING):
            outcome = call.failed(_nothing_new(run, performed.error))
        if run.resumed and performed.error is not None and state is State.REJECTED:
            # This try was refused; what became of the one before is another question.
            verdict = await looked_up(run.operation, call, self.timing)
            if isinstance(verdict, Applied):
                return await self._found(call, run.operation, verdict.answer)
            if isinstance(verdict, Undecided):
                return await self._left_unknown(call, run.operation, verdict)
        settlement = Settlement(
            state,
            recorded(outcome),
            summary(outcome),
            tuple(call.binding.request_ids),
            retryable=state is State.REJECTED
            and (not run.sent or isinstance(performed.error, _PASSING)),
        )
        return await self._settled(call, run.operation, settlement, outcome)

    async def _abandoned(self, run: _Run) -> None:
        """The caller has gone. What was sent may have been applied; what was not sent was not."""
        outcome = run.call.failed(
            errors.OutcomeUnknown("The call was cancelled after its request had been sent.")
            if run.sent or run.resumed
            else errors.Unavailable("The call was cancelled; nothing was sent.")
        )
        unknown = run.sent or run.resumed
        state = State.UNKNOWN if unknown else State.REJECTED
        settlement = Settlement(
            state, recorded(outcome), summary(outcome), retryable=state is State.REJECTED
        )
        try:
            await self.ledger.settle(run.hold, settlement)
        except LedgerError as error:
            # Its lease ends, and recovery finds it as it was.
            logger.warning("%s was not settled: %s", run.call.tool, error)

    async def _settled(
        self, call: Call, operation: Operation, settlement: Settlement, outcome: Outcome
    ) -> Outcome:
        """Record how it ended. An end that is not written down is not known to have happened."""
        try:
            with anyio.CancelScope(shield=True):
                await self.ledger.settle(operation.hold, settlement)
        except LedgerError as error:
            logger.warning("%s was not settled: %s", call.tool, error)
            if settlement.state is State.REJECTED and not isinstance(error, HoldLost):
                # Nothing was done, whatever the ledger says; it finds that out by itself.
                return outcome
            raise errors.OutcomeUnknown(
                f"The write was sent, and how it ended could not be recorded ({error}).",
                next_step=f"Call {call.tool} again with operationId {operation.id} and the same "
                "arguments: it is looked up first, and never applied twice.",
            ) from error
        return outcome


def _still_running(call: Call, call_s: int) -> errors.OutcomeUnknown:
    return errors.OutcomeUnknown(
        "Another call with this operationId is still running.",
        retry_after_seconds=call_s,
        next_step=f"Call {call.tool} again with the same operationId and arguments: it waits for "
        "that outcome and answers with it.",
    )


def _nothing_new(run: _Run, error: errors.BillingError) -> errors.OutcomeUnknown:
    """That this try did nothing must not be read as if nothing had been done before."""
    return errors.OutcomeUnknown(
        f"{error.message} Whether the earlier try of this operation was applied is still not "
        "known.",
        retry_after_seconds=error.retry_after_seconds,
        next_step=f"Call {run.call.tool} again later with operationId {run.operation.id} and the "
        "same arguments: it cannot be applied twice.",
    )


def _state(run: _Run, performed: Performed) -> State:
    error = performed.error
    if error is None:
        is_partial = run.call.write.is_partial
        return (
            State.PARTIAL
            if is_partial is not None and is_partial(performed.result)
            else State.COMMITTED
        )
    passing = isinstance(error, (errors.OutcomeUnknown, *_PASSING))
    if run.resumed and passing:
        # Says nothing of the run before.
        return State.UNKNOWN
    if not run.sent:
        return State.REJECTED
    if error.partly:
        # Only the same call again can finish what a passing failure cut off.
        return State.UNKNOWN if passing else State.PARTIAL
    return State.UNKNOWN if isinstance(error, errors.OutcomeUnknown) else State.REJECTED


def _target(call: Call) -> str | None:
    """Whom the write is for, where the arguments name one by an id."""
    named = call.arguments.get(call.write.target or "")
    return named if isinstance(named, str) else None


def _mismatch(operation: Operation, why: str) -> errors.Conflict:
    differing = {
        "arguments": f"other arguments of {operation.tool}",
        "tool": f"another tool, {operation.tool}",
        "principal": "another caller",
    }[why]
    return errors.Conflict(
        f"operationId {operation.id} was already used for {differing}; nothing was done now.",
        field="operationId",
        next_step="Leave operationId out to do something new.",
    )
