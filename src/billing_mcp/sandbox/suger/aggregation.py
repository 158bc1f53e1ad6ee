"""How billable records (metering API v2) become one figure per metric and group. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox.suger.quantities import exactly


@dataclass(frozen=True, slots=True)
class Metric:
    """A billable metric, as far as aggregation needs it."""

    id: str
    name: str
    aggregation: str
    info: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The figure of one metric for one combination of its group-by properties."""

    metric: Metric
    group: str  # such as "os=linux,cluster=cluster-1"; empty without group-bys
    quantity: Decimal
    new_items: tuple[str, ...]  # UNIQUE_COUNT only: the values counted


# The values of a UNIQUE_COUNT metric that earlier reports of the day have counted, by group.
Seen = Mapping[str, Collection[str]]


def aggregate(metric: Metric, records: Sequence[Mapping[str, Any]], seen: Seen) -> list[Aggregate]:
    """Filter, group and aggregate records that are in order of their usage, oldest first.

    Records without a property to group by form a group of their own, with an empty value; a
    record without the unique property is not counted.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        properties = record.get("properties", {})
        if passes(metric.info, properties):
            names = metric.info.get("groupBys", [])
            expression = ",".join(f"{name}={_text(properties.get(name, ''))}" for name in names)
            groups.setdefault(expression, []).append(record)
    return [
        _aggregated(metric, expression, members, seen.get(expression, ()))
        for expression, members in groups.items()
    ]


def _aggregated(
    metric: Metric,
    expression: str,
    records: Sequence[Mapping[str, Any]],
    seen: Collection[str],
) -> Aggregate:
    if metric.aggregation == "UNIQUE_COUNT":
        unique_on = metric.info["propertyUniqueOn"]
        values = [record.get("properties", {}).get(unique_on) for record in records]
        texts = dict.fromkeys(_text(value) for value in values if value is not None)
        new = tuple(text for text in texts if text not in seen)
        return Aggregate(metric, expression, Decimal(len(new)), new)
    quantities = [Decimal(record.get("quantity", 0)) for record in records]
    with exactly():
        figure = {
            "COUNT": lambda: Decimal(len(quantities)),
            "SUM": lambda: sum(quantities, Decimal(0)),
            "MAX": lambda: max(quantities),
            "LAST": lambda: quantities[-1],
        }[metric.aggregation]()
    return Aggregate(metric, expression, figure, ())


def passes(info: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """Whether the filters let a record through: OR inside a group, AND between the groups.

    A group without filters lets everything through.
    """
    groups = [group["filters"] for group in info.get("filterGroups", []) if group["filters"]]
    return all(any(_holds(condition, properties) for condition in group) for group in groups)


def _holds(condition: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """One filter. A negated operation is the exact opposite of the plain one."""
    operation: str = condition["operation"]
    negated = operation.startswith("NOT_")
    value = properties.get(condition["name"])
    plain = operation.removeprefix("NOT_")
    if value is None:
        holds = False
    elif plain == "EXISTS":
        holds = True
    elif condition["valueType"] == "STRING":
        wanted: str = condition["value"]
        holds = _text(value) == wanted if plain == "IS" else wanted in _text(value)
    else:
        number = _number(value)
        holds = number is not None and _COMPARISONS[plain](number, Decimal(condition["value"]))
    return holds != negated


_COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "GT": lambda left, right: left > right,
    "GTE": lambda left, right: left >= right,
    "LT": lambda left, right: left < right,
    "LTE": lambda left, right: left <= right,
    "EQ": lambda left, right: left == right,
}


def _number(value: Any) -> Decimal | None:
    """A property as a number, also when it was sent as a text."""
    if isinstance(value, bool):
        return None
    try:
        return money.exact(value)
    except money.NotANumber:
        return None


def _text(value: Any) -> str:
    """A property as a text: 1 and "1" are the same value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else money.plain(Decimal(value))
