"""The company of `world` by the copy, and pictures of all that the vendors keep of it.

The sandbox makes its ids from a counter and its clock stands still, so that the same write done
once gives equal pictures in any two copies, and done twice another one.
"""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import cache
from typing import Any

from answers import Answer, forget
from billing_mcp.config import Settings
from billing_mcp.guard.operations import Operation
from billing_mcp.sandbox import Sandbox, SandboxSettings, clock, open_sandbox, store
from billing_mcp.sandbox.call import Call
from billing_mcp.sandbox.store import Connection
from billing_mcp.sandbox.togai import drafts
from billing_mcp.sandbox.togai.event_intake import DUPLICATE
from billing_mcp.server import BillingServer
from good_calls import good_calls
from guard.guarded import NOON, Time, at_once
from unguarded import ANYTHING
from world import World, furnish

Picture = Mapping[str, list[str]]
"""The rows of every table, each as text, in an order of their own."""

EVERYTHING = Settings(toolsets=("all",), secret_tools=True, policy=ANYTHING)
# The counter goes on where an id was made and not kept. Stale drafts are computed for a picture.
_NOT_SHOWN = ("sequence", "stale_accounts")


def picture(db: Connection) -> Picture:
    """What the vendors keep, the invoices that run as whoever reads them would see them.

    The database is only read.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        db.backup(copy)
        copy.row_factory = sqlite3.Row
        drafts.settle(Call(copy, clock.now(copy), SandboxSettings()))
        # What the vendor writes down of an event that it had already, and counts nowhere.
        copy.execute("delete from events where status = ?", (DUPLICATE,))
        names = copy.execute("select name from sqlite_master where type = 'table'").fetchall()
        return {
            name: sorted(repr(tuple(row)) for row in copy.execute(f'select * from "{name}"'))
            for (name,) in names
            if name not in _NOT_SHOWN
        }


def differences(one: Picture, other: Picture) -> list[str]:
    """The rows that only one of them has, `-` those of the first and `+` those of the other."""
    return [
        f"{mark} {name} {row}"
        for name in one
        for mark, ours, theirs in (("-", one, other), ("+", other, one))
        for row in ours[name]
        if row not in theirs[name]
    ]


@dataclass(frozen=True, slots=True)
class Company:
    """A furnished company as bytes, and for every tool a call that succeeds in it."""

    world: World
    image: bytes
    calls: Mapping[str, dict[str, Any]]


def furnished() -> Company:
    """Make the company anew. Takes a quarter of a second, which a copy does not."""
    world = furnish(open_sandbox(SandboxSettings(demo=False)))
    calls = good_calls(world)
    backend = world.sandbox.backend
    with backend.transaction() as call:
        # What good calls have prepared is no effect of theirs, and drafts are as they are read.
        backend.db.execute("delete from effects")
        drafts.settle(call)
    return Company(world, store.image(backend.db), calls)


the_company = cache(furnished)
"""The one that a process's tests copy."""


@dataclass(slots=True)
class Copied:
    """A server on a copy of the company, which can begin again as often as a test likes.

    It is called past the protocol: a client would list all its tools first.
    """

    server: BillingServer
    sandbox: Sandbox
    time: Time
    company: Company

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        return await self.server.call_tool(tool, dict(arguments))

    async def begin_again(self, company: Company | None = None) -> None:
        """The company as it was, nothing wrong with the vendors, and nothing in the ledger."""
        self.sandbox.faults.clear()
        store.restore(self.sandbox.backend.db, (company or self.company).image)
        await forget(self.server)
        self.time.now = NOON

    def picture(self) -> Picture:
        return picture(self.sandbox.backend.db)

    async def row(self, operation_id: str) -> Operation:
        """What the ledger has of an operation."""
        found = await self.server.tenant.ledgers.find(operation_id)
        assert found is not None
        return found[1]


@asynccontextmanager
async def copied() -> AsyncIterator[Copied]:
    """A server of all tools on a copy of the company; every write runs directly, and what it waits
    between tries is cut short."""
    server = BillingServer(EVERYTHING)
    time = Time()
    server.tenant.now = time
    server.tenant._sandbox = sandbox = open_sandbox(SandboxSettings(demo=False))
    for vendor in ("togai", "suger"):
        server.tenant.connection(vendor).sleep = at_once
    at = Copied(server, sandbox, time, the_company())
    await at.begin_again()
    try:
        yield at
    finally:
        await server.tenant.close()
        await server.tenant.ledgers.close()
        sandbox.close()
