"""Bill runs: jobs that make many invoices final that wait for it."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from billing_mcp import money
from billing_mcp.declarations import (
    ANY_WRITE,
    READ,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, CustomerId, Instant, NextToken, SmallPageSize
from billing_mcp.results import TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import jobs, recognition, walks
from billing_mcp.tools.togai.invoices import Invoice, InvoiceStatus
from billing_mcp.tools.togai.recognition import Done
from billing_mcp.upstream import Togai

toolset = Toolset("togai-invoices")

ELIGIBLE_ROUTE = "GET /invoices/bill_runs"
PAGE = 50
_JOB = "BILL_RUN"


@toolset.tool(READ, ELIGIBLE_ROUTE, title="List invoices eligible for a bill run")
async def list_bill_run_invoices(
    togai: Togai,
    accountId: AccountId | None = None,
    customerId: CustomerId | None = None,
    status: InvoiceStatus | None = None,
    startTime: Annotated[Instant | None, Field(description="Of the invoice's date")] = None,
    endTime: Annotated[Instant | None, Field(description="Exclusive")] = None,
    pageSize: SmallPageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[Invoice]:
    """List the invoices that create-bill-run would make final."""
    return await togai.fetch(
        TokenPage[Invoice],
        query={
            "owner_id": accountId,
            "customer_id": customerId,
            "status": status,
            "start_time": None if startTime is None else int(startTime.timestamp()),
            "end_time": None if endTime is None else int(endTime.timestamp()),
            "pageSize": pageSize,
            "nextToken": nextToken,
        },
    )


async def _jobs_before(togai: Togai, _: Mapping[str, Any]) -> list[str] | None:
    return await jobs.known(togai, _JOB)


async def _started(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """A new bill run is the one that was started. If somebody else started it at that very time,
    it makes the same invoices final."""
    try:
        found = await jobs.new(togai, _JOB)
    except walks.MoreThanSearched:
        return Undecided("list-jobs shows the bill runs there were")
    if not asked["requireConfirmation"]:
        found = [job for job in found if job.status != jobs.WAITING]
    if not found:
        return NotApplied()
    if togai.baseline is not None:
        return recognition.DONE
    return Undecided(
        f"there is a bill run, job {found[0].id}; list-jobs shows its time, which alone tells "
        "whether it is of this call"
    )


async def _would_start(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    rows = [row async for row in walks.rows(togai, Invoice, ELIGIBLE_ROUTE, PAGE)]
    sums: dict[str, list[Any]] = {}
    for row in rows:
        sums.setdefault(row.currency() or "?", []).append(row.totalAmount or 0)
    totals = [wording.amount(money.total(amounts), currency) for currency, amounts in sums.items()]
    confirmed = (
        "The job waits for confirm-job before it does so."
        if asked["requireConfirmation"]
        else "It is owed from then on."
    )
    worth = f" of {wording.listed(totals)}" if totals else ""
    return Effect(
        f"Starts a bill run, which makes {wording.counted(len(rows), 'invoice')}{worth} final. "
        f"{confirmed}",
        {"waiting": sorted(row.id for row in rows)},
        undo="reject-job, as long as it waits for confirmation."
        if asked["requireConfirmation"]
        else None,
        provided={"waiting": sorted(row.id for row in rows)},
    )


@toolset.tool(
    ANY_WRITE,
    "POST /invoices/bill_runs",
    title="Start a bill run",
    write=Write(
        find_out="list-jobs shows whether the job is there",
        reconcile=_started,
        baseline=_jobs_before,
        preview=_would_start,
        stake=recognition.anybody,
    ),
)
async def create_bill_run(
    togai: Togai,
    requireConfirmation: Annotated[
        bool | None, Field(description="Wait for confirm-job; default false")
    ] = None,
) -> Done:
    """Make the invoices of list-bill-run-invoices final, all of them, as a job: see list-jobs."""
    return await togai.fetch(Done, query={"require_confirmation": requireConfirmation})
