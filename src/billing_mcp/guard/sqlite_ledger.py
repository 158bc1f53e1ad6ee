"""The ledger in one SQLite file, or in memory: the default, for one machine."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from billing_mcp.guard.ledger import LedgerUnavailable, LedgerUnusable
from billing_mcp.guard.stored_ledger import Clock, Mode, StoredLedger, preparing, real_time
from billing_mcp.guard.transactions import Rows, Statement, Work

T = TypeVar("T")
BUSY = timedelta(seconds=5)
# To a thread and back is half of what a transaction takes on a quick disk. One that takes longer
# than this is on a disk, or beside writers, that must not hold up the server's other calls.
QUICK_NS = 5_000_000
# "bmcl" in ASCII: SQLite keeps it in the file's header, and it tells a ledger from other files.
APPLICATION = 0x626D636C
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


class SqliteLedger(StoredLedger):
    """One connection, used by one thread at a time; several processes may share the file.

    A transaction runs where it is asked for as long as the last one was quick, and in a thread of
    the ledger's otherwise, or when another process holds the file.
    """

    def __init__(self, db: sqlite3.Connection, clock: Clock, busy: timedelta) -> None:
        super().__init__(clock)
        self._db = db
        self._busy = busy
        self._is_quick = True
        # Without the round through the event loop that a free lock would cost.
        self._one_at_a_time = anyio.Lock(fast_acquire=True)
        # Of its own, so that threads of others cannot keep a write from being settled.
        self._thread = CapacityLimiter(1)

    @classmethod
    async def open(
        cls, path: Path | None, clock: Clock = real_time, busy: timedelta = BUSY
    ) -> Self:
        """Open or make the file, readable by its owner alone; None is a ledger in memory.

        `busy` is how long a transaction waits for those of other processes. Raises
        `LedgerUnavailable` and `LedgerUnusable`.
        """
        db = await to_thread.run_sync(partial(_open, path, busy))
        return cls(db, clock, busy)

    async def _run(self, work: Callable[[], Work[T]], mode: Mode = "write") -> T:
        # Waiting for the connection may be cancelled; a transaction ends before that is heard.
        async with self._one_at_a_time:
            if self._is_quick:
                try:
                    return self._timed(work, mode)
                except _Held:
                    pass
            with anyio.CancelScope(shield=True):
                waiting = partial(self._waiting, work, mode)
                answer = await to_thread.run_sync(waiting, limiter=self._thread)
        return answer

    def _timed(self, work: Callable[[], Work[T]], mode: Mode) -> T:
        began = time.perf_counter_ns()
        try:
            return _transaction(self._db, work, mode)
        finally:
            self._is_quick = time.perf_counter_ns() - began < QUICK_NS

    def _waiting(self, work: Callable[[], Work[T]], mode: Mode) -> T:
        """As `_timed`, in a thread that may wait for other processes."""
        try:
            _wait_for(self._db, self._busy)
            return self._timed(work, mode)
        except _Held as held:
            raise _sentence(held.error) from held.error
        finally:
            _wait_for(self._db, timedelta(0))

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            async with self._one_at_a_time:
                await to_thread.run_sync(self._db.close, limiter=self._thread)


class _Held(Exception):
    """Another process writes to the file at this moment; nothing has begun."""

    def __init__(self, error: sqlite3.Error) -> None:
        super().__init__(str(error))
        self.error = error


def _wait_for(db: sqlite3.Connection, longest: timedelta) -> None:
    """How long a transaction waits for those of other processes from now on."""
    try:
        db.execute(f"PRAGMA busy_timeout = {longest // timedelta(milliseconds=1)}")
    except sqlite3.Error as error:
        raise _sentence(error) from error


def _open(path: Path | None, busy: timedelta) -> sqlite3.Connection:
    try:
        if path is not None:
            _private(path)
        db = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=busy.total_seconds(),
            isolation_level=None,
            check_same_thread=False,
        )
    except (OSError, sqlite3.Error) as error:
        raise LedgerUnavailable(f"The ledger {path} cannot be opened: {error}.") from error
    # Bytes that are no text are for `verify` to report, not a reason to stop reading.
    db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    try:
        _prepare(db, busy)
        _wait_for(db, timedelta(0))
    except _Held as held:
        db.close()
        raise _sentence(held.error) from held.error
    except (LedgerUnavailable, LedgerUnusable):
        db.close()
        raise
    return db


def _private(path: Path) -> None:
    """Make the file if there is none, for its owner alone; SQLite's own files beside it follow."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _prepare(db: sqlite3.Connection, busy: timedelta) -> None:
    try:
        # As one look: another process may make its tables meanwhile.
        db.execute("BEGIN")
        (application,) = db.execute("PRAGMA application_id").fetchone()
        empty = not db.execute(_TABLES).fetchall()
        db.execute("COMMIT")
        if application != APPLICATION and not (application == 0 and empty):
            raise LedgerUnusable("The file is a database of something else, not a ledger.")
        _log_ahead(db, busy)
        # Durable at every commit, and on macOS past the drive's own cache.
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA fullfsync = ON")
    except sqlite3.Error as error:
        raise _sentence(error) from error
    _transaction(db, _preparing, "write")


def _log_ahead(db: sqlite3.Connection, busy: timedelta) -> None:
    """Write the file by a log. Two processes that begin to at once are both sent away by SQLite,
    which has no turns for this; so we wait as for a turn to write, and ask again."""
    until = time.monotonic_ns() + busy // timedelta(microseconds=1) * 1000
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic_ns() > until:
                raise
        else:
            return
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")


def _preparing() -> Work[None]:
    yield from preparing(_TABLES)
    yield (Statement(f"PRAGMA application_id = {APPLICATION}"),)


def _transaction(db: sqlite3.Connection, work: Callable[[], Work[T]], mode: Mode) -> T:
    running = work()
    try:
        # A writer waits for the file here, where waiting is possible, and not between two steps.
        _begin(db, mode)
        batch = next(running)
        while True:
            batch = running.send([_executed(db, statement) for statement in batch])
    except StopIteration as end:
        answer: T = end.value
        return _committed(db, answer)
    except sqlite3.Error as error:
        if mode == "read" and _is_busy(error):
            # A reader meets the others at its first look, and has changed nothing.
            raise _Held(error) from error
        raise _sentence(error) from error
    finally:
        running.close()
        if db.in_transaction:
            # A database that is gone cannot roll back either, and loses the transaction anyway.
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")


def _begin(db: sqlite3.Connection, mode: Mode) -> None:
    try:
        db.execute("BEGIN IMMEDIATE" if mode == "write" else "BEGIN")
    except sqlite3.Error as error:
        if _is_busy(error):
            raise _Held(error) from error
        raise


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def _executed(db: sqlite3.Connection, statement: Statement) -> Rows:
    return db.execute(statement.sql.replace(" FOR UPDATE", ""), statement.values).fetchall()


def _committed(db: sqlite3.Connection, answer: T) -> T:
    try:
        db.execute("COMMIT")
    except sqlite3.Error as error:
        raise _sentence(error) from error
    return answer


_SENTENCES = {
    sqlite3.SQLITE_BUSY: "another process holds it for too long",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "its file is read-only",
    sqlite3.SQLITE_IOERR: "its file cannot be read or written",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened",
    sqlite3.SQLITE_CORRUPT: "its file is damaged",
    sqlite3.SQLITE_NOTADB: "its file is not a database",
}


def _sentence(error: sqlite3.Error) -> LedgerUnavailable | LedgerUnusable:
    code = getattr(error, "sqlite_errorcode", 0)
    primary = code & 0xFF
    damaged = primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
    kind = LedgerUnusable if damaged else LedgerUnavailable
    return kind(f"The ledger cannot be used: {_SENTENCES.get(primary, 'SQLite failed')} ({error}).")
