"""Two thousand messages gone wrong, over both transports: no crash, no hang, the right answer."""

import json
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.client import HTTPException, HTTPResponse
from typing import IO, Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from processes import PATIENCE_S, command, environment
from transports.fuzzed_calls import OF_ERA, UNSERVED
from transports.fuzzed_messages import (
    BROKEN,
    CLIENT,
    SILENCE,
    VERSIONS,
    Answer,
    Draw,
    Era,
    Fuzzed,
    written,
)
from transports.fuzzed_requests import (
    CLOSED,
    OVER_HTTP,
    OVER_HTTP_OF_ERA,
    Exchange,
    mirrored,
    posted,
    request,
)

pytestmark = pytest.mark.anyio

# Two thousand over each transport: over stdio in both eras, over HTTP in both with and without SSE.
LONG_STDIO = 1_000
LONG_HTTP = 500
PROBED_EVERY = 50
LONGEST_ERROR = 20_000  # characters; no error repeats megabytes that were sent


def is_right(answer: Answer, got: dict[str, Any] | None) -> bool:
    if answer.silent or got is None:
        return answer.silent and got is None
    if got["jsonrpc"] != "2.0" or got["id"] != answer.id:
        return False
    if answer.anything:
        return ("result" in got) != ("error" in got)
    if answer.code is not None:
        return "error" in got and bool(got["error"]["code"] == answer.code)
    failure = got.get("result", {}).get("structuredContent", {}).get("error", {})
    return "result" in got and failure.get("kind") == answer.kind


def short(text: object) -> str:
    return str(text)[:600]


def drawn(transport: str, era: Era, count: int, kinds: tuple[Any, ...]) -> Iterator[Any]:
    """Each kind in turn, each time with another chance: seed, name, draw, and what was drawn."""
    for seed in range(count):
        kind = kinds[seed % len(kinds)]
        draw = Draw(f"{transport} {era} {seed}", era)
        yield seed, f"{kind.__name__}, seed {seed}", draw, kind(draw)


@contextmanager
def quiet() -> Iterator[IO[str]]:
    """A file for stderr, which has no word in it of an exception that nobody expected."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        try:
            yield errors
        finally:
            errors.seek(0)
            assert "Traceback" not in (said := errors.read()), said[-5_000:]


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_a_seed_draws_the_same_message_each_time(era: Era) -> None:
    kinds = (*BROKEN, *UNSERVED, *OF_ERA[era], *OVER_HTTP, *OVER_HTTP_OF_ERA[era])
    first, again, other = (
        [drawing for *_, drawing in drawn(name, era, len(kinds), kinds)]
        for name in ("one", "one", "another")
    )
    assert first == again
    assert first != other


# --- stdio ----------------------------------------------------------------------------------------


class Pipe:
    """A server process, spoken to line by line."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to = process.stdin
        self._from = BufferedByteReceiveStream(process.stdout)

    async def send(self, body: bytes) -> None:
        assert b"\n" not in body
        await self._to.send(body + b"\n")

    async def next(self) -> dict[str, Any]:
        line = await self._from.receive_until(b"\n", 2**26)
        answer: dict[str, Any] = json.loads(line)
        assert "error" not in answer or len(line) < LONGEST_ERROR
        return answer

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        await self.send(written(message))
        return await self.next()

    async def rest(self) -> bytes:
        await self._to.aclose()
        rest = self._from.buffer
        async for more in self._from:
            rest += more
        return rest


@asynccontextmanager
async def piped(era: Era, errors: IO[str]) -> AsyncIterator[Pipe]:
    """A connection of the era: its first message decides which."""
    process = await anyio.open_process(
        command("--log-level", "ERROR"), env=environment(), stderr=errors
    )
    async with process:
        pipe = Pipe(process)
        opening = Draw("opening", era).request("server/discover")
        if era == "legacy":
            hello = {"protocolVersion": VERSIONS[era], "capabilities": {}, "clientInfo": CLIENT}
            opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        assert "result" in await pipe.ask(opening)
        if era == "legacy":
            await pipe.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
        yield pipe
        assert await pipe.rest() == b""
        assert await process.wait() == 0


async def heard(pipe: Pipe, draw: Draw, fuzzed: Fuzzed) -> dict[str, Any] | None:
    """The answer to a message; for one that may have none, what came before a probe's answer."""
    await pipe.send(fuzzed.body)
    first = await pipe.next() if SILENCE[0] not in fuzzed.right else await probed(pipe, draw)
    if SILENCE[0] in fuzzed.right and first is not None:
        assert (await pipe.next())["id"] == "probe"
    return first


async def probed(pipe: Pipe, draw: Draw) -> dict[str, Any] | None:
    """What is heard before the answer of a call that is right, which itself is checked."""
    answer = await pipe.ask(draw.call("list-customers", {"pageSize": 1}) | {"id": "probe"})
    if answer["id"] != "probe":
        return answer
    assert answer["result"]["structuredContent"]["count"] == 1
    return None


async def fuzz_stdio(era: Era, count: int) -> None:
    kinds = (*BROKEN, *UNSERVED, *OF_ERA[era])
    with quiet() as errors:
        async with piped(era, errors) as pipe:
            for seed, name, draw, fuzzed in drawn("stdio", era, count or len(kinds), kinds):
                with anyio.fail_after(PATIENCE_S):
                    got = await heard(pipe, draw, fuzzed)
                    right = any(is_right(answer, got) for answer in fuzzed.right)
                    assert right, f"{name}: {short(fuzzed.body)} → {short(got)}"
                    if seed % PROBED_EVERY == 0:
                        assert await probed(pipe, draw) is None
            with anyio.fail_after(PATIENCE_S):
                assert await probed(pipe, draw) is None


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_each_kind_of_wrong_message_is_answered_rightly_over_stdio(era: Era) -> None:
    await fuzz_stdio(era, 0)


@pytest.mark.long
@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_hundreds_of_wrong_messages_are_answered_rightly_over_stdio(era: Era) -> None:
    await fuzz_stdio(era, LONG_STDIO)


# --- HTTP -----------------------------------------------------------------------------------------


@contextmanager
def listening(errors: IO[str], *, sse: bool) -> Iterator[int]:
    """The port of a server process, which still runs at the end."""
    flags = ("--port", "0", "--log-level", "ERROR", f"--http-sse={str(sse).lower()}")
    process = subprocess.Popen(
        command("http", *flags), env=environment(), stdout=subprocess.PIPE, stderr=errors
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line.startswith("MCP http://127.0.0.1:"), line
        yield int(line.rsplit(":", 1)[1].removesuffix("/mcp\n"))
        assert process.poll() is None
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def exchanged(port: int, exchange: Exchange) -> tuple[int, dict[str, Any] | None, bytes]:
    """Status, message and raw head of the answer; `CLOSED` when the server hung up."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
        try:
            connection.sendall(exchange.sent)
            if exchange.ends:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the whole of it was sent; the answer is there to be read
        method = "HEAD" if exchange.sent.startswith(b"HEAD ") else "POST"
        response = HTTPResponse(connection, method=method)
        try:
            response.begin()
            content = response.read()
        except (HTTPException, ConnectionResetError):
            return CLOSED, None, b""
    return response.status, message_of(response, content), str(response.headers).encode()


def message_of(response: HTTPResponse, content: bytes) -> dict[str, Any] | None:
    kind = response.headers.get_content_type()
    if kind == "text/event-stream":
        data = [line[6:] for line in content.splitlines() if line.startswith(b"data: {")]
        content = data[-1]
    elif kind != "application/json" or not content:
        return None
    message: dict[str, Any] = json.loads(content)
    assert "error" not in message or len(content) < LONGEST_ERROR
    return message


def probe_http(port: int, draw: Draw) -> None:
    message = draw.call("list-customers", {"pageSize": 1})
    sent = request(mirrored(draw.era, message), written(message))
    status, got, _ = exchanged(port, Exchange(sent, ()))
    assert status == 200
    assert got is not None
    assert got["result"]["structuredContent"]["count"] == 1


def over_http(kind: Callable[[Draw], Fuzzed]) -> Callable[[Draw], Exchange]:
    def made(draw: Draw) -> Exchange:
        return posted(draw, kind(draw))

    made.__name__ = kind.__name__
    return made


def fuzz_http(era: Era, count: int, *, sse: bool) -> None:
    messages = (over_http(kind) for kind in (*BROKEN, *UNSERVED, *OF_ERA[era]))
    kinds = (*messages, *OVER_HTTP, *OVER_HTTP_OF_ERA[era])
    with quiet() as errors, listening(errors, sse=sse) as port:
        for seed, name, draw, exchange in drawn(f"http {sse}", era, count or len(kinds), kinds):
            status, got, head = exchanged(port, exchange)
            right = any(
                status == expected and (answer is None or is_right(answer, got))
                for expected, answer in exchange.right
            )
            assert right, f"{name}: {short(exchange.sent)} → {status} {short(got)}"
            assert status != 405 or b"allow: POST" in head
            if seed % PROBED_EVERY == 0:
                probe_http(port, draw)
        probe_http(port, draw)


@pytest.mark.parametrize(("era", "sse"), [("legacy", False), ("modern", True)])
def test_each_kind_of_wrong_request_is_answered_rightly_over_http(era: Era, sse: bool) -> None:
    fuzz_http(era, 0, sse=sse)


@pytest.mark.long
@pytest.mark.parametrize("sse", [False, True])
@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_hundreds_of_wrong_requests_are_answered_rightly_over_http(era: Era, sse: bool) -> None:
    fuzz_http(era, LONG_HTTP, sse=sse)
