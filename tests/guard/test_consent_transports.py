"""Consent where callers are somebody, over HTTP, and in a process that a desktop client starts."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import uvicorn
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import INVALID_PARAMS, InputRequiredResult
from starlette.applications import Starlette

from answers import facts, failure
from billing_mcp.config import Settings
from billing_mcp.guard.operations import Approval, Key, Partition, State
from billing_mcp.http import api_keys
from billing_mcp.http.app import app
from billing_mcp.server import BillingServer
from guard.people import APPROVES, DENIES, GRANT, Person
from hosted_asking import HERE, MCP
from issuer import NOW
from processes import PATIENCE_S, command, environment
from world import World, open_world

pytestmark = pytest.mark.anyio

WRITES = "billing:write"
APPROVES_TOO = "billing:write billing:approve"
FROM_ELSEWHERE = ("192.0.2.7", 4242)


@dataclass(slots=True)
class Hosted:
    """The whole app in this process, which lets keys in, or everybody."""

    server: BillingServer
    world: World
    application: Starlette
    keys: dict[str, str]

    def http(self, name: str | None) -> httpx2.AsyncClient:
        headers = {} if name is None else {"authorization": f"Bearer {self.keys[name]}"}
        transport = httpx2.ASGITransport(self.application, client=FROM_ELSEWHERE)
        return httpx2.AsyncClient(transport=transport, base_url=HERE, headers=headers)

    @asynccontextmanager
    async def at_desk(
        self, name: str | None, person: Person, era: str = "modern"
    ) -> AsyncIterator[Client]:
        async with self.http(name) as http:
            transport = streamable_http_client(MCP, http_client=http)
            mode = "legacy" if era == "legacy" else "auto"
            async with Client(transport, mode=mode, elicitation_callback=person) as client:
                yield client

    async def approvals(self, operation_id: str) -> tuple[Approval, ...]:
        gate = await self.server.tenant.ledgers.gate("sandbox")
        row = await gate.ledger.get(Key(Partition("default", "sandbox"), operation_id))
        assert row is not None
        assert row.state is State.COMMITTED
        return row.approvals

    @property
    def credits(self) -> int:
        return len(self.world.effects("credit"))


@asynccontextmanager
async def hosted(folder: Path, *, sse: bool = False, **scopes: str) -> AsyncIterator[Hosted]:
    """Served to keys with these scopes, by name; to everybody when there are none."""
    path = folder / "keys.json"
    made = {
        name: api_keys.made(name, granted.split(), None, NOW) for name, granted in scopes.items()
    }
    api_keys.write(path, [kept for _, kept in made.values()])
    settings = Settings(api_keys=path if scopes else None, http_sse=sse)
    server = BillingServer(settings)
    world = open_world(server)
    application = app(settings, server)
    async with application.router.lifespan_context(application):
        yield Hosted(server, world, application, {name: shown for name, (shown, _) in made.items()})


@pytest.mark.parametrize("sse", [False, True])
async def test_a_caller_who_may_approve_is_asked_and_approves_by_their_name(
    tmp_path: Path, sse: bool
) -> None:
    person = Person.who(APPROVES)
    async with (
        hosted(tmp_path, sse=sse, boss=APPROVES_TOO) as at,
        at.at_desk("boss", person) as client,
    ):
        granted = facts(await client.call_tool("grant-credit", GRANT))
        (approval,) = await at.approvals(granted["operationId"])
        assert at.credits == 1
    assert approval.by == "key:boss"
    assert "Asked for by key:boss with grant-credit." in person.questions[0].splitlines()


async def test_a_caller_who_may_not_approve_is_not_asked(tmp_path: Path) -> None:
    person = Person.who(APPROVES)
    async with (
        hosted(tmp_path, clerk=WRITES, boss=APPROVES_TOO) as at,
        at.at_desk("clerk", person) as client,
    ):
        waiting = failure(await client.call_tool("grant-credit", GRANT))
        assert at.credits == 0
    assert waiting["kind"] == "approval-required"
    assert person.questions == []


async def test_everybody_on_this_machine_is_asked_where_nobody_says_who_they_are(
    tmp_path: Path,
) -> None:
    async with hosted(tmp_path) as at, at.at_desk(None, Person.who(APPROVES)) as client:
        granted = facts(await client.call_tool("grant-credit", GRANT))
        (approval,) = await at.approvals(granted["operationId"])
        assert at.credits == 1
    assert approval.by == "local"


@pytest.mark.parametrize("sse", [False, True])
async def test_an_older_client_over_http_cannot_be_asked_and_is_told_the_other_ways(
    tmp_path: Path, sse: bool
) -> None:
    person = Person.who(APPROVES)
    async with (
        hosted(tmp_path, sse=sse, boss=APPROVES_TOO) as at,
        at.at_desk("boss", person, "legacy") as client,
    ):
        waiting = failure(await client.call_tool("grant-credit", GRANT))
        assert at.credits == 0
    assert waiting["kind"] == "approval-required"
    assert waiting["operationId"] in waiting["next"]
    assert person.questions == []


@asynccontextmanager
async def on_a_port(application: Starlette) -> AsyncIterator[str]:
    """Served by a real server, which sends parts of an answer before its end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(application, log_config=None, access_log=False)
        serving = uvicorn.Server(config)
        async with anyio.create_task_group() as group:
            group.start_soon(serving.serve, [listener])
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
            serving.should_exit = True


@pytest.mark.parametrize("as_json", [False, True])
async def test_where_sessions_are_kept_an_older_client_is_asked_if_the_question_can_reach_it(
    as_json: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server = BillingServer(Settings())
    world = open_world(server)
    person = Person.who(APPROVES)
    application = server.streamable_http_app(stateless_http=False, json_response=as_json)
    with anyio.fail_after(PATIENCE_S):
        async with (
            on_a_port(application) as url,
            Client(url, mode="legacy", elicitation_callback=person) as client,
        ):
            answer = await client.call_tool("grant-credit", GRANT)
            assert len(world.effects("credit")) == (0 if as_json else 1)
    if as_json:
        assert failure(answer)["kind"] == "approval-required"
    else:
        assert facts(answer)["creditAmount"] == "150.00"
    assert len(person.questions) == (0 if as_json else 1)
    assert "could not be asked" not in caplog.text


async def test_a_question_to_one_caller_is_not_answered_by_another(tmp_path: Path) -> None:
    nobody = Person.who(APPROVES)
    async with (
        hosted(tmp_path, one=APPROVES_TOO, other=APPROVES_TOO) as at,
        at.at_desk("one", nobody) as one,
        at.at_desk("other", nobody) as other,
    ):
        question = await one.session.call_tool("grant-credit", GRANT, allow_input_required=True)
        assert isinstance(question, InputRequiredResult)
        (name,) = question.input_requests or {}
        answer: Any = {"input_responses": {name: APPROVES}, "request_state": question.request_state}
        with pytest.raises(MCPError) as error:
            await other.session.call_tool(
                "grant-credit", GRANT, allow_input_required=True, **answer
            )
        assert at.credits == 0
        facts(
            await one.session.call_tool("grant-credit", GRANT, allow_input_required=True, **answer)
        )
        assert at.credits == 1
    assert error.value.error.code == INVALID_PARAMS


@pytest.mark.parametrize(
    ("declared", "is_asked"),
    [
        ({}, False),
        ({"elicitation": {}}, True),
        ({"elicitation": {"form": {}}}, True),
        ({"elicitation": {"form": {}, "url": {}}}, True),
        ({"elicitation": {"url": {}}}, False),
        ({"sampling": {}, "roots": {}}, False),
    ],
)
async def test_only_a_client_that_says_it_has_forms_is_asked(
    tmp_path: Path, declared: Mapping[str, Any], is_asked: bool
) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": declared,
    }
    params = {"name": "grant-credit", "arguments": GRANT, "_meta": meta}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "grant-credit",
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with hosted(tmp_path) as at, at.http(None) as http:
        answer = (await http.post(MCP, json=message, headers=headers)).json()["result"]
        assert at.credits == 0
    assert answer["resultType"] == ("input_required" if is_asked else "complete")
    assert answer.get("isError") is (None if is_asked else True)


@asynccontextmanager
async def started(era: str, person: Person) -> AsyncIterator[Client]:
    """A client of a new process that serves over its pipes."""
    program, *arguments = command("stdio")
    parameters = StdioServerParameters(command=program, args=arguments, env=environment())
    mode = "legacy" if era == "legacy" else "auto"
    with anyio.fail_after(PATIENCE_S):
        async with Client(
            stdio_client(parameters), mode=mode, elicitation_callback=person
        ) as client:
            yield client


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_desktop_client_asks_its_user_and_the_answer_counts(era: str) -> None:
    person = Person.who(DENIES, APPROVES)
    async with started(era, person) as client:
        account = facts(await client.call_tool("list-accounts", {"pageSize": 1}))["data"][0]["id"]
        listed = {"accountId": account, "pageSize": 50}
        before = facts(await client.call_tool("list-credits", listed))["count"]
        grant = GRANT | {"accountId": account}

        denied = failure(await client.call_tool("grant-credit", grant))
        assert facts(await client.call_tool("list-credits", listed))["count"] == before

        granted = facts(await client.call_tool("grant-credit", grant))
        assert facts(await client.call_tool("list-credits", listed))["count"] == before + 1
    assert denied["kind"] == "not-permitted"
    assert granted["creditAmount"] == "150.00"
    assert len(person.questions) == 2
