"""How many calls a caller may make in a minute, over MCP and over REST together.

Only calls count: finding out what there is to call is never refused, because clients take a refused
discovery for a server that is down.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from mcp import MCPError
from mcp.types import (
    CallToolResult,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
    JSONRPCResponse,
    TextContent,
)
from mcp.types.version import is_version_at_least
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from billing_mcp import errors, results
from billing_mcp.http import problems
from billing_mcp.http.metrics import Metrics
from billing_mcp.results import Envelope, Outcome
from billing_mcp.server import BillingServer
from billing_mcp.tenants import Caller

logger = logging.getLogger(__name__)

CALLS = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})
# Below /v1, what describes the routes.
_DISCOVERY = ("/v1", "/v1/openapi.json", "/v1/docs")
# Only callers with a valid token are told apart, so it takes as many tokens to push one out.
MOST_CALLERS = 10_000


_MICROSECONDS = 1_000_000
# What one call takes out of a bucket: counted so, what comes back is a whole number too.
_CALL = 60 * _MICROSECONDS


@dataclass(slots=True)
class _Bucket:
    left: int
    filled_at: int  # microseconds


class Buckets:
    """A token bucket for each key: a minute's worth at once, then as fast as they come back."""

    def __init__(self, clock: Callable[[], float], most: int = MOST_CALLERS) -> None:
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def take(self, key: Hashable, per_minute: int) -> int:
        """Take one: 0 when there was one, else the whole seconds until there will be."""
        now = int(self._clock() * _MICROSECONDS)
        full = per_minute * _CALL
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(full, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        bucket.left = min(full, bucket.left + (now - bucket.filled_at) * per_minute)
        bucket.filled_at = now
        if bucket.left >= _CALL:
            bucket.left -= _CALL
            return 0
        return -((bucket.left - _CALL) // (per_minute * _MICROSECONDS))


class RateLimit:
    """The limit of each principal: the tenant's own, or else the server's."""

    def __init__(
        self,
        server: BillingServer,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._metrics = metrics
        self._buckets = Buckets(clock)

    def of_message(self, request: Request, message: JSONRPCMessage) -> Response | None:
        """The answer to an MCP request that is one too many; None to all others.

        A tool's is a result with `isError`, and status 200: hosts show that to the model, which
        can wait, while some take a 429 for the end of the server. The other calls have no such
        result; theirs is a 429 with a JSON-RPC error, which clients raise with its text. Both
        carry `Retry-After`.
        """
        if not isinstance(message, JSONRPCRequest) or message.method not in CALLS:
            return None
        refused = self._charged()
        if refused is None:
            return None
        headers = {"retry-after": str(refused.structured["error"]["retryAfterSeconds"])}
        if message.method == "tools/call":
            text = _result(message, refused, request.headers.get("mcp-protocol-version"))
            return Response(text, 200, headers, "application/json")
        error = ErrorData(code=-32000, message=refused.text, data=refused.structured["error"])
        text = JSONRPCError(jsonrpc="2.0", id=message.id, error=error).model_dump_json()
        return Response(text, 429, headers, "application/json")

    def of_rest(self) -> Response | None:
        """The answer to a REST call that is one too many; None to all others."""
        refused = self._charged()
        return None if refused is None else problems.of_failure(refused)

    def _charged(self) -> Outcome | None:
        try:
            caller = self._server.caller()
        except MCPError:
            return None  # a token of no tenant gets nothing, and is told so
        wait = self._wait(caller)
        if wait == 0:
            return None
        self._metrics.rate_limited()
        facts = {"tenant": caller.tenant.name, "principal": caller.principal}
        logger.info("rate limited", extra={"facts": facts})
        error = errors.RateLimited(
            f"You have made more than the {self._of(caller)} calls a minute that this server "
            "takes from one caller; nothing was sent.",
            retry_after_seconds=wait,
            next_step=f"Wait {wait} seconds, then call again.",
        )
        return results.failure(error, Envelope(caller.tenant.environment()))

    def _wait(self, caller: Caller) -> int:
        limit = self._of(caller)
        return self._buckets.take((caller.tenant.name, caller.principal), limit) if limit else 0

    def _of(self, caller: Caller) -> int:
        own = caller.tenant.settings.rate_limit
        return self._server.catalog.settings.calls_a_minute if own is None else own


class RestRateLimit:
    """Asks the limit about every call below /v1, and about approvals."""

    def __init__(self, app: ASGIApp, limit: RateLimit) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self._app
        if scope["type"] == "http" and _is_call(scope["path"]):
            app = self._limit.of_rest() or app
        await app(scope, receive, send)


def _is_call(path: str) -> bool:
    if path.startswith("/approvals/"):
        return True
    return (
        path.startswith("/v1/")
        and path not in _DISCOVERY
        and not path.startswith((problems.PATH, "/v1/docs/"))
    )


def _result(message: JSONRPCRequest, refused: Outcome, version: str | None) -> str:
    result = CallToolResult(
        content=[TextContent(type="text", text=refused.text)],
        structured_content=refused.structured,
        is_error=True,
    ).model_dump(mode="json", by_alias=True, exclude_none=True)
    if version is None or not is_version_at_least(version, "2026-07-28"):
        result.pop("resultType", None)  # unknown to the revisions before it
    answer = JSONRPCResponse(jsonrpc="2.0", id=message.id, result=result)
    return answer.model_dump_json(by_alias=True, exclude_none=True)
