"""What the guard adds to a call: grants through policy, claim and settlement against the same tool
run bare, in turn, on one server; and the same read with and without a ledger that was written to.

    python benchmarks/guard.py [CALLS]

A write may gain four durable commits of the same disk and half a millisecond; a read nothing.
"""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from billing_mcp.config import Settings
from billing_mcp.guard.gate import Gate
from billing_mcp.guard.runs import Call
from billing_mcp.results import Outcome
from billing_mcp.server import BillingServer
from billing_mcp.tenants import Caller

# So that every grant runs directly, as one within the ceilings does.
POLICY = """
[everyone.without_approval]
per_call = { other = "1000000" }
per_customer_day = { other = "1000000000" }
"""
GRANT = {"accountId": "acme-prod", "creditAmount": "1", "effectiveFrom": "2026-11-20"}
READ = {"customerId": "acme"}


async def bare(_: Gate, call: Call) -> Outcome:
    """In the place of `Gate.let_through`: the tool, and nothing before or after it."""
    return (await call.perform()).outcome


async def seconds(work: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def measured(folder: Path, calls: int) -> None:
    (folder / "policy.toml").write_text(POLICY, encoding="utf-8")
    # The vendor is in memory and the ledger on the disk, as it is for a vendor elsewhere.
    server = BillingServer(Settings(policy=folder / "policy.toml"))
    ledgers = server.tenant.ledgers
    ledgers.sandbox_data = folder / "data"
    caller = Caller(server.tenant)
    disk = sqlite3.connect(folder / "bare.db", isolation_level=None)
    disk.execute("PRAGMA journal_mode = WAL")
    disk.execute("PRAGMA synchronous = FULL")
    disk.execute("CREATE TABLE rows (id TEXT PRIMARY KEY, body TEXT)")

    async def commit() -> None:
        disk.execute("INSERT INTO rows VALUES (?, ?)", (str(uuid4()), "x" * 500))

    async def grant() -> None:
        outcome = await server.catalog.invoke("grant-credit", GRANT, caller)
        assert not outcome.is_error, outcome.text

    async def read() -> None:
        outcome = await server.catalog.invoke("get-customer", READ, caller)
        assert not outcome.is_error, outcome.text

    reads_before = [await seconds(read) for _ in range(calls)][calls // 10 :]
    guarded: list[float] = []
    unguarded: list[float] = []
    commits: list[float] = []
    let_through = Gate.let_through
    for _ in range(calls):
        commits.append(await seconds(commit))
        guarded.append(await seconds(grant))
        Gate.let_through = bare  # type: ignore[method-assign,assignment]  # put back below
        unguarded.append(await seconds(grant))
        Gate.let_through = let_through  # type: ignore[method-assign]  # as it was
    reads_after = [await seconds(read) for _ in range(calls)][calls // 10 :]
    await server.tenant.close()
    disk.close()
    skipped = calls // 10
    commit_ms, with_ms, without_ms = (
        statistics.median(times[skipped:]) * 1000 for times in (commits, guarded, unguarded)
    )
    print(
        f"commit {commit_ms:.3f} ms  grant bare {without_ms:.3f} ms, guarded {with_ms:.3f} ms:"
        f" gains {with_ms - without_ms:.3f} ms; four commits + 0.5 ms are {4 * commit_ms + 0.5:.3f}"
    )
    before, after = (statistics.median(times) * 1000 for times in (reads_before, reads_after))
    print(f"read before any write {before:.3f} ms, after {after:.3f} ms: {after / before:.2f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".guard-") as made:
        asyncio.run(measured(Path(made), int(sys.argv[1]) if len(sys.argv) > 1 else 300))
