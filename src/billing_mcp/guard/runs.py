"""A run of a claimed write: recorded before it leaves, and settled before its end is told."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import anyio

from billing_mcp import errors
from billing_mcp.declarations import Applied, Effect, NotApplied, Stake, Undecided, Write
from billing_mcp.guard.ledger import HoldLost, Ledger, LedgerError
from billing_mcp.guard.operations import Hold, Operation, Settlement, State
from billing_mcp.guard.outcomes import recorded, summary
from billing_mcp.guard.reconcile import Question, Timing, looked_up, still_unknown
from billing_mcp.results import Outcome
from billing_mcp.upstream import Binding

logger = logging.getLogger(__name__)

# Refusals that may pass by themselves or by a setting: the same call may then run.
_PASSING = (errors.Unavailable, errors.RateLimited, errors.NotConfigured)


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

    @property
    def role(self) -> str | None: ...

    @property
    def destructive(self) -> bool: ...

    @property
    def dry_run(self) -> bool: ...

    async def stake(self) -> Stake:
        """Whom it affects, found out by reading. Raises our errors."""
        ...

    async def preview(self) -> Effect:
        """What it would do, found out by reading. Raises our errors."""
        ...

    async def baseline(self) -> Any:
        """What the vendor has now, if that helps to find the write again. Raises our errors."""
        ...

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
class Runs:
    """The runs of one partition, and which of them are under way in this process.

    `running` has an event for each operation, set when its run has ended.
    """

    ledger: Ledger
    timing: Timing
    running: dict[str, anyio.Event] = field(default_factory=dict, init=False)

    @property
    def now(self) -> Callable[[], datetime]:
        return self.timing.now

    async def resume(self, call: Call, operation: Operation) -> Outcome:
        """An operation that somebody has begun and not ended."""
        if operation.state is State.CLAIMED:
            return await self.begin(call, operation)
        call.binding.tried_before = True
        if call.write.key is not None:
            # The vendor dedupes it: the same request with the same key finds out and finishes it.
            return await self.begin(call, operation, resumed=True)
        verdict = await looked_up(operation, call, self.timing)
        match verdict:
            case Applied(answer):
                return await self._found(call, operation, answer)
            case NotApplied():
                return await self.begin(call, operation)
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

    async def begin(self, call: Call, operation: Operation, *, resumed: bool = False) -> Outcome:
        assert operation.lease_until is not None
        run = _Run(call, operation, operation.lease_until, resumed=resumed)
        ended = self.running[operation.id] = anyio.Event()

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
            del self.running[operation.id]
            ended.set()

    async def _before_sending(self, run: _Run) -> None:
        """Write down that a request leaves, before it does. Raises our errors."""
        baseline = None if run.sent else await run.call.baseline()
        try:
            if not run.sent:
                await self.ledger.sent(run.hold, baseline)
                run.sent = True
            if self.now() > run.lease_until - 3 * self.timing.lease / 4:
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
