"""How tests read what a call answered, and how they connect a client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client
from mcp.types import CallToolResult, InputRequiredResult

from billing_mcp.server import BillingServer


@asynccontextmanager
async def connected(
    server: BillingServer, era: str = "modern", **options: Any
) -> AsyncIterator[Client]:
    """`options` are those of the SDK's client, such as who answers its questions."""
    mode = "legacy" if era == "legacy" else "auto"
    async with Client(server, mode=mode, **options) as client:
        # A client lists all tools before it validates a first result. What they answer with is
        # the same on every server of this process, so one list is enough for all its clients.
        client.session._tool_output_schemas |= _schemas
        client.session._tool_output_validators |= _validators
        yield client
        _schemas.update(client.session._tool_output_schemas)
        _validators.update(client.session._tool_output_validators)


_schemas: dict[str, dict[str, Any] | None] = {}
_validators: dict[str, Any] = {}


Answer = CallToolResult | InputRequiredResult


async def forget(server: BillingServer) -> None:
    """Lose the ledger, as a server does that is moved to another machine: what the vendor knows of
    an operation is then all that is known."""
    await server.tenant.ledgers.close()


def facts(result: Answer) -> dict[str, Any]:
    """The structured content of a call that succeeded."""
    assert isinstance(result, CallToolResult)
    assert not result.is_error, said(result)
    assert result.structured_content is not None
    found: dict[str, Any] = result.structured_content
    return found


def failure(result: Answer) -> dict[str, Any]:
    """The error object of a call that failed."""
    assert isinstance(result, CallToolResult)
    assert result.is_error, result.structured_content
    assert result.structured_content is not None
    error: dict[str, Any] = result.structured_content["error"]
    assert said(result).startswith(error["message"])
    return error


def said(result: Answer) -> str:
    """The text of a result."""
    assert isinstance(result, CallToolResult)
    (content,) = result.content
    assert content.type == "text"
    return content.text
