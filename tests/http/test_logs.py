"""What the log says of a request and a call, and what it never says."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.provider import AccessToken
from pydantic import SecretStr

from billing_mcp import logs
from billing_mcp.config import Settings, from_environ
from billing_mcp.credentials import Credential
from billing_mcp.http.access import LONGEST_PATH, SECRET_TYPES
from billing_mcp.http.app import app
from billing_mcp.logs import CallLog, JsonLines, PlainLines, Redaction
from billing_mcp.telemetry import Call
from http_processes import serving
from world import OPERATION

URL = "http://127.0.0.1:9080/mcp"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJkZXNrIn0.c2lnbmF0dXJl"


@contextmanager
def written(redaction: Redaction | None = None, *, plain: bool = False) -> Iterator[StringIO]:
    """Everything that is logged meanwhile, as it would stand on stderr."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    made = redaction or Redaction(types=SECRET_TYPES)
    handler.setFormatter(PlainLines(made) if plain else JsonLines(made))
    ours = logging.getLogger("billing_mcp")
    before = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield stream
    finally:
        ours.removeHandler(handler)
        ours.setLevel(before)


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def log(*arguments: Any, **more: Any) -> None:
    logging.getLogger("billing_mcp.test").warning(*arguments, **more)


def test_a_line_is_one_object_with_time_level_logger_and_message() -> None:
    with written() as stream:
        log("line one\nline %s", "two")
    (line,) = lines(stream)
    assert line["message"] == "line one\nline two"
    assert (line["level"], line["logger"]) == ("WARNING", "billing_mcp.test")
    assert line["time"].endswith("Z")
    assert len(line["time"]) == len("2026-11-21T12:00:00.000Z")


def test_a_call_says_who_called_what_for_whom_and_how_it_ended() -> None:
    call = Call("grant-credit", "acme", "desk@id.example", "desk 1.0", OPERATION, "ok", 0.01234)
    with written() as stream:
        CallLog().call_ended(call)
    (line,) = lines(stream)
    assert {name: line[name] for name in line if name not in ("time", "logger")} == {
        "level": "INFO",
        "message": "call",
        "tool": "grant-credit",
        "outcome": "ok",
        "tenant": "acme",
        "principal": "desk@id.example",
        "client": "desk 1.0",
        "operationId": OPERATION,
        "durationMs": 12.3,
    }


def test_a_write_of_unknown_outcome_is_a_warning_that_is_seen_at_the_default_level() -> None:
    with written() as stream:
        logging.getLogger("billing_mcp").setLevel(logging.WARNING)
        CallLog().call_ended(Call("get-customer", "acme", "desk", None, None, "ok", 1))
        unknown = Call("create-customer", "acme", "desk", None, OPERATION, "outcome-unknown", 1)
        CallLog().call_ended(unknown)
    (line,) = lines(stream)
    assert (line["level"], line["operationId"]) == ("WARNING", OPERATION)


@pytest.mark.anyio
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_the_lines_of_a_request_share_its_id_and_its_trace(era: str) -> None:
    application = app(Settings())
    headers = {"x-request-id": "proxy-17", "traceparent": TRACEPARENT}
    transport = httpx2.ASGITransport(application)
    grant = {"accountId": "acme-main", "creditAmount": 5, "effectiveFrom": "2026-11-20"}
    with written() as stream:
        async with (
            application.router.lifespan_context(application),
            httpx2.AsyncClient(transport=transport, headers=headers) as http,
        ):
            streams = streamable_http_client(URL, http_client=http)
            async with Client(streams, mode="legacy" if era == "legacy" else "auto") as client:
                await client.call_tool("grant-credit", grant | {"operationId": OPERATION})
    (call,) = [line for line in lines(stream) if line["message"] == "call"]
    assert (call["requestId"], call["traceId"]) == ("proxy-17", TRACE)
    assert (call["tool"], call["principal"]) == ("grant-credit", "local")
    assert (call["tenant"], call["operationId"]) == ("default", OPERATION)
    requests = [line for line in lines(stream) if line["message"] == "request"]
    assert {line["requestId"] for line in requests} == {"proxy-17"}
    assert {line["traceId"] for line in requests} == {TRACE}
    assert {(line["method"], line["path"], line["client"]) for line in requests} >= {
        ("POST", "/mcp", "127.0.0.1")
    }


async def answered(headers: dict[str, str], path: str = "/healthz") -> httpx2.Response:
    transport = httpx2.ASGITransport(app(Settings()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.get(path, headers=headers)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "given", ["proxy-17", "Root=1-67891233-abcdef012345678912345678", "a" * 128]
)
async def test_a_sane_request_id_is_kept_and_answered(given: str) -> None:
    assert (await answered({"x-request-id": given})).headers["x-request-id"] == given


@pytest.mark.anyio
@pytest.mark.parametrize("given", ["", "a b", 'a"b', "a" * 129, "<script>", "a,b"])
async def test_any_other_request_id_is_replaced_by_one_of_ours(given: str) -> None:
    answer = await answered({"x-request-id": given})
    made = answer.headers["x-request-id"]
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("traceparent", "trace"),
    [
        (TRACEPARENT, TRACE),
        (f"cc-{TRACE}-00f067aa0ba902b7-01-what-comes-later", TRACE),
        (f"00-{TRACE}-00f067aa0ba902b7-01-more", None),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", None),
        ("none", None),
    ],
)
async def test_a_trace_id_is_taken_as_the_w3c_writes_it(
    traceparent: str, trace: str | None
) -> None:
    with written() as stream:
        await answered({"traceparent": traceparent})
    (line,) = lines(stream)
    assert line.get("traceId") == trace


@pytest.mark.anyio
async def test_the_query_of_a_request_is_not_logged_and_a_long_path_is_cut() -> None:
    with written() as stream:
        await answered({}, f"/{'x' * 500}?access_token={JWT}")
    (line,) = lines(stream)
    assert line["path"] == "/" + "x" * (LONGEST_PATH - 1)
    assert "access_token" not in stream.getvalue()
    assert line["status"] == 404


SECRETS = {
    "bearer": f"Authorization: Bearer {JWT}",
    "a token alone": f"refused {JWT}",
    "a lower-case scheme": "bearer abcdefgh12345678",
    "the scheme of Suger": "Key abcdefgh-12345678-ijkl",
    "our API key": "used bmk_Zm9vYmFyYmF6cXV4 twice",
}


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS.keys())
def test_what_is_shaped_like_a_secret_is_not_written(text: str, plain: bool) -> None:
    secret = max(text.split(), key=len)
    with written(plain=plain) as stream:
        log("said: %s", text)
        log(text)
        log("fact", extra={"facts": {"note": text}})
        log("crashed", exc_info=ValueError(text))
    assert secret not in stream.getvalue()
    assert stream.getvalue().count("[redacted]") >= 3


def test_an_exception_has_its_stack_in_a_field() -> None:
    with written() as stream:
        try:
            SECRETS["missing"]
        except KeyError:
            log("crashed", exc_info=True)
    (line,) = lines(stream)
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("KeyError: 'missing'")


def test_objects_that_hold_a_secret_are_not_written() -> None:
    holders = (
        SecretStr("s3cr3t-value"),
        Credential("https://vendor.example", SecretStr("Bearer s3cr3t-value")),
        AccessToken(token="s3cr3t-value", client_id="desk", scopes=[]),
    )
    with written() as stream:
        for holder in holders:
            log("got %s", holder)
            log("got %(it)s", {"it": holder})
            log(holder)
            log("fact", extra={"facts": {"held": holder}})
    assert "s3cr3t" not in stream.getvalue()
    assert stream.getvalue().count("[redacted AccessToken]") == 4


def test_the_vendors_keys_are_not_written_whatever_surrounds_them() -> None:
    environ = {"TOGAI_API_KEY": "togai-key-1+2/3=", "SUGER_API_KEY": "Own scheme-of-its-own"}
    redaction = Redaction(logs.secrets_of(from_environ(environ)))
    with written(redaction) as stream:
        log('{"echo": "togai-key-1+2/3=", "also": "xscheme-of-its-ownx"}')
    (line,) = lines(stream)
    assert line["message"] == '{"echo": "[redacted]", "also": "x[redacted]x"}'


def test_ordinary_words_stay() -> None:
    said = "The key fits, the bearer is known, and Token rotation is 3 days away"
    with written() as stream:
        log(said)
        log("%d of %.1f", 3, 2.5)
    assert [line["message"] for line in lines(stream)] == [said, "3 of 2.5"]


def test_the_verb_http_writes_json_and_libraries_lines_go_the_same_way() -> None:
    secret = "not-to-be-seen-in-a-log"
    env = {"TOGAI_API_KEY": secret, "TOGAI_BASE_URL": "http://127.0.0.1:9"}
    with serving("--log-level", "info", env=env) as server:
        httpx2.get(f"{server.url}/healthz", headers={"x-request-id": "proxy-17"})
        httpx2.get(f"{server.url}/readyz")
        assert server.stopped() == 0
    found = [json.loads(line) for line in server.output.splitlines()]
    assert {line["logger"].partition(".")[0] for line in found} >= {"billing_mcp", "uvicorn"}
    (probe,) = [line for line in found if line.get("requestId") == "proxy-17"]
    assert (probe["message"], probe["path"], probe["status"]) == ("request", "/healthz", 200)
    (down,) = [line for line in found if line["level"] == "WARNING"]
    assert down["message"].startswith("Tenant default: Togai cannot be reached")
    assert secret not in server.output


def test_at_the_default_level_requests_leave_no_line() -> None:
    with serving() as server:
        httpx2.get(f"{server.url}/healthz")
        assert server.stopped() == 0
    assert server.output == ""
