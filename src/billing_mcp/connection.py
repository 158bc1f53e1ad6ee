"""The way to one vendor of one tenant: HTTP connections, the credential, and their bounds.

The only module that knows the HTTP client. Everything above it sees an `Exchange` or one of two
failures, and cannot tell a vendor on the network from the embedded sandbox.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

import anyio
import httpx2

from billing_mcp import __version__
from billing_mcp.credentials import Credential, Environment
from billing_mcp.telemetry import Nobody, Observer

CONNECT_TIMEOUT_S = 5
ANSWER_LIMIT_BYTES = 32 * 1024 * 1024
# The client's pool looks at every idle connection of its own for every request, so 128 in one pool
# are half as fast as two in each of 64 (benchmarks/README.md). The first lane with room takes the
# next request.
LANE_WIDTH = 2

Application = Callable[[Any, Any, Any], Awaitable[None]]


class Unreachable(Exception):
    """No connection could be made: nothing was sent."""


class Broken(Exception):
    """The connection broke after the request may have arrived."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """An answer as it came. `content` is None when it was longer than any true answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes | None


@dataclass(slots=True)
class _Lane:
    client: httpx2.AsyncClient
    busy: int = 0


@dataclass(slots=True)
class Connection:
    """A vendor of a tenant, as long as the server lives.

    `application` is an embedded vendor (an ASGI app) that is called instead of the network.
    `sleep` and `jitter` (0..1) are injected so that tests need neither time nor luck.
    """

    credential: Credential
    timeout_s: float
    concurrency: int
    application: Application | None = None
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    jitter: Callable[[], float] = random.random
    observer: Observer = field(default_factory=Nobody)
    # Whether the latest answer said that it was a sandbox's, wherever the base URL leads.
    emulated: bool = False
    _lanes: list[_Lane] = field(default_factory=list, init=False)
    _ssl: SSLContext | None = field(default=None, init=False)
    _limiter: anyio.CapacityLimiter | None = field(default=None, init=False)

    @property
    def environment(self) -> Environment:
        return "sandbox" if self.application or self.emulated else self.credential.environment

    @property
    def limiter(self) -> anyio.CapacityLimiter:
        """Held by each request while it is on its way: how many may be at once."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self.concurrency)
        return self._limiter

    async def exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Exchange:
        """Send one request and read its answer; hold the `limiter` around it.

        Raises `Unreachable` or `Broken`.
        """
        lane = self._lane()
        lane.busy += 1
        try:
            request = lane.client.build_request(
                method,
                self.credential.base_url + path,
                params=query,
                content=content,
                headers=None if content is None else {"content-type": "application/json"},
            )
            response = await lane.client.send(request, stream=True)
            try:
                received = await _bounded(response)
            finally:
                await response.aclose()
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise Unreachable(type(error).__name__) from error
        # An embedded vendor has no connection to abort; it raises what a socket would.
        except (httpx2.TransportError, httpx2.DecodingError, OSError) as error:
            raise Broken(type(error).__name__) from error
        finally:
            lane.busy -= 1
        return Exchange(response.status_code, response.headers, received)

    def _lane(self) -> _Lane:
        for lane in self._lanes:
            if lane.busy < LANE_WIDTH:
                return lane
        self._lanes.append(_Lane(self._client()))
        return self._lanes[-1]

    def _client(self) -> httpx2.AsyncClient:
        # One for all lanes, because it takes longer than a call; an embedded vendor needs none.
        if self._ssl is None and self.application is None:
            self._ssl = httpx2.create_ssl_context()
        return httpx2.AsyncClient(
            headers={
                "authorization": self.credential.authorization.get_secret_value(),
                "accept": "application/json",
                "user-agent": f"billing-mcp/{__version__}",
            },
            limits=httpx2.Limits(max_connections=LANE_WIDTH, max_keepalive_connections=LANE_WIDTH),
            # The deadline of the call bounds everything; making a connection has less.
            timeout=httpx2.Timeout(self.timeout_s, connect=CONNECT_TIMEOUT_S),
            transport=self.application and httpx2.ASGITransport(self.application),
            trust_env=self.application is None,
            verify=self._ssl or True,
        )

    async def close(self) -> None:
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            await lane.client.aclose()


async def _bounded(response: httpx2.Response) -> bytes | None:
    pieces = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > ANSWER_LIMIT_BYTES:
            return None
        pieces.append(piece)
    return b"".join(pieces)
