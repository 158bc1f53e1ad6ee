"""Refusals from before the routes: under /v1 problem documents, elsewhere what they always were."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from billing_mcp.config import Settings
from billing_mcp.http.app import BODY_LIMIT_BYTES, app
from billing_mcp.http.openapi import document
from billing_mcp.http.rest import RestFace
from billing_mcp.http.routes import ROUTES
from billing_mcp.server import BillingServer
from rest_asking import CREDITS, JSON, problem_of
from world import open_world

pytestmark = pytest.mark.anyio

# Of routes, of what describes them, and of nothing.
UNDER_V1 = ("/v1", "/v1/customers", CREDITS, "/v1/openapi.json", "/v1/docs", "/v1/nothing")


@asynccontextmanager
async def asking_the_app(server: BillingServer | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    """The whole app; what crashes in it is answered and not raised."""
    transport = httpx2.ASGITransport(app(Settings(), server), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        yield http


@pytest.mark.parametrize("path", UNDER_V1)
@pytest.mark.parametrize("method", ["GET", "POST", "TRACE"])
async def test_a_foreign_host_is_a_problem_that_names_the_setting(path: str, method: str) -> None:
    async with asking_the_app() as http:
        answer = await http.request(method, path, headers={"host": "billing.example"})
    problem = problem_of(answer, 421, "not-permitted")
    assert problem["type"] == "/v1/problems/misdirected-request"
    assert problem["detail"] == "Host billing.example is not served here."
    assert problem["next"] == ("Whoever runs this server can add it to BILLING_MCP_ALLOWED_HOSTS.")


async def test_a_request_without_a_host_is_a_problem() -> None:
    async with asking_the_app() as http:
        answer = await http.get("/v1/customers", headers={"host": ""})
    problem = problem_of(answer, 421, "not-permitted")
    assert problem["detail"] == "A request without Host is not served."
    assert "next" not in problem


@pytest.mark.parametrize("path", UNDER_V1)
@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1@evil.example"])
async def test_a_foreign_or_malformed_origin_is_a_problem_that_names_the_setting(
    path: str, origin: str
) -> None:
    async with asking_the_app() as http:
        answer = await http.get(path, headers={"origin": origin})
    problem = problem_of(answer, 403, "not-permitted")
    assert problem["detail"] == f"Origin {origin} is not served here."
    assert problem["next"] == (
        "Whoever runs this server can add it to BILLING_MCP_ALLOWED_ORIGINS."
    )


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    """A body that does not say how large it will be."""
    for begin in range(0, size, 65_536):
        yield b" " * min(65_536, size - begin)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(("method", "path"), [("POST", CREDITS), ("GET", "/v1/customers")])
async def test_a_body_that_is_too_large_is_a_problem_and_reaches_nothing(
    server: BillingServer, declared: bool, method: str, path: str
) -> None:
    world = open_world(server)
    size = BODY_LIMIT_BYTES + 1
    content = b" " * size if declared else in_pieces(size)
    async with asking_the_app(server) as http:
        answer = await http.request(method, path, content=content, headers=JSON)
    problem = problem_of(answer, 413, "invalid-request")
    assert problem["type"] == "/v1/problems/content-too-large"
    assert problem["detail"] == "The body is above 4,194,304 bytes."
    assert world.effects("credit") == []


async def test_the_largest_body_that_may_come_is_read(server: BillingServer) -> None:
    open_world(server)
    async with asking_the_app(server) as http:
        answer = await http.post(CREDITS, content=in_pieces(BODY_LIMIT_BYTES), headers=JSON)
    assert "not JSON" in problem_of(answer, 400, "invalid-request")["detail"]


async def test_a_body_that_is_too_large_is_text_elsewhere() -> None:
    async with asking_the_app() as http:
        large = in_pieces(BODY_LIMIT_BYTES + 1)
        answer = await http.post("/mcp", content=large, headers=JSON)
    assert (answer.status_code, answer.text) == (413, "Request body too large")


async def test_a_crash_is_a_problem_that_says_nothing_of_its_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def crash(*_: object) -> None:
        raise RuntimeError("innards")

    monkeypatch.setattr(RestFace, "__call__", crash)
    async with asking_the_app() as http:
        answer = await http.get("/v1/customers")
    problem = problem_of(answer, 500, "unavailable")
    assert problem["type"] == "/v1/problems/internal-error"
    assert "innards" not in answer.text


async def test_a_crash_elsewhere_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("innards")

    monkeypatch.setattr("billing_mcp.http.metrics.Metrics.text", crash, raising=True)
    async with asking_the_app() as http:
        answer = await http.get("/metrics")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


@pytest.mark.parametrize("path", UNDER_V1)
@pytest.mark.parametrize("method", ["PUT", "TRACE", "CONNECT", "PROPFIND"])
async def test_a_method_that_a_path_has_not_is_a_problem(path: str, method: str) -> None:
    async with asking_the_app() as http:
        answer = await http.request(method, path)
    status = 404 if path in ("/v1", "/v1/nothing") else 405
    problem_of(answer, status, "not-found" if status == 404 else "invalid-request")


def test_each_refusal_from_before_the_routes_is_described_at_each_of_them() -> None:
    described = document(BillingServer(Settings()).catalog)
    for route in ROUTES:
        answers = described["paths"][route.path][route.method.lower()]["responses"]
        for status, name in (
            ("403", "not-permitted"),
            ("408", "request-timeout"),
            ("413", "content-too-large"),
            ("421", "misdirected-request"),
            ("500", "internal-error"),
        ):
            assert answers[status] == {"$ref": f"#/components/responses/{name}"}
