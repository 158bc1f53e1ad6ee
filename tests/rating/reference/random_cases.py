"""Random price plans as the vendor takes them, and what an account did under each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

CURRENCIES = ("USD", "JPY", "KWD")
INTERVALS = ("WEEKLY", "MONTHLY", "QUARTERLY", "HALF_YEARLY", "ANNUALLY")
MONTHS = {"MONTHLY": 1, "QUARTERLY": 3, "HALF_YEARLY": 6, "ANNUALLY": 12}
TIMINGS = ("IN_ADVANCE", "IN_ARREARS", "PREPAID")
DAY = timedelta(days=1)
Make = Callable[[Random, int, list[str]], dict[str, Any]]


@dataclass
class Change:
    """A licence quantity as it stands after a change that takes effect on the day."""

    day: date
    quantity: Decimal


@dataclass
class Case:
    details: dict[str, Any]
    currency: str
    associated: date
    until: date | None
    cycle: int
    usage: dict[str, Decimal]
    licences: dict[str, list[Change]]
    overage: dict[str, Decimal]
    credits: list[dict[str, Any]] = field(default_factory=list)


def case(random: Random) -> Case:
    currencies = random.sample(CURRENCIES, random.choice((1, 1, 2)))
    associated = association(random)
    details = plan_details(random, currencies)
    return Case(
        details=details,
        currency=random.choice(currencies),
        associated=associated,
        until=ending(random, associated),
        cycle=random.choice((0, 0, 1, 1, 2, 3)),
        usage={
            card["usageMeterId"]: metered(random, edges(card))
            for card in details["usageRateCards"]
            if random.random() < 0.9
        },
        licences={card["id"]: changes(random, associated) for card in details["licenseRateCards"]},
        overage={
            card["featureId"]: quantity(random, edges(card))
            for card in details["entitlementOverageRateCards"]
            if random.random() < 0.8
        },
        credits=[
            credit(random, f"cred.{number}", associated, details)
            for number in range(random.choice((0, 0, 1, 2, 4)))
        ],
    )


def association(random: Random) -> date:
    """Any day of some years; now and then one of those that not every month has."""
    if random.random() < 0.8:
        return date(2023, 1, 1) + random.randrange(1200) * DAY
    unusual = ("2024-02-28", "2024-02-29", "2025-02-28", "2024-10-30", "2024-10-31", "2025-01-29")
    return date.fromisoformat(random.choice(unusual))


def ending(random: Random, associated: date) -> date | None:
    if random.random() < 0.6:
        return None
    return associated + random.randrange(1, random.choice((20, 100, 400))) * DAY


def plan_details(random: Random, currencies: list[str]) -> dict[str, Any]:
    kinds: dict[str, tuple[Make, tuple[int, ...]]] = {
        "usageRateCards": (usage, (0, 1, 1, 2, 3)),
        "fixedFeeRateCards": (fixed_fee, (0, 1, 2)),
        "licenseRateCards": (licence, (0, 0, 1, 2)),
        "billingEntitlementRateCards": (entitlement, (0, 0, 0, 1)),
        "entitlementOverageRateCards": (overage, (0, 0, 1)),
        "creditGrantRateCards": (credit_grant, (0, 0, 1)),
    }
    details: dict[str, Any] = {
        "pricingCycleConfig": cycle_config(random),
        "supportedCurrencies": currencies,
    }
    for kind, (make, counts) in kinds.items():
        count = random.choice(counts)
        details[kind] = [make(random, number, currencies) for number in range(count)]
    if random.random() < 0.4:
        commitment = {"displayName": "Commitment", "rateValues": flat_rates(random, currencies)}
        details["minimumCommitment"] = commitment
    return details


def cycle_config(random: Random) -> dict[str, Any]:
    # Long cycles take a walk of many days, so that they come less often.
    interval = random.choices(INTERVALS, weights=(3, 8, 3, 2, 1))[0]
    grace = random.randrange(15)
    if random.random() < 0.2:
        return {"interval": interval, "gracePeriod": grace, "anniversaryCycle": True}
    if random.random() < 0.1:
        return {"interval": interval, "gracePeriod": grace}
    if interval == "WEEKLY":
        offset = {"dayOffset": random.choice([*map(str, range(1, 8)), "LAST"])}
    else:
        offset = {"dayOffset": random.choice([*map(str, range(1, 32)), "LAST", "1", "1", "31"])}
    months = MONTHS.get(interval, 1)
    named = [*map(str, range(1, months + 1)), "FIRST", "LAST"]
    offset["monthOffset"] = "NIL" if months == 1 else random.choice(named)
    return {
        "interval": interval,
        "startOffset": offset,
        "gracePeriod": grace,
        "anniversaryCycle": False,
    }


def usage(random: Random, number: int, currencies: list[str]) -> dict[str, Any]:
    return {
        "displayName": f"Usage {number}",
        "name": f"usage-{number}",
        "usageMeterId": f"um.{number}",
        **rate_card(random, currencies),
    }


def rate_card(random: Random, currencies: list[str]) -> dict[str, Any]:
    starts = sorted(
        {step(random, 400) for _ in range(random.choice((0, 1, 2, 3, 5)))} - {Decimal()}
    )
    slabs: list[dict[str, Any]] = []
    for order, start in enumerate([Decimal(), *starts], start=1):
        slabs.append({"order": order, "startAfter": start, **price_type(random)})
    return {
        "ratePlan": {"pricingModel": random.choice(("TIERED", "VOLUME")), "slabs": slabs},
        "rateValues": [
            {
                "currency": currency,
                "slabRates": [
                    {
                        "order": slab["order"],
                        "rate": rate(random),
                        **bounds(random, "slabRateConfig", 0.15, 200),
                    }
                    for slab in slabs
                ],
                **bounds(random, "rateConfig", 0.25, 1500),
            }
            for currency in currencies
        ],
    }


def price_type(random: Random) -> dict[str, Any]:
    kind = random.choice(("FLAT", "PER_UNIT", "PER_UNIT", "PACKAGE"))
    if kind != "PACKAGE":
        return {"priceType": kind}
    size = random.choice(("1", "10", "7", "100", "2.5", "0.3"))
    return {"priceType": kind, "slabConfig": {"packageSize": size}}


def bounds(random: Random, name: str, chance: float, most: int) -> dict[str, Any]:
    top = random.choice((2, most, most))
    low, high = sorted((amount(random, top), amount(random, top)))
    config = {}
    if random.random() < chance:
        config["minimumRate"] = format(low, "f")
    if random.random() < chance:
        config["maximumRate"] = format(high, "f")
    return {name: config} if config else {}


def fixed_fee(random: Random, number: int, currencies: list[str]) -> dict[str, Any]:
    return {
        "id": f"addon.fee{number}",
        "displayName": f"Fee {number}",
        "name": f"fee-{number}",
        "invoiceTiming": random.choice(TIMINGS),
        **random.choice(({"type": "ONE_TIME"}, {"type": "RECURRING"}, {})),
        "rateValues": flat_rates(random, currencies),
        "enableProration": random.random() < 0.5,
        **recurrence(random, "recurrenceConfig", "offset"),
    }


def licence(random: Random, number: int, currencies: list[str]) -> dict[str, Any]:
    card = {
        "id": f"addon.seat{number}",
        "type": "LICENSE",
        "displayName": f"Seats {number}",
        "name": f"seats-{number}",
        "invoiceTiming": random.choice((*TIMINGS, "IN_ARREARS", "IN_ADVANCE")),
        "enableProration": random.random() < 0.5,
        **rate_card(random, currencies),
    }
    if random.random() < 0.4:
        card["usageCycle"] = random.choice(INTERVALS)
    if random.random() < 0.3:
        most = random.randrange(5, 80)
        card["config"] = {"maxQuantity": most, "maxQuantityBreachAction": "DO_NOTHING"}
    if random.random() < 0.2:
        del card["invoiceTiming"]
    if random.random() < 0.9:
        card["proratedRefundMode"] = random.choice(("NONE", "CREDITS", "PAYMENT", "WALLET"))
    return card


def entitlement(random: Random, number: int, currencies: list[str]) -> dict[str, Any]:
    card = rate_card(random, currencies)
    return {
        "featureId": f"feature.{number}",
        "displayName": f"Feature {number}",
        "name": f"feature-{number}",
        "invoiceTiming": random.choice(TIMINGS),
        "featureConfigs": [
            {"effectiveUntil": "P1M", "featureCreditLimit": quantity(random, edges(card))}
            for _ in range(random.choice((1, 1, 2)))
        ],
        **recurrence(random, "recurrenceConfig", "offset"),
        **card,
    }


def overage(random: Random, number: int, currencies: list[str]) -> dict[str, Any]:
    card = {
        "featureId": f"feature.over{number}",
        "displayName": f"Overage {number}",
        "name": f"overage-{number}",
        **recurrence(random, "billingConfig", "startOffset"),
        **rate_card(random, currencies),
    }
    if random.random() < 0.3:
        card["maxQuantity"] = step(random, 500)
    return card


def credit_grant(random: Random, number: int, currencies: list[str]) -> dict[str, Any]:
    details = []
    for entry in rate_card(random, currencies)["rateValues"]:
        slabs = [
            {
                "startAfter": Decimal(50 * place),
                "rate": given["rate"],
                **price_type(random),
                **{key: value for key, value in given.items() if key == "slabRateConfig"},
            }
            for place, given in enumerate(entry["slabRates"])
        ]
        kept = {key: value for key, value in entry.items() if key == "rateConfig"}
        details.append(
            {
                "currency": entry["currency"],
                "creditAmount": step(random, 300),
                "slabDetails": slabs,
                **kept,
            }
        )
    return {
        "id": f"addon.grant{number}",
        "displayName": f"Grant {number}",
        "name": f"grant-{number}",
        "invoiceTiming": random.choice(TIMINGS),
        **random.choice(({"type": "ONE_TIME"}, {"type": "RECURRING"}, {})),
        "grantDetails": {"priority": random.randrange(4), "expiryType": "NO_EXPIRY"},
        "rateDetails": {
            "pricingModel": random.choice(("TIERED", "VOLUME")),
            "currencySlabRateDetails": details,
        },
        **recurrence(random, "recurrenceConfig", "offset"),
    }


def credit(random: Random, name: str, associated: date, details: dict[str, Any]) -> dict[str, Any]:
    """A credit that an account has; `left` may be finer than the currency's minor unit."""
    names = ["ALL_USAGE_METER_RATE_CARDS", "ALL_FIXED_FEE_RATE_CARDS", "something-else"]
    for cards in (details[kind] for kind in details if kind.endswith("RateCards")):
        names += [card.get("usageMeterId") or card.get("featureId") or card["id"] for card in cards]
    begins = associated + random.randrange(-100, 200) * DAY
    ends = begins + random.randrange(32, 500) * DAY
    return {
        "id": name,
        "priority": random.randrange(3),
        "left": amount(random, random.choice((20, 500, 5000))),
        "effectiveFrom": begins,
        # The first of a month is where most cycles begin, so that the edge is met often.
        "effectiveUntil": random.choice((None, ends, ends.replace(day=1), date(2027, 1, 1))),
        "createdAt": random.randrange(3),
        "applicableEntityIds": random.sample(names, random.choice((0, 0, 1, 2))),
    }


def recurrence(random: Random, name: str, offset: str) -> dict[str, Any]:
    if random.random() < 0.5:
        return {}
    return {name: {"interval": random.choice((1, 2, 3)), offset: random.choice((0, 0, 1, 2))}}


def flat_rates(random: Random, currencies: list[str]) -> list[dict[str, Any]]:
    return [{"currency": currency, "rate": amount(random, 900)} for currency in currencies]


def changes(random: Random, associated: date) -> list[Change]:
    """A history, oldest first; now and then several changes on one day, or before the cycles."""
    day, found = associated + random.choice((-20, 0, 0, 3)) * DAY, []
    for _ in range(random.randrange(12)):
        found.append(Change(day, Decimal(random.randrange(random.choice((20, 100))))))
        day += random.choice((0, 0, 1, 2, 5, 13, 40)) * DAY
    return found


def edges(card: dict[str, Any]) -> list[Decimal]:
    return [Decimal(slab["startAfter"]) for slab in card["ratePlan"]["slabs"]]


def quantity(random: Random, starts: list[Decimal]) -> Decimal:
    """Often on, just below or just above an edge; sometimes nothing, or a very large number."""
    kind = random.random()
    if kind < 0.1:
        return Decimal(0)
    if kind < 0.12:
        return Decimal(random.randrange(10**60)).scaleb(-20)
    if kind < 0.5:
        near = random.choice((Decimal(0), Decimal(1), Decimal(-1), Decimal("0.01")))
        return max(Decimal(0), random.choice(starts) + near)
    if kind < 0.55:
        return Decimal(random.randrange(10**9, 10**15)) / 1000
    return step(random, 1200)


def metered(random: Random, starts: list[Decimal]) -> Decimal:
    """A quantity, or what is left when more was taken back than had been counted."""
    return Decimal(-1) if random.random() < 0.02 else quantity(random, starts)


def step(random: Random, most: int) -> Decimal:
    """Mostly whole, sometimes with a fraction."""
    whole = Decimal(random.randrange(most))
    return whole + random.choice((0, 0, 0, Decimal("0.5"), Decimal("0.25"), Decimal("0.01")))


def rate(random: Random) -> Decimal:
    places = random.choice((0, 2, 2, 4, 6))
    return Decimal(random.randrange(10 ** (places + 1))).scaleb(-places)


def amount(random: Random, most: int) -> Decimal:
    places = random.choice((0, 2, 3))
    return Decimal(random.randrange(most * 10**places)).scaleb(-places)
