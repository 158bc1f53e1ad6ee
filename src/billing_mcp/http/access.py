"""The outermost layer: an id for each request, a line in the log for it, and its status counted."""

import logging
import re
import time
from collections.abc import Iterable
from uuid import uuid4

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from billing_mcp.credentials import Credential
from billing_mcp.http.metrics import Metrics
from billing_mcp.logs import RequestContext, current_request, milliseconds

logger = logging.getLogger(__name__)

# Objects that hold a token or a key and would show it.
SECRET_TYPES = (AccessToken, AuthenticatedUser, Credential)

LONGEST_PATH = 200
# What proxies make: UUIDs, hexadecimal, Amazon's `Root=1-…`. Nothing that ends a header or a line.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:=/+@-]{1,128}")
# W3C Trace Context, level 1; a later version may add fields behind these.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


class Access:
    """Wraps the app. Lines about single requests are written at INFO."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Spaces around a value are no part of it (RFC 9110, 5.5); httptools leaves those behind it.
        trimmed = [(name, value.strip(b" \t")) for name, value in scope["headers"]]
        scope = {**scope, "headers": trimmed}
        request = _context(trimmed)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = (b"x-request-id", request.request_id.encode())
                message = {**message, "headers": [*message.get("headers", ()), named]}
            await send(message)

        before = current_request.set(request)
        began = time.perf_counter()
        try:
            await self._app(scope, receive, answer)
        finally:
            self._metrics.answered(status)
            if logger.isEnabledFor(logging.INFO):
                _log(scope, status, time.perf_counter() - began)
            current_request.reset(before)


def _log(scope: Scope, status: int, seconds: float) -> None:
    client = scope.get("client")
    facts = {
        "method": scope["method"],
        # Without the query: in it people put what belongs into a header.
        "path": scope["path"][:LONGEST_PATH],
        "status": status,
        "client": client[0] if client else None,
        "durationMs": milliseconds(seconds),
    }
    logger.info("request", extra={"facts": facts})


def _context(headers: Iterable[tuple[bytes, bytes]]) -> RequestContext:
    request_id = trace_id = None
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"traceparent":
            trace_id = _trace_id(value)
    return RequestContext(request_id or uuid4().hex, trace_id)


def _trace_id(traceparent: bytes) -> str | None:
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or (found[1] == b"00" and found[3] is not None):
        return None
    return found[2].decode()
