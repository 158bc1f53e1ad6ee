"""The rate cards of a price plan, by the vendor's names in our spelling."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most that a slab or a card may earn, in the currency beside it."""

    minimum: Decimal | None = None
    maximum: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Slab:
    """Covers the units after `start_after`, up to and with the next slab's `start_after`."""

    order: int
    start_after: Decimal
    price_type: str  # FLAT, PER_UNIT or PACKAGE
    package_size: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RatePlan:
    pricing_model: str  # TIERED or VOLUME
    slabs: tuple[Slab, ...]  # ascending


@dataclass(frozen=True, slots=True)
class SlabRate:
    order: int
    rate: Decimal
    bounds: Bounds = Bounds()


@dataclass(frozen=True, slots=True)
class RateValue:
    """The rates of one currency, one for each slab in the slabs' order; bounds of the card."""

    currency: str
    slab_rates: tuple[SlabRate, ...]
    bounds: Bounds = Bounds()


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Charged in the cycles offset, offset + interval, …; cycle 0 holds the association."""

    interval: int = 1
    offset: int = 0


@dataclass(frozen=True, slots=True)
class UsageCard:
    usage_meter_id: str
    name: str
    rate_plan: RatePlan
    rate_values: Mapping[str, RateValue]  # by currency, as everywhere below


@dataclass(frozen=True, slots=True)
class FixedFee:
    id: str
    name: str
    timing: str
    one_time: bool
    prorated: bool
    rates: Mapping[str, Decimal]
    recurrence: Recurrence


@dataclass(frozen=True, slots=True)
class Licence:
    id: str
    name: str
    timing: str
    prorated: bool
    usage_cycle: str | None  # an interval, or None for the whole pricing cycle
    maximum: Decimal | None
    refund_mode: str
    rate_plan: RatePlan
    rate_values: Mapping[str, RateValue]


@dataclass(frozen=True, slots=True)
class FeatureGrant:
    """Feature credits; both ends are ISO-8601 durations counted from the cycle's start."""

    limit: Decimal
    effective_until: str
    effective_from: str | None = None


@dataclass(frozen=True, slots=True)
class Entitlement:
    feature_id: str
    name: str
    timing: str
    grants: tuple[FeatureGrant, ...]
    rate_plan: RatePlan
    rate_values: Mapping[str, RateValue]
    recurrence: Recurrence


@dataclass(frozen=True, slots=True)
class Overage:
    feature_id: str
    name: str
    maximum: Decimal | None  # of overage units; None is without limit
    rate_plan: RatePlan
    rate_values: Mapping[str, RateValue]
    billing: Recurrence


@dataclass(frozen=True, slots=True)
class GrantPrice:
    """What one currency is granted, and the slabs that price it."""

    credit_amount: Decimal
    rate_plan: RatePlan
    rate_value: RateValue


@dataclass(frozen=True, slots=True)
class CreditGrant:
    id: str
    name: str
    timing: str
    one_time: bool
    priority: int
    expiry_type: str  # PRICING_CYCLE, NO_EXPIRY or CUSTOM
    expiry_duration: str | None
    applicable: tuple[str, ...]
    prices: Mapping[str, GrantPrice]
    recurrence: Recurrence


def in_advance(timing: str) -> bool:
    """PREPAID is invoiced as IN_ADVANCE is; it differs in when the credits are released."""
    return timing in ("IN_ADVANCE", "PREPAID")
