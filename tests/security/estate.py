"""Two tenants of one server: harbor, whose data is to be kept, and acme, who is after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from pydantic import SecretStr

from billing_mcp.config import Settings
from billing_mcp.connection import Application
from billing_mcp.credentials import Credential, TenantSettings, Vendor
from billing_mcp.http.app import app
from billing_mcp.http.metrics import Metrics
from billing_mcp.logs import CallLog
from billing_mcp.sandbox import SandboxSettings, open_sandbox
from billing_mcp.server import BillingServer
from billing_mcp.telemetry import Several
from hosted_asking import bearer, client_of
from issuer import ISSUER, PUBLIC_URL, Issuer
from unguarded import ANYTHING
from world import World, open_world

VENDORS: tuple[Vendor, ...] = ("togai", "suger")
# What stands in harbor's data and in nothing that a caller says or that ships with the server.
MARKS = ("Harbor Labs", "billing@harbor-labs.example", "Nodes used", "Entitlement on AWS", "49.5")


@dataclass
class Watched:
    """A vendor that keeps what it was asked, and by which key."""

    application: Application
    asked: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(f"{scope['method']} {scope['path']}")
        headers = dict(scope["headers"])
        self.keys.add(headers[b"authorization"].decode())
        await self.application(scope, receive, send)


@dataclass
class Estate:
    """The server, somebody on another machine, and the vendors of each tenant."""

    server: BillingServer
    http: httpx2.AsyncClient
    issuer: Issuer
    vendors: dict[str, Watched]
    world: World | None = None

    def headers(self, tenant: str, scope: str = "billing:write", **changed: Any) -> dict[str, str]:
        return bearer(self.issuer, tenant=tenant, scope=scope, **changed)


@asynccontextmanager
async def sandboxes() -> AsyncIterator[Estate]:
    """Each tenant with a company of its own: harbor's is that of `world`, acme's is empty.

    Their policy permits every write, so that it is not what keeps them apart.
    """
    tenants = (TenantSettings("harbor"), TenantSettings("acme"))
    server, metrics = _server(tenants, policy=ANYTHING)
    world = open_world(server)
    server.tenants["acme"]._sandbox = open_sandbox(SandboxSettings(demo=False))
    async with _opened(server, metrics) as estate:
        estate.world = world
        yield estate


@asynccontextmanager
async def live(application: Application) -> AsyncIterator[Estate]:
    """Each tenant with keys of its own; whoever they ask is `application`."""
    tenants = tuple(
        TenantSettings(
            name,
            Credential("http://127.0.0.1:1", SecretStr(f"Bearer togai-key-of-{name}")),
            Credential("http://127.0.0.1:1", SecretStr(f"Key suger-key-of-{name}")),
            org_id=f"org-of-{name}",
        )
        for name in ("harbor", "acme")
    )
    server, metrics = _server(tenants)
    for tenant in server.tenants.values():
        for vendor in VENDORS:
            tenant.connection(vendor).application = application
    async with _opened(server, metrics) as estate:
        yield estate


def _server(
    tenants: tuple[TenantSettings, ...], policy: Path | None = None
) -> tuple[BillingServer, Metrics]:
    """Watched as the verb `http` has it."""
    settings = Settings(
        auth_issuer=ISSUER,
        public_url=PUBLIC_URL,
        tenants=tenants,
        policy=policy,
        toolsets=("all",),
        secret_tools=True,
        rate_limit=0,
    )
    metrics = Metrics()
    return BillingServer(settings, Several((metrics, CallLog()))), metrics


@asynccontextmanager
async def _opened(server: BillingServer, metrics: Metrics) -> AsyncIterator[Estate]:
    watched = {}
    for name, tenant in server.tenants.items():
        inner = tenant.connection("togai").application
        assert inner is not None
        watched[name] = Watched(inner)
        for vendor in VENDORS:
            tenant.connection(vendor).application = watched[name]
    issuer = Issuer()
    made = app(server.catalog.settings, server, metrics, authentication=issuer.authentication())
    async with client_of(made) as http:
        yield Estate(server, http, issuer, watched)
