"""The end of the process: calls going on get their answers, and nobody else is let in."""

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from http_processes import Served, serving
from processes import PATIENCE_S, served_sandbox
from world import OPERATION

HEADERS = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-06-18",
}
CUSTOMER = {"id": "kept", "name": "Kept", "primaryEmail": "billing@kept.example"}


def create(server: Served) -> Any:
    params = {"name": "create-customer", "arguments": CUSTOMER | {"operationId": OPERATION}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = httpx2.post(f"{server.url}/mcp", json=message, headers=HEADERS, timeout=PATIENCE_S)
    return answer.json()["result"]


def slow(sandbox: str, seconds: int) -> None:
    fault = {"method": "POST", "path": "/togai/customers", "mode": "delay", "seconds": seconds}
    httpx2.put(f"{sandbox}/control/faults", json=[fault]).raise_for_status()


def wait_for_a_call(server: Served) -> None:
    """Until the figures show one in flight: the write is on its way then."""
    while "billing_mcp_calls_in_flight 1.0" not in httpx2.get(f"{server.url}/metrics").text:
        assert server.process.poll() is None


def against(sandbox: str, **more: str) -> dict[str, str]:
    return {"TOGAI_API_KEY": "any-key", "TOGAI_BASE_URL": f"{sandbox}/togai"} | more


def test_a_call_that_does_not_settle_ends_at_its_own_deadline_and_says_what_is_not_known() -> None:
    with (
        served_sandbox() as (_, sandbox),
        serving(env=against(sandbox, BILLING_MCP_UPSTREAM_TIMEOUT="3")) as server,
        ThreadPoolExecutor() as pool,
    ):
        slow(sandbox, 10)
        call = pool.submit(create, server)
        wait_for_a_call(server)
        assert server.stopped() == 0
        error = call.result(timeout=PATIENCE_S)["structuredContent"]["error"]
        assert (error["kind"], error["operationId"]) == ("outcome-unknown", OPERATION)


def test_a_write_that_is_going_on_gets_its_answer_and_whoever_comes_later_is_not_let_in() -> None:
    with (
        served_sandbox() as (_, sandbox),
        serving(env=against(sandbox)) as server,
        ThreadPoolExecutor() as pool,
        httpx2.Client(base_url=server.url) as kept_open,
    ):
        slow(sandbox, 2)
        call = pool.submit(create, server)
        wait_for_a_call(server)
        assert kept_open.get("/healthz").status_code == 200
        server.process.terminate()
        refused = False
        while not refused:
            assert not call.done()
            try:
                httpx2.get(f"{server.url}/healthz")
            except httpx2.TransportError:
                refused = True
        result = call.result(timeout=PATIENCE_S)
        assert result["structuredContent"]["id"] == "kept"
        assert result["structuredContent"]["operationId"] == OPERATION
        assert server.ended() == 0
        assert "Traceback" not in server.output


def test_idle_connections_do_not_hold_up_the_end() -> None:
    with serving() as server:
        clients = [httpx2.Client(base_url=server.url) for _ in range(3)]
        for client in clients:
            assert client.get("/healthz").status_code == 200
        assert server.stopped() == 0
        for client in clients:
            client.close()


def test_a_key_press_ends_it_as_a_key_press_does() -> None:
    with serving() as server:
        server.process.send_signal(signal.SIGINT)
        assert server.ended() == 130
        assert server.output == ""
