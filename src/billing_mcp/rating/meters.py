"""Usage meters: what one event counts for, and what the events of a cycle add up to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_mcp.rating import json_logic
from billing_mcp.rating.exact_numbers import total
from billing_mcp.rating.json_logic import Logic, LogicError


@dataclass(frozen=True, slots=True)
class Event:
    """What meters read of an event: its dimensions, and its attributes' numbers as texts."""

    dimensions: Mapping[str, str]
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Meter:
    """A usage meter whose logic has been read, so that it is read once for all events."""

    counts: bool  # COUNT; else SUM
    filters: tuple[tuple[str, str], ...]  # dimension and value
    matcher: Logic | None
    computation: Logic | None


def read_meter(details: Mapping[str, Any]) -> Meter:
    """Read `aggregation`, `filters` and `computations` of a usage meter. Raises `LogicError`."""
    aggregation = details["aggregation"]
    if aggregation not in ("COUNT", "SUM"):
        raise LogicError(f"aggregation {aggregation} is not COUNT or SUM")
    computations = details.get("computations") or [{}]
    matcher, computation = (computations[0].get(name) for name in ("matcher", "computation"))
    return Meter(
        aggregation == "COUNT",
        tuple((entry["field"], entry["value"]) for entry in details.get("filters") or ()),
        _logic(matcher) if matcher else None,
        None if computation is None else _logic(computation),
    )


def _logic(given: Any) -> Logic:
    return json_logic.parse(given) if isinstance(given, str) else json_logic.read(given)


def units(meter: Meter, event: Event) -> Decimal | None:
    """What the event adds to the meter, or None when the meter lets it pass by.

    Raises `LogicError` where the computation has no number over this event.
    """
    if any(event.dimensions.get(field) != value for field, value in meter.filters):
        return None
    # The vendor's examples write `dimension.x` as well as `dimensions.x`.
    data = {
        "dimension": event.dimensions,
        "dimensions": event.dimensions,
        "attribute": event.attributes,
        "attributes": event.attributes,
    }
    if meter.matcher is not None and not json_logic.truthy(meter.matcher.value(data)):
        return None
    if meter.counts or meter.computation is None:
        return Decimal(1)
    return json_logic.as_number(meter.computation.value(data))


def usage(events_units: Iterable[Decimal | None]) -> Decimal:
    """The exact sum of what events added; their order and batches make no difference."""
    return total(each for each in events_units if each is not None)
