"""Customers: found by what a person knows of them, created with what the vendor requires."""

from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach
from world import World

pytestmark = pytest.mark.anyio

NEW = {"id": "kite-co", "name": "Kite Co", "primaryEmail": "billing@kite.example"}


def ids(answer: dict[str, Any]) -> list[str]:
    return [row["id"] for row in answer["data"]]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"sort": "id"}, ["harbor-labs", "north-mill"]),
        ({"sort": "-id"}, ["north-mill", "harbor-labs"]),
        ({"search": "MILL"}, ["north-mill"]),
        ({"search": "billing@harbor"}, ["harbor-labs"]),
        ({"customerId": "north-mill"}, ["north-mill"]),
        ({"status": "ARCHIVED"}, []),
        ({"status": "ACTIVE", "search": "labs"}, ["harbor-labs"]),
        ({"search": "nobody"}, []),
    ],
)
async def test_customers_are_found_by_id_name_email_and_status(
    arguments: dict[str, Any], found: list[str], world: World, client: Client
) -> None:
    assert ids(facts(await client.call_tool("list-customers", arguments))) == found


async def test_only_a_status_that_is_not_ordinary_is_shown_in_a_concise_list(
    world: World, client: Client
) -> None:
    world.ask("DELETE", "/togai/accounts/mill-1")
    world.ask("DELETE", "/togai/customers/north-mill")
    (archived,) = facts(await client.call_tool("list-customers", {"status": "ARCHIVED"}))["data"]
    (active,) = facts(await client.call_tool("list-customers", {"status": "ACTIVE"}))["data"]
    assert archived == {
        "id": "north-mill",
        "name": "North Mill",
        "primaryEmail": "billing@north-mill.example",
        "status": "ARCHIVED",
    }
    assert "status" not in active


async def test_a_full_list_has_all_fields_of_the_vendor(world: World, client: Client) -> None:
    arguments = {"customerId": "harbor-labs", "detail": "full"}
    (row,) = facts(await client.call_tool("list-customers", arguments))["data"]
    assert row["status"] == "ACTIVE"
    assert row["createdAt"] == "2026-11-20T12:00:00.000Z"
    assert row["togaiCustomerId"].startswith("cust.")


async def test_filters_that_the_vendor_cannot_combine_are_refused_before_anything_is_sent(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"data": []}))
    attach(server, recorder)
    wrong = failure(
        await client.call_tool("list-customers", {"customerId": "a", "status": "ACTIVE"})
    )
    assert wrong["kind"] == "invalid-request"
    assert wrong["message"] == "customerId and status cannot be combined; nothing was sent."
    assert recorder.requests == []


async def test_the_vendors_names_of_the_query_are_used(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"data": []}))
    attach(server, recorder)
    await client.call_tool(
        "list-customers", {"search": "a b", "sort": "-updated_at", "pageSize": 7}
    )
    assert recorder.requests[0].target == (
        "/togai/customers?_search=a+b&_sort=-updated_at&pageSize=7"
    )


async def test_one_customer_is_shown_with_its_fields_at_the_root(
    world: World, client: Client
) -> None:
    customer = facts(await client.call_tool("get-customer", {"customerId": "harbor-labs"}))
    assert customer["name"] == "Harbor Labs"
    assert customer["status"] == "ACTIVE"
    assert "operationId" not in customer


async def test_an_unknown_customer_is_not_found_and_the_tool_that_lists_them_is_named(
    world: World, client: Client
) -> None:
    missing = failure(await client.call_tool("get-customer", {"customerId": "harbor"}))
    assert missing["kind"] == "not-found"
    assert missing["field"] == "customerId"
    assert missing["next"] == "Check customerId; list-customers shows those there are."


@pytest.mark.parametrize("customer_id", ["a/b", "a?b=c", "ü %2F", "..x"])
async def test_an_id_reaches_the_vendor_whole_whatever_is_in_it(
    customer_id: str, world: World, client: Client
) -> None:
    created = facts(await client.call_tool("create-customer", NEW | {"id": customer_id}))
    assert created["id"] == customer_id
    read = facts(await client.call_tool("get-customer", {"customerId": customer_id}))
    assert read["id"] == customer_id


@pytest.mark.parametrize("customer_id", [".", ".."])
async def test_an_id_that_would_be_another_path_is_refused(
    customer_id: str, server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({}))
    attach(server, recorder)
    wrong = failure(await client.call_tool("get-customer", {"customerId": customer_id}))
    assert wrong["kind"] == "invalid-request"
    assert recorder.requests == []


async def test_a_customer_needs_no_address_though_the_vendor_requires_one(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says(NEW, 201))
    attach(server, recorder)
    created = facts(await client.call_tool("create-customer", NEW))
    assert created["id"] == "kite-co"
    assert recorder.bodies == [
        '{"id":"kite-co","name":"Kite Co","primaryEmail":"billing@kite.example","address":{}}'
    ]


async def test_an_address_that_is_given_is_kept(world: World, client: Client) -> None:
    address = {"line1": "1 Quay", "city": "Halifax", "country": "CA"}
    facts(await client.call_tool("create-customer", NEW | {"address": address}))
    assert world.ask("GET", "/togai/customers/kite-co")["address"] == address
    assert world.effects("customer")[-1:] == [None]


async def test_an_id_that_is_taken_is_refused_in_the_vendors_words(
    world: World, client: Client
) -> None:
    taken = await client.call_tool("create-customer", NEW | {"id": "harbor-labs"})
    assert failure(taken)["kind"] in ("invalid-request", "conflict")
    assert "harbor-labs" in said(taken)
    assert failure(taken)["operationId"]
