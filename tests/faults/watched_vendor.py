"""Copies of one company behind one port, each at a path of its own: a vendor that sees which
requests change it, and kills who sends one of them at a moment that a test names."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from anyio.from_thread import start_blocking_portal

from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox, store
from billing_mcp.sandbox.app import Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Moment:
    """Of the requests of a process, counted from zero: before the vendor hears of this one, or
    after it has done it and before its answer leaves."""

    request: int
    when: Literal["before", "after"]

    def __str__(self) -> str:
        return f"{self.when} request {self.request}"


@dataclass(slots=True)
class Watched:
    """One copy. `kill_at` is when its client dies; that happens once."""

    sandbox: Sandbox
    kill_at: Moment | None
    process: int | None = None
    # Of each request whether it wrote something. Reading may change what is kept as well: what
    # has run up since.
    requests: list[bool] = field(default_factory=list)
    killed: bool = False

    def born(self, process: int) -> None:
        self.process = process

    @property
    def writing(self) -> list[int]:
        return [number for number, wrote in enumerate(self.requests) if wrote]

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = len(self.requests)
        self.requests.append(False)
        if await self._kills(Moment(number, "before"), receive):
            return
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        changes = self.sandbox.backend.db.total_changes
        await self.sandbox(scope, receive, keep)
        has_changed = self.sandbox.backend.db.total_changes > changes
        self.requests[number] = has_changed and scope["method"] != "GET"
        if await self._kills(Moment(number, "after"), receive):
            return
        for message in messages:
            await send(message)

    async def _kills(self, moment: Moment, receive: Receive) -> bool:
        if self.killed or moment != self.kill_at:
            return False
        assert self.process is not None
        # Known before it is so: its client hears of the death in another thread.
        self.killed = True
        os.kill(self.process, signal.SIGKILL)
        # The system closes the connections of the dead.
        while (await receive())["type"] != "http.disconnect":
            pass
        return True


@dataclass(slots=True)
class Vendor:
    """All copies, as one ASGI app."""

    image: bytes
    address: str = ""
    _copies: dict[str, Watched] = field(default_factory=dict)

    @contextmanager
    def copy(self, kill_at: Moment | None) -> Iterator[tuple[str, Watched]]:
        """A fresh copy of the company, and its address, for as long as the block lasts."""
        sandbox = open_sandbox(SandboxSettings(demo=False))
        store.restore(sandbox.backend.db, self.image)
        watched = Watched(sandbox, kill_at)
        name = str(id(watched))
        self._copies[name] = watched
        try:
            yield f"{self.address}/{name}", watched
        finally:
            del self._copies[name]
            sandbox.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, _, path = scope["raw_path"].decode().removeprefix("/").partition("/")
        inner: dict[str, Any] = {**scope, "path": f"/{path}", "raw_path": f"/{path}".encode()}
        await self._copies[name].answer(inner, receive, send)


@contextmanager
def served_copies(image: bytes) -> Iterator[Vendor]:
    """The vendor on a loopback port, of copies of this company."""
    vendor = Vendor(image)
    config = uvicorn.Config(
        vendor, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener, start_blocking_portal() as portal:
        vendor.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = portal.start_task_soon(server.serve, [listener])
        try:
            yield vendor
        finally:
            server.should_exit = True
            serving.result()
