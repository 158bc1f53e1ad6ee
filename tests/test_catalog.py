"""What is true of every tool, and which tools are served under which settings."""

import asyncio
import keyword
import re
from collections.abc import Iterator
from itertools import dropwhile
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
from world import open_world

NAMES = tuple(tools.MODULES)
CATALOG = Catalog(Settings())
# What a model should decide by what a person asks, and not because a description tells it to.
ORDERS = re.compile(
    r"\b(you (must|should|need)|ignore|important|be sure|make sure|first call)\b", re.IGNORECASE
)
# Tokens as bytes/4: design §5 for the core; the default set has not grown since it had the core,
# search and the ledger, whatever came to the other toolsets.
TOKEN_BUDGETS = {"core": 6_000, "default": 6_492, "all": 45_000}


def declaration(name: str) -> Declaration:
    return CATALOG.built(name).declaration


PUBLISHED = shipped_schemas()


def test_a_name_is_kebab_case_short_and_the_functions() -> None:
    for name in PUBLISHED:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name)
        assert len(name) <= 40, name
        function = declaration(name).function.__name__
        assert function == name.replace("-", "_")
        assert not keyword.iskeyword(function)


def test_a_description_is_there_short_and_gives_no_orders() -> None:
    for name, tool in PUBLISHED.items():
        description = tool["description"]
        assert 10 < len(description.encode()) <= 2_048, name
        assert description.endswith("."), name
        assert "\n" not in description, name
        assert not ORDERS.search(description), name


def test_a_title_is_there_and_says_it_in_words() -> None:
    for name, tool in PUBLISHED.items():
        assert 3 < len(tool["title"]) <= 60, name
        assert "_" not in tool["title"], name
        # Others are of a tool's name, and not of its title.
        hyphened = set(re.findall(r"\w+-\w+", tool["title"].lower()))
        assert hyphened <= {"add-on", "add-ons", "one-time", "short-lived"}, name


def test_the_root_of_an_input_schema_is_a_plain_closed_object() -> None:
    for name, tool in PUBLISHED.items():
        assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object", name
        assert tool["inputSchema"]["additionalProperties"] is False, name
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            assert not schema.keys() & {"anyOf", "oneOf", "allOf", "not", "$ref"}, name


def test_a_schema_has_no_titles_and_no_null_defaults() -> None:
    for name, tool in PUBLISHED.items():
        for keywords in objects([tool["inputSchema"], tool["outputSchema"]]):
            assert "title" not in keywords or isinstance(keywords["title"], dict), name
            assert "default" not in keywords or keywords["default"] is not None, name


def test_arguments_are_spelled_in_camel_case() -> None:
    for name, tool in PUBLISHED.items():
        for argument in tool["inputSchema"].get("properties", {}):
            assert re.fullmatch(r"[a-z][A-Za-z0-9]*", argument), name


def test_an_output_schema_requires_only_what_is_always_there() -> None:
    for name, tool in PUBLISHED.items():
        schema = tool["outputSchema"]
        # A write may answer with its plan instead, which has no rows.
        listed = "hasMore" in schema["properties"] and tool["annotations"]["readOnlyHint"]
        required = ["environment", "data"] if listed else ["environment"]
        assert schema["required"] == required, name
        assert all("required" not in each for each in objects(schema["properties"])), name
        assert all(each.get("additionalProperties", True) for each in objects(schema)), name


def test_a_write_takes_an_operation_id_and_states_its_facts() -> None:
    for name, tool in PUBLISHED.items():
        if name == "run-write-tool":  # those of the tool that it runs
            continue
        reads = tool["annotations"]["readOnlyHint"]
        declared = declaration(name)
        if name != "get-operation":
            assert ("operationId" in tool["inputSchema"]["properties"]) is not reads, name
        assert (declared.write is None) is reads, name
        if declared.write is not None:
            assert declared.write.find_out, name
            fields = shape_of(declared).arguments.model_fields
            # A bill run is for all customers whose invoices are due.
            assert declared.write.target in fields or name == "create-bill-run", name
            assert declared.write.amount is None or declared.write.amount in fields, name


def test_a_tool_that_lists_says_so_in_its_name() -> None:
    for name, tool in PUBLISHED.items():
        if name.startswith("list-"):
            assert "hasMore" in tool["outputSchema"]["properties"], name


def test_detail_is_an_argument_exactly_where_something_is_trimmed() -> None:
    for name, tool in PUBLISHED.items():
        result = declaration(name).function.__annotations__["return"]
        if result is Outcome:  # whatever the tool that is run answers
            trims = False
        elif issubclass(result, Page):
            trims = bool(result.model_fields["data"].annotation.__args__[0].concise)
        else:
            trims = result.long
        assert ("detail" in tool["inputSchema"]["properties"]) is trims, name


def test_nothing_is_read_only_and_destructive() -> None:
    for name, tool in PUBLISHED.items():
        hints = tool["annotations"]
        assert not (hints["readOnlyHint"] and hints["destructiveHint"]), name


def test_a_route_reads_exactly_when_its_tool_does_or_only_checks() -> None:
    checks = {
        *("check-entitlement-value-account", "batch-validate-usagerecordgroups"),
        *("calculate-revenue-v1", "calculate-revenue-v2", "create-access-token", "query-metrics"),
    }
    for name, tool in PUBLISHED.items():
        route = declaration(name).route
        if route is not None:
            reads = route.startswith("GET ") or name in checks
            assert tool["annotations"]["readOnlyHint"] is reads, name


def test_a_deprecated_tool_says_so_and_names_what_there_is_instead() -> None:
    for name, successors in tools.SUPERSEDED.items():
        says = PUBLISHED[name]["description"]
        assert re.search(r"Deprecated|Superseded", says), name
        assert set(successors) <= set(re.findall(r"[a-z0-9-]+", says)), name
        assert set(successors) <= PUBLISHED.keys() - tools.SUPERSEDED.keys(), name
        # Without a successor nothing follows the word but who says it.
        assert successors or re.search(r"Deprecated by Togai( without a successor)?\.", says), name


def test_no_other_tool_says_that_it_is_deprecated() -> None:
    saying = {
        name
        for name, tool in PUBLISHED.items()
        if re.search("deprecated|superseded", str(tool["title"] + tool["description"]).lower())
    }
    assert saying == tools.SUPERSEDED.keys()


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
        for tool in listed(Settings(toolsets=(group,), secret_tools=True))
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
        (Settings(), "get-job", "not-permitted", "run-read-tool runs it."),
        (Settings(), "confirm-job", "not-permitted", "run-write-tool runs it."),
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


@pytest.mark.anyio
async def test_the_first_request_of_a_good_call_is_the_declared_route() -> None:
    server = BillingServer(Settings(toolsets=("all",), secret_tools=True, policy=ANYTHING))
    world = open_world(server)
    requests: list[tuple[str, list[str]]] = []

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        """Stands before both vendors and writes down the requests that pass."""
        requests.append((scope["method"], scope["raw_path"].decode().split("/")[2:]))
        await world.sandbox(scope, receive, send)

    server.tenant.connection("togai").application = listening
    server.tenant.connection("suger").application = listening
    given = good_calls(world)
    known: set[str] = set()
    for name in filter(vendor_of, NAMES):
        requests.clear()
        outcome = await server.catalog.invoke(name, given[name], server.caller())
        assert not outcome.is_error, outcome.text
        seen = list(requests)
        route, write = declaration(name).route, declaration(name).write
        assert route is not None
        if write is not None and write.amount in given[name]:
            # The policy has to know whose money it is, and in which currency; that is kept.
            account_id = given[name][write.target or ""]
            if account_id not in known or seen[0][0] == "GET":
                assert seen.pop(0) == ("GET", ["accounts", account_id]), name
                known.add(account_id)
        if write is not None and write.baseline is not None:
            # What there is before it may be read, so that what it makes can be told from that.
            seen = [*dropwhile(lambda request: request[0] == "GET", seen)]
        method, path = seen[0]
        assert method == route.split(" ")[0], name
        parts = route.split(" ")[1].removeprefix("/").split("/")
        for part, sent in zip(parts, path, strict=True):
            assert sent if part.startswith("{") else sent == part, name


def test_two_servers_in_one_process_do_not_share_what_they_serve() -> None:
    first, second = BillingServer(Settings(read_only=True)), BillingServer(Settings())
    assert len(asyncio.run(first.list_tools())) == 22
    assert len(asyncio.run(second.list_tools())) == 38
