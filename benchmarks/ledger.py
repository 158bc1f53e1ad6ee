"""What the ledger adds to a write: claim, sent and settle against bare durable commits of one row.

    python benchmarks/ledger.py [WRITES [POSTGRES-URL]]

Both are on the same disk (or server) and in turn, because disks are shared and change their speed.
A write may cost four commits and half a millisecond; PostgreSQL's statements are round trips, and
are measured for information.
"""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import anyio

from billing_mcp.guard.ledger import Claimed
from billing_mcp.guard.operations import Ceiling, Key, NewOperation, Settlement, Spend, State
from billing_mcp.guard.sqlite_ledger import SqliteLedger
from billing_mcp.guard.stored_ledger import StoredLedger

LEASE = timedelta(seconds=60)
CEILING = Ceiling("customer", Decimal(10**9), "a rule")
OUTCOME = {"id": "credit-1", "status": "ACTIVE", "creditAmount": "50.00"}


async def write(ledger: StoredLedger) -> None:
    arguments = {"accountId": "acc-1", "creditAmount": Decimal(50), "purpose": "an outage"}
    spend = Spend(Decimal(50), "USD", datetime.now(UTC).date(), "support", "cust-1", (CEILING,))
    new = NewOperation.of(
        Key.of("default", "live", uuid4()), "grant-credit", arguments, "agent", spend=spend
    )
    answer = await ledger.claim(new, LEASE)
    assert isinstance(answer, Claimed)
    await ledger.sent(answer.operation.hold)
    await ledger.settle(answer.operation.hold, Settlement(State.COMMITTED, OUTCOME))


async def read(ledger: StoredLedger) -> None:
    await ledger.get(Key.of("default", "live", uuid4()))


async def seconds(work: Callable[[], Awaitable[None]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def measure(
    name: str, ledger: StoredLedger, commit: Callable[[], Awaitable[None]], writes: int
) -> None:
    commits: list[float] = []
    hops: list[float] = []
    operations: list[float] = []
    reads: list[float] = []
    for number in range(writes + 20):
        timed = (
            await seconds(commit),
            await seconds(hop),
            await seconds(lambda: write(ledger)),
            await seconds(lambda: read(ledger)),
        )
        if number >= 20:
            for times, one in zip((commits, hops, operations, reads), timed, strict=True):
                times.append(one * 1000)
    commit_ms, write_ms = statistics.median(commits), statistics.median(operations)
    print(
        f"{name:10} commit {commit_ms:.3f} ms  claim+sent+settle {write_ms:.3f} ms"
        f" = {write_ms / commit_ms:.2f} commits; 4 commits + 0.5 ms are"
        f" {4 * commit_ms + 0.5:.3f} ms; get {statistics.median(reads):.3f} ms;"
        f" to a thread and back {statistics.median(hops):.3f} ms"
    )


async def hop() -> None:
    """What any work costs that does not hold up the server's other calls; a write has three."""
    await anyio.to_thread.run_sync(int)


async def sqlite(writes: int) -> None:
    # Not in memory: the folder of this file is on the disk that the ledger would be on.
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".ledger-") as folder:
        bare = sqlite3.connect(f"{folder}/bare.db", isolation_level=None)
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE rows (id TEXT PRIMARY KEY, body TEXT)")

        async def commit() -> None:
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT INTO rows VALUES (?, ?)", (str(uuid4()), "x" * 500))
            bare.execute("COMMIT")

        ledger = await SqliteLedger.open(Path(folder) / "ledger.db")
        await measure("sqlite", ledger, commit, writes)
        await ledger.close()
        bare.close()


async def postgres(url: str, writes: int) -> None:
    import psycopg  # noqa: PLC0415  # the extra is only needed when a URL is given

    from billing_mcp.guard.postgres_ledger import PostgresLedger  # noqa: PLC0415  # as above

    ledger = await PostgresLedger.open(url)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as bare:
        await bare.execute("CREATE TABLE IF NOT EXISTS benchmark_rows (id TEXT, body TEXT)")

        async def commit() -> None:
            await bare.execute("BEGIN")
            await bare.execute(
                "INSERT INTO benchmark_rows VALUES (%s, %s)", (str(uuid4()), "x" * 500)
            )
            await bare.execute("COMMIT")

        await measure("postgresql", ledger, commit, writes)
        await bare.execute("DROP TABLE benchmark_rows")
    await ledger.close()


async def main(writes: int, url: str | None) -> None:
    await sqlite(writes)
    if url is not None:
        await postgres(url, writes)


if __name__ == "__main__":
    asyncio.run(
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 500,
            sys.argv[2] if len(sys.argv) > 2 else None,
        )
    )
