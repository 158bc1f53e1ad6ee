"""Streamable HTTP: stateless, in both eras, JSON or SSE, and closed to strangers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from answers import facts, failure
from billing_mcp.config import Settings, from_environ
from billing_mcp.credentials import SettingsError
from billing_mcp.http.app import BODY_LIMIT_BYTES, app, serve
from billing_mcp.server import BillingServer
from good_calls import event
from processes import PATIENCE_S, running
from world import World, open_world

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:9080/mcp"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = {"accept": "application/json, text/event-stream"}


@asynccontextmanager
async def served(**flags: str) -> AsyncIterator[tuple[httpx2.AsyncClient, World]]:
    """The app in this process, as a client on this machine reaches it, on the small company."""
    settings = from_environ({}, flags)
    server = BillingServer(settings)
    world = open_world(server)
    application = app(settings, server)
    transport = httpx2.ASGITransport(application)
    async with (
        application.router.lifespan_context(application),
        httpx2.AsyncClient(transport=transport) as http,
    ):
        with anyio.fail_after(PATIENCE_S):
            yield http, world


@asynccontextmanager
async def connected(http: httpx2.AsyncClient, era: str) -> AsyncIterator[Client]:
    transport = streamable_http_client(URL, http_client=http)
    async with Client(transport, mode="legacy" if era == "legacy" else "auto") as client:
        yield client


@pytest.mark.parametrize("sse", ["false", "true"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_client_lists_reads_writes_and_is_told_what_was_wrong(era: str, sse: str) -> None:
    async with served(http_sse=sse) as (http, world), connected(http, era) as client:
        assert len((await client.list_tools()).tools) == 38
        invoices = facts(await client.call_tool("list-invoices", {"accountId": "harbor-main"}))
        # The draft of the plan that runs, and October.
        assert [row["totalAmount"] for row in invoices["data"]] == ["99.00", "49.50"]
        grant = {"accountId": "harbor-main", "creditAmount": 12.5, "effectiveFrom": "2026-11-20"}
        credit = facts(await client.call_tool("grant-credit", grant))
        assert credit["creditAmount"] == "12.50"
        assert world.effects("credit") == [credit["operationId"]]
        missing = failure(await client.call_tool("get-customer", {"customerId": "nobody"}))
        assert missing["kind"] == "not-found"
        assert "list-customers" in missing["next"]


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_the_progress_of_a_long_write_arrives_over_sse(era: str) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    events = {"events": [event(id=f"event-{number}") for number in range(1_200)]}
    async with served(http_sse="true") as (http, world), connected(http, era) as client:
        result = await client.call_tool("ingest-events", events, progress_callback=hear)
        assert facts(result)["accepted"] == 1_200
        assert len(world.effects("event")) == 1_200
    assert told == [
        (500, 1_200, "500 of 1200 events"),
        (1_000, 1_200, "1000 of 1200 events"),
        (1_200, 1_200, "1200 of 1200 events"),
    ]


async def test_requests_need_no_session_and_see_the_same_state() -> None:
    """Any replica may answer any request; here each one comes from a client of its own."""

    def call(number: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        parameters = {"name": name, "arguments": arguments}
        return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": parameters}

    customer = {"id": "kept", "name": "Kept", "primaryEmail": "kept@kept.example"}
    async with served() as (http, _):
        hello = await http.post(URL, json=HELLO, headers=ACCEPT)
        assert hello.status_code == 200
        assert "mcp-session-id" not in hello.headers
        headers = ACCEPT | {"mcp-protocol-version": "2025-06-18"}
        created = await http.post(URL, json=call(2, "create-customer", customer), headers=headers)
        assert created.json()["result"]["structuredContent"]["id"] == "kept"
        read = call(3, "get-customer", {"customerId": "kept"})
        again = await http.post(URL, json=read, headers=headers)
        assert again.json()["result"]["structuredContent"]["name"] == "Kept"


@pytest.mark.parametrize("host", ["127.0.0.1:9080", "localhost", "localhost:80", "[::1]:9080"])
async def test_a_host_of_this_machine_is_served(host: str) -> None:
    async with served() as (http, _):
        answer = await http.post(URL, json=HELLO, headers=ACCEPT | {"host": host})
    assert answer.status_code == 200


@pytest.mark.parametrize("host", ["billing.example", "127.0.0.1.billing.example", "10.0.0.1:9080"])
async def test_a_foreign_host_is_answered_with_421(host: str) -> None:
    async with served() as (http, _):
        answer = await http.post(URL, json=HELLO, headers=ACCEPT | {"host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example"]
)
async def test_a_foreign_origin_is_answered_with_403(origin: str) -> None:
    async with served() as (http, _):
        answer = await http.post(URL, json=HELLO, headers=ACCEPT | {"origin": origin})
    assert answer.status_code == 403


async def test_a_host_and_an_origin_that_were_allowed_are_served() -> None:
    flags = {"allowed_hosts": "billing.example", "allowed_origins": "https://desk.example"}
    async with served(**flags) as (http, _):
        headers = ACCEPT | {"host": "billing.example", "origin": "https://desk.example"}
        assert (await http.post(URL, json=HELLO, headers=headers)).status_code == 200
        local = ACCEPT | {"origin": "http://localhost:3000"}
        assert (await http.post(URL, json=HELLO, headers=local)).status_code == 200


async def test_a_body_above_four_megabytes_is_answered_with_413() -> None:
    async with served() as (http, _):
        large = b" " * (BODY_LIMIT_BYTES + 1)
        headers = ACCEPT | {"content-type": "application/json"}
        refused = await http.post(URL, content=large, headers=headers)
        assert refused.status_code == 413
        assert (await http.post(URL, json=HELLO, headers=ACCEPT)).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.10", "billing.example", "::"])
def test_an_address_that_others_reach_is_refused_with_the_reason(host: str) -> None:
    with pytest.raises(SettingsError) as refused:
        serve(Settings(http_host=host, http_port=0))
    assert str(refused.value) == (
        f"http listens on loopback only, not on {host}: callers are not authenticated, and "
        "anyone who reaches the port could use your vendor keys. "
        "Set BILLING_MCP_AUTH_ISSUER or BILLING_MCP_API_KEYS to be reachable by others."
    )


async def test_the_verb_http_serves_clients_of_both_eras_on_a_real_port() -> None:
    with running("http", "--port", "0", "--http-sse") as line:
        name, address = line.split(" ")
        assert name == "MCP"
        for mode in ("auto", "legacy"):
            async with Client(address, mode=mode) as client:
                assert len((await client.list_tools()).tools) == 38
                assert facts(await client.call_tool("list-customers", {}))["count"] > 0


async def test_the_verb_http_serves_ipv6_loopback_as_well() -> None:
    with running("http", "--host", "::1", "--port", "0") as line:
        assert line.startswith("MCP http://[::1]:")
        async with Client(line.removeprefix("MCP ")) as client:
            assert len((await client.list_tools()).tools) == 38
