"""How long this server waits for somebody to finish a request: for its head, and for its body."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from billing_mcp.http.refusals import refusal

HEAD_PATIENCE_S = 30
BODY_PATIENCE_S = 30


class _TooSlow(Exception):
    """The body did not come in time."""


class BodyDeadline:
    """Answers 408 when a body takes too long, however steadily it trickles in."""

    def __init__(self, app: ASGIApp, patience_s: float = BODY_PATIENCE_S) -> None:
        self._app = app
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        deadline: float | None = None
        ended = False

        async def in_time() -> Message:
            nonlocal deadline, ended
            if ended:
                return await receive()
            if deadline is None:
                deadline = asyncio.get_running_loop().time() + self._patience_s
            try:
                # Not anyio's, which takes three times as long: every request pays for it.
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise _TooSlow from None
            ended = not message.get("more_body", False)
            return message

        try:
            await self._app(scope, in_time, send)
        except _TooSlow:
            late = f"body did not come within {self._patience_s:g} seconds"
            answer = refusal(
                scope["path"],
                "request-timeout",
                f"The {late}.",
                text=f"Request Timeout: the {late}",
                next_step="Nothing was sent. Send the request again, its body at once.",
                # What is still to come of it cannot be told from the next request.
                headers={"connection": "close"},
            )
            await answer(scope, receive, send)


class PatientProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # chosen at run time
    """uvicorn's HTTP, and an end for connections on which no head of a request is completed.

    uvicorn itself ends only those that are idle after an answer: one that never asks anything, or
    sends its head byte by byte, would stay for ever.
    """

    patience_s: float = HEAD_PATIENCE_S

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Something came and no request is under way, so it was a part of a head.
        if self._awaits_head and self.cycle is not self._watched:
            self._overdue.cancel()
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._overdue.cancel()
        super().connection_lost(exc)

    @property
    def _awaits_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        self._watched = self.cycle
        self._overdue = self.loop.call_later(self.patience_s, self._end_if_still_no_request)

    def _end_if_still_no_request(self) -> None:
        if self.cycle is self._watched and self._awaits_head and not self.transport.is_closing():
            self.transport.close()
