"""How tests ask the whole app over HTTP as somebody with a token, or without one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette

from billing_mcp.config import Settings
from billing_mcp.http.app import app
from billing_mcp.http.auth import Authentication
from billing_mcp.server import BillingServer
from issuer import ISSUER, PUBLIC_URL, Issuer
from world import open_world

HERE = "http://127.0.0.1:9080"
MCP = f"{HERE}/mcp"
METADATA = f"{PUBLIC_URL}/.well-known/oauth-protected-resource"
HOSTED = Settings(auth_issuer=ISSUER, public_url=PUBLIC_URL, toolsets=("all",), secret_tools=True)


@asynccontextmanager
async def served(
    settings: Settings, authentication: Authentication
) -> AsyncIterator[httpx2.AsyncClient]:
    """The app in this process on the small company, without a network."""
    server = BillingServer(settings)
    open_world(server)
    async with client_of(app(settings, server, authentication=authentication)) as made:
        yield made


@asynccontextmanager
async def client_of(application: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """A client on another machine."""
    transport = httpx2.ASGITransport(application, client=("192.0.2.7", 4242))
    async with (
        application.router.lifespan_context(application),
        httpx2.AsyncClient(transport=transport, base_url=HERE) as made,
    ):
        yield made


def bearer(issuer: Issuer, **changed: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {issuer.token(**changed)}"}


async def asked(
    http: httpx2.AsyncClient, method: str, headers: dict[str, str], **params: Any
) -> httpx2.Response:
    """One message of the newest revision, as its clients send it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    named = {"mcp-name": str(params["name"])} if "name" in params else {}
    sent = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": method,
        **named,
        **headers,
    }
    return await http.post(MCP, json=message, headers=sent)


@asynccontextmanager
async def connected(
    http: httpx2.AsyncClient, era: str, headers: dict[str, str], url: str = MCP
) -> AsyncIterator[Client]:
    http.headers.update(headers)
    transport = streamable_http_client(url, http_client=http)
    async with Client(transport, mode="legacy" if era == "legacy" else "auto") as client:
        yield client
