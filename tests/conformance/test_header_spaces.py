"""Spaces around a header's value, which not every HTTP parser takes away, change nothing."""

import anyio
import httpx2
import pytest

from billing_mcp.config import Settings
from billing_mcp.http.app import app
from processes import PATIENCE_S

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("value", ["list-customers", "list-customers \t", " list-customers"])
async def test_a_name_in_a_header_may_have_spaces_around_it(value: str) -> None:
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "list-customers",
            "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": value,
    }
    application = app(Settings())
    transport = httpx2.ASGITransport(application)
    with anyio.fail_after(PATIENCE_S):
        async with (
            application.router.lifespan_context(application),
            httpx2.AsyncClient(transport=transport) as http,
        ):
            url = "http://127.0.0.1:9080/mcp"
            answer = await http.post(url, json=call, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["result"]["structuredContent"]["environment"] == "sandbox"
