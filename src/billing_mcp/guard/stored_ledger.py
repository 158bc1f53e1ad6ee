"""A ledger over a database: every method as one transaction, run by whichever database it is."""

import zlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib.resources import files
from typing import Any, Literal, TypeVar

from billing_mcp.guard import transactions, transitions
from billing_mcp.guard.arguments import storable
from billing_mcp.guard.ledger import (
    ClaimAnswer,
    Head,
    Lapsed,
    Ledger,
    LedgerUnusable,
    Note,
    PlanAnswer,
    Planned,
    PlanRefused,
    TakeAnswer,
    Verdict,
)
from billing_mcp.guard.operations import (
    Filters,
    Hold,
    Key,
    Listing,
    NewOperation,
    Operation,
    Partition,
    Plan,
    Settlement,
    Spend,
    Spent,
)
from billing_mcp.guard.transactions import Statement, Work
from billing_mcp.guard.verification import verifying

T = TypeVar("T")
Clock = Callable[[], datetime]
Mode = Literal["write", "read"]
MOST_LISTED = 500


def real_time() -> datetime:
    return datetime.now(UTC)


def schema() -> list[str]:
    """The statements that make a new ledger."""
    text = files("billing_mcp.guard").joinpath("schema.sql").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("--"))
    return [statement for statement in "\n".join(lines).split(";") if statement.strip()]


def schema_version() -> int:
    """A number that changes with the schema by itself, so that nobody can forget to raise it."""
    return zlib.crc32("".join(schema()).encode())


def preparing(tables: str) -> Work[None]:
    """Make the tables, or check that those there are of this version. `tables` lists their names
    in the database at hand. Raises `LedgerUnusable`."""
    (names,) = yield (Statement(tables),)
    if "billing_ledger" not in {row[0] for row in names}:
        version = Statement("INSERT INTO billing_ledger VALUES (?)", (schema_version(),))
        yield (*(Statement(statement) for statement in schema()), version)
        return
    (rows,) = yield (Statement("SELECT version FROM billing_ledger"),)
    if [row[0] for row in rows] != [schema_version()]:
        raise LedgerUnusable(
            "The ledger was written by another version of this program. Keep it for its audit,"
            " and point BILLING_MCP_LEDGER_URL to a new one, once no operation in it is open."
        )


class StoredLedger(Ledger):
    """What the databases have in common. `_run` is all that each must bring."""

    def __init__(self, clock: Clock = real_time) -> None:
        self._clock = clock

    @abstractmethod
    async def _run(self, work: Callable[[], Work[T]], mode: Mode = "write") -> T:
        """Run a transaction to its end, whoever cancels; `work` makes it anew for each try."""

    async def _move(
        self,
        key: Key,
        decide: Callable[[transitions.Present], transitions.Change[T]],
        spend: Spend | None = None,
    ) -> T:
        # The time is taken under the lock: a waiting transaction must not act on an old one.
        return await self._run(lambda: transactions.moving(key, self._clock, decide, spend))

    async def claim(self, new: NewOperation, lease: timedelta) -> ClaimAnswer:
        decide = partial(transitions.claim, new=new, lease=lease)
        return await self._move(new.key, decide, new.spend)

    async def sent(self, hold: Hold, baseline: Any = None) -> Operation:
        decide = partial(transitions.sent, hold=hold, baseline=baseline)
        return await self._move(hold.key, decide)

    async def extend(self, hold: Hold, lease: timedelta) -> Operation:
        return await self._move(hold.key, partial(transitions.extend, hold=hold, lease=lease))

    async def settle(self, hold: Hold, settlement: Settlement) -> Operation:
        decide = partial(transitions.settle, hold=hold, settlement=settlement)
        return await self._move(hold.key, decide)

    async def plan(self, new: NewOperation, plan: Plan) -> PlanAnswer:
        return await self._move(new.key, partial(transitions.plan, new=new, shown=plan))

    async def take_plan(
        self, new: NewOperation, lease: timedelta, approvals_needed: int = 0
    ) -> TakeAnswer:
        decide = partial(
            transitions.take_plan, new=new, lease=lease, approvals_needed=approvals_needed
        )
        return await self._move(new.key, decide, new.spend)

    async def approve(self, key: Key, by: str) -> Planned | PlanRefused:
        return await self._move(key, partial(transitions.approve, by=storable(by)))

    async def deny(self, key: Key, by: str, why: str) -> Planned | PlanRefused:
        return await self._move(key, partial(transitions.deny, by=storable(by), why=storable(why)))

    async def take_over(self, key: Key, lease: timedelta) -> Lapsed | None:
        return await self._move(key, partial(transitions.take_over, lease=lease))

    async def note(self, note: Note) -> None:
        await self._run(lambda: transactions.noting(note, self._clock))

    async def get(self, key: Key) -> Operation | None:
        return await self._run(lambda: transactions.getting(key), "read")

    async def list(
        self, partition: Partition, filters: Filters, size: int = 50, after: str | None = None
    ) -> Listing:
        size = max(1, min(size, MOST_LISTED))
        return await self._run(
            lambda: transactions.listing(partition, filters, size, after), "read"
        )

    async def expired_leases(
        self, partition: Partition, limit: int = 100, after: Operation | None = None
    ) -> Sequence[Operation]:
        now = self._clock()
        return await self._run(
            lambda: transactions.open_without_lease(partition, now, limit, after), "read"
        )

    async def spent(
        self, partition: Partition, customer: str | None, role: str, currency: str, day: date
    ) -> Spent:
        return await self._run(
            lambda: transactions.spending(partition, customer, role, currency, day), "read"
        )

    async def purge(self, before: datetime, limit: int = 1000) -> int:
        now = self._clock()
        keys = await self._run(lambda: transactions.forgettable(before, now, limit), "read")
        forgotten = 0
        for key in keys:
            forgotten += await self._move(key, partial(transitions.forget, before=before))
        return forgotten

    async def heads(self) -> Sequence[Head]:
        return await self._run(transactions.all_heads, "read")

    async def verify(self, known: Sequence[Head] = ()) -> Sequence[Verdict]:
        return await self._run(lambda: verifying(known), "read")
