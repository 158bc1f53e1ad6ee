"""Messages of MCP gone wrong, drawn by seed, each with the answers that the specifications allow.

What is right is said by rule: JSON-RPC 2.0 (section 5.1), RFC 8259, and the two revisions of MCP
that stand for the eras. Where they leave a choice, every choice is listed.
"""

import json
import random
from dataclasses import dataclass
from typing import Any, Literal

Era = Literal["legacy", "modern"]
VERSIONS: dict[Era, str] = {"legacy": "2025-11-25", "modern": "2026-07-28"}
CLIENT = {"name": "fuzz", "version": "1"}
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
META = {VERSION_KEY: VERSIONS["modern"], CAPABILITIES_KEY: {}}

PARSE, REQUEST, METHOD, PARAMS = -32700, -32600, -32601, -32602
MISMATCH, UNSUPPORTED, RESOURCE = -32020, -32022, -32002
DEEP = 100_000
HALF_GIANT, GIANT = 3_900_000, 5_000_000
MARK = b"MARK"  # what a draw of broken bytes puts its bytes in the place of


@dataclass(frozen=True, slots=True)
class Answer:
    """One right answer: nothing, an error's code, or a result, which may be a tool's failure.

    `anything` is any of them, when only that it is one answer to this message can be said.
    """

    id: Any = None
    code: int | None = None
    kind: str | None = None
    silent: bool = False
    anything: bool = False


UNREAD = (Answer(code=PARSE),)
NO_MESSAGE = (Answer(code=REQUEST),)
SILENCE = (Answer(silent=True),)


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """Bytes without the newline that ends them over stdio; `meant` is what the headers mirror."""

    body: bytes
    right: tuple[Answer, ...]
    meant: dict[str, Any]


def written(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


class Draw:
    """The chance of one seed, and the messages of one era."""

    def __init__(self, seed: str, era: Era) -> None:
        self.chance = random.Random(seed)
        self.era = era

    def one_of(self, *options: Any) -> Any:
        return self.chance.choice(options)

    def number(self) -> int:
        return self.chance.randrange(1, 1_000_000)

    def word(self) -> str:
        return "".join(self.chance.choices("abcdefghijklmnopqrstuvwxyz", k=12))

    def id(self) -> Any:
        number = self.number()
        return self.one_of(number, -number, 2**63 + number, 10**4_000, self.word(), "", "ü🚀\n")

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        if self.era == "modern":
            params = {**params, "_meta": META}
        return {"jsonrpc": "2.0", "id": self.id(), "method": method, "params": params}

    def call(self, name: str, arguments: Any) -> dict[str, Any]:
        return self.request("tools/call", name=name, arguments=arguments)

    def marked(self) -> dict[str, Any]:
        return self.call("get-customer", {"customerId": MARK.decode()})

    def good(self) -> dict[str, Any]:
        method = self.one_of(
            "tools/list", "prompts/list", "resources/list", "resources/templates/list",
            "ping" if self.era == "legacy" else "server/discover", "tools/call",
        )  # fmt: skip
        if method == "tools/call":
            return self.call("list-customers", {"pageSize": 1})
        return self.request(method)


def sent(message: dict[str, Any], *right: Answer) -> Fuzzed:
    return Fuzzed(written(message), right, message)


def answered(message: dict[str, Any], *codes: int) -> Fuzzed:
    """A message whose id can be read, and the error or errors that are right for it."""
    return sent(message, *(Answer(message["id"], code) for code in codes))


def failed(message: dict[str, Any], *kinds: str) -> Fuzzed:
    """A call that a tool answers with a failure of one of these kinds."""
    return sent(message, *(Answer(message["id"], kind=kind) for kind in kinds))


# --- bytes that are not JSON in UTF-8 ---------------------------------------------------------


def truncated(draw: Draw) -> Fuzzed:
    message = draw.good()
    whole = written(message)
    return Fuzzed(whole[: draw.chance.randrange(1, len(whole))], UNREAD, message)


def followed_by_rubbish(draw: Draw) -> Fuzzed:
    message = draw.good()
    more = draw.one_of(b"}", b"]", b"x", b"{}", b"\x00", b",", written(message))
    return Fuzzed(written(message) + more, UNREAD, message)


def rubbish(draw: Draw) -> Fuzzed:
    noise = draw.chance.randbytes(draw.chance.randrange(200)).replace(b"\n", b"")
    start = draw.one_of(b"x", b"<?xml", b"GET / HTTP/1.1", b"{'a'", b"Content-Length: 9", b"\x80")
    return Fuzzed(start + noise, UNREAD, draw.good())


def not_utf_8(draw: Draw) -> Fuzzed:
    message = draw.marked()
    broken = draw.one_of(b"\xff", b"\xc3(", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82", b"M\xfcller")
    return Fuzzed(written(message).replace(MARK, broken), UNREAD, message)


def another_encoding(draw: Draw) -> Fuzzed:
    message = draw.call("list-customers", {})
    message["id"] = draw.number()
    encoding = draw.one_of("utf-16", "utf-16-be", "utf-32", "utf-32-le")
    return Fuzzed(written(message).decode().encode(encoding), UNREAD, message)


def byte_order_mark(draw: Draw) -> Fuzzed:
    # A sender must not add one, a reader may pass over it (RFC 8259, 8.1); over stdio it would
    # stand in the middle of a stream, so it is refused over both.
    message = draw.good()
    return Fuzzed(b"\xef\xbb\xbf" + written(message), UNREAD, message)


def control_character(draw: Draw) -> Fuzzed:
    message = draw.marked()
    raw = bytes([draw.chance.choice([code for code in range(32) if code != 10])])
    return Fuzzed(written(message).replace(MARK, b"a" + raw + b"b"), UNREAD, message)


def half_a_pair(draw: Draw) -> Fuzzed:
    message = draw.marked()
    half = draw.one_of(b"\\ud800", b"\\udfff", b"\\udc00\\ud800", b"\\ud83dx")
    return Fuzzed(written(message).replace(MARK, half), UNREAD, message)


def too_deep(draw: Draw) -> Fuzzed:
    message = draw.marked()
    one, other = draw.one_of((b"[", b"]"), (b'{"a":', b"}"))
    closed = draw.one_of(0, DEEP)
    deep = one * DEEP + b"1" + other * closed
    return Fuzzed(written(message).replace(b'"' + MARK + b'"', deep), UNREAD, message)


def no_number_of_json(draw: Draw) -> Fuzzed:
    # Taken as numbers by many readers, as RFC 8259 (9) lets them; then they are no page size.
    message = draw.call("list-customers", {"pageSize": 1})
    token = draw.one_of(
        b"NaN", b"Infinity", b"-Infinity", b"01", b"+1", b"1.", b".5", b"0x1", b"1e"
    )
    body = written(message).replace(b'"pageSize":1', b'"pageSize":' + token)
    return Fuzzed(body, (*UNREAD, Answer(message["id"], kind="invalid-request")), message)


# --- JSON that is no message --------------------------------------------------------------------


def no_version(draw: Draw) -> Fuzzed:
    message = draw.good()
    message["jsonrpc"] = draw.one_of("1.0", "2", "2.0 ", 2, None, ["2.0"], True)
    if draw.one_of(True, False):
        del message["jsonrpc"]
    return sent(message, *NO_MESSAGE)


def id_of_a_wrong_type(draw: Draw) -> Fuzzed:
    message = draw.good()
    message["id"] = draw.one_of(None, True, False, 1.5, [], [1], {}, {"id": 1})
    return sent(message, *NO_MESSAGE)


def no_method(draw: Draw) -> Fuzzed:
    message = draw.good()
    message["method"] = draw.one_of(1, None, True, [], {}, ["tools/list"])
    if draw.one_of(True, False):
        del message["method"]
    return sent(message, *NO_MESSAGE)


def params_of_a_wrong_type(draw: Draw) -> Fuzzed:
    # By JSON-RPC a list is by position; MCP's params are an object.
    message = draw.good()
    message["params"] = draw.one_of("text", 5, True, [], [1, 2], ["tools/list"])
    return sent(message, *NO_MESSAGE)


def batch(draw: Draw) -> Fuzzed:
    # MCP had them in 2025-03-26 only.
    good = draw.good()
    message = draw.one_of([], [good], [good, draw.good()], [[good]], [1, 2, 3])
    return Fuzzed(written(message), NO_MESSAGE, good)


def scalar(draw: Draw) -> Fuzzed:
    message = draw.one_of(1, "tools/list", True, False, None, 1.5, {}, {"a": 1}, {"id": 1})
    return Fuzzed(written(message), NO_MESSAGE, draw.good())


# --- messages that are not asked for an answer ----------------------------------------------------


def notification(draw: Draw) -> Fuzzed:
    method = draw.one_of(
        "notifications/cancelled", "notifications/initialized", "notifications/progress",
        f"notifications/{draw.word()}", draw.word(), "tools/call",
    )  # fmt: skip
    params = draw.one_of({}, {"requestId": draw.id()}, {"requestId": []}, {"progressToken": {}})
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    return sent(message, *SILENCE)


def response_to_nothing(draw: Draw) -> Fuzzed:
    more = draw.one_of({"result": {}}, {"error": {"code": 1, "message": "no"}})
    message = {"jsonrpc": "2.0", "id": draw.id(), **more}
    # A modern client must not send one: over HTTP it is refused, over stdio there is nobody to ask.
    return sent(message, *SILENCE, *(NO_MESSAGE if draw.era == "modern" else ()))


# --- bytes changed at random ----------------------------------------------------------------------


def changed_at_random(draw: Draw) -> Fuzzed:
    message = draw.good()
    body = bytearray(written(message))
    for _ in range(draw.chance.randrange(1, 4)):
        place = draw.chance.randrange(len(body))
        match draw.one_of("replace", "insert", "remove", "repeat"):
            case "replace":
                body[place] = draw.chance.randrange(11, 256)
            case "insert":
                body.insert(place, draw.one_of(*b'"{}[]:,\\0e-'))
            case "remove":
                del body[place]
            case "repeat":
                body[place:place] = body[place : place + draw.chance.randrange(1, 40)]
    return Fuzzed(bytes(body), by_the_letter(bytes(body)), message)


def by_the_letter(body: bytes) -> tuple[Answer, ...]:
    """What is right for any bytes at all, by a reader of its own: the standard library's."""
    try:
        decoded = json.loads(body.decode(), parse_constant=refused_constant)
        json.dumps(decoded, ensure_ascii=False).encode()
    except (UnicodeError, ValueError):
        return UNREAD
    if not isinstance(decoded, dict) or decoded.get("jsonrpc") != "2.0":
        return NO_MESSAGE
    if not isinstance(decoded.get("params"), dict | None):
        return NO_MESSAGE
    if not isinstance(decoded.get("method"), str):
        return NO_MESSAGE
    if "id" not in decoded:
        return SILENCE
    if not isinstance(decoded["id"], str | int) or isinstance(decoded["id"], bool):
        return NO_MESSAGE
    return (Answer(decoded["id"], anything=True),)


def refused_constant(name: str) -> Any:
    raise ValueError(name)


BROKEN = (
    truncated, followed_by_rubbish, rubbish, not_utf_8, another_encoding, byte_order_mark,
    control_character, half_a_pair, too_deep, no_number_of_json, no_version, id_of_a_wrong_type,
    no_method, params_of_a_wrong_type, batch, scalar, notification, response_to_nothing,
    changed_at_random,
)  # fmt: skip
