"""The sandbox's SQLite database: opening, its schema and version, and transactions."""

import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

Connection = sqlite3.Connection
Row = sqlite3.Row
IntegrityError = sqlite3.IntegrityError

# "bmcp" in ASCII: SQLite keeps it in the file's header, and it tells our files from others.
APPLICATION = 0x626D6370

_SCHEMAS = ("", "togai", "suger")

# Ids have no order, so that a batch of events touches pages all over their indexes. SQLite's own
# 2 MiB of cache and 4 MiB of log would write and read most of them for every batch.
_CACHE_KIB = 65_536
_CHECKPOINT_PAGES = 8_000


class UnusableDataFile(ValueError):
    """The data file is not a sandbox's, or it was written with another schema."""


@cache
def schema() -> str:
    """Every table of the sandbox, as SQL."""
    root = files("billing_mcp.sandbox")
    sources = [
        source
        for folder in _SCHEMAS
        for source in sorted(root.joinpath(folder).iterdir(), key=lambda source: source.name)
        if source.name.endswith(".sql")
    ]
    return "\n".join(source.read_text(encoding="utf-8") for source in sources)


def schema_version() -> int:
    """A number that changes with the schema by itself, so that nobody can forget to raise it."""
    return zlib.crc32(schema().encode()) & 0x7FFFFFFF


def open_database(path: Path | None) -> tuple[Connection, bool]:
    """Open the data file, or a database in memory; and whether it is new (has no content yet).

    Raises `UnusableDataFile` with the way out when the file cannot be used as it stands.
    """
    if path is not None and not path.parent.is_dir():
        raise UnusableDataFile(f"there is no folder {path.parent} to keep the data file in")
    db = _connect(path)
    try:
        new = _is_empty(db)
        if not new:
            _check(db, path)
        else:
            db.execute(f"pragma application_id = {APPLICATION}")
            db.execute(f"pragma user_version = {schema_version()}")
            if path is not None:
                db.execute("pragma journal_mode = wal")
        db.execute(f"pragma cache_size = -{_CACHE_KIB}")
        db.execute(f"pragma wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        db.execute("pragma synchronous = normal")
        db.execute("pragma foreign_keys = on")
    except sqlite3.DatabaseError as error:
        db.close()
        raise UnusableDataFile(f"{path} cannot be opened: {error}; {_WAY_OUT}") from error
    except UnusableDataFile:
        db.close()
        raise
    return db, new


_WAY_OUT = "move the file away, or name another one with --data"


def _connect(path: Path | None) -> Connection:
    try:
        db = sqlite3.connect(
            path or ":memory:",
            isolation_level=None,  # transactions begin and end in `transaction`, nowhere else
            check_same_thread=False,  # opened in one thread, then used by the one serving thread
        )
    except sqlite3.OperationalError as error:
        raise UnusableDataFile(f"{path} cannot be opened: {error}; {_WAY_OUT}") from error
    db.row_factory = sqlite3.Row
    return db


def _is_empty(db: Connection) -> bool:
    return db.execute("select 1 from sqlite_master").fetchone() is None


def _check(db: Connection, path: Path | None) -> None:
    if db.execute("pragma application_id").fetchone()[0] != APPLICATION:
        raise UnusableDataFile(f"{path} is not a sandbox's data file; {_WAY_OUT}")
    if db.execute("pragma user_version").fetchone()[0] != schema_version():
        raise UnusableDataFile(
            f"{path} was written by another version of the sandbox and has other tables; {_WAY_OUT}"
        )


@contextmanager
def transaction(db: Connection) -> Iterator[None]:
    """Keep everything done inside, or nothing. Inside another one it is a savepoint of it."""
    if db.in_transaction:
        begin, keep, undo = "savepoint step", "release step", "rollback to step"
    else:
        begin, keep, undo = "begin immediate", "commit", "rollback"
    db.execute(begin)
    try:
        yield
    except BaseException:
        db.execute(undo)
        if keep == "release step":
            db.execute(keep)
        raise
    db.execute(keep)


@contextmanager
def tried(db: Connection) -> Iterator[None]:
    """Take everything that is done inside back at its end, inside a transaction."""
    db.execute("savepoint trial")
    try:
        yield
    finally:
        db.execute("rollback to trial")
        db.execute("release trial")


def create(db: Connection) -> None:
    """Drop every table and create all of them, empty. Call it inside a transaction."""
    # Newest first: tables that refer to others are created after them.
    names = db.execute(
        "select name from sqlite_master where type = 'table' order by rowid desc"
    ).fetchall()
    for row in names:
        db.execute(f'drop table "{row["name"]}"')
    # `executescript` would commit the transaction around us.
    statement = ""
    for line in schema().splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.execute(statement)
            statement = ""


def image(db: Connection) -> bytes:
    """The whole database, for `restore`."""
    return db.serialize()


def restore(db: Connection, saved: bytes) -> None:
    """Make an open database the one that was saved. Call it outside a transaction."""
    # Deserialising into `db` itself would leave it with SQLite's limit of 1 GiB for such databases.
    with closing(sqlite3.connect(":memory:")) as source:
        source.deserialize(saved)
        source.backup(db)


def insert(db: Connection, table: str, columns: Mapping[str, Any]) -> None:
    """Add a row. The names come from our own code, never from a request."""
    db.execute(_insertion(table, tuple(columns)), tuple(columns.values()))


@lru_cache(maxsize=128)
def _insertion(table: str, columns: tuple[str, ...]) -> str:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    return f"insert into {table} ({names}) values ({marks})"  # noqa: S608 - names as `insert` says


def update(db: Connection, table: str, changes: Mapping[str, Any], **key: Any) -> None:
    """Set columns of the rows whose key columns have these values; nothing to set is no error."""
    if changes:
        settings = ", ".join(f"{name} = ?" for name in changes)
        condition = " and ".join(f"{name} = ?" for name in key)
        db.execute(
            f"update {table} set {settings} where {condition}",  # noqa: S608 - names as in `insert`
            (*changes.values(), *key.values()),
        )


def stored_moment(path: Path) -> str | None:
    """The clock of a data file, or None when there is no such file or it has no clock yet."""
    if not path.is_file():
        return None
    db, new = open_database(path)
    try:
        if new:
            return None
        row = db.execute("select moment from clock where name = 'now'").fetchone()
        return None if row is None else str(row["moment"])
    finally:
        db.close()
