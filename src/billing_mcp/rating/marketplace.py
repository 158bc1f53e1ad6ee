"""Marketplace metering (Suger): from records of usage to the quantities an hourly report sends."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE, total

# A quotient may never end; a quantity that comes from one is cut here.
QUOTIENT_PLACES = 12
_LAST_PLACE = Decimal(1).scaleb(-QUOTIENT_PLACES)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Metric:
    """A billable metric, as far as aggregation needs it; `info` is the vendor's."""

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
    names = metric.info.get("groupBys") or ()
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        properties = record.get("properties") or {}
        if passes(metric.info, properties):
            expression = ",".join(f"{name}={_text(properties.get(name, ''))}" for name in names)
            groups.setdefault(expression, []).append(record)
    return [
        _figure(metric, expression, members, seen.get(expression, ()))
        for expression, members in groups.items()
    ]


def _figure(
    metric: Metric, group: str, records: Sequence[Mapping[str, Any]], seen: Collection[str]
) -> Aggregate:
    if metric.aggregation == "UNIQUE_COUNT":
        unique_on = metric.info["propertyUniqueOn"]
        values = [(record.get("properties") or {}).get(unique_on) for record in records]
        texts = dict.fromkeys(_text(value) for value in values if value is not None)
        new = tuple(text for text in texts if text not in seen)
        return Aggregate(metric, group, Decimal(len(new)), new)
    quantities = [Decimal(record.get("quantity", 0)) for record in records]
    return Aggregate(metric, group, _AGGREGATIONS[metric.aggregation](quantities), ())


_AGGREGATIONS: Mapping[str, Callable[[Sequence[Decimal]], Decimal]] = {
    "COUNT": lambda quantities: Decimal(len(quantities)),
    "SUM": total,
    "MAX": max,
    "LAST": lambda quantities: quantities[-1],
}


def passes(info: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """Whether the filters let a record through: OR inside a group, AND between the groups.

    A group without filters lets everything through.
    """
    groups = [group["filters"] for group in info.get("filterGroups") or () if group["filters"]]
    return all(any(_holds(condition, properties) for condition in group) for group in groups)


def _holds(condition: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """One filter. A negated operation is the exact opposite of the plain one."""
    operation: str = condition["operation"]
    plain = operation.removeprefix("NOT_")
    value = properties.get(condition["name"])
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
    return holds != operation.startswith("NOT_")


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
    # Python's whole numbers are exact at any length, so `money.exact`'s limit is not for them.
    if isinstance(value, int):
        return Decimal(value)
    try:
        return money.exact(value)
    except money.NotANumber:
        return None


def _text(value: Any) -> str:
    """A property as a text: 1 and "1" are the same value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else money.plain(Decimal(value))


@dataclass(frozen=True, slots=True)
class Destination:
    """One marketplace dimension that a source key is mapped to."""

    dimension_key: str
    mode: str  # QUANTITY or AMOUNT
    multiplier: Decimal

    def quantity(
        self, reported: Decimal, amount: Decimal, unit_prices: Mapping[str, Decimal]
    ) -> Decimal:
        """What the dimension receives: the quantity multiplied, or the amount in its own units."""
        if self.mode == "QUANTITY":
            return WIDE.multiply(reported, self.multiplier)
        return quotient(amount, unit_prices[self.dimension_key])


@dataclass(frozen=True, slots=True)
class Drawn:
    """Quantities by dimension, split into what the commit paid for and what is beyond it."""

    covered: Mapping[str, Decimal]
    beyond: Mapping[str, Decimal]
    amount: Decimal  # of the commit, used by this


def draw(
    quantities: Mapping[str, Decimal], unit_prices: Mapping[str, Decimal], left: Decimal
) -> Drawn:
    """Use up what is left of the commit, dimension by dimension in alphabetical order.

    A dimension without a price cannot use any of it. When the commit ends inside a dimension,
    the covered quantity is cut to 12 decimal places. Raises `ValueError` for a commit of which
    less than nothing is left.
    """
    if left < 0:
        raise ValueError(f"{left} is left of the commit; it cannot be less than 0")
    covered: dict[str, Decimal] = {}
    beyond: dict[str, Decimal] = {}
    used = _ZERO
    for key, quantity in sorted(quantities.items()):
        price = unit_prices.get(key, _ZERO)
        worth = WIDE.multiply(quantity, price)
        available = WIDE.subtract(left, used)
        if price == 0:
            covered[key] = _ZERO
        elif worth <= available:
            covered[key] = quantity
            used = WIDE.add(used, worth)
        else:
            covered[key] = quotient(available, price)
            used = left
        beyond[key] = WIDE.subtract(quantity, covered[key])
    return Drawn(covered, beyond, used)


def at_list_price(
    quantities: Mapping[str, Decimal],
    unit_prices: Mapping[str, Decimal],
    list_prices: Mapping[str, Decimal],
) -> dict[str, Decimal]:
    """Quantities that cost at the agreed price what the usage costs at the list price.

    The marketplace knows only the agreed price, so the quantity has to carry the difference.
    """
    adjusted = {}
    for key, quantity in quantities.items():
        price = unit_prices.get(key)
        listed = list_prices.get(key)
        worth = WIDE.multiply(quantity, listed or _ZERO)
        adjusted[key] = quotient(worth, price) if price and listed else quantity
    return adjusted


def whole(
    quantities: Mapping[str, Decimal], carried: Mapping[str, Decimal]
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """For a marketplace of whole numbers: the floor to send, and the fraction to carry over."""
    sent, kept = {}, {}
    for key, quantity in quantities.items():
        with_carried = WIDE.add(quantity, carried.get(key, _ZERO))
        sent[key] = with_carried.to_integral_value(ROUND_FLOOR, WIDE)
        kept[key] = WIDE.subtract(with_carried, sent[key])
    return sent, kept


def add(sums: dict[str, Decimal], more: Mapping[str, Decimal]) -> None:
    """Add to each sum what belongs to it."""
    for key, value in more.items():
        sums[key] = WIDE.add(sums.get(key, _ZERO), value)


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """A quantity from a division, cut to 12 decimal places."""
    cut = WIDE.divide(dividend, divisor).quantize(_LAST_PLACE, ROUND_DOWN, WIDE)
    return cut.normalize(WIDE) if cut else _ZERO
