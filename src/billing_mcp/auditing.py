"""The verb `audit verify`: proves that nothing of the audit was altered or removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from pydantic import SecretStr

from billing_mcp import money
from billing_mcp.config import Settings
from billing_mcp.credentials import SettingsError
from billing_mcp.guard.ledger import Head, LedgerError, Verdict
from billing_mcp.guard.operations import Partition
from billing_mcp.ledgers import opened
from billing_mcp.listing import Row, complain, tell, tell_json
from billing_mcp.tenants import Tenant

USAGE = "Use audit verify [--json] [--heads FILE]."
IN_MEMORY = (
    "There is no audit to verify here: the ledger of this sandbox is in memory, and ends with the "
    "process that made it. Set BILLING_MCP_SANDBOX_DATA to a file to keep both."
)
NOTHING_YET = "Nothing was ever written under these settings, so there is no audit yet."
KEEP = "Keep the heads where this ledger's writer cannot reach: --json prints them for --heads."


@dataclass(frozen=True, slots=True)
class _Books:
    """One database with ledgers in it, and which partitions the settings keep there."""

    place: Path | SecretStr
    partitions: frozenset[Partition]

    @property
    def name(self) -> str:
        """Without the password that a URL may hold."""
        return str(self.place) if isinstance(self.place, Path) else "PostgreSQL"


def run(words: Sequence[str], heads: str | None, settings: Settings, *, as_json: bool) -> int:
    """1 when something was found, or a ledger cannot be read. Raises `SettingsError`."""
    if list(words) != ["verify"]:
        raise SettingsError(USAGE)
    known = [] if heads is None else _kept(Path(heads))
    books = _books(settings)
    if not books and not known:
        complain(IN_MEMORY)
        return 1
    rows, well = anyio.run(_verified, books, known)
    if as_json:
        tell_json(rows)
    else:
        tell(_lines(rows))
    return 0 if well and not any(row["findings"] for row in rows) else 1


def _books(settings: Settings) -> list[_Books]:
    """Each database once: tenants may share one."""
    found: dict[str, _Books] = {}
    for tenant in settings.tenants:
        ledgers = Tenant(tenant, settings).ledgers
        for environment in ledgers.environments:
            place = ledgers.place(environment)
            if place is not None:
                here = Partition(tenant.name, environment)
                url = place.get_secret_value() if isinstance(place, SecretStr) else str(place)
                before = found[url].partitions if url in found else frozenset()
                found[url] = _Books(place, before | {here})
    return list(found.values())


async def _verified(books: Sequence[_Books], known: Sequence[Head]) -> tuple[list[Row], bool]:
    """A row for every partition, and whether every ledger could be read.

    Heads of partitions that are in none of these ledgers are findings: their audit is gone.
    """
    rows: list[Row] = []
    well = True
    placed = frozenset[Partition]().union(*(one.partitions for one in books))
    missing = {head.partition: head for head in known}
    for one in books:
        # Others may share the database: their heads are held to whatever of theirs is in it.
        held = [
            head
            for head in known
            if head.partition in one.partitions or head.partition not in placed
        ]
        try:
            verdicts = await _verdicts(one, held)
        except LedgerError as error:
            complain(f"{one.name}: {error}")
            well = False
            # What is in there is not known, so that nothing of it is told to be gone.
            missing = {
                partition: head
                for partition, head in missing.items()
                if partition in placed - one.partitions
            }
            continue
        for verdict in verdicts:
            if verdict.records or verdict.partition in one.partitions:
                missing.pop(verdict.partition, None)
                rows.append(_row(one, verdict))
    rows += [_gone(head) for head in missing.values()]
    return rows, well


async def _verdicts(books: _Books, known: Sequence[Head]) -> Sequence[Verdict]:
    # Nothing is made where no write was ever asked for; what was kept elsewhere is then gone.
    if isinstance(books.place, Path) and not books.place.is_file():
        return []
    ledger = await opened(books.place)
    try:
        return await ledger.verify(known)
    finally:
        await ledger.close()


def _row(books: _Books | None, verdict: Verdict) -> Row:
    row: Row = {
        "tenant": verdict.partition.tenant,
        "environment": verdict.partition.environment,
        "ledger": None if books is None else books.name,
        "records": verdict.records,
        "head": verdict.head or None,
        "findings": list(verdict.findings),
    }
    return {name: value for name, value in row.items() if value is not None}


def _gone(head: Head) -> Row:
    finding = f"record {head.sequence}, whose hash was kept elsewhere, is in no ledger of these"
    return _row(None, Verdict(head.partition, 0, "", (f"{finding} settings",)))


def _lines(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return [NOTHING_YET]
    lines = []
    for row in rows:
        ledger = f"  {row['ledger']}" if "ledger" in row else ""
        head = f"  head {row['head']}" if "head" in row else ""
        state = "ALTERED" if row["findings"] else "sound"
        named = f"{row['tenant']}  {row['environment']}"
        lines.append(f"{state:9}{named}  {row['records']} records{head}{ledger}")
        lines += [f"         {finding}" for finding in row["findings"]]
    sound = not any(row["findings"] for row in rows)
    return [*lines, KEEP] if sound else lines


def _kept(path: Path) -> list[Head]:
    """Heads that `audit verify --json` printed. Raises `SettingsError`."""
    try:
        rows = money.from_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"--heads {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingsError(_unfit(path)) from error
    if not isinstance(rows, list):
        raise SettingsError(_unfit(path))
    heads = [_head(path, row) for row in rows]
    return [head for head in heads if head.sequence > 0]


def _head(path: Path, row: Any) -> Head:
    match row:
        case {
            "tenant": str(tenant),
            "environment": str(environment),
            "records": int(records),
            "head": str(head),
            "findings": [],
        }:
            return Head(Partition(tenant, environment), records, head)
    raise SettingsError(_unfit(path))


def _unfit(path: Path) -> str:
    return f"--heads {path} is not what `audit verify --json` printed when it found nothing."
