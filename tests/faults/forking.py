"""Servers without the second that starting takes: forked from a process that has loaded all of it.

    python tests/faults/forking.py SOCKET

reads environments from stdin, one a line as JSON, and forks for each; the child is `billing-mcp`
with a connection to that socket as its stdin and stdout. The parent says its process id.
"""

import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import anyio
from anyio.abc import ByteStream, Process, SocketListener
from anyio.streams.buffered import BufferedByteReceiveStream

from billing_mcp import ledgers, tools
from billing_mcp.__main__ import run
from processes import environment

# What a server that writes loads at its start, or at its first write.
LOADED = (
    *("billing_mcp.cli", "billing_mcp.server", "billing_mcp.tenants", "billing_mcp.ledgers"),
    *("billing_mcp.guard.sqlite_ledger", "billing_mcp.guard.policy"),
)
LONGEST_LINE_BYTES = 100
# In a child's environment: by how many seconds its clock is ahead, so that nobody has to wait until
# the lease of a dead process has ended.
AHEAD_S = "FORKED_CLOCK_AHEAD_S"


class Forks:
    """The process to fork from, as its client sees it."""

    def __init__(self, process: Process, listener: SocketListener) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        self._asking, self._answers = process.stdin, BufferedByteReceiveStream(process.stdout)
        self._listener = listener
        self._one_at_a_time = anyio.Lock()

    @asynccontextmanager
    async def child(
        self,
        env: Mapping[str, str],
        *,
        ahead_s: int = 0,
        born: Callable[[int], None] | None = None,
    ) -> AsyncIterator[tuple[ByteStream, ByteStream]]:
        """A new server, and the way to speak with it; at the end it is killed as it stands.

        Its clock is that much ahead. `born` is told its process id, for whoever kills it before.
        """
        async with self._one_at_a_time:
            wanted = {**env, AHEAD_S: str(ahead_s)}
            await self._asking.send(json.dumps(wanted).encode() + b"\n")
            pid = int(await self._answers.receive_until(b"\n", LONGEST_LINE_BYTES))
            stream = await self._listener.accept()
        if born is not None:
            born(pid)
        async with stream:
            try:
                yield stream, stream
            finally:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def forks(log: int = subprocess.DEVNULL) -> AsyncIterator[Forks]:
    """`log` is where the processes' stderr goes, as `subprocess` takes it."""
    tests = str(Path(__file__).parents[1])
    env = environment(PYTHONPATH=os.pathsep.join([tests, *sys.path]))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "socket")
        command = [sys.executable, __file__, path]
        async with (
            await anyio.create_unix_listener(path) as listener,
            await anyio.open_process(command, env=env, stderr=log) as process,
        ):
            try:
                yield Forks(process, listener)
            finally:
                process.kill()


def serve(path: str) -> None:
    gc.disable()
    for module in (*LOADED, *tools.MODULES.values()):
        importlib.import_module(module)
    # Nobody waits for the children.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            _become(path, json.loads(line))
        os.write(1, f"{pid}\n".encode())


def _become(path: str, env: Mapping[str, str]) -> None:
    """Serve as a process does that was started by itself; it never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        # The parent is asked for one at a time, so that it has read nothing ahead of its stdin.
        os.dup2(connection.fileno(), 0)
        os.dup2(connection.fileno(), 1)
    os.environ.update(env)
    _set_clock(timedelta(seconds=int(env[AHEAD_S])))
    sys.argv = ["billing-mcp"]
    try:
        run()
    finally:
        os._exit(1)


def _set_clock(ahead: timedelta) -> None:
    """Let the ledger and all that asks for real time find it later than it is."""

    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + ahead

    vars(ledgers)["datetime"] = Ahead


if __name__ == "__main__":
    serve(sys.argv[1])
