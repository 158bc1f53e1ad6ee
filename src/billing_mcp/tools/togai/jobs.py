"""Jobs: work that the vendor does on many entries, some of it only once it is confirmed."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
    ANY_WRITE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Reconcile,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import Name, NextToken, PageSize
from billing_mcp.results import Result, TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.upstream import Togai

toolset = Toolset("togai-jobs")

JobId = Annotated[Name, Field(min_length=1, max_length=100, description="From list-jobs")]
JOB_ROUTE = "GET /jobs/{job_id}"
_LIST = "GET /jobs"
WAITING = "WAITING_FOR_CONFIRMATION"


class Job(Result):
    concise: ClassVar = ("id", "type", "status", "updatedAt")

    id: str
    type: str | None = None
    status: str | None = None
    updatedAt: str | None = None
    settledAt: str | None = None
    totalJobEntries: int | None = None
    pendingJobEntries: int | None = None
    failedJobEntries: int | None = None
    completedJobEntries: int | None = None
    metadata: dict[str, Any] | None = None


class JobEntry(Result):
    concise: ClassVar = ("entityId", "status", "metadata")

    entityId: str
    jobId: str | None = None
    status: str | None = None
    createdAt: str | None = None
    metadata: dict[str, Any] | None = None


@toolset.tool(READ, _LIST)
async def list_jobs(
    togai: Togai, pageSize: PageSize = None, nextToken: NextToken = None
) -> TokenPage[Job]:
    """List jobs: plan migrations, event corrections, bill runs."""
    query = {"pageSize": pageSize, "nextToken": nextToken}
    return await togai.fetch(TokenPage[Job], query=query)


@toolset.tool(READ, JOB_ROUTE, title="Get the status of a job")
async def get_job(togai: Togai, jobId: JobId) -> Job:
    """Show one job: status, how many entries are done, failed or pending."""
    return await togai.fetch(Job, at={"job_id": jobId})


@toolset.tool(READ, "GET /jobs/{job_id}/entries", title="List the entries of a job")
async def list_job_entries(
    togai: Togai, jobId: JobId, nextToken: NextToken = None
) -> TokenPage[JobEntry]:
    """List what a job works on, such as accounts, and what became of each."""
    at = {"job_id": jobId}
    return await togai.fetch(TokenPage[JobEntry], at=at, query={"nextToken": nextToken})


async def job_of(togai: Togai, job_id: str) -> Job:
    """Raises `NotFound`."""
    return await togai.fetch(Job, route=JOB_ROUTE, at={"job_id": job_id})


async def known(togai: Togai, kind: str) -> list[str] | None:
    """The ids of all jobs of a type, to tell a new one by; None when there are too many to keep."""
    try:
        return [job.id async for job in walks.rows(togai, Job, _LIST, 100) if job.type == kind]
    except walks.MoreThanSearched:
        return None


async def new(togai: Togai, kind: str) -> list[Job]:
    """The jobs of a type that were not there when the baseline was taken, as get-job shows them.

    Raises `MoreThanSearched`.
    """
    before = frozenset(togai.baseline or ())
    listed = [job async for job in walks.rows(togai, Job, _LIST, 100) if job.type == kind]
    return [await job_of(togai, job.id) for job in listed if job.id not in before]


def _ended(answer: Literal["confirm", "reject"]) -> Reconcile:
    async def found(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
        job = await job_of(togai, asked["jobId"])
        rejected = job.status == "CANCELLED"
        if job.status == WAITING or rejected != (answer == "reject"):
            return NotApplied()
        return Applied(job)

    return found


async def _waiting(togai: Togai, job_id: str) -> tuple[Job, str]:
    """The job and how a plan names it. Raises `Conflict` for one that waits for no answer."""
    job = await job_of(togai, job_id)
    called = f"job {wording.identified(job.id)} ({job.type})"
    if job.status != WAITING:
        raise errors.Conflict(
            f"The {called} is {job.status} and waits for no confirmation.",
            field="jobId",
            next_step="list-jobs shows which wait.",
        )
    return job, called


def _told(job: Job) -> str:
    """How many entries the job has, and what it is about as far as the vendor says."""
    about = [
        f"{wording.identified(name)} {wording.quoted(str(value))}"
        for name, value in sorted((job.metadata or {}).items())
    ]
    number = "its entries"
    if job.totalJobEntries is not None:
        number = "its 1 entry" if job.totalJobEntries == 1 else f"its {job.totalJobEntries} entries"
    return number + (f" ({', '.join(about)})" if about else "")


async def _would_confirm(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    job, called = await _waiting(togai, asked["jobId"])
    return Effect(
        f"Lets {called} run on {_told(job)}.",
        {"status": job.status},
        {"status": "COMPLETED"},
        None,
        {"status": job.status, "totalJobEntries": job.totalJobEntries},
    )


async def _would_reject(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    job, called = await _waiting(togai, asked["jobId"])
    return Effect(
        f"Cancels {called}: nothing is done with {_told(job)}.",
        {"status": job.status},
        {"status": "CANCELLED"},
        None,
        {"status": job.status},
    )


_FIND_OUT = "get-job shows its status"


@toolset.tool(
    ANY_WRITE,
    "POST /jobs/{job_id}/confirm",
    write=Write(
        find_out=_FIND_OUT,
        reconcile=_ended("confirm"),
        preview=_would_confirm,
        stake=recognition.anybody,
        target="jobId",
    ),
)
async def confirm_job(togai: Togai, jobId: JobId) -> Job:
    """Let a job run that waits for confirmation. This cannot be undone."""
    return await togai.fetch(Job, at={"job_id": jobId})


@toolset.tool(
    ANY_WRITE,
    "POST /jobs/{job_id}/reject",
    write=Write(
        find_out=_FIND_OUT,
        reconcile=_ended("reject"),
        preview=_would_reject,
        stake=recognition.anybody,
        target="jobId",
    ),
)
async def reject_job(togai: Togai, jobId: JobId) -> Job:
    """Cancel a job that waits for confirmation. This cannot be undone."""
    return await togai.fetch(Job, at={"job_id": jobId})
