"""The names that tools have besides their own: each answers as its tool, and none is shown."""

import asyncio
import re
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from answers import connected, facts, said
from billing_mcp import errors, scopes, tools
from billing_mcp.aliases import aliases, own_name
from billing_mcp.catalog import Catalog, shipped_schemas
from billing_mcp.config import Settings, from_environ
from billing_mcp.credentials import SettingsError
from billing_mcp.results import Outcome
from billing_mcp.server import BillingServer
from billing_mcp.telemetry import Call, Nobody
from good_calls import good_calls
from unguarded import ANYTHING
from world import open_world

pytestmark = pytest.mark.anyio

ALIASES = dict(aliases())
EVERYTHING = Settings(toolsets=("all",), secret_tools=True, policy=ANYTHING)


def reads(alias: str) -> bool:
    only: bool = shipped_schemas()[ALIASES[alias]]["annotations"]["readOnlyHint"]
    return only


async def test_an_alias_is_no_tools_name_and_means_a_tool() -> None:
    assert len(ALIASES) == 64
    assert not ALIASES.keys() & tools.MODULES.keys()
    assert set(ALIASES.values()) <= tools.MODULES.keys()
    assert own_name("get-list-usage-events-multiple") == "list-events"
    assert own_name("get-information-invoice-group") == "get-invoice-group"
    assert own_name("add-update-miscellaneous-charges-upcoming") == "set-upcoming-charges"
    assert own_name("list-invoices") == "list-invoices"
    assert own_name("no-such-tool") == "no-such-tool"


async def test_a_call_by_an_alias_is_a_call_of_its_tool() -> None:
    async with connected(BillingServer(EVERYTHING)) as client:
        directly = await client.call_tool("list-aliases", {})
        by_alias = await client.call_tool("list-all-aliases", {})
        ran = await client.call_tool("run-read-tool", {"name": "list-all-aliases"})
    assert facts(by_alias) == facts(ran) == facts(directly)
    assert said(by_alias) == said(ran) == said(directly)


async def test_every_read_answers_to_its_alias_as_to_its_name() -> None:
    server = BillingServer(EVERYTHING)
    given = good_calls(open_world(server))
    for alias, name in ALIASES.items():
        if reads(alias):
            directly = await invoke(server, name, given[name])
            assert not directly.is_error, directly.text
            assert await invoke(server, alias, given[name]) == directly
            assert await run(server, "run-read-tool", alias, given[name]) == directly


async def test_every_write_by_its_alias_is_the_write_of_its_tool_done_once() -> None:
    server = BillingServer(EVERYTHING)
    given = good_calls(open_world(server))
    for alias, name in ALIASES.items():
        if not reads(alias):
            operation_id = str(uuid5(NAMESPACE_URL, alias))
            arguments = given[name] | {"operationId": operation_id}
            by_alias = (await invoke(server, alias, arguments)).structured
            # The ledger keeps no secret, so that a second answer has none.
            kept_of_it: dict[str, Any] = {"replayed": True}
            kept_of_it |= {"token": "[secret]"} if name in tools.SECRET else {}
            again = (await invoke(server, name, arguments)).structured
            ran = (await run(server, "run-write-tool", alias, arguments)).structured
            assert again == ran == by_alias | kept_of_it, alias
            kept = await invoke(server, "get-operation", {"operationId": operation_id})
            assert (kept.structured["tool"], kept.structured["state"]) == (name, "committed")


async def invoke(server: BillingServer, name: str, arguments: dict[str, Any]) -> Outcome:
    return await server.catalog.invoke(name, arguments, server.caller())


async def run(server: BillingServer, runner: str, name: str, arguments: dict[str, Any]) -> Outcome:
    return await invoke(server, runner, {"name": name, "arguments": arguments})


async def test_no_alias_is_listed_found_or_suggested() -> None:
    server = BillingServer(EVERYTHING)
    assert not {tool.name for tool in await server.list_tools()} & ALIASES.keys()
    for alias in ALIASES:
        found = await invoke(server, "search-tools", {"query": alias, "limit": 20})
        assert found.structured["data"]
        assert not {row["name"] for row in found.structured["data"]} & ALIASES.keys()
        unknown = (await invoke(server, f"{alias}-x", {})).structured["error"]
        assert unknown["kind"] == "not-found"
        assert not set(re.findall(r"[a-z0-9-]+", unknown["next"])) & ALIASES.keys()


REFUSING = {
    "excluded": Settings(toolsets=("all",), exclude_tools=tuple(set(ALIASES.values()))),
    "read-only": Settings(toolsets=("all",), read_only=True),
    "not listed": Settings(toolsets=("suger-metering",)),
    "no key": from_environ({"SUGER_API_KEY": "key-1"}, {"toolsets": "all"}),
    "scope": EVERYTHING,
}


@pytest.mark.parametrize("refused", REFUSING)
async def test_what_is_refused_by_its_name_is_refused_by_its_alias_in_the_same_words(
    refused: str,
) -> None:
    server = BillingServer(REFUSING[refused])
    caller = server.caller()
    if refused == "scope":
        caller = replace(caller, scopes=scopes.expanded([scopes.READ]))
    for alias, name in ALIASES.items():
        if refused in ("read-only", "scope") and reads(alias):
            continue
        directly = await server.catalog.invoke(name, {}, caller)
        assert directly.structured["error"]["kind"] in ("not-permitted", "not-configured"), name
        assert await server.catalog.invoke(alias, {}, caller) == directly
        runner = "run-read-tool" if reads(alias) else "run-write-tool"
        ran = [
            await server.catalog.invoke(runner, {"name": called}, caller)
            for called in (name, alias)
        ]
        assert ran[0] == ran[1]
        assert ran[0].is_error


async def test_a_runner_refuses_an_alias_that_it_is_not_for_as_it_refuses_the_tool() -> None:
    server = BillingServer(Settings())
    for alias, name in ALIASES.items():
        runner = "run-write-tool" if reads(alias) else "run-read-tool"
        by_name = await run(server, runner, name, {})
        assert by_name.structured["error"]["kind"] == "not-permitted"
        assert await run(server, runner, alias, {}) == by_name


async def test_who_counts_calls_counts_an_alias_as_its_tool() -> None:
    class Counting(Nobody):
        def __init__(self) -> None:
            self.calls: list[str] = []

        def call_began(self, tool: str) -> None:
            self.calls.append(tool)

        def call_ended(self, call: Call) -> None:
            self.calls.append(call.tool)

    watching = Counting()
    server = BillingServer(EVERYTHING, watching)
    await invoke(server, "list-all-aliases", {})
    assert watching.calls == ["list-aliases", "list-aliases"]


def test_an_alias_needs_the_scope_of_its_tool() -> None:
    catalog = Catalog(Settings())
    assert catalog.needed_scope("initiate-purchase") == scopes.WRITE
    assert catalog.needed_scope("get-all-purchases-account") == scopes.READ
    with pytest.raises(KeyError):
        catalog.needed_scope("no-such-tool")


def test_the_aliases_are_read_when_the_first_unknown_name_comes() -> None:
    aliases.cache_clear()
    server = BillingServer(Settings())
    caller = server.caller()
    called = asyncio.run(server.catalog.invoke("list-customers", {}, caller))
    assert called.status == 200
    assert aliases.cache_info().currsize == 0
    unknown = asyncio.run(server.catalog.invoke("no-such-tool", {}, caller))
    assert unknown.status == errors.NotFound.status
    assert aliases.cache_info().currsize == 1


@pytest.mark.parametrize(
    "settings", [Settings(tools=("get-status-job",)), Settings(exclude_tools=("get-status-job",))]
)
def test_a_setting_that_names_an_alias_is_refused_with_the_name_of_the_tool(
    settings: Settings,
) -> None:
    with pytest.raises(SettingsError, match=r"get-status-job\. Did you mean get-job\?"):
        Catalog(settings)
