"""Reading a whole ledger for its audit to be examined: every partition, record and row."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from billing_mcp.guard.audit import Examination
from billing_mcp.guard.ledger import Head, Verdict
from billing_mcp.guard.operations import Partition
from billing_mcp.guard.rows import COLUMNS, row_digest
from billing_mcp.guard.transactions import Rows, Statement, Work

_BATCH = 500


def verifying(known: Sequence[Head]) -> Work[list[Verdict]]:
    """A partition that only `known` names is examined too: it has lost everything."""
    (rows,) = yield (
        Statement(
            "SELECT tenant, environment FROM billing_audit_heads"
            " UNION SELECT tenant, environment FROM billing_audit"
            " UNION SELECT tenant, environment FROM billing_operations"
        ),
    )
    partitions = {Partition(str(row[0]), str(row[1])) for row in rows}
    partitions |= {head.partition for head in known}
    verdicts = []
    for partition in sorted(partitions):
        kept = [head for head in known if head.partition == partition]
        examination = Examination(partition, kept)
        if _is_text(partition.tenant) and _is_text(partition.environment):
            yield from _examined(examination)
        else:
            examination.find("something is filed under a tenant or environment that is no text")
        verdicts.append(examination.verdict())
    return verdicts


def _examined(examination: Examination) -> Work[None]:
    names = (examination.partition.tenant, examination.partition.environment)
    last: int | None = 0
    while last is not None:
        (rows,) = yield (
            Statement(
                "SELECT tenant, environment, sequence, operation_id, body, hash FROM billing_audit"
                " WHERE tenant = ? AND environment = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                (*names, last, _BATCH),
            ),
        )
        for row in rows:
            examination.record(row)
        last = rows[-1][2] if len(rows) == _BATCH and isinstance(rows[-1][2], int) else None
    (heads,) = yield (
        Statement(
            "SELECT sequence, hash FROM billing_audit_heads WHERE tenant = ? AND environment = ?",
            names,
        ),
    )
    examination.head(*(heads[0] if heads else (None, None)))
    after: str | None = ""
    while after is not None:
        (rows,) = yield (
            Statement(
                "SELECT * FROM billing_operations WHERE tenant = ? AND environment = ? AND id > ?"
                " ORDER BY id LIMIT ?",
                (*names, after, _BATCH),
            ),
        )
        for values in _by_name(rows):
            examination.operation(values["id"], values["sequence"], _digest(values))
        last_id = rows[-1][COLUMNS.index("id")] if len(rows) == _BATCH else None
        after = last_id if isinstance(last_id, str) and _is_text(last_id) else None


def _by_name(rows: Rows) -> Iterator[Mapping[str, Any]]:
    return (dict(zip(COLUMNS, row, strict=True)) for row in rows)


def _digest(values: Mapping[str, Any]) -> str:
    """The row's digest; a column of a type that we never write has none."""
    try:
        return row_digest(tuple(values.values()))
    except TypeError:
        return "not a row of ours"


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
