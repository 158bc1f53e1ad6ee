"""What an account is entitled to, and whether that covers what somebody wants."""

from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach
from world import World

pytestmark = pytest.mark.anyio

ACCOUNT = {"accountId": "harbor-main"}


async def test_the_features_of_an_account_are_listed_with_their_values(
    world: World, client: Client
) -> None:
    result = await client.call_tool("get-entitlements-account", ACCOUNT)
    answer = facts(result)
    assert answer["data"] == [{"featureId": world.answers, "value": "100"}]
    assert answer["count"] == 1
    assert answer["hasMore"] is False
    assert said(result).splitlines()[-1] == f"{world.answers}|100"


async def test_an_account_without_features_has_an_empty_list(world: World, client: Client) -> None:
    answer = facts(await client.call_tool("get-entitlements-account", {"accountId": "mill-1"}))
    assert answer["data"] == []
    assert answer["count"] == 0


async def test_the_value_of_one_feature_is_shown(world: World, client: Client) -> None:
    arguments = ACCOUNT | {"featureId": world.answers}
    answer = facts(await client.call_tool("get-entitlement-value-account", arguments))
    assert answer["data"] == [{"featureId": world.answers, "value": "100"}]


@pytest.mark.parametrize(
    ("value", "covered"),
    [("100", True), ("100.5", False), (100, True), (101, False), ("0", True), ("gold", False)],
)
async def test_a_value_is_covered_up_to_the_entitlement(
    value: Any, covered: bool, world: World, client: Client
) -> None:
    arguments = ACCOUNT | {"featureId": world.answers, "body": {"value": value}}
    answer = facts(await client.call_tool("check-entitlement-value-account", arguments))
    assert answer == {"environment": "sandbox", "success": covered}


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (5, "5"), ("gold", "gold")])
async def test_a_value_is_sent_as_text(
    value: Any, text: str, server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"success": True}))
    attach(server, recorder)
    arguments = ACCOUNT | {"featureId": "f", "body": {"value": value}}
    facts(await client.call_tool("check-entitlement-value-account", arguments))
    assert recorder.bodies == [f'{{"value":"{text}"}}']


async def test_a_body_that_arrives_as_json_text_is_read(world: World, client: Client) -> None:
    arguments = ACCOUNT | {"featureId": world.answers, "body": '{"value": "100"}'}
    answer = facts(await client.call_tool("check-entitlement-value-account", arguments))
    assert answer["success"] is True


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get-entitlement-value-account", {}),
        ("check-entitlement-value-account", {"body": {"value": "1"}}),
    ],
)
async def test_an_unknown_feature_is_not_found_and_the_tool_that_lists_them_is_named(
    tool: str, arguments: dict[str, Any], world: World, client: Client
) -> None:
    wrong = failure(await client.call_tool(tool, ACCOUNT | {"featureId": "feat.none"} | arguments))
    assert wrong["kind"] == "not-found"
    assert wrong["field"] == "featureId"
    assert wrong["next"] == "Check featureId; get-entitlements-account shows those there are."


async def test_an_unknown_account_is_not_found_and_the_tool_that_lists_them_is_named(
    world: World, client: Client
) -> None:
    wrong = failure(await client.call_tool("get-entitlements-account", {"accountId": "nobody"}))
    assert wrong["kind"] == "not-found"
    assert wrong["next"] == "Check accountId; list-accounts shows those there are."
