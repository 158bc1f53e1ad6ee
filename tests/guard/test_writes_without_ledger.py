"""A ledger that fails under a running server: full, read-only, held by another or gone. A write is
refused, or said to be unknown when it had been sent; it is never done in silence. Reads go on."""

import resource
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest

from answers import connected, facts, failure
from billing_mcp import approvals
from billing_mcp.config import Settings, from_environ
from billing_mcp.errors import Unavailable
from billing_mcp.guard.ledger import Claimed
from billing_mcp.guard.operations import State
from billing_mcp.guard.sqlite_ledger import SqliteLedger
from billing_mcp.server import BillingServer
from guard.guarded import LATER, Guarded, Time, at_once, guarded
from guard.ledgers import schema_of_its_own
from guard.relay import relayed
from processes import served_sandbox
from world import furnish

pytestmark = pytest.mark.anyio

OPERATION = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
# One that the vendor dedupes, one that is looked up by its id, one that is compared.
WRITES: dict[str, dict[str, Any]] = {
    "grant-credit": {
        "accountId": "harbor-main",
        "creditAmount": "50",
        "effectiveFrom": "2026-11-20",
    },
    "create-customer": {"id": "acme", "name": "Acme", "primaryEmail": "billing@acme.example"},
    "update-billable-metric": {
        "billableMetricId": "nodes",
        "body": {"description": "Nodes in use"},
    },
}


class Broken(Protocol):
    """A way to break a ledger and to mend it."""

    async def strike(self) -> None: ...

    async def mend(self) -> None: ...


class NoRoom:
    """No file may grow: Python ignores the signal, so that it is an error as on a full disk."""

    async def strike(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, self._before[1]))

    async def mend(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


class ReadOnly:
    def __init__(self, ledger: SqliteLedger) -> None:
        self._db = ledger._db

    async def strike(self) -> None:
        self._db.execute("PRAGMA query_only = ON")

    async def mend(self) -> None:
        self._db.execute("PRAGMA query_only = OFF")


class HeldByAnother:
    def __init__(self, ledger: SqliteLedger, path: Path) -> None:
        # How long it waits for its turn: as long as a test can.
        ledger._busy = timedelta(milliseconds=50)
        self._other = sqlite3.connect(path, isolation_level=None)

    async def strike(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    async def mend(self) -> None:
        self._other.execute("ROLLBACK")


WAYS = ("no room", "read-only", "held by another")


@asynccontextmanager
async def on_a_file(folder: Path, way: str) -> AsyncIterator[tuple[Guarded, Broken]]:
    """A server whose ledger is a file, while what it writes to is in memory."""
    async with guarded(Settings(sandbox_data=folder / "company")) as at:
        ledger = (await at.gate()).ledger
        assert isinstance(ledger, SqliteLedger)
        ways: dict[str, Callable[[], Broken]] = {
            "no room": NoRoom,
            "read-only": lambda: ReadOnly(ledger),
            "held by another": lambda: HeldByAnother(ledger, folder / "company.ledger"),
        }
        yield at, ways[way]()


def strike_after(ledger: Any, step: str, broken: Broken) -> None:
    """Break the ledger as soon as it has made this step, once."""
    real = getattr(ledger, step)

    async def step_and_strike(*given: Any) -> Any:
        answer = await real(*given)
        setattr(ledger, step, real)
        assert step != "claim" or isinstance(answer, Claimed)
        await broken.strike()
        return answer

    setattr(ledger, step, step_and_strike)


async def reads_go_on(at: Guarded) -> None:
    facts(await at.call("list-customers", {}))
    facts(await at.call("list-credits", {"accountId": "harbor-main"}))
    facts(await at.call("get-billable-metric", {"billableMetricId": "nodes"}))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tool", WRITES)
async def test_a_write_that_cannot_be_recorded_is_refused_and_done_when_it_can(
    tool: str, way: str, tmp_path: Path
) -> None:
    async with on_a_file(tmp_path, way) as (at, broken):
        write = WRITES[tool] | {"operationId": OPERATION}
        await broken.strike()
        for arguments in (write, WRITES[tool], WRITES[tool] | {"dryRun": True}):
            refused = failure(await at.call(tool, arguments))
            assert refused["kind"] == "unavailable"
            assert "ledger" in refused["message"]
        assert at.effects == []
        await reads_go_on(at)
        await broken.mend()
        facts(await at.call(tool, write))
        assert len(at.effects) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tool", WRITES)
async def test_a_ledger_that_fails_after_the_claim_lets_nothing_leave(
    tool: str, way: str, tmp_path: Path
) -> None:
    async with on_a_file(tmp_path, way) as (at, broken):
        write = WRITES[tool] | {"operationId": OPERATION}
        strike_after((await at.gate()).ledger, "claim", broken)
        refused = failure(await at.call(tool, write))
        assert refused["kind"] == "unavailable"
        assert at.effects == []
        await reads_go_on(at)
        await broken.mend()
        at.time.pass_by(LATER)
        facts(await at.call(tool, write))
        assert len(at.effects) == 1
        assert (await at.row(OPERATION)).state is State.COMMITTED


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tool", WRITES)
async def test_a_ledger_that_fails_when_the_vendor_has_done_it_leaves_it_unknown_and_not_twice(
    tool: str, way: str, tmp_path: Path
) -> None:
    async with on_a_file(tmp_path, way) as (at, broken):
        write = WRITES[tool] | {"operationId": OPERATION}
        strike_after((await at.gate()).ledger, "sent", broken)
        unknown = failure(await at.call(tool, write))
        assert unknown["kind"] == "outcome-unknown"
        assert unknown["operationId"] == OPERATION
        assert len(at.effects) == 1
        await reads_go_on(at)
        # While it is broken the same call again is refused, whatever the caller makes of it.
        again = failure(await at.call(tool, write))
        assert again["kind"] in ("unavailable", "outcome-unknown")
        await broken.mend()
        at.time.pass_by(LATER)
        facts(await at.call(tool, write))
        assert len(at.effects) == 1
        assert (await at.row(OPERATION)).state is State.COMMITTED


@pytest.mark.parametrize("way", WAYS)
async def test_an_approval_that_cannot_be_written_down_is_none(way: str, tmp_path: Path) -> None:
    async with on_a_file(tmp_path, way) as (at, broken):
        grant = WRITES["grant-credit"] | {"creditAmount": "150"}
        operation_id = failure(await at.call("grant-credit", grant))["operationId"]
        await broken.strike()
        with pytest.raises(Unavailable):
            await approvals.approve(at.server.tenant, operation_id, "ann", identified=True)
        await broken.mend()
        commit = grant | {"operationId": operation_id}
        assert failure(await at.call("grant-credit", commit))["kind"] == "approval-required"
        assert at.effects == []


async def test_a_ledger_that_cannot_be_opened_refuses_writes_and_not_reads(tmp_path: Path) -> None:
    (tmp_path / "company.ledger").mkdir()
    async with guarded(Settings(sandbox_data=tmp_path / "company")) as at:
        for tool, arguments in WRITES.items():
            assert failure(await at.call(tool, arguments))["kind"] == "unavailable"
        assert at.effects == []
        await reads_go_on(at)


@pytest.mark.parametrize("step", [None, "claim", "sent"])
@pytest.mark.parametrize("tool", ["grant-credit", "create-customer"])
async def test_a_postgresql_that_goes_away_in_mid_call(
    tool: str, step: str | None, tmp_path: Path, postgres_url: str
) -> None:
    """Before the claim, after it, or when the vendor is being asked."""
    write = WRITES[tool] | {"operationId": OPERATION}
    async with on_postgres(postgres_url, tmp_path) as (at, broken):
        if step is None:
            await broken.strike()
        else:
            strike_after((await at.gate()).ledger, step, broken)
        told = failure(await at.call(tool, write))
        assert told["kind"] == ("outcome-unknown" if step == "sent" else "unavailable")
        assert len(at.effects) == (1 if step == "sent" else 0)
        facts(await at.call("list-customers", {}))
        await broken.mend()
        at.time.pass_by(LATER)
        facts(await at.call(tool, write))
        assert len(at.effects) == 1


class Gone:
    def __init__(self, relay: Any) -> None:
        self._relay = relay

    async def strike(self) -> None:
        await self._relay.cut()

    async def mend(self) -> None:
        self._relay.mend()


class Live(Guarded):
    """As `Guarded`, on vendors at a port: an embedded sandbox has no ledger elsewhere."""

    async def gate(self) -> Any:
        return await self.ledgers.gate(self.ledgers.environments[0])


@asynccontextmanager
async def on_postgres(url: str, folder: Path) -> AsyncIterator[tuple[Guarded, Broken]]:
    with served_sandbox() as (sandbox, vendor):
        world = furnish(sandbox)
        sandbox.backend.db.execute("delete from effects")
        async with schema_of_its_own(url) as own, relayed(own, folder) as relay:
            environ = {
                "TOGAI_API_KEY": "togai-key",
                "TOGAI_BASE_URL": f"{vendor}/togai",
                "BILLING_MCP_LEDGER_URL": relay.url,
                "BILLING_MCP_UPSTREAM_TIMEOUT": "5",
            }
            server = BillingServer(from_environ(environ))
            time = Time()
            server.tenant.now = time
            server.tenant.connection("togai").sleep = at_once
            async with connected(server) as client:
                yield Live(server, client, world, time), Gone(relay)
