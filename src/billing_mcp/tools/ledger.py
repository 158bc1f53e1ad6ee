"""The operations ledger as a model sees it: which writes were asked for and what became of each."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors, money
from billing_mcp.declarations import READ, Toolset
from billing_mcp.door import Door
from billing_mcp.guard.operations import OPEN, Filters, Operation, State
from billing_mcp.params import Instant, Name, NextToken, OperationId, PageSize
from billing_mcp.results import Exact, Result, TokenPage
from billing_mcp.wire import utc_text

toolset = Toolset("ledger")

PAGE = 50
Standing = Literal[
    "committed",
    "partial",
    "rejected",
    "unknown",
    "sent",
    "claimed",
    "planned",
    "approved",
    "denied",
    "expired",
]
_MEANINGS = {
    State.PLANNED: "Planned; nothing was sent.",
    State.APPROVED: "People have approved the plan; nothing was sent yet.",
    State.DENIED: "A person has denied the plan; nothing was sent.",
    State.EXPIRED: "The plan has expired; nothing was sent.",
    State.CLAIMED: "Begun; nothing was sent yet.",
    State.SENT: "Sent; its answer is awaited, or was lost with the server that awaited it.",
    State.COMMITTED: "Done.",
    State.PARTIAL: "Some of its items were done; answer says which.",
    State.REJECTED: "Nothing was done.",
    State.UNKNOWN: "Whether it was done is not known; answer says what to look at.",
}


class OperationShown(Result):
    """A write as the ledger keeps it. `answer` is what its caller was told."""

    concise: ClassVar = (
        "operationId",
        "createdAt",
        "state",
        "tool",
        "target",
        "customer",
        "amount",
        "amountCurrency",
        "principal",
    )
    amounts: ClassVar = frozenset({"amount"})

    operationId: str
    tool: str
    state: str
    meaning: str | None = None
    createdAt: str
    sentAt: str | None = None
    settledAt: str | None = None
    principal: str
    client: str | None = None
    role: str | None = None
    target: str | None = None
    customer: str | None = None
    purpose: str | None = None
    amount: Exact | None = None
    amountCurrency: str | None = None
    rule: str | None = None
    approvedBy: list[str] | None = None
    arguments: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    vendorRequestIds: list[str] | None = None

    def currency(self) -> str | None:
        return self.amountCurrency


@toolset.tool(READ)
async def get_operation(
    door: Door, operationId: Annotated[OperationId, Field(description="Of the write")]
) -> OperationShown:
    """Show what became of a write. One whose answer was lost is looked up at the vendor first."""
    operation = await door.operation(operationId)
    if operation is None:
        raise errors.NotFound(
            f"The ledger has no operation {operationId}.",
            field="operationId",
            next_step="list-operations shows those there are. A write without a row was never "
            "sent from here.",
        )
    return shown(operation)


@toolset.tool(READ)
async def list_operations(
    door: Door,
    state: Standing | None = None,
    tool: Annotated[Name, Field(max_length=40)] | None = None,
    customer: Annotated[
        Name, Field(max_length=50, description="Or account or entitlement: whom it was for")
    ]
    | None = None,
    since: Instant | None = None,
    pageSize: PageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[OperationShown]:
    """List the writes made here, newest first: who did what to whom, and whether it was done."""
    filters = Filters(
        states=frozenset({State(state)} if state else ()), tool=tool, whose=customer, since=since
    )
    try:
        listing = await door.operations(filters, pageSize or PAGE, nextToken)
    except ValueError as error:
        raise errors.InvalidRequest(
            "nextToken is not one that a page gave.",
            field="nextToken",
            next_step="Give the nextToken of the page before unchanged, or leave it out.",
        ) from error
    rows = [shown(operation) for operation in listing.operations]
    return TokenPage[OperationShown](data=rows, nextToken=listing.next)


def shown(operation: Operation) -> OperationShown:
    """A row for a model or a person. Its texts were written by callers and customers."""
    kept = operation.outcome
    return OperationShown(
        operationId=operation.id,
        tool=operation.tool,
        state=str(operation.state),
        meaning=_meaning(operation),
        createdAt=utc_text(operation.created_at),
        sentAt=_time(operation.sent_at),
        settledAt=_time(operation.settled_at),
        principal=operation.principal,
        client=operation.client,
        role=operation.role or None,
        target=operation.target,
        customer=operation.customer,
        purpose=operation.purpose,
        amount=operation.amount,
        amountCurrency=operation.currency,
        rule=operation.rule,
        approvedBy=[approval.by for approval in operation.approvals] or None,
        arguments=_as_text(operation.arguments) or None,
        answer=kept["structured"] if isinstance(kept, dict) else None,
        vendorRequestIds=list(operation.vendor_request_ids) or None,
    )


def _as_text(node: Any) -> Any:
    """Arguments with every number as text: the ledger keeps 50 and 50.00 as one."""
    if isinstance(node, Mapping):
        return {name: _as_text(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_as_text(item) for item in node]
    if isinstance(node, int | Decimal) and not isinstance(node, bool):
        return money.plain(Decimal(node))
    return node


def _meaning(operation: Operation) -> str | None:
    meaning = _MEANINGS.get(operation.state)
    if operation.state in OPEN - {State.UNKNOWN} and operation.lease_until is not None:
        return f"{meaning} Held until {utc_text(operation.lease_until)}."
    return meaning


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)
