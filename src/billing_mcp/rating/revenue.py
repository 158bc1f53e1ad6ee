"""What each card of a plan would earn in one cycle, beside any invoice: for revenue calculators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from billing_mcp.rating import (
    credit_grant,
    entitlement_card,
    fixed_fee,
    licence,
    overage,
    usage_card,
)
from billing_mcp.rating.cards import Licence, Slab
from billing_mcp.rating.cycle_charges import Measured
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.rating.lines import Line
from billing_mcp.rating.plan import USUAL_TIMING, NotAPlan, Plan


@dataclass(frozen=True, slots=True)
class SlabRevenue:
    """One slab's part, reached or not. Order 0 is what the card's own bounds add or take."""

    order: int
    units: Decimal
    revenue: Decimal
    clamps: frozenset[str]
    packages: int | None = None


@dataclass(frozen=True, slots=True)
class CardRevenue:
    """A card's revenue, zero in a cycle that it is not charged in."""

    revenue: Decimal
    usages: Mapping[str, Decimal] = field(default_factory=dict)
    slabs: tuple[SlabRevenue, ...] = ()


def card_revenues(
    plan: Plan,
    currency: str,
    cycle: Cycle,
    measured: Measured,
    *,
    licence_cycle: Cycle,
    prorated: bool,
) -> dict[str, list[CardRevenue]]:
    """The revenue of each card by the vendor's type of card, in the plan's order.

    Whatever their timing, cards are charged for this cycle itself. Unless `prorated`, a card that
    asks for it is not prorated either. Licences are counted in a cycle of their own, which may be
    another account's. Raises `NotAPlan` for a currency the plan has no rates in.
    """
    if currency not in plan.currencies:
        raise NotAPlan(f"the plan has no rates in {currency}")
    fees = [replace(fee, prorated=fee.prorated and prorated) for fee in plan.fixed_fees]
    return {
        "USAGE": [
            _slabbed(
                usage_card.charge(card, currency, measured.usage),
                card.rate_plan.slabs,
                {card.usage_meter_id: measured.usage.get(card.usage_meter_id, Decimal(0))},
            )
            for card in plan.usage_cards
        ],
        "FIXED_FEE": [_plain(fixed_fee.charge(fee, currency, cycle)) for fee in fees],
        "LICENSE": [
            _licence(card, currency, licence_cycle, measured, prorated=prorated)
            for card in plan.licences
        ],
        "BILLING_ENTITLEMENT": [
            _plain(entitlement_card.charge(card, currency, cycle)) for card in plan.entitlements
        ],
        "CREDIT_GRANT": [
            _plain(credit_grant.charge(card, currency, cycle)) for card in plan.credit_grants
        ],
        "ENTITLEMENT_OVERAGE": [
            _slabbed(
                overage.charge(card, currency, cycle, measured.overage, last=True),
                card.rate_plan.slabs,
                {card.feature_id: measured.overage.get(card.feature_id, Decimal(0))},
            )
            for card in plan.overages
        ],
    }


def _licence(
    card: Licence, currency: str, cycle: Cycle, measured: Measured, *, prorated: bool
) -> CardRevenue:
    whole = replace(card, timing=USUAL_TIMING, prorated=card.prorated and prorated)
    line, _ = licence.charge(whole, currency, cycle, measured.licences.get(card.id, ()))
    held = line.quantity if line is not None else None
    return _slabbed(line, card.rate_plan.slabs, {} if held is None else {card.id: held})


def _plain(line: Line | None) -> CardRevenue:
    return CardRevenue(Decimal(0) if line is None else line.amount)


def _slabbed(
    line: Line | None, slabs: Sequence[Slab], usages: Mapping[str, Decimal]
) -> CardRevenue:
    """A card by its slabs; over several usage cycles each slab's parts are added up."""
    if line is None:
        return CardRevenue(Decimal(0), usages)
    parts = {
        slab.order: SlabRevenue(slab.order, Decimal(0), Decimal(0), frozenset()) for slab in slabs
    }
    for one in line.walk():
        if one.slab_order is not None:
            parts[one.slab_order] = _with(parts[one.slab_order], one)
        elif one.type == "RATE_CONFIG_ADJUSTMENT_AMOUNT":
            before = parts.get(0, SlabRevenue(0, Decimal(0), Decimal(0), frozenset()))
            parts[0] = _with(before, one)
    return CardRevenue(line.amount, usages, tuple(part for _, part in sorted(parts.items())))


def _with(part: SlabRevenue, line: Line) -> SlabRevenue:
    packages = part.packages
    if "packageQuantity" in line.metadata:
        packages = (packages or 0) + int(line.metadata["packageQuantity"])
    return SlabRevenue(
        part.order,
        WIDE.add(part.units, line.quantity or Decimal(0)),
        WIDE.add(part.revenue, line.amount),
        part.clamps | ({line.clamp} if line.clamp else set()),
        packages,
    )
