"""Tokens that Togai gives: behind a setting, and kept nowhere."""

import pytest

from answers import connected, facts, failure, said
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
from calls.organisation import calls
from guard.guarded import LATER, guarded
from guard.test_gate import OPERATION
from guard.test_reconcile import lose
from tools.planning import planned, refused
from world import open_world

pytestmark = pytest.mark.anyio

OPEN = Settings(toolsets=("all",), secret_tools=True)
PORTAL = {"customerId": "harbor-labs", "accountIds": ["harbor-main"]}


@pytest.mark.parametrize("tool", ["create-access-token", "create-portal-token"])
async def test_without_the_setting_a_token_is_neither_listed_nor_given(tool: str) -> None:
    server = BillingServer(Settings(toolsets=("all",), tools=(tool,)))
    arguments = calls(open_world(server))[tool]
    async with connected(server) as client:
        assert tool not in {one.name for one in (await client.list_tools()).tools}
        wrong = failure(await client.call_tool(tool, arguments))
    assert wrong["kind"] == "not-permitted"
    assert "answers with a secret" in wrong["message"]
    assert "--secret-tools true" in wrong["next"]


async def test_with_the_setting_tokens_are_given() -> None:
    server = BillingServer(OPEN)
    open_world(server)
    async with connected(server) as client:
        access = facts(await client.call_tool("create-access-token", {}))
        portal = facts(await client.call_tool("create-portal-token", PORTAL))
    assert access["token"].count(".") == portal["token"].count(".") == 2
    assert access["token"] != portal["token"]


async def test_a_token_is_shown_once_and_the_ledger_has_none() -> None:
    async with guarded(OPEN) as at:
        call = PORTAL | {"operationId": OPERATION}
        token = facts(await at.call("create-portal-token", call))["token"]
        again = await at.call("create-portal-token", call)
        kept = str((await at.row(OPERATION)).outcome)
        shown = await at.call("get-operation", {"operationId": OPERATION})
    assert facts(again)["token"] == "[secret]"
    assert facts(again)["replayed"] is True
    for text in (said(again), kept, said(shown), str(facts(shown))):
        assert token not in text


async def test_a_token_whose_answer_was_lost_is_not_asked_for_again() -> None:
    async with guarded(OPEN) as at:
        call = await lose(at, "create-portal-token", "reset-after")
        at.time.pass_by(LATER)
        once = at.effects
        wrong = failure(await at.call("create-portal-token", call))
        assert at.effects == once
    assert "it ends by itself, unused" in wrong["message"]
    assert wrong["next"] == "Call without operationId for another token."


async def test_a_plan_says_what_the_token_opens() -> None:
    async with guarded(OPEN) as at:
        some = await planned(at, "create-portal-token", **PORTAL, expiry=60)
        every = await planned(
            at, "create-portal-token", customerId="harbor-labs", allAccountsAccess=True
        )
    assert some["effect"] == (
        "Makes a secret token that lets whoever has it see harbor-main of customer harbor-labs "
        '("Harbor Labs") in the customer portal, for 60 seconds.'
    )
    assert "see all its accounts of customer" in every["effect"]


@pytest.mark.parametrize("accounts", [{}, PORTAL | {"allAccountsAccess": True}])
async def test_a_token_is_for_some_accounts_or_for_all(accounts: dict[str, object]) -> None:
    async with guarded(OPEN) as at:
        call = {"customerId": "harbor-labs"} | accounts
        wrong = await refused(at, "create-portal-token", **call)
        sent = failure(await at.call("create-portal-token", call))
    assert (wrong["kind"], wrong["field"]) == ("invalid-request", "accountIds")
    assert sent["message"] == wrong["message"]
