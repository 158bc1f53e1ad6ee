"""The gate over HTTP: who gets in where, what the others are told, and as whom a call is made."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from billing_mcp.config import Settings
from billing_mcp.http import api_keys
from billing_mcp.http.app import app
from billing_mcp.http.auth import Authentication
from billing_mcp.http.routes import ROUTES
from hosted_asking import HOSTED, METADATA, asked, bearer, served
from issuer import ISSUER, JWKS_URL, NOW, PUBLIC_URL, Issuer
from rest_asking import problem_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_no_route_answers_without_a_token(hosted: httpx2.AsyncClient, route: Any) -> None:
    answer = await hosted.request(route.method, route.path)
    problem = problem_of(answer, 401, "not-permitted")
    assert problem["detail"] == "A token is needed: send Authorization: Bearer with one."
    assert answer.headers.get_list("www-authenticate") == [
        f'Bearer resource_metadata="{METADATA}", scope="billing:read"'
    ]


@pytest.mark.parametrize("method", ["server/discover", "tools/list", "initialize", "nonsense"])
async def test_no_message_is_read_without_a_token(hosted: httpx2.AsyncClient, method: str) -> None:
    answer = await asked(hosted, method, {})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        f'Bearer resource_metadata="{METADATA}/mcp", scope="billing:read"'
    )
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("verb", ["GET", "DELETE", "OPTIONS", "PUT", "HEAD"])
async def test_no_method_of_http_is_a_way_around(hosted: httpx2.AsyncClient, verb: str) -> None:
    for path in ("/mcp", "/v1/customers", "/", "/anything", "/mcp/", "/v1", "/metricss"):
        assert (await hosted.request(verb, path)).status_code == 401, path


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/v1/openapi.json",
        "/v1/docs",
        "/v1/problems/not-found",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
    ],
)
async def test_what_a_newcomer_reads_is_open(hosted: httpx2.AsyncClient, path: str) -> None:
    assert (await hosted.get(path)).status_code == 200
    # Not even looked at, so that a wrong token keeps nobody from reading how to get a right one.
    wrong = await hosted.get(path, headers={"authorization": "Bearer wrong"})
    assert wrong.status_code == 200


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/v1/docs", b"/v1/%64ocs"),
        ("/v1/problems/../customers", b"/v1/problems/..%2Fcustomers"),
        ("/v1/docs", b"/v1/customers"),
        ("/healthz", b"/v1/customers?/healthz"),
        ("//v1/docs", b"//v1/docs"),
        ("/V1/docs", b"/V1/docs"),
        ("/v1/docs/", b"/v1/docs/"),
        ("/v1/docs;/customers", b"/v1/docs;/customers"),
    ],
)
async def test_a_path_that_two_readers_might_read_differently_is_not_open(
    issuer: Issuer, path: str, raw: bytes
) -> None:
    application = app(HOSTED, authentication=issuer.authentication())
    told: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": raw,
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("192.0.2.7", 4242),
        "server": ("127.0.0.1", 9080),
    }
    await application(scope, receive, send)
    assert told[0]["status"] == 401


async def test_a_token_that_is_refused_is_told_why(
    issuer: Issuer, hosted: httpx2.AsyncClient
) -> None:
    headers = bearer(issuer, exp=issuer.clock.now - 100)
    said = "The token is refused: it has expired."
    answer = await hosted.get("/v1/customers", headers=headers)
    assert problem_of(answer, 401, "not-permitted")["detail"] == said
    assert answer.headers["www-authenticate"] == (
        f'Bearer resource_metadata="{METADATA}", error="invalid_token", '
        f'error_description="{said}", scope="billing:read"'
    )
    answer = await asked(hosted, "tools/list", headers)
    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_token", "error_description": said}


@pytest.mark.parametrize(
    "text",
    ["Bearer", "Bearer ", "Basic ZGVzazpzZWNyZXQ=", "bearer", "DPoP abc", "Token abc", "", "abc"],
)
async def test_what_is_no_bearer_token_is_as_good_as_none(
    hosted: httpx2.AsyncClient, text: str
) -> None:
    answer = await hosted.get("/v1/customers", headers={"authorization": text})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer resource_metadata=")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
async def test_the_scheme_may_be_written_in_any_case(
    issuer: Issuer, hosted: httpx2.AsyncClient, scheme: str
) -> None:
    headers = {"authorization": f"{scheme} {issuer.token()}"}
    assert (await hosted.get("/v1/customers", headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/mcp", "/v1/customers", "/metrics"])
async def test_a_token_in_the_query_is_refused_even_beside_a_good_header(
    issuer: Issuer, hosted: httpx2.AsyncClient, path: str
) -> None:
    for headers in ({}, bearer(issuer)):
        query = {"access_token": issuer.token()}
        answer = await hosted.get(path, params=query, headers=headers)
        assert answer.status_code == 400
        assert "A token in the URL is not accepted" in answer.text
        assert issuer.token() not in answer.text


async def test_two_authorization_headers_are_refused_even_if_both_are_good(
    issuer: Issuer, hosted: httpx2.AsyncClient
) -> None:
    twice = [("authorization", f"Bearer {issuer.token(sub=name)}") for name in ("a", "b")]
    for path in ("/mcp", "/v1/customers"):
        answer = await hosted.post(path, headers=twice, json={})
        assert answer.status_code == 400
        assert "more than one Authorization header" in answer.text


async def test_keys_that_cannot_be_fetched_are_not_the_callers_fault(
    issuer: Issuer, hosted: httpx2.AsyncClient
) -> None:
    issuer.answers[JWKS_URL] = lambda: httpx2.Response(500)
    answer = await hosted.get("/v1/customers", headers=bearer(issuer))
    assert problem_of(answer, 503, "unavailable")["retryAfterSeconds"] == 30
    answer = await asked(hosted, "tools/list", bearer(issuer))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert "www-authenticate" not in answer.headers


async def test_figures_are_for_whoever_has_a_token(
    issuer: Issuer, hosted: httpx2.AsyncClient
) -> None:
    assert (await hosted.get("/metrics")).status_code == 403
    assert (await hosted.get("/metrics", headers=bearer(issuer))).status_code == 200
    of_others = bearer(issuer, scope="openid")
    lacking = await hosted.get("/metrics", headers=of_others)
    assert lacking.json()["error"] == "insufficient_scope"
    wrong = bearer(issuer, exp=1)
    assert (await hosted.get("/metrics", headers=wrong)).status_code == 401


async def test_the_documents_say_where_tokens_come_from_letter_by_letter(
    hosted: httpx2.AsyncClient,
) -> None:
    for path, resource in (("", PUBLIC_URL), ("/mcp", f"{PUBLIC_URL}/mcp")):
        origin = {"origin": "http://localhost:6274"}
        answer = await hosted.get(f"/.well-known/oauth-protected-resource{path}", headers=origin)
        assert answer.json() == {
            "resource": resource,
            "authorization_servers": [ISSUER],
            "scopes_supported": ["billing:read", "billing:write", "billing:approve"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Billing",
        }
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_documents_of_a_server_below_a_path_are_where_rfc_9728_puts_them(
    issuer: Issuer,
) -> None:
    below = {"public_url": "https://example.test/billing", "auth_issuer": ISSUER}
    authentication = issuer.authentication(**below)
    document = "/.well-known/oauth-protected-resource/billing/mcp"
    async with served(Settings(**below), authentication) as http:  # type: ignore[arg-type]  # all text
        assert (await http.get(document)).json()["resource"] == "https://example.test/billing/mcp"
        answer = await asked(http, "tools/list", {})
    assert (
        f'resource_metadata="https://example.test{document}"'
        in (answer.headers["www-authenticate"])
    )


async def test_a_server_of_keys_alone_sends_nobody_looking_for_an_issuer(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    shown, key = api_keys.made("desk", ["billing:read"], None, NOW)
    api_keys.write(path, [key])
    settings = Settings(api_keys=path, public_url=PUBLIC_URL)
    async with served(settings, Authentication(settings)) as http:
        answer = await http.get("/v1/customers")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer scope="billing:read"'
        for document in ("", "/mcp"):
            found = await http.get(f"/.well-known/oauth-protected-resource{document}")
            assert found.status_code == 404
        headers = {"authorization": f"Bearer {shown}"}
        assert (await http.get("/v1/customers", headers=headers)).status_code == 200
        lacking = await http.post("/v1/customers", headers=headers, json={})
        assert lacking.headers["www-authenticate"] == (
            'Bearer error="insufficient_scope", scope="billing:write"'
        )
