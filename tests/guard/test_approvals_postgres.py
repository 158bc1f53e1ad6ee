"""Approving, auditing and doctor where the ledger is in PostgreSQL, shared by several servers."""

import json
from collections.abc import AsyncIterator

import anyio.to_thread
import psycopg
import pytest
from pydantic import SecretStr

from billing_mcp import guard_checkup
from billing_mcp.config import Settings
from guard.guarded import Time
from guard.ledgers import schema_of_its_own
from guard.waiting import FAR, live, opened, planned, uuid
from processes import run

pytestmark = pytest.mark.anyio

KEYS = {
    "TOGAI_API_KEY": "key-0123456789",
    "TOGAI_BASE_URL": "https://sandbox-api.togai.com",
    "SUGER_API_KEY": "key-0123456789",
}


@pytest.fixture
async def url(postgres_url: str) -> AsyncIterator[str]:
    async with schema_of_its_own(postgres_url) as made:
        yield made


def settings(url: str) -> Settings:
    return Settings(tenants=(live(),), ledger_url=SecretStr(url))


async def of_ledgers(url: str) -> list[tuple[bool, str]]:
    async with opened(settings(url), Time(FAR)) as tenant:
        return [finding async for finding in guard_checkup.of_ledgers(tenant)]


async def tables_of(url: str) -> int:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()"
        )
        row = await cursor.fetchone()
    assert row is not None
    found: int = row[0]
    return found


async def test_doctor_makes_no_tables_and_says_that_the_first_write_will(url: str) -> None:
    new = "PostgreSQL, it will be made with the first write"
    assert await of_ledgers(url) == [
        (True, f"ledger (vendor-sandbox): {new}"),
        (True, f"ledger (live): {new}"),
    ]
    assert await tables_of(url) == 0


async def test_doctor_tells_of_a_user_who_may_not_make_the_tables(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute("SELECT current_schema()")
        row = await cursor.fetchone()
        assert row is not None
        guest = f"guest_{row[0]}"
        await connection.execute(f"CREATE ROLE {guest} LOGIN".encode())
        await connection.execute(f"GRANT USAGE ON SCHEMA {row[0]} TO {guest}".encode())
    ((well, sentence), _) = await of_ledgers(f"{url}&user={guest}")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"DROP OWNED BY {guest}".encode())
        await connection.execute(f"DROP ROLE {guest}".encode())
    assert not well
    assert "this user may not make them. Give it CREATE on its schema" in sentence


async def test_doctor_counts_what_waits_in_each_environment(url: str) -> None:
    async with opened(settings(url), Time(FAR)) as tenant:
        await planned(tenant, environment="live")
    assert await of_ledgers(url) == [
        (True, "ledger (vendor-sandbox): PostgreSQL can be written"),
        (True, "ledger (live): PostgreSQL can be written"),
        (True, "ledger (live): 1 plan waits for a person: `billing-mcp approvals`"),
    ]


async def test_another_process_approves_and_audits_and_never_shows_the_url(url: str) -> None:
    async with opened(settings(url), Time(FAR)) as tenant:
        await planned(tenant, environment="live")
    env = {**KEYS, "BILLING_MCP_LEDGER_URL": url}
    approved, audit = await anyio.to_thread.run_sync(
        lambda: (
            run("approve", uuid(1), "--yes", env=env),
            run("audit", "verify", "--json", env=env),
        )
    )
    assert (approved.returncode, approved.stderr) == (0, "")
    assert "Approved by terminal:" in approved.stdout
    assert audit.returncode == 0
    (row,) = json.loads(audit.stdout)
    # Planned and approved.
    assert (row["environment"], row["ledger"], row["records"]) == ("live", "PostgreSQL", 2)
    assert url not in approved.stdout + audit.stdout
