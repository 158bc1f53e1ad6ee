"""The shipped schemas and the README's tables are what the code makes, and answers obey them."""

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # comes with mcp and has no stubs
import pytest

from answers import connected, facts, said
from billing_mcp.catalog import shipped_schemas
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
from good_calls import GRANTED, good_calls
from unguarded import ANYTHING
from world import open_world

ROOT = Path(__file__).parents[1]
# What `tools/list` says of a tool beside its name.
FACTS = ("title", "description", "inputSchema", "outputSchema", "annotations")
STALE = "is stale; run `python scripts/generate.py` and look at what it changes"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "scripts" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def changed(shipped: Mapping[str, Any], built: Mapping[str, Any]) -> list[str]:
    """What a client would see otherwise than it was published: `get-invoice: description`."""
    return [
        f"{name}: {part}"
        for name in {**shipped, **built}
        for part in ("name", *FACTS)
        if shipped.get(name, {}).get(part) != built.get(name, {}).get(part)
    ]


def test_every_tool_is_published_as_the_code_builds_it(generate: ModuleType) -> None:
    listed = generate.listed()
    built = {tool["name"]: tool for tool in listed}
    assert all(set(tool) == {"name", *FACTS} for tool in built.values())
    assert changed(shipped_schemas(), built) == [], f"schemas.json {STALE}"
    shipped = (ROOT / "src" / "billing_mcp" / "schemas.json").read_text(encoding="utf-8")
    assert shipped == generate.schemas_text(listed), f"schemas.json {STALE}"


@pytest.mark.parametrize("part", FACTS)
def test_a_change_of_what_is_published_names_the_tool_and_what_of_it(part: str) -> None:
    shipped = shipped_schemas()
    other = shipped["get-invoice"] | {part: "other"}
    assert changed(shipped, shipped | {"get-invoice": other}) == [f"get-invoice: {part}"]


def test_a_tool_that_comes_or_goes_is_named() -> None:
    shipped = shipped_schemas()
    without = {name: tool for name, tool in shipped.items() if name != "get-invoice"}
    assert "get-invoice: name" in changed(shipped, without)
    assert "get-invoice: name" in changed(without, shipped)


@pytest.mark.parametrize("document", ["README.md", "docs/tools.md"])
def test_the_tables_of_a_document_are_what_the_code_says(
    document: str, generate: ModuleType
) -> None:
    assert (ROOT / document).read_text(encoding="utf-8") == generate.text_of(ROOT / document), (
        f"{document} {STALE}"
    )


def test_every_schema_is_a_schema() -> None:
    for tool in shipped_schemas().values():
        jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
        jsonschema.Draft202012Validator.check_schema(tool["outputSchema"])


@pytest.mark.anyio
@pytest.mark.parametrize(("era", "detail"), [("modern", "concise"), ("legacy", "full")])
async def test_every_good_answer_is_valid_by_the_published_schemas(era: str, detail: str) -> None:
    server = BillingServer(Settings(toolsets=("all",), secret_tools=True, policy=ANYTHING))
    calls = good_calls(open_world(server))
    calls["grant-credit"]["operationId"] = GRANTED
    async with connected(server, era) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(listed) == set(calls)
        for name, given in calls.items():
            tool = listed[name]
            arguments = given
            if "detail" in tool.input_schema["properties"]:
                arguments = given | {"detail": detail}
            jsonschema.validate(arguments, tool.input_schema)
            result = await client.call_tool(name, arguments)
            answer = facts(result)
            assert tool.output_schema is not None
            jsonschema.validate(answer, tool.output_schema)
            assert answer["environment"] == "sandbox"
            reads = tool.annotations.read_only_hint  # type: ignore[union-attr]  # test_contract: always sent
            assert ("operationId" in answer) is (not reads or name == "get-operation")
            assert not list(floats(answer))
            assert said(result)


def floats(node: Any) -> Iterator[float]:
    """Numbers that could have lost something; every exact one is text or whole."""
    if isinstance(node, float):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from floats(value)
    elif isinstance(node, list):
        for item in node:
            yield from floats(item)


@pytest.mark.anyio
async def test_a_list_tells_its_rows_and_whether_there_are_more() -> None:
    server = BillingServer(Settings(toolsets=("all",)))
    open_world(server)
    async with connected(server) as client:
        first = facts(await client.call_tool("list-customers", {"pageSize": 1, "sort": "id"}))
        assert [row["id"] for row in first["data"]] == ["harbor-labs"]
        assert first["count"] == 1
        assert first["hasMore"] is True
        rest = await client.call_tool("list-customers", {"nextToken": first["nextToken"]})
        last = facts(rest)
        assert [row["id"] for row in last["data"]] == ["north-mill"]
        assert last["hasMore"] is False
        assert "nextToken" not in last
        assert said(rest).splitlines() == [
            "1 row · sandbox",
            "id|name|primaryEmail",
            'north-mill|"North Mill"|billing@north-mill.example',
        ]
