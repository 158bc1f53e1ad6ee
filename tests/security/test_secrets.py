"""A key or a token in an answer, a figure or a log: all kinds of traffic, then a search for it."""

import json
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from billing_mcp.config import Settings
from billing_mcp.declarations import Declaration
from billing_mcp.http.access import SECRET_TYPES
from billing_mcp.logs import JsonLines, Redaction, secrets_of
from billing_mcp.resources.library import COLLECTIONS
from billing_mcp.server import BillingServer
from good_calls import good_calls
from hosted_asking import asked
from http_processes import serving
from issuer import Issuer, published, rsa_key
from kept_secrets import planted_in
from processes import run
from recording import Granting, Says, Waits
from security.doors import LISTS, Ways, doors, each_way, legacy, refusal_of
from security.estate import VENDORS, Estate, live
from world import open_world

pytestmark = pytest.mark.anyio

STATUSES = (200, 302, 400, 401, 403, 404, 409, 422, 429, 500, 501, 503)


def echoed(authorization: str, number: int) -> Says:
    """What a careless vendor answers: the key in the shapes that its errors have."""
    key = authorization.split(" ", 1)[1]
    said = f"key {key} of {authorization} is not good enough"
    status = STATUSES[number % len(STATUSES)]
    bodies: tuple[Any, ...] = (
        {"message": said},
        {"error": said, "detail": authorization},
        said,
        f"<html>{said}</html>".encode(),
        [said],
    )
    body = {} if status == 200 else bodies[number // len(STATUSES) % len(bodies)]
    return Says(body, status, {"x-echo": authorization, "location": f"https://x.example/?{key}"})


class Echo:
    """A vendor that says what it was sent, with another status every time; at times it hangs up."""

    def __init__(self) -> None:
        self.number = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        self.number += 1
        authorization = dict(scope["headers"])[b"authorization"].decode()
        if self.number % 17 == 0:
            raise ConnectionResetError(authorization)
        answer = echoed(authorization, self.number)
        wire = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": wire})
        await send({"type": "http.response.body", "body": answer.content})


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with live(Echo()) as made:
        for tenant in made.server.tenants.values():
            for vendor in VENDORS:
                tenant.connection(vendor).sleep = Waits()
        yield made


@contextmanager
def log_of(estate: Estate) -> Iterator[StringIO]:
    """What would stand on stderr, down to DEBUG, libraries' lines as well; nothing else listens."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    redaction = Redaction(secrets_of(estate.server.catalog.settings), SECRET_TYPES)
    handler.setFormatter(JsonLines(redaction))
    root = logging.getLogger()
    before = list(root.handlers)
    root.handlers[:] = [handler]
    try:
        yield stream
    finally:
        root.handlers[:] = before


def without_secrets(text: str, *tokens: str) -> None:
    assert planted_in(text) is None
    for token in tokens:
        for part in token.split("."):
            assert part not in text, part[:20]


def whole(answer: httpx2.Response) -> str:
    return f"{answer.headers}\n{answer.text}"


async def everything(estate: Estate, headers: dict[str, str], ways: Ways) -> list[httpx2.Response]:
    """What all tools, resources, prompts, completions and lists answer."""
    http = estate.http
    calls = good_calls(open_world(BillingServer(Settings())))
    found = [await door.through(http, headers) for door in ways(estate.server, calls)]
    for name, collection in COLLECTIONS.items():
        for uri in (f"billing://{name}", f"billing://{name}/some-id"):
            named = headers | {"mcp-name": uri}
            found.append(await asked(http, "resources/read", named, uri=uri))
            found.append(await legacy(http, "resources/read", headers, uri=uri))
        template = f"billing://{name}/{{{collection.parameter}}}"
        ref = {"type": "ref/resource", "uri": template}
        argument = {"name": str(collection.parameter), "value": ""}
        found.append(await asked(http, "completion/complete", headers, ref=ref, argument=argument))
    methods = (*LISTS, "server/discover", "nonsense")
    paths = ("/metrics", "/readyz", "/healthz", "/v1/openapi.json", "/v1/docs", "/v1/x")
    return [
        *found,
        *[await asked(http, method, headers) for method in methods],
        *[await http.get(path, headers=headers) for path in paths],
    ]


@each_way
async def test_no_answer_figure_or_raw_log_line_holds_a_key_or_a_token(
    estate: Estate, capfd: pytest.CaptureFixture[str], ways: Ways
) -> None:
    with log_of(estate) as stream:
        headers = estate.headers("acme")
        token = headers["authorization"].removeprefix("Bearer ")
        answers = [
            *await everything(estate, headers, ways),
            *await everything(estate, estate.headers("harbor"), ways),
            await estate.http.get("/v1/customers", headers={"authorization": f"Bearer {token}x"}),
            await estate.http.get(f"/v1/customers?access_token={token}", headers=headers),
        ]
    assert len(answers) > 300
    calls = [one for one in answers if one.url.path == "/mcp"]
    kinds = {refusal_of(call) for call in calls}
    assert {"not-found", "not-permitted", "unavailable", "outcome-unknown", None} <= kinds
    for answer in answers:
        without_secrets(whole(answer), token)
    assert "list-customers" in stream.getvalue()
    without_secrets(stream.getvalue(), token)
    printed = capfd.readouterr()
    without_secrets(printed.out + printed.err, token)


NEW = {"id": "new", "name": "New", "primaryEmail": "new@new.example"}
PATHS = (
    *("/v1/customers", "/v1/customers/c-1", "/v1/price-plans", "/metrics"),
    "/v1/org/org-1/billablemetric",
)


def crash_with(headers: Mapping[str, str]) -> Callable[..., Awaitable[Any]]:
    """The worst crash: one whose text holds the key and the token."""

    async def crash(handle: Any, *_: Any, **__: Any) -> Any:
        key = handle._connection.credential.authorization.get_secret_value()
        raise RuntimeError(f"{key} and {headers} and innards")

    return crash


def crashing(built: Any, part: str, crash: Callable[..., Awaitable[Any]]) -> Any:
    """A tool whose function crashes, or what the guard asks of a write before it runs."""
    declaration: Declaration = built.declaration
    if part == "function":
        return replace(built, declaration=replace(declaration, function=crash))
    assert declaration.write is not None
    of_write: dict[str, Any] = {part: crash}
    write = replace(declaration.write, **of_write)
    return replace(built, declaration=replace(declaration, write=write))


@pytest.mark.parametrize(
    ("part", "tools"),
    [
        ("function", ("get-customer", "grant-credit", "list-billable-metrics")),
        ("stake", ("grant-credit",)),
        ("preview", ("delete-usagerecordgroup",)),
    ],
)
async def test_a_crash_inside_a_tool_shows_neither_its_keys_nor_its_inside(
    part: str, tools: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live(Granting(Says({}))) as estate:
        headers = estate.headers("acme")
        token = headers["authorization"].removeprefix("Bearer ")
        catalog = estate.server.catalog
        crash = crash_with(headers)
        broken = {name: crashing(catalog.built(name), part, crash) for name in tools}
        monkeypatch.setattr(catalog, "_built", catalog._built | broken)
        calls = good_calls(open_world(BillingServer(Settings())))
        attacked = [door for door in doors(estate.server, calls) if door.tool in tools]
        with log_of(estate) as stream:
            for door in attacked:
                answer = await door.through(estate.http, headers)
                assert refusal_of(answer) == "unavailable", (door, answer.text)
                assert "innards" not in whole(answer)
                without_secrets(whole(answer), token)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    crashed = [line for line in lines if "exception" in line]
    assert len(crashed) == len(attacked) >= 4 * len(tools)
    assert all("innards" in line["exception"] for line in crashed)
    without_secrets(stream.getvalue(), token)


class Careless(BaseHTTPRequestHandler):
    """An issuer and both vendors on one port. What it is sent as a key, it answers with."""

    number = 0

    def do_GET(self) -> None:
        assert isinstance(self.server, ThreadingHTTPServer)
        host = f"http://127.0.0.1:{self.server.server_port}"
        if self.path == "/.well-known/oauth-authorization-server":
            self._answer(Says({"issuer": host, "jwks_uri": f"{host}/keys"}))
        elif self.path == "/keys":
            self._answer(Says({"keys": [published(rsa_key("one"), "rsa-1")]}))
        else:
            self.do_POST()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        type(self).number += 1
        self._answer(echoed(self.headers["authorization"], type(self).number))

    do_PUT = do_PATCH = do_DELETE = do_POST

    def _answer(self, says: Says) -> None:
        self.send_response(says.status)
        for name, value in says.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(says.content)))
        self.end_headers()
        self.wfile.write(says.content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # the library's name
        """Quiet: what it prints would be no output of ours."""


@pytest.fixture
def careless() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Careless)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_no_output_of_the_process_holds_a_key_or_a_token_whatever_happens(
    careless: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)  # not what this test's own client says of its URLs
    key = tmp_path / "suger.key"
    key.write_text("suger-key-of-acme")
    tenants = tmp_path / "tenants.toml"
    tenants.write_text(
        '[tenants.acme]\ntogai_api_key = { env = "ACME" }\n'
        f'togai_base_url = "{careless}/togai"\nsuger_api_key = {{ file = "{key}" }}\n'
        f'suger_base_url = "{careless}/suger"\nsuger_org_id = "org-1"\n'
        '[tenants.harbor]\ntogai_api_key = "togai-key-of-harbor"\n'
        f'togai_base_url = "{careless}/togai"\n'
    )
    tenants.chmod(0o600)
    env = {
        "ACME": "togai-key-of-acme",
        "BILLING_MCP_TENANTS": str(tenants),
        "BILLING_MCP_API_KEYS": str(tmp_path / "keys.json"),
        "BILLING_MCP_AUTH_ISSUER": careless,
        "BILLING_MCP_PUBLIC_URL": "http://127.0.0.1:9080",
        "BILLING_MCP_TOOLSETS": "all",
        "BILLING_MCP_LOG_LEVEL": "DEBUG",
        "BILLING_MCP_UPSTREAM_TIMEOUT": "1",
    }

    def verb(*words: str) -> tuple[str, str]:
        ended = run(*words, env=env)
        return ended.stdout, ended.stderr

    added = await anyio.to_thread.run_sync(
        lambda: verb("keys", "add", "desk", "--tenant", "acme", "--scopes", "billing:write")
    )
    api_key = added[0].strip()
    assert planted_in(api_key) == api_key
    without_secrets(added[1])
    issuer = Issuer()
    issuer.clock.now = _now()
    token = issuer.token(
        iss=careless, aud="http://127.0.0.1:9080", tenant="harbor", scope="billing:write"
    )
    answers: list[str] = []
    with serving(env=env) as served:
        async with httpx2.AsyncClient(base_url=served.url, timeout=20) as http:
            for secret in (api_key, token, f"{api_key}x", f"{token}x", token.rsplit(".", 1)[0]):
                headers = {"authorization": f"Bearer {secret}"}
                answers += [whole(await http.get(path, headers=headers)) for path in PATHS]
                query = f"/v1/customers?access_token={secret}"
                answers.append(whole(await http.get(query, headers=headers)))
                answers += [
                    whole(await http.post("/v1/customers", json=NEW, headers=headers))
                    for _ in range(6)
                ]
        assert served.stopped() == 0
        output = served.output
    for text in (*answers, output):
        without_secrets(text, api_key, token)
    calls = [json.loads(line) for line in output.splitlines()]
    principals = {line.get("principal") for line in calls if line["message"] == "call"}
    assert principals == {"key:desk", "agent-7@127.0.0.1"}
    for words in (("doctor",), ("keys", "list"), ("tools",), ("keys", "revoke", "desk")):
        out, err = await anyio.to_thread.run_sync(verb, *words)
        assert out
        without_secrets(out + err, api_key, token)


def _now() -> float:
    """The process that is tested has a clock of its own."""
    from time import time

    return float(int(time()))
