"""Every wrong argument of every tool: named, explained, and never sent to a vendor.

The wrong arguments are made from the published schemas, so that a new tool or a new field is
covered the day it is published. Price-plan details are published in short form; their full schema
is the one that calls are checked by.
"""

from urllib.parse import quote

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp import tools
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
from billing_mcp.shapes import clean
from billing_mcp.tools.togai.rate_cards import PricePlanDetails
from recording import Recorder, Says, attach
from wrong_calls import (
    SCHEMAS,
    TEXT,
    Path,
    Wrong,
    changed,
    fields,
    name_of,
    sample,
    settled,
    whole_schema,
    wrong_calls,
    wrong_fields,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings() -> Settings:
    return Settings(toolsets=("all",), secret_tools=True)


@pytest.fixture
def vendor(server: BillingServer) -> Recorder:
    """In both vendors' place; it answers what an empty list looks like to either."""
    recorder = Recorder(Says({"data": []}))
    attach(server, recorder)
    return recorder


@pytest.mark.parametrize("tool", list(tools.MODULES))
async def test_every_wrong_argument_is_named_and_explained_and_nothing_is_sent(
    server: BillingServer, vendor: Recorder, tool: str
) -> None:
    await refused(server, tool, list(wrong_calls(tool)))
    assert vendor.requests == []


async def test_every_kind_of_wrong_argument_is_refused_alike_in_both_eras(
    client: Client, vendor: Recorder
) -> None:
    kinds = {wrong.what: (tool, wrong) for tool in tools.MODULES for wrong in wrong_calls(tool)}
    assert len(kinds) > 20
    for tool, wrong in kinds.values():
        await refused(client, tool, [wrong])
    assert vendor.requests == []
    assert facts(await client.call_tool("list-customers", {}))["count"] == 0


async def test_every_wrong_part_of_a_price_plan_is_named_and_explained_and_nothing_is_sent(
    server: BillingServer, vendor: Recorder
) -> None:
    whole = whole_schema(clean(PricePlanDetails.model_json_schema()))
    schema = {"properties": {"pricePlanDetails": whole}, "type": "object"}
    calls = [
        Wrong(wrong.what, wrong.field, {"name": "Plan", **wrong.arguments}, wrong.says)
        for wrong in wrong_fields(schema)
    ]
    assert len(calls) > 500
    await refused(server, "create-price-plan", calls)
    assert vendor.requests == []
    vendor.answers = [Says({"id": "pp.1", "name": "Plan"})]
    good = {"name": "Plan", **sample("", schema)}
    facts(await server.call_tool("create-price-plan", good))


async def refused(called: Client | BillingServer, tool: str, calls: list[Wrong]) -> None:
    """`called` is a client, or the server past the protocol where that is not the point."""
    assert calls
    for call in calls:
        error = failure(await called.call_tool(tool, call.arguments))
        told = f"{tool} {call.what} {call.field}: {error}"
        assert error["kind"] == "invalid-request", told
        assert error["field"] == call.field, told
        assert call.says in error["message"], told
        assert len(error["message"]) < 1500, told


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
