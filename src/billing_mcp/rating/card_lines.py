"""The lines of a card that is priced by slabs: one for each slab reached, and the card's bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing_mcp import money
from billing_mcp.rating.cards import RatePlan, RateValue
from billing_mcp.rating.clamps import adjustment
from billing_mcp.rating.lines import Line, amount_of, leaf, parent
from billing_mcp.rating.slabs import SlabCharge, rate_slabs


@dataclass(frozen=True, slots=True)
class Heading:
    """How a card's lines are called: its type, that of its slabs, its name and its id."""

    type: str
    slab_type: str
    name: str
    source: str


def card_line(
    heading: Heading, rate_plan: RatePlan, rate_value: RateValue, quantity: Decimal | Fraction
) -> Line:
    """Rate a quantity into a line whose children are its slabs and, if needed, an adjustment."""
    currency = rate_value.currency
    units = Fraction(quantity)
    children = [
        _slab_line(heading, charge, currency)
        for charge in rate_slabs(rate_plan, rate_value, units).charges
    ]
    bound = adjustment(amount_of(children), rate_value.bounds, currency)
    if bound is None:
        return parent(
            heading.type, heading.name, children, currency, quantity=units, source=heading.source
        )
    difference, clamp = bound
    children.append(
        leaf(
            "RATE_CONFIG_ADJUSTMENT_AMOUNT",
            "Minimum of the card" if difference > 0 else "Maximum of the card",
            Fraction(difference),
            currency,
            clamp=clamp,
            source=heading.source,
            metadata={f"{clamp}Applied": "true"},
        )
    )
    return parent(
        heading.type,
        heading.name,
        children,
        currency,
        quantity=units,
        clamp=clamp,
        source=heading.source,
    )


def _slab_line(heading: Heading, charge: SlabCharge, currency: str) -> Line:
    metadata: dict[str, str] = {"priceType": charge.slab.price_type}
    if charge.packages is not None and charge.slab.package_size is not None:
        metadata["packageSize"] = money.plain(charge.slab.package_size)
        metadata["packageQuantity"] = str(charge.packages)
    if charge.clamp is not None:
        metadata[f"{charge.clamp}Applied"] = "true"
    return leaf(
        heading.slab_type,
        f"Slab {charge.slab.order}",
        charge.exact,
        currency,
        quantity=charge.units,
        rate=charge.rate,
        slab_order=charge.slab.order,
        clamp=charge.clamp,
        source=heading.source,
        metadata=metadata,
    )


def with_metadata(line: Line, more: Mapping[str, str]) -> Line:
    """The same line with more said about it."""
    return Line(
        line.type,
        line.description,
        line.exact,
        line.amount,
        line.quantity,
        line.rate,
        line.slab_order,
        line.clamp,
        line.source,
        line.children,
        {**line.metadata, **more},
    )
