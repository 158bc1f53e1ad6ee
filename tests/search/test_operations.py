"""The table that finding goes by has every operation once and agrees with the tools there are."""

import re
from importlib import resources

from billing_mcp import search, tools
from billing_mcp.catalog import Catalog
from billing_mcp.config import Settings

OPERATIONS = list(search.operations().values())
KINDS = {"read", "write", "destructive"}


def of_the_sandbox(vendor: str) -> list[str]:
    """The vendor's operations, from the list that the sandbox keeps of them."""
    listed = resources.files("billing_mcp.sandbox") / vendor / "operations.txt"
    return [
        line for line in listed.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]


def test_every_operation_of_togai_and_the_metering_of_suger_is_there_exactly_once() -> None:
    routes = [f"{each.method} {each.path}" for each in OPERATIONS if each.path]
    assert len(routes) == len(set(routes)) == 171
    metering = {route for route in routes if " /org/" in route}
    assert sorted(set(routes) - metering) == sorted(of_the_sandbox("togai"))
    # Suger documents 106 operations; the 13 of its metering are what this server is for.
    assert metering < set(of_the_sandbox("suger"))
    assert len(metering) == 13


def test_no_name_is_there_twice() -> None:
    text = resources.files("billing_mcp").joinpath("operations.csv").read_text(encoding="utf-8")
    assert len(text.splitlines()) == len(OPERATIONS) + 1


def test_an_operation_is_named_and_described_as_a_tool_would_be() -> None:
    for operation in OPERATIONS:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", operation.name)
        assert len(operation.name) <= 40, operation.name
        assert 3 < len(operation.title) <= 60, operation.name
        assert operation.kind in KINDS, operation.name
        assert re.fullmatch(r"(togai|suger)-[a-z-]+|ledger", operation.toolset), operation.name
        of_suger = operation.path.startswith("/org/")
        assert operation.toolset.startswith("suger") is of_suger, operation.name
        assert len(operation.words.split()) >= 10, operation.name
        assert operation.reads or operation.method != "GET", operation.name


def test_a_tool_is_in_the_table_as_it_is_declared() -> None:
    catalog = Catalog(Settings())
    for name in filter(tools.vendor_of, tools.MODULES):
        operation = search.operations()[name]
        declaration = catalog.built(name).declaration
        hints = declaration.hints
        kind = "read" if hints.read_only else "destructive" if hints.destructive else "write"
        assert f"{operation.method} {operation.path}" == declaration.route, name
        assert operation.title == declaration.title, name
        assert operation.kind == kind, name
        assert operation.toolset == tools.TOOLSET_OF[name], name


def test_every_operation_has_a_tool() -> None:
    assert {each.name for each in OPERATIONS} <= tools.MODULES.keys()


def test_a_tool_that_calls_no_vendor_itself_can_be_found_unless_it_finds_or_runs_others() -> None:
    composed = {name for name in tools.MODULES if tools.vendor_of(name) is None}
    searching = {name for name in composed if tools.TOOLSET_OF[name] == "search"}
    assert composed - searching == {each.name for each in OPERATIONS if not each.path}
