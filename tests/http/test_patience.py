"""Connections that never finish a request, or never begin one."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from anyio.from_thread import start_blocking_portal

from billing_mcp.config import Settings
from billing_mcp.http.app import BODY_LIMIT_BYTES, app
from billing_mcp.http.patience import BodyDeadline, PatientProtocol
from http_processes import serving
from processes import PATIENCE_S

pytestmark = pytest.mark.anyio


async def trickling(
    body_deadline: float, pieces: int | None, path: str = "/mcp"
) -> list[dict[str, Any]]:
    """What is sent to somebody whose body comes in pieces, or whose end never comes."""
    sent: list[dict[str, Any]] = []
    left = pieces

    async def receive() -> dict[str, Any]:
        nonlocal left
        if left == 0:
            return {"type": "http.request", "body": b"]", "more_body": False}
        if left is None:
            await anyio.sleep(body_deadline / 10)  # a piece at a time, for ever
        else:
            left -= 1
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    with anyio.fail_after(PATIENCE_S):
        await BodyDeadline(reading, body_deadline)(scope, receive, send)
    return sent


async def test_a_body_that_comes_in_many_pieces_is_taken() -> None:
    assert (await trickling(PATIENCE_S, pieces=1_000))[0]["status"] == 200


async def test_a_body_that_never_ends_is_answered_with_408_and_the_connection_is_ended() -> None:
    start, body = await trickling(0.02, pieces=None)
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
    assert body["body"] == b"Request Timeout: the body did not come within 0.02 seconds"


async def test_under_v1_a_body_that_never_ends_is_answered_with_a_problem() -> None:
    start, body = await trickling(0.02, pieces=None, path="/v1/customers")
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert json.loads(body["body"]) == {
        "type": "/v1/problems/request-timeout",
        "title": "The body did not come in time",
        "status": 408,
        "detail": "The body did not come within 0.02 seconds.",
        "kind": "invalid-request",
        "next": "Nothing was sent. Send the request again, its body at once.",
    }


async def test_a_call_may_take_longer_than_its_body_may() -> None:
    answered = []

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await anyio.sleep(0.05)
        answered.append((await receive())["type"])

    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    await BodyDeadline(slow, 0.01)({"type": "http", "headers": []}, receive, send)
    assert answered == ["http.disconnect"]


@contextmanager
def patient(patience_s: float, body_s: float = PATIENCE_S) -> Iterator[int]:
    """The real app behind a real port, with less patience for heads, or for bodies."""
    protocol = type("Impatient", (PatientProtocol,), {"patience_s": patience_s})
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        BodyDeadline(app(Settings()), body_s),
        http=protocol,
        ws="none",
        log_config=None,
        access_log=False,
        timeout_keep_alive=1,
    )
    server = uvicorn.Server(config)

    async def serve() -> None:
        await server.serve(sockets=[listener])

    with start_blocking_portal() as portal:
        served = portal.start_task_soon(serve)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            served.result(timeout=PATIENCE_S)


@pytest.mark.parametrize("asked_before", [False, True])
@pytest.mark.parametrize("begun", [b"", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_a_connection_on_which_no_head_is_completed_is_ended(
    begun: bytes, asked_before: bool
) -> None:
    with patient(0.1) as port, socket.create_connection(("127.0.0.1", port), PATIENCE_S) as line:
        if asked_before:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += line.recv(4_096)
        line.sendall(begun)
        assert line.recv(4_096) == b""


def test_a_request_under_way_is_not_ended_for_its_length() -> None:
    """The head came in time, and the body has a deadline of its own."""
    with patient(0.1) as port, socket.create_connection(("127.0.0.1", port), PATIENCE_S) as line:
        line.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n")
        line.sendall(b"Content-Type: application/json\r\n\r\n{")
        line.settimeout(0.3)
        with pytest.raises(TimeoutError):
            line.recv(1)
        line.sendall(b"}")
        line.settimeout(PATIENCE_S)
        assert line.recv(4_096).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("path", "kind"), [("/mcp", b"text/plain"), ("/v1/customers", b"application/problem+json")]
)
def test_a_body_that_never_ends_is_given_up_and_the_server_goes_on(path: str, kind: bytes) -> None:
    with patient(5, body_s=0.1) as port:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as line:
            line.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n".encode())
            line.sendall(b"Transfer-Encoding: chunked\r\n")
            line.sendall(b"Content-Type: application/json\r\n\r\n1\r\n{\r\n")
            received = b""
            while piece := line.recv(4_096):
                received += piece
        assert received.startswith(b"HTTP/1.1 408")
        assert b"\r\ncontent-type: " + kind in received
        assert httpx2.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


def test_a_body_that_is_declared_too_large_is_refused_before_it_comes() -> None:
    with patient(5) as port, socket.create_connection(("127.0.0.1", port), PATIENCE_S) as line:
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_LIMIT_BYTES + 1}\r\n"
        )
        line.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n")
        assert line.recv(4_096).startswith(b"HTTP/1.1 413")


def test_a_thousand_idle_connections_do_not_stop_a_call() -> None:
    """Under the limit of open files that a process is usually given, which the server raises."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    params = {"name": "list-customers", "arguments": {}}
    headers = {"accept": "application/json", "mcp-protocol-version": "2025-06-18"}
    limits = ("bash", "-c", 'ulimit -S -n 512 && exec "$@"', "bash")
    with serving(before=limits) as server, ExitStack() as idle:
        for _ in range(1_000):
            idle.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE_S))
        answer = httpx2.post(
            f"{server.url}/mcp", json=message | {"params": params}, headers=headers
        )
        assert answer.json()["result"]["structuredContent"]["count"] > 0
        figures = httpx2.get(f"{server.url}/metrics").text
        (files,) = [line for line in figures.splitlines() if line.startswith("process_open_fds ")]
        assert float(files.split()[1]) > 1_000
