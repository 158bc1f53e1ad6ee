"""What the HTTP server says before the SDK is asked: the same in both eras."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from billing_mcp.config import Settings
from billing_mcp.http.app import app

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:9080/mcp"
ACCEPT = {"accept": "application/json, text/event-stream"}
JSON = ACCEPT | {"content-type": "application/json"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
MODERN = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {"_meta": META}}
ERAS = {
    "legacy": {"mcp-protocol-version": "2025-11-25"},
    "modern": {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"},
}


@asynccontextmanager
async def served() -> AsyncIterator[httpx2.AsyncClient]:
    application = app(Settings())
    async with (
        application.router.lifespan_context(application),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(application)) as http,
    ):
        yield http


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
async def test_only_post_is_allowed_since_nothing_is_sent_unasked_and_no_session_kept(
    method: str, era: str
) -> None:
    async with served() as http:
        answer = await http.request(method, URL, headers=JSON | ERAS[era])
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("kind", ["text/plain", "application/jsonx", ""])
async def test_a_body_of_another_type_is_answered_with_415(kind: str, era: str) -> None:
    async with served() as http:
        headers = ACCEPT | ERAS[era] | {"content-type": kind}
        answer = await http.post(URL, content=b"{}", headers=headers)
    assert answer.status_code == 415


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", -32700), (b'{"name":"M\xfcller"}', -32700), (b"[]", -32600), (b'{"id":1}', -32600)],
)
async def test_a_body_that_is_no_message_is_answered_by_json_rpc(
    body: bytes, code: int, era: str
) -> None:
    async with served() as http:
        answer = await http.post(URL, content=body, headers=JSON | ERAS[era])
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["id"] is None
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize("versions", [[], ["2025-11-25"], ["2025-11-25", "2026-07-28"]])
async def test_a_header_that_names_another_era_than_the_body_is_a_mismatch(
    versions: list[str],
) -> None:
    headers = [*JSON.items(), *(("mcp-protocol-version", version) for version in versions)]
    async with served() as http:
        answer = await http.post(URL, json=MODERN, headers=headers)
        honest = await http.post(URL, json=MODERN, headers=JSON | ERAS["modern"])
    assert answer.status_code == 400
    assert answer.json()["id"] == 7
    assert answer.json()["error"]["code"] == -32020
    assert honest.status_code == 200


async def test_two_hosts_are_answered_with_400() -> None:
    headers = [*JSON.items(), ("host", "127.0.0.1:9080"), ("host", "billing.example")]
    async with served() as http:
        answer = await http.post(URL, json=MODERN, headers=headers)
    assert answer.status_code == 400


async def test_a_foreign_host_is_told_nothing_else() -> None:
    async with served() as http:
        answer = await http.get(URL, headers={"host": "billing.example"})
    assert answer.status_code == 421
