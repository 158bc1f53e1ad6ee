"""What the active meters of a schema make of one event."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai import json_logic
from billing_mcp.sandbox.togai.columns import unpacked


@dataclass(frozen=True, slots=True)
class Reading:
    """One meter's result; `units` is None when the meter lets the event pass by."""

    meter: Row
    units: Decimal | None

    def shown(self) -> dict[str, Any]:
        """The reading as the event's pipeline info has it."""
        entry = {"id": self.meter["id"], "name": self.meter["name"]}
        entry |= {"version": self.meter["version"]}
        if self.units is None:
            return entry | {"status": "PROCESSED_FILTERED_OUT"}
        return entry | {"status": "PROCESSED_UNITS_COMPUTED", "units": self.units}


def readings(db: Connection, event: Mapping[str, Any]) -> list[Reading]:
    """Every active meter's reading of an event. Raises `json_logic.LogicError`."""
    meters = db.execute(
        "select * from usage_meters where event_schema_name = ? and status = 'ACTIVE' order by id",
        (event["schemaName"],),
    ).fetchall()
    attributes = {entry["name"]: entry["value"] for entry in event["attributes"]}
    # The vendor's examples write `dimension.x` as well as `dimensions.x`.
    data = {
        "dimension": event["dimensions"],
        "dimensions": event["dimensions"],
        "attribute": attributes,
        "attributes": attributes,
    }
    return [Reading(meter, _units(meter, event, data)) for meter in meters]


def _units(meter: Row, event: Mapping[str, Any], data: Mapping[str, Any]) -> Decimal | None:
    for entry in unpacked(meter, "filters"):
        if event["dimensions"].get(entry["field"]) != entry["value"]:
            return None
    computations = unpacked(meter, "computations")
    if not computations:
        return Decimal(1)
    computation = computations[0]
    matcher = computation.get("matcher")
    if matcher:
        matched = json_logic.evaluate(json_logic.parse(matcher), data)
        if not json_logic.truthy(matched):
            return None
    logic = json_logic.parse(computation["computation"])
    return json_logic.as_number(json_logic.evaluate(logic, data))
