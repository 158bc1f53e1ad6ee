"""What a request to the MCP endpoint passes before the SDK reads it, the same in both eras."""

from collections.abc import Callable

from mcp.types import (
    HEADER_MISMATCH,
    PROTOCOL_VERSION_META_KEY,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
)
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from billing_mcp.json_rpc import NotAMessageError, message_in

Limit = Callable[[Request, JSONRPCMessage], Response | None]
"""The answer to a message that is one too many; None to all others."""


class Front:
    """Refuses what the SDK would answer differently in each era, or would take.

    It expects a body that is already bounded and collected into one piece, as the limit on the
    size of bodies leaves it.
    """

    def __init__(self, app: ASGIApp, path: str, limit: Limit) -> None:
        self._app = app
        self._path = path
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refused = _refusal(request)
        body = await receive()
        if body["type"] != "http.request" or body["more_body"]:
            return  # whoever asked has gone before the end of the question
        refused = refused or self._refused_body(request, body["body"])
        await (refused or self._app)(scope, _again(body, receive), send)

    def _refused_body(self, request: Request, body: bytes) -> Response | None:
        try:
            message = message_in(body)
            answer = _contradiction(request, message)
        except NotAMessageError as error:
            answer = error.answer
        else:
            if answer is None:
                return self._limit(request, message)
        text = answer.model_dump_json(exclude_unset=True)
        return Response(text, 400, media_type="application/json")


def _refusal(request: Request) -> Response | None:
    if len(request.headers.getlist("host")) > 1:
        # Of two readers each might believe another one (RFC 9112, 3.2, asks for this answer).
        return PlainTextResponse("Bad Request: more than one Host", 400)
    if request.method != "POST":
        # GET would open a stream that nothing is ever sent on, and DELETE end a session: a
        # stateless server has neither (2025-11-25 allows this answer, 2026-07-28 asks for it).
        headers = {"allow": "POST"}
        return PlainTextResponse("Method Not Allowed: POST one message", 405, headers)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return PlainTextResponse("Unsupported Media Type: send application/json", 415)
    return None


def _contradiction(request: Request, message: JSONRPCMessage) -> JSONRPCError | None:
    """The header alone tells the SDK which era to serve, so a body that names another is refused.

    As 2026-07-28 asks ("Server Validation"); a body of the older revisions names none.
    """
    if not isinstance(message, JSONRPCRequest):
        return None
    meta = (message.params or {}).get("_meta")
    if not isinstance(meta, dict) or PROTOCOL_VERSION_META_KEY not in meta:
        return None
    if request.headers.getlist("mcp-protocol-version") == [meta[PROTOCOL_VERSION_META_KEY]]:
        return None
    said = f"The header mcp-protocol-version is not what {PROTOCOL_VERSION_META_KEY} says"
    error = ErrorData(code=HEADER_MISMATCH, message=said)
    return JSONRPCError(jsonrpc="2.0", id=message.id, error=error)


def _again(first: Message, receive: Receive) -> Receive:
    """A `receive` that begins with a message which has been received already."""
    messages = [first]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again
