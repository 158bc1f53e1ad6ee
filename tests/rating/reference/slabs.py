"""What a quantity costs under a rate plan's slabs, counted out grain by grain.

A grain is a quantity so small that every edge, every package and the quantity itself are whole
numbers of grains; so each grain lies in exactly one slab, and pricing is counting.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

# Beyond this many grains the slabs' parts are subtracted instead of counted.
MOST_GRAINS = 5000


@dataclass(frozen=True)
class Part:
    """One slab's share of a quantity; `revenue` is exact, after the slab's own clamp."""

    order: int
    quantity: Fraction
    revenue: Fraction


def priced(
    rate_plan: Mapping[str, Any], rate_value: Mapping[str, Any], quantity: Fraction
) -> list[Part]:
    """The slabs that the quantity reaches, with what each of them costs."""
    slabs = sorted(rate_plan["slabs"], key=lambda slab: slab["order"])
    rates = sorted(rate_value["slabRates"], key=lambda rate: rate["order"])
    reached = [number for number, slab in enumerate(slabs) if quantity > exact(slab["startAfter"])]
    if not reached:
        return []
    if rate_plan["pricingModel"] == "VOLUME":
        quantities = {reached[-1]: quantity}
    else:
        edges = [exact(slab["startAfter"]) for slab in slabs]
        quantities = dict(enumerate(split(edges, quantity)))
    return [
        Part(
            order=slabs[number]["order"],
            quantity=share,
            revenue=clamped(
                revenue(slabs[number], exact(rates[number]["rate"]), share),
                rates[number].get("slabRateConfig"),
            ),
        )
        for number, share in quantities.items()
        if share > 0
    ]


def split(edges: Sequence[Fraction], quantity: Fraction) -> list[Fraction]:
    """How much of the quantity lies above each edge, up to and with the next one."""
    grain = Fraction(1, math.lcm(quantity.denominator, *(edge.denominator for edge in edges)))
    grains = int(quantity / grain)
    if grains > MOST_GRAINS:
        tops = [*edges[1:], max(quantity, edges[-1])]
        return [
            max(Fraction(0), min(quantity, top) - edge)
            for edge, top in zip(edges, tops, strict=True)
        ]
    counts = [0] * len(edges)
    starts = [int(edge / grain) for edge in edges]
    slab = 0
    for number in range(1, grains + 1):
        # The grain that ends exactly on an edge still belongs below it.
        while slab + 1 < len(starts) and number > starts[slab + 1]:
            slab += 1
        counts[slab] += 1
    return [count * grain for count in counts]


def revenue(slab: Mapping[str, Any], rate: Fraction, quantity: Fraction) -> Fraction:
    """What a positive quantity costs in one slab, before any clamp."""
    if slab["priceType"] == "FLAT":
        return rate
    if slab["priceType"] == "PER_UNIT":
        return rate * quantity
    return rate * packages(Fraction(slab["slabConfig"]["packageSize"]), quantity)


def packages(size: Fraction, quantity: Fraction) -> int:
    """How many packages are opened to hand out the quantity, the last one perhaps not emptied."""
    if quantity / size > MOST_GRAINS:
        return -(-quantity // size)
    opened = 0
    while opened * size < quantity:
        opened += 1
    return opened


def clamped(amount: Fraction, config: Mapping[str, str] | None) -> Fraction:
    """The amount raised to `minimumRate` and cut to `maximumRate`, where they are given."""
    if config and "minimumRate" in config:
        amount = max(amount, Fraction(config["minimumRate"]))
    if config and "maximumRate" in config:
        amount = min(amount, Fraction(config["maximumRate"]))
    return amount


def exact(number: Any) -> Fraction:
    """A JSON number (whole or decimal, or a text of one) as a fraction."""
    return Fraction(number)
