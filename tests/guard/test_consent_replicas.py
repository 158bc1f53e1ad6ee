"""A question of one replica, answered at another: the same plan, or none."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, InputRequiredResult
from pydantic import SecretStr

from answers import connected, facts
from billing_mcp.config import Settings
from billing_mcp.credentials import Credential, TenantSettings
from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox
from billing_mcp.server import BillingServer
from guard.people import APPROVES, GRANT, Person
from world import furnish

pytestmark = pytest.mark.anyio

NOBODY = Person.who(APPROVES)


def settings_of(folder: Path, **changed: Any) -> Settings:
    """A server with a vendor's key, and a ledger that others may share."""
    togai = Credential("http://togai.example/togai", SecretStr("Bearer the-key-of-the-tenant"))
    ledger = SecretStr(str(folder / "ledger.db"))
    return replace(
        Settings(tenants=(TenantSettings("default", togai),), ledger_url=ledger), **changed
    )


def replica(settings: Settings, vendor: Sandbox) -> BillingServer:
    server = BillingServer(settings)
    server.tenant.connection("togai").application = vendor
    return server


async def asked(client: Client) -> dict[str, Any]:
    """The answer to the question that a call comes to, as the second entry carries it."""
    question = await client.session.call_tool("grant-credit", GRANT, allow_input_required=True)
    assert isinstance(question, InputRequiredResult)
    (name,) = question.input_requests or {}
    return {"input_responses": {name: APPROVES}, "request_state": question.request_state}


async def answered(client: Client, answer: dict[str, Any]) -> Any:
    return await client.session.call_tool(
        "grant-credit", GRANT, allow_input_required=True, **answer
    )


def credits_in(vendor: Sandbox) -> int:
    rows = vendor.backend.db.execute("select count(*) as n from effects where kind = 'credit'")
    count: int = rows.fetchone()["n"]
    return count


async def test_a_question_of_one_replica_is_answered_at_another(tmp_path: Path) -> None:
    vendor = open_sandbox(SandboxSettings(demo=False))
    furnish(vendor)
    settings = settings_of(tmp_path)
    async with (
        connected(replica(settings, vendor), elicitation_callback=NOBODY) as one,
        connected(replica(settings, vendor), elicitation_callback=NOBODY) as other,
    ):
        answer = await asked(one)
        granted = facts(await answered(other, answer))
        # At the first it finds that plan no more, and asks about another one.
        assert isinstance(await answered(one, answer), InputRequiredResult)
        assert credits_in(vendor) == 1
    assert granted["creditAmount"] == "150.00"
    vendor.close()


@pytest.mark.parametrize("differs", ["key", "ledger", "no ledger"])
async def test_a_question_of_a_server_with_other_secrets_is_not_heard(
    tmp_path: Path, differs: str
) -> None:
    vendor = open_sandbox(SandboxSettings(demo=False))
    furnish(vendor)
    other = Credential("http://togai.example/togai", SecretStr("Bearer another-key"))
    changes: dict[str, dict[str, Any]] = {
        "key": {"tenants": (TenantSettings("default", other),)},
        "ledger": {"ledger_url": SecretStr(str(tmp_path / "another.db"))},
        "no ledger": {"ledger_url": None, "data_home": tmp_path},
    }
    foreign = replica(settings_of(tmp_path, **changes[differs]), vendor)
    async with (
        connected(foreign, elicitation_callback=NOBODY) as elsewhere,
        connected(replica(settings_of(tmp_path), vendor), elicitation_callback=NOBODY) as here,
    ):
        answer = await asked(elsewhere)
        with pytest.raises(MCPError) as error:
            await answered(here, answer)
        assert credits_in(vendor) == 0
    assert error.value.error.code == INVALID_PARAMS
    vendor.close()
