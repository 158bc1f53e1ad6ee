"""What worked examples share: short ways to write cards, and lines shown as a person adds them up.

A line is shown as `100 x 0.10 + 1 x 0.08 = 10.08`: units x rate for each slab (`flat 5` and
`2 packages of 10 x 3` for the other price types), bounds and rounding where they changed something.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing_mcp.money import plain
from billing_mcp.rating.cycle_charges import CycleCharges, Measured, charges
from billing_mcp.rating.cycles import cycle_number
from billing_mcp.rating.lines import Line
from billing_mcp.rating.plan import read_plan

Json = dict[str, Any]

# (startAfter, price such as "0.10", "flat 5" or "3 per 10", and the slab's bounds)
Tier = tuple[str, str] | tuple[str, str, Mapping[str, str]]

MONTHLY: Json = {
    "interval": "MONTHLY",
    "gracePeriod": 3,
    "startOffset": {"dayOffset": "1", "monthOffset": "NIL"},
}
JANUARY = date(2026, 1, 1)


def tiers(
    model: str, *slabs: Tier, currency: str = "USD", bounds: Mapping[str, str] | None = None
) -> Json:
    """`ratePlan` and `rateValues` of a card."""
    given = [_slab(order, tier) for order, tier in enumerate(slabs, 1)]
    shapes = [
        {name: slab[name] for name in slab if name not in ("rate", "slabRateConfig")}
        for slab in given
    ]
    rates = [
        {name: slab[name] for name in ("order", "rate", "slabRateConfig") if name in slab}
        for slab in given
    ]
    value: Json = {"currency": currency, "slabRates": rates}
    if bounds is not None:
        value["rateConfig"] = bounds
    return {"ratePlan": {"pricingModel": model, "slabs": shapes}, "rateValues": [value]}


def _slab(order: int, tier: Tier) -> Json:
    start, price, *bounds = tier
    slab: Json = {"order": order, "startAfter": Decimal(start)}
    if price.startswith("flat "):
        slab |= {"priceType": "FLAT", "rate": Decimal(price.removeprefix("flat "))}
    elif " per " in price:
        rate, size = price.split(" per ")
        config = {"packageSize": size}
        slab |= {"priceType": "PACKAGE", "rate": Decimal(rate), "slabConfig": config}
    else:
        slab |= {"priceType": "PER_UNIT", "rate": Decimal(price)}
    if bounds:
        slab["slabRateConfig"] = bounds[0]
    return slab


def grant_tiers(
    model: str, amount: str, *slabs: Tier, currency: str = "USD", bounds: Json | None = None
) -> Json:
    """`rateDetails` of a credit-grant card."""
    details = [_slab(order, tier) for order, tier in enumerate(slabs, 1)]
    for slab in details:
        del slab["order"]
    value: Json = {
        "currency": currency,
        "creditAmount": Decimal(amount),
        "slabDetails": details,
    }
    if bounds is not None:
        value["rateConfig"] = bounds
    return {"pricingModel": model, "currencySlabRateDetails": [value]}


def fee(rate: str, *, currency: str = "USD", **more: Any) -> Json:
    values = [{"currency": currency, "rate": Decimal(rate)}]
    return {"id": "addon.fee", "enableProration": False, "rateValues": values} | more


def details(currency: str = "USD", **cards: Any) -> Json:
    """Price plan details with a monthly cycle from the first of the month."""
    return {"supportedCurrencies": [currency], "pricingCycleConfig": MONTHLY} | cards


def rated(
    plan: Json,
    measured: Measured | None = None,
    *,
    number: int = 0,
    associated: date = JANUARY,
    until: date | None = None,
    currency: str = "USD",
) -> CycleCharges:
    """The charges of a cycle of an association."""
    read = read_plan(plan)
    assert read.cycle is not None
    cycle = cycle_number(read.cycle, associated, until, number)
    assert cycle is not None
    following = cycle_number(read.cycle, associated, until, number + 1)
    return charges(read, currency, cycle, measured or Measured(), following=following)


def used(card: Json, units: str, currency: str = "USD") -> Line:
    """A usage card's line after so many units in a cycle."""
    plan = details(currency, usageRateCards=[{"usageMeterId": "um.calls", **card}])
    (line,) = rated(plan, Measured(usage={"um.calls": Decimal(units)}), currency=currency).cards
    return line


def shown(line: Line) -> str:
    """A card's line as sum."""
    terms = [_term(child) for child in line.children] or ["nothing"]
    return f"{' + '.join(terms)} = {plain(line.amount)}"


def _term(line: Line) -> str:
    if line.type == "RATE_CONFIG_ADJUSTMENT_AMOUNT":
        assert line.clamp is not None
        return f"{line.clamp.removesuffix('Rate')} {plain(line.amount)}"
    assert line.rate is not None
    assert line.quantity is not None
    rate = plain(line.rate)
    price_type = line.metadata["priceType"]
    if price_type == "FLAT":
        term = f"flat {rate}"
    elif price_type == "PACKAGE":
        count, size = line.metadata["packageQuantity"], line.metadata["packageSize"]
        term = f"{count} packages of {size} x {rate}"
    else:
        term = f"{plain(line.quantity)} x {rate}"
    if line.clamp is not None:
        return f"{line.clamp.removesuffix('Rate')} {plain(line.exact)} of {term}"
    return term if line.exact == line.amount else f"{term} ({plain(line.exact)})"


def shown_all(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Type and amount of each line."""
    return [(line.type, plain(line.amount)) for line in lines]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
