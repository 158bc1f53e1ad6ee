"""What those who run the server see of callers with tokens and keys, and what they never see."""

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from billing_mcp.config import Settings
from billing_mcp.credentials import TenantSettings
from billing_mcp.http import api_keys
from billing_mcp.http.app import app
from http_processes import serving

pytestmark = pytest.mark.anyio

MADE = datetime(2026, 11, 20, 12, tzinfo=UTC)
HEADERS = {"accept": "application/json", "mcp-protocol-version": "2025-06-18"}
LISTING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "list-customers", "arguments": {}},
}


def key_in(path: Path, name: str) -> str:
    key, kept = api_keys.made(name, ["billing:read"], None, MADE)
    api_keys.write(path, [kept])
    return key


async def test_figures_are_for_this_machine_and_elsewhere_for_valid_tokens(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = key_in(path, "prometheus")
    application = app(Settings(api_keys=path))

    async def asked(peer: str, **headers: str) -> int:
        transport = httpx2.ASGITransport(application, client=(peer, 50_000))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return (await http.get("/metrics", headers=headers)).status_code

    assert await asked("192.0.2.7", authorization=f"Bearer {key}") == 200
    assert await asked("192.0.2.7") == 403
    assert await asked("192.0.2.7", authorization="Bearer bmk_made-up") == 401
    assert await asked("127.0.0.1") == 200
    # A bad token is not made good by where it comes from.
    assert await asked("127.0.0.1", authorization="Bearer bmk_made-up") == 401


async def test_who_has_called_is_in_the_log_and_what_they_showed_is_not(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = key_in(path, "night-batch")
    wrong = "bmk_wrong-and-never-made-0123456789abcdefghijkl"
    env = {"BILLING_MCP_API_KEYS": str(path), "BILLING_MCP_LOG_LEVEL": "DEBUG"}
    with serving(env=env) as server:
        for token in (key, wrong):
            headers = HEADERS | {"authorization": f"Bearer {token}"}
            httpx2.post(f"{server.url}/mcp", json=LISTING, headers=headers)
            httpx2.get(f"{server.url}/v1/customers?access_token={token}", headers=headers)
            httpx2.get(f"{server.url}/v1/customers", headers=headers)
        figures = httpx2.get(f"{server.url}/metrics").text
        assert server.stopped() == 0
    calls = [json.loads(line) for line in server.output.splitlines()]
    calls = [line for line in calls if line["message"] == "call"]
    assert [(line["tool"], line["tenant"], line["principal"]) for line in calls] == [
        ("list-customers", "default", "key:night-batch")
    ] * 2
    for secret in (key, wrong):
        assert secret not in server.output
        assert secret not in figures


async def test_the_limit_of_one_key_is_not_the_limit_of_another(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    tenants = (TenantSettings("acme", rate_limit=1), TenantSettings("harbor", rate_limit=2))
    made = [
        api_keys.made(name, ["billing:read"], tenant, MADE)
        for name, tenant in (("one", "acme"), ("two", "acme"), ("three", "harbor"))
    ]
    api_keys.write(path, [kept for _, kept in made])
    application = app(Settings(api_keys=path, tenants=tenants), clock=lambda: 0)
    transport = httpx2.ASGITransport(application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        for (key, _), taken in zip(made, (1, 1, 2), strict=True):
            headers = {"authorization": f"Bearer {key}"}
            answers = [await http.get("/v1/customers", headers=headers) for _ in range(taken + 1)]
            assert [answer.status_code for answer in answers] == [200] * taken + [429]
            assert answers[-1].headers["retry-after"] == str(60 // taken)
            assert (await http.get("/v1/openapi.json", headers=headers)).status_code == 200
