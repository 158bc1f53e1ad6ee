"""Ledgers for tests: a clock that a test moves, the databases, and operations to put in them.

What the extra `postgres` brings is imported where it is used: tests run without it.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from billing_mcp.guard.operations import Ceiling, Key, NewOperation, Partition, Spend
from billing_mcp.guard.sqlite_ledger import BUSY, SqliteLedger
from billing_mcp.guard.stored_ledger import StoredLedger

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = date(2026, 11, 20)
LEASE = timedelta(seconds=60)
# How long a ledger waits for a lock that a test never gives back.
PATIENCE = timedelta(milliseconds=100)
ACME = Partition("acme", "sandbox")
ONE = str(UUID(int=1))


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, time: timedelta) -> None:
        self.now += time


@dataclass
class Database:
    """Where a ledger is kept. `open` gives another ledger on the same database, but in memory."""

    kind: str
    place: str
    clock: Clock = field(default_factory=Clock)
    opened: list[StoredLedger] = field(default_factory=list)

    async def open(self, patience: timedelta | None = None) -> StoredLedger:
        """`patience` is how long it waits for its turn, instead of as long as a server does."""
        ledger: StoredLedger
        if self.kind == "memory":
            if self.opened:
                return self.opened[0]
            ledger = await SqliteLedger.open(None, self.clock)
        elif self.kind == "sqlite":
            ledger = await SqliteLedger.open(Path(self.place), self.clock, patience or BUSY)
        else:
            from billing_mcp.guard import postgres_ledger as postgres

            longest = patience or postgres.PATIENCE
            ledger = await postgres.PostgresLedger.open(self.place, self.clock, longest)
        self.opened.append(ledger)
        return ledger

    async def close(self) -> None:
        for ledger in self.opened:
            await ledger.close()


def in_schema(url: str, schema: str) -> str:
    mark = "&" if "?" in url else "?"
    return f"{url}{mark}options=-csearch_path%3D{schema}"


@asynccontextmanager
async def schema_of_its_own(url: str) -> AsyncIterator[str]:
    import psycopg

    name = f"test_{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"CREATE SCHEMA {name}".encode())
        try:
            yield in_schema(url, name)
        finally:
            await connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


def key(operation_id: str = ONE, partition: Partition = ACME) -> Key:
    return Key(partition, operation_id)


def grant(
    operation_id: str = ONE,
    amount: str | None = "50",
    *ceilings: Ceiling,
    partition: Partition = ACME,
    principal: str = "agent",
    customer: str | None = "cust-1",
    **more: Any,
) -> NewOperation:
    """A credit grant in dollars, to be claimed. Without an amount it spends nothing."""
    spend = None
    if amount is not None:
        spend = Spend(Decimal(amount), "USD", TODAY, "support", customer, tuple(ceilings))
    return NewOperation.of(
        key(operation_id, partition),
        more.pop("tool", "grant-credit"),
        more.pop("arguments", {"accountId": "acc-1", "amount": Decimal(amount or 1)}),
        principal,
        spend=spend,
        customer=customer,
        **more,
    )


def a_day(limit: str, per: Any = "customer") -> Ceiling:
    return Ceiling(per, Decimal(limit), f"roles.support.per_{per}_day")


def is_root() -> bool:
    return os.geteuid() == 0


async def sound(ledger: StoredLedger, records: int) -> None:
    (verdict,) = await ledger.verify()
    assert verdict.findings == ()
    assert verdict.records == records
