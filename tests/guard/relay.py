"""A way to a PostgreSQL that a test can cut, as a network or a machine that goes away does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import anyio
from anyio.abc import ByteStream

# What libpq looks for in a folder that it is given as the host.
SOCKET = ".s.PGSQL.5432"
CHUNK = 65_536


@dataclass(slots=True)
class Relay:
    """`url` leads through it. Cut, it drops who is there and turns away who comes."""

    url: str
    is_cut: bool = False
    _there: set[ByteStream] = field(default_factory=set)

    async def cut(self) -> None:
        self.is_cut = True
        for stream in tuple(self._there):
            await stream.aclose()

    def mend(self) -> None:
        self.is_cut = False


@asynccontextmanager
async def relayed(url: str, folder: Path) -> AsyncIterator[Relay]:
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    host, port = given.get("host") or str(parts.hostname), parts.port or 5432
    user, _, _ = parts.netloc.rpartition("@")
    query = urlencode(given | {"host": str(folder)}, quote_via=quote)
    relay = Relay(f"postgresql://{user}{'@' if user else ''}{parts.path}?{query}")

    async def there() -> ByteStream:
        if host.startswith("/"):
            return await anyio.connect_unix(f"{host}/.s.PGSQL.{port}")
        return await anyio.connect_tcp(host, port)

    async def carry(stream: ByteStream) -> None:
        if relay.is_cut:
            await stream.aclose()
            return
        async with stream, await there() as other:
            both = {stream, other}
            relay._there.update(both)
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(_copy, stream, other)
                    group.start_soon(_copy, other, stream)
            finally:
                relay._there.difference_update(both)

    async with (
        await anyio.create_unix_listener(folder / SOCKET) as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, carry)
        yield relay
        group.cancel_scope.cancel()


async def _copy(one: ByteStream, other: ByteStream) -> None:
    """Until either side has gone; the other side is then let go too."""
    try:
        while True:
            await other.send(await one.receive(CHUNK))
    except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
        await one.aclose()
        await other.aclose()
