"""What one rate card of each kind costs in one cycle, in minor units, slab by slab."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rating.reference.calendar import Cycle
from rating.reference.minor_units import minor
from rating.reference.slabs import clamped, exact, priced


@dataclass(frozen=True)
class Charge:
    """Minor units: of each slab that was reached, and of the whole card after its own clamp."""

    kind: str
    source: str
    slabs: tuple[tuple[int, int], ...]
    amount: int


def in_currency(entries: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["currency"] == currency)


def slabbed(
    kind: str, source: str, card: Mapping[str, Any], currency: str, quantity: Fraction
) -> Charge:
    """A card that prices a quantity: each slab's line is rounded, then the card is clamped.

    The card's clamp looks at what the lines add up to, so that a card with a minimum of 10.00
    comes out at exactly 10.00; it holds at no usage as well.
    """
    rate_value = in_currency(card["rateValues"], currency)
    slabs = [
        (part.order, minor(part.revenue, currency))
        for part in priced(card["ratePlan"], rate_value, quantity)
    ]
    return Charge(kind, source, tuple(slabs), bounded(slabs, rate_value, currency))


def bounded(slabs: list[tuple[int, int]], rate_value: Mapping[str, Any], currency: str) -> int:
    bounds = rate_value.get("rateConfig") or {}
    as_minor = {name: str(minor(Fraction(bounds[name]), currency)) for name in bounds}
    return int(clamped(Fraction(sum(amount for _, amount in slabs)), as_minor))


def usage(card: Mapping[str, Any], currency: str, units: Fraction) -> Charge:
    return slabbed("usage", card["usageMeterId"], card, currency, units)


def fixed_fee(card: Mapping[str, Any], currency: str, cycle: Cycle) -> Charge | None:
    """The fee, or the share of it that the cycle's days are of the whole cycle's days."""
    if not falls_due(card.get("recurrenceConfig"), "offset", cycle.number, once=is_once(card)):
        return None
    fee = exact(in_currency(card["rateValues"], currency)["rate"])
    if card["enableProration"]:
        fee = fee * len(cycle.days()) / len(cycle.whole_days())
    return Charge("fixed fee", card["id"], (), minor(fee, currency))


def is_once(card: Mapping[str, Any]) -> bool:
    return bool(card.get("type") == "ONE_TIME")


def falls_due(config: Mapping[str, Any] | None, offset: str, number: int, *, once: bool) -> bool:
    """Whether a card is charged in the cycle: count cycles from the offset on."""
    interval, due = (config or {}).get("interval", 1), (config or {}).get(offset, 0)
    while due < number and not once:
        due += interval
    return bool(due == number)


def entitlement(card: Mapping[str, Any], currency: str, cycle: Cycle) -> Charge | None:
    """The feature credits granted in the cycle, priced by the slabs."""
    if not falls_due(card.get("recurrenceConfig"), "offset", cycle.number, once=False):
        return None
    granted = sum(
        (exact(config["featureCreditLimit"]) for config in card["featureConfigs"]), Fraction(0)
    )
    return slabbed("entitlement", card["featureId"], card, currency, granted)


def credit_grant(card: Mapping[str, Any], currency: str, cycle: Cycle) -> Charge | None:
    """The credit amount granted in the cycle, priced by its slabs."""
    if not falls_due(card.get("recurrenceConfig"), "offset", cycle.number, once=is_once(card)):
        return None
    details = in_currency(card["rateDetails"]["currencySlabRateDetails"], currency)
    slabs = [{**slab, "order": order} for order, slab in enumerate(details["slabDetails"], start=1)]
    as_rate_card = {
        "ratePlan": {"pricingModel": card["rateDetails"]["pricingModel"], "slabs": slabs},
        "rateValues": [{**details, "slabRates": slabs}],
    }
    amount = exact(details["creditAmount"])
    return slabbed("credit grant", card["id"], as_rate_card, currency, amount)
