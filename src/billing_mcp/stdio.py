"""MCP over stdin and stdout: a line that is no message is answered, as JSON-RPC asks."""

import io
import sys
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from billing_mcp.json_rpc import NotAMessageError, message_in


async def serve(server: Server[Any]) -> None:
    """Serve until stdin ends.

    The SDK writes, and keeps stray output off stdout. It does not read: its reader puts U+FFFD in
    the place of bytes that are not UTF-8, and leaves whoever sent a broken line without an answer.
    """
    nothing = anyio.wrap_file(io.StringIO())
    async with stdio_server(stdin=nothing) as (_, answers):
        messages, heard = anyio.create_memory_object_stream[SessionMessage | Exception]()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_read, messages, answers.clone())
            await server.run(heard, answers, server.create_initialization_options())


async def _read(messages: MemoryObjectSendStream[SessionMessage | Exception], answers: Any) -> None:
    async with messages, answers:
        async for line in anyio.wrap_file(sys.stdin.buffer):
            if not line.strip():
                continue
            try:
                message = message_in(line)
            except NotAMessageError as error:
                await answers.send(SessionMessage(error.answer))
            else:
                await messages.send(SessionMessage(message))
