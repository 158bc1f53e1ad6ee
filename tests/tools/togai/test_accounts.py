"""Accounts: of all customers or of one, created below a customer."""

from typing import Any

import pytest
from mcp import Client

from answers import facts, failure
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach
from world import World

pytestmark = pytest.mark.anyio

NEW = {"customerId": "north-mill", "id": "mill-2", "name": "Second mill"}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"sort": "account_id"}, ["harbor-main", "harbor-test", "mill-1"]),
        ({"customerId": "harbor-labs", "sort": "-account_id"}, ["harbor-test", "harbor-main"]),
        ({"accountId": "mill-1"}, ["mill-1"]),
        ({"invoiceCurrency": "eur"}, ["mill-1"]),
        ({"search": "TEST"}, ["harbor-test"]),
        ({"customerId": "harbor-labs", "status": "ARCHIVED"}, []),
        ({"status": "DRAFT"}, []),
    ],
)
async def test_accounts_are_found_by_customer_id_currency_and_status(
    arguments: dict[str, Any], found: list[str], world: World, client: Client
) -> None:
    answer = facts(await client.call_tool("list-accounts", arguments))
    assert [row["id"] for row in answer["data"]] == found


async def test_an_account_is_listed_with_its_customer_and_currency(
    world: World, client: Client
) -> None:
    (row,) = facts(await client.call_tool("list-accounts", {"accountId": "mill-1"}))["data"]
    assert row == {
        "id": "mill-1",
        "name": "Account mill-1",
        "customerId": "north-mill",
        "invoiceCurrency": "EUR",
    }


@pytest.mark.parametrize(
    "filters",
    [
        {"customerId": "a", "accountId": "b"},
        {"customerId": "a", "invoiceCurrency": "USD"},
        {"status": "ACTIVE", "invoiceCurrency": "USD"},
        {"customerId": "a", "status": "ACTIVE", "accountId": "b"},
    ],
)
async def test_filters_that_the_vendor_cannot_combine_are_refused_before_anything_is_sent(
    filters: dict[str, Any], server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"data": []}))
    attach(server, recorder)
    wrong = failure(await client.call_tool("list-accounts", filters))
    assert wrong["kind"] == "invalid-request"
    assert wrong["field"] in filters
    assert all(name in wrong["message"] for name in filters)
    assert "customerId with status" in wrong["next"]
    assert recorder.requests == []


async def test_an_account_is_created_in_the_vendors_base_currency_if_none_is_given(
    world: World, client: Client
) -> None:
    created = facts(await client.call_tool("create-account", NEW))
    assert created["invoiceCurrency"] == "USD"
    assert created["customerId"] == "north-mill"
    assert created["status"] == "ACTIVE"


async def test_all_that_an_account_can_have_reaches_the_vendor(
    world: World, client: Client
) -> None:
    more = {
        "invoiceCurrency": "eur",
        "primaryEmail": "mill@north-mill.example",
        "netTermDays": 14,
        "aliases": ["mill-two"],
        "address": {"city": "Halifax"},
        "metadata": {"desk": "north"},
        "status": "DRAFT",
    }
    facts(await client.call_tool("create-account", NEW | more))
    kept = world.ask("GET", "/togai/accounts/mill-2")
    assert {name: kept[name] for name in ("invoiceCurrency", "netTermDays", "status")} == {
        "invoiceCurrency": "EUR",
        "netTermDays": 14,
        "status": "DRAFT",
    }
    assert kept["aliases"] == [{"alias": "mill-two"}]
    assert kept["metadata"] == {"desk": "north"}
    assert kept["address"] == {"city": "Halifax"}


async def test_what_was_left_out_is_not_sent(server: BillingServer, client: Client) -> None:
    recorder = Recorder(Says({"id": "mill-2", "name": "Second mill"}, 201))
    attach(server, recorder)
    facts(await client.call_tool("create-account", NEW | {"aliases": None}))
    assert recorder.bodies == ['{"customerId":"north-mill","id":"mill-2","name":"Second mill"}']


async def test_an_account_of_nobody_is_refused_and_the_tool_that_lists_customers_named(
    world: World, client: Client
) -> None:
    wrong = failure(await client.call_tool("create-account", NEW | {"customerId": "nobody"}))
    assert wrong["kind"] in ("not-found", "invalid-request")
    assert "nobody" in wrong["message"]
    assert world.effects("account") == [None] * 3
