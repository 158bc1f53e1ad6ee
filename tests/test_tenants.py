"""Whose call it is: which vendors a tenant reaches, and that its connections end with it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from mcp import Client

from answers import connected, facts, failure
from billing_mcp.config import Settings, from_environ
from billing_mcp.credentials import SettingsError
from billing_mcp.errors import NotConfigured
from billing_mcp.server import BillingServer
from billing_mcp.tenants import Caller, Tenant
from recording import Recorder, Says, attach

BOTH = {"TOGAI_API_KEY": "a", "SUGER_API_KEY": "b", "SUGER_ORG_ID": "mine"}
TOGAI_TEST = {"TOGAI_API_KEY": "a", "TOGAI_BASE_URL": "https://sandbox-api.togai.com"}


def tenant_of(environ: dict[str, str]) -> Tenant:
    settings = from_environ(environ)
    return Tenant(settings.tenant, settings)


def test_a_tenant_without_keys_is_the_sandbox_for_both_vendors() -> None:
    tenant = tenant_of({})
    assert tenant.name == "default"
    assert {tenant.environment("togai"), tenant.environment("suger"), tenant.environment()} == {
        "sandbox"
    }
    assert tenant.connection("togai").environment == "sandbox"
    assert tenant.connection("togai").application is tenant.connection("suger").application


def test_a_tenant_with_keys_reaches_the_vendors_it_has_keys_for() -> None:
    tenant = tenant_of({**BOTH, **TOGAI_TEST})
    assert tenant.environment("togai") == "vendor-sandbox"
    assert tenant.environment("suger") == "live"
    assert tenant.connection("suger").credential.base_url == "https://api.suger.cloud"
    assert tenant.connection("suger").application is None


def test_a_tenant_with_one_key_has_no_way_to_the_other_vendor() -> None:
    tenant = tenant_of(TOGAI_TEST)
    assert tenant.environment("suger") == tenant.environment() == "vendor-sandbox"
    with pytest.raises(NotConfigured, match="This server has no key for Suger") as caught:
        tenant.connection("suger")
    assert caught.value.next_step == "Set SUGER_API_KEY and start it again."


def test_a_connection_is_opened_once_with_the_limits_of_the_settings() -> None:
    limits = {"BILLING_MCP_UPSTREAM_TIMEOUT": "7", "BILLING_MCP_UPSTREAM_CONCURRENCY": "3"}
    tenant = tenant_of({**BOTH, **limits})
    connection = tenant.connection("togai")
    assert (connection.timeout_s, connection.concurrency) == (7, 3)
    assert tenant.connection("togai") is connection
    assert tenant.connection("suger") is not connection


@pytest.mark.anyio
async def test_a_closed_tenant_opens_anew_what_it_needs() -> None:
    tenant = tenant_of({})
    before, sandbox = tenant.connection("togai"), tenant.sandbox
    await tenant.close()
    assert tenant.connection("togai") is not before
    assert tenant.sandbox is not sandbox
    await tenant.close()


@pytest.mark.anyio
async def test_a_server_closes_its_vendors_when_it_ends_and_may_be_started_again() -> None:
    server = BillingServer(Settings())
    for _ in range(2):
        async with connected(server) as client:
            assert facts(await client.call_tool("list-customers", {}))["count"] > 0


def test_a_caller_is_local_unless_said_otherwise() -> None:
    caller = Caller(tenant_of({}))
    assert (caller.principal, caller.client, caller.progress) == ("local", None, None)


@pytest.mark.anyio
async def test_every_organisation_but_its_own_is_unknown_to_the_sandbox(client: Client) -> None:
    own = facts(await client.call_tool("list-billable-metrics", {"orgId": "sandbox"}))
    assert own == facts(await client.call_tool("list-billable-metrics", {}))
    error = failure(await client.call_tool("list-billable-metrics", {"orgId": "other"}))
    assert error["kind"] == "not-found"


@pytest.mark.anyio
async def test_a_live_call_is_of_the_tenants_organisation_unless_the_argument_says_another() -> (
    None
):
    server = BillingServer(from_environ(BOTH))
    vendor = Recorder(Says([]))
    attach(server, vendor)
    async with connected(server) as client:
        facts(await client.call_tool("list-billable-metrics", {}))
        facts(await client.call_tool("list-billable-metrics", {"orgId": "theirs"}))
    assert [request.target for request in vendor.requests] == [
        "/suger/org/mine/billableMetric",
        "/suger/org/theirs/billableMetric",
    ]


@pytest.mark.anyio
async def test_without_any_organisation_nothing_is_sent() -> None:
    server = BillingServer(from_environ({"SUGER_API_KEY": "b"}))
    vendor = Recorder(Says([]))
    attach(server, vendor)
    async with connected(server) as client:
        error = failure(await client.call_tool("list-billable-metrics", {}))
    assert (error["kind"], error["field"]) == ("not-configured", "orgId")
    assert "SUGER_ORG_ID" in error["next"]
    assert vendor.requests == []


def test_the_sandboxs_time_is_told_without_opening_it(tmp_path: Path) -> None:
    start = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert tenant_of({}).sandbox_time() == start
    later = tenant_of({"BILLING_MCP_SANDBOX_NOW": "2027-01-01T00:00:00Z"})
    assert later.sandbox_time() == datetime(2027, 1, 1, tzinfo=UTC)
    assert later._sandbox is None
    unmade = tenant_of({"BILLING_MCP_SANDBOX_DATA": str(tmp_path / "none.db")})
    assert unmade.sandbox_time() == start
    assert not (tmp_path / "none.db").exists()


def test_a_data_file_that_is_none_is_refused_as_a_setting(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear customer, this is no database at all." * 50, encoding="utf-8")
    tenant = tenant_of({"BILLING_MCP_SANDBOX_DATA": str(path)})
    with pytest.raises(SettingsError, match=r"letter\.txt"):
        tenant.sandbox_time()
    with pytest.raises(SettingsError, match=r"letter\.txt"):
        tenant.connection("togai")
