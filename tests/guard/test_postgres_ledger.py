"""The ledger in PostgreSQL where it differs: connections that end, locks, servers starting at once.

Left out where there is none, see conftest.py.
"""

from uuid import UUID

import anyio
import psycopg
import pytest

from billing_mcp.guard.ledger import Claimed, LedgerUnavailable
from billing_mcp.guard.operations import Filters
from billing_mcp.guard.postgres_ledger import PostgresLedger
from guard.ledgers import ACME, LEASE, PATIENCE, Clock, grant, in_schema, schema_of_its_own, sound

pytestmark = pytest.mark.anyio


async def test_a_postgresql_that_ended_every_connection_is_reached_again(
    postgres_url: str,
) -> None:
    async with schema_of_its_own(postgres_url) as url:
        ledger = await PostgresLedger.open(url, Clock())
        await ledger.claim(grant(), LEASE)
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY(%s)"
        backends = [connection.info.backend_pid for connection in ledger._idle]
        async with await psycopg.AsyncConnection.connect(postgres_url) as admin:
            await admin.execute(ended, (backends,))
        assert isinstance(await ledger.claim(grant(str(UUID(int=2))), LEASE), Claimed)
        await sound(ledger, 2)
        await ledger.close()


DIES_WRITING = """
CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';
CREATE TRIGGER dies BEFORE INSERT ON billing_audit FOR EACH ROW EXECUTE FUNCTION die();
"""


async def test_a_postgresql_that_goes_away_in_mid_call_leaves_nothing_half_done(
    postgres_url: str,
) -> None:
    async with schema_of_its_own(postgres_url) as url:
        ledger = await PostgresLedger.open(url, Clock())
        await ledger.claim(grant(), LEASE)
        other = grant(str(UUID(int=2)))
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as admin:
            await admin.execute(DIES_WRITING)
            with pytest.raises(LedgerUnavailable):
                await ledger.claim(other, LEASE)
            await admin.execute("DROP TRIGGER dies ON billing_audit")
        assert await ledger.get(other.key) is None
        await sound(ledger, 1)
        assert isinstance(await ledger.claim(other, LEASE), Claimed)
        await ledger.close()


async def test_a_lock_that_is_held_for_too_long_in_postgresql_is_unavailable(
    postgres_url: str,
) -> None:
    async with schema_of_its_own(postgres_url) as url:
        ledger = await PostgresLedger.open(url, Clock(), PATIENCE)
        await ledger.claim(grant(), LEASE)
        async with await psycopg.AsyncConnection.connect(url) as locker:
            await locker.execute("SELECT 1 FROM billing_audit_heads FOR UPDATE")
            with pytest.raises(LedgerUnavailable, match="QueryCanceled"):
                await ledger.claim(grant(str(UUID(int=2))), LEASE)
            await locker.rollback()
        assert isinstance(await ledger.claim(grant(str(UUID(int=2))), LEASE), Claimed)
        await ledger.close()


async def test_two_servers_that_start_on_an_empty_postgresql_make_its_tables_once(
    postgres_url: str,
) -> None:
    async with schema_of_its_own(postgres_url) as url:
        opened = []

        async def start() -> None:
            opened.append(await PostgresLedger.open(url, Clock()))

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(start)
        await opened[0].claim(grant(), LEASE)
        assert len((await opened[7].list(ACME, Filters())).operations) == 1
        for ledger in opened:
            await ledger.close()


async def test_a_schema_that_is_not_there_is_unavailable(postgres_url: str) -> None:
    with pytest.raises(LedgerUnavailable):
        await PostgresLedger.open(in_schema(postgres_url, "never_made"), Clock())
