"""The ledger as a model and a person see it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from mcp.types import Implementation
from pydantic import SecretStr

from answers import connected, facts, failure, said
from billing_mcp import cli
from billing_mcp.config import Settings, from_environ
from billing_mcp.credentials import SettingsError
from billing_mcp.server import BillingServer
from guard.guarded import guarded
from processes import served_sandbox
from world import furnish

pytestmark = pytest.mark.anyio

OPERATION = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
OTHER = "0b8c6a52-7d3c-4f0e-8a43-5d1f0c9b2e11"
GRANT = {"accountId": "harbor-main", "creditAmount": "50", "effectiveFrom": "2026-11-20"}
CUSTOMER = {"id": "walnut", "name": "Walnut", "primaryEmail": "billing@walnut.example"}


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_an_operation_shows_what_was_asked_and_what_became_of_it(era: str) -> None:
    desk = Implementation(name="support-desk", version="7.1")
    async with guarded(era=era, client_info=desk) as at:
        granted = facts(await at.call("grant-credit", GRANT | {"operationId": OPERATION}))
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
    assert shown == {
        "environment": "sandbox",
        "operationId": OPERATION,
        "tool": "grant-credit",
        "state": "committed",
        "meaning": "Done.",
        "createdAt": "2026-11-21T12:00:00Z",
        "sentAt": "2026-11-21T12:00:00Z",
        "settledAt": "2026-11-21T12:00:00Z",
        "principal": "local",
        "client": "support-desk 7.1",
        "target": "harbor-main",
        "customer": "harbor-labs",
        "purpose": "Goodwill credit",
        "amount": "50.00",
        "amountCurrency": "USD",
        "rule": "built-in.without_approval.per_customer_day.other",
        "arguments": {
            "accountId": "harbor-main",
            "creditAmount": "50",
            "effectiveFrom": "2026-11-20",
            "purpose": "Goodwill credit",
            "priority": "1",
        },
        "answer": granted,
    }


async def test_an_operation_that_is_not_there_is_not_found() -> None:
    async with guarded() as at:
        wrong = failure(await at.call("get-operation", {"operationId": OPERATION}))
    assert (wrong["kind"], wrong["field"]) == ("not-found", "operationId")
    assert "never sent from here" in wrong["next"]


async def test_operations_are_listed_newest_first_and_found_by_what_is_asked() -> None:
    async with guarded() as at:
        await at.call("grant-credit", GRANT | {"operationId": OPERATION})
        at.time.pass_by(timedelta(minutes=1))
        await at.call("create-customer", CUSTOMER | {"operationId": OTHER})
        at.time.pass_by(timedelta(minutes=1))
        refused = facts_of_refusal = await at.call("create-customer", CUSTOMER | {"name": "Other"})
        assert refused.is_error

        async def ids(**filters: Any) -> list[str]:
            page = facts(await at.call("list-operations", filters))
            return [row["operationId"] for row in page["data"]]

        newest = failure(facts_of_refusal)["operationId"]
        assert await ids() == [newest, OTHER, OPERATION]
        assert await ids(state="rejected") == [newest]
        assert await ids(tool="grant-credit") == [OPERATION]
        assert await ids(customer="walnut") == [newest, OTHER]
        assert await ids(since="2026-11-21T12:01:00Z") == [newest, OTHER]
        first = facts(await at.call("list-operations", {"pageSize": 2}))
        rest = facts(
            await at.call("list-operations", {"pageSize": 2, "nextToken": first["nextToken"]})
        )
    assert [row["operationId"] for row in rest["data"]] == [OPERATION]
    assert rest["hasMore"] is False


async def test_a_token_that_no_page_gave_is_refused() -> None:
    async with guarded() as at:
        for token in ("elsewhere~1", "sandbox~?"):
            wrong = failure(await at.call("list-operations", {"nextToken": token}))
            assert (wrong["kind"], wrong["field"]) == ("invalid-request", "nextToken")


async def test_a_list_is_a_line_for_each_operation() -> None:
    async with guarded() as at:
        await at.call("grant-credit", GRANT | {"operationId": OPERATION})
        text = said(await at.call("list-operations", {}))
    whose = "harbor-main|harbor-labs|50.00|USD|local"
    assert text.splitlines()[1:] == [
        "operationId|createdAt|state|tool|target|customer|amount|amountCurrency|principal",
        f"{OPERATION}|2026-11-21T12:00:00Z|committed|grant-credit|{whose}",
    ]


def live(address: str, **more: str) -> Settings:
    keys = {"TOGAI_API_KEY": "togai-key", "SUGER_API_KEY": "suger-key", "SUGER_ORG_ID": "sandbox"}
    urls = {"TOGAI_BASE_URL": f"{address}/togai", "SUGER_BASE_URL": f"{address}/suger"}
    return from_environ(keys | urls | more)


@pytest.mark.parametrize("setting", ["data folder", "file", "url"])
async def test_a_ledger_outlives_its_server_in_the_place_that_was_set(
    setting: str, tmp_path: Path
) -> None:
    place = tmp_path / "here.ledger"
    more = {
        "data folder": {"XDG_DATA_HOME": str(tmp_path)},
        "file": {"BILLING_MCP_LEDGER_URL": str(place)},
        "url": {"BILLING_MCP_LEDGER_URL": f"sqlite://{place}"},
    }[setting]
    if setting == "data folder":
        place = tmp_path / "billing-mcp" / "default-live.ledger"
    with served_sandbox() as (sandbox, address):
        furnish(sandbox)
        for replayed in (False, True):
            async with connected(BillingServer(live(address, **more))) as client:
                granted = facts(
                    await client.call_tool("grant-credit", GRANT | {"operationId": OPERATION})
                )
            assert granted.get("replayed", False) is replayed
    assert place.is_file()
    assert place.stat().st_mode & 0o777 == 0o600


async def test_a_sandbox_with_a_file_has_its_ledger_beside_it(tmp_path: Path) -> None:
    data = tmp_path / "sandbox.db"
    async with connected(BillingServer(Settings(sandbox_data=data))) as client:
        facts(await client.call_tool("create-customer", CUSTOMER))
    assert (tmp_path / "sandbox.db.ledger").is_file()


async def test_a_ledger_that_cannot_be_opened_stops_writes_alone(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("this is no ledger")
    with served_sandbox() as (sandbox, address):
        furnish(sandbox)
        settings = live(address, BILLING_MCP_LEDGER_URL=str(tmp_path / "taken"))
        async with connected(BillingServer(settings)) as client:
            refused = failure(await client.call_tool("grant-credit", GRANT))
            unseen = failure(await client.call_tool("list-operations", {}))
            assert facts(await client.call_tool("list-customers", {}))["count"] == 2
        effects = sandbox.backend.db.execute("select 1 from effects where kind = 'credit'")
        assert effects.fetchone() is None
    for error in (refused, unseen):
        assert error["kind"] == "unavailable"
        assert "BILLING_MCP_LEDGER_URL" in error["next"]


def test_a_ledger_url_of_another_kind_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError) as refused:
        from_environ({"BILLING_MCP_LEDGER_URL": "mysql://user:s3cret@db.example/ledger"})
    assert "mysql:" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_ledger_url_is_not_shown_by_the_settings() -> None:
    settings = from_environ({"BILLING_MCP_LEDGER_URL": "postgresql://user:s3cret@db.example/x"})
    assert isinstance(settings.ledger_url, SecretStr)
    assert "s3cret" not in repr(settings)


async def test_the_command_line_lists_what_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "sandbox.db"
    async with connected(BillingServer(Settings(sandbox_data=data))) as client:
        facts(await client.call_tool("create-customer", CUSTOMER | {"operationId": OPERATION}))
    capsys.readouterr()
    for arguments in (["operations"], ["operations", "--json"]):
        flags = [*arguments, "--sandbox-data", str(data)]
        assert await anyio.to_thread.run_sync(cli.main, flags) == 0
    told = capsys.readouterr().out
    line, _, rows = told.partition("\n")
    assert line.startswith(f"{OPERATION}  20")
    assert "committed  create-customer  walnut  local" in line
    (row,) = json.loads(rows)
    assert (row["tenant"], row["operationId"], row["state"]) == ("default", OPERATION, "committed")


def test_the_command_line_makes_no_ledger_where_none_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["operations", "--sandbox-data", str(tmp_path / "none.db")]) == 0
    assert capsys.readouterr().out.startswith("No operations.")
    assert list(tmp_path.iterdir()) == []
