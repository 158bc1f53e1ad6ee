"""A fixed-fee card: one price a cycle, or once; by days where a cycle is only a part of one."""

from fractions import Fraction

from billing_mcp.rating.cards import FixedFee
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.lines import Line, leaf
from billing_mcp.rating.recurrence import due


def charge(card: FixedFee, currency: str, cycle: Cycle, *, advanced: bool = False) -> Line | None:
    """The fee of a cycle, or None in a cycle it is not charged in."""
    if not due(card.recurrence, cycle.number, one_time=card.one_time):
        return None
    rate = card.rates[currency]
    share, metadata = Fraction(1), {}
    if card.prorated and cycle.days != cycle.whole_days:
        share = Fraction(cycle.days, cycle.whole_days)
        metadata = {"proratedDays": str(cycle.days), "cycleDays": str(cycle.whole_days)}
    return leaf(
        "ADVANCED_FIXED_FEE" if advanced else "FIXED_FEE_RATE_CARD_AMOUNT",
        card.name,
        Fraction(rate) * share,
        currency,
        quantity=share,
        rate=rate,
        source=card.id,
        metadata=metadata,
    )
