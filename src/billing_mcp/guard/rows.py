"""An operation as a row of the database, and back: every column is text, a whole number or null."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.guard.arguments import canonical, storable
from billing_mcp.guard.operations import (
    Approval,
    Denial,
    Key,
    Operation,
    Partition,
    Plan,
    State,
)

Column = str | int | None
# In the order of schema.sql.
COLUMNS = (
    *("tenant", "environment", "id", "tool", "fingerprint", "principal", "client", "role"),
    *("target", "customer", "purpose", "rule", "arguments", "amount", "currency", "day", "state"),
    *("created_at", "updated_at", "sent_at", "baseline", "settled_at", "forgotten_at"),
    *("expires_at", "plan", "seal", "approvals", "denial", "outcome", "vendor_request_ids"),
    *("retryable", "attempt", "lease_until", "sequence"),
)
# Never another after the first time, and so not written again: their indexes stay as they are.
_FIXED = frozenset({"tenant", "environment", "id", "tool", "fingerprint", "created_at"})
# A lease is moved without a record in the audit, and `sequence` is that record's own number.
_RECORDED = [place for place, name in enumerate(COLUMNS) if name not in {"lease_until", "sequence"}]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

SELECT_OPERATION = (
    "SELECT * FROM billing_operations WHERE tenant = ? AND environment = ? AND id = ?"
)
_PLACES = ", ".join("?" for _ in COLUMNS)
_SET = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in _FIXED)
UPSERT_OPERATION = (
    f"INSERT INTO billing_operations VALUES ({_PLACES})"  # noqa: S608  # our own column names
    f" ON CONFLICT (tenant, environment, id) DO UPDATE SET {_SET}"
)


def microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def columns(operation: Operation) -> tuple[Column, ...]:
    """The row of an operation, as the database will give it back."""
    partition, plan, denial = operation.key.partition, operation.plan, operation.denial
    return (
        storable(partition.tenant),
        storable(partition.environment),
        operation.id,
        storable(operation.tool),
        operation.fingerprint,
        storable(operation.principal),
        _kept(operation.client),
        _kept(operation.role),
        _kept(operation.target),
        _kept(operation.customer),
        _kept(operation.purpose),
        _kept(operation.rule),
        document(operation.arguments),
        None if operation.amount is None else money.plain(operation.amount),
        _kept(operation.currency),
        None if operation.day is None else operation.day.isoformat(),
        str(operation.state),
        microseconds(operation.created_at),
        microseconds(operation.updated_at),
        _at(operation.sent_at),
        None if operation.baseline is None else document(operation.baseline),
        _at(operation.settled_at),
        _at(operation.forgotten_at),
        None if plan is None else microseconds(plan.expires_at),
        None
        if plan is None
        else document({"shown": plan.shown, "approvalsNeeded": plan.approvals_needed}),
        operation.seal,
        document([[a.by, microseconds(a.at)] for a in operation.approvals])
        if operation.approvals
        else None,
        None if denial is None else document([denial.by, microseconds(denial.at), denial.why]),
        None if operation.outcome is None else document(operation.outcome),
        document(operation.vendor_request_ids) if operation.vendor_request_ids else None,
        int(operation.retryable),
        operation.attempt,
        _at(operation.lease_until),
        operation.sequence,
    )


def _kept(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _at(time: datetime | None) -> int | None:
    return None if time is None else microseconds(time)


def document(value: Any) -> str:
    return canonical(value).decode()


def operation(row: Sequence[Any]) -> Operation:
    values = dict(zip(COLUMNS, row, strict=True))
    plan, denial = _read(values["plan"]), _read(values["denial"])
    amount, day = values["amount"], values["day"]
    return Operation(
        key=Key(Partition(values["tenant"], values["environment"]), values["id"]),
        tool=values["tool"],
        fingerprint=values["fingerprint"],
        arguments=_read(values["arguments"]),
        principal=values["principal"],
        state=State(values["state"]),
        created_at=moment(values["created_at"]),
        updated_at=moment(values["updated_at"]),
        client=values["client"],
        role=values["role"],
        target=values["target"],
        customer=values["customer"],
        purpose=values["purpose"],
        rule=values["rule"],
        amount=None if amount is None else Decimal(amount),
        currency=values["currency"],
        day=None if day is None else date.fromisoformat(day),
        attempt=values["attempt"],
        lease_until=_time(values["lease_until"]),
        sent_at=_time(values["sent_at"]),
        baseline=_read(values["baseline"]),
        settled_at=_time(values["settled_at"]),
        plan=plan and Plan(plan["shown"], moment(values["expires_at"]), plan["approvalsNeeded"]),
        seal=values["seal"],
        approvals=tuple(Approval(by, moment(at)) for by, at in _read(values["approvals"]) or ()),
        denial=denial and Denial(denial[0], moment(denial[1]), denial[2]),
        outcome=_read(values["outcome"]),
        vendor_request_ids=tuple(_read(values["vendor_request_ids"]) or ()),
        retryable=bool(values["retryable"]),
        forgotten_at=_time(values["forgotten_at"]),
        sequence=values["sequence"],
    )


def _read(text: str | None) -> Any:
    return None if text is None else money.from_json(text)


def _time(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else moment(microseconds)


def row_digest(row: Sequence[Column]) -> str:
    """What the audit keeps of a row, to tell later that nobody has changed it."""
    recorded = [row[place] for place in _RECORDED]
    return hashlib.sha256(json.dumps(recorded).encode()).hexdigest()
