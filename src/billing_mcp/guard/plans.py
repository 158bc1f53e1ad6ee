"""Plans: what a write would do, in words and numbers, kept under its seal until it is committed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from billing_mcp import errors, money
from billing_mcp.declarations import Effect
from billing_mcp.guard.arguments import minimised
from billing_mcp.guard.ledger import Ledger, Mismatch, Planned, PlanRefused
from billing_mcp.guard.operations import (
    Filters,
    Key,
    NewOperation,
    Operation,
    Partition,
    Plan,
    State,
)
from billing_mcp.guard.policy import Verdict
from billing_mcp.guard.ruling import Ruling
from billing_mcp.guard.runs import Call
from billing_mcp.results import Outcome, as_json, compact, shown, visible
from billing_mcp.wire import utc_text

# Who has to ask somebody else first gets until tomorrow; a plan for the caller alone is for now.
FOR_PEOPLE = timedelta(hours=24)
FOR_THE_CALLER = timedelta(hours=1)

_LINES = (
    *("effect", "before", "after", "amount", "currency", "affects", "undo", "reversible"),
    *("provided", "needs", "why", "rule", "expiresAt"),
)


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans of one partition. `ways` says how people approve one here, given its id."""

    ledger: Ledger
    partition: Partition
    now: Callable[[], datetime]
    ways: Callable[[str], str]

    async def make(self, call: Call, key: Key, ruling: Ruling) -> Operation:
        """Find out what the call would do and keep that. The same plan again is the one there is.

        Raises our errors for what the vendor would refuse, `Conflict` for an id that is used, and
        `LedgerError`.
        """
        effect = await call.preview()
        people = ruling.verdict.approvals
        expires = self.now() + (FOR_PEOPLE if people else FOR_THE_CALLER)
        told = _told(call, effect, ruling, expires)
        new = ruling.operation(key, call, ruling.verdict)
        answer = await self.ledger.plan(new, Plan(told, expires, people))
        match answer:
            case Planned(operation):
                return operation
            case Mismatch(operation, why):
                raise mismatch(operation, why)
            case other:
                raise errors.Conflict(
                    f"operationId {other.operation.id} was used before: it is "
                    f"{other.operation.state}. Nothing was done now.",
                    field="operationId",
                    next_step="get-operation shows what became of it. Leave operationId out to "
                    "plan something new.",
                )

    async def pending(self, call: Call, new: NewOperation, verdict: Verdict) -> Operation | None:
        """The plan that this caller already has for just this call, if it is still of use: neither
        begun nor denied nor expired, and made for all that is needed now."""
        waiting = Filters(
            states=frozenset({State.PLANNED, State.APPROVED}),
            tool=call.tool,
            principal=new.principal,
            fingerprint=new.fingerprint,
        )
        for operation in (await self.ledger.list(self.partition, waiting, 10)).operations:
            asked = 0 if operation.plan is None else operation.plan.approvals_needed
            if not operation.has_expired(self.now()) and asked >= verdict.approvals:
                return operation
        return None

    def planned(self, call: Call, operation: Operation) -> Outcome:
        """The answer to a dry run."""
        told = told_of(operation)
        structured = {
            "environment": self.partition.environment,
            "operationId": operation.id,
            "plan": told,
        }
        ready = told["needs"] in {Verdict.ALLOWED.word, Verdict.PLAN.word}
        then = self._then(call, operation) if ready else self._people(call, operation)
        head = [
            f"environment: {self.partition.environment}",
            f"operationId: {operation.id}",
            "Planned; nothing was sent.",
        ]
        return Outcome(structured, visible("\n".join([*head, *lines(told), then])))

    def required(self, call: Call, operation: Operation) -> Outcome:
        """The answer to a call that needs its plan first, or people: an error that carries it."""
        told = told_of(operation)
        alone = told["needs"] == Verdict.PLAN.word
        error = errors.ApprovalRequired(
            f"{told['why']} A plan was made; nothing was sent.",
            next_step=self._then(call, operation) if alone else self._people(call, operation),
        )
        outcome = call.failed(error)
        structured = {**outcome.structured, "plan": told}
        text = "\n".join([outcome.text, f"operationId: {operation.id}", *lines(told)])
        return Outcome(structured, visible(text), outcome.status)

    def refused(self, refusal: PlanRefused, key: Key) -> errors.BillingError:
        """Why a plan is not committed, and what to do instead."""
        again = "Leave operationId out, or plan anew with dryRun."
        match refusal.why:
            case "foreign":
                return errors.NotPermitted(
                    f"Plan {key.id} is another caller's; nothing was sent.", next_step=again
                )
            case "denied":
                denial = refusal.operation and refusal.operation.denial
                why = f': "{errors.one_line(denial.why, 200)}"' if denial and denial.why else ""
                by = f" by {errors.one_line(denial.by, 80)}" if denial else ""
                return errors.NotPermitted(
                    f"Plan {key.id} was denied{by}{why}. Nothing was sent.",
                    next_step="Tell the person so; do not plan the same thing again unless they "
                    "ask for it.",
                )
            case "expired":
                return errors.Conflict(
                    f"Plan {key.id} has expired; nothing was sent.",
                    field="operationId",
                    next_step=again,
                )
            case "altered":
                return errors.Conflict(
                    f"This is not what plan {key.id} says; nothing was sent.",
                    field="operationId",
                    next_step="Repeat the arguments that were planned, or leave operationId out.",
                )
            case _:
                return errors.Conflict(
                    f"There is no plan {key.id} that could be committed ({refusal.why}); nothing "
                    "was sent.",
                    field="operationId",
                    next_step=again,
                )

    @staticmethod
    def _then(call: Call, operation: Operation) -> str:
        return (
            "Show the plan to the person. To commit it, call "
            f"{call.tool} with the same arguments and operationId {operation.id}."
        )

    def _people(self, call: Call, operation: Operation) -> str:
        if operation.state is State.APPROVED:
            return (
                f"It is approved: call {call.tool} with the same arguments and operationId "
                f"{operation.id}."
            )
        needed = operation.plan.approvals_needed if operation.plan else 1
        who = "A person has" if needed < 2 else "Two people, neither of them the asker, have"
        return (
            f"{who} to approve it: {self.ways(operation.id)} Then call {call.tool} with the same "
            f"arguments and operationId {operation.id}. Nothing that you pass approves it."
        )


def mismatch(operation: Operation, why: str) -> errors.Conflict:
    """An id that belongs to another call."""
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


def told_of(operation: Operation) -> dict[str, Any]:
    assert operation.plan is not None
    return dict(operation.plan.shown)


def provided(effect: Effect) -> Any:
    """What must still hold when a plan is committed, as its row keeps it."""
    return minimised(as_json(dict(effect.provided)))


def lines(told: Mapping[str, Any]) -> list[str]:
    """A plan for a reader, a line for each thing it says."""
    return [f"{name}: {_line(told[name])}" for name in _LINES if told.get(name) is not None]


def _line(value: Any) -> str:
    # Our own sentences stand as they are: what others wrote is quoted inside them.
    return value if isinstance(value, str) else shown(value) or compact(value)


def _told(call: Call, effect: Effect, ruling: Ruling, expires: datetime) -> dict[str, Any]:
    amount = ruling.ask.amount
    customers = ruling.ask.customers
    currency = None if amount is None else amount.currency
    told: dict[str, Any] = {
        "tool": call.tool,
        "effect": effect.sentence,
        "before": effect.before,
        "after": effect.after,
        "amount": None if amount is None else money.at_scale(amount.value, currency or ""),
        "currency": currency,
        "affects": sorted(customers) if customers else None,
        "reversible": effect.undo is not None,
        "undo": effect.undo,
        "provided": effect.provided or None,
        "needs": ruling.verdict.word,
        "why": ruling.decision.sentence,
        "rule": ruling.decision.place,
        "expiresAt": utc_text(expires),
    }
    # What the ledger may not keep is not shown either: the row is what people approve.
    return minimised(as_json(told))
