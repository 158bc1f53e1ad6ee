"""Pages of other sites and names of other hosts: every path of the app refuses them."""

from collections.abc import AsyncIterator

import pytest

from billing_mcp.http.hosts import OPEN_PATHS
from billing_mcp.http.routes import ROUTES
from recording import Recorder, Says
from security.doors import HELLO, LEGACY
from security.estate import Estate, live

pytestmark = pytest.mark.anyio

PATHS = (
    "/mcp",
    "/metrics",
    "/v1/openapi.json",
    "/v1/docs",
    "/v1/problems/not-found",
    "/.well-known/oauth-protected-resource",
    "/approvals",
    "/approvals/pending",
    "/approvals/00000000-0000-4000-8000-000000000000/approve",
    "/nonsense",
    *sorted({route.path.replace("{", "").replace("}", "") for route in ROUTES}),
)
HOSTS = (
    "evil.example",
    "evil.example:9080",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1:9080@evil.example",
    "127.0.0.1:9080, evil.example",
    "[::1].evil.example",
    "billing.example",  # the server's own name outside, unless the settings say so
)
ORIGINS = (
    "https://evil.example",
    "http://evil.example:9080",
    "http://127.0.0.1.evil.example",
    "https://billing.example.evil.example",
    "http://127.0.0.1:1@evil.example",
    "http://localhost:9080.evil.example",
    "null",
    "file://",
)


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with live(Recorder(Says({"message": "no such thing"}, 404))) as made:
        yield made


@pytest.mark.parametrize("host", HOSTS)
async def test_a_foreign_host_is_refused_on_every_path_before_the_token_is_looked_at(
    estate: Estate, host: str
) -> None:
    for path in PATHS:
        for method in ("GET", "POST"):
            for headers in (estate.headers("acme"), {}):
                answer = await estate.http.request(method, path, headers={**headers, "host": host})
                assert answer.status_code == 421, (method, path)
                assert "BILLING_MCP_ALLOWED_HOSTS" in answer.text
    assert [vendor.asked for vendor in estate.vendors.values()] == [[], []]


@pytest.mark.parametrize("origin", ORIGINS)
async def test_a_foreign_page_is_refused_on_every_path_though_it_has_a_token(
    estate: Estate, origin: str
) -> None:
    for path in PATHS:
        for method in ("GET", "POST", "OPTIONS"):
            headers = estate.headers("acme") | {"origin": origin}
            answer = await estate.http.request(method, path, headers=headers)
            assert answer.status_code == 403, (method, path)
            assert "access-control-allow-origin" not in answer.headers
    assert [vendor.asked for vendor in estate.vendors.values()] == [[], []]


async def test_what_is_open_to_every_host_tells_nothing_of_anybody(estate: Estate) -> None:
    for path in OPEN_PATHS:
        answer = await estate.http.get(path, headers={"host": "evil.example"})
        assert answer.status_code in (200, 503)
        for word in ("acme", "harbor", "key", "http://"):
            assert word not in answer.text


async def test_a_page_without_a_token_is_told_nothing_by_a_preflight(estate: Estate) -> None:
    wanted = {"access-control-request-method": "POST", "origin": "http://localhost:9080"}
    for path in ("/mcp", "/v1/customers"):
        answer = await estate.http.options(path, headers=wanted)
        assert answer.status_code == 401
        assert "access-control-allow-origin" not in answer.headers


async def test_a_form_of_a_page_which_a_browser_sends_unasked_is_no_call(estate: Estate) -> None:
    headers = {**LEGACY, **estate.headers("acme")}
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        told = {**headers, "content-type": kind}
        for path in ("/mcp", "/v1/customers"):
            answer = await estate.http.post(path, json=HELLO, headers=told)
            assert answer.status_code == 415, path
    assert estate.vendors["acme"].asked == []
