"""Every test that takes `database` runs on each: SQLite in a file and in memory, PostgreSQL.

A machine without a PostgreSQL does not have its tests; `.ci/run` requires one.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from billing_mcp.guard.stored_ledger import StoredLedger
from guard.ledgers import Clock, Database, schema_of_its_own
from guard.postgres_server import is_there, postgres

HAS_POSTGRES = is_there()
LASTING = ("sqlite", "postgres") if HAS_POSTGRES else ("sqlite",)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about PostgreSQL alone where there is none."""
    if HAS_POSTGRES:
        return
    left_out = [item for item in items if "postgres_url" in getattr(item, "fixturenames", ())]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["memory", *LASTING])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with _made(request, tmp_path) as made:
        yield made


@pytest.fixture(params=LASTING)
async def lasting_database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Database]:
    """One that outlives a process and that several can share, so none in memory."""
    async with _made(request, tmp_path) as made:
        yield made


@asynccontextmanager
async def _made(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[Database]:
    if request.param == "postgres":
        async with schema_of_its_own(request.getfixturevalue("postgres_url")) as url:
            made = Database("postgres", url)
            yield made
            await made.close()
        return
    made = Database(request.param, str(folder / "ledger.db"))
    yield made
    await made.close()


@pytest.fixture
def clock(database: Database) -> Clock:
    return database.clock


@pytest.fixture
async def ledger(database: Database) -> StoredLedger:
    return await database.open()
