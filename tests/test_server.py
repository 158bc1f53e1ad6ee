"""What a client learns of the server itself: its name, its instructions, its list of tools."""

from pathlib import Path

import pytest
from mcp import Client

from answers import connected, facts
from billing_mcp import __version__
from billing_mcp.catalog import Catalog
from billing_mcp.config import Settings, from_environ
from billing_mcp.credentials import SettingsError
from billing_mcp.instructions import instructions
from billing_mcp.server import BillingServer
from billing_mcp.tenants import Tenant

pytestmark = pytest.mark.anyio


SEARCH = ("search-tools", "run-read-tool", "run-write-tool")


def told(settings: Settings) -> str:
    return instructions(Catalog(settings), Tenant(settings.tenant, settings))


async def test_the_server_names_itself_and_its_version(client: Client) -> None:
    assert client.server_info is not None
    assert client.server_info.name == "billing-mcp"
    assert client.server_info.title == "Billing"
    assert client.server_info.version == __version__


async def test_the_instructions_reach_the_client_in_both_eras(client: Client) -> None:
    assert client.instructions == told(Settings())


async def test_a_client_is_told_of_tools_resources_prompts_and_completions(client: Client) -> None:
    capabilities = client.server_capabilities
    assert capabilities.tools is not None
    assert not capabilities.tools.list_changed
    assert capabilities.resources is not None
    assert not capabilities.resources.subscribe
    assert capabilities.prompts is not None
    assert capabilities.completions is not None


def test_the_instructions_speak_of_searching_only_where_it_is_served() -> None:
    assert "search-tools" not in told(Settings(toolsets=("core",)))
    searching = told(Settings(toolsets=("core",), tools=SEARCH))
    assert all(name in searching for name in SEARCH)


async def test_the_list_is_whole_ordered_and_the_same_each_time(client: Client) -> None:
    first, second = await client.list_tools(), await client.list_tools()
    assert [tool.name for tool in first.tools] == [tool.name for tool in second.tools]
    assert len(first.tools) == 38
    assert first.next_cursor is None


def test_the_instructions_fit_and_say_what_to_use_the_server_for() -> None:
    for settings in (Settings(), from_environ({"TOGAI_API_KEY": "k", "SUGER_API_KEY": "k"})):
        text = told(settings)
        assert len(text.encode()) <= 2_048
        for word in ("invoices", "credits", "price plans", "marketplaces", "UTC", "never"):
            assert word in text


def test_in_the_sandbox_the_instructions_say_so_and_tell_its_time(tmp_path: Path) -> None:
    sandbox = "Environment: sandbox. All data is invented and no money moves. "
    assert told(Settings()).endswith(
        f"{sandbox}The sandbox's clock stands at 2026-11-20T12:00:00Z."
    )
    later = from_environ({"BILLING_MCP_SANDBOX_NOW": "2027-02-03T04:05:06Z"})
    assert told(later).endswith("The sandbox's clock stands at 2027-02-03T04:05:06Z.")
    new_file = Settings(sandbox_data=tmp_path / "new.db")
    assert told(new_file).endswith("The sandbox's clock stands at 2026-11-20T12:00:00Z.")
    assert not (tmp_path / "new.db").exists()


async def test_the_time_told_is_that_of_the_data_file(tmp_path: Path) -> None:
    settings = Settings(sandbox_data=tmp_path / "company.db")
    tenant = Tenant(settings.tenant, settings)
    tenant.sandbox.backend.reset(demo=False)
    tenant.sandbox.backend.db.execute("update clock set moment = '2026-12-24T18:00:00.000Z'")
    await tenant.close()
    assert told(settings).endswith("The sandbox's clock stands at 2026-12-24T18:00:00Z.")


async def test_a_data_file_that_is_none_is_a_wrong_setting(tmp_path: Path) -> None:
    settings = Settings(sandbox_data=tmp_path / "no-such-folder" / "company.db")
    with pytest.raises(SettingsError, match="there is no folder"):
        _ = Tenant(settings.tenant, settings).sandbox
    (tmp_path / "letter.txt").write_text("Dear customer", encoding="utf-8")
    with pytest.raises(SettingsError, match="move the file away"):
        BillingServer(Settings(sandbox_data=tmp_path / "letter.txt"))


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"TOGAI_API_KEY": "k"}, "Environment: Togai is live. "),
        (
            {"TOGAI_API_KEY": "k", "TOGAI_BASE_URL": "https://sandbox-api.togai.com"},
            "Environment: Togai is vendor-sandbox. ",
        ),
        (
            {"TOGAI_API_KEY": "k", "SUGER_API_KEY": "k"},
            "Environment: Togai is live, Suger is live. ",
        ),
    ],
)
def test_with_keys_the_instructions_say_where_writes_are_real(
    environ: dict[str, str], sentence: str
) -> None:
    text = told(from_environ(environ))
    assert f"{sentence}Writes change real billing data where it says live." in text
    assert "invented" not in text


def test_only_the_vendors_that_are_there_are_named() -> None:
    assert told(from_environ({"SUGER_API_KEY": "k"})).startswith("Billing through Suger: ")
    assert told(Settings()).startswith("Billing through Togai and Suger: ")


async def test_closing_the_server_closes_what_it_opened() -> None:
    server = BillingServer(Settings())
    async with connected(server) as client:
        facts(await client.call_tool("list-customers", {}))
        assert server.tenant._sandbox is not None
    assert server.tenant._sandbox is None
    assert server.tenant._connections == {}


async def test_a_secret_is_in_nothing_that_a_client_sees() -> None:
    server = BillingServer(from_environ({"TOGAI_API_KEY": "key-0123456789"}))
    async with connected(server) as client:
        seen = f"{client.instructions} {await client.list_tools()} {client.server_info}"
    assert "0123456789" not in seen
