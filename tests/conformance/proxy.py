"""A proxy that shows a token for a client that has none to show, and changes nothing else."""

import httpx2
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

# What says something about one connection only; and the date, which uvicorn writes by itself.
NOT_PASSED_ON = {b"connection", b"keep-alive", b"transfer-encoding", b"date"}


class Proxy:
    """Passes requests on as they come, `Host` included, so that the server judges it itself.

    Answers pass piece by piece: in a stream of events the first arrives before the last is sent.
    """

    def __init__(self, origin: str, token: str) -> None:
        self._origin = origin
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "uvicorn goes on without a lifespan"
        question = self._question(Request(scope, receive))
        # A connection for each request, which ends with it: also when the client has left.
        async with httpx2.AsyncHTTPTransport(verify=False) as transport:
            answer = await transport.handle_async_request(question)
            assert isinstance(answer.stream, httpx2.AsyncByteStream)
            response = StreamingResponse(answer.stream, answer.status_code)
            response.raw_headers = _passed_on(answer.headers.raw)
            await response(scope, receive, send)

    def _question(self, request: Request) -> httpx2.Request:
        path, query = request.scope["raw_path"].decode(), request.scope["query_string"].decode()
        has_body = {"content-length", "transfer-encoding"} & set(request.headers)
        headers = [h for h in _passed_on(request.headers.raw) if h[0] != b"authorization"]
        return httpx2.Request(
            request.method,
            f"{self._origin}{path}{'?' if query else ''}{query}",
            headers=[*headers, (b"authorization", f"Bearer {self._token}".encode())],
            content=request.stream() if has_body else None,
        )


def _passed_on(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    # Spaces around a value are no part of it (RFC 9110, 5.5); httptools leaves them at its end.
    lowered = [(name.lower(), value.strip(b" \t")) for name, value in headers]
    return [(name, value) for name, value in lowered if name not in NOT_PASSED_ON]
