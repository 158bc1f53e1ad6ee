"""Feature credits: what was granted, what is left, and changing or voiding a grant."""

from typing import Any

import pytest
from mcp import Client

from answers import facts, failure
from good_calls import event
from world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def feature(world: World) -> dict[str, str]:
    return {"accountId": "harbor-main", "featureId": world.answers}


def entry_of(world: World, source: str = "PRICE_PLAN") -> str:
    path = f"/togai/accounts/harbor-main/features/{world.answers}/entries"
    entries = world.ask("GET", path)["data"]
    (entry_id,) = (entry["id"] for entry in entries if entry["source"] == source)
    return str(entry_id)


async def use(client: Client, units: str) -> None:
    attributes = [{"name": "answers", "value": units}]
    facts(await client.call_tool("ingest-events", {"events": [event(attributes=attributes)]}))


async def balance(client: Client, feature: dict[str, str]) -> dict[str, Any]:
    found = facts(await client.call_tool("get-feature-credits-balance", feature))
    return {name: found[name] for name in ("granted", "balance", "overageLimit", "usedOverage")}


async def test_the_balance_falls_with_use_and_then_the_overage_is_used(
    feature: dict[str, str], client: Client
) -> None:
    await use(client, "60")
    assert await balance(client, feature) == {
        "granted": "100",
        "balance": "40",
        "overageLimit": "10",
        "usedOverage": "0",
    }
    await use(client, "45")
    assert (await balance(client, feature))["usedOverage"] == "5"


async def test_the_grants_behind_a_balance_are_listed_page_by_page(
    world: World, feature: dict[str, str], client: Client
) -> None:
    await use(client, "60")
    tool = "list-feature-credits-entries-feature"
    first = facts(await client.call_tool(tool, feature | {"pageSize": 1}))
    assert first["hasMore"] is True
    rest = facts(await client.call_tool(tool, feature | {"nextToken": first["nextToken"]}))
    rows = {row["source"]: row for row in first["data"] + rest["data"]}
    assert set(rows) == {"PRICE_PLAN", "OVERAGE"}
    granted = rows["PRICE_PLAN"]
    assert granted["id"] == entry_of(world)
    assert (granted["granted"], granted["used"], granted["balance"]) == ("100", "60", "40")
    assert granted["effectiveFrom"] == "2026-11-20T00:00:00.000Z"


async def test_an_entry_is_given_more_and_a_later_end(
    world: World, feature: dict[str, str], client: Client
) -> None:
    body = {"granted": "150.5", "effectiveUntil": "2027-01-01T01:00:00+01:00"}
    arguments = feature | {"entryId": entry_of(world), "body": body}
    entry = facts(await client.call_tool("update-feature-credits-entry", arguments))
    assert entry["granted"] == "150.5"
    assert entry["effectiveUntil"] == "2027-01-01T00:00:00.000Z"
    assert entry["operationId"]
    assert (await balance(client, feature))["balance"] == "150.5"


async def test_what_is_not_to_change_may_be_left_out_or_null(
    world: World, feature: dict[str, str], client: Client
) -> None:
    body = {"granted": 120, "effectiveUntil": None}
    arguments = feature | {"entryId": entry_of(world), "body": body}
    entry = facts(await client.call_tool("update-feature-credits-entry", arguments))
    assert entry["granted"] == "120"
    assert entry["effectiveUntil"].startswith("2026-12")


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "body", "effectiveUntil or granted"),
        ({"granted": "-1"}, "body.granted", "at least 0"),
        ({"effectiveUntil": "2027-01-01"}, "body.effectiveUntil", "a UTC time such as"),
        ({"grant": "5"}, "body.grant", "did you mean granted?"),
    ],
)
async def test_a_wrong_change_names_its_field_and_changes_nothing(
    body: dict[str, Any],
    field: str,
    words: str,
    world: World,
    feature: dict[str, str],
    client: Client,
) -> None:
    arguments = feature | {"entryId": entry_of(world), "body": body}
    wrong = failure(await client.call_tool("update-feature-credits-entry", arguments))
    assert wrong["field"] == field
    assert words in wrong["message"]
    assert world.effects("feature-credits-update") == []


async def test_granting_less_than_was_used_is_refused_in_the_vendors_words(
    world: World, feature: dict[str, str], client: Client
) -> None:
    await use(client, "60")
    arguments = feature | {"entryId": entry_of(world), "body": {"granted": "60"}}
    wrong = failure(await client.call_tool("update-feature-credits-entry", arguments))
    assert wrong["kind"] == "invalid-request"
    assert "granted must be greater than 60" in wrong["message"]


async def test_a_voided_entry_can_no_longer_be_used(
    world: World, feature: dict[str, str], client: Client
) -> None:
    entry = feature | {"entryId": entry_of(world)}
    voided = facts(await client.call_tool("void-feature-credits-entry-feature", entry))
    assert voided["success"] is True
    assert (await balance(client, feature))["balance"] == "0"
    again = failure(await client.call_tool("void-feature-credits-entry-feature", entry))
    assert again["kind"] == "invalid-request"
    assert "VOIDED" in again["message"]
    assert len(world.effects("feature-credits-void")) == 1


@pytest.mark.parametrize(
    ("tool", "body"),
    [
        ("update-feature-credits-entry", {"body": {"granted": "5"}}),
        ("void-feature-credits-entry-feature", {}),
    ],
)
async def test_an_unknown_entry_is_not_found_and_the_tool_that_lists_them_is_named(
    tool: str, body: dict[str, Any], feature: dict[str, str], client: Client
) -> None:
    wrong = failure(await client.call_tool(tool, feature | {"entryId": "no-such-entry"} | body))
    assert wrong["kind"] == "not-found"
    assert wrong["field"] == "entryId"
    assert wrong["next"] == (
        "Check entryId; list-feature-credits-entries-feature shows those there are."
    )
