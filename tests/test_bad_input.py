"""Every wrong argument of every tool: named, explained, and never sent to a vendor.

The wrong arguments are made from the published schemas, so that a new tool or a new field is
covered the day it is published.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp import tools
from billing_mcp.catalog import shipped_schemas
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach

pytestmark = pytest.mark.anyio

SCHEMAS = shipped_schemas()
TEXT = "1234"  # long enough for a name, and a number where a number is published as text
PLAN = {
    "supportedCurrencies": ["USD"],
    "pricingCycleConfig": {"interval": "MONTHLY", "gracePeriod": 3},
}
SAMPLES = {
    "primaryEmail": "billing@acme.example",
    "invoiceCurrency": "USD",
    "pricePlanDetails": PLAN,
    "properties": {"region": "eu"},
    "partner": "AWS",
}
FORMATS = {
    "date": "2026-11-20",
    "date-time": "2026-11-20T12:00:00Z",
    "uuid": "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d",
}
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong call: the field an error must name, and what it must say."""

    what: str
    field: str
    arguments: dict[str, Any]
    says: str


def sample(name: str, schema: dict[str, Any]) -> Any:
    """A good value for a published schema, with everything filled in."""
    if name in SAMPLES:
        return copy.deepcopy(SAMPLES[name])
    if "enum" in schema:
        return schema["enum"][-1]
    match schema["type"]:
        case "string":
            return FORMATS.get(schema.get("format", ""), TEXT)
        case "integer":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "array":
            return [sample("", schema["items"])]
    if "additionalProperties" in schema and isinstance(schema["additionalProperties"], dict):
        return {"key": sample("", schema["additionalProperties"])}
    return {name: sample(name, inner) for name, inner in schema["properties"].items()}


def fields(schema: dict[str, Any], at: Path = ()) -> Iterator[tuple[Path, dict[str, Any], bool]]:
    """Every field below a schema: where it is, its own schema, whether it is required."""
    for name, inner in schema.get("properties", {}).items():
        yield (*at, name), inner, name in schema.get("required", [])
        yield from fields(inner, (*at, name))
    if "items" in schema:
        yield (*at, 0), schema["items"], False
        yield from fields(schema["items"], (*at, 0))
    if isinstance(schema.get("additionalProperties"), dict):
        yield (*at, "key"), schema["additionalProperties"], False
        yield from fields(schema["additionalProperties"], (*at, "key"))


def name_of(path: Path) -> str:
    """The path as an error writes it."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def settled(arguments: Any, path: Path) -> Any:
    """Arguments with one of two fields that exclude each other: the one that `path` is about."""
    if isinstance(arguments, list):
        return [settled(item, path) for item in arguments]
    if not isinstance(arguments, dict):
        return arguments
    left_out = "records" if "billableRecords" in path else "billableRecords"
    both = {"records", "billableRecords"} <= set(arguments)
    return {
        name: settled(value, path)
        for name, value in arguments.items()
        if not (both and name == left_out)
    }


def changed(good: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    arguments = copy.deepcopy(good)
    place: Any = arguments
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return arguments


def without(good: dict[str, Any], path: Path) -> dict[str, Any]:
    arguments = copy.deepcopy(good)
    place: Any = arguments
    for part in path[:-1]:
        place = place[part]
    del place[path[-1]]
    return arguments


def renamed(good: dict[str, Any], path: Path) -> dict[str, Any]:
    """The field misspelt beside itself, so that nothing but the spelling is wrong."""
    return changed(good, (*path[:-1], f"{path[-1]}x"), 1)


def wrong_values(schema: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Values that a schema forbids: what is wrong, the value, what the error must say."""
    if "enum" in schema:
        yield "not in the list", "nonsense", schema["enum"][0]
        yield "wrong type", {}, ""
        return
    match schema["type"]:
        case "string":
            yield "wrong type", [TEXT], "must be"
            yield from wrong_texts(schema)
        case "integer":
            yield "wrong type", "many", "must be a whole number"
            yield "a fraction", 1.5, "must be a whole number"
            yield "too small", schema.get("minimum", 0) - 1, "at least"
            yield "too large", schema.get("maximum", 10**9) + 1, "at most"
        case "boolean":
            yield "wrong type", "perhaps", "must be true or false"
        case "array":
            yield "wrong type", 5, "must be a list"
            if "minItems" in schema:
                yield "too few", [], f"at least {schema['minItems']} item"
            if "maxItems" in schema:
                one = sample("", schema["items"])
                many = [one] * (schema["maxItems"] + 1)
                yield "too many", many, f"at most {schema['maxItems']} items"
        case "object":
            yield "wrong type", 5, "must be an object"


def wrong_texts(schema: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    yield "a control character", "ab\x00cd", "must be"
    yield "two lines", "ab\ncd", "must be"
    if schema.get("minLength"):
        yield "empty", "", "at least"
    if "maxLength" in schema:
        most = schema["maxLength"]
        yield "too long", "x" * (most + 1), f"at most {most} characters"
    if "pattern" in schema:
        yield "negative", "-1", "must be a number"
        yield "an exponent", "1e5", "must be a plain decimal number"
        yield "not a number", "NaN", "must be a plain decimal number"
    match schema.get("format"):
        case "date":
            yield "no such day", "2026-02-30", "must be a day that exists"
            yield "no day", "tomorrow", "must be a UTC day such as 2026-11-20"
        case "date-time":
            yield "no zone", "2026-11-20T12:00:00", "must be a time with its zone"
            yield "no time", "noon", "must be a UTC time such as 2026-11-20T12:00:00Z"
            yield "no such time", "2026-11-20T25:00:00Z", "must be a time that exists"
            yield "before all years", "0001-01-01T00:00:00+14:00", "must be a time that exists"
        case "uuid":
            yield "no UUID", "1234", "must be a UUID"


def wrong_calls(tool: str) -> Iterator[Wrong]:
    schema = SCHEMAS[tool]["inputSchema"]
    everything = sample("", schema)
    good = settled(everything, ())
    yield Wrong("unknown name", "qqqqqq", {**good, "qqqqqq": 1}, f"{tool} has no argument")
    for path, inner, required in fields(schema):
        name = name_of(path)
        good = settled(everything, path)
        if required:
            missing = without(good, path)
            yield Wrong("missing", name, missing, f"{name} is required")
        if isinstance(path[-1], str) and path[-1] != "key":
            yield Wrong(
                "misspelt",
                name_of((*path[:-1], f"{path[-1]}x")),
                renamed(good, path),
                f'"{path[-1]}x"; did you mean {path[-1]}?',
            )
        for what, value, says in wrong_values(inner):
            yield Wrong(what, name, changed(good, path, value), says)


@pytest.fixture
def vendor(server: BillingServer) -> Recorder:
    """In both vendors' place; it answers what an empty list looks like to either."""
    recorder = Recorder(Says({"data": []}))
    attach(server, recorder)
    return recorder


@pytest.mark.parametrize("tool", list(tools.MODULES))
async def test_every_wrong_argument_is_named_and_explained_and_nothing_is_sent(
    client: Client, vendor: Recorder, tool: str
) -> None:
    calls = list(wrong_calls(tool))
    assert calls
    for call in calls:
        error = failure(await client.call_tool(tool, call.arguments))
        told = f"{tool} {call.what} {call.field}: {error}"
        assert error["kind"] == "invalid-request", told
        assert error["field"] == call.field, told
        assert call.says in error["message"], told
        assert len(error["message"]) < 1500, told
    assert vendor.requests == []
    assert facts(await client.call_tool("list-customers", {}))["count"] == 0


@pytest.mark.parametrize("tool", list(tools.MODULES))
async def test_ten_megabytes_in_any_text_are_refused_without_being_repeated(
    server: BillingServer, vendor: Recorder, tool: str
) -> None:
    huge = "z" * 10_000_000
    schema = SCHEMAS[tool]["inputSchema"]
    everything = sample("", schema)
    for path, inner, _ in fields(schema):
        if inner["type"] != "string":
            continue
        result = await server.call_tool(tool, changed(settled(everything, path), path, huge))
        error = failure(result)
        assert error["kind"] == "invalid-request", (path, error)
        assert error["field"] == name_of(path)
        assert len(said(result)) < 3000
        assert "z" * 100 not in said(result)
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("tool", "path", "says"),
    [
        ("create-account", ("metadata",), "text on one line"),
        ("ingest-events", ("events", 0, "dimensions"), "text on one line"),
        ("report-usagerecordgroup", ("body", "records"), "text on one line"),
        (
            "report-usagerecordgroup",
            ("body", "billableRecords", 0, "properties"),
            "text on one line",
        ),
    ],
)
async def test_names_that_a_caller_chooses_are_checked_like_any_text(
    client: Client, vendor: Recorder, tool: str, path: Path, says: str
) -> None:
    good = settled(sample("", SCHEMAS[tool]["inputSchema"]), path)
    for name in ("two\nlines", "x" * 10_000):
        error = failure(await client.call_tool(tool, changed(good, path, {name: TEXT})))
        assert error["kind"] == "invalid-request"
        assert error["field"].startswith(name_of(path))
        assert len(error["message"]) < 1000
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("z" * 10_000, "text of at most 4000 characters"),
        ("a\x07b", "text without control characters (found U+0007)"),
        ([1], "an object of texts, numbers, true or false"),
        (0.1 + 0.2, "a string"),
    ],
)
async def test_properties_of_usage_are_checked_one_by_one(
    client: Client, vendor: Recorder, value: object, says: str
) -> None:
    record = {"key": "metric", "properties": {"region": value}}
    body = {"billableRecords": [record]}
    result = await client.call_tool(
        "report-usagerecordgroup", {"entitlementId": "ent", "body": body}
    )
    error = failure(result)
    assert error["field"] == "body.billableRecords[0].properties"
    assert says in error["message"]
    assert vendor.requests == []


async def test_half_a_surrogate_pair_is_no_text(server: BillingServer, vendor: Recorder) -> None:
    for arguments in (
        {"entitlementId": "ent", "body": {"records": {"\ud800": "1"}}},
        {"entitlementId": "\ud800", "body": {"records": {"a": "1"}}},
        {
            "entitlementId": "ent",
            "body": {"billableRecords": [{"key": "a", "properties": {"p": "\ud800"}}]},
        },
        {
            "entitlementId": "ent",
            "body": {"billableRecords": [{"key": "a", "properties": {"\ud800": "p"}}]},
        },
        {"entitlementId": "ent", "body": {"records": {"a": "1"}}, "\ud800": 1},
    ):
        error = failure(await server.call_tool("report-usagerecordgroup", arguments))
        assert error["kind"] == "invalid-request", arguments
    assert vendor.requests == []


async def test_an_error_shows_six_problems_and_counts_the_others(
    client: Client, vendor: Recorder
) -> None:
    arguments = {f"unknown{number}": 1 for number in range(9)}
    error = failure(await client.call_tool("get-usage-metering-config-info", arguments))
    assert error["message"].count("has no argument") == 6
    assert error["message"].endswith("; and 3 more.")
    assert vendor.requests == []


async def test_a_field_named_by_ten_megabytes_is_not_repeated(
    server: BillingServer, vendor: Recorder
) -> None:
    error = failure(await server.call_tool("list-customers", {"q" * 10_000_000: 1}))
    assert error["kind"] == "invalid-request"
    assert len(str(error)) < 1000
    assert vendor.requests == []


@pytest.mark.parametrize("given", ['["acme"]', '{"a": 1}', "not json", "5"])
async def test_text_stays_text_even_where_it_looks_like_json(
    client: Client, vendor: Recorder, given: str
) -> None:
    vendor.answers = [Says({"id": "x", "name": "x", "primaryEmail": "x@x.example"})]
    facts(await client.call_tool("get-customer", {"customerId": given}))
    (request,) = vendor.requests
    assert request.target == f"/togai/customers/{quote(given, safe='')}"


async def test_a_list_or_an_object_may_come_as_json_text(client: Client, vendor: Recorder) -> None:
    vendor.answers = [Says({"id": "x", "name": "xyz", "primaryEmail": "x@x.example"})]
    arguments = {
        "id": "x",
        "name": "xyz",
        "primaryEmail": "x@x.example",
        "address": '{"city": "Ulm"}',
    }
    facts(await client.call_tool("create-customer", arguments))
    assert '"address":{"city":"Ulm"}' in vendor.bodies[0]
    error = failure(await client.call_tool("create-customer", {**arguments, "address": "{broken"}))
    assert error["field"] == "address"
    assert "must be an object" in error["message"]
