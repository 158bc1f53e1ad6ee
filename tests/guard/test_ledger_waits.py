"""A SQLite ledger waits for other writers beside the server's other calls, not instead of them."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import anyio.lowlevel
import pytest

from billing_mcp.guard.ledger import Claimed, LedgerUnavailable
from billing_mcp.guard.sqlite_ledger import SqliteLedger
from guard.ledgers import LEASE, grant, key

pytestmark = pytest.mark.anyio


def holder(path: Path) -> sqlite3.Connection:
    """Somebody else who is writing to the file."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


async def test_other_calls_go_on_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path)
    answers: list[object] = []

    async def claim() -> None:
        answers.append(await ledger.claim(grant(), LEASE))

    other = holder(path)
    async with anyio.create_task_group() as group:
        group.start_soon(claim)
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        assert answers == []
        other.execute("ROLLBACK")
    other.close()
    assert [type(answer) for answer in answers] == [Claimed]
    assert await ledger.get(key()) is not None
    await ledger.close()


async def test_who_holds_the_file_for_too_long_is_named_and_nothing_is_claimed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path, busy=timedelta(milliseconds=1))
    other = holder(path)
    with pytest.raises(LedgerUnavailable, match="another process holds it for too long"):
        await ledger.claim(grant(), LEASE)
    other.close()
    assert isinstance(await ledger.claim(grant(), LEASE), Claimed)
    await ledger.close()
