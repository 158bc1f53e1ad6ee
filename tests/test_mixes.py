"""Any mix of settings serves the tools that it should: computed a second time, tool by tool."""

import asyncio
import csv
from dataclasses import dataclass
from importlib import resources
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from billing_mcp import tools
from billing_mcp.catalog import shipped_schemas
from billing_mcp.config import Settings
from billing_mcp.credentials import Credential, TenantSettings
from billing_mcp.server import BillingServer

SEEDS = {"togai-billing", "togai-entitlements", "suger-metering"}
GROUPS = {"core": SEEDS, "default": SEEDS | {"search", "ledger"}}
RUNNERS = {"read": "run-read-tool", "write": "run-write-tool", "destructive": "run-write-tool"}


@dataclass(frozen=True)
class Known:
    """What there is to know of a tool, from the table that searching goes by."""

    name: str
    toolset: str
    vendor: str | None
    kind: str


def known() -> dict[str, Known]:
    text = resources.files("billing_mcp").joinpath("operations.csv").read_text(encoding="utf-8")
    of_vendors = {"togai": "togai", "suger": "suger", "ledger": None}
    rows = [
        Known(row["name"], row["toolset"], of_vendors[row["toolset"].split("-")[0]], row["kind"])
        for row in csv.DictReader(text.splitlines())
    ]
    searching = [
        Known("search-tools", "search", None, "read"),
        Known("run-read-tool", "search", None, "read"),
        Known("run-write-tool", "search", None, "destructive"),
    ]
    return {each.name: each for each in (*rows, *searching)}


TOOLS = known()
TOOLSETS = sorted({each.toolset for each in TOOLS.values()})
groups = st.sampled_from(["core", "default", "all"])
some_toolsets = st.lists(groups | st.sampled_from(TOOLSETS), max_size=3)
some_tools = st.lists(st.sampled_from(sorted(TOOLS)), max_size=6)
CREDENTIAL = Credential("http://127.0.0.1:1", SecretStr("Bearer key"))


def drawn_tenant(draw: st.DrawFn) -> TenantSettings:
    vendors = draw(st.sampled_from(["both", "togai", "suger", "sandbox"]))
    return TenantSettings(
        "default",
        togai=CREDENTIAL if vendors in ("both", "togai") else None,
        suger=CREDENTIAL if vendors in ("both", "suger") else None,
        toolsets=draw(st.none() | some_toolsets.map(tuple)),
        tools=tuple(draw(some_tools)),
        exclude_tools=tuple(draw(some_tools)),
        read_only=draw(st.booleans()),
    )


@st.composite
def mixes(draw: st.DrawFn) -> Settings:
    return Settings(
        tenants=(drawn_tenant(draw),),
        toolsets=tuple(draw(some_toolsets)),
        tools=tuple(draw(some_tools)),
        exclude_tools=tuple(draw(some_tools)),
        read_only=draw(st.booleans()),
        secret_tools=draw(st.booleans()),
    )


def allowed(tool: Known, mix: Settings) -> bool:
    """Whether a tool may be called at all, listed or not."""
    tenant = mix.tenants[0]
    vendors = {"togai": tenant.togai, "suger": tenant.suger}
    offline = not any(vendors.values())
    return (
        (tool.kind == "read" or not (mix.read_only or tenant.read_only))
        and tool.name not in mix.exclude_tools + tenant.exclude_tools
        and (tool.vendor is None or offline or vendors[tool.vendor] is not None)
        and (mix.secret_tools or tool.name not in ("create-access-token", "create-portal-token"))
    )


def asked_for(tool: Known, mix: Settings) -> bool:
    tenant = mix.tenants[0]
    toolsets = mix.toolsets if tenant.toolsets is None else tenant.toolsets
    return tool.name in mix.tools + tenant.tools or any(
        each == "all" or tool.toolset in GROUPS.get(each, {each}) for each in toolsets
    )


def test_the_table_has_every_tool() -> None:
    assert TOOLS.keys() == tools.MODULES.keys() == shipped_schemas().keys()
    assert len(TOOLS) == 176


@settings(max_examples=60, deadline=None)
@given(mix=mixes(), tried=st.lists(st.sampled_from(sorted(TOOLS)), max_size=3))
def test_any_mix_lists_calls_and_runs_what_it_should(mix: Settings, tried: list[str]) -> None:
    server = BillingServer(mix)
    catalog, caller = server.catalog, server.caller()
    served = {each.name for each in TOOLS.values() if allowed(each, mix) and asked_for(each, mix)}
    assert [tool["name"] for tool in catalog.listed(caller)] == [
        name for name in tools.MODULES if name in served
    ]
    for each in TOOLS.values():
        assert (catalog.refusal(each.name, caller) is None) is allowed(each, mix), each.name
    for name in tried:
        # A call that is let in comes to nothing more than this: it has no such argument.
        entered = asyncio.run(catalog.invoke(name, {"nonsense": 1}, caller))
        assert (kind(entered.structured) == "invalid-request") is (name in served), name
        runner = RUNNERS[TOOLS[name].kind]
        if runner in served and TOOLS[name].toolset != "search":
            asked = {"name": name, "arguments": {"nonsense": 1}}
            ran = asyncio.run(catalog.invoke(runner, asked, caller))
            assert (kind(ran.structured) == "invalid-request") is allowed(TOOLS[name], mix), name


def kind(structured: dict[str, Any]) -> str:
    found: str = structured["error"]["kind"]
    return found
