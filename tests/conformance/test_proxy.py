"""What stands between the suite and a server that wants a token adds one, and is else not there."""

import json
import socket
import threading

import anyio
import httpx2
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from conformance.app import listening
from conformance.proxy import Proxy
from processes import PATIENCE_S

STARTED = {"type": "http.response.start", "status": 200, "headers": []}


def piece(content: bytes, *, more: bool = True) -> dict[str, object]:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell what has been asked."""
    assert scope["type"] == "http"
    request = Request(scope, receive)
    told = {
        "asked": f"{request.method} {scope['raw_path'].decode()}?{request.url.query}",
        "headers": [(name.decode(), value.decode()) for name, value in request.headers.raw],
        "body": (await request.body()).decode(),
    }
    await JSONResponse(told, 202, {"x-told": "yes"})(scope, receive, send)


def test_a_server_gets_the_request_as_it_was_sent_and_a_token() -> None:
    with listening(mirror) as origin, listening(Proxy(origin, "a-token")) as proxy:
        headers = {
            "host": "billing.example",
            "authorization": "Bearer another",
            "mcp-name": "list-customers",
        }
        answer = httpx2.put(f"{proxy}/m%63p?a=b%26", headers=headers, content=b"{}")
    told = answer.json()
    assert (answer.status_code, answer.headers.get_list("x-told")) == (202, ["yes"])
    assert (told["asked"], told["body"]) == ("PUT /m%63p?a=b%26", "{}")
    sent = [tuple(pair) for pair in told["headers"]]
    assert len(sent) == len({name for name, _ in sent})
    assert {
        "host": "billing.example",
        "authorization": "Bearer a-token",
        "mcp-name": "list-customers",
        "content-length": "2",
    }.items() <= dict(sent).items()


def test_a_piece_of_an_answer_arrives_before_the_next_one_is_sent() -> None:
    arrived = threading.Event()

    async def in_two_pieces(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send(STARTED)
        await send(piece(b"first"))
        in_time = await anyio.to_thread.run_sync(arrived.wait, PATIENCE_S / 2)
        await send(piece(b"second" if in_time else b"too late", more=False))

    with (
        listening(in_two_pieces) as origin,
        listening(Proxy(origin, "a-token")) as proxy,
        httpx2.stream("GET", proxy, timeout=PATIENCE_S) as answer,
    ):
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        arrived.set()
        assert list(pieces) == [b"second"]


def test_a_client_that_leaves_has_left_the_server_as_well() -> None:
    left = threading.Event()

    async def until_nobody_listens(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send(STARTED)
        await send(piece(b"first"))
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    with listening(until_nobody_listens) as origin, listening(Proxy(origin, "a-token")) as proxy:
        with httpx2.stream("GET", proxy, timeout=PATIENCE_S) as answer:
            assert next(answer.iter_raw()) == b"first"
        assert left.wait(PATIENCE_S)


def test_spaces_after_a_value_do_not_stop_a_request() -> None:
    with listening(mirror) as origin, listening(Proxy(origin, "a-token")) as proxy:
        told = _answer_to(proxy, b"mcp-name:  list-customers \t ")
    assert ["mcp-name", "list-customers"] in told["headers"]


def _answer_to(origin: str, header: bytes) -> dict[str, list[list[str]]]:
    """A request written by hand, because HTTP clients do not send what this is about."""
    host, port = origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), PATIENCE_S) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n%b\r\n\r\n" % header
        )
        with connection.makefile("rb") as file:
            told: dict[str, list[list[str]]] = json.loads(file.read().partition(b"\r\n\r\n")[2])
    return told
