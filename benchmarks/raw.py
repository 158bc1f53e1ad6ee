"""The smallest MCP clients that can measure: JSON-RPC over a pipe and over a socket, nothing else.

They speak the modern revision, whose requests stand alone: no handshake to count or to keep.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

PROTOCOL = "2026-07-28"
_META = {
    "io.modelcontextprotocol/protocolVersion": PROTOCOL,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "benchmark", "version": "1"},
}


def request(number: int, method: str, **params: Any) -> bytes:
    message = {
        "jsonrpc": "2.0",
        "id": number,
        "method": method,
        "params": {**params, "_meta": _META},
    }
    return json.dumps(message, separators=(",", ":")).encode()


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without settings of ours or vendors' keys."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BILLING_MCP_", "TOGAI_", "SUGER_"))
    }
    return {**kept, **extra}


class Pipe:
    """A server over stdio."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._number = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One request and its answer. Raises `RuntimeError` when the server answers an error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._number += 1
        self.process.stdin.write(request(self._number, method, **params) + b"\n")
        line = await self.process.stdout.readline()
        return answered(line)


def answered(content: bytes) -> dict[str, Any]:
    if not content:
        raise RuntimeError("the server ended")
    answer = json.loads(content)
    result: dict[str, Any] | None = answer.get("result")
    if result is None or result.get("isError"):
        raise RuntimeError(f"the server answered an error: {content[:500]!r}")
    return result


@asynccontextmanager
async def pipe(command: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[Pipe]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=dict(environment),
        limit=64 * 1024 * 1024,
    )
    try:
        yield Pipe(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


class Socket:
    """One kept-alive HTTP connection to /mcp, with a token or without."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        port: int,
        token: str | None = None,
    ) -> None:
        self.reader, self.writer, self.port = reader, writer, port
        self._bearer = "" if token is None else f"Authorization: Bearer {token}\r\n"

    @classmethod
    async def open(cls, port: int, token: str | None = None) -> "Socket":
        return cls(*await asyncio.open_connection("127.0.0.1", port), port, token)

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        body = request(1, "tools/call", name=name, arguments=dict(arguments))
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            "Content-Type: application/json\r\n"
            "Accept: application/json, text/event-stream\r\n"
            f"MCP-Protocol-Version: {PROTOCOL}\r\nMcp-Method: tools/call\r\nMcp-Name: {name}\r\n"
            f"{self._bearer}Content-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        status, headers = await self._head()
        content = await self._body(headers)
        if status != 200:
            raise RuntimeError(f"HTTP {status}: {content[:300]!r}")
        if headers.get("content-type", "").startswith("text/event-stream"):
            content = next(line[6:] for line in content.splitlines() if line.startswith(b"data: {"))
        return answered(content)

    async def _head(self) -> tuple[int, dict[str, str]]:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), headers

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        pieces = []
        while size := int(await self.reader.readline(), 16):
            pieces.append(await self.reader.readexactly(size))
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return b"".join(pieces)

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def served(
    command: Sequence[str], port: int, environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that listens on a loopback port, ended when the block ends."""
    process = await asyncio.create_subprocess_exec(*command, env=dict(environment))
    try:
        for _ in range(400):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
        else:
            raise RuntimeError(f"{command} did not listen on {port}")
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


PRODUCT = (sys.executable, "-m", "billing_mcp")
