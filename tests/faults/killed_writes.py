"""One write whose process is killed at a moment that is named, and what its successor makes of it,
on the same ledger and for the same operation."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from billing_mcp.guard.operations import Filters, Partition, State
from billing_mcp.guard.sqlite_ledger import SqliteLedger
from faults.company_states import Picture, picture
from faults.forking import Forks
from faults.killing import Server, Start, Write, served
from faults.watched_vendor import Moment, Vendor, Watched
from faults.wishes import Wish
from unguarded import ANYTHING
from world import OPERATION

# A lease is twice as long; the successor comes when it has ended.
CALL_S = 30
LATER_S = 4 * CALL_S
# A call may be told that the write was not done, or that its server was looking it up just then.
TRIES = 3
SETTINGS = {"BILLING_MCP_TOOLSETS": "all", "BILLING_MCP_SECRET_TOOLS": "true"}


@dataclass(frozen=True, slots=True)
class Story:
    """What became of a write: the answer of the first process unless it died, those of the
    successor, and what vendor and ledger have in the end."""

    first: Mapping[str, Any] | None
    # The vendor's at the death of the first process, and in the end.
    left: Picture
    picture: Picture
    answers: list[dict[str, Any]]
    kind: str | None
    writing: list[int]
    states: list[State]
    findings: list[str]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where stories take place."""

    vendor: Vendor
    processes: Forks
    folder: Path

    async def story(self, tool: str, arguments: Mapping[str, Any], kill_at: Moment | None) -> Story:
        """Kill the first process at this moment; None is when its client has its answer."""
        ledger = self.folder / f"{tool} {kill_at}.ledger"
        write = Write(Wish(tool, arguments), OPERATION)
        with self.vendor.copy(kill_at) as (address, watched):
            await self._first(address, ledger, watched, write)
            assert watched.killed == (kill_at is not None), f"{tool} made no such request"
            writing, left = watched.writing, picture(watched.sandbox.backend.db)
            first = write.answers.pop() if write.answers else None
            later = partial(self.processes.child, ahead_s=LATER_S)
            async with self._life(address, ledger, later) as server:
                for _ in range(TRIES):
                    await server.call([write])
                    if write.is_decided:
                        break
            states, findings = await _kept(ledger)
            return Story(
                first,
                left,
                picture(watched.sandbox.backend.db),
                write.answers,
                write.kind,
                writing,
                states,
                findings,
            )

    async def _first(self, address: str, ledger: Path, watched: Watched, write: Write) -> None:
        start = partial(self.processes.child, born=watched.born)
        async with self._life(address, ledger, start) as server:
            try:
                await server.call([write])
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
                assert watched.killed

    def _life(
        self, address: str, ledger: Path, start: Start
    ) -> AbstractAsyncContextManager[Server]:
        return served(address, str(ledger), ANYTHING, call_s=CALL_S, start=start, **SETTINGS)


async def _kept(path: Path) -> tuple[list[State], list[str]]:
    """The states of all operations in the ledger, and what its audit finds amiss."""
    ledger = await SqliteLedger.open(path)
    page = await ledger.list(Partition("default", "live"), Filters(), 10, None)
    verdicts = await ledger.verify()
    await ledger.close()
    findings = [str(finding) for verdict in verdicts for finding in verdict.findings]
    return [row.state for row in page.operations], findings
