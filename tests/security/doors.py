"""Every way in there is: each tool by MCP in both eras, by its name, its alias and a runner, and by
REST; each other method.

The tests of this folder go through all of it, so that what is added later is attacked as well.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

import httpx2
import pytest

from billing_mcp import tools
from billing_mcp.aliases import aliases
from billing_mcp.catalog import shipped_schemas
from billing_mcp.http.routes import ROUTES
from billing_mcp.server import BillingServer
from hosted_asking import MCP, asked
from rest_asking import ORG, request_of

Thing = TypeVar("Thing")

SCHEMAS = shipped_schemas()
ALIASES = {tool: alias for alias, tool in aliases().items()}
RUNNERS = {True: "run-read-tool", False: "run-write-tool"}
ACCEPT = {"accept": "application/json, text/event-stream"}
LEGACY = {**ACCEPT, "mcp-protocol-version": "2025-06-18"}


def reads(tool: str) -> bool:
    hint: bool = SCHEMAS[tool]["annotations"]["readOnlyHint"]
    return hint


WRITES = tuple(name for name in tools.MODULES if not reads(name))


@dataclass(frozen=True, slots=True)
class Door:
    """One way to call one tool."""

    tool: str
    way: str
    call: dict[str, Any]

    async def through(
        self, http: httpx2.AsyncClient, headers: Mapping[str, str]
    ) -> httpx2.Response:
        if self.way == "rest":
            return await http.request(**self.call, headers=dict(headers))
        if self.way.startswith("legacy"):
            return await legacy(http, "tools/call", headers, **self.call)
        return await asked(http, "tools/call", dict(headers), **self.call)


Calls = Mapping[str, Mapping[str, Any]]


def doors(server: BillingServer, calls: Calls) -> Iterator[Door]:
    """All of them, for the arguments of each tool. A tool without arguments here is an error."""
    for tool in tools.MODULES:
        arguments = dict(calls[tool])
        direct = {"name": tool, "arguments": arguments}
        yield Door(tool, "modern", direct)
        yield Door(tool, "legacy", direct)
        if tools.TOOLSET_OF[tool] != "search":
            run = {"name": RUNNERS[reads(tool)], "arguments": direct}
            yield Door(tool, "modern runner", run)
            yield Door(tool, "legacy runner", run)
        if alias := ALIASES.get(tool):
            yield Door(tool, "modern alias", direct | {"name": alias})
            yield Door(tool, "legacy alias", direct | {"name": alias})
        for route in ROUTES:
            if route.tool == tool:
                organisation = ORG if "orgId" in route.parameters.values() else {}
                yield Door(tool, "rest", request_of(server, route, organisation | arguments))


def in_turn(server: BillingServer, calls: Calls) -> Iterator[Door]:
    """Of each tool one way by MCP, so that reads and writes take each of them, and all of REST."""
    turns = Counter[bool]()
    for tool, made in groupby(doors(server, calls), key=lambda door: door.tool):
        ways = list(made)
        by_mcp = [door for door in ways if door.way != "rest"]
        yield by_mcp[turns[reads(tool)] % len(by_mcp)]
        yield from (door for door in ways if door.way == "rest")
        turns[reads(tool)] += 1


Ways = Callable[[BillingServer, Calls], Iterator[Door]]
# What stands before every tool alike is tried with each of them once, and where there is time with
# each by every way.
each_way = pytest.mark.parametrize(
    "ways",
    [
        pytest.param(in_turn, id="each tool"),
        pytest.param(doors, id="each way", marks=pytest.mark.long),
    ],
)


@dataclass(frozen=True, slots=True)
class Shares:
    """For a test that is made with many values: which tools each of them is tried with."""

    whole: bool

    def of(self, things: Sequence[Thing], place: int, places: int) -> Sequence[Thing]:
        """Those of the value that stands at `place` of `places`: all, or each in its turn."""
        return things if self.whole else things[place::places]


in_shares = pytest.mark.parametrize(
    "shares",
    [
        pytest.param(Shares(whole=False), id="in turn"),
        pytest.param(Shares(whole=True), id="each with each", marks=pytest.mark.long),
    ],
)


async def legacy(
    http: httpx2.AsyncClient, method: str, headers: Mapping[str, str], **params: Any
) -> httpx2.Response:
    """One message of a revision with a handshake, as its clients send it."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return await http.post(MCP, json=message, headers={**LEGACY, **headers})


HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")


def refusal_of(answer: httpx2.Response) -> str | None:
    """The kind of error of a call of a tool, however it was made; None when it succeeded."""
    body = answer.json()
    if "jsonrpc" not in body:
        return None if answer.status_code == 200 else str(body.get("kind") or body["error"])
    if "error" in body:
        return "json-rpc"
    result = body["result"]
    return str(result["structuredContent"]["error"]["kind"]) if result.get("isError") else None
