"""A tool's shape: what is published of its signature, and what a call's arguments become."""

from decimal import Decimal
from typing import Annotated, Any, ClassVar

import pytest
from mcp import Client
from pydantic import Field, ValidationError, WithJsonSchema

from answers import facts, failure
from billing_mcp.declarations import CREATE, READ, Toolset, Write
from billing_mcp.params import Body, Name, NonNegative
from billing_mcp.results import Exact, Result, TokenPage
from billing_mcp.server import BillingServer
from billing_mcp.shapes import Shape, clean, published, shape_of
from billing_mcp.upstream import Togai
from recording import Recorder, Says, attach

toolset = Toolset("of-this-test")


class Size(Body):
    width: NonNegative
    note: Name | None = None


class Pair(Body):
    left: Size
    right: Size


class Thing(Result):
    concise: ClassVar = ("id",)

    id: str
    price: Exact | None = None


class Letter(Result):
    long: ClassVar = True
    concise: ClassVar = ("id",)

    id: str
    text: str | None = None


@toolset.tool(READ, "GET /things")
async def list_things(togai: Togai, kind: Name | None = None) -> TokenPage[Thing]:
    """List things.
    They are many."""
    return await togai.fetch(TokenPage[Thing], query={"kind": kind})


async def unasked(*_: object) -> Any:
    raise NotImplementedError


WRITE = Write(find_out="look", reconcile=unasked, preview=unasked, stake=unasked)


@toolset.tool(CREATE, "POST /things", title="Make it", write=WRITE)
async def make_thing(
    togai: Togai,
    pair: Pair,
    sizes: list[Size],
    tags: dict[Name, Name] | None = None,
    title: Annotated[Name, Field(max_length=5)] = "thing",
    free: Annotated[Any, WithJsonSchema({"type": "object"})] = None,
) -> Thing:
    """Make a thing."""
    return await togai.fetch(Thing, body={})


@toolset.tool(CREATE, "POST /once", write=WRITE)
async def send_once(togai: Togai) -> Letter:
    """Send a letter once."""
    return await togai.fetch(Letter)


def shape(name: str) -> Shape:
    return shape_of(toolset.declarations[name])


def test_a_signature_is_published_as_a_closed_object_without_noise() -> None:
    assert shape("make-thing").input_schema == {
        "type": "object",
        "additionalProperties": False,
        "required": ["pair", "sizes"],
        "properties": {
            "pair": {
                "type": "object",
                "required": ["left", "right"],
                "properties": {
                    "left": {"$ref": "#/$defs/Size"},
                    "right": {"$ref": "#/$defs/Size"},
                },
            },
            "sizes": {"type": "array", "items": {"$ref": "#/$defs/Size"}},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}},
            "title": {"type": "string", "maxLength": 5, "default": "thing"},
            "free": {"type": "object"},
            "dryRun": {"type": "boolean", "default": False},
            "operationId": {
                "type": "string",
                "format": "uuid",
                "description": "Same id: done only once",
            },
        },
        "$defs": {
            "Size": {
                "type": "object",
                "required": ["width"],
                "properties": {
                    "width": {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
                    "note": {"type": "string"},
                },
            }
        },
    }


def test_a_shape_is_made_once_for_all_servers_of_a_process() -> None:
    assert shape("make-thing") is shape("make-thing")
    assert shape("make-thing") is not shape("send-once")


def test_only_a_tool_whose_answer_is_trimmed_has_a_detail() -> None:
    assert "detail" in shape("list-things").input_schema["properties"]
    assert "detail" in shape("send-once").input_schema["properties"]
    assert "detail" not in shape("make-thing").input_schema["properties"]


def test_every_write_takes_the_id_of_its_operation_and_can_be_planned_and_no_read_does() -> None:
    ours = {"operationId", "dryRun"}
    assert ours <= set(shape("send-once").input_schema["properties"])
    assert ours <= set(shape("make-thing").input_schema["properties"])
    assert not ours & set(shape("list-things").input_schema["properties"])


def test_a_result_is_described_but_only_what_is_always_there_is_required() -> None:
    schema = shape("list-things").output_schema
    assert schema["required"] == ["environment", "data"]
    assert set(schema["properties"]) >= {"environment", "count", "hasMore", "data", "nextToken"}
    row = schema["properties"]["data"]["items"]
    assert row["properties"] == {"id": {"type": "string"}, "price": {"type": "string"}}
    assert "required" not in row
    assert "additionalProperties" not in schema
    assert shape("make-thing").output_schema["required"] == ["environment"]


def test_a_tool_is_published_with_its_docstring_on_one_line_and_all_four_hints() -> None:
    listed = published(toolset.declarations["list-things"])
    assert listed["title"] == "List things"
    assert listed["description"] == "List things. They are many."
    assert listed["annotations"] == {
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    }
    assert published(toolset.declarations["make-thing"])["title"] == "Make it"


def test_arguments_become_what_the_function_takes() -> None:
    size = {"width": "1.50"}
    arguments = shape("make-thing").validate({"pair": {"left": size, "right": size}, "sizes": []})
    assert arguments["pair"] == Pair(
        left=Size(width=Decimal("1.50")), right=Size(width=Decimal("1.50"))
    )
    assert (arguments["tags"], arguments["title"]) == (None, "thing")
    assert (arguments["operationId"], arguments["free"]) == (None, None)


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ('[{"width": "1.5"}]', [Size(width=Decimal("1.5"))]),
        (
            '[{"width": 0.100000000000000000000001}]',
            [Size(width=Decimal("0.100000000000000000000001"))],
        ),
        ("[]", []),
    ],
)
def test_a_list_as_json_text_is_read_exactly(given: str, sizes: list[Size]) -> None:
    pair = '{"left": {"width": 1}, "right": {"width": 2}}'
    arguments = shape("make-thing").validate({"pair": pair, "sizes": given, "title": "[]"})
    assert arguments["sizes"] == sizes
    assert arguments["pair"].right.width == 2
    assert arguments["title"] == "[]"


@pytest.mark.parametrize("given", ["[" * 100_000, "[NaN]", "[1,", "text", '"[]"'])
def test_text_that_is_no_list_is_refused_as_text(given: str) -> None:
    pair = {"left": {"width": 1}, "right": {"width": 2}}
    with pytest.raises(ValidationError) as caught:
        shape("make-thing").validate({"pair": pair, "sizes": given})
    (problem,) = caught.value.errors()
    assert (problem["type"], problem["loc"]) == ("list_type", ("sizes",))


@pytest.mark.anyio
async def test_numbers_in_json_text_reach_the_vendor_exactly(
    client: Client, server: BillingServer
) -> None:
    vendor = Recorder(Says({"success": True}))
    attach(server, vendor)
    events = (
        '[{"schemaName": "calls", "timestamp": "2026-11-20T11:00:00Z", "accountId": "acme",'
        ' "attributes": [{"name": "calls", "value": 12345678901234567890.12}]}]'
    )
    facts(await client.call_tool("ingest-events", {"events": events}))
    assert '"value":"12345678901234567890.12"' in vendor.bodies[0]
    error = failure(await client.call_tool("ingest-events", {"events": "[" * 100_000}))
    assert (error["kind"], error["field"]) == ("invalid-request", "events")


def test_a_property_called_title_or_required_survives_the_cleaning() -> None:
    schema = {
        "title": "Noise",
        "type": "object",
        "properties": {
            "title": {"title": "Title", "type": "string"},
            "default": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
        },
        "additionalProperties": True,
    }
    assert clean(schema) == {
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "default": {"type": "integer"},
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        },
    }


def test_a_definition_stands_where_it_is_used_once_and_stays_where_it_is_used_twice() -> None:
    schema = {
        "properties": {
            "a": {"$ref": "#/$defs/A", "description": "of a"},
            "b": {"items": {"$ref": "#/$defs/B"}},
            "c": {"$ref": "#/$defs/B"},
        },
        "$defs": {
            "A": {"properties": {"deep": {"$ref": "#/$defs/C"}}, "description": "lost"},
            "B": {"type": "integer"},
            "C": {"type": "string"},
            "Unused": {"type": "null"},
        },
    }
    assert clean(schema) == {
        "properties": {
            "a": {"properties": {"deep": {"type": "string"}}, "description": "of a"},
            "b": {"items": {"$ref": "#/$defs/B"}},
            "c": {"$ref": "#/$defs/B"},
        },
        "$defs": {"B": {"type": "integer"}},
    }
