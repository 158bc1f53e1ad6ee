"""The sandbox without its network face: one request is one transaction on one database."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, Final

from billing_mcp.sandbox import clock, store, suger, togai
from billing_mcp.sandbox.call import ABSENT, Call, Caller, Refusal, Reply, SandboxSettings
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.routes import RouteTable, Segments, split, vendor_operations

# What falls due on the way is really done, so that a step of centuries would take as long.
_LONGEST_STEP_MONTHS = 120

NOBODY: Final = Caller()
JOBS: tuple[Job, ...] = (*togai.JOBS, *suger.JOBS)

# Living through the demo company takes half a second, copying it a few milliseconds; a process
# that opens many sandboxes, as the tests do, nearly always opens the same. The last few are kept.
_images: dict[tuple[SandboxSettings, Callable[["Backend"], None]], bytes] = {}
_MOST_IMAGES = 4


@cache
def _tables() -> dict[str, RouteTable]:
    """Which handler answers what: the same for every sandbox of a process."""
    return {
        "togai": RouteTable(togai.RESOURCES, vendor_operations("togai")),
        "suger": RouteTable(suger.RESOURCES, vendor_operations("suger")),
    }


class Backend:
    """The emulated state of both vendors and the operations on it.

    The data file, if any, is opened here; `populate` fills an empty sandbox with the demo company.
    Raises `store.UnusableDataFile`.
    """

    def __init__(self, settings: SandboxSettings, populate: Callable[["Backend"], None]) -> None:
        self.settings = settings
        self.populate = populate
        self.tables = _tables()
        self.db, new = store.open_database(settings.data)
        if new:
            self._fill()
        elif settings.now is not None and settings.now > self.now():
            self.advance_to(settings.now)

    def close(self) -> None:
        self.db.close()

    def now(self) -> datetime:
        return clock.now(self.db)

    @contextmanager
    def transaction(
        self,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: Any = ABSENT,
        caller: Caller = NOBODY,
    ) -> Iterator[Call]:
        """A call whose writes are kept if the block ends well, and dropped if it raises."""
        with store.transaction(self.db):
            yield Call(self.db, self.now(), self.settings, path or {}, query or {}, body, caller)

    def answer(
        self,
        vendor: str,
        method: str,
        segments: Segments,
        query: Mapping[str, str],
        body: Any,
        caller: Caller = NOBODY,
    ) -> Reply:
        """Run one operation in its transaction. Raises `Refusal`, then nothing is kept."""
        handler, parameters = self.tables[vendor].find(method, segments)
        with self.transaction(parameters, query, body, caller) as call:
            return handler(call)

    def request(self, method: str, target: str, body: Any = ABSENT, **query: str) -> Any:
        """What the demo company is built with: an operation by its path, such as /togai/credits.

        Gives back the JSON body. Raises `Refusal`.
        """
        vendor, *segments = split(target)
        return self.answer(vendor, method, tuple(segments), query, body).body

    def reset(self, *, demo: bool) -> None:
        """Empty everything and put the clock back to its start."""
        with store.transaction(self.db):
            self._begin(clock.start(self.db), demo=demo)

    def advance_to(self, moment: datetime) -> list[dict[str, Any]]:
        """Move the clock forward, doing on the way what falls due, in order of time.

        Answers what ran: job and time. Raises `Refusal` when the moment is in the past or too far.
        """
        ran: list[dict[str, Any]] = []
        with store.transaction(self.db):
            if moment < self.now():
                raise Refusal(
                    400, f"the clock stands at {clock.shown(self.now())} and only moves forward"
                )
            if moment > clock.months_after(self.now(), _LONGEST_STEP_MONTHS):
                raise Refusal(400, "the clock moves at most ten years at a time")
            while due := self._due_by(moment):
                at = due[0][0]
                clock.move(self.db, at)
                # Several jobs may fall due at one instant; asked again, they would all be past.
                for _, job in (entry for entry in due if entry[0] == at):
                    job.run(Call(self.db, at, self.settings))
                    ran.append({"job": job.name, "time": clock.shown(at)})
            clock.move(self.db, moment)
        return ran

    def _due_by(self, moment: datetime) -> list[tuple[datetime, Job]]:
        now = self.now()
        due = [(at, job) for job in JOBS if (at := job.next_due(self.db, now)) and at <= moment]
        return sorted(due, key=lambda entry: entry[0])

    def run_job(self, name: str, body: Any) -> Reply:
        """Run a job now, whether or not anything is due."""
        for job in JOBS:
            if job.name == name:
                with self.transaction(body=body) as call:
                    return job.run(call)
        names = ", ".join(job.name for job in JOBS)
        raise Refusal(404, f"there is no job {name}; the jobs are: {names}")

    def _fill(self) -> None:
        """Begin a new sandbox; one in memory as the last one began, if that began alike."""
        key = (self.settings, self.populate)
        if key in _images:
            store.restore(self.db, _images[key])
            return
        with store.transaction(self.db):
            self._begin(self.settings.now or clock.START, demo=self.settings.demo)
        if self.settings.data is None:
            if len(_images) == _MOST_IMAGES:
                _images.pop(next(iter(_images)))
            _images[key] = store.image(self.db)

    def _begin(self, moment: datetime, *, demo: bool) -> None:
        store.create(self.db)
        clock.begin(self.db, moment)
        if demo:
            self.populate(self)
