"""Plans that wait for people: which they are, and a person's yes or no to one of them.

The command line, the chat and the HTTP page all come here. Nothing that a model can give in a call
does.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from billing_mcp import errors
from billing_mcp.guard.gate import Gate
from billing_mcp.guard.ledger import Planned, PlanRefused
from billing_mcp.guard.operations import Filters, Operation, State
from billing_mcp.ledgers import Ledgers, told
from billing_mcp.results import as_json
from billing_mcp.tenants import Tenant
from billing_mcp.wire import utc_text

# How much of a person's reason the ledger and the model are given.
REASON_LIMIT = 300
_PAGE = 500
_WAITING = Filters(states=frozenset({State.PLANNED}))
_LIST = "`billing-mcp approvals` lists the plans that wait."
_ANEW = "Nothing was done. Asked for again without an operationId, the write gets a new plan."
_COMMIT = "It is committed when the same call is made again with its operationId."


async def pending(tenant: Tenant) -> list[Operation]:
    """Plans that wait for people and have not expired, of all environments, oldest first.

    Raises `Unavailable` when a ledger cannot be read.
    """
    waiting: list[Operation] = []
    ledgers = tenant.ledgers
    with told():
        for environment in ledgers.environments:
            # Looking must not make a file where no write was ever asked for.
            if ledgers.place(environment) is None or ledgers.may_hold_something(environment):
                waiting += await waiting_at(await ledgers.gate(environment))
    return sorted(waiting, key=lambda operation: (operation.created_at, operation.id))


async def waiting_at(gate: Gate) -> list[Operation]:
    """Those of one environment, newest first. Raises `LedgerError`."""
    now, found = gate.now(), list[Operation]()
    after: str | None = None
    while True:
        page = await gate.ledger.list(gate.partition, _WAITING, _PAGE, after)
        found += [
            operation
            for operation in page.operations
            if operation.plan is not None
            and operation.plan.approvals_needed > 0
            and not operation.has_expired(now)
        ]
        if page.next is None:
            return found
        after = page.next


async def find(tenant: Tenant, operation_id: str) -> Operation:
    """An operation of this tenant, a plan or not.

    Raises `InvalidRequest`, `NotFound`, and `Unavailable` when the ledger cannot be read.
    """
    return (await _found(tenant, operation_id))[1]


async def approve(tenant: Tenant, operation_id: str, by: str, *, identified: bool) -> Operation:
    """Agree to a plan; with the last approval it needs, it may be committed by its asker.

    `identified` says whether `by` was proven. Nobody unproven can be one of two: they could be
    the other. Raises our errors when the plan cannot be approved, or not by them.
    """
    gate, operation = await _found(tenant, operation_id)
    if not identified:
        refuse_unproven(operation)
    with told():
        answer = await gate.ledger.approve(operation.key, by)
    return _moved(answer, operation)


async def deny(tenant: Tenant, operation_id: str, by: str, why: str) -> Operation:
    """Refuse a plan for good, as long as it has not begun. Raises our errors."""
    gate, operation = await _found(tenant, operation_id)
    with told():
        answer = await gate.ledger.deny(operation.key, by, errors.one_line(why, REASON_LIMIT))
    return _moved(answer, operation)


def refuse_unproven(operation: Operation) -> None:
    """Raises `NotPermitted` for a plan that only people who prove who they are can approve."""
    if operation.plan is not None and operation.plan.approvals_needed > 1:
        raise errors.NotPermitted(
            f"Two people have to agree to plan {operation.id}, and who you are is not proven here.",
            next_step="They approve it on the page /approvals of `billing-mcp http` with "
            "authentication, each with a key or token of their own that has billing:approve.",
        )


def facts(operation: Operation) -> dict[str, Any]:
    """A plan as a program reads it. Numbers are text; `plan` is what its asker was shown."""
    plan = operation.plan
    told: Mapping[str, Any] = {} if plan is None else plan.shown
    known = {
        "operationId": operation.id,
        "environment": operation.key.partition.environment,
        "state": str(operation.state),
        "tool": operation.tool,
        "effect": told.get("effect"),
        "amount": as_json(operation.amount, operation.currency),
        "currency": operation.currency,
        "principal": operation.principal,
        "client": operation.client,
        # A claim with an amount keeps the sums of callers without a role under an empty one.
        "role": operation.role or None,
        "why": told.get("why"),
        "rule": told.get("rule"),
        "approvalsNeeded": 0 if plan is None else plan.approvals_needed,
        "approvals": [{"by": one.by, "at": utc_text(one.at)} for one in operation.approvals],
        "askedAt": utc_text(operation.created_at),
        "expiresAt": None if plan is None else utc_text(plan.expires_at),
        "plan": dict(told),
    }
    exact: dict[str, Any] = as_json({k: v for k, v in known.items() if v is not None})
    return exact


def is_out_of_reach(ledgers: Ledgers) -> bool:
    """Whether no other process can see these ledgers, and so none can approve what is in them."""
    return all(ledgers.place(environment) is None for environment in ledgers.environments)


async def _found(tenant: Tenant, operation_id: str) -> tuple[Gate, Operation]:
    try:
        known = str(UUID(operation_id))
    except ValueError as error:
        raise errors.InvalidRequest(
            f'"{errors.one_line(operation_id, 60)}" is not the id of a plan, which is a UUID.',
            field="operationId",
            next_step=_LIST,
        ) from error
    ledgers = tenant.ledgers
    with told():
        for environment in ledgers.environments:
            if ledgers.place(environment) is None or ledgers.may_hold_something(environment):
                gate = await ledgers.gate(environment)
                row = await gate.ledger.get(gate.key(known))
                if row is not None:
                    return gate, row
    raise errors.NotFound(
        f"There is no plan {known}.",
        field="operationId",
        next_step=_LIST,
    )


def _moved(answer: Planned | PlanRefused, operation: Operation) -> Operation:
    """The plan after it was approved or denied. Raises our error for why it was not."""
    if isinstance(answer, Planned):
        return answer.operation
    row = answer.operation or operation
    if answer.why == "missing":
        raise errors.NotFound(
            f"Operation {row.id} is not a plan that waits: it is {row.state}.",
            field="operationId",
            next_step=_LIST,
        )
    if answer.why == "same-person":
        raise _same_person(row)
    if answer.why == "altered":
        raise errors.Conflict(
            f"The row of plan {row.id} was changed in the ledger, so that it no longer says what "
            "was asked for. Nothing was approved.",
            field="operationId",
            next_step="`billing-mcp audit verify` tells what was changed. Deny it, and let the "
            "write be asked for anew.",
        )
    raise errors.Conflict(_ended(row), field="operationId", next_step=_after(row))


def _same_person(row: Operation) -> errors.NotPermitted:
    if row.plan is not None and row.plan.approvals_needed > 1:
        return errors.NotPermitted(
            f"You have approved plan {row.id} before, or asked for it, and two others have to "
            "agree to it.",
            next_step="Somebody else has to approve it.",
        )
    return errors.NotPermitted(
        f"You have approved plan {row.id} before; nothing was changed now.",
        next_step=_COMMIT,
    )


def _ended(row: Operation) -> str:
    """Why a plan takes no yes and no no any more."""
    if row.denial is not None:
        why = f': "{row.denial.why}"' if row.denial.why else ""
        return f"Plan {row.id} was denied by {row.denial.by}{why}."
    if row.state is State.EXPIRED and row.plan is not None:
        return f"Plan {row.id} expired at {utc_text(row.plan.expires_at)}."
    return f"Plan {row.id} is {row.state} already."


def _after(row: Operation) -> str:
    if row.state in {State.DENIED, State.EXPIRED}:
        return _ANEW
    return "`billing-mcp operations` shows what became of it."


def data_setting(tenant: Tenant) -> str:
    """The setting that gives a sandbox in memory a file, by the name its owner knows."""
    if tenant.server.tenants_file is None:
        return "BILLING_MCP_SANDBOX_DATA"
    return f"tenants.{tenant.name}.sandbox_data"
