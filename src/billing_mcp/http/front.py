"""What a request to the MCP endpoint passes before the SDK reads it, the same in both eras."""

from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from billing_mcp.json_rpc import NotAMessageError, message_in


class Front:
    """Refuses what the SDK would answer differently in each era, or would take.

    It expects a body that is already bounded and collected into one piece, as the limit on the
    size of bodies leaves it.
    """

    def __init__(self, app: ASGIApp, path: str, security: TransportSecuritySettings) -> None:
        self._app = app
        self._path = path
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        refused = await self._security.validate_request(request) or _refusal(request)
        body = await receive()
        if body["type"] != "http.request" or body["more_body"]:
            return  # whoever asked has gone before the end of the question
        refused = refused or _no_message(body["body"])
        await (refused or self._app)(scope, _again(body, receive), send)


def _refusal(request: Request) -> Response | None:
    if request.method != "POST":
        # GET would open a stream that nothing is ever sent on, and DELETE end a session: a
        # stateless server has neither (2025-11-25 allows this answer, 2026-07-28 asks for it).
        headers = {"allow": "POST"}
        return PlainTextResponse("Method Not Allowed: POST one message", 405, headers)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return PlainTextResponse("Unsupported Media Type: send application/json", 415)
    return None


def _no_message(body: bytes) -> Response | None:
    try:
        message_in(body)
    except NotAMessageError as error:
        answer = error.answer.model_dump_json(exclude_unset=True)
        return Response(answer, 400, media_type="application/json")
    return None


def _again(first: Message, receive: Receive) -> Receive:
    """A `receive` that begins with a message which has been received already."""
    messages = [first]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again
