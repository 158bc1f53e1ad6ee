"""Plans whose ground has moved since they were made: another policy, another state, another
tenant. What people agreed to is then not what would be done, so that nothing is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from answers import facts, failure
from billing_mcp import approvals
from billing_mcp.config import Settings
from billing_mcp.credentials import TenantSettings
from billing_mcp.guard.operations import State
from billing_mcp.server import BillingServer
from billing_mcp.tenants import Caller
from good_calls import FRESH_GROUP, good_calls
from guard.guarded import Guarded, guarded

pytestmark = pytest.mark.anyio

GRANT = {"accountId": "harbor-main", "creditAmount": "150", "effectiveFrom": "2026-11-20"}
# By what the policy says now: the kind of the error, and a word of it.
TIGHTER = {
    'everyone.ceilings.per_call = { USD = "149.99" }': ("not-permitted", "149.99"),
    'everyone.ceilings.per_customer_day = { USD = "149.99" }': ("not-permitted", "149.99"),
    "everyone.read_only = true": ("not-permitted", "policy"),
    'everyone.excluded = ["grant-credit"]': ("not-permitted", "grant-credit"),
    'everyone.customers_off_limits = ["harbor-labs"]': ("not-permitted", "harbor-labs"),
    'everyone.purposes = ["outage"]': ("not-permitted", "urpose"),
    'everyone.needs_two_approvals = ["grant-credit"]': ("approval-required", "Two people"),
    "[[everyone.freeze]]\nreason = 'books'\nlast_days_of_month = 27": ("not-permitted", "books"),
    "[roles.finance]": ("not-permitted", "role"),
}


def settings(folder: Path, policy: str | None) -> Settings:
    """A server whose ledger is a file, under a policy with this text or under none."""
    path = None
    if policy is not None:
        path = folder / "policy.toml"
        path.write_text(policy)
    return Settings(sandbox_data=folder / "company", policy=path)


async def planned(at: Guarded, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The call that commits a plan to which a person has agreed."""
    told = facts(await at.call(tool, {**arguments, "dryRun": True}))
    operation_id = told["operationId"]
    if told["plan"]["needs"] == "approval":
        await approvals.approve(at.server.tenant, operation_id, "ann", identified=True)
    return {**arguments, "operationId": operation_id}


@pytest.mark.parametrize(("policy", "told"), TIGHTER.items(), ids=range(len(TIGHTER)))
async def test_a_policy_that_became_tighter_is_asked_again_at_the_commit(
    policy: str, told: tuple[str, str], tmp_path: Path
) -> None:
    async with guarded(settings(tmp_path, None)) as at:
        commit = await planned(at, "grant-credit", GRANT)
    async with guarded(settings(tmp_path, policy)) as at:
        error = failure(await at.call("grant-credit", commit))
        assert at.effects == []
        row = await at.row(commit["operationId"])
    assert row.state is State.APPROVED
    kind, word = told
    assert error["kind"] == kind
    assert word in error["message"] + error["next"]
    # It was the policy: under the one of then it is done.
    async with guarded(settings(tmp_path, None)) as at:
        facts(await at.call("grant-credit", commit))
        assert len(at.effects) == 1


async def test_a_plan_that_needed_nobody_waits_where_people_are_needed_now(tmp_path: Path) -> None:
    """Under another id, because the first plan told nobody that it would."""
    fifty = GRANT | {"creditAmount": "50"}
    async with guarded(settings(tmp_path, None)) as at:
        commit = await planned(at, "grant-credit", fifty)
    policy = 'everyone.needs_approval = ["grant-credit"]'
    async with guarded(settings(tmp_path, policy)) as at:
        told = failure(await at.call("grant-credit", commit))
        assert told["kind"] == "approval-required"
        assert told["operationId"] != commit["operationId"]
        # Asked for again by either id, or by none, it is still that one plan.
        for arguments in (commit, fifty, fifty | {"operationId": told["operationId"]}):
            again = failure(await at.call("grant-credit", arguments))
            assert again["operationId"] == told["operationId"]
        assert [one.id for one in await approvals.pending(at.server.tenant)] == [
            told["operationId"]
        ]
        await approvals.approve(at.server.tenant, told["operationId"], "ann", identified=True)
        assert failure(await at.call("grant-credit", commit))["kind"] == "approval-required"
        assert at.effects == []
        facts(await at.call("grant-credit", fifty | {"operationId": told["operationId"]}))
        assert len(at.effects) == 1


async def test_a_plan_that_fitted_waits_for_people_once_others_have_reached_the_ceiling() -> None:
    """Five grants of 100 fill the day; the plan of a sixth had been made before."""
    hundred = GRANT | {"creditAmount": "100"}
    async with guarded() as at:
        commit = await planned(at, "grant-credit", hundred)
        for _ in range(5):
            facts(await at.call("grant-credit", hundred))
        told = failure(await at.call("grant-credit", commit))
        assert told["kind"] == "approval-required"
        assert "500.00 USD a customer and day" in told["message"]
        assert [one.id for one in await approvals.pending(at.server.tenant)] == [
            told["operationId"]
        ]
        await approvals.approve(at.server.tenant, told["operationId"], "ann", identified=True)
        facts(await at.call("grant-credit", hundred | {"operationId": told["operationId"]}))
        assert len(at.effects) == 6


async def test_a_policy_that_became_looser_takes_no_approval_away(tmp_path: Path) -> None:
    """A plan that people were asked about waits for them, whatever is permitted since."""
    async with guarded(settings(tmp_path, None)) as at:
        told = facts(await at.call("grant-credit", GRANT | {"dryRun": True}))
        commit = GRANT | {"operationId": told["operationId"]}
    looser = 'everyone.without_approval.per_call = { USD = "1000" }'
    async with guarded(settings(tmp_path, looser)) as at:
        assert failure(await at.call("grant-credit", commit))["kind"] == "approval-required"
        assert at.effects == []


@pytest.mark.parametrize(
    ("tool", "meanwhile"),
    [
        ("update-feature-credits-entry", "entry"),
        ("delete-usagerecordgroup", "group"),
        ("update-usage-metering-config-info", "config"),
        ("update-billable-metric", "metric"),
    ],
)
async def test_a_plan_of_something_that_somebody_changed_since_is_void(
    tool: str, meanwhile: str
) -> None:
    async with guarded() as at:
        arguments = good_calls(at.world)[tool]
        commit = await planned(at, tool, arguments)
        _change(at, meanwhile)
        before = at.effects
        error = failure(await at.call(tool, commit))
        assert at.effects == before
    assert error["kind"] == "conflict"


async def test_a_plan_of_an_entry_that_nobody_changed_is_committed() -> None:
    """The other half of the test above."""
    async with guarded() as at:
        arguments = good_calls(at.world)["update-feature-credits-entry"]
        commit = await planned(at, "update-feature-credits-entry", arguments)
        at.world.sandbox.backend.db.execute("delete from effects")
        facts(await at.call("update-feature-credits-entry", commit))
        assert len(at.effects) == 1


def _change(at: Guarded, what: str) -> None:
    """What somebody else does at the vendor, past this server."""
    db = at.world.sandbox.backend.db
    if what == "entry":
        db.execute("update feature_entries set granted = '120'")
    elif what == "group":
        db.execute(
            "update suger_usage_record_groups set status = 'REPORTED' where id = ?", (FRESH_GROUP,)
        )
    elif what == "metric":
        at.world.ask("PATCH", "/suger/org/sandbox/billableMetric/nodes", {"description": "Changed"})
    else:
        body = {"partnerUsageMeteringConfigs": [{"partner": "GCP"}]}
        at.world.ask("PATCH", "/suger/org/sandbox/usageMeteringConfigInfo", body)


async def test_a_plan_of_one_tenant_is_none_of_another_whoever_asks() -> None:
    """Both are the demo company, so that the same arguments mean something to both."""
    server = BillingServer(Settings(tenants=(TenantSettings("acme"), TenantSettings("beta"))))
    acme, beta = server.tenants["acme"], server.tenants["beta"]
    grant = GRANT | {"accountId": "acme-prod"}
    planned = await server.catalog.invoke("grant-credit", grant | {"dryRun": True}, Caller(acme))
    operation_id = planned.structured["operationId"]
    await approvals.approve(acme, operation_id, "ann", identified=True)
    before = beta.sandbox.backend.db.execute("select count(*) from effects").fetchone()[0]
    commit = grant | {"operationId": operation_id}
    foreign = await server.catalog.invoke("grant-credit", commit, Caller(beta))
    assert foreign.structured["error"]["kind"] == "approval-required"
    after = beta.sandbox.backend.db.execute("select count(*) from effects").fetchone()[0]
    assert after == before
    own = await server.catalog.invoke("grant-credit", commit, Caller(acme))
    assert not own.is_error, own.text
    for tenant in (acme, beta):
        await tenant.close()
