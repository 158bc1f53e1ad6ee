"""For which hosts and origins the server answers, and what the others are told."""

import httpx2
import pytest

from billing_mcp.config import Settings
from billing_mcp.http.app import app

pytestmark = pytest.mark.anyio


async def asked(path: str, settings: Settings, **headers: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app(settings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.get(path, headers=headers)


@pytest.mark.parametrize("path", ["/mcp", "/metrics", "/nothing", "/v1x"])
async def test_a_foreign_host_is_told_which_setting_would_allow_it(path: str) -> None:
    answer = await asked(path, Settings(), host="billing.example")
    assert answer.status_code == 421
    assert answer.text == (
        "Host billing.example is not served here. "
        "Whoever runs this server can add it to BILLING_MCP_ALLOWED_HOSTS.\n"
    )


@pytest.mark.parametrize("path", ["/mcp", "/metrics", "/nothing", "/v1x"])
async def test_a_foreign_origin_is_told_which_setting_would_allow_it(path: str) -> None:
    answer = await asked(path, Settings(), origin="https://evil.example")
    assert answer.status_code == 403
    assert answer.text == (
        "Origin https://evil.example is not served here. "
        "Whoever runs this server can add it to BILLING_MCP_ALLOWED_ORIGINS.\n"
    )


async def test_what_was_given_is_quoted_on_one_line_and_cut() -> None:
    answer = await asked("/mcp", Settings(), host="x" * 300)
    assert len(answer.text) < 250
    assert answer.text.count("\n") == 1


async def test_a_request_without_a_host_is_refused() -> None:
    answer = await asked("/mcp", Settings(), host="")
    assert (answer.status_code, answer.text) == (421, "A request without Host is not served.\n")


async def test_a_host_of_the_settings_is_served() -> None:
    settings = Settings(allowed_hosts=("billing.example",))
    answer = await asked("/metrics", settings, host="billing.example")
    assert answer.status_code == 200
    assert (await asked("/metrics", settings, host="billing.example:8443")).status_code == 421
