"""What is true of every tool, and which tools are served under which settings."""

import asyncio
import keyword
import re
from collections.abc import Iterator
from typing import Any

import pytest

from answers import connected
from billing_mcp import tools
from billing_mcp.catalog import Catalog, shipped_schemas
from billing_mcp.config import Settings, from_environ
from billing_mcp.credentials import SettingsError
from billing_mcp.declarations import Declaration
from billing_mcp.results import Outcome, Page, compact
from billing_mcp.server import BillingServer
from billing_mcp.shapes import shape_of
from billing_mcp.tenants import Caller, Tenant
from billing_mcp.tools import vendor_of
from good_calls import good_calls
from unguarded import ANYTHING
from world import World, open_world

NAMES = tuple(tools.MODULES)
CATALOG = Catalog(Settings())
# What a model should decide by what a person asks, and not because a description tells it to.
ORDERS = re.compile(
    r"\b(you (must|should|need)|ignore|important|be sure|make sure|first call)\b", re.IGNORECASE
)
# design.md §5: what a model sees of the 33 tools, at four bytes a token.
# Tokens as bytes/4: design §5, and what is left of it for the ledger and for answers.
TOKEN_BUDGETS = {"core": 6_000, "default": 6_600}


def declaration(name: str) -> Declaration:
    return CATALOG.built(name).declaration


@pytest.fixture(params=NAMES)
def published(request: pytest.FixtureRequest) -> dict[str, Any]:
    return shipped_schemas()[request.param]


def test_a_name_is_kebab_case_short_and_the_functions(published: dict[str, Any]) -> None:
    name = published["name"]
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name)
    assert len(name) <= 40
    function = declaration(name).function.__name__
    assert function == name.replace("-", "_")
    assert not keyword.iskeyword(function)


def test_a_description_is_there_short_and_gives_no_orders(published: dict[str, Any]) -> None:
    description = published["description"]
    assert 10 < len(description.encode()) <= 2_048
    assert description.endswith(".")
    assert "\n" not in description
    assert not ORDERS.search(description)


def test_a_title_is_there_and_says_it_in_words(published: dict[str, Any]) -> None:
    assert 3 < len(published["title"]) <= 60
    assert "_" not in published["title"]
    # What is written with a hyphen; a tool's name has others.
    assert "-" not in published["title"].replace("add-on", "").replace("short-lived", "")


def test_the_root_of_an_input_schema_is_a_plain_closed_object(published: dict[str, Any]) -> None:
    schema = published["inputSchema"]
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert not schema.keys() & {"anyOf", "oneOf", "allOf", "not", "$ref"}
    assert published["outputSchema"]["type"] == "object"
    assert not published["outputSchema"].keys() & {"anyOf", "oneOf", "allOf", "not", "$ref"}


def test_a_schema_has_no_titles_and_no_null_defaults(published: dict[str, Any]) -> None:
    for schema in (published["inputSchema"], published["outputSchema"]):
        for keywords in objects(schema):
            assert "title" not in keywords or isinstance(keywords["title"], dict)
            assert "default" not in keywords or keywords["default"] is not None


def test_arguments_are_spelled_in_camel_case(published: dict[str, Any]) -> None:
    for name in published["inputSchema"].get("properties", {}):
        assert re.fullmatch(r"[a-z][A-Za-z0-9]*", name)


def test_an_output_schema_requires_only_what_is_always_there(published: dict[str, Any]) -> None:
    schema = published["outputSchema"]
    # A write may answer with its plan instead, which has no rows.
    listed = "hasMore" in schema["properties"] and published["annotations"]["readOnlyHint"]
    assert schema["required"] == (["environment", "data"] if listed else ["environment"])
    assert all("required" not in keywords for keywords in objects(schema["properties"]))
    assert all(
        "additionalProperties" not in k or k["additionalProperties"] for k in objects(schema)
    )


def test_a_write_takes_an_operation_id_and_states_its_facts(published: dict[str, Any]) -> None:
    if published["name"] == "run-write-tool":  # those of the tool that it runs
        return
    reads = published["annotations"]["readOnlyHint"]
    declared = declaration(published["name"])
    if published["name"] != "get-operation":
        assert ("operationId" in published["inputSchema"]["properties"]) is not reads
    assert (declared.write is None) is reads
    if declared.write is not None:
        assert declared.write.find_out
        fields = shape_of(declared).arguments.model_fields
        assert declared.write.target in fields
        assert declared.write.amount is None or declared.write.amount in fields


def test_a_tool_that_lists_says_so_in_its_name(published: dict[str, Any]) -> None:
    if published["name"].startswith("list-"):
        assert "hasMore" in published["outputSchema"]["properties"]


def test_detail_is_an_argument_exactly_where_something_is_trimmed(
    published: dict[str, Any],
) -> None:
    result = declaration(published["name"]).function.__annotations__["return"]
    if result is Outcome:  # whatever the tool that is run answers
        assert "detail" not in published["inputSchema"]["properties"]
        return
    row = result.model_fields["data"].annotation.__args__[0] if issubclass(result, Page) else result
    trims = bool(row.concise) if issubclass(result, Page) else result.long
    assert ("detail" in published["inputSchema"]["properties"]) is trims


def test_nothing_is_read_only_and_destructive(published: dict[str, Any]) -> None:
    hints = published["annotations"]
    assert not (hints["readOnlyHint"] and hints["destructiveHint"])


def test_a_route_reads_exactly_when_its_tool_does_or_only_checks(
    published: dict[str, Any],
) -> None:
    route = declaration(published["name"]).route
    if route is None:
        return
    method = route.split(" ")[0]
    checks = {
        *("check-entitlement-value-account", "batch-validate-usagerecordgroups"),
        *("calculate-revenue-v1", "calculate-revenue-v2", "create-access-token"),
    }
    reads = published["annotations"]["readOnlyHint"]
    assert reads is (method == "GET" or published["name"] in checks)


def objects(node: Any, *, names: bool = False) -> Iterator[dict[str, Any]]:
    """Every JSON Schema object in a node; the names of properties are no keywords."""
    if isinstance(node, list):
        for item in node:
            yield from objects(item)
    elif isinstance(node, dict):
        if not names:
            yield node
        for key, value in node.items():
            yield from objects(value, names=key in ("properties", "$defs") and not names)


@pytest.mark.parametrize(("group", "budget"), TOKEN_BUDGETS.items())
def test_what_a_model_sees_of_a_group_stays_within_its_budget(group: str, budget: int) -> None:
    seen = [
        {key: tool[key] for key in ("name", "description", "inputSchema")}
        for tool in listed(Settings(toolsets=(group,)))
    ]
    assert sum(len(compact(tool).encode()) for tool in seen) / 4 <= budget


def listed(settings: Settings) -> list[dict[str, Any]]:
    server = BillingServer(settings)
    return server.catalog.listed(server.caller())


def served(**given: Any) -> tuple[str, ...]:
    return Catalog(Settings(**given)).served


def test_the_order_is_that_of_the_table_of_contents_whatever_is_asked_for() -> None:
    assert served(toolsets=("all",), secret_tools=True) == NAMES
    mixed = served(
        toolsets=("suger-metering", "togai-billing"), tools=("get-entitlements-account",)
    )
    assert mixed == tuple(name for name in NAMES if name in mixed)
    names = [tool["name"] for tool in listed(Settings())]
    assert names == [name for name in NAMES if name in names]


def test_a_group_serves_its_toolsets() -> None:
    assert len(served(toolsets=("core",))) == 33
    assert served() == served(toolsets=("default",))
    assert set(served(toolsets=("core",))) < set(NAMES)
    assert set(served(toolsets=("all",), secret_tools=True)) == set(NAMES)


def test_what_answers_with_a_secret_is_served_only_where_a_setting_allows_it() -> None:
    assert set(NAMES) - set(served(toolsets=("all",), tools=tuple(tools.SECRET))) == tools.SECRET
    assert not set(served(secret_tools=True)) & tools.SECRET


def test_a_toolset_serves_its_own_tools_and_tools_adds_to_it() -> None:
    assert len(served(toolsets=("togai-billing",))) == 12
    assert len(served(toolsets=("togai-entitlements",))) == 8
    assert len(served(toolsets=("suger-metering",))) == 13
    added = served(toolsets=("togai-entitlements",), tools=("list-customers", "list-customers"))
    assert len(added) == 9
    assert added[0] == "list-customers"


def test_excluded_tools_are_absent_even_when_they_are_asked_for() -> None:
    assert "grant-credit" not in served(exclude_tools=("grant-credit",), tools=("grant-credit",))
    assert len(served(toolsets=("core",), exclude_tools=("grant-credit",))) == 32


def test_read_only_wins_over_everything_that_adds() -> None:
    names = served(read_only=True, toolsets=("all",), tools=("grant-credit",))
    assert "grant-credit" not in names
    assert all(shipped_schemas()[name]["annotations"]["readOnlyHint"] for name in names)
    assert len(served(read_only=True, toolsets=("core",))) == 18


def test_with_one_key_the_tools_of_the_other_vendor_are_absent() -> None:
    core = {"BILLING_MCP_TOOLSETS": "core"}
    togai = Catalog(from_environ({"TOGAI_API_KEY": "key-1", **core})).served
    suger = Catalog(from_environ({"SUGER_API_KEY": "key-1", **core})).served
    assert len(togai) == 20
    assert len(suger) == 13
    assert not set(togai) & set(suger)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"toolsets": ("togai-biling",)}, "Unknown toolset togai-biling; did you mean"),
        ({"toolsets": ("x",)}, "Unknown toolset x; known: togai-billing"),
        ({"tools": ("grant-credits",)}, "BILLING_MCP_TOOLS names an unknown tool, grant-credits"),
        (
            {"exclude_tools": ("listCustomers",)},
            "an unknown tool, listCustomers. Did you mean list-customers?",
        ),
        ({"tools": ("zzz",)}, "zzz. See `billing-mcp tools`."),
    ],
)
def test_a_name_that_does_not_exist_is_an_error_with_the_nearest(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        served(**given)
    assert sentence in str(raised.value)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("settings", "name", "kind", "words"),
    [
        (Settings(read_only=True), "grant-credit", "not-permitted", "read-only"),
        (Settings(exclude_tools=("get-customer",)), "get-customer", "not-permitted", "excluded"),
        (
            Settings(toolsets=("suger-metering",)),
            "list-customers",
            "not-permitted",
            "--tools list-customers",
        ),
        (from_environ({"SUGER_API_KEY": "k"}), "list-credits", "not-configured", "TOGAI_API_KEY"),
        (Settings(), "list_customer", "not-found", "Did you mean list-customers"),
        (Settings(), "issue-refund", "not-found", "tools/list"),
        (Settings(), "x\x1b[31m\n" * 50, "not-found", "There is no tool"),
    ],
)
async def test_a_tool_that_is_not_served_says_why_and_how_it_would_be(
    settings: Settings, name: str, kind: str, words: str
) -> None:
    tenant = Tenant(settings.tenant, settings)
    outcome = await Catalog(settings).invoke(name, {}, Caller(tenant))
    assert outcome.is_error
    assert outcome.structured["error"]["kind"] == kind
    assert words in outcome.text
    assert outcome.text.isprintable()
    assert len(outcome.text) < 300


@pytest.mark.anyio
async def test_a_crash_tells_nothing_of_its_inside(caplog: pytest.LogCaptureFixture) -> None:
    server = BillingServer(Settings())

    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("secret of the inside")

    server.tenant.connection("togai").application = broken
    async with connected(server) as client:
        read = await client.call_tool("get-customer", {"customerId": "a"})
        write = await client.call_tool(
            "create-customer", {"id": "a", "name": "Abc", "primaryEmail": "a@b.example"}
        )
    assert read.structured_content is not None
    assert write.structured_content is not None
    assert read.structured_content["error"]["kind"] == "unavailable"
    # The request had left when it broke, so nobody can say that nothing happened.
    assert write.structured_content["error"]["kind"] == "outcome-unknown"
    assert "get-customer" in write.structured_content["error"]["next"]
    assert "secret" not in str(read) + str(write)
    assert "secret of the inside" in caplog.text


class Listener:
    """Stands before a vendor and writes down the requests that pass."""

    def __init__(self, world: World) -> None:
        self.application = world.sandbox
        self.seen: list[tuple[str, list[str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append((scope["method"], scope["raw_path"].decode().split("/")[2:]))
        await self.application(scope, receive, send)


@pytest.mark.anyio
@pytest.mark.parametrize("name", [name for name in NAMES if vendor_of(name)])
async def test_the_first_request_of_a_good_call_is_the_declared_route(name: str) -> None:
    server = BillingServer(Settings(toolsets=("all",), secret_tools=True, policy=ANYTHING))
    world = open_world(server)
    arguments = good_calls(world)[name]
    declared = declaration(name)
    listener = Listener(world)
    vendor = vendor_of(declared.name)
    assert vendor is not None
    assert declared.route is not None
    server.tenant.connection(vendor).application = listener
    async with connected(server) as client:
        result = await client.call_tool(name, arguments)
    assert not result.is_error, result.structured_content
    if declared.write is not None and declared.write.amount is not None:
        # The policy has to know whose money it is, and in which currency.
        assert listener.seen.pop(0) == ("GET", ["accounts", "harbor-main"])
    method, path = listener.seen[0]
    expected_method, template = declared.route.split(" ")
    assert method == expected_method
    parts = template.removeprefix("/").split("/")
    assert len(path) == len(parts)
    for part, sent in zip(parts, path, strict=True):
        assert sent if part.startswith("{") else sent == part


def test_two_servers_in_one_process_do_not_share_what_they_serve() -> None:
    first, second = BillingServer(Settings(read_only=True)), BillingServer(Settings())
    assert len(asyncio.run(first.list_tools())) == 22
    assert len(asyncio.run(second.list_tools())) == 38
