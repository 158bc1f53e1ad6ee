"""The server against a faulty vendor on a real socket: nothing is done twice or called undone."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client

from answers import connected, facts, failure, said
from billing_mcp.config import from_environ
from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox
from billing_mcp.sandbox.serve import serve
from billing_mcp.server import BillingServer
from recording import Waits

pytestmark = pytest.mark.anyio

OPERATION = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
CUSTOMER = {"id": "acme", "name": "Acme", "primaryEmail": "billing@acme.example"}
ACCOUNT = {"customerId": "acme", "id": "acme-eu", "name": "Acme Europe", "invoiceCurrency": "USD"}
CREDIT = {
    "accountId": "acme-eu",
    "creditAmount": "50.10",
    "effectiveFrom": "2026-11-20",
    "operationId": OPERATION,
}
SCHEMA = {"name": "calls", "attributes": [], "dimensions": [{"name": "region"}]}


@dataclass(frozen=True, slots=True)
class Company:
    """A client of our server, whose vendors are a sandbox on loopback with one account in it."""

    client: Client
    control: httpx2.AsyncClient
    waits: Waits

    async def fault(self, **fault: Any) -> None:
        """One fault; without `times` it strikes for ever."""
        (await self.control.put("/control/faults", json=[fault])).raise_for_status()

    async def effects(self, kind: str) -> list[Mapping[str, Any]]:
        answer = await self.control.get("/control/effects", params={"kind": kind})
        found: list[Mapping[str, Any]] = answer.json()["effects"]
        return found

    async def fired(self) -> int:
        return int((await self.control.get("/control/faults")).json()[0]["fired"])


@asynccontextmanager
async def company(sandbox: Sandbox, *, timeout_s: float = 25) -> AsyncIterator[Company]:
    ports: list[int] = []
    ready = anyio.Event()

    def opened(port: int) -> None:
        ports.append(port)
        ready.set()

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: serve(sandbox, port=0, ready=opened))
        await ready.wait()
        address = f"http://127.0.0.1:{ports[0]}"
        settings = from_environ(
            {
                "TOGAI_API_KEY": "togai-key",
                "TOGAI_BASE_URL": f"{address}/togai",
                "SUGER_API_KEY": "suger-key",
                "SUGER_BASE_URL": f"{address}/suger",
                "SUGER_ORG_ID": "sandbox",
            }
        )
        server = BillingServer(settings)
        waits = Waits()
        for vendor in ("togai", "suger"):
            connection = server.tenant.connection(vendor)
            connection.sleep, connection.timeout_s = waits, timeout_s
        async with httpx2.AsyncClient(base_url=address) as control, connected(server) as client:
            yield Company(client, control, waits)
        group.cancel_scope.cancel()


def with_account(**settings: Any) -> Sandbox:
    """A sandbox that has the account and its customer, and nothing else."""
    opened = open_sandbox(SandboxSettings(demo=False, **settings))
    opened.backend.request("POST", "/togai/customers", {**CUSTOMER, "address": {}})
    opened.backend.request("POST", "/togai/accounts", ACCOUNT)
    return opened


@pytest.fixture(params=["original", "refuse"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Both ways in which Togai may answer a repeated credit key; no demo company."""
    opened = with_account(repeated_credit_key=request.param)
    opened.backend.request("POST", "/togai/event_schema", SCHEMA)
    opened.backend.request("POST", "/togai/event_schema/calls/activate")
    return opened


LOST = ["reset-after", "truncate"]


@pytest.mark.parametrize("mode", [*LOST, "reset-before", "status", "garbage"])
async def test_a_credit_whose_answer_is_lost_once_is_granted_once_and_shown(
    sandbox: Sandbox, mode: str
) -> None:
    async with company(sandbox) as at:
        await at.fault(method="POST", path="/togai/credits", mode=mode, times=1)
        answer = facts(await at.client.call_tool("grant-credit", CREDIT))
        (effect,) = await at.effects("credit")
        again = facts(await at.client.call_tool("grant-credit", CREDIT))
        assert len(await at.effects("credit")) == 1
    assert (answer["creditAmount"], answer["operationId"]) == ("50.10", OPERATION)
    assert (effect["id"], effect["key"]) == (answer["id"], OPERATION)
    assert answer["environment"] == "sandbox"
    assert again["id"] == answer["id"]


async def test_a_credit_granted_by_an_earlier_try_that_the_vendor_refuses_is_marked_replayed() -> (
    None
):
    async with company(with_account(repeated_credit_key="refuse")) as at:
        await at.fault(method="POST", path="/togai/credits", mode="reset-after", times=1)
        answer = facts(await at.client.call_tool("grant-credit", CREDIT))
    assert answer["replayed"] is True


async def test_a_credit_that_cannot_be_read_back_after_a_lost_answer_is_not_called_ungranted(
    sandbox: Sandbox,
) -> None:
    async with company(sandbox) as at:
        lost = {"method": "POST", "path": "/togai/credits", "mode": "reset-after", "times": 1}
        unread = {"method": "GET", "path": "/togai/credits", "mode": "status", "status": 503}
        await at.control.put("/control/faults", json=[lost, unread])
        result = await at.client.call_tool("grant-credit", CREDIT)
        assert len(await at.effects("credit")) == 1
    if sandbox.backend.settings.repeated_credit_key == "original":
        assert facts(result)["creditAmount"] == "50.10"
    else:
        assert failure(result)["kind"] == "outcome-unknown"
        assert f"Call grant-credit again with operationId {OPERATION}" in said(result)


@pytest.mark.parametrize("mode", LOST)
async def test_a_customer_whose_answer_is_lost_is_asked_for_once_and_not_called_failed(
    mode: str,
) -> None:
    async with company(open_sandbox(SandboxSettings(demo=False))) as at:
        await at.fault(method="POST", path="/togai/customers", mode=mode)
        result = await at.client.call_tool("create-customer", CUSTOMER)
        assert await at.fired() == 1
        assert [effect["id"] for effect in await at.effects("customer")] == ["acme"]
        found = facts(await at.client.call_tool("get-customer", {"customerId": "acme"}))
    assert failure(result)["kind"] == "outcome-unknown"
    assert "Do not repeat it before you know: get-customer shows" in said(result)
    assert found["name"] == "Acme"
    assert at.waits.seconds == []


@pytest.mark.parametrize("mode", LOST)
async def test_twelve_hundred_events_whose_second_batch_is_lost_count_once_each(
    sandbox: Sandbox, mode: str
) -> None:
    event = {"schemaName": "calls", "timestamp": "2026-11-20T11:00:00Z", "accountId": "acme-eu"}
    arguments = {"events": [event] * 1200, "operationId": OPERATION}
    seen: list[float] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)
        if progress == 500:
            await at.fault(method="POST", path="/togai/ingestBatch", mode=mode, times=1)

    async with company(sandbox) as at:
        answer = facts(
            await at.client.call_tool("ingest-events", arguments, progress_callback=report)
        )
        fired = await at.fired()
        effects = await at.effects("event")
    assert (answer["accepted"], answer["rejected"], answer["unknown"]) == (1200, 0, 0)
    assert (fired, seen) == (1, [500, 1000, 1200])
    assert {effect["key"] for effect in effects} == {f"{OPERATION}-{n}" for n in range(1200)}
    assert len(effects) == 1200


@pytest.mark.parametrize(
    ("tool", "arguments", "slow", "kind"),
    [
        ("list-customers", {}, "/togai/customers", "unavailable"),
        ("create-customer", {**CUSTOMER, "id": "other"}, "/togai/customers", "outcome-unknown"),
        ("grant-credit", CREDIT, "/togai/credits", "outcome-unknown"),
        ("grant-credit", CREDIT, "/togai/accounts/acme-eu", "unavailable"),
    ],
)
async def test_a_vendor_that_does_not_answer_in_time_is_not_waited_for(
    tool: str, arguments: dict[str, Any], slow: str, kind: str
) -> None:
    with anyio.fail_after(20):
        async with company(with_account(), timeout_s=0.8) as at:
            await at.fault(path=slow, mode="delay", seconds=3600)
            result = await at.client.call_tool(tool, arguments)
            assert await at.fired() == 1
    assert failure(result)["kind"] == kind
    assert "did not answer within 0.8 s" in failure(result)["message"]


async def test_a_sandbox_that_was_seen_to_be_one_is_still_one_when_its_connection_breaks() -> None:
    async with company(open_sandbox(SandboxSettings(demo=False))) as at:
        facts(await at.client.call_tool("list-customers", {}))
        await at.fault(mode="reset-before")
        broken = await at.client.call_tool("list-customers", {})
        wrong = await at.client.call_tool("list-customers", {"pageSize": 0})
    assert failure(broken)["kind"] == "unavailable"
    assert failure(wrong)["kind"] == "invalid-request"
    for result in (broken, wrong):
        assert result.structured_content is not None
        assert result.structured_content["environment"] == "sandbox"


async def test_a_busy_vendor_is_waited_for_as_long_as_it_asks() -> None:
    async with company(open_sandbox(SandboxSettings(demo=False))) as at:
        await at.fault(mode="status", status=429, retryAfter=3, times=2)
        facts(await at.client.call_tool("list-customers", {}))
    assert at.waits.seconds == [3, 3]


@pytest.mark.parametrize("mode", ["reset-before", "reset-after", "truncate", "garbage", "status"])
async def test_a_read_gets_through_where_three_answers_in_ten_are_broken(mode: str) -> None:
    async with company(open_sandbox(SandboxSettings(demo=False))) as at:
        await at.fault(mode=mode, probability=0.3, seed=7)
        for _ in range(30):
            facts(await at.client.call_tool("list-customers", {}))
        assert await at.fired() > 5


async def test_a_vendor_that_is_not_there_is_named_and_nothing_is_called_lost() -> None:
    with anyio.fail_after(20):
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        await listener.aclose()
        server = BillingServer(
            from_environ(
                {"TOGAI_API_KEY": "key", "TOGAI_BASE_URL": f"http://127.0.0.1:{port}/togai"}
            )
        )
        server.tenant.connection("togai").sleep = waits = Waits()
        async with connected(server) as client:
            error = failure(await client.call_tool("create-customer", CUSTOMER))
    assert error["kind"] == "unavailable"
    assert "Togai cannot be reached (ConnectError); nothing was sent." in error["message"]
    assert "billing-mcp doctor" in error["next"]
    assert waits.seconds == []
