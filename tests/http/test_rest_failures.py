"""Failures over REST: each kind with its status, as a problem document that teaches."""

from typing import Any

import httpx2
import pytest
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.applications import Starlette

from billing_mcp.config import from_environ
from billing_mcp.errors import BillingError
from billing_mcp.http.problems import PATH, TYPES
from billing_mcp.http.rest import routes
from billing_mcp.http.routes import ROUTES, RestRoute
from billing_mcp.server import BillingServer
from good_calls import good_calls
from recording import SILENCE, Recorder, Says, attach
from rest_asking import CREDITS, JSON, ORG, approved, asking, problem_of, request_of
from world import OPERATION, World, open_world

pytestmark = pytest.mark.anyio


def granted(*scopes: str, tenant: str | None = None) -> AuthenticatedUser:
    """The holder of a token, as the layer that checks tokens leaves it for this one."""
    return AuthenticatedUser(
        AccessToken(
            token="opaque",
            client_id="support-desk",
            scopes=list(scopes),
            claims={"tenant": tenant, "principal": "desk@issuer.example"},
        )
    )


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
async def test_a_token_without_the_scope_of_a_route_is_told_which_it_needs(
    http: httpx2.AsyncClient, server: BillingServer, world: World, route: RestRoute
) -> None:
    reads = server.catalog.schema(route.tool)["annotations"]["readOnlyHint"]
    arguments = good_calls(world)[route.tool]
    if "orgid" in route.parameters:
        arguments = arguments | ORG
    request = request_of(server, route, arguments)
    poorer, needed = ("other:scope", "billing:read") if reads else ("billing:read", "billing:write")
    for scope, status in ((poorer, 403), (needed, 200)):
        before = auth_context_var.set(granted(scope))
        try:
            answer = await approved(http, server, request)
        finally:
            auth_context_var.reset(before)
        assert answer.status_code == status, answer.text
        challenge = answer.headers.get("www-authenticate")
        if status == 403:
            problem_of(answer, 403, "not-permitted")
            assert challenge == f'Bearer error="insufficient_scope", scope="{needed}"'
        else:
            assert challenge is None


async def test_a_token_of_no_tenant_of_this_server_is_refused(http: httpx2.AsyncClient) -> None:
    before = auth_context_var.set(granted("billing:read", tenant="nobody"))
    try:
        answer = await http.get("/v1/customers")
    finally:
        auth_context_var.reset(before)
    assert "tenant" in problem_of(answer, 403, "not-permitted")["detail"]


@pytest.mark.parametrize(
    ("method", "answer", "status", "kind"),
    [
        ("GET", Says({"message": "what?"}, 400), 400, "invalid-request"),
        ("GET", Says({"message": "not yours"}, 403), 403, "not-permitted"),
        ("GET", Says({"message": "no such account"}, 404), 404, "not-found"),
        ("POST", Says({"message": "taken"}, 409), 409, "conflict"),
        ("GET", Says({"message": "slow"}, 429, {"Retry-After": "61"}), 429, "rate-limited"),
        ("GET", Says({"message": "down"}, 503), 503, "unavailable"),
        ("GET", Says(b"<html>"), 503, "unavailable"),
    ],
)
async def test_a_failure_of_the_vendor_is_a_problem_of_its_kind(
    server: BillingServer, method: str, answer: Says, status: int, kind: str
) -> None:
    attach(server, Recorder(answer))
    body = {"id": "new", "name": "New Account"} if method == "POST" else None
    async with asking(server) as http:
        failed = await http.request(method, "/v1/customers/acme/accounts", json=body)
    document = problem_of(failed, status, kind)
    assert document["environment"] == "sandbox"
    assert document["title"]
    assert ("operationId" in document) == (method == "POST")
    if status == 429:
        assert failed.headers["retry-after"] == "61"
        assert document["retryAfterSeconds"] == 61


async def test_a_write_whose_answer_was_lost_is_504_with_its_operation(
    server: BillingServer,
) -> None:
    attach(server, Recorder(SILENCE), timeout_s=0.05)
    body = {"id": "new", "name": "New Account"}
    headers = {"Idempotency-Key": OPERATION}
    async with asking(server) as http:
        lost = await http.post("/v1/customers/acme/accounts", json=body, headers=headers)
    document = problem_of(lost, 504, "outcome-unknown")
    assert document["operationId"] == OPERATION
    assert "list-accounts" in document["next"]


async def test_a_vendor_without_a_key_is_501_and_names_the_setting() -> None:
    server = BillingServer(from_environ({"TOGAI_API_KEY": "togai-key"}, {}))
    async with asking(server) as http:
        answer = await http.get("/v1/org/any/billablemetric")
    document = problem_of(answer, 501, "not-configured")
    assert "SUGER_API_KEY" in document["next"]


async def test_nothing_is_answered_to_somebody_who_left_before_the_end_of_the_body(
    server: BillingServer, world: World
) -> None:
    sent: list[Any] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": CREDITS,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await Starlette(routes=routes(server))(scope, receive, send)
    assert sent == []
    assert world.effects("credit") == []


def test_every_kind_of_error_has_a_type_of_problem_with_its_status() -> None:
    kinds = {kind.kind: kind.status for kind in BillingError.__subclasses__()}
    assert {name: TYPES[name].status for name in kinds} == kinds
    assert {kind.kind for kind in TYPES.values()} == set(kinds)


@pytest.mark.parametrize("name", TYPES)
async def test_the_type_of_a_problem_leads_to_a_page_that_explains_it(
    http: httpx2.AsyncClient, name: str
) -> None:
    page = await http.get(f"{PATH}{name}")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/plain; charset=utf-8"
    assert page.text.startswith(TYPES[name].title)
    assert f"HTTP {TYPES[name].status}" in page.text


async def test_a_tool_that_is_not_served_is_403_whatever_the_body_is() -> None:
    server = BillingServer(from_environ({}, {"read_only": "true"}))
    world = open_world(server)
    async with asking(server) as http:
        answer = await http.post(CREDITS, content=b"{", headers=JSON)
        assert (await http.get(CREDITS)).status_code == 200
    document = problem_of(answer, 403, "not-permitted")
    assert "read-only" in document["detail"]
    assert "www-authenticate" not in answer.headers
    assert world.effects("credit") == []
