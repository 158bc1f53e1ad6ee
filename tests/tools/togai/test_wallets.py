"""Wallets through the tools: what is in them, and putting more in."""

from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.config import Settings
from world import World

pytestmark = pytest.mark.anyio

ACCOUNT = {"accountId": "harbor-main"}


@pytest.fixture
def settings() -> Settings:
    return Settings(toolsets=("togai-wallet",))


async def test_money_put_in_a_wallet_is_shown_at_the_currencys_scale(
    world: World, client: Client
) -> None:
    made = facts(await client.call_tool("top-up-wallet", ACCOUNT | {"topupAmount": 25.5}))
    # The plan's 99.00 of November run, so that they hold all of it.
    assert (made["balance"], made["holdAmount"], made["creditUnit"]) == ("0.00", "25.50", "USD")
    assert made["status"] == "ACTIVE"

    shown = facts(await client.call_tool("get-wallet-balance", ACCOUNT))
    assert shown["id"] == made["id"]
    assert world.effects("wallet-top-up") == ["25.5"]


async def test_entries_are_a_table_that_says_what_is_held(world: World, client: Client) -> None:
    world.ask("POST", "/togai/accounts/harbor-main/wallet_topup", {"topupAmount": 5})

    result = await client.call_tool("list-wallet-entries", ACCOUNT)

    rows = facts(result)["data"]
    assert [(row["transactionType"], row["status"], row["amount"]) for row in rows] == [
        ("DEBITED", "ON_HOLD", "5.00"),
        ("CREDITED", "COMPLETED", "5.00"),
    ]
    assert "createdAt|transactionType|status|amount|closingBalance|entityId" in said(result)
    first = facts(await client.call_tool("list-wallet-entries", ACCOUNT | {"pageSize": 1}))
    following = {"nextToken": first["nextToken"]}
    second = facts(await client.call_tool("list-wallet-entries", ACCOUNT | following))
    assert first["data"] + second["data"] == rows


async def test_a_wallet_is_switched_off_and_on_from_a_day(world: World, client: Client) -> None:
    off = facts(await client.call_tool("update-wallet", ACCOUNT | {"status": "INACTIVE"}))
    assert off["status"] == "INACTIVE"
    later = {"status": "ACTIVE", "effectiveFrom": "2026-12-01T02:00:00+02:00"}
    facts(await client.call_tool("update-wallet", ACCOUNT | later))
    kept = world.ask("GET", "/togai/accounts/harbor-main/wallet")
    assert (kept["status"], kept["effectiveFrom"]) == ("ACTIVE", "2026-12-01T00:00:00.000Z")


@pytest.mark.parametrize(
    ("tool", "given", "field", "words"),
    [
        ("top-up-wallet", {"topupAmount": "0"}, "topupAmount", "above 0"),
        ("top-up-wallet", {"topupAmount": "-5"}, "topupAmount", "above 0"),
        ("top-up-wallet", {}, "topupAmount", "topupAmount"),
        ("update-wallet", {}, "status", "Neither status nor effectiveFrom"),
        ("update-wallet", {"status": "CLOSED"}, "status", "INACTIVE"),
        ("update-wallet", {"effectiveFrom": "2026-12-01"}, "effectiveFrom", "a UTC time"),
        ("list-wallet-entries", {"pageSize": 51}, "pageSize", "50"),
    ],
)
async def test_a_wrong_argument_names_its_field_and_moves_nothing(
    tool: str, given: dict[str, Any], field: str, words: str, world: World, client: Client
) -> None:
    wrong = failure(await client.call_tool(tool, ACCOUNT | given))
    assert (wrong["kind"], wrong["field"]) == ("invalid-request", field)
    assert words in wrong["message"]
    assert world.effects("wallet-top-up") == world.effects("wallet-update") == []


async def test_an_account_that_is_not_there_says_where_ids_are_shown(
    world: World, client: Client
) -> None:
    assert world.ask("GET", "/togai/accounts/harbor-main/wallet")
    wrong = failure(await client.call_tool("get-wallet-balance", {"accountId": "nobody"}))
    assert wrong["kind"] == "not-found"
    assert "list-accounts" in wrong["next"]
