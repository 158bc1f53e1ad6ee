"""Every test that takes `database` runs on each: SQLite in a file and in memory, PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from billing_mcp.guard.stored_ledger import StoredLedger
from guard.ledgers import Clock, Database, schema_of_its_own
from guard.postgres_server import NoPostgres, postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    try:
        with postgres() as url:
            yield url
    except NoPostgres as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["sqlite", "memory", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "postgres":
        async with schema_of_its_own(request.getfixturevalue("postgres_url")) as url:
            made = Database("postgres", url)
            yield made
            for ledger in made.opened:
                await ledger.close()
        return
    made = Database(request.param, str(tmp_path / "ledger.db"))
    yield made
    for ledger in made.opened:
        await ledger.close()


@pytest.fixture
def clock(database: Database) -> Clock:
    return database.clock


@pytest.fixture
async def ledger(database: Database) -> StoredLedger:
    return await database.open()
