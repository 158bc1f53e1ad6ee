"""The role that a key or a token names, and a tenant's own rules: what the policy makes of them."""

from pathlib import Path

import pytest

from approving import CREDITS, GRANT, hosted
from billing_mcp.config import Settings
from billing_mcp.credentials import TenantSettings
from billing_mcp.guard import policy_file
from billing_mcp.http.app import app
from billing_mcp.server import BillingServer
from guard.guarded import Time
from hosted_asking import asked, bearer, client_of
from issuer import ISSUER, PUBLIC_URL, Issuer
from rest_asking import problem_of
from world import open_world

pytestmark = pytest.mark.anyio

POLICY = """
[roles.support]
excluded = ["create-customer"]

[roles.support.ceilings]
per_call = { USD = "20" }

[roles.finance.without_approval]
per_call = { USD = "1000" }
per_customer_day = { USD = "1000" }
"""
NEW = {"id": "kept", "name": "Kept", "primaryEmail": "kept@kept.example"}
FIFTEEN = GRANT | {"creditAmount": "15"}


async def test_the_role_of_a_key_decides_what_it_may_do_over_rest(tmp_path: Path) -> None:
    roles = {"agent": "support", "chief": "finance"}
    async with hosted(tmp_path, POLICY, roles) as desk:
        refused = problem_of(await desk.post("agent", CREDITS, GRANT), 403, "not-permitted")
        assert "20.00 USD" in refused["detail"]
        assert (await desk.post("agent", CREDITS, FIFTEEN)).status_code == 200
        assert (await desk.post("chief", CREDITS, GRANT)).status_code == 200
        problem_of(await desk.post("agent", "/v1/customers", NEW), 403, "not-permitted")
        assert (await desk.post("chief", "/v1/customers", NEW)).status_code == 200


async def test_a_key_without_a_role_may_only_read_where_the_policy_has_roles(
    tmp_path: Path,
) -> None:
    async with hosted(tmp_path, POLICY) as desk:
        assert (await desk.get("agent", "/v1/customers")).status_code == 200
        problem_of(await desk.post("agent", CREDITS, FIFTEEN), 403, "not-permitted")


async def test_the_role_of_whoever_starts_the_server_is_not_that_of_a_key(tmp_path: Path) -> None:
    async with hosted(tmp_path, POLICY, role="finance") as desk:
        problem_of(await desk.post("agent", CREDITS, FIFTEEN), 403, "not-permitted")


async def test_the_role_of_a_token_decides_what_it_may_do_over_mcp(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    issuer = Issuer()
    settings = Settings(
        auth_issuer=ISSUER, public_url=PUBLIC_URL, policy=path, auth_role_claim="job"
    )
    authentication = issuer.authentication(auth_role_claim="job")
    server = BillingServer(settings)
    server.tenant.now = Time()
    open_world(server)
    grant = {"accountId": "harbor-main", **GRANT}
    async with client_of(app(settings, server, authentication=authentication)) as http:
        found = {}
        for job in ("support", "finance", "nobody"):
            headers = bearer(issuer, scope="billing:write", job=job, sub=job)
            answer = await asked(http, "tools/call", headers, name="grant-credit", arguments=grant)
            found[job] = answer.json()["result"]["structuredContent"]
            listed = (await asked(http, "tools/list", headers)).json()["result"]["tools"]
            names = {tool["name"] for tool in listed}
            assert ("create-customer" in names) is (job == "finance")
            assert "list-customers" in names
    assert found["finance"]["creditAmount"] == "150.00"
    for job in ("support", "nobody"):
        assert found[job]["error"]["kind"] == "not-permitted"


async def test_a_tenants_own_rules_hold_for_that_tenant_and_only_add(tmp_path: Path) -> None:
    # Two approvals for what the policy lets run, and less for what it would let a person approve.
    table = {
        "needs_two_approvals": ["create-customer"],
        "without_approval": {"per_call": {"USD": "100000"}},
    }
    rules = policy_file.read_rules(table, "rules")
    tenants = (TenantSettings("acme", rules=rules), TenantSettings("harbor"))
    async with hosted(tmp_path, tenants=tenants) as desk:
        planned = await desk.post("agent", "/v1/customers", NEW)
        assert problem_of(planned, 202, "approval-required")["plan"]["needs"] == "two-approvals"
        assert planned.json()["plan"]["rule"] == "tenants.acme.rules.needs_two_approvals"
        # It cannot give away what the policy holds back.
        problem_of(await desk.post("agent", CREDITS, GRANT), 202, "approval-required")
        assert (await desk.post("stranger", "/v1/customers", NEW)).status_code == 200


async def test_a_person_with_a_token_approves_what_another_ones_token_asked_for() -> None:
    issuer = Issuer()
    settings = Settings(auth_issuer=ISSUER, public_url=PUBLIC_URL)
    server = BillingServer(settings)
    open_world(server)
    agent = bearer(issuer, scope="billing:write", sub="agent-7")
    anna = bearer(issuer, scope="openid billing:approve", sub="anna")
    grant = {"accountId": "harbor-main", **GRANT}
    application = app(settings, server, authentication=issuer.authentication())
    async with client_of(application) as http:
        asking = {"name": "grant-credit", "arguments": grant}
        waits = (await asked(http, "tools/call", agent, **asking)).json()["result"]
        operation_id = waits["structuredContent"]["error"]["operationId"]
        path = f"/approvals/{operation_id}/approve"
        lacking = await http.post(path, json={}, headers=agent)
        problem_of(lacking, 403, "not-permitted")
        assert "resource_metadata=" in lacking.headers["www-authenticate"]
        approved = (await http.post(path, json={}, headers=anna)).json()
        assert approved["principal"] == "agent-7@login.issuer.example"
        assert [one["by"] for one in approved["approvals"]] == ["anna@login.issuer.example"]
        asking["arguments"] = grant | {"operationId": operation_id}
        done = (await asked(http, "tools/call", agent, **asking)).json()["result"]
    assert done["structuredContent"]["creditAmount"] == "150.00"
