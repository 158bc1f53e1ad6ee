"""A tenant goes after another's data with its ids, page tokens and operations, by every way in."""

import re
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx2
import pytest

from billing_mcp import tools
from billing_mcp.completions import SOURCES
from billing_mcp.config import Settings
from billing_mcp.prompts import read_playbooks
from billing_mcp.resources.library import COLLECTIONS
from billing_mcp.server import BillingServer
from good_calls import GRANTED, good_calls
from hosted_asking import asked
from recording import Recorder, Says
from security.doors import SCHEMAS, Ways, each_way, legacy, reads, refusal_of
from security.estate import MARKS, Estate, live, sandboxes
from security.ids import calls_with_ids, ids_of
from world import OPERATION, World, open_world
from wrong_calls import changed

pytestmark = pytest.mark.anyio

UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What is the same for every tenant, because it ships with the server.
SHIPPED = {"schema", "guide"}


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with sandboxes() as made:
        yield made


def world_of(estate: Estate) -> World:
    assert estate.world is not None
    return estate.world


def names(world: World) -> dict[str, str]:
    """A thing of harbor's of each kind that a collection of resources shows."""
    return {
        "price-plan": world.plan,
        "event-schema": "answers",
        "feature": world.answers,
        "account": "harbor-main",
        "invoice": world.invoice,
        "schema": "price-plan",
        "guide": "credits",
    }


async def read(estate: Estate, tenant: str, uri: str) -> httpx2.Response:
    headers = estate.headers(tenant) | {"mcp-name": uri}
    return await asked(estate.http, "resources/read", headers, uri=uri)


async def completed(estate: Estate, tenant: str, ref: dict[str, str], argument: str) -> list[str]:
    answer = await asked(
        estate.http,
        "completion/complete",
        estate.headers(tenant),
        ref=ref,
        argument={"name": argument, "value": ""},
    )
    values: list[str] = answer.json()["result"]["completion"]["values"]
    return values


@each_way
async def test_no_tool_shows_or_changes_anything_of_another_tenant_by_its_ids(
    estate: Estate, ways: Ways
) -> None:
    calls = good_calls(world_of(estate))
    calls["grant-credit"]["operationId"] = GRANTED
    database = world_of(estate).sandbox.backend.db
    changes = database.total_changes
    headers = estate.headers("acme")
    tried = set()
    for door in ways(estate.server, calls):
        answer = await door.through(estate.http, headers)
        assert answer.status_code < 500, door
        for mark in MARKS:
            assert mark not in answer.text, (door, mark)
        tried.add(door.tool)
    assert tried == set(tools.MODULES)
    assert estate.vendors["harbor"].asked == []
    assert database.total_changes == changes
    # The same calls are good ones for whom the things belong to.
    for tool, arguments in calls.items():
        call = {"name": tool, "arguments": arguments}
        own = await asked(estate.http, "tools/call", estate.headers("harbor"), **call)
        assert refusal_of(own) is None, (tool, own.text)
    assert database.total_changes > changes


async def test_every_id_of_another_tenant_is_an_id_that_does_not_exist(estate: Estate) -> None:
    """Told by one word otherwise, a caller could find out what others have."""
    calls = good_calls(world_of(estate))
    headers = estate.headers("acme")
    tried, told_apart = set(), []
    for call in calls_with_ids(calls):
        answers = []
        for value in (call.value, call.made_up):
            arguments = changed(calls[call.tool], call.path, value)
            asked_for = {"name": call.tool, "arguments": arguments}
            answer = await asked(estate.http, "tools/call", headers, **asked_for)
            answers.append(UUIDS.sub("a UUID", answer.text.replace(value, "an id")))
        if answers[0] != answers[1]:
            told_apart.append((call, answers))
        tried.add(call.tool)
    assert told_apart == []
    assert tried == {tool for tool in tools.MODULES if ids_of(tool)}
    assert len(tried) > 100
    assert estate.vendors["harbor"].asked == []


@each_way
async def test_each_call_carries_the_keys_of_its_own_tenant_and_no_others(ways: Ways) -> None:
    """As against live vendors, where the key alone decides whose data it is."""
    recorder = Recorder(Says({"message": "no such thing"}, 404))
    async with live(recorder) as estate:
        calls = good_calls(open_world(BillingServer(Settings())))
        for tenant, other in (("acme", "harbor"), ("harbor", "acme")):
            before = len(estate.vendors[other].asked)
            for door in ways(estate.server, calls):
                await door.through(estate.http, estate.headers(tenant))
            assert len(estate.vendors[other].asked) == before
            assert estate.vendors[tenant].keys == {
                f"Bearer togai-key-of-{tenant}",
                f"Key suger-key-of-{tenant}",
            }
        # An organisation that is not given is the tenant's own.
        organisations = {
            tenant: {line.split("/")[2] for line in vendor.asked if " /org/" in line}
            for tenant, vendor in estate.vendors.items()
        }
        assert organisations["acme"] - {"sandbox"} == {"org-of-acme"}
        assert organisations["harbor"] - {"sandbox"} == {"org-of-harbor"}


async def test_no_resource_of_another_tenant_can_be_read_or_found_by_its_uri(
    estate: Estate,
) -> None:
    known = names(world_of(estate))
    for name, collection in COLLECTIONS.items():
        uris = [f"billing://{name}"] if collection.listed else []
        if collection.kind is not None:
            uris.append(f"billing://{name}/{known[collection.kind]}")
            # Whatever is near a wrong name must not be told either.
            uris.append(f"billing://{name}/{known[collection.kind][:-1]}")
        for uri in uris:
            own = await read(estate, "harbor", uri)
            stranger = await read(estate, "acme", uri)
            asked_before = len(estate.vendors["harbor"].asked)
            assert asked_before or collection.kind in SHIPPED
            if uri.endswith(known.get(collection.kind or "", "?")):
                assert "result" in own.json(), own.text
                assert ("result" in stranger.json()) is (collection.kind in SHIPPED), uri
            for mark in (*MARKS, *_ids(world_of(estate))):
                if mark not in uri and not mark.startswith(uri.rsplit("/", 1)[1]):
                    assert mark not in stranger.text, (uri, mark)


def _ids(world: World) -> tuple[str, ...]:
    return (world.plan, world.invoice, world.answers, "harbor-main", "mill-1")


async def test_no_completion_offers_what_another_tenant_has_even_after_that_tenant_asked(
    estate: Estate,
) -> None:
    references: list[tuple[dict[str, str], str, str]] = [
        (
            {"type": "ref/resource", "uri": f"billing://{name}/{{{collection.parameter}}}"},
            collection.parameter,
            collection.kind or "",
        )
        for name, collection in COLLECTIONS.items()
        if collection.parameter is not None
    ]
    for name, playbook in read_playbooks().items():
        for argument in playbook.arguments:
            if argument.completes is not None:
                reference = {"type": "ref/prompt", "name": name}
                references.append((reference, argument.name, argument.completes))
    assert len(references) > 15
    good_calls(world_of(estate))  # reports usage, by which entitlements are known
    for reference, parameter, kind in references:
        own = await completed(estate, "harbor", reference, parameter)
        before = len(estate.vendors["harbor"].asked)
        found = await completed(estate, "acme", reference, parameter)
        assert len(estate.vendors["harbor"].asked) == before
        assert own or kind not in SOURCES, reference
        assert not set(found) & set(own) or kind in SHIPPED, (reference, found)


async def test_a_page_token_of_another_tenant_continues_nothing_of_that_tenants(
    estate: Estate,
) -> None:
    continued = 0
    lists = [
        name
        for name, schema in SCHEMAS.items()
        if {"nextToken", "pageSize"} <= set(schema["inputSchema"]["properties"])
    ]
    given = good_calls(world_of(estate))
    assert len(lists) >= 5
    for tool in lists:
        wanted = {name: given[tool][name] for name in given[tool] if name.endswith("Id")}
        first = {**wanted, "pageSize": 1}
        own = await _page(estate, "harbor", tool, first)
        if "nextToken" not in own:
            continue
        before = len(estate.vendors["harbor"].asked)
        for arguments in (
            {"nextToken": own["nextToken"]},
            {**first, "nextToken": own["nextToken"]},
        ):
            found = await _page(estate, "acme", tool, arguments)
            assert not found.get("data"), (tool, found)
        assert len(estate.vendors["harbor"].asked) == before
        continued += 1
    assert continued >= 3


async def _page(estate: Estate, tenant: str, tool: str, arguments: dict[str, Any]) -> Any:
    call = {"name": tool, "arguments": arguments}
    answer = await asked(estate.http, "tools/call", estate.headers(tenant), **call)
    return answer.json()["result"]["structuredContent"]


async def test_a_token_of_ours_is_refused_when_another_tenant_brings_it() -> None:
    rows = [
        {
            "id": f"c-{number}",
            "name": "x" * 3_000,
            "primaryEmail": "a@a.example",
            "status": "ACTIVE",
        }
        for number in range(60)
    ]
    async with live(Recorder(Says({"data": rows}))) as estate:
        wanted = {"detail": "full"}
        own = await _page(estate, "harbor", "list-customers", wanted)
        token = own["nextToken"]
        assert token.startswith("~")
        again = await _page(estate, "harbor", "list-customers", {**wanted, "nextToken": token})
        assert len(own["data"]) + len(again["data"]) == 60
        before = len(estate.vendors["acme"].asked)
        stranger = await _page(estate, "acme", "list-customers", {**wanted, "nextToken": token})
        assert stranger["error"]["kind"] == "invalid-request"
        assert stranger["error"]["field"] == "nextToken"
        assert len(estate.vendors["acme"].asked) == before


async def test_the_operation_id_of_another_tenant_is_no_repetition(estate: Estate) -> None:
    """Were ids shared, a caller could find out what others have done, or keep them from it."""
    body = {"id": "acme-main", "name": "Acme", "primaryEmail": "billing@acme.example"}
    acme, harbor = estate.headers("acme"), estate.headers("harbor")
    made = await estate.http.post("/v1/customers", json={**body, "id": "acme"}, headers=acme)
    assert made.status_code == 200, made.text
    account = {"id": "acme-main", "name": "Acme", "currency": "USD"}
    opened = await estate.http.post(
        "/v1/customers/acme/accounts", json={"id": account["id"], "name": "Acme"}, headers=acme
    )
    assert opened.status_code == 200, opened.text
    grants = {}
    for name, headers, at, amount in (
        ("harbor", harbor, "harbor-main", "49.50"),
        ("acme", acme, "acme-main", "7.00"),
    ):
        grants[name] = await estate.http.post(
            f"/v1/accounts/{at}/credits",
            json={"creditAmount": amount, "effectiveFrom": "2026-11-20"},
            headers=headers | {"idempotency-key": OPERATION},
        )
    assert [grant.status_code for grant in grants.values()] == [200, 200]
    answered = grants["acme"].json()
    assert "replayed" not in answered
    assert (answered["creditAmount"], answered["accountId"]) == ("7.00", "acme-main")


async def test_what_another_tenant_has_written_is_neither_shown_nor_listed(
    estate: Estate,
) -> None:
    grant = {"accountId": "harbor-main", "creditAmount": "49.50", "effectiveFrom": "2026-11-20"}
    granted = await _page(estate, "harbor", "grant-credit", grant | {"operationId": OPERATION})
    assert granted["status"] == "ACTIVE"
    looked_at = {"operationId": OPERATION}
    assert (await _page(estate, "harbor", "get-operation", looked_at))["state"] == "committed"
    assert (await _page(estate, "harbor", "list-operations", {}))["count"] == 1
    stranger = await _page(estate, "acme", "get-operation", looked_at)
    assert stranger["error"]["kind"] == "not-found"
    for filters in ({}, {"customer": "harbor-main"}, {"tool": "grant-credit"}):
        assert (await _page(estate, "acme", "list-operations", filters))["data"] == []


async def test_tenants_who_call_at_the_same_time_get_their_own_answers(estate: Estate) -> None:
    found: dict[str, set[int]] = {"harbor": set(), "acme": set()}

    async def ask(tenant: str, number: int) -> None:
        headers = estate.headers(tenant, sub=f"agent-{number}")
        if number % 3 == 0:
            rest = await estate.http.get("/v1/customers", headers=headers)
            found[tenant].add(rest.json()["count"])
            return
        method = asked if number % 3 == 1 else legacy
        answer = await method(
            estate.http, "tools/call", headers, name="list-customers", arguments={}
        )
        found[tenant].add(answer.json()["result"]["structuredContent"]["count"])

    async with anyio.create_task_group() as group:
        for number in range(60):
            group.start_soon(ask, ("harbor", "acme")[number % 2], number)
    assert found == {"harbor": {2}, "acme": {0}}


async def test_a_header_or_an_argument_chooses_no_tenant(estate: Estate) -> None:
    forged = {**estate.headers("acme"), "x-tenant": "harbor", "tenant": "harbor"}
    rest = await estate.http.get("/v1/customers", headers=forged)
    assert rest.json()["count"] == 0
    for path in ("/v1/customers?tenant=harbor", "/v1/customers?principal=harbor"):
        assert (await estate.http.get(path, headers=forged)).status_code == 400
    for name in filter(reads, tools.MODULES):
        assert "tenant" not in SCHEMAS[name]["inputSchema"]["properties"]
    meta = {"tenant": "harbor"}
    params: dict[str, Any] = {"name": "list-customers", "arguments": {}, "_meta": meta}
    answer = await legacy(estate.http, "tools/call", forged, **params)
    assert answer.json()["result"]["structuredContent"]["count"] == 0
    assert estate.vendors["harbor"].asked == []
