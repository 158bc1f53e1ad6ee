"""How many calls a caller may make in a minute, and what one too many is told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from answers import failure
from billing_mcp.config import Settings
from billing_mcp.credentials import TenantSettings
from billing_mcp.http.app import app
from billing_mcp.http.metrics import Metrics
from billing_mcp.http.rate_limit import Buckets, RateLimit, RestRateLimit
from billing_mcp.server import BillingServer

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:9080/mcp"
ACCEPT = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def served(rate_limit: int | None) -> AsyncIterator[httpx2.AsyncClient]:
    application = app(Settings(rate_limit=rate_limit), clock=Clock())
    async with (
        application.router.lifespan_context(application),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(application)) as http,
    ):
        yield http


def asking(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


LISTING = asking("tools/call", name="list-customers", arguments={})


def test_a_minutes_worth_may_be_called_at_once_and_then_as_fast_as_it_comes_back() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    assert [buckets.take("desk", 3) for _ in range(4)] == [0, 0, 0, 20]
    clock.now += 19
    assert buckets.take("desk", 3) == 1
    clock.now += 1
    assert [buckets.take("desk", 3) for _ in range(2)] == [0, 20]
    clock.now += 3_600  # an hour's silence is worth no more than a minute's
    assert [buckets.take("desk", 3) for _ in range(4)] == [0, 0, 0, 20]


def test_one_callers_calls_are_not_anothers() -> None:
    buckets = Buckets(Clock())
    assert [buckets.take("desk", 1), buckets.take("desk", 1), buckets.take("agent", 1)] == [
        0,
        60,
        0,
    ]


def test_only_so_many_callers_are_remembered_and_the_longest_silent_one_is_forgotten() -> None:
    buckets = Buckets(Clock(), most=2)
    assert [buckets.take(name, 1) for name in ("a", "b", "a", "c")] == [0, 0, 60, 0]
    assert buckets.take("a", 1) == 60  # asked after b, so b has gone
    assert buckets.take("b", 1) == 0


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_tool_call_too_many_is_told_how_long_to_wait_in_a_result(era: str) -> None:
    async with served(1) as http:
        transport = streamable_http_client(URL, http_client=http)
        mode = "legacy" if era == "legacy" else "auto"
        async with Client(transport, mode=mode) as client:
            assert not (await client.call_tool("list-customers", {})).is_error
            refused = failure(await client.call_tool("list-customers", {}))
            assert refused["kind"] == "rate-limited"
            assert refused["retryAfterSeconds"] == 60
            assert refused["next"] == "Wait 60 seconds, then call again."
            # What there is to call can still be found out.
            assert (await client.list_tools()).tools
            assert (await client.list_resources()).resources is not None
            with pytest.raises(MCPError, match="Wait 60 seconds, then call again"):
                await client.read_resource("billing://guides/credits")


async def test_a_tool_call_too_many_carries_retry_after_and_leaves_the_server_up() -> None:
    async with served(1) as http:
        first = await http.post(URL, json=LISTING, headers=ACCEPT)
        assert "retry-after" not in first.headers
        answer = await http.post(URL, json=LISTING, headers=ACCEPT)
        assert (answer.status_code, answer.headers["retry-after"]) == (200, "60")
        said = answer.json()
        assert said["id"] == 7
        assert set(said["result"]) == {"content", "structuredContent", "isError"}
        figures = (await http.get("http://127.0.0.1:9080/metrics")).text
        assert "\nbilling_mcp_rate_limited_total 1.0\n" in figures


@pytest.mark.parametrize(
    "message",
    [
        asking("prompts/get", name="explain-charges"),
        asking("resources/read", uri="billing://guides/credits"),
        asking("completion/complete", ref={"type": "ref/prompt", "name": "x"}, argument={}),
    ],
    ids=lambda message: message["method"],
)
async def test_any_other_call_too_many_is_429_with_a_json_rpc_error(
    message: dict[str, Any],
) -> None:
    async with served(1) as http:
        await http.post(URL, json=LISTING, headers=ACCEPT)
        answer = await http.post(URL, json=message, headers=ACCEPT)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
        said = answer.json()
        assert (said["id"], said["error"]["data"]["kind"]) == (7, "rate-limited")


@pytest.mark.parametrize(
    "method",
    ["initialize", "ping", "tools/list", "prompts/list", "resources/list"],
)
async def test_discovery_is_never_refused(method: str) -> None:
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    async with served(1) as http:
        for _ in range(3):
            await http.post(URL, json=LISTING, headers=ACCEPT)
            answer = await http.post(
                URL,
                json=asking(method, **(hello if method == "initialize" else {})),
                headers=ACCEPT,
            )
            assert answer.status_code == 200
            assert "error" not in answer.json()


@pytest.mark.parametrize("rate_limit", [0, None])
async def test_no_limit_is_no_limit(rate_limit: int | None) -> None:
    async with served(rate_limit) as http:
        for _ in range(20):
            answer = await http.post(URL, json=LISTING, headers=ACCEPT)
            assert not answer.json()["result"].get("isError")


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        (Settings(), 0),
        (Settings(api_keys=Path("keys")), 600),
        (Settings(auth_issuer="https://id.example"), 600),
        (Settings(api_keys=Path("keys"), rate_limit=0), 0),
        (Settings(rate_limit=5), 5),
    ],
)
def test_unless_a_setting_says_otherwise_only_callers_who_say_who_they_are_are_limited(
    settings: Settings, limit: int
) -> None:
    assert settings.calls_a_minute == limit


def as_principal(name: str, tenant: str) -> AuthenticatedUser:
    claims = {"tenant": tenant, "principal": name}
    return AuthenticatedUser(
        AccessToken(token="t", client_id=name, scopes=["billing:read"], claims=claims)
    )


async def test_a_tenants_own_limit_beats_the_servers_and_principals_do_not_share() -> None:
    tenants = (TenantSettings("acme", rate_limit=1), TenantSettings("harbor"))
    server = BillingServer(Settings(tenants=tenants, rate_limit=2))
    limit = RateLimit(server, Metrics(), Clock())

    def call(principal: str, tenant: str) -> int:
        before = auth_context_var.set(as_principal(principal, tenant))
        try:
            answer = limit.of_rest()
        finally:
            auth_context_var.reset(before)
        return 200 if answer is None else answer.status_code

    assert [call("desk@id.example", "acme") for _ in range(2)] == [200, 429]
    assert call("agent@id.example", "acme") == 200
    assert [call("desk@id.example", "harbor") for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/v1/customers", True),
        ("/v1/openapi.json", False),
        ("/v1/docs", False),
        ("/v1/problems/rate-limited", False),
        ("/healthz", False),
        ("/mcp", False),
    ],
)
async def test_over_rest_calls_are_counted_and_descriptions_are_not(
    path: str, counts: bool
) -> None:
    server = BillingServer(Settings(rate_limit=1))

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    limited = RestRateLimit(answer, RateLimit(server, Metrics(), Clock()))
    transport = httpx2.ASGITransport(limited)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answers = [await http.get(path) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 429 if counts else 204]
    if counts:
        assert answers[1].headers["retry-after"] == "60"
        assert answers[1].headers["content-type"] == "application/problem+json"
        problem = answers[1].json()
        assert (problem["kind"], problem["retryAfterSeconds"]) == ("rate-limited", 60)
