"""A server whose time a test moves, on the small company of `world`, and its ledger laid open."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio.lowlevel
from mcp import Client
from mcp.types import CallToolResult

from answers import connected
from billing_mcp.config import Settings
from billing_mcp.guard.gate import Gate
from billing_mcp.guard.operations import Key, Operation
from billing_mcp.guard.reconcile import Recovery
from billing_mcp.sandbox import SandboxSettings
from billing_mcp.server import BillingServer
from world import World, open_world

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
# Longer than any lease: whoever held one has lost it, and no vendor is at an old request.
LATER = timedelta(minutes=2)


@dataclass(slots=True)
class Time:
    """Real UTC as the server sees it; it stands still unless a test moves it."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, time: timedelta = LATER) -> None:
        self.now += time


async def at_once(_: float) -> None:
    """Stands in for the waiting between tries and looks; others come to run meanwhile."""
    await anyio.lowlevel.checkpoint()


@dataclass(slots=True)
class Guarded:
    server: BillingServer
    client: Client
    world: World
    time: Time

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        return await self.client.call_tool(tool, dict(arguments))

    @property
    def ledgers(self) -> Any:
        return self.server.tenant.ledgers

    async def gate(self) -> Gate:
        gate: Gate = await self.ledgers.gate("sandbox")
        return gate

    async def row(self, operation_id: str) -> Operation:
        gate = await self.gate()
        row = await gate.ledger.get(Key(gate.partition, operation_id))
        assert row is not None
        return row

    async def recover(self) -> None:
        """What a server does at its start; it looks twice."""
        gate = await self.gate()
        question_of = self.server.catalog.question

        def question(operation: Operation) -> Any:
            return question_of(operation, self.server.tenant)

        await Recovery(gate.ledger, gate.partition, gate.timing, question, at_once).run()

    def fault(self, **fault: Any) -> None:
        """One fault of the embedded sandbox; without `times` it strikes for ever."""
        self.world.sandbox.faults.replace([fault])

    def mend(self) -> None:
        self.world.sandbox.faults.clear()

    @property
    def effects(self) -> list[tuple[str, str]]:
        """What the vendors really did since the company was made: kind and id."""
        rows = self.world.sandbox.backend.db.execute("select kind, id from effects order by number")
        return [(row["kind"], row["id"]) for row in rows]


@asynccontextmanager
async def guarded(
    settings: Settings | None = None, era: str = "modern", **options: Any
) -> AsyncIterator[Guarded]:
    server = BillingServer(settings or Settings())
    time = Time()
    server.tenant.now = time
    world = open_world(server, SandboxSettings(demo=False))
    for vendor in ("togai", "suger"):
        server.tenant.connection(vendor).sleep = at_once
    world.sandbox.backend.db.execute("delete from effects")
    async with connected(server, era, **options) as client:
        yield Guarded(server, client, world, time)
