"""A ledger that cannot be written or is no ledger: refused in a sentence, and nothing half done."""

import os
import resource
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

import anyio
import pytest

from billing_mcp.guard.ledger import (
    Claimed,
    LedgerError,
    LedgerUnavailable,
    LedgerUnusable,
)
from billing_mcp.guard.operations import Settlement, State
from billing_mcp.guard.sqlite_ledger import SqliteLedger
from guard.ledgers import LEASE, PATIENCE, Clock, grant, is_root, key, sound
from processes import environment

pytestmark = pytest.mark.anyio

MEGABYTE = "x" * 1_000_000


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Python ignores the signal, so that writing past it is an error as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_claim_that_finds_no_room_is_refused_and_passes_when_there_is(
    tmp_path: Path,
) -> None:
    ledger = await SqliteLedger.open(tmp_path / "ledger.db", Clock())
    await ledger.claim(grant(), LEASE)
    other = grant(str(UUID(int=2)), purpose=MEGABYTE)
    with files_no_larger_than(500_000), pytest.raises(LedgerUnavailable, match="written"):
        await ledger.claim(other, LEASE)
    assert await ledger.get(other.key) is None
    await sound(ledger, 1)
    assert isinstance(await ledger.claim(other, LEASE), Claimed)
    await sound(ledger, 2)
    await ledger.close()


async def test_an_outcome_that_finds_no_room_leaves_the_operation_sent(tmp_path: Path) -> None:
    ledger = await SqliteLedger.open(tmp_path / "ledger.db", Clock())
    answer = await ledger.claim(grant(), LEASE)
    assert isinstance(answer, Claimed)
    await ledger.sent(answer.operation.hold)
    settlement = Settlement(State.COMMITTED, MEGABYTE)
    with files_no_larger_than(500_000), pytest.raises(LedgerUnavailable):
        await ledger.settle(answer.operation.hold, settlement)
    found = await ledger.get(key())
    assert found is not None
    assert found.state is State.SENT
    await ledger.settle(answer.operation.hold, settlement)
    await sound(ledger, 3)
    await ledger.close()


async def test_a_full_disk_is_named(tmp_path: Path) -> None:
    if not is_root():
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = await anyio.run_process(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], check=False
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        ledger = await SqliteLedger.open(disk / "ledger.db", Clock())
        with pytest.raises(LedgerUnavailable, match="the disk is full"):
            await ledger.claim(grant(purpose=MEGABYTE), LEASE)
        assert isinstance(await ledger.claim(grant(), LEASE), Claimed)
        await sound(ledger, 1)
        await ledger.close()
    finally:
        await anyio.run_process(["umount", str(disk)])


READS_ONLY = """
import os, sys
import anyio
from pathlib import Path
from billing_mcp.guard.ledger import LedgerError
from billing_mcp.guard.sqlite_ledger import SqliteLedger
import anyio._backends._asyncio
async def main(path):
    try:
        await SqliteLedger.open(Path(path))
    except LedgerError as error:
        print(type(error).__name__, error)
if os.geteuid() == 0:
    os.seteuid(65534)
anyio.run(main, sys.argv[1])
"""


async def test_a_file_that_may_only_be_read_is_refused(tmp_path: Path) -> None:
    """Whoever is root may write every file, so that somebody else has to try."""
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path, Clock())
    await ledger.claim(grant(), LEASE)
    await ledger.close()
    path.chmod(0o444)
    for folder in path.parents[:3] if is_root() else ():
        folder.chmod(folder.stat().st_mode | 0o055)
    command = [sys.executable, "-c", READS_ONLY, str(path)]
    done = await anyio.run_process(command, env=environment())
    said = done.stdout.decode()
    assert said.startswith("LedgerUnavailable The ledger"), done
    assert "cannot be opened" in said


async def test_a_ledger_that_became_read_only_refuses_claims_and_still_reads(
    tmp_path: Path,
) -> None:
    ledger = await SqliteLedger.open(tmp_path / "ledger.db", Clock())
    await ledger.claim(grant(), LEASE)
    ledger._db.execute("PRAGMA query_only = ON")
    with pytest.raises(LedgerUnavailable, match="read-only"):
        await ledger.claim(grant(str(UUID(int=2))), LEASE)
    assert await ledger.get(key()) is not None
    await ledger.close()


async def test_a_file_that_another_process_holds_for_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path, Clock(), PATIENCE)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="another process holds it"):
            await ledger.claim(grant(), LEASE)
        assert await ledger.get(key()) is None
        other.execute("ROLLBACK")
    assert isinstance(await ledger.claim(grant(), LEASE), Claimed)
    await ledger.close()


async def test_only_its_owner_reads_the_file_and_those_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "of our own" / "ledger.db"
    ledger = await SqliteLedger.open(path, Clock())
    await ledger.claim(grant(), LEASE)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    await ledger.close()
    path.chmod(0o644)
    await (await SqliteLedger.open(path, Clock())).close()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    ledger = await SqliteLedger.open(tmp_path / "ledger.db", Clock())
    assert ledger._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ledger._db.execute("PRAGMA synchronous").fetchone() == (2,)
    await ledger.close()


async def refused(path: Path) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        await SqliteLedger.open(path, Clock())
    return caught.value


async def test_what_is_no_ledger_is_not_written_to(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database\n" * 100)
    assert isinstance(await refused(text), LedgerUnusable)
    assert text.read_text() == "not a database\n" * 100
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE things (name TEXT)")
    assert "database of something else" in str(await refused(other))
    assert isinstance(await refused(tmp_path), LedgerUnavailable)


async def test_a_ledger_of_another_version_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    await (await SqliteLedger.open(path, Clock())).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE billing_ledger SET version = version + 1")
        db.commit()
    error = await refused(path)
    assert isinstance(error, LedgerUnusable)
    assert "BILLING_MCP_LEDGER_URL" in str(error)


async def test_a_damaged_file_is_named_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = await SqliteLedger.open(path, Clock())
    await ledger.claim(grant(), LEASE)
    await ledger.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    error = await refused(path)
    assert isinstance(error, LedgerUnusable)
    assert "damaged" in str(error)


async def test_a_postgresql_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    ledgers = pytest.importorskip("billing_mcp.guard.postgres_ledger")
    with pytest.raises(LedgerUnavailable) as caught:
        await ledgers.PostgresLedger.open(f"postgresql:///none?host={tmp_path}&user=nobody-here")
    assert "nobody-here" not in str(caught.value)
