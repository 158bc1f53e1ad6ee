"""Togai's jobs: work on many entries, each for itself, which may wait until it is confirmed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from billing_mcp.sandbox import store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

# Does a task with one entry, by its id, and answers what is to be said of it. Its `Refusal` fails
# the entry, of which nothing is kept then.
Work = Callable[[Call, dict[str, Any], str], Mapping[str, str]]

_WAITING = "WAITING_FOR_CONFIRMATION"
_WORK: dict[str, Work] = {}
_LISTING = Listing(select="select * from jobs", unique="number", order=("number", True))
_ENTRIES = Listing(select="select * from job_entries", unique="number", order=("number", False))


def does(kind: str) -> Callable[[Work], Work]:
    """Name the function that does the work of jobs of a type."""

    def record(work: Work) -> Work:
        _WORK[kind] = work
        return work

    return record


def start(
    request: Call,
    kind: str,
    task: Mapping[str, Any],
    entities: Sequence[str],
    *,
    metadata: Mapping[str, str],
    confirm: bool = False,
) -> str:
    """Begin a job over these entries; its id. Ours: it is done at once, or once confirmed.

    `task` is given to the work of this type again for each entry, and kept as JSON until then.
    """
    job_id = request.new_id("job")
    columns = {
        "id": job_id,
        "type": kind,
        "status": _WAITING,
        "task": packed(task),
        "metadata": packed(metadata),
        "created_at": request.stamp,
        "updated_at": request.stamp,
    }
    store.insert(request.db, "jobs", columns)
    for entity_id in entities:
        entry = {
            "job_id": job_id,
            "entity_id": entity_id,
            "status": "PENDING",
            "metadata": "{}",
            "created_at": request.stamp,
        }
        store.insert(request.db, "job_entries", entry)
    request.effect("job", job_id)
    if not confirm:
        _run(request, existing(request, job_id))
    return job_id


def existing(request: Call, job_id: str) -> Row:
    """Refuses with 404."""
    row: Row | None = request.db.execute("select * from jobs where id = ?", (job_id,)).fetchone()
    if row is None:
        raise Refusal(404, f"Job {job_id} not found")
    return row


def entries_by_status(request: Call, job_id: str) -> dict[str, int]:
    """How many entries of a job there are in each status."""
    rows = request.db.execute(
        "select status, count(*) as number from job_entries where job_id = ? group by status",
        (job_id,),
    )
    return {row["status"]: row["number"] for row in rows}


def _run(request: Call, job: Row) -> None:
    work, task = _WORK[job["type"]], unpacked(job, "task")
    entries = request.db.execute(
        "select * from job_entries where job_id = ? order by number", (job["id"],)
    ).fetchall()
    for entry in entries:
        try:
            with store.transaction(request.db):
                said = {"status": "COMPLETED", "metadata": work(request, task, entry["entity_id"])}
        except Refusal as refusal:
            said = {"status": "FAILED", "metadata": {"message": refusal.message}}
        changes = said | {"metadata": packed(said["metadata"])}
        store.update(request.db, "job_entries", changes, number=entry["number"])
    done = entries_by_status(request, job["id"])
    failed = bool(done.get("FAILED")) and not done.get("COMPLETED")
    _settle(request, job, "FAILED" if failed else "COMPLETED")


def _settle(request: Call, job: Row, status: str) -> None:
    changes = {"status": status, "settled_at": request.stamp, "updated_at": request.stamp}
    store.update(request.db, "jobs", changes, id=job["id"])
    request.effect(f"job-{status.lower()}", job["id"])


@resource.route("GET", "/jobs")
def list_jobs(request: Call) -> Reply:
    """The latest first (ours)."""
    found = page(request, _LISTING)
    return Reply(found.answer([_brief(row) for row in found.rows]))


@resource.route("GET", "/jobs/{job_id}")
def get_job_status(request: Call) -> Reply:
    return Reply(render(request, existing(request, request.path["job_id"])))


@resource.route("GET", "/jobs/{job_id}/entries")
def get_job_entries(request: Call) -> Reply:
    job = existing(request, request.path["job_id"])
    found = page(request, _ENTRIES, {"job_id = ?": job["id"]})
    return Reply(found.answer([_entry(row) for row in found.rows]))


@resource.route("POST", "/jobs/{job_id}/confirm")
def confirm_job(request: Call) -> Reply:
    job = _waiting(request)
    _run(request, job)
    return Reply(render(request, existing(request, job["id"])))


@resource.route("POST", "/jobs/{job_id}/reject")
def reject_job(request: Call) -> Reply:
    """Nothing is done with any of its entries."""
    job = _waiting(request)
    store.update(request.db, "job_entries", {"status": "CANCELLED"}, job_id=job["id"])
    _settle(request, job, "CANCELLED")
    return Reply(render(request, existing(request, job["id"])))


def _waiting(request: Call) -> Row:
    job = existing(request, request.path["job_id"])
    if job["status"] != _WAITING:
        raise Refusal(400, f"Job {job['id']} is {job['status']}; it waits for no confirmation")
    return job


def _brief(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "type": row["type"],
        "status": row["status"],
        "updatedAt": row["updated_at"],
    }


def render(request: Call, row: Row) -> dict[str, Any]:
    entries = entries_by_status(request, row["id"])
    return _brief(row) | present(
        settledAt=row["settled_at"],
        totalJobEntries=sum(entries.values()),
        pendingJobEntries=entries.get("PENDING", 0),
        failedJobEntries=entries.get("FAILED", 0) + entries.get("CANCELLED", 0),
        completedJobEntries=entries.get("COMPLETED", 0),
        metadata=unpacked(row, "metadata"),
    )


def _entry(row: Row) -> dict[str, Any]:
    return {
        "entityId": row["entity_id"],
        "jobId": row["job_id"],
        "status": row["status"],
        "createdAt": row["created_at"],
        "metadata": unpacked(row, "metadata"),
    }
