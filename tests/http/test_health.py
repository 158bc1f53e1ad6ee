"""Whether the process lives, and whether it can reach the vendors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from pydantic import SecretStr

from billing_mcp.config import Settings
from billing_mcp.connection import Connection
from billing_mcp.credentials import Credential, TenantSettings, Vendor
from billing_mcp.http import health
from billing_mcp.http.app import app
from billing_mcp.http.health import FRESH_S, Readiness
from billing_mcp.http.metrics import Metrics
from billing_mcp.server import BillingServer
from recording import SILENCE, Recorder, Says, Waits

pytestmark = pytest.mark.anyio

KEY = SecretStr("Bearer acme-secret-key")
TOGAI = Credential("http://vendor/togai", KEY)
SUGER = Credential("http://vendor/suger", KEY)
PAGE = Says({"data": []})
DOWN = Says(status=501)  # a refusal that is not repeated, so that each probe is one request


class Clock:
    def __init__(self) -> None:
        self.now = 500.0

    def __call__(self) -> float:
        return self.now


def made(*tenants: TenantSettings) -> BillingServer:
    return BillingServer(Settings(tenants=tenants))


def answered_by(server: BillingServer, tenant: str, vendor: Vendor, *answers: object) -> Recorder:
    recorder = Recorder(*answers)
    server.tenants[tenant]._connections[vendor] = Connection(
        TOGAI, 25, 128, application=recorder, sleep=Waits(), jitter=lambda: 1
    )
    return recorder


@asynccontextmanager
async def asking(readiness: Readiness) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the three routes alone."""
    from starlette.applications import Starlette

    application = Starlette(routes=health.routes(Metrics(), readiness))
    transport = httpx2.ASGITransport(application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://10.0.0.9") as http:
        yield http


async def asked(readiness: Readiness) -> tuple[int, dict[str, Any]]:
    async with asking(readiness) as http:
        answer = await http.get("/readyz")
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()


async def test_the_process_says_that_it_lives_whatever_the_vendors_do() -> None:
    server = made(TenantSettings("acme", togai=TOGAI))
    vendor = answered_by(server, "acme", "togai", SILENCE)
    async with asking(Readiness(server)) as http:
        answer = await http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert vendor.requests == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_come_by_address_and_are_not_limited(path: str) -> None:
    application = app(Settings(rate_limit=1))
    transport = httpx2.ASGITransport(application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://10.0.0.9:9080") as http:
        assert [(await http.get(path)).status_code for _ in range(3)] == [200, 200, 200]
        assert (await http.get("/metrics")).status_code == 421


async def test_a_server_on_the_sandbox_is_ready() -> None:
    status, said = await asked(Readiness(made(TenantSettings("default"))))
    assert status == 200
    both = {"state": "ok", "tenants": 1, "reachable": 1}
    assert said == {"ready": True, "vendors": {"togai": both, "suger": both}}


async def test_it_is_ready_when_its_vendor_answers_and_asks_with_one_cheap_read() -> None:
    server = made(TenantSettings("acme", togai=TOGAI))
    vendor = answered_by(server, "acme", "togai", PAGE)
    status, said = await asked(Readiness(server))
    assert (status, said["vendors"].keys()) == (200, {"togai"})
    assert [request.target for request in vendor.requests] == ["/togai/customers?pageSize=1"]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (DOWN, "refused"),
        (Says(status=401), "refused"),
        (Says(status=403), "refused"),
        (OSError("no route"), "unreachable"),
        (Says(status=503), "unreachable"),
        (Says(b"<html>"), "unreachable"),
    ],
)
async def test_it_is_not_ready_when_its_only_vendor_refuses_or_is_down(
    answer: object, state: str
) -> None:
    server = made(TenantSettings("acme", togai=TOGAI))
    answered_by(server, "acme", "togai", answer)
    status, said = await asked(Readiness(server))
    assert status == 503
    assert said == {
        "ready": False,
        "vendors": {"togai": {"state": state, "tenants": 1, "reachable": 0}},
    }


async def test_a_vendor_that_limits_our_rate_is_there() -> None:
    server = made(TenantSettings("acme", togai=TOGAI))
    answered_by(server, "acme", "togai", Says(status=429, headers={"retry-after": "3600"}))
    assert (await asked(Readiness(server)))[0] == 200


async def test_one_tenants_bad_key_does_not_take_the_server_from_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = made(TenantSettings("acme", togai=TOGAI), TenantSettings("harbor", togai=TOGAI))
    answered_by(server, "acme", "togai", Says(status=401))
    answered_by(server, "harbor", "togai", PAGE)
    async with asking(Readiness(server)) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["vendors"]["togai"] == {"state": "ok", "tenants": 2, "reachable": 1}
    # Who it is, only the log says, and never with what key.
    assert "acme" not in answer.text
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("Tenant acme: Togai ")
    assert "acme-secret-key" not in line


async def test_each_vendor_must_be_reachable() -> None:
    server = made(TenantSettings("acme", togai=TOGAI, suger=SUGER, org_id="org-1"))
    answered_by(server, "acme", "togai", PAGE)
    suger = answered_by(server, "acme", "suger", Says(status=403))
    status, said = await asked(Readiness(server))
    assert (status, said["vendors"]["togai"]["state"]) == (503, "ok")
    assert said["vendors"]["suger"]["state"] == "refused"
    assert [r.target for r in suger.requests] == ["/togai/org/org-1/usageMeteringConfigInfo"]


async def test_vendors_are_asked_at_most_once_in_half_a_minute() -> None:
    server = made(TenantSettings("acme", togai=TOGAI))
    vendor = answered_by(server, "acme", "togai", Says(status=401), PAGE)
    clock = Clock()
    readiness = Readiness(server, clock)
    assert [(await asked(readiness))[0] for _ in range(3)] == [503, 503, 503]
    clock.now += FRESH_S - 0.5
    assert (await asked(readiness))[0] == 503
    assert len(vendor.requests) == 1
    clock.now += 0.5
    assert (await asked(readiness))[0] == 200
    assert len(vendor.requests) == 2


async def test_many_who_ask_at_once_share_one_question() -> None:
    server = made(TenantSettings("acme", togai=TOGAI))
    vendor = answered_by(server, "acme", "togai", PAGE)
    readiness = Readiness(server)
    async with asking(readiness) as http, anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(http.get, "/readyz")
    assert len(vendor.requests) == 1


async def test_a_vendor_that_never_answers_is_given_up_at_the_probes_own_deadline() -> None:
    server = made(TenantSettings("acme", togai=TOGAI))
    answered_by(server, "acme", "togai", SILENCE)
    status, said = await asked(Readiness(server, deadline_s=0.01))
    assert (status, said["vendors"]["togai"]["state"]) == (503, "unreachable")


async def test_a_tenants_excluded_tools_do_not_make_the_server_unready() -> None:
    server = made(TenantSettings("acme", togai=TOGAI, exclude_tools=("list-customers",)))
    answered_by(server, "acme", "togai", PAGE)
    assert (await asked(Readiness(server)))[0] == 200
