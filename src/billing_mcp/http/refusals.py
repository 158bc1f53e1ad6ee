"""What is answered before any route is reached: a problem document under /v1, text elsewhere."""

from collections.abc import Mapping

from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from billing_mcp.http.problems import TYPES, problem, speak_for


def refusal(
    path: str,
    name: str,
    said: str,
    *,
    text: str,
    next_step: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The problem `name` with what is `said`; `text` is the same where nobody reads problems."""
    if not speak_for(path):
        return PlainTextResponse(text, TYPES[name].status, dict(headers or {}))
    facts = {} if next_step is None else {"next": next_step}
    return problem(name, said, headers=headers, **facts)


async def crashed(request: Request, crash: Exception) -> Response:
    """The answer to what nobody foresaw, which says nothing of its inside."""
    _ = crash  # whoever asks for this answer raises it again, and it is logged
    return refusal(
        request.url.path,
        "internal-error",
        "The server failed.",
        text="Internal Server Error",
        next_step="If this was a write, look whether it was applied before you repeat it.",
    )


class BodyLimit:
    """Refuses a body above a size, before all of it has come, by the SDK's own rule."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._limited = RequestBodyLimitMiddleware(app, most_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not speak_for(scope["path"]):
            await self._limited(scope, receive, send)
            return

        async def let_in(scope: Scope, receive: Receive, _: Send) -> None:
            await self._app(scope, receive, send)

        # So all that arrives here is the limit's own, and that is a refusal in text.
        async def refuse(message: Message) -> None:
            if message["type"] == "http.response.start":
                most = f"{self._most_bytes:,} bytes"
                response = problem(
                    "content-too-large",
                    f"The body is above {most}.",
                    next="Nothing was sent. Send less in one request.",
                )
                await response(scope, receive, send)

        await RequestBodyLimitMiddleware(let_in, self._most_bytes)(scope, receive, refuse)
