"""Line ends and other syntax in everything a caller can name: no header, path or line of a log."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from billing_mcp import tools
from billing_mcp.config import Settings
from billing_mcp.credentials import SettingsError
from billing_mcp.http import api_keys
from billing_mcp.http.routes import ROUTES
from billing_mcp.logs import JsonLines, Redaction
from billing_mcp.server import BillingServer
from good_calls import good_calls
from hosted_asking import asked
from recording import Recorder, Request, Says
from security.doors import SCHEMAS, Shares, in_shares, legacy, refusal_of
from security.estate import Estate, live
from world import open_world

pytestmark = pytest.mark.anyio

SYNTAX = (
    "a\r\nX-Evil: 1",
    "a\nb",
    "a\x00b",
    "..",
    "../customers",
    "a/../../b",
    "a/b",
    "a\\..\\b",
    "a?evil=1",
    "a&evil=1",
    "a#b",
    "a%2F..%2Fb",
    "a%0d%0aX-Evil:%201",
    "a;evil=1",
    "a b",
    "ä/ö",
    "\u2028a",
)
NOTHING = Says({"message": "no such thing"}, 404)


def ids_of(tool: str) -> list[str]:
    """The arguments of a tool that are one text and name something."""
    named = SCHEMAS[tool]["inputSchema"]["properties"]
    return [
        name
        for name, schema in named.items()
        if schema.get("type") == "string" and (name.endswith(("Id", "Token", "Name", "search")))
    ]


def takers_of(names: Iterable[str]) -> dict[str, list[str]]:
    """The tools that take an argument of each name."""
    found: dict[str, list[str]] = {}
    for tool in names:
        for name in ids_of(tool):
            # A runner's `name` is the tool that it runs.
            if not tool.startswith("run-") and name != "operationId":
                found.setdefault(name, []).append(tool)
    return found


def values(shares: Shares, place: int, takers: int) -> Sequence[str]:
    """What one of several tools that take an argument is given: together they are given all."""
    if takers >= len(SYNTAX) and not shares.whole:
        return [SYNTAX[place % len(SYNTAX)]]
    return shares.of(SYNTAX, place, takers)


def shape(request: Request) -> tuple[str, int, list[str], list[str]]:
    """What of a request must not change, whatever a value is."""
    url = urlsplit(request.target)
    headers = sorted(set(request.headers) - {"content-length", "content-type"})
    names = sorted(name for name, _ in parse_qsl(url.query, keep_blank_values=True))
    return request.method, url.path.count("/"), names, headers


@in_shares
async def test_no_value_becomes_a_header_another_path_or_a_parameter(shares: Shares) -> None:
    recorder = Recorder(NOTHING)
    async with live(recorder) as estate:
        headers = estate.headers("acme")
        calls = good_calls(open_world(BillingServer(Settings())))
        tried = Counter[str]()
        sent = 0
        for name, takers in takers_of(tools.MODULES).items():
            for place, tool in enumerate(takers):
                # orgId and others that a good call leaves out are given as well.
                plain = {**calls[tool], name: "plain"}
                good = await _sent(estate, recorder, headers, tool, plain)
                for value in values(shares, place, len(takers)):
                    call = {**calls[tool], name: value}
                    for request in await _sent(estate, recorder, headers, tool, call):
                        assert shape(request) in [shape(one) for one in good], (tool, call)
                        assert "x-evil" not in request.headers
                        assert "evil" not in dict(parse_qsl(urlsplit(request.target).query))
                        assert request.headers["authorization"].endswith("-key-of-acme")
                        sent += 1
                    tried[name] += 1
        assert min(tried.values()) >= len(SYNTAX)
        assert tried.total() > 400
        assert sent > 100


async def _sent(
    estate: Estate, recorder: Recorder, headers: dict[str, str], tool: str, arguments: Any
) -> list[Request]:
    before = len(recorder.requests)
    call = {"name": tool, "arguments": arguments}
    answer = await legacy(estate.http, "tools/call", headers, **call)
    assert answer.status_code == 200
    assert refusal_of(answer) != "json-rpc"
    return recorder.requests[before:]


@pytest.mark.parametrize("value", ["a%0d%0aX-Evil:%201", "..%2F..%2Fcustomers", "%2e%2e", "a%00b"])
async def test_no_path_of_the_rest_face_becomes_another_one_of_the_vendors(value: str) -> None:
    recorder = Recorder(NOTHING)
    async with live(recorder) as estate:
        for route in ROUTES:
            path = route.path
            for name in route.parameters:
                path = path.replace(f"{{{name}}}", value)
            body: dict[str, str] | None = {} if route.takes_body else None
            headers = estate.headers("acme")
            answer = await estate.http.request(route.method, path, headers=headers, json=body)
            assert answer.status_code in (400, 404), (route.path, answer.text)
            assert "x-evil" not in answer.headers
        for request in recorder.requests:
            assert "x-evil" not in request.headers
            assert ".." not in urlsplit(request.target).path.split("/")


@pytest.fixture
def written() -> Iterator[StringIO]:
    """The log as it would stand on stderr."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(Redaction()))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


EVIL = (
    b"a\r\nx-evil: 1",
    b"a\nx-evil: 1",
    b'a","principal":"admin',
    b"\x1b[2Jgone",
    b"\xe2\x80\xa8a",
    b"x" * 100_000,
)


@pytest.mark.parametrize("value", EVIL, ids=range(len(EVIL)))
@pytest.mark.parametrize("header", ["x-request-id", "traceparent", "mcp-name", "mcp-method"])
async def test_a_header_of_a_request_forges_neither_an_answer_nor_a_line_of_the_log(
    header: str, value: bytes, written: StringIO
) -> None:
    async with live(Recorder(NOTHING)) as estate:
        headers = estate.headers("acme")
        raw = [
            *((name.encode(), text.encode()) for name, text in headers.items()),
            (header.encode(), value),
        ]
        answer = await estate.http.get("/v1/customers", headers=raw)
        assert answer.status_code == 404
        assert "x-evil" not in answer.headers
        assert value.decode("latin-1") not in answer.headers.values()
    for line in written.getvalue().splitlines():
        found = json.loads(line)
        assert found.get("principal") != "admin"
        assert "\x1b" not in line
        assert len(line) < 10_000


NO_UUIDS = ("a\r\nX-Evil: 1", "not-a-uuid", "{6f1c1f6e}", "", "1' or '1", "6" * 100_000)


@in_shares
@pytest.mark.parametrize("value", NO_UUIDS, ids=range(len(NO_UUIDS)))
async def test_an_operation_id_is_a_uuid_or_nothing_is_sent(value: str, shares: Shares) -> None:
    recorder = Recorder(NOTHING)
    async with live(recorder) as estate:
        headers = estate.headers("acme")
        calls = good_calls(open_world(BillingServer(Settings())))
        writing = [
            tool
            for tool in tools.MODULES
            if "operationId" in SCHEMAS[tool]["inputSchema"]["properties"]
        ]
        for tool in shares.of(writing, NO_UUIDS.index(value), len(NO_UUIDS)):
            call = {"name": tool, "arguments": {**calls[tool], "operationId": value}}
            answer = await asked(estate.http, "tools/call", headers, **call)
            assert refusal_of(answer) == "invalid-request", tool
        for route in ROUTES:
            if "operationId" in SCHEMAS[route.tool]["inputSchema"]["properties"]:
                path = route.path.replace("{", "").replace("}", "")
                keyed = headers | {"idempotency-key": value.replace("\r\n", " ")}
                answer = await estate.http.request(route.method, path, headers=keyed)
                assert answer.status_code == 400, (route, answer.text)
    assert recorder.requests == []


@pytest.mark.parametrize("name", ["desk\r\nX-Evil: 1", "desk\n", "-rf", "../desk", "", "ä", "a b"])
def test_an_api_key_has_no_name_that_could_be_anything_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / "keys.json"
    kept = {
        "name": name,
        "sha256": "0" * 64,
        "prefix": "bmk_abcdefgh",
        "scopes": ["billing:read"],
        "created": "2026-11-21T12:00:00Z",
    }
    path.write_text(json.dumps({"version": 1, "keys": [kept]}))
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=r"at keys\.0\.name"):
        api_keys.read(path)


@pytest.mark.parametrize("claim", ["sub", "client_id", "tenant"])
@pytest.mark.parametrize(
    "value", ["a\r\nX-Evil: 1", "a\x1b[2J", "a\u2028b", "", "x" * 256, 7, ["a"]]
)
async def test_a_token_has_no_names_that_could_be_anything_else(claim: str, value: Any) -> None:
    async with live(Recorder(NOTHING)) as estate:
        headers = estate.headers("acme", **({claim: value} if claim != "tenant" else {}))
        if claim == "tenant":
            token = estate.issuer.token(tenant=value)
            headers = {"authorization": f"Bearer {token}"}
        answer = await estate.http.get("/v1/customers", headers=headers)
        assert answer.status_code == 401
        assert "x-evil" not in answer.headers
        assert estate.vendors["acme"].asked == []
