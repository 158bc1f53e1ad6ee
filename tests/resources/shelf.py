"""How tests read a resource, page after page, and what they expect of one that is refused."""

import pytest
from mcp import Client, MCPError
from mcp.types import ErrorData, TextResourceContents

from billing_mcp.resources.pages import PAGE_BYTES

INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603


async def contents(client: Client, uri: str) -> TextResourceContents:
    """The one content of a resource; no page is longer than 5,000 tokens."""
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert content.uri == uri
    assert len(content.text.encode()) <= PAGE_BYTES == 5_000 * 4
    return content


async def text(client: Client, uri: str) -> str:
    return (await contents(client, uri)).text


async def pages(client: Client, uri: str) -> list[str]:
    """All pages of a resource, each found at the end of the one before."""
    found = [await text(client, uri)]
    while "Next: " in found[-1].splitlines()[-1]:
        assert len(found) < 100
        found.append(await text(client, found[-1].splitlines()[-1].rsplit("Next: ", 1)[1]))
    return found


async def refused(client: Client, uri: str, code: int = INVALID_PARAMS) -> str:
    """The sentence of a resource that cannot be read."""
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    error: ErrorData = caught.value.error
    assert (error.code, error.data) == (code, {"uri": uri})
    return error.message
