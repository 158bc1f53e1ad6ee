"""What each scope permits over HTTP, and how a caller learns which one they lack."""

from typing import Any

import anyio
import httpx2
import pytest

from answers import facts, failure
from billing_mcp import tools
from billing_mcp.http.routes import ROUTES
from billing_mcp.scopes import SCOPES
from billing_mcp.server import BillingServer
from hosted_asking import HOSTED, MCP, METADATA, asked, bearer, connected
from issuer import Issuer
from rest_asking import problem_of

pytestmark = pytest.mark.anyio


NEEDED = {name: BillingServer(HOSTED).catalog.needed_scope(name) for name in tools.MODULES}
READS = [name for name, scope in NEEDED.items() if scope == "billing:read"]
WRITES = [name for name, scope in NEEDED.items() if scope == "billing:write"]


@pytest.mark.parametrize(
    "scope", ["", "openid profile", "billing:reader", "BILLING:READ", "billing"]
)
async def test_a_token_with_none_of_our_scopes_is_told_which_it_needs(
    issuer: Issuer, hosted: httpx2.AsyncClient, scope: str
) -> None:
    headers = bearer(issuer, scope=scope)
    for method in ("tools/list", "server/discover", "initialize"):
        answer = await asked(hosted, method, headers)
        assert answer.status_code == 403
        assert answer.headers["www-authenticate"] == (
            f'Bearer resource_metadata="{METADATA}/mcp", error="insufficient_scope", '
            'scope="billing:read"'
        )
    problem_of(await hosted.get("/v1/customers", headers=headers), 403, "not-permitted")


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("scope", SCOPES)
async def test_each_of_our_scopes_lists_what_it_permits(
    issuer: Issuer, hosted: httpx2.AsyncClient, era: str, scope: str
) -> None:
    async with connected(hosted, era, bearer(issuer, scope=scope)) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    assert names == (list(tools.MODULES) if scope == "billing:write" else READS)


@pytest.mark.parametrize("scope", ["billing:read", "billing:approve"])
async def test_every_tool_that_writes_asks_a_modern_client_for_the_scope_it_lacks(
    issuer: Issuer, hosted: httpx2.AsyncClient, scope: str
) -> None:
    assert len(WRITES) > 10
    for name in WRITES:
        answer = await asked(
            hosted, "tools/call", bearer(issuer, scope=scope), name=name, arguments={}
        )
        assert answer.status_code == 403, name
        assert answer.headers["www-authenticate"] == (
            f'Bearer resource_metadata="{METADATA}/mcp", error="insufficient_scope", '
            'scope="billing:write"'
        )


async def test_a_tools_name_may_come_encoded_as_headers_may_be(
    issuer: Issuer, hosted: httpx2.AsyncClient
) -> None:
    encoded = {"mcp-name": "=?base64?Z3JhbnQtY3JlZGl0?="}  # grant-credit
    headers = bearer(issuer) | encoded
    answer = await asked(hosted, "tools/call", headers, name="grant-credit", arguments={})
    assert answer.status_code == 403


@pytest.mark.parametrize("lie", ["list-customers", "nonsense", "", "=?base64?!?="])
async def test_a_header_that_lies_about_the_tool_opens_nothing(
    issuer: Issuer, hosted: httpx2.AsyncClient, lie: str
) -> None:
    grant = {"accountId": "harbor-main", "creditAmount": "1", "effectiveFrom": "2026-11-20"}
    headers = bearer(issuer) | {"mcp-name": lie}
    answer = await asked(hosted, "tools/call", headers, name="grant-credit", arguments=grant)
    assert answer.status_code == 400
    plain = {**bearer(issuer), "mcp-protocol-version": "2025-06-18"}
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "grant-credit", "arguments": grant},
    }
    accept = {"accept": "application/json, text/event-stream", "mcp-name": lie}
    answer = await hosted.post(MCP, json=message, headers=plain | accept)
    assert answer.json()["result"]["structuredContent"]["error"]["kind"] == "not-permitted"


async def test_every_tool_that_writes_tells_a_legacy_client_that_it_is_not_permitted(
    issuer: Issuer, hosted: httpx2.AsyncClient
) -> None:
    async with connected(hosted, "legacy", bearer(issuer)) as client:
        for name in WRITES:
            error = failure(await client.call_tool(name, {}))
            assert error["kind"] == "not-permitted"
            assert "needs the scope billing:write" in error["message"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_route_that_writes_asks_for_the_scope_that_is_lacking(
    issuer: Issuer, hosted: httpx2.AsyncClient, route: Any
) -> None:
    path = route.path.replace("{", "").replace("}", "")
    answer = await hosted.request(route.method, path, headers=bearer(issuer))
    if route.tool not in WRITES:
        assert answer.status_code not in (401, 403)
        return
    problem_of(answer, 403, "not-permitted")
    assert answer.headers["www-authenticate"] == (
        f'Bearer resource_metadata="{METADATA}", error="insufficient_scope", scope="billing:write"'
    )


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_token_that_may_write_reads_and_writes(
    issuer: Issuer, hosted: httpx2.AsyncClient, era: str
) -> None:
    async with connected(hosted, era, bearer(issuer, scope="billing:write")) as client:
        grant = {"accountId": "harbor-main", "creditAmount": "1", "effectiveFrom": "2026-11-20"}
        assert facts(await client.call_tool("grant-credit", grant))["creditAmount"] == "1.00"
        assert facts(await client.call_tool("list-customers", {}))["count"] > 0


async def test_callers_at_the_same_time_keep_their_own_rights(
    issuer: Issuer, hosted: httpx2.AsyncClient
) -> None:
    counts: dict[str, set[int]] = {scope: set() for scope in SCOPES}

    async def ask(scope: str, number: int) -> None:
        headers = bearer(issuer, scope=scope, sub=f"agent-{number}")
        answer = await asked(hosted, "tools/list", headers)
        counts[scope].add(len(answer.json()["result"]["tools"]))

    async with anyio.create_task_group() as group:
        for number in range(24):
            group.start_soon(ask, SCOPES[number % 3], number)
    assert counts["billing:read"] == counts["billing:approve"]
    assert counts["billing:write"] == {len(tools.MODULES)}
    assert counts["billing:read"] == {len(READS)}
