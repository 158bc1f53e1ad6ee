"""A real `billing-mcp` process that is killed in the middle of writes, and the client that comes
back to its successor with the same operation ids."""

import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream
from anyio.streams.buffered import BufferedByteReceiveStream

from faults.undecidable import is_lost_for_good
from faults.wishes import Wish, Wishes
from processes import command, environment
from unguarded import ANYTHING

LONGEST_LINE_BYTES = 1_000_000
# A call that waits for the lease of a dead process is told so after a while, and comes again.
PATIENCE_S = 600
# The longest that a call may take; a lease is twice as long.
CALL_S = 2
# New ones in each life.
AT_ONCE = 4
# How many that are not yet known are asked for again in one life: more than a death leaves behind,
# so that they do not pile up, and no more than a slow machine does within a lease.
AGAIN = 8
# So many processes live and die at once, each on a ledger of its own: most of a life is its start.
LANES = 4
# How long a process lives after it was asked to write, or after some of its answers: the first is
# mostly before it sends anything, the second while it sends and records.
LONGEST_START_MS = 600
LONGEST_WORK_MS = 25


@dataclass(slots=True)
class Write:
    """A write that a client wants done, under one id until it knows."""

    wish: Wish
    operation_id: str
    answers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def tool(self) -> str:
        return self.wish.tool

    @property
    def kind(self) -> str | None:
        """`ok` or the kind of the latest error; None when no answer came."""
        if not self.answers:
            return None
        return str(self.answers[-1].get("error", {}).get("kind", "ok"))

    @property
    def is_decided(self) -> bool:
        return self.kind not in (None, "outcome-unknown", "unavailable", "rate-limited")


def writes(wishes: Wishes, random: Random) -> Iterator[Write]:
    """Writes without end, each on something of its own."""
    for number in count(1):
        operation_id = str(UUID(int=random.getrandbits(128), version=4))
        yield Write(wishes(number), operation_id)


class Server:
    """A `billing-mcp` process over stdio, spoken to line by line."""

    def __init__(self, says: ByteReceiveStream, hears: ByteSendStream) -> None:
        self._lines = BufferedByteReceiveStream(says)
        self._hears = hears
        self._number = 0

    async def say(self, method: str, params: Any, *, answered: bool = True) -> int:
        self._number += 1
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if answered:
            message["id"] = self._number
        await self._hears.send(json.dumps(message).encode() + b"\n")
        return self._number

    async def heard(self) -> dict[str, Any]:
        """The next line. Raises `anyio.EndOfStream` or `IncompleteRead` when it was killed."""
        line = await self._lines.receive_until(b"\n", LONGEST_LINE_BYTES)
        message: dict[str, Any] = json.loads(line)
        return message

    async def call(self, wanted: list[Write], most: int | None = None) -> None:
        """Ask for all at once, and take the answers as they come, or this many of them."""
        asked = {}
        for write in wanted:
            arguments = {**write.wish.arguments, "operationId": write.operation_id}
            params = {"name": write.tool, "arguments": arguments}
            asked[await self.say("tools/call", params)] = write
        left = 0 if most is None else len(asked) - most
        while len(asked) > left:
            message = await self.heard()
            if message.get("id") in asked:
                write = asked.pop(message["id"])
                write.answers.append(message["result"]["structuredContent"])


Pipes = tuple[ByteReceiveStream, ByteSendStream]
Start = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Pipes]]


@asynccontextmanager
async def started(env: Mapping[str, str]) -> AsyncIterator[Pipes]:
    """The command, as anybody starts it."""
    process = await anyio.open_process(command(), env=environment(**env), stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdin is not None
    async with process:
        try:
            yield process.stdout, process.stdin
        finally:
            with anyio.CancelScope(shield=True):
                process.kill()
                await process.wait()


@asynccontextmanager
async def served(
    vendor: str,
    ledger: str,
    policy: Path,
    *,
    call_s: int = CALL_S,
    start: Start = started,
    **more: str,
) -> AsyncIterator[Server]:
    """A new process on this ledger, a file or a URL; killed at the end, as it stands.

    `more` are further variables of its environment.
    """
    env = {
        "TOGAI_API_KEY": "togai-key",
        "TOGAI_BASE_URL": f"{vendor}/togai",
        "SUGER_API_KEY": "suger-key",
        "SUGER_BASE_URL": f"{vendor}/suger",
        "SUGER_ORG_ID": "sandbox",
        "BILLING_MCP_UPSTREAM_TIMEOUT": str(call_s),
        "BILLING_MCP_LEDGER_URL": ledger,
        "BILLING_MCP_POLICY": str(policy),
        **more,
    }
    async with start(env) as (says, hears):
        server = Server(says, hears)
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}}
        await server.say("initialize", hello | {"clientInfo": {"name": "test", "version": "1"}})
        await server.heard()
        await server.say("notifications/initialized", {}, answered=False)
        yield server


async def killed_over_and_over(
    vendor: str,
    folder: Path,
    new: Iterator[Write],
    random: Random,
    kills: int,
    *,
    start: Start,
    last: Start,
) -> dict[Path, list[Write]]:
    """Ask for writes, new ones and those not yet known, and kill the process while it is at them.

    Gives back every write by its ledger, after a `last` process has been let live until it has
    answered.
    """
    asked: dict[Path, list[Write]] = {}

    async def lane(number: int, random: Random) -> None:
        ledger = folder / f"{number}.ledger"
        asked[ledger] = []
        serve = partial(served, vendor, str(ledger), ANYTHING, BILLING_MCP_TOOLSETS="all")
        lives = _Lives(partial(serve, start=start), asked[ledger], random)
        for _ in range(kills // LANES):
            await lives.one([next(new) for _ in range(AT_ONCE)])
        await lives.last(partial(serve, start=last))

    async with anyio.create_task_group() as lanes:
        for number in range(LANES):
            lanes.start_soon(lane, number, Random(random.getrandbits(64)))
    return asked


Serve = Callable[[], AbstractAsyncContextManager[Server]]


@dataclass(slots=True)
class _Lives:
    """The processes that live one after the other on one ledger, and all they were asked for."""

    serve: Serve
    asked: list[Write]
    random: Random

    async def one(self, fresh: list[Write]) -> None:
        left = self.left()
        wanted = [*fresh, *self.random.sample(left, min(AGAIN, len(left)))]
        self.asked += fresh
        async with self.serve() as server:
            if self.random.random() < 0.3:
                with anyio.move_on_after(self.random.randrange(LONGEST_START_MS) / 1000):
                    await server.call(wanted)
            else:
                await server.call(wanted, self.random.randrange(len(wanted)))
                await anyio.sleep(self.random.randrange(LONGEST_WORK_MS) / 1000)

    async def last(self, serve: Serve) -> None:
        async with serve() as server:
            with anyio.move_on_after(PATIENCE_S):
                while left := self.left():
                    await server.call(left[:AGAIN])

    def left(self) -> list[Write]:
        """Those asked for least often first, so that each has its turn."""
        open_ones = [write for write in self.asked if _may_be_decided(write)]
        return sorted(open_ones, key=lambda write: len(write.answers))


def _may_be_decided(write: Write) -> bool:
    is_lost = bool(write.answers) and is_lost_for_good(write.tool, write.answers[-1])
    return not write.is_decided and not is_lost
