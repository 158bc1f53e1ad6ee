"""HTTP requests gone wrong around a message that is right, with the statuses that are right."""

import base64
from dataclasses import dataclass
from typing import Any

from transports.fuzzed_messages import (
    GIANT,
    META,
    METHOD,
    MISMATCH,
    UNREAD,
    VERSION_KEY,
    VERSIONS,
    Answer,
    Draw,
    Era,
    Fuzzed,
    written,
)

Headers = list[tuple[str, str]]
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
CLOSED = 0  # no answer at all: the connection is closed on who does not speak HTTP


@dataclass(frozen=True, slots=True)
class Exchange:
    """The bytes of one connection, and the statuses and answers that are right; None is any."""

    sent: bytes
    right: tuple[tuple[int, Answer | None], ...]
    ends: bool = False  # the client closes its side before it reads


def posted(draw: Draw, fuzzed: Fuzzed) -> Exchange:
    """A message as an honest client sends it, whatever is in it."""
    right = tuple((status_of(draw.era, answer), answer) for answer in fuzzed.right)
    if any(answer.anything for answer in fuzzed.right):
        right = tuple((status, fuzzed.right[0]) for status in (200, 400, 404))
    return Exchange(request(mirrored(draw.era, fuzzed.meant), fuzzed.body), right)


def status_of(era: Era, answer: Answer) -> int:
    """Before 2026-07-28 an error to a request that was read is an answer like any other."""
    if answer.silent:
        return 202
    if answer.code is None:
        return 200
    if answer.code == METHOD and era == "modern":
        return 404
    refused = answer.id is None or answer.code == MISMATCH
    return 400 if era == "modern" or refused else 200


def mirrored(era: Era, message: dict[str, Any]) -> Headers:
    """The headers that a client of the era sends with a message."""
    headers = [
        ("Host", "127.0.0.1:9080"),
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
    ]
    if era == "legacy":
        return [*headers, ("MCP-Protocol-Version", VERSIONS[era])]
    params = message.get("params")
    params = params if isinstance(params, dict) else {}
    meta = params.get("_meta")
    version = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
    version = version if isinstance(version, str) else VERSIONS[era]
    headers.append(("MCP-Protocol-Version", version))
    headers.append(("Mcp-Method", str(message.get("method"))))
    name = params.get(NAMED_BY.get(str(message.get("method")), ""))
    if isinstance(name, str):
        encoded = base64.b64encode(name.encode()).decode()
        headers.append(("Mcp-Name", f"=?base64?{encoded}?="))
    return headers


def request(
    headers: Headers, body: bytes, *, method: str = "POST", path: str = "/mcp", length: str = ""
) -> bytes:
    """`length` lies about the body's; "none" says nothing of it."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if length != "none":
        lines.append(f"Content-Length: {length or len(body)}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body


def altered(headers: Headers, name: str, *values: str) -> Headers:
    """The header left out, or put there once for each value."""
    kept = [header for header in headers if header[0].lower() != name.lower()]
    return [*kept, *((name, value) for value in values)]


def around(draw: Draw) -> tuple[dict[str, Any], Headers, bytes]:
    """A good message, its honest headers, its bytes."""
    message = draw.good()
    return message, mirrored(draw.era, message), written(message)


def refused(*statuses: int) -> tuple[tuple[int, Answer | None], ...]:
    return tuple((status, None) for status in statuses)


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


# --- size and framing -----------------------------------------------------------------------------


def giant(draw: Draw) -> Exchange:
    message = draw.call("get-customer", {"customerId": "x" * GIANT})
    headers, body = mirrored(draw.era, message), written(message)
    if draw.one_of(True, False):
        framed = altered(headers, "Transfer-Encoding", "chunked")
        return Exchange(request(framed, chunked(body), length="none"), refused(413))
    return Exchange(request(headers, body), refused(413))


def claims_to_be_giant(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    return Exchange(request(headers, body, length=str(10**9)), refused(413))


def length_that_is_none(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    length = draw.one_of("-1", "many", "1e3", "0x10", "5, 6", "")
    return Exchange(
        request(altered(headers, "Content-Length", "7"), body, length=length), refused(400)
    )


def length_beyond_the_body(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    sent = request(headers, body, length=str(len(body) + draw.number() % 1_000 + 1))
    return Exchange(sent, refused(CLOSED, 400), ends=True)


def length_within_the_body(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    sent = request(headers, body, length=str(draw.chance.randrange(1, len(body))))
    return Exchange(sent, ((400, UNREAD[0]),))


def two_framings(draw: Draw) -> Exchange:
    # RFC 9112 (6.3): the chunks win, or the request is refused.
    message, headers, body = around(draw)
    framed = altered(headers, "Transfer-Encoding", "chunked")
    right = ((200, Answer(message["id"])), *refused(400))
    return Exchange(request(framed, chunked(body)), right)


def broken_chunks(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    framed = altered(headers, "Transfer-Encoding", "chunked")
    broken = draw.one_of(b"zz\r\n", b"-5\r\n", b"ffffffffffffffffff\r\n", b"5\r\n") + body
    return Exchange(request(framed, broken, length="none"), refused(CLOSED, 400, 413), ends=True)


def no_http(draw: Draw) -> Exchange:
    noise = draw.chance.randbytes(draw.chance.randrange(1, 300))
    start = draw.one_of(b"", b"\x16\x03\x01", b"POST\r\n\r\n", written(draw.good()), b"\x00" * 9)
    return Exchange(start + noise + b"\r\n\r\n", refused(CLOSED, 400), ends=True)


def giant_header(draw: Draw) -> Exchange:
    # No limit is prescribed: served, refused as 431 or as no request, or hung up on.
    message, headers, body = around(draw)
    filled = altered(headers, "X-Filling", "x" * draw.one_of(20_000, 200_000))
    right = ((200, Answer(message["id"])), *refused(CLOSED, 400, 431))
    return Exchange(request(filled, body), right)


# --- what the headers say -------------------------------------------------------------------------


def another_type(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    kind = draw.one_of(
        "text/plain", "application/jsonx", "application/xml", "json", "*/*", "",
        "application/x-www-form-urlencoded", "multipart/form-data; boundary=application/json",
    )  # fmt: skip
    values = draw.one_of((kind,), (kind,), ())
    return Exchange(request(altered(headers, "Content-Type", *values), body), refused(415))


def type_written_differently(draw: Draw) -> Exchange:
    message, headers, body = around(draw)
    kind = draw.one_of("application/json; charset=utf-8", "application/json;a=b")
    sent = request(altered(headers, "Content-Type", kind), body)
    return Exchange(sent, ((200, Answer(message["id"])),))


def accepts_something_else(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    values = draw.one_of(("text/html",), ("image/*",), ("application/jsonx",), ("nonsense",), ())
    return Exchange(request(altered(headers, "Accept", *values), body), refused(406))


def accepts_written_differently(draw: Draw) -> Exchange:
    message, headers, body = around(draw)
    kind = draw.one_of("*/*", "application/*, text/*", "text/event-stream;q=0.1,application/json")
    sent = request(altered(headers, "Accept", kind), body)
    return Exchange(sent, ((200, Answer(message["id"])),))


def foreign_host(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    host = draw.one_of(
        "billing.example", "127.0.0.1.billing.example", "10.0.0.1:9080", "localhost.", ""
    )
    return Exchange(request(altered(headers, "Host", host), body), refused(421))


def no_host_or_two(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    hosts = draw.one_of((), ("127.0.0.1:9080", "billing.example"), ("localhost", "localhost"))
    return Exchange(request(altered(headers, "Host", *hosts), body), refused(400, 421))


def foreign_origin(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    origin = draw.one_of("https://evil.example", "null", "http://localhost.evil.example", "file://")
    return Exchange(request(altered(headers, "Origin", origin), body), refused(403))


def another_http_method(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    method = draw.one_of("GET", "DELETE", "PUT", "PATCH", "OPTIONS", "HEAD")
    return Exchange(request(headers, draw.one_of(b"", body), method=method), refused(405))


def another_path(draw: Draw) -> Exchange:
    _, headers, body = around(draw)
    path = draw.one_of("/", "/mcpx", "/mcp/x", f"/{draw.word()}", "/../mcp", "/mcp%00", "/MCP")
    return Exchange(request(headers, body, path=path), refused(404))


def session_of_nobody(draw: Draw) -> Exchange:
    # A stateless server knows none, so it neither asks for one nor looks at one.
    message, headers, body = around(draw)
    sent = request(altered(headers, "Mcp-Session-Id", draw.one_of(draw.word(), "", "a b")), body)
    return Exchange(sent, ((200, Answer(message["id"])),))


def asks_before_it_sends(draw: Draw) -> Exchange:
    message, headers, body = around(draw)
    sent = request(altered(headers, "Expect", "100-continue"), body)
    return Exchange(sent, ((200, Answer(message["id"])),))


def spaces_around_the_values(draw: Draw) -> Exchange:
    message, headers, body = around(draw)
    spaced = [
        (name, draw.one_of(f" {value}", f"{value} ", f"\t{value} \t")) for name, value in headers
    ]
    return Exchange(request(spaced, body), ((200, Answer(message["id"])),))


def lying_method(draw: Draw) -> Exchange:
    message, headers, body = around(draw)
    truth = message["method"]
    values = draw.one_of((), ("",), ("ping",), (truth.upper(),), (truth, truth), (truth, "ping"))
    sent = request(altered(headers, "Mcp-Method", *values), body)
    return Exchange(sent, ((400, Answer(message["id"], MISMATCH)),))


def lying_name(draw: Draw) -> Exchange:
    message = draw.call("list-customers", {})
    headers, body = mirrored(draw.era, message), written(message)
    values = draw.one_of(
        (), ("",), ("create-credit",), ("List-Customers",), ("=?base64?!!?=",),
        ("list-customers", "list-customers"), ("grant-credit", "list-customers"), ("l\u00e4st",),
    )  # fmt: skip
    sent = request(altered(headers, "Mcp-Name", *values), body)
    return Exchange(sent, ((400, Answer(message["id"], MISMATCH)),))


def lying_version(draw: Draw) -> Exchange:
    """A modern body whose header names an old revision, one that nobody knows, two, or none."""
    message, headers, body = around(draw)
    modern = VERSIONS["modern"]
    values = draw.one_of(
        ("2025-11-25",), ("2024-11-05",), ("1900-01-01",), ("",), (), (modern, modern),
        (modern, "2025-11-25"), ("2025-11-25", modern),
    )  # fmt: skip
    sent = request(altered(headers, "MCP-Protocol-Version", *values), body)
    return Exchange(sent, ((400, Answer(message["id"], MISMATCH)),))


def version_of_no_revision(draw: Draw) -> Exchange:
    """2025-11-25: "it MUST respond with 400"; with which error is not said."""
    _, headers, body = around(draw)
    version = draw.one_of("1900-01-01", "2099-12-31", "latest", "", "2025-11-25, 2025-06-18")
    sent = request(altered(headers, "MCP-Protocol-Version", version), body)
    return Exchange(sent, refused(400))


def handshake_at_an_unknown_version(draw: Draw) -> Exchange:
    """The server answers with a version it does speak."""
    version = draw.one_of("1900-01-01", "2099-12-31", "", "latest", VERSIONS["modern"])
    client = {"name": "fuzz", "version": "1"}
    message = draw.request(
        "initialize", protocolVersion=version, capabilities={}, clientInfo=client
    )
    headers = altered(mirrored(draw.era, message), "MCP-Protocol-Version")
    return Exchange(request(headers, written(message)), ((200, Answer(message["id"])),))


def new_era_in_an_old_header(draw: Draw) -> Exchange:
    message = draw.request("tools/list", _meta=META)
    sent = request(mirrored(draw.era, message), written(message))
    return Exchange(sent, ((400, Answer(message["id"], MISMATCH)),))


OVER_HTTP = (
    giant, claims_to_be_giant, length_that_is_none, length_beyond_the_body, length_within_the_body,
    two_framings, broken_chunks, no_http, giant_header, another_type, type_written_differently,
    accepts_something_else, accepts_written_differently, foreign_host, no_host_or_two,
    foreign_origin, another_http_method, another_path, session_of_nobody, asks_before_it_sends,
    spaces_around_the_values,
)  # fmt: skip
OVER_HTTP_OF_ERA = {
    "legacy": (
        version_of_no_revision, handshake_at_an_unknown_version, new_era_in_an_old_header,
    ),
    "modern": (lying_method, lying_name, lying_version),
}  # fmt: skip
