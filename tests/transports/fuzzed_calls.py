"""Messages that can be read and not be served, and some that are right and do not look it."""

from functools import cache
from typing import Any

from billing_mcp.catalog import Catalog
from billing_mcp.config import Settings
from billing_mcp.tools import vendor_of
from transports.fuzzed_messages import (
    CAPABILITIES_KEY,
    HALF_GIANT,
    META,
    METHOD,
    MISMATCH,
    PARAMS,
    REQUEST,
    RESOURCE,
    UNREAD,
    UNSUPPORTED,
    VERSION_KEY,
    Answer,
    Draw,
    Fuzzed,
    answered,
    failed,
    sent,
    written,
)
from wrong_calls import Wrong, wrong_calls

RESOURCES = (
    "price-plans", "accounts", "invoices", "features", "event-schemas", "schemas", "guides",
)  # fmt: skip


def unknown_method(draw: Draw) -> Fuzzed:
    near = draw.one_of("tools/lists", "Tools/List", "rpc.discover", "__proto__", "tools", "/")
    return answered(draw.request(draw.one_of(draw.word(), near)), METHOD)


def method_of_the_other_era(draw: Draw) -> Fuzzed:
    modern = ("server/discover",)
    legacy = ("ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe")
    options = modern if draw.era == "legacy" else legacy
    return answered(draw.request(draw.one_of(*options)), METHOD)


def method_that_is_not_offered(draw: Draw) -> Fuzzed:
    method = draw.one_of("tasks/list", "tasks/get", "sampling/createMessage", "roots/list")
    return answered(draw.request(method, taskId="x"), METHOD)


def wrong_params(draw: Draw) -> Fuzzed:
    method, params = draw.one_of(
        ("tools/call", {}),
        ("tools/call", {"arguments": {}}),
        ("tools/call", {"name": "list-customers", "arguments": draw.one_of([], [1], "text", 5)}),
        ("resources/read", {}),
        ("prompts/get", {}),
        ("prompts/get", {"name": "no-such", "arguments": draw.one_of([], "text", {"a": {}})}),
        ("tools/list", {"cursor": draw.one_of(5, [], {})}),
        ("completion/complete", {}),
        ("completion/complete", {"ref": {"type": "ref/nothing"}, "argument": {}}),
    )
    return answered(draw.request(method, **params), PARAMS)


def name_of_a_wrong_type(draw: Draw) -> Fuzzed:
    method, field = draw.one_of(
        ("tools/call", "name"), ("prompts/get", "name"), ("resources/read", "uri")
    )
    message = draw.request(method, **{field: draw.one_of(5, True, [], ["a"], {"a": 1})})
    # A header cannot say what is no text, so over HTTP it is missing as well.
    return answered(message, PARAMS, MISMATCH)


def metadata_of_a_wrong_type(draw: Draw) -> Fuzzed:
    message = draw.request("tools/list")
    message["params"]["_meta"] = draw.one_of(5, "text", [], True)
    return answered(message, PARAMS)


def unknown_tool(draw: Draw) -> Fuzzed:
    name = draw.one_of(
        draw.word(), f"{draw.one_of(*served())}-q", "", "x" * 10_000, "../../etc/passwd",
        "get_customer", "GET-CUSTOMER", "get-customer ", "kündigen 🚀", "a\x00b", "__class__",
    )  # fmt: skip
    return failed(draw.call(name, draw.one_of({}, {"a": 1})), "not-found")


def unknown_resource(draw: Draw) -> Fuzzed:
    kind = draw.one_of(*RESOURCES, draw.word())
    tail = draw.one_of(
        draw.word(), "a/b", "%ff", "%00", "a%2Fb", "🚀", "..", "../../secret", "x" * 5_000, "x y",
        "x?page=2", "?page=-1", "?cursor=zzz", "x#y", "a\nb",
    )  # fmt: skip
    uri = draw.one_of(
        f"billing://{kind}/{tail}", f"billing://{kind}/{tail}", f"billing://{kind}/{tail}",
        "file:///etc/passwd", f"https://{draw.word()}.example/", "", "billing:", "://",
        "billing://accounts:99999/x", "billing://[::1",
    )  # fmt: skip
    codes = (PARAMS,) if draw.era == "modern" else (PARAMS, RESOURCE)
    return answered(draw.request("resources/read", uri=uri), *codes)


def unknown_prompt(draw: Draw) -> Fuzzed:
    name = draw.one_of(draw.word(), "", "x" * 5_000, "../explain-a-bill", "a\x00b", "ü")
    return answered(draw.request("prompts/get", name=name, arguments={}), PARAMS)


def wrong_prompt_arguments(draw: Draw) -> Fuzzed:
    name = draw.one_of("explain-a-bill", "handle-a-dispute", "close-the-month")
    arguments = draw.one_of({"no-such": "x"}, {"no-such": ""}, {"": ""}, {"month": "\x00"})
    return answered(draw.request("prompts/get", name=name, arguments=arguments), PARAMS)


@cache
def served() -> tuple[str, ...]:
    return tuple(name for name in Catalog(Settings()).served if vendor_of(name))


@cache
def wrongs(tool: str) -> tuple[Wrong, ...]:
    return tuple(wrong_calls(tool))


def wrong_arguments(draw: Draw) -> Fuzzed:
    tool = draw.one_of(*served())
    return failed(draw.call(tool, draw.one_of(*wrongs(tool)).arguments), "invalid-request")


def unlikely_number(draw: Draw) -> Fuzzed:
    message = draw.call("list-customers", {"pageSize": 1})
    token = draw.one_of(b"1e400", b"-1e400", b"1e-400", b"9" * 4_000, b"-0.5", b"1." + b"3" * 9_000)
    body = written(message).replace(b'"pageSize":1', b'"pageSize":' + token)
    return Fuzzed(body, (Answer(message["id"], kind="invalid-request"),), message)


def number_beyond_reading(draw: Draw) -> Fuzzed:
    message = draw.call("list-customers", {"pageSize": 1})
    number = b"1" + b"0" * 5_000
    body = written(message).replace(b'"pageSize":1', b'"pageSize":' + number)
    return Fuzzed(body, (*UNREAD, Answer(message["id"], kind="invalid-request")), message)


def deep(draw: Draw) -> Fuzzed:
    """Deep, and not too deep to be read."""
    tool, field = draw.one_of(
        ("get-customer", "customerId"), ("list-customers", "pageSize"), ("ingest-events", "events"),
        ("create-price-plan", "pricePlanDetails"), ("get-customer", "qqqqqq"),
    )  # fmt: skip
    value: Any = 1
    for _ in range(draw.chance.randrange(100, 190)):
        value = draw.one_of([value], {"a": value})
    return failed(draw.call(tool, {field: value}), "invalid-request")


def odd_text(draw: Draw) -> Fuzzed:
    text = draw.one_of("\u2028", "\uffff", "🚀" * 50, "\u202egpj", "a\u0301", "%00", "'; --")
    message = draw.call("get-customer", {"customerId": text})
    return failed(message, "not-found", "invalid-request")


def half_giant(draw: Draw) -> Fuzzed:
    return failed(draw.call("get-customer", {"customerId": "x" * HALF_GIANT}), "invalid-request")


# --- messages that are right, though they do not look it ------------------------------------------


def good(draw: Draw) -> Fuzzed:
    message = draw.good()
    return sent(message, Answer(message["id"]))


def odd_white_space(draw: Draw) -> Fuzzed:
    message = draw.good()
    space = draw.one_of(b" ", b"\t", b"\r", b" \t\r ")
    body = space + written(message).replace(b'"jsonrpc":', b'"jsonrpc"' + space + b":") + space
    return Fuzzed(body, (Answer(message["id"]),), message)


def twice_the_same_key(draw: Draw) -> Fuzzed:
    # RFC 8259 (4) leaves open which of the two is read.
    message = draw.good()
    other = draw.number()
    body = written(message)[:-1] + b',"id":%d}' % other
    return Fuzzed(body, (Answer(message["id"]), Answer(other)), message)


# --- the other era, or no era ---------------------------------------------------------------------


def envelope_with_something_missing(draw: Draw) -> Fuzzed:
    """A modern request without what a modern request must carry, on a modern connection."""
    message = draw.request("tools/list")
    params: dict[str, Any] = message["params"]
    missing = draw.one_of("all", "params", VERSION_KEY, CAPABILITIES_KEY)
    if missing == "params":
        del message["params"]
    elif missing == "all":
        del params["_meta"]
    else:
        params["_meta"] = {key: value for key, value in META.items() if key != missing}
    if missing == CAPABILITIES_KEY:
        return answered(message, PARAMS)
    # Over HTTP the header stands there, and the body does not say the same.
    return answered(message, PARAMS, MISMATCH)


def version_that_nobody_serves(draw: Draw) -> Fuzzed:
    message = draw.request("tools/list")
    version = draw.one_of("1900-01-01", "2099-12-31", "latest", "3", "2026-7-28")
    message["params"]["_meta"] = {**META, VERSION_KEY: version}
    return answered(message, UNSUPPORTED)


def version_of_a_wrong_type(draw: Draw) -> Fuzzed:
    message = draw.request("tools/list")
    message["params"]["_meta"] = {**META, VERSION_KEY: draw.one_of(5, None, [], {}, True)}
    return answered(message, PARAMS, MISMATCH)


def handshake_of_the_old_era(draw: Draw) -> Fuzzed:
    """`initialize` after a modern opening: which error is the implementation's own business."""
    message = draw.request(
        "initialize",
        protocolVersion=draw.one_of("2025-11-25", "2024-11-05", "2026-07-28", "?"),
        capabilities={},
        clientInfo={"name": "fuzz", "version": "1"},
    )
    return answered(message, UNSUPPORTED, METHOD, REQUEST, PARAMS)


def envelope_of_the_new_era(draw: Draw) -> Fuzzed:
    """A modern request on a connection that opened with `initialize`."""
    message = draw.request("tools/list", _meta=META)
    # Over HTTP no connection was opened: there the header names the other era.
    return answered(message, REQUEST, MISMATCH)


UNSERVED = (
    unknown_method, method_of_the_other_era, method_that_is_not_offered, wrong_params,
    name_of_a_wrong_type, metadata_of_a_wrong_type, unknown_tool, unknown_resource,
    unknown_prompt, wrong_prompt_arguments, wrong_arguments, unlikely_number,
    number_beyond_reading, deep, odd_text, half_giant, good, odd_white_space, twice_the_same_key,
)  # fmt: skip
OF_ERA = {
    "legacy": (envelope_of_the_new_era,),
    "modern": (
        envelope_with_something_missing, version_that_nobody_serves, version_of_a_wrong_type,
        handshake_of_the_old_era,
    ),
}  # fmt: skip
