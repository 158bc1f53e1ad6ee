"""The sandbox as an ASGI app: what is true of every request, whichever vendor it is for."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import anyio

from billing_mcp import money
from billing_mcp.sandbox import clock, control
from billing_mcp.sandbox.backend import Backend
from billing_mcp.sandbox.call import ABSENT, Caller, Refusal, Reply, SandboxSettings
from billing_mcp.sandbox.faults import AFTER, BEFORE, Fault, Faults

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Ours: neither vendor documents its largest body. A hundred times a full batch of small events.
LARGEST_BODY_BYTES = 1_048_576

# Ours as well; the vendors' deepest body has less than a third of that.
_DEEPEST_BODY = 40

# Under this name `serve` hands the app a way to abort the connection, in the scope's state.
ABORT = "abort_connection"

# Togai's documented quotas of a test organisation, requests per second.
_INGEST_PER_SECOND = 50
_OTHER_PER_SECOND = 10

_JSON = {"content-type": "application/json"}
_GARBAGE = b"<!doctype html><title>It works</title><p>This is not the API."

_log = logging.getLogger(__name__)


class Sandbox:
    """Both vendors and the controls, under /togai, /suger and /control."""

    def __init__(self, settings: SandboxSettings, populate: Callable[[Backend], None]) -> None:
        self.backend = Backend(settings, populate)
        self.faults = Faults()
        self._quota_second = ""
        self._quota_used: Counter[str] = Counter()

    def close(self) -> None:
        """Close the database; the app answers no more after this."""
        self.backend.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the sandbox speaks HTTP, not {scope['type']}")
        body = await _read_body(receive)
        method, raw_path = scope["method"], _raw_path(scope)
        fault = None
        if not raw_path.startswith("/control"):
            fault = self.faults.strike(method, unquote(raw_path))
        if fault and fault.mode in BEFORE:
            await _fail(fault, raw_path, scope, receive, send)
            return
        reply = self._answer(scope, method, raw_path, body)
        if fault and fault.mode in AFTER:
            await _spoil(fault, reply, scope, receive, send)
            return
        await _send(send, reply.status, _encoded(reply), reply.headers)

    def _answer(self, scope: Scope, method: str, raw_path: str, raw_body: bytes | None) -> Reply:
        try:
            vendor, *rest = _segments(raw_path)
            query = _query(scope["query_string"])
            if vendor == "control":
                request = control.Request(method, tuple(rest), query, _parsed(raw_body))
                return control.answer(self.backend, self.faults, request)
            caller = _caller(vendor, scope)
            if vendor == "togai" and self.backend.settings.quotas:
                self._count_request(rest)
            parsed = _parsed(raw_body)
            return self.backend.answer(vendor, method, tuple(rest), query, parsed, caller)
        except Refusal as refusal:
            return _refused(raw_path, refusal)

    def _count_request(self, segments: list[str]) -> None:
        """Hold Togai's quotas per second; the second is the sandbox's own, which stands still."""
        second = clock.written(self.backend.now())[:19]
        if second != self._quota_second:
            self._quota_second = second
            self._quota_used.clear()
        group = segments[0] if segments and segments[0] in ("ingest", "ingestBatch") else ""
        self._quota_used[group] += 1
        if self._quota_used[group] > (_INGEST_PER_SECOND if group else _OTHER_PER_SECOND):
            raise Refusal(429, "Too many requests in this second", {"Retry-After": "1"})


def _caller(vendor: str, scope: Scope) -> Caller:
    """Any key will do, but there has to be one. Refuses with 401, or 404 if there is no vendor."""
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1")
    return Caller(_key(vendor, headers), f"{scope['scheme']}://{host}")


def _key(vendor: str, headers: dict[bytes, bytes]) -> str:
    if vendor not in ("togai", "suger"):
        raise Refusal(404, "the sandbox answers under /togai, /suger and /control")
    scheme, _, key = headers.get(b"authorization", b"").strip().partition(b" ")
    if vendor == "suger":
        if scheme.lower() not in (b"key", b"bearer") or not key.strip():
            raise Refusal(401, "the header Authorization: Key <api key> is missing")
        return key.decode("latin-1")
    token = key.strip() if scheme.lower() == b"bearer" else b""
    token = token or headers.get(b"x-api-key", b"").strip()
    if not token:
        raise Refusal(401, "Unauthorized: send Authorization: Bearer <token> or X-API-Key")
    return token.decode("latin-1")


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, or None when it is too large; then the rest is read and dropped."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size <= LARGEST_BODY_BYTES:
            parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if size <= LARGEST_BODY_BYTES else None


def _parsed(raw: bytes | None) -> Any:
    if raw is None:
        raise Refusal(413, f"the body is larger than {LARGEST_BODY_BYTES} bytes")
    if not raw:
        return ABSENT
    try:
        body = money.from_json(raw)
        _check_depth(body)
        if b"\\u" in raw:
            # Half a surrogate pair can be written in JSON, but it is no text.
            money.to_json(body)
    except ValueError as error:
        raise Refusal(400, f"the body is not JSON: {error}") from error
    return body


def _check_depth(body: Any) -> None:
    """Raise `ValueError` for nesting that a handler might follow until its stack ends."""
    level, depth = [body], 0
    while level:
        if depth > _DEEPEST_BODY:
            raise ValueError(f"it is nested deeper than {_DEEPEST_BODY}")
        depth += 1
        inner = [value for value in level if isinstance(value, dict | list)]
        level = [
            item
            for value in inner
            for item in (value.values() if isinstance(value, dict) else value)
        ]


def _raw_path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    return raw.decode("latin-1") if raw else str(scope["path"])


def _segments(raw_path: str) -> list[str]:
    """The path's parts, decoded one by one, so that an encoded slash stays in its part."""
    try:
        return [unquote(part, errors="strict") for part in raw_path.lstrip("/").split("/")]
    except UnicodeDecodeError as error:
        raise Refusal(400, "the path is not UTF-8") from error


def _query(raw: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict"))
    except ValueError as error:
        raise Refusal(400, "the query is not UTF-8") from error


def _refused(raw_path: str, refusal: Refusal) -> Reply:
    """Togai says {"message"}, at most 500 characters; Suger says a JSON string."""
    if raw_path.startswith("/suger"):
        return Reply(refusal.message, refusal.status, refusal.headers)
    return Reply({"message": refusal.message[:500]}, refusal.status, refusal.headers)


def _encoded(reply: Reply) -> bytes:
    return reply.body if isinstance(reply.body, bytes) else money.to_json(reply.body)


async def _fail(fault: Fault, raw_path: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer instead of the operation."""
    _log.debug("fault %s on %s", fault.mode, raw_path)
    if fault.mode == "reset-before":
        await _reset(scope, receive)
        return
    if fault.mode == "garbage":
        await _send(send, 200, _GARBAGE, {"content-type": "text/html; charset=utf-8"})
        return
    retry = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    message = f"a fault of the sandbox answers {fault.status}"
    reply = _refused(raw_path, Refusal(fault.status, message, retry))
    await _send(send, reply.status, _encoded(reply), reply.headers)


async def _spoil(fault: Fault, reply: Reply, scope: Scope, receive: Receive, send: Send) -> None:
    """Spoil the answer of an operation that was carried out."""
    if fault.mode == "reset-after":
        await _reset(scope, receive)
        return
    body = _encoded(reply)
    if fault.mode == "truncate":
        body = body[: len(body) // 2]
    else:
        await anyio.sleep(int(fault.delay_s * 1000) / 1000)
    await _send(send, reply.status, body, reply.headers)


async def _reset(scope: Scope, receive: Receive) -> None:
    """Abort the connection without an answer."""
    abort = scope.get("state", {}).get(ABORT)
    if abort is None:
        # Embedded there is no connection; this is what the client's transport would raise.
        raise ConnectionResetError("the sandbox reset the connection")
    abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, status: int, body: bytes, headers: Any) -> None:
    named = {**_JSON, **headers, "X-Sandbox": "billing-mcp", "Content-Length": str(len(body))}
    wire = [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": wire})
    await send({"type": "http.response.body", "body": body})
