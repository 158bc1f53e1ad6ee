"""Finding and running tools that are not listed, and that nothing forbidden is reached that way."""

import re
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client

from answers import connected, facts, failure, said
from billing_mcp import tools
from billing_mcp.catalog import shipped_schemas
from billing_mcp.config import Settings, from_environ
from billing_mcp.results import Outcome
from billing_mcp.server import BillingServer
from good_calls import GRANTED, good_calls
from unguarded import ANYTHING
from world import open_world

pytestmark = pytest.mark.anyio

SCHEMAS = shipped_schemas()
SEARCHING = {"search-tools", "run-read-tool", "run-write-tool"}
READS = [
    name
    for name in tools.MODULES
    if SCHEMAS[name]["annotations"]["readOnlyHint"] and name not in SEARCHING
]
WRITES = [name for name in tools.MODULES if name not in READS and name not in SEARCHING]
GRANTED_AS = {"operationId": GRANTED}
RUNNERS = ("run-read-tool", "run-write-tool")
# As many servers exclude each tool on one of them.
PARTS = 6


async def run(client: Client, runner: str, name: str, /, **arguments: Any) -> Any:
    return await client.call_tool(runner, {"name": name, "arguments": arguments})


async def invoke(server: BillingServer, name: str, /, **arguments: Any) -> Outcome:
    """What the door answers, without a client around it: for what is asked of every tool."""
    return await server.catalog.invoke(name, arguments, server.caller())


async def ran(server: BillingServer, runner: str, name: str, arguments: dict[str, Any]) -> Outcome:
    return await invoke(server, runner, name=name, arguments=arguments)


async def names_found(server: BillingServer, query: str) -> set[str]:
    outcome = await invoke(server, "search-tools", query=query, limit=20)
    return {row["name"] for row in outcome.structured["data"]}


async def found(client: Client, query: str, **given: Any) -> dict[str, dict[str, Any]]:
    rows = facts(await client.call_tool("search-tools", {"query": query, **given}))["data"]
    return {row["name"]: row for row in rows}


async def test_a_tool_that_is_not_listed_is_found_and_run(
    server: BillingServer, client: Client
) -> None:
    open_world(server)
    listed = {tool.name for tool in (await client.list_tools()).tools}
    rows = await found(client, "pull up the record of one account")
    assert next(iter(rows)) == "get-account"
    assert rows["get-account"] == {
        "name": "get-account",
        "title": "Get account",
        "toolset": "togai-accounts",
        "method": "GET",
        "path": "/accounts/{account_id}",
        "served": False,
        "run": "run-read-tool",
        "arguments": "accountId, effectiveOn?, includeGroupDetails?",
    }
    assert "get-account" not in listed
    account = facts(await run(client, "run-read-tool", "get-account", accountId="harbor-main"))
    assert account["id"] == "harbor-main"
    assert account["environment"] == "sandbox"


async def test_a_listed_tool_is_found_with_the_word_that_it_is_called_directly(
    client: Client,
) -> None:
    row = (await found(client, "grant a goodwill credit"))["grant-credit"]
    assert row["served"] is True
    assert row["run"] == "directly"
    assert "arguments" not in row


@pytest.mark.parametrize(
    ("name", "deprecated"),
    [
        ("undo-events", "use correct-events"),
        ("update-price-plan", "use edit-price-plan-rate-cards and finalize-price-plan"),
        ("create-purchase", "without a successor"),
        ("correct-events", None),
    ],
)
async def test_a_row_says_what_to_use_instead_of_a_deprecated_tool(
    server: BillingServer, name: str, deprecated: str | None
) -> None:
    outcome = await invoke(server, "search-tools", query=name)
    assert outcome.structured["data"][0]["name"] == name
    assert outcome.structured["data"][0].get("deprecated") == deprecated


async def test_as_many_rows_are_found_as_are_asked_for(client: Client) -> None:
    assert len(await found(client, "invoice")) == 8
    assert len(await found(client, "invoice", limit=1)) == 1
    assert len(await found(client, "customer account plan invoice", limit=20)) == 20
    for limit in (0, 21):
        asked = {"query": "invoice", "limit": limit}
        assert failure(await client.call_tool("search-tools", asked))["field"] == "limit"


async def test_words_that_mean_nothing_here_are_answered_with_what_to_try(client: Client) -> None:
    answer = await client.call_tool("search-tools", {"query": "xyzzy"})
    assert facts(answer)["data"] == []
    assert "other words" in said(answer)


async def test_a_write_is_run_with_its_own_operation_id(
    server: BillingServer, client: Client
) -> None:
    open_world(server)
    id_ = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
    credit = {"accountId": "harbor-main", "creditAmount": "50", "effectiveFrom": "2026-11-20"}
    first = facts(await run(client, "run-write-tool", "grant-credit", **credit, operationId=id_))
    assert first["operationId"] == id_
    again = facts(await run(client, "run-write-tool", "grant-credit", **credit, operationId=id_))
    assert again["id"] == first["id"]
    credits_ = facts(await client.call_tool("list-credits", {"accountId": "harbor-main"}))
    assert [row["id"] for row in credits_["data"]].count(first["id"]) == 1


async def test_every_read_answers_through_its_runner_as_it_does_directly() -> None:
    listing = BillingServer(Settings(toolsets=("all",), secret_tools=True))
    running = BillingServer(Settings(secret_tools=True))
    world = open_world(listing)
    running.tenant._sandbox = world.sandbox
    calls = good_calls(world)
    # For the ledger to have something to show, which either server has for itself.
    granted = calls["grant-credit"] | GRANTED_AS
    assert not (await invoke(running, "grant-credit", **granted)).is_error
    for name in READS:
        listed = name in running.catalog.served
        directly = await invoke(running if listed else listing, name, **calls[name])
        assert not directly.is_error, directly.text
        assert await ran(running, "run-read-tool", name, calls[name]) == directly, name


async def test_every_write_is_done_by_its_runner_as_it_is_directly() -> None:
    settings = Settings(toolsets=("all",), secret_tools=True, policy=ANYTHING)
    listing = BillingServer(settings)
    running = BillingServer(replace(settings, toolsets=("default",)))
    calls, same_calls = good_calls(open_world(listing)), good_calls(open_world(running))
    for name in WRITES:
        directly = await invoke(listing, name, **calls[name])
        by_runner = await ran(running, "run-write-tool", name, same_calls[name])
        assert not directly.is_error, directly.text
        assert not by_runner.is_error, by_runner.text
        assert directly.structured.keys() == by_runner.structured.keys(), name


async def test_every_tool_of_a_vendor_is_found_with_how_to_run_it() -> None:
    server = BillingServer(Settings(secret_tools=True))
    for name in filter(tools.vendor_of, tools.MODULES):
        outcome = await invoke(server, "search-tools", query=name)
        row = outcome.structured["data"][0]
        runner = "run-read-tool" if name in READS else "run-write-tool"
        assert row["name"] == name
        assert row["run"] == ("directly" if name in server.catalog.served else runner)


async def test_arguments_that_arrive_as_json_text_are_read(client: Client) -> None:
    asked = {"name": "list-customers", "arguments": '{"pageSize": 1}'}
    assert facts(await client.call_tool("run-read-tool", asked))["count"] == 1


async def test_wrong_arguments_are_answered_with_the_schema_of_the_tool(client: Client) -> None:
    answer = await run(client, "run-read-tool", "get-account", acountId="harbor-main")
    wrong = failure(answer)
    assert wrong["kind"] == "invalid-request"
    assert "did you mean accountId?" in wrong["message"]
    assert '"required":["accountId"]' in wrong["next"]
    assert '"required":["accountId"]' in said(answer)


async def test_the_schema_in_an_error_is_bounded() -> None:
    server = BillingServer(Settings(secret_tools=True))
    for name in (*READS, *WRITES):
        runner = "run-read-tool" if name in READS else "run-write-tool"
        answer = await ran(server, runner, name, {"nonsense": True})
        assert answer.structured["error"]["kind"] == "invalid-request", name
        assert len(answer.text) < 8_000, name


async def test_an_error_that_is_not_about_arguments_stays_as_it_is(
    server: BillingServer, client: Client
) -> None:
    open_world(server)
    ran = await run(client, "run-read-tool", "get-customer", customerId="nobody")
    directly = await client.call_tool("get-customer", {"customerId": "nobody"})
    assert failure(ran) == failure(directly)
    assert failure(ran)["kind"] == "not-found"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("get-acount", "get-account(accountId, effectiveOn?, includeGroupDetails?)"),
        ("getInvoice", "get-invoice(invoiceId"),
        ("invoice.get", "get-invoice(invoiceId"),
        ("bring up one single event schema", "get-event-schema(eventSchemaName"),
    ],
)
async def test_an_unknown_name_is_answered_with_the_nearest_and_their_arguments(
    client: Client, name: str, near: str
) -> None:
    unknown = failure(await run(client, "run-read-tool", name))
    assert unknown["kind"] == "not-found"
    assert near in unknown["next"]


async def test_a_name_like_no_other_is_answered_with_where_to_look(client: Client) -> None:
    unknown = failure(await run(client, "run-write-tool", "zzzz"))
    assert unknown["next"] == "search-tools finds the tools there are."


async def test_no_tool_is_run_by_the_runner_of_the_other_kind() -> None:
    server = BillingServer(Settings(secret_tools=True))
    calls = good_calls(open_world(server))
    for name in (*READS, *WRITES):
        right, wrong = RUNNERS if name in READS else reversed(RUNNERS)
        refused = (await ran(server, wrong, name, calls[name])).structured["error"]
        assert refused["kind"] == "not-permitted", name
        assert "nothing was sent" in refused["message"], name
        assert right in refused["next"], name


async def test_no_runner_runs_one_of_the_three() -> None:
    async with connected(BillingServer(Settings())) as client:
        for runner in RUNNERS:
            for name in SEARCHING:
                refused = failure(await run(client, runner, name, name=name, query="x"))
                assert refused["kind"] == "not-permitted"
                assert refused["next"] == f"Call {name} directly."


async def test_on_a_read_only_server_no_write_is_found_or_run() -> None:
    server = BillingServer(Settings(read_only=True))
    calls = good_calls(open_world(server))
    for name in WRITES:
        assert name not in await names_found(server, name)
        # The runner of writes is itself a tool that writes.
        assert (await ran(server, "run-write-tool", name, calls[name])).is_error, name
        refused = (await ran(server, "run-read-tool", name, calls[name])).structured["error"]
        assert refused["kind"] == "not-permitted", name
        assert "read-only" in refused["message"], name
    async with connected(server) as client:
        answer = await client.call_tool("search-tools", {"query": "grant a goodwill credit"})
        assert "left out" in facts(answer)["note"]
        assert "read-only" in said(answer)


@pytest.mark.parametrize("part", range(PARTS))
async def test_an_excluded_tool_is_neither_found_nor_run_nor_named(part: int) -> None:
    excluded = (*READS, *WRITES)[part::PARTS]
    server = BillingServer(Settings(toolsets=("all",), exclude_tools=tuple(excluded)))
    calls = good_calls(open_world(server))
    for name in excluded:
        for runner in RUNNERS:
            refused = (await ran(server, runner, name, calls[name])).structured["error"]
            assert refused["kind"] == "not-permitted", (runner, name)
            assert "excluded" in refused["message"], (runner, name)
        assert name not in await names_found(server, name)
        unknown = (await ran(server, "run-read-tool", f"{name}x", {})).structured["error"]
        named = set(re.findall(r"([a-z0-9-]+)\(", unknown["next"]))
        assert not named & set(excluded)


async def test_with_only_the_key_of_suger_no_tool_of_togai_is_found_or_run() -> None:
    server = BillingServer(from_environ({"SUGER_API_KEY": "key-1", "SUGER_ORG_ID": "org-1"}))
    for name in tools.MODULES:
        if tools.vendor_of(name) != "togai":
            continue
        for runner in RUNNERS:
            refused = (await ran(server, runner, name, {})).structured["error"]
            assert refused["kind"] == "not-configured", (runner, name)
            assert "TOGAI_API_KEY" in refused["next"], (runner, name)
        assert name not in await names_found(server, name)


async def test_what_no_runner_is_there_for_is_left_out_of_what_is_found() -> None:
    server = BillingServer(Settings(exclude_tools=("run-read-tool",)))
    async with connected(server) as client:
        answer = await client.call_tool("search-tools", {"query": "get account", "limit": 3})
        assert "get-account" not in {row["name"] for row in facts(answer)["data"]}
        assert "get-account is not listed" in facts(answer)["note"]
        refused = failure(await run(client, "run-write-tool", "get-account", accountId="a"))
        assert refused["kind"] == "not-permitted"
        assert "next" not in refused


async def test_only_what_is_allowed_is_counted_as_a_row() -> None:
    async with connected(BillingServer(Settings(read_only=True))) as client:
        rows = await found(client, "customer account plan invoice credit", limit=20)
    assert len(rows) == 20
    assert all(SCHEMAS[name]["annotations"]["readOnlyHint"] for name in rows)
