"""A person's yes or no to a plan, asked for in the chat: who may be asked, and what follows.

The answer comes from a form of the client's, never from an argument of a call. A revision with a
handshake is asked in the middle of the call. Of the newer one the call ends with the question and
is made a second time with the answer; the SDK seals what was asked, and the question names its
plan, so that an answer holds for that plan alone.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from mcp import MCPError
from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import (
    Elicit,
    Resolve,
    build_resolver_plans,
    find_resolved_parameters,
    resolve_arguments,
)
from mcp.types import InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, Field

from billing_mcp import approvals, errors, money, results, scopes
from billing_mcp.guard.operations import State
from billing_mcp.results import Envelope, Outcome
from billing_mcp.tenants import Caller

logger = logging.getLogger(__name__)

Again = Callable[[str], Awaitable[Outcome]]
"""The same call once more, as the one that commits the plan with this operation id."""

# The tool that runs another: what it is given for that one stands in its `arguments`.
RUNNER = "run-write-tool"

# What is more than a person reads before they answer is left out, and that it is, is said.
MOST_CHANGES = 40
MOST_AFFECTED = 20
LONGEST_VALUE = 300
LONGEST_SENTENCE = 1_000

_NO_DECISION = "The form came back without a decision."
_UNDECIDED = "Asked in this chat, the person did not decide."


# No docstring: it would become a part of the form. A reason that is too long is cut and not
# refused, because an answer that does not fit its form counts as a no.
class Decision(BaseModel):
    decision: Literal["approve", "deny"] = Field(
        description="approve: the write runs now, once. deny: this plan never runs."
    )
    why: str | None = Field(
        default=None,
        description="If you deny it, why; the assistant is told.",
        json_schema_extra={"maxLength": approvals.REASON_LIMIT},
    )


# The name of this function is what the question is called on the wire.
async def approval(question: str) -> Elicit[Decision]:
    return Elicit(question, Decision)


def _found_out(answer: Annotated[ElicitationResult[Decision], Resolve(approval)]) -> None:
    """Only its signature is used: it tells the SDK what has to be asked for."""
    _ = answer


_PARAMETERS = find_resolved_parameters(_found_out)
_RESOLVERS = build_resolver_plans(_PARAMETERS, {"question"})


def may_be_sought(outcome: Outcome, caller: Caller, context: Context[None, Any]) -> bool:
    """Whether the plan that a call came to waits for one approval, which this caller may give and
    can be asked for."""
    one_is_enough = outcome.structured["plan"]["needs"] == "approval"
    return one_is_enough and scopes.APPROVE in caller.scopes and _can_be_asked(context)


def _can_be_asked(context: Context[None, Any]) -> bool:
    capabilities = context.client_capabilities
    elicitation = None if capabilities is None else capabilities.elicitation
    # Before there were modes, all that a client with forms declared was that it has elicitation.
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False
    # With a handshake the question needs a way back to the client in the middle of the call.
    is_modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
    return is_modern or context.session.can_send_request


async def sought(
    outcome: Outcome,
    caller: Caller,
    context: Context[None, Any],
    again: Again,
    *,
    identified: bool,
) -> Outcome | InputRequiredResult:
    """What a call comes to that waits for one approval, once the person at the client was asked.

    `identified` says whether it is proven who they are.
    """
    operation_id = outcome.structured["error"]["operationId"]
    try:
        plan = await approvals.find(caller.tenant, operation_id)
    except errors.BillingError as error:
        return _failed(error, outcome)
    if plan.state is State.APPROVED and context.input_responses is None:
        # Somebody has said yes elsewhere, and the outcome tells how to go on.
        return outcome
    try:
        answer = await _asked(_question(outcome, caller), context)
    except MCPError as error:
        logger.warning("A person could not be asked about %s: %s", operation_id, error)
        return outcome
    if isinstance(answer, InputRequiredResult):
        return answer
    if answer is None:
        return _undecided(outcome)
    try:
        await _decided(answer, operation_id, caller, identified=identified)
    except errors.BillingError as error:
        return _failed(error, outcome)
    # Of a plan that was denied this is the refusal, as any later call will be given it.
    return await again(operation_id)


async def _decided(
    answer: Decision, operation_id: str, caller: Caller, *, identified: bool
) -> None:
    """Raises our errors when the plan takes no answer any more."""
    tenant, by = caller.tenant, caller.principal
    if answer.decision == "deny":
        await approvals.deny(tenant, operation_id, by, answer.why or "")
        return
    plan = await approvals.find(tenant, operation_id)
    # It may have been approved since, or before: the same answer came, and its call was cut off.
    if plan.state is State.PLANNED:
        await approvals.approve(tenant, operation_id, by, identified=identified)


def of_plan(name: str, arguments: Mapping[str, Any], operation_id: str) -> dict[str, Any]:
    """The arguments of a call as those of the call that commits its plan."""
    if name != RUNNER:
        return {**arguments, "operationId": operation_id}
    inner: Any = arguments.get("arguments") or {}
    if isinstance(inner, str):
        # As `Shape.validate` has read it: some clients send an object as JSON text.
        inner = money.from_json(inner)
    return {**arguments, "arguments": {**inner, "operationId": operation_id}}


async def _asked(
    question: str, context: Context[None, Any]
) -> Decision | InputRequiredResult | None:
    """The decision; None when there was none; a question that the client has to answer first.

    Raises `MCPError` when the client cannot be asked after all.
    """
    try:
        found = await resolve_arguments(_PARAMETERS, _RESOLVERS, {"question": question}, context)
    except ToolError:
        # Accepted, and yet not approved.
        return Decision(decision="deny", why=_NO_DECISION)
    if isinstance(found, InputRequiredResult):
        return found
    answer = found["answer"]
    if not isinstance(answer, AcceptedElicitation):
        return None
    decision: Decision = answer.data
    return decision


def _failed(error: errors.BillingError, outcome: Outcome) -> Outcome:
    operation_id = outcome.structured["error"]["operationId"]
    return results.failure(error, Envelope(outcome.structured["environment"], operation_id))


def _undecided(outcome: Outcome) -> Outcome:
    """The plan still waits; how it can be approved otherwise is said as it was."""
    error = outcome.structured["error"]
    message = f"{error['message']} {_UNDECIDED}"
    return replace(
        outcome,
        structured=outcome.structured | {"error": error | {"message": message}},
        text=message + outcome.text.removeprefix(error["message"]),
    )


def _question(outcome: Outcome, caller: Caller) -> str:
    """The plan in plain words. Nothing in it changes between the two entries of a call."""
    plan, operation_id = outcome.structured["plan"], outcome.structured["error"]["operationId"]
    lines = [
        "May this be done? So far nothing was sent.",
        "",
        errors.one_line(plan["effect"], LONGEST_SENTENCE),
        *_changes(plan.get("before"), plan.get("after")),
        *_amount(plan),
        *_affected(plan.get("affects") or []),
        _undoing(plan),
        f"A person is asked because: {errors.one_line(plan['why'], LONGEST_SENTENCE)}",
        f"Asked for by {results.shown(caller.principal)} with {plan['tool']}.",
        f"Plan {operation_id}, {outcome.structured['environment']}.",
        f"The plan ends at {plan['expiresAt']}.",
    ]
    return results.visible("\n".join(lines))


def _changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[str]:
    """`status: DRAFT → VOID`, a line for each value that would be another one."""
    old, new = dict(_flat(before or {})), dict(_flat(after or {}))
    names = [name for name in {**new, **old} if old.get(name) != new.get(name)]
    for name in names[:MOST_CHANGES]:
        yield f"- {name}: {_value(old.get(name))} → {_value(new.get(name))}"
    if len(names) > MOST_CHANGES:
        yield f"- and {len(names) - MOST_CHANGES} more; get-operation shows the whole plan"


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        place = f"{path}{results.shown(name)}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{place}.")
        else:
            yield place, value


def _value(value: Any) -> str:
    """Texts that others wrote are quoted, unless they cannot be taken for anything else."""
    if value is None:
        return "(none)"
    text = results.shown(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… (cut)"


def _amount(plan: Mapping[str, Any]) -> Iterator[str]:
    if plan.get("amount") is not None:
        currency = plan.get("currency")
        yield f"Amount: {plan['amount']} {currency or '(of no known currency)'}"


def _affected(affected: list[str]) -> Iterator[str]:
    if affected:
        more = len(affected) - MOST_AFFECTED
        shown = ", ".join(results.shown(each) for each in affected[:MOST_AFFECTED])
        yield f"Affected: {shown}{f' and {more} more' if more > 0 else ''}"


def _undoing(plan: Mapping[str, Any]) -> str:
    undo = plan.get("undo")
    if undo is None:
        return "This cannot be undone."
    return f"To undo it: {errors.one_line(undo, LONGEST_SENTENCE)}"
