"""The way to every write: what the policy says of it, its plan, its claim, and then its one run.

Reads never come here. A call is refused, planned, or claimed and run; the same call again gets the
recorded answer; a call whose outcome was lost is looked up before anything else.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import anyio

from billing_mcp import errors
from billing_mcp.guard.ledger import (
    Claimed,
    Exceeded,
    Lapsed,
    Ledger,
    LedgerError,
    Mismatch,
    Planned,
    PlanRefused,
    Replay,
    Running,
    TakeAnswer,
)
from billing_mcp.guard.operations import (
    DECIDED,
    OF_A_PLAN,
    Key,
    NewOperation,
    Operation,
    Partition,
    State,
)
from billing_mcp.guard.outcomes import replayed
from billing_mcp.guard.plans import Plans, mismatch, provided, told_of
from billing_mcp.guard.policy import Policy, Verdict
from billing_mcp.guard.reconcile import Timing
from billing_mcp.guard.ruling import Ruling, Rulings, repeated
from billing_mcp.guard.runs import Call, Runs
from billing_mcp.results import Outcome

logger = logging.getLogger(__name__)

# While another call of the same operation runs in another process: how long until it is asked for
# again, at first and at most.
FIRST_LOOK = timedelta(milliseconds=20)
LONGEST_LOOK = timedelta(milliseconds=500)

# What a claim comes to once nobody else is running it.
ClaimEnd = Claimed | Replay | Mismatch | Lapsed | Planned | Exceeded | PlanRefused
# What a call comes to before its run: an answer, or an operation to answer from, run or look up.
Admitted = Outcome | Claimed | Replay | Lapsed


@dataclass(slots=True)
class Gate:
    """The way to the writes of one partition.

    `call_s` is the longest that a tool may wait for a vendor, retries included. A lease is twice as
    long, and is renewed before a request that it might not outlive. `ways` says how people approve
    a plan here.
    """

    ledger: Ledger
    partition: Partition
    call_s: int
    policy: Callable[[], Policy]
    ways: Callable[[str], str]
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    runs: Runs = field(init=False)
    rulings: Rulings = field(init=False)
    plans: Plans = field(init=False)

    def __post_init__(self) -> None:
        self.runs = Runs(self.ledger, self.timing)
        self.rulings = Rulings(self.policy, self.ledger, self.partition, self.now)
        self.plans = Plans(self.ledger, self.partition, self.now, self.ways)

    @property
    def timing(self) -> Timing:
        return Timing(timedelta(seconds=2 * self.call_s), self.now)

    def key(self, operation_id: str) -> Key:
        return Key(self.partition, operation_id)

    async def let_through(self, call: Call) -> Outcome:
        """Raises our errors for a call that may not run, or not now."""
        try:
            admitted = await self._admitted(call)
        except LedgerError as error:
            logger.warning("%s was not begun: %s", call.tool, error)
            raise errors.Unavailable(
                f"The ledger of writes cannot be used, so nothing was sent ({error}).",
                next_step="Reading works. Whoever runs this server can look with `billing-mcp "
                "doctor`; then call again with the same operationId.",
            ) from error
        match admitted:
            case Claimed(operation):
                return await self.runs.begin(call, operation)
            case Replay(operation):
                return replayed(operation)
            case Lapsed(operation):
                return await self.runs.resume(call, operation)
            case outcome:
                return outcome

    async def _admitted(self, call: Call) -> Admitted:
        """Nothing is sent here, whatever it comes to. Raises our errors and `LedgerError`."""
        key = self.key(call.binding.operation_id)
        # An id that was minted for this call is nobody's yet.
        row = await self.ledger.get(key) if call.binding.operation_given else None
        if call.dry_run:
            return await self._planned(call, key)
        if row is None or (row.retryable and row.plan is None):
            return await self._directly(call, key)
        if row.plan is not None and (row.state in OF_A_PLAN or row.retryable):
            return await self._committed(call, row)
        # Begun: whoever claimed it was permitted to, and what it spends is still reserved.
        return self._of(call, await self._claimed(call, repeated(key, call)))

    async def _planned(self, call: Call, key: Key) -> Outcome:
        ruling = await self.rulings.of(call, with_spent=True)
        await self._require_not_refused(call, ruling)
        return self.plans.planned(call, await self.plans.make(call, key, ruling))

    async def _directly(self, call: Call, key: Key) -> Admitted:
        """A call without a plan: claimed when the policy lets it run so, else planned for now."""
        ruling = await self.rulings.of(call)
        await self._require_not_refused(call, ruling)
        if ruling.decision.permits(Verdict.ALLOWED):
            await self.rulings.note_shadow(call, ruling)
            claim = await self._claimed(call, ruling.operation(key, call, Verdict.ALLOWED))
            if not isinstance(claim, Exceeded):
                return self._of(call, claim)
            ruling = await self._above(call, ruling, claim)
        return await self._required(call, key, ruling)

    async def _required(self, call: Call, key: Key, ruling: Ruling) -> Outcome:
        """The plan that a call needs: the one its caller already has for it, or a new one."""
        new = ruling.operation(key, call, ruling.verdict)
        pending = None
        # An id of the caller's own is what they want the plan to have.
        if not (call.binding.operation_given and key.id == call.binding.operation_id):
            pending = await self.plans.pending(call, new, ruling.verdict)
        if pending is None:
            pending = await self.plans.make(call, key, ruling)
        call.binding.operation_id = pending.id
        return self.plans.required(call, pending)

    async def _committed(self, call: Call, row: Operation) -> Admitted:
        """The call that a plan is for. The policy is asked again, and the plan held to its word."""
        asked = repeated(row.key, call)
        is_it = (row.tool, row.fingerprint, row.principal) == (
            asked.tool,
            asked.fingerprint,
            asked.principal,
        )
        if not is_it or row.state in {State.DENIED, State.EXPIRED} or row.has_expired(self.now()):
            # The ledger says why not, and writes that down.
            return self._of(call, await self._taken(call, asked, Verdict.ALLOWED))
        ruling = await self.rulings.of(call)
        await self._require_not_refused(call, ruling)
        given = _given(row)
        promised = row.plan.approvals_needed if row.plan is not None else 0
        if not ruling.decision.permits(given) or given.approvals < promised:
            return await self._not_yet(call, row, ruling)
        await self._require_unchanged(call, row)
        claim = await self._taken(call, ruling.operation(row.key, call, given), ruling.verdict)
        if isinstance(claim, Exceeded):
            return await self._not_yet(call, row, await self._above(call, ruling, claim))
        return self._of(call, claim)

    async def _not_yet(self, call: Call, row: Operation, ruling: Ruling) -> Outcome:
        """A plan that is not enough. One that promised fewer people than it takes now says the
        wrong thing and is not among those that wait for them, so that another takes its place."""
        promised = row.plan.approvals_needed if row.plan is not None else 0
        if promised >= ruling.verdict.approvals:
            return self.plans.required(call, row)
        return await self._required(call, self.key(str(uuid4())), ruling)

    async def _require_not_refused(self, call: Call, ruling: Ruling) -> None:
        if ruling.verdict is not Verdict.REFUSED:
            return
        await self.rulings.note_refusal(call, ruling)
        raise errors.NotPermitted(
            f"{ruling.decision.sentence} Nothing was sent (policy: {ruling.decision.place}).",
            next_step="Whoever runs this server can change its policy; nothing that you pass can.",
        )

    async def _require_unchanged(self, call: Call, row: Operation) -> None:
        """Raises `Conflict` when the plan would now have another effect than people were shown."""
        promised = told_of(row).get("provided")
        if promised is not None and provided(await call.preview()) != promised:
            raise errors.Conflict(
                f"What plan {row.id} goes by has changed since; nothing was sent.",
                field="operationId",
                next_step=f"Call {call.tool} with dryRun for a plan of how things are now.",
            )

    async def _above(self, call: Call, ruling: Ruling, claim: Exceeded) -> Ruling:
        """What a call needs after all that went above a ceiling of the day. Raises
        `NotPermitted` when nothing would do; the claim has written that down."""
        counted = await self.rulings.of(call, with_spent=True)
        above = counted.stricter(ruling.decision.exceeded(claim.ceiling.rule))
        if above.verdict is Verdict.REFUSED:
            raise errors.NotPermitted(
                f"{above.decision.sentence} Nothing was sent (policy: {above.decision.place}).",
                next_step="Days are UTC; tomorrow the sum begins at zero.",
            )
        return above

    def _of(self, call: Call, claim: ClaimEnd) -> Admitted:
        match claim:
            case Mismatch(operation, why):
                raise mismatch(operation, why)
            case Planned(operation):
                # Planned, or decided by people, since we looked.
                raise errors.Conflict(
                    f"operationId {operation.id} is that of a plan; nothing was done now.",
                    field="operationId",
                    next_step="Call again with the same arguments to commit it.",
                )
            case PlanRefused():
                raise self.plans.refused(claim, self.key(call.binding.operation_id))
            case Exceeded(ceiling):
                raise errors.NotPermitted(
                    f"This would pass the limit of {ceiling.limit} a day for the {ceiling.per} "
                    f"({ceiling.rule}); nothing was sent."
                )
            case Claimed() | Replay() | Lapsed():
                return claim

    async def _claimed(self, call: Call, new: NewOperation) -> ClaimEnd:
        return await self._waited(call, lambda: self.ledger.claim(new, self.timing.lease))

    async def _taken(self, call: Call, new: NewOperation, verdict: Verdict) -> ClaimEnd:
        return await self._waited(
            call, lambda: self.ledger.take_plan(new, self.timing.lease, verdict.approvals)
        )

    async def _waited(
        self, call: Call, claim: Callable[[], Awaitable[ClaimEnd | TakeAnswer]]
    ) -> ClaimEnd:
        """Claim, and while another call holds it wait for how that ends.

        Raises `OutcomeUnknown` when it has not ended in the time that a call may take.
        """
        deadline = anyio.current_time() + self.call_s
        while True:
            answer = await claim()
            if not isinstance(answer, Running):
                return answer
            wait = FIRST_LOOK
            while (row := await self._after(answer.operation, wait, deadline)) is not None:
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
        ended = self.runs.running.get(operation.id)
        if ended is None:
            await self.sleep(wait.total_seconds())
        else:
            with anyio.CancelScope(deadline=deadline):
                await ended.wait()
        return await self.ledger.get(operation.key)


def _given(row: Operation) -> Verdict:
    """What people have agreed to of a plan; where two must agree, the asker is not one of them."""
    two = Verdict.TWO_APPROVALS.approvals
    if sum(approval.counts(two, row.principal) for approval in row.approvals) >= two:
        return Verdict.TWO_APPROVALS
    return Verdict.APPROVAL if row.approvals else Verdict.PLAN


def _still_running(call: Call, call_s: int) -> errors.OutcomeUnknown:
    return errors.OutcomeUnknown(
        "Another call with this operationId is still running.",
        retry_after_seconds=call_s,
        next_step=f"Call {call.tool} again with the same operationId and arguments: it waits for "
        "that outcome and answers with it.",
    )
