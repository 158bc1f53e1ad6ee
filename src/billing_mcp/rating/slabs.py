"""TIERED and VOLUME: which slabs a quantity reaches, and what each of them earns, exactly."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing_mcp.rating import flat, package, per_unit
from billing_mcp.rating.cards import RatePlan, RateValue, Slab, SlabRate
from billing_mcp.rating.clamps import clamped
from billing_mcp.rating.exact_numbers import ZERO


@dataclass(frozen=True, slots=True)
class SlabCharge:
    """What one slab earns: `exact` is after its own bounds, `clamp` the bound applied."""

    slab: Slab
    units: Fraction
    rate: Decimal
    exact: Fraction
    clamp: str | None
    packages: int | None  # of a PACKAGE slab


@dataclass(frozen=True, slots=True)
class Slabbed:
    """The slabs that were reached, lowest first; the card's own bounds are not applied yet."""

    charges: tuple[SlabCharge, ...]

    @property
    def total(self) -> Fraction:
        return sum((charge.exact for charge in self.charges), ZERO)


def rate_slabs(rate_plan: RatePlan, rate_value: RateValue, quantity: Decimal | Fraction) -> Slabbed:
    """Rate a quantity. TIERED: each slab reached rates its own part; VOLUME: the last one, all.

    A slab is reached by a quantity greater than its `startAfter`: the unit at the edge belongs to
    the lower slab, and a quantity of zero (or less) reaches none.
    """
    rates = {rate.order: rate for rate in rate_value.slab_rates}
    parts = list(_parts(rate_plan, Fraction(quantity)))
    return Slabbed(tuple(_charge(slab, rates[slab.order], units) for slab, units in parts))


def _parts(rate_plan: RatePlan, quantity: Fraction) -> Iterator[tuple[Slab, Fraction]]:
    reached = [slab for slab in rate_plan.slabs if quantity > slab.start_after]
    if rate_plan.pricing_model == "VOLUME":
        for slab in reached[-1:]:
            yield slab, quantity
        return
    ends = [*(Fraction(slab.start_after) for slab in reached), quantity][1:]
    for slab, end in zip(reached, ends, strict=True):
        yield slab, end - Fraction(slab.start_after)


def _charge(slab: Slab, slab_rate: SlabRate, units: Fraction) -> SlabCharge:
    rate, count = slab_rate.rate, None
    if slab.price_type == "FLAT":
        revenue = flat.revenue(rate)
    elif slab.package_size is not None:
        count = package.packages(units, slab.package_size)
        revenue = package.revenue(rate, count)
    else:
        revenue = per_unit.revenue(rate, units)
    exact, clamp = clamped(revenue, slab_rate.bounds)
    return SlabCharge(slab, units, rate, exact, clamp, count)
