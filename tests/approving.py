"""A hosted server with people who ask and people who approve, each with a key of their own."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from billing_mcp.config import Settings
from billing_mcp.credentials import TenantSettings
from billing_mcp.http import api_keys
from billing_mcp.http.app import app
from billing_mcp.http.metrics import Metrics
from billing_mcp.server import BillingServer
from guard.guarded import NOON, Time
from hosted_asking import client_of
from world import World, open_world

CREDITS = "/v1/accounts/harbor-main/credits"
# Above the 100 units that may be given without a person.
GRANT = {"creditAmount": "150", "effectiveFrom": "2026-11-20"}
PENDING = "/approvals/pending"

# By name: scopes and tenant. All of the tenants are sandboxes of their own.
PEOPLE: Mapping[str, tuple[Sequence[str], str]] = {
    "agent": (["billing:write"], "acme"),
    "anna": (["billing:approve"], "acme"),
    "ben": (["billing:approve"], "acme"),
    "chief": (["billing:write", "billing:approve"], "acme"),
    "reader": (["billing:read"], "acme"),
    "stranger": (["billing:write", "billing:approve"], "harbor"),
}


@dataclass(slots=True)
class Hosted:
    """A server in this process, asked over HTTP by name."""

    http: httpx2.AsyncClient
    server: BillingServer
    world: World
    time: Time
    keys: Mapping[str, str]
    metrics: Metrics = field(default_factory=Metrics)

    def bearer(self, name: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.keys[name]}"}

    async def get(self, name: str, path: str) -> httpx2.Response:
        return await self.http.get(path, headers=self.bearer(name))

    async def post(self, name: str, path: str, body: Any = None) -> httpx2.Response:
        return await self.http.post(path, json=body, headers=self.bearer(name))

    async def planned(self, name: str = "agent", **changed: Any) -> str:
        """The id of a plan for a grant that somebody else has to approve."""
        answer = await self.post(name, CREDITS, GRANT | changed)
        assert answer.status_code == 202, answer.text
        operation_id: str = answer.json()["operationId"]
        return operation_id

    async def committed(self, operation_id: str, name: str = "agent") -> httpx2.Response:
        headers = self.bearer(name) | {"idempotency-key": operation_id}
        return await self.http.post(CREDITS, json=GRANT, headers=headers)

    async def approve(self, name: str, operation_id: str) -> httpx2.Response:
        return await self.post(name, f"/approvals/{operation_id}/approve", {})

    async def deny(self, name: str, operation_id: str, why: str = "no") -> httpx2.Response:
        return await self.post(name, f"/approvals/{operation_id}/deny", {"why": why})

    async def waiting(self, name: str) -> list[dict[str, Any]]:
        answer = await self.get(name, PENDING)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["data"]
        assert answer.json()["count"] == len(rows)
        return rows


def made_keys(path: Path, roles: Mapping[str, str] | None = None) -> dict[str, str]:
    """A file of everybody's keys; each by its bearer's name."""
    made = {
        name: api_keys.made(name, scopes, tenant, NOON, role=(roles or {}).get(name))
        for name, (scopes, tenant) in PEOPLE.items()
    }
    api_keys.write(path, [kept for _, kept in made.values()])
    return {name: key for name, (key, _) in made.items()}


@asynccontextmanager
async def hosted(
    folder: Path,
    policy: str | None = None,
    roles: Mapping[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Hosted]:
    """`policy` is the text of its file; `roles` are those of the keys."""
    keys = made_keys(folder / "keys.json", roles)
    path = None
    if policy is not None:
        path = folder / "policy.toml"
        path.write_text(policy, encoding="utf-8")
    tenants = (TenantSettings("acme"), TenantSettings("harbor"))
    given = {"api_keys": folder / "keys.json", "policy": path, "tenants": tenants, **settings}
    chosen = Settings(**given)
    server = BillingServer(chosen)
    time = Time()
    for tenant in server.tenants.values():
        tenant.now = time
    metrics = Metrics()
    async with client_of(app(chosen, server, metrics)) as http:
        yield Hosted(http, server, open_world(server), time, keys, metrics)
