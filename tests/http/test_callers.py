"""As whom and for whom a call is made: tenants by token and by key, and what vendors never see."""

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import MCPError
from pydantic import SecretStr

from answers import facts
from billing_mcp.config import Settings
from billing_mcp.credentials import Credential, TenantSettings
from billing_mcp.http import api_keys
from billing_mcp.http.app import app
from billing_mcp.server import BillingServer
from hosted_asking import asked, bearer, client_of, connected
from http_processes import serving
from issuer import ISSUER, NOW, PUBLIC_URL, Issuer
from processes import run
from recording import Recorder, Says
from rest_asking import problem_of

pytestmark = pytest.mark.anyio

TENANTS = (TenantSettings("acme"), TenantSettings("harbor"))
HOSTED = Settings(auth_issuer=ISSUER, public_url=PUBLIC_URL, tenants=TENANTS)
NEW = {"id": "kept", "name": "Kept", "primaryEmail": "kept@kept.example"}


def called(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["result"]["structuredContent"]
    return found


async def test_a_token_reaches_the_data_of_its_tenant_and_of_no_other(issuer: Issuer) -> None:
    acme, harbor = (
        bearer(issuer, tenant=name, scope="billing:write") for name in ("acme", "harbor")
    )
    async with client_of(app(HOSTED, authentication=issuer.authentication())) as http:
        assert (await http.post("/v1/customers", json=NEW, headers=acme)).status_code == 200
        assert (await http.get("/v1/customers/kept", headers=acme)).status_code == 200
        assert (await http.get("/v1/customers/kept", headers=harbor)).status_code == 404
        wanted = {"customerId": "kept"}
        found = await asked(http, "tools/call", acme, name="get-customer", arguments=wanted)
        assert called(found)["id"] == "kept"
        missing = await asked(http, "tools/call", harbor, name="get-customer", arguments=wanted)
        assert called(missing)["error"]["kind"] == "not-found"


@pytest.mark.parametrize("tenant", [None, "nobody", "ACME", "acme "])
async def test_a_token_of_no_tenant_of_this_server_reaches_nothing(
    issuer: Issuer, tenant: str | None
) -> None:
    headers = bearer(issuer, tenant=tenant)
    async with client_of(app(HOSTED, authentication=issuer.authentication())) as http:
        for method, params in (
            ("tools/list", {}),
            ("tools/call", {"name": "list-customers", "arguments": {}}),
        ):
            answer = (await asked(http, method, headers, **params)).json()
            assert answer["error"]["message"] == "This token names no tenant of this server."
            assert "result" not in answer
        rest = await http.get("/v1/customers", headers=headers)
        assert problem_of(rest, 403, "not-permitted")


async def test_a_key_reaches_the_data_of_its_tenant_and_of_no_other(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = [
        api_keys.made(f"{name}-desk", ["billing:write"], name, NOW) for name in ("acme", "harbor")
    ]
    api_keys.write(path, [key for _, key in made])
    acme, harbor = ({"authorization": f"Bearer {shown}"} for shown, _ in made)
    async with client_of(app(Settings(api_keys=path, tenants=TENANTS))) as http:
        assert (await http.post("/v1/customers", json=NEW, headers=acme)).status_code == 200
        assert (await http.get("/v1/customers/kept", headers=acme)).status_code == 200
        assert (await http.get("/v1/customers/kept", headers=harbor)).status_code == 404


async def test_the_callers_token_is_never_sent_to_a_vendor(issuer: Issuer) -> None:
    togai = Credential("http://127.0.0.1:1", SecretStr("Bearer key-of-the-tenant"))
    settings = Settings(
        auth_issuer=ISSUER, public_url=PUBLIC_URL, tenants=(TenantSettings("acme", togai),)
    )
    server = BillingServer(settings)
    vendor = Recorder(Says({**NEW, "status": "ACTIVE"}))
    server.tenants["acme"].connection("togai").application = vendor
    text = issuer.token(tenant="acme")
    headers = {"authorization": f"Bearer {text}", "cookie": f"session={text}"}
    application = app(settings, server, authentication=issuer.authentication())
    async with client_of(application) as http:
        rest = await http.get("/v1/customers/kept", headers=headers)
        assert rest.status_code == 200, rest.text
        wanted = {"customerId": "kept"}
        found = await asked(http, "tools/call", headers, name="get-customer", arguments=wanted)
        assert called(found)["id"] == "kept"
    assert len(vendor.requests) == 2
    for request in vendor.requests:
        assert request.headers["authorization"] == "Bearer key-of-the-tenant"
        assert "cookie" not in request.headers
        sent = f"{request.target} {request.headers} {request.body!r}"
        assert not [part for part in text.split(".") if part in sent]


async def test_a_key_made_by_the_verb_opens_a_real_server_to_its_bearer(tmp_path: Path) -> None:
    keys = ("--api-keys", str(tmp_path / "keys.json"))
    made = await anyio.to_thread.run_sync(lambda: run("keys", "add", "desk", *keys))
    shown = made.stdout.strip()
    with serving(*keys) as served:
        headers = {"authorization": f"Bearer {shown}"}
        for era in ("modern", "legacy"):
            async with httpx2.AsyncClient(base_url=served.url) as http:
                assert (await http.get("/v1/customers")).status_code == 401
                async with connected(http, era, headers, f"{served.url}/mcp") as client:
                    assert facts(await client.call_tool("list-customers", {}))["count"] > 0
                assert (await http.get("/v1/customers")).status_code == 200


async def test_a_server_that_asks_for_tokens_lets_nobody_in_without_whatever_stands_before_it() -> (
    None
):
    server = BillingServer(HOSTED)
    app(HOSTED, server, authentication=Issuer().authentication())
    with pytest.raises(MCPError, match="needs an access token"):
        await server.call_tool("list-customers", {})
    with pytest.raises(MCPError, match="needs an access token"):
        await server.list_tools()
