"""The ledger in PostgreSQL, for servers of which there is more than one (extra `postgres`)."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Self, TypeVar

import anyio
import psycopg
from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, SerializationFailure

from billing_mcp.guard.ledger import LedgerUnavailable, LedgerUnusable
from billing_mcp.guard.stored_ledger import Clock, Mode, StoredLedger, preparing, real_time
from billing_mcp.guard.transactions import Batch, Rows, Statement, Work

T = TypeVar("T")
Connection = AsyncConnection[tuple[Any, ...]]

# Whoever writes to a partition waits for its one head row, so more would wait in the database.
MOST_CONNECTIONS = 8
TRIES = 5
PATIENCE = timedelta(seconds=10)
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
# Any number, as long as nobody else locks it: two servers starting at once make the tables once.
_MAKING = "SELECT pg_advisory_xact_lock(7089057376893)"


class PostgresLedger(StoredLedger):
    """Connections are opened as needed and kept; each transaction has one for itself."""

    def __init__(self, url: str, clock: Clock, patience: timedelta) -> None:
        super().__init__(clock)
        self._url = url
        self._patience = patience
        self._idle: list[Connection] = []
        self._free = anyio.Semaphore(MOST_CONNECTIONS)

    @classmethod
    async def open(cls, url: str, clock: Clock = real_time, patience: timedelta = PATIENCE) -> Self:
        """Connect, and make the tables in the connection's schema if they are not there.

        `patience` is how long a statement may wait, for a lock too. Raises `LedgerUnavailable` and
        `LedgerUnusable`.
        """
        ledger = cls(url, clock, patience)
        try:
            await ledger._run(_preparing)
        except BaseException:
            await ledger.close()
            raise
        return ledger

    async def _run(self, work: Callable[[], Work[T]], mode: Mode = "write") -> T:
        # Waiting for a free connection may be cancelled; a transaction ends before that is heard.
        async with self._free:
            with anyio.CancelScope(shield=True):
                answer = await self._tried(work, mode)
        return answer

    async def _tried(self, work: Callable[[], Work[T]], mode: Mode) -> T:
        """Run it again when PostgreSQL has certainly rolled it back for another's sake, and when an
        idle connection turns out to have been dead before the transaction began."""
        for attempt in range(1, TRIES + 1):
            connection, is_fresh = await self._connection()
            try:
                answer = await _transaction(connection, work(), mode)
            except (SerializationFailure, DeadlockDetected) as error:
                self._idle.append(connection)
                if attempt == TRIES:
                    raise _sentence(error) from error
            except _NotBegun as error:
                await _closed(connection)
                if is_fresh:
                    raise _sentence(error.cause) from error.cause
            except psycopg.Error as error:
                await _closed(connection)
                raise _sentence(error) from error
            except BaseException:
                await self._given_back(connection)
                raise
            else:
                self._idle.append(connection)
                return answer
        raise LedgerUnavailable("The ledger's database closes every connection it is given.")

    async def _connection(self) -> tuple[Connection, bool]:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection, False
        seconds = max(2, int(self._patience.total_seconds()))
        try:
            connection = await AsyncConnection.connect(
                self._url, autocommit=True, connect_timeout=seconds
            )
            await connection.execute(_timeouts(self._patience))
        except psycopg.Error as error:
            raise _sentence(error) from error
        return connection, True

    async def _given_back(self, connection: Connection) -> None:
        """After an error of ours: the transaction was rolled back, the connection is as good."""
        if connection.closed:
            return
        self._idle.append(connection)

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            while self._idle:
                await _closed(self._idle.pop())


class _NotBegun(Exception):
    """The connection was gone before the transaction had done anything but look."""

    def __init__(self, cause: psycopg.Error) -> None:
        super().__init__(str(cause))
        self.cause = cause


async def _transaction(connection: Connection, running: Work[T], mode: Mode) -> T:
    # Writers lock their partition's row first, and see what was committed before they got it. A
    # reader of many rows sees them all at one moment.
    begin = "BEGIN" if mode == "write" else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    try:
        try:
            first = next(running)
            _, *rows = await _executed(connection, (Statement(begin), *first))
        except psycopg.OperationalError as error:
            if connection.closed:
                raise _NotBegun(error) from error
            raise
        answer = await _ended(connection, running, rows)
        await connection.execute("COMMIT")
    except BaseException:
        # A connection that is gone rolls back by itself.
        with suppress(psycopg.Error):
            await connection.execute("ROLLBACK")
        raise
    finally:
        running.close()
    return answer


async def _ended(connection: Connection, running: Work[T], rows: Sequence[Rows]) -> T:
    try:
        while True:
            rows = await _executed(connection, running.send(rows))
    except StopIteration as end:
        answer: T = end.value
        return answer


async def _executed(connection: Connection, batch: Batch) -> list[Rows]:
    """All at once, each after the other: a later statement sees what an earlier one waited for."""
    async with connection.pipeline():
        cursors = [
            await connection.execute(
                statement.sql.replace("?", "%s").encode(), statement.values or None
            )
            for statement in batch
        ]
    return [await cursor.fetchall() if cursor.description is not None else () for cursor in cursors]


def _preparing() -> Work[None]:
    yield (Statement(_MAKING),)
    yield from preparing(_TABLES)


def _timeouts(patience: timedelta) -> bytes:
    milliseconds = str(patience // timedelta(milliseconds=1))
    # What was answered as durable must be, whatever the database's own default is.
    settings = ("statement_timeout", "idle_in_transaction_session_timeout")
    sets = "".join(f"SET {name} = {milliseconds};" for name in settings)
    return f"SET synchronous_commit = on;{sets}".encode()


async def _closed(connection: Connection) -> None:
    with suppress(psycopg.Error):
        await connection.close()


def _sentence(error: psycopg.Error) -> LedgerUnavailable | LedgerUnusable:
    """What psycopg says can name the host and the user; it goes to the log, not into the text."""
    if isinstance(error, psycopg.errors.InvalidPassword | psycopg.errors.InsufficientPrivilege):
        return LedgerUnusable("The ledger's database does not let this server in.")
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return LedgerUnavailable("The ledger cannot be used: its database is read-only.")
    if isinstance(error, psycopg.errors.DiskFull):
        return LedgerUnavailable("The ledger cannot be used: its database's disk is full.")
    kind = type(error).__name__
    return LedgerUnavailable(f"The ledger cannot be used: its database failed ({kind}).")
