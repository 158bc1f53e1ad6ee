"""What /metrics shows, and to whom."""

import re
from collections.abc import Mapping
from typing import Any

import anyio
import httpx2
import pytest
from pydantic import SecretStr

from answers import connected, facts
from billing_mcp.config import Settings
from billing_mcp.connection import Connection
from billing_mcp.credentials import Credential
from billing_mcp.http.app import app
from billing_mcp.http.metrics import Metrics
from billing_mcp.server import BillingServer
from billing_mcp.telemetry import Call
from recording import SILENCE, TOKEN, Recorder, Says, Waits

pytestmark = pytest.mark.anyio

PAGE: dict[str, Any] = {"data": []}


def shown(metrics: Metrics) -> Mapping[str, str]:
    """The series of ours, by name with labels."""
    lines = metrics.text().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if line.startswith("billing_mcp_"))


def watched(*answers: object, timeout_s: float = 25) -> tuple[BillingServer, Metrics, Recorder]:
    """A server whose vendors are in the test's hands."""
    metrics = Metrics()
    server = BillingServer(Settings(), metrics)
    vendor = Recorder(*answers)
    server.tenant._connections["togai"] = Connection(
        Credential("http://vendor/togai", SecretStr(f"Bearer {TOKEN}")),
        timeout_s,
        128,
        application=vendor,
        sleep=Waits(),
        jitter=lambda: 1,
        observer=metrics,
    )
    return server, metrics, vendor


async def invoked(server: BillingServer, name: str, arguments: dict[str, Any]) -> Any:
    return await server.catalog.invoke(name, arguments, server.caller())


async def test_calls_are_counted_by_tool_and_by_how_they_ended() -> None:
    server, metrics, _ = watched(Says(PAGE), Says(PAGE), Says(status=404))
    async with connected(server) as client:
        for _ in range(2):
            facts(await client.call_tool("list-customers", {}))
        await client.call_tool("get-customer", {"customerId": "nobody"})
        await client.call_tool("get-customer", {"customer": "misspelt"})
        await client.call_tool("reveal-" + "x" * 100, {})
    series = shown(metrics)
    calls = {
        name: value for name, value in series.items() if name.startswith("billing_mcp_calls_t")
    }
    assert calls == {
        'billing_mcp_calls_total{outcome="ok",tool="list-customers"}': "2.0",
        'billing_mcp_calls_total{outcome="not-found",tool="get-customer"}': "1.0",
        'billing_mcp_calls_total{outcome="invalid-request",tool="get-customer"}': "1.0",
        # A name that a caller made up is no label.
        'billing_mcp_calls_total{outcome="not-found",tool="unknown"}': "1.0",
    }
    assert series["billing_mcp_calls_in_flight"] == "0.0"


async def test_vendor_requests_are_counted_by_outcome_and_repeated_ones_as_retries() -> None:
    answers = (Says(status=503), Says(status=429), ConnectionResetError(), Says(PAGE))
    server, metrics, vendor = watched(*answers)
    assert not (await invoked(server, "list-customers", {})).is_error
    assert len(vendor.requests) == 4
    series = shown(metrics)
    assert series['billing_mcp_upstream_requests_total{outcome="5xx",vendor="togai"}'] == "1.0"
    assert series['billing_mcp_upstream_requests_total{outcome="4xx",vendor="togai"}'] == "1.0"
    assert series['billing_mcp_upstream_requests_total{outcome="broken",vendor="togai"}'] == "1.0"
    assert series['billing_mcp_upstream_requests_total{outcome="2xx",vendor="togai"}'] == "1.0"
    assert series['billing_mcp_upstream_retries_total{vendor="togai"}'] == "3.0"


async def test_a_call_going_on_is_in_flight_and_one_nobody_waits_for_is_cancelled() -> None:
    server, metrics, vendor = watched(SILENCE)
    async with anyio.create_task_group() as group:
        group.start_soon(invoked, server, "list-customers", {})
        while not vendor.requests:
            await anyio.lowlevel.checkpoint()
        assert shown(metrics)["billing_mcp_calls_in_flight"] == "1.0"
        group.cancel_scope.cancel()
    series = shown(metrics)
    assert series["billing_mcp_calls_in_flight"] == "0.0"
    assert series['billing_mcp_calls_total{outcome="cancelled",tool="list-customers"}'] == "1.0"
    unanswered = 'billing_mcp_upstream_requests_total{outcome="cancelled",vendor="togai"}'
    assert series[unanswered] == "1.0"


async def test_a_vendor_that_never_answers_shows_as_a_cancelled_request_and_a_failed_call() -> None:
    server, metrics, _ = watched(SILENCE, timeout_s=0.01)
    assert (await invoked(server, "list-customers", {})).is_error
    series = shown(metrics)
    assert series['billing_mcp_calls_total{outcome="unavailable",tool="list-customers"}'] == "1.0"
    unanswered = 'billing_mcp_upstream_requests_total{outcome="cancelled",vendor="togai"}'
    assert series[unanswered] == "1.0"


def test_latency_falls_into_buckets() -> None:
    metrics = Metrics()
    for seconds in (0.00390625, 0.3125, 0.375):
        metrics.call_began("list-invoices")
        metrics.call_ended(Call("list-invoices", "acme", "desk", None, None, "ok", seconds))
    series = shown(metrics)
    assert series['billing_mcp_call_seconds_bucket{le="0.005",tool="list-invoices"}'] == "1.0"
    assert series['billing_mcp_call_seconds_bucket{le="0.25",tool="list-invoices"}'] == "1.0"
    assert series['billing_mcp_call_seconds_bucket{le="0.5",tool="list-invoices"}'] == "3.0"
    assert series['billing_mcp_call_seconds_count{tool="list-invoices"}'] == "3.0"
    assert series['billing_mcp_call_seconds_sum{tool="list-invoices"}'] == "0.69140625"


async def test_no_label_names_a_tenant_a_caller_an_operation_or_a_key() -> None:
    server, metrics, _ = watched(Says({"id": "acme-1"}))
    operation = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
    grant = {"accountId": "acme-1", "creditAmount": 5, "operationId": operation}
    await invoked(server, "grant-credit", grant | {"effectiveFrom": "2026-11-20"})
    text = metrics.text().decode()
    labels = set(re.findall(r"(\w+)=", text.replace("\\n", " ")))
    assert labels <= {"tool", "outcome", "vendor", "status", "le"}
    assert not [word for word in (operation, TOKEN, "acme", "local", "default") if word in text]


async def test_two_servers_in_a_process_count_for_themselves() -> None:
    one, other = Metrics(), Metrics()
    one.answered(200)
    assert 'billing_mcp_http_requests_total{status="200"}' in shown(one)
    assert 'billing_mcp_http_requests_total{status="200"}' not in shown(other)


@pytest.mark.parametrize(
    ("peer", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 403)],
)
async def test_metrics_are_for_this_machine_or_a_valid_token(peer: str, status: int) -> None:
    application = app(Settings())
    transport = httpx2.ASGITransport(application, client=(peer, 50_000))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        await http.get("/healthz")
        answer = await http.get("/metrics")
        assert answer.status_code == status
        if status == 200:
            assert answer.headers["content-type"].startswith("text/plain; version=")
            assert '\nbilling_mcp_http_requests_total{status="200"} 1.0\n' in answer.text
        else:
            assert "billing_mcp" not in answer.text
