"""Plans that wait for people, put into the ledger of a tenant without any tool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from billing_mcp.config import Settings
from billing_mcp.credentials import Credential, Environment, TenantSettings
from billing_mcp.guard.ledger import Planned
from billing_mcp.guard.operations import Operation, Partition, Plan
from billing_mcp.tenants import Tenant
from guard.guarded import Time
from guard.ledgers import grant

AN_HOUR = timedelta(hours=1)
# When whoever runs these tests looks at a plan in real time, it has not expired.
FAR = datetime(2099, 1, 1, tzinfo=UTC)
SANDBOX_HOST = "https://sandbox-api.togai.com"


def uuid(number: int) -> str:
    return str(UUID(int=number))


def live(name: str = "default") -> TenantSettings:
    """Togai in its own sandbox, Suger live: two environments."""
    key = SecretStr("Bearer key-0123456789")
    return TenantSettings(
        name, Credential(SANDBOX_HOST, key), Credential("https://api.suger.cloud", key)
    )


@asynccontextmanager
async def opened(settings: Settings, time: Time | None = None) -> AsyncIterator[Tenant]:
    tenant = Tenant(settings.tenant, settings, now=time or Time())
    try:
        yield tenant
    finally:
        await tenant.close()


def in_file(folder: Path) -> Settings:
    return Settings(sandbox_data=folder / "company.db")


async def planned(
    tenant: Tenant,
    number: int = 1,
    approvals: int = 1,
    environment: Environment = "sandbox",
    **more: Any,
) -> Operation:
    """A plan of a grant of 50 dollars for an hour, which so many people have to approve."""
    gate = await tenant.ledgers.gate(environment)
    effect = more.pop("effect", 'Grants 50.00 USD to account acc-1 ("Harbor").')
    new = grant(uuid(number), partition=Partition(tenant.name, environment), **more)
    expires = gate.now() + AN_HOUR
    shown = {"tool": new.tool, "effect": effect, "why": "It is much.", "rule": "roles.a.per_call"}
    answer = await gate.ledger.plan(new, Plan(shown, expires, approvals))
    assert isinstance(answer, Planned)
    return answer.operation
