"""What the REST face takes for a request and what it refuses, from the path to the body."""

import json
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from billing_mcp.http.rest import routes
from billing_mcp.server import BillingServer
from rest_asking import CREDITS, GRANT, JSON, problem_of
from world import World, open_world

pytestmark = pytest.mark.anyio


async def test_the_end_of_a_line_is_part_of_an_id_too(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/customers/%0A")
    document = problem_of(answer, 400, "invalid-request")
    assert document["detail"].startswith("customerId must be text on one line")


async def test_a_path_that_is_not_utf_8_is_refused(http: httpx2.AsyncClient) -> None:
    document = problem_of(await http.get("/v1/customers/%FF"), 400, "invalid-request")
    assert document["field"] == "customerId"


@pytest.mark.parametrize("id_", [".", "..", "%2E%2E"])
async def test_an_id_of_dots_cannot_become_another_path(server: BillingServer, id_: str) -> None:
    """Sent by hand: clients resolve dots themselves."""
    world = open_world(server)
    before = world.effects("credit")
    messages: list[Any] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/customers/..",
        "raw_path": f"/v1/customers/{id_}".encode(),
        "query_string": b"",
        "headers": [],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await Starlette(routes=routes(server))(scope, receive, send)
    assert messages[0]["status"] == 400
    assert json.loads(messages[1]["body"])["kind"] == "invalid-request"
    assert world.effects("credit") == before


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"", {}, 400, "The body is empty."),
        (b"", JSON, 400, "The body is empty."),
        (b"{", JSON, 400, "The body is not JSON in UTF-8"),
        (b"[" * 100_000, JSON, 400, "nested too deeply"),
        (b'{"creditAmount": NaN}', JSON, 400, "NaN is not a JSON number"),
        ('{"purpose": "é"}'.encode("latin-1"), JSON, 400, "The body is not JSON in UTF-8"),
        ("{}".encode("utf-16"), JSON, 400, "The body is not JSON in UTF-8"),
        (b"[]", JSON, 400, "must be a JSON object"),
        (b"null", JSON, 400, "must be a JSON object"),
        (b"{}", JSON, 400, "creditAmount is required"),
        (b"{}", {}, 415, "Content-Type is missing"),
        (b"{}", {"content-type": "text/plain"}, 415, "Content-Type is text/plain"),
        (b"{}", {"content-type": "application/json; charset=latin-1"}, 415, "latin-1"),
        (b"{}", JSON | {"content-encoding": "gzip"}, 415, "Content-Encoding is gzip"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused_and_says_why(
    http: httpx2.AsyncClient,
    world: World,
    body: bytes,
    headers: dict[str, str],
    status: int,
    says: str,
) -> None:
    answer = await http.post(CREDITS, content=body, headers=headers)
    document = problem_of(answer, status, "invalid-request")
    assert says in document["detail"]
    assert world.effects("credit") == []
    if status == 415:
        assert answer.headers["accept"] == "application/json"


async def test_json_with_a_charset_of_utf_8_is_taken(http: httpx2.AsyncClient) -> None:
    headers = {"content-type": 'Application/JSON; charset="UTF-8"'}
    answer = await http.post(CREDITS, content=json.dumps(GRANT), headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("request_", "field", "says"),
    [
        (("GET", "/v1/customers?serch=harbor", None), "serch", "did you mean search?"),
        (("GET", "/v1/customers?search[]=a", None), "search[]", "did you mean search?"),
        (("GET", "/v1/customers?(=a", None), "(", 'no argument "("'),
        (("GET", "/v1/customers?=a", None), None, 'no argument ""'),
        (("GET", "/v1/customers?detail=full", None), "detail", "always answers in full"),
        (("GET", "/v1/customers?search=a&search=b", None), "search", "more than once"),
        (("GET", "/v1/customers?search=%FF", None), None, "query cannot be read"),
        (("GET", "/v1/customers?" + "a=1&" * 51, None), None, "query cannot be read"),
        (("GET", f"{CREDITS}?accountId=harbor-test", None), "accountId", "stands in the path"),
        (("GET", "/v1/customers", {}), None, "takes no body"),
        (("POST", CREDITS, GRANT | {"purpos": "x"}), "purpos", "did you mean purpose?"),
        (("POST", CREDITS, GRANT | {"accountId": "harbor-main"}), "accountId", "in the path"),
        (("POST", f"{CREDITS}?purpose=x", GRANT), "purpose", "is a field of the JSON body"),
        (("POST", "/v1/price-plans", {"detail": "full"}), "detail", "always answers in full"),
        (("POST", "/v1/entitled?body=x", {}), "body", "the JSON body itself"),
        (
            ("PATCH", "/v1/org/sandbox/billablemetric/nodes", {"descripton": "Nodes"}),
            "body.descripton",
            "did you mean description?",
        ),
    ],
)
async def test_an_argument_that_is_unknown_or_out_of_place_is_refused_by_name(
    http: httpx2.AsyncClient,
    world: World,
    request_: tuple[str, str, Any],
    field: str | None,
    says: str,
) -> None:
    method, url, body = request_
    content = None if body is None else json.dumps(body)
    answer = await http.request(method, url, content=content, headers=JSON)
    document = problem_of(answer, 400, "invalid-request")
    assert document.get("field") == field
    assert says in document["detail"]
    assert "Nothing was sent" in document["next"] or field is None
    assert document["environment"] == "sandbox"
    assert world.effects("credit") == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/custmers",
        "/v1/customers/",
        "/v1/customers//accounts",
        "/v1%2Fcustomers",
        "/v1/org/sandbox/billableMetric",
        "/v1/problems/none",
        "/v1/%0A",
    ],
)
async def test_a_path_that_is_no_route_answers_404_and_says_where_they_are(
    http: httpx2.AsyncClient, path: str
) -> None:
    document = problem_of(await http.get(path), 404, "not-found")
    assert "/v1/openapi.json" in document["next"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/customers", "GET, POST, HEAD, OPTIONS"),
        ("TRACE", "/v1/events", "POST, OPTIONS"),
        ("HEAD", "/v1/events", "POST, OPTIONS"),
        ("POST", "/v1/docs", "GET, HEAD, OPTIONS"),
        ("BREW", "/v1/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_method_that_a_path_has_not_answers_405_with_those_it_has(
    http: httpx2.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    if method != "HEAD":
        problem_of(answer, 405, "invalid-request")


async def test_head_answers_as_get_without_the_body(http: httpx2.AsyncClient) -> None:
    got = await http.get("/v1/customers")
    head = await http.head("/v1/customers")
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(got.content))
    assert head.content == b""


async def test_options_names_the_methods_and_no_foreign_page_may_read_anything(
    http: httpx2.AsyncClient,
) -> None:
    preflight = {"origin": "https://else.example", "access-control-request-method": "POST"}
    answer = await http.options(CREDITS, headers=preflight)
    assert answer.status_code == 204
    assert answer.headers["allow"] == "GET, POST, HEAD, OPTIONS"
    got = await http.get(CREDITS, headers=preflight)
    for headers in (answer.headers, got.headers):
        assert not [name for name in headers if name.startswith("access-control-")]


async def test_whatever_is_accepted_the_answer_is_json(http: httpx2.AsyncClient) -> None:
    """RFC 9110 12.5.1 lets a server disregard what it cannot give."""
    answer = await http.get("/v1/customers", headers={"accept": "text/csv"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
