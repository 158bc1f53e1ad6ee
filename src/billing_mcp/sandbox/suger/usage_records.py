"""What a caller reports as usage: read from its body, and judged against its entitlement."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox.call import Refusal, fields, listed, mapping, text, timestamp
from billing_mcp.sandbox.store import Connection
from billing_mcp.sandbox.suger.entitlements import Entitlement
from billing_mcp.sandbox.suger.metering_config import MeteringConfig
from billing_mcp.sandbox.suger.quantities import quantity

_NAMES = (
    *("id", "organizationID", "entitlementID"),
    *("records", "billableRecords", "timestamp"),
)
# Metrics that count records or values: their records need no quantity.
_COUNTING = ("COUNT", "UNIQUE_COUNT")


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A usage record group as it was sent: its shape is right, its meaning not yet judged."""

    id: str | None
    organization_id: str | None
    entitlement_id: str
    records: Mapping[str, Decimal]
    billable_records: tuple[Mapping[str, Any], ...]
    time: datetime | None


def read(item: Any, at: str = "") -> NewGroup:
    """Read a group. Refuses a malformed one with 400, naming the field."""
    body = _spelled(fields(item, at))
    records = mapping(body, "records", default={}, at=at)
    billable = listed(body, "billableRecords", default=[], at=at)
    return NewGroup(
        id=text(body, "id", maximum=36, default="", at=at) or None,
        organization_id=text(body, "organizationID", default=None, at=at),
        entitlement_id=text(body, "entitlementID", minimum=1, at=at),
        records={key: quantity(records, key, f"{at}records.") for key in records},
        billable_records=tuple(
            _billable_record(record, f"{at}billableRecords[{index}].")
            for index, record in enumerate(billable)
        ),
        time=timestamp(body, "timestamp", default=None, at=at),
    )


def _spelled(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields we know, in the schema's spelling and without nulls.

    The vendor's server decodes names without regard to case, and its own examples write "ID".
    """
    known = {name.casefold(): name for name in _NAMES}
    return {
        known[name.casefold()]: value
        for name, value in body.items()
        if name.casefold() in known and value is not None
    }


def _billable_record(item: Any, at: str) -> dict[str, Any]:
    body = fields(item, at)
    read: dict[str, Any] = {"key": text(body, "key", minimum=1, at=at)}
    if body.get("quantity") is not None:
        read["quantity"] = quantity(body, "quantity", at)
    properties = body.get("properties")
    if properties is not None:
        place = f"{at}properties."
        named = fields(properties, place)
        read["properties"] = {name: _property(named, name, place) for name in named}
    return read


def _property(properties: Mapping[str, Any], name: str, at: str) -> Any:
    value = properties[name]
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | Decimal):
        return quantity(properties, name, at)
    raise Refusal(400, f"{at}{name} must be a string, a number, true or false")


def problem(
    db: Connection, group: NewGroup, entitlement: Entitlement, config: MeteringConfig
) -> str | None:
    """Why the usage cannot be metered on its entitlement, or None when it can."""
    if entitlement.status != "ACTIVE":
        return f"entitlement {entitlement.id} is {entitlement.status}, and must be ACTIVE"
    if group.records and group.billable_records:
        return "records and billableRecords must not be used together"
    if group.records:
        return _problem_of_records(group.records, entitlement, config)
    if group.billable_records:
        return _problem_of_billable_records(db, group.billable_records, entitlement)
    return "one of records and billableRecords is required"


def _problem_of_records(
    records: Mapping[str, Decimal], entitlement: Entitlement, config: MeteringConfig
) -> str | None:
    prices = entitlement.unit_prices()
    for key, value in records.items():
        if value < 0:
            return f"the quantity of {key} must not be negative"
        for target in config.destinations.get(key, ()):
            if target.mode == "AMOUNT" and not prices.get(target.dimension_key):
                return f"{key} is mapped by amount to {target.dimension_key}, which has no price"
        for mapped, _ in config.mapped({key: value}, prices):
            if entitlement.dimension_key(mapped) is None:
                return f"{mapped} is not a usage dimension of entitlement {entitlement.id}"
    if not any(records.values()):
        return "all the quantity of usage records are zero"
    return None


def _problem_of_billable_records(
    db: Connection, records: tuple[Mapping[str, Any], ...], entitlement: Entitlement
) -> str | None:
    counts = False
    for record in records:
        key = record["key"]
        metric = db.execute(
            "select aggregation_type, status from suger_billable_metrics where id = ?", (key,)
        ).fetchone()
        if metric is None:
            return f"billable metric {key} not found"
        if metric["status"] != "ACTIVE":
            return f"billable metric {key} is {metric['status']}"
        if entitlement.billable_dimension(key) is None:
            return f"{key} is not used by a billable dimension of entitlement {entitlement.id}"
        if record.get("quantity", 0) < 0:
            return f"the quantity of {key} must not be negative"
        counts = counts or metric["aggregation_type"] in _COUNTING
    if not counts and not any(record.get("quantity") for record in records):
        return "all the quantity of usage records are zero"
    return None
