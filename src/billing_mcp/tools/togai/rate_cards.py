"""Price-plan details as the vendor takes them: the pricing cycle and all seven kinds of rate card.

Every model is closed and checked in full before anything is sent. `SHAPES` are the one-line forms
that an error shows, so that one correction leads to a valid plan.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from billing_mcp.params import Body, Currency, Name, NonNegative, Positive, wrong

Interval = Literal["WEEKLY", "MONTHLY", "QUARTERLY", "HALF_YEARLY", "ANNUALLY"]
InvoiceTiming = Literal["IN_ADVANCE", "IN_ARREARS", "PREPAID"]
PriceType = Literal["FLAT", "PER_UNIT", "PACKAGE"]
PricingModel = Literal["TIERED", "VOLUME"]
Id = Annotated[Name, Field(min_length=1, max_length=50)]
Label = Annotated[Name, Field(max_length=255)]
Duration = Annotated[Name, Field(pattern=r"^P(\d+[YMWD])+$", description="ISO 8601, e.g. P30D")]
# The schema says at most 10, though the vendor's guide speaks of 100.
MOST_SLABS = 10
_MONTHS = {"QUARTERLY": 3, "HALF_YEARLY": 6, "ANNUALLY": 12}


class StartOffset(Body):
    dayOffset: Annotated[Name, Field(pattern="^([1-9]|[12][0-9]|3[01]|LAST)$")]
    monthOffset: Annotated[Name, Field(pattern="^([1-9]|1[0-2]|FIRST|LAST|NIL)$")]


class PricingCycle(Body):
    """`gracePeriod` is in days after the cycle's end, for late events."""

    interval: Interval
    gracePeriod: Annotated[int, Field(ge=0, le=365)]
    startOffset: StartOffset | None = None
    anniversaryCycle: bool | None = None

    @model_validator(mode="after")
    def _offset_fits(self) -> "PricingCycle":
        offset = self.startOffset
        if offset is None:
            return self
        if self.interval == "WEEKLY" and offset.dayOffset not in (*"1234567", "LAST"):
            raise wrong("a weekly cycle with dayOffset 1 to 7 or LAST")
        months = _MONTHS.get(self.interval, 0)
        if not months and offset.monthOffset != "NIL":
            raise wrong(f"a {self.interval.lower()} cycle with monthOffset NIL")
        if months and offset.monthOffset == "NIL":
            raise wrong(f"monthOffset 1 to {months}, FIRST or LAST")
        if offset.monthOffset.isdecimal() and int(offset.monthOffset) > months:
            raise wrong(f"monthOffset 1 to {months}, FIRST or LAST")
        return self


class SlabConfig(Body):
    """All values of the vendor's config maps are text."""

    packageSize: Positive | None = None


class Clamp(Body):
    minimumRate: NonNegative | None = None
    maximumRate: NonNegative | None = None


class Slab(Body):
    order: Annotated[int, Field(ge=1, le=MOST_SLABS)]
    startAfter: NonNegative
    priceType: PriceType
    slabConfig: SlabConfig | None = None

    @model_validator(mode="after")
    def _package_has_size(self) -> "Slab":
        sized = self.slabConfig is not None and self.slabConfig.packageSize is not None
        if (self.priceType == "PACKAGE") != sized:
            raise wrong('a slab with slabConfig {"packageSize": "10"} exactly when it is a PACKAGE')
        return self


class RatePlan(Body):
    pricingModel: PricingModel
    slabs: Annotated[list[Slab], Field(min_length=1, max_length=MOST_SLABS)]

    @model_validator(mode="after")
    def _slabs_ascend(self) -> "RatePlan":
        if [slab.order for slab in self.slabs] != list(range(1, len(self.slabs) + 1)):
            raise wrong("slabs in order 1, 2, 3 …")
        starts = [slab.startAfter for slab in self.slabs]
        if starts[0] != 0 or any(a >= b for a, b in pairwise(starts)):
            raise wrong("slabs that start after 0 and then after ever larger quantities")
        return self


class SlabRate(Body):
    order: Annotated[int, Field(ge=1, le=MOST_SLABS)]
    rate: NonNegative
    slabRateConfig: Clamp | None = None


class RateValue(Body):
    currency: Currency
    slabRates: Annotated[list[SlabRate], Field(min_length=1, max_length=MOST_SLABS)]
    rateConfig: Clamp | None = None


class CurrencyRate(Body):
    currency: Currency
    rate: NonNegative


class Recurrence(Body):
    """Charged in the cycles offset, offset + interval, … (0 is the first)."""

    interval: Annotated[int | None, Field(ge=1, le=120)] = None
    offset: Annotated[int | None, Field(ge=0, le=120)] = None


class Slabbed(Body):
    """A card priced by slabs: each currency has a rate for each slab."""

    ratePlan: RatePlan
    rateValues: Annotated[list[RateValue], Field(min_length=1, max_length=20)]

    @model_validator(mode="after")
    def _rates_match_slabs(self) -> "Slabbed":
        orders = [slab.order for slab in self.ratePlan.slabs]
        for value in self.rateValues:
            if [rate.order for rate in value.slabRates] != orders:
                raise wrong(f"one slabRate for each slab (order {orders}) in {value.currency}")
        return self


class UsageRateCard(Slabbed):
    usageMeterId: Annotated[Name, Field(max_length=50, description="From list-usage-meters")]
    displayName: Label | None = None
    name: Label | None = None
    tag: Label | None = None


class FixedFeeRateCard(Body):
    id: Id
    rateValues: Annotated[list[CurrencyRate], Field(min_length=1, max_length=20)]
    enableProration: bool
    displayName: Label | None = None
    name: Label | None = None
    tag: Label | None = None
    invoiceTiming: InvoiceTiming | None = None
    type: Literal["ONE_TIME", "RECURRING"] | None = None
    recurrenceConfig: Recurrence | None = None


class LicenseLimit(Body):
    maxQuantity: Annotated[int | None, Field(ge=1, le=1_000_000_000_000)] = None
    maxQuantityBreachAction: Literal["DO_NOTHING"] | None = None


class LicenseRateCard(Slabbed):
    id: Id
    enableProration: bool
    type: Literal["LICENSE", "NAMED_LICENSE"] | None = None
    displayName: Label | None = None
    name: Label | None = None
    tag: Label | None = None
    invoiceTiming: InvoiceTiming | None = None
    usageCycle: Interval | None = None
    config: LicenseLimit | None = None
    proratedRefundMode: Literal["NONE", "CREDITS", "PAYMENT", "WALLET"] | None = None


class FeatureConfig(Body):
    effectiveUntil: Duration
    featureCreditLimit: NonNegative
    effectiveFrom: Duration | None = None


class BillingEntitlementRateCard(Slabbed):
    featureId: Id
    featureConfigs: Annotated[list[FeatureConfig], Field(min_length=1, max_length=20)]
    invoiceTiming: InvoiceTiming
    displayName: Label | None = None
    name: Label | None = None
    tag: Label | None = None
    recurrenceConfig: Recurrence | None = None


class BillingConfig(Body):
    interval: Annotated[int | None, Field(ge=1, le=120)] = None
    startOffset: Annotated[int | None, Field(ge=0, le=120)] = None


class EntitlementOverageRateCard(Slabbed):
    featureId: Id
    displayName: Label | None = None
    name: Label | None = None
    tag: Label | None = None
    maxQuantity: Positive | None = None
    billingConfig: BillingConfig | None = None


class MinimumCommitment(Body):
    displayName: Label
    rateValues: Annotated[list[CurrencyRate], Field(min_length=1, max_length=20)]


class GrantDetails(Body):
    priority: Annotated[int, Field(ge=0, le=1000)]
    expiryType: Literal["PRICING_CYCLE", "NO_EXPIRY", "CUSTOM"]
    expiryDuration: Duration | None = None
    applicableEntityIds: Annotated[list[Name] | None, Field(max_length=50)] = None

    @model_validator(mode="after")
    def _custom_has_duration(self) -> "GrantDetails":
        if (self.expiryType == "CUSTOM") != (self.expiryDuration is not None):
            raise wrong("expiryDuration exactly when expiryType is CUSTOM")
        return self


class GrantSlab(Body):
    startAfter: NonNegative
    priceType: PriceType
    rate: NonNegative
    slabConfig: SlabConfig | None = None
    slabRateConfig: Clamp | None = None


class CurrencySlabRates(Body):
    currency: Currency
    creditAmount: NonNegative
    slabDetails: Annotated[list[GrantSlab], Field(min_length=1, max_length=MOST_SLABS)]
    rateConfig: Clamp | None = None


class CreditRates(Body):
    pricingModel: PricingModel
    currencySlabRateDetails: Annotated[list[CurrencySlabRates], Field(min_length=1, max_length=20)]


class CreditGrantRateCard(Body):
    id: Id
    grantDetails: GrantDetails
    rateDetails: CreditRates
    displayName: Label | None = None
    name: Label | None = None
    tag: Label | None = None
    invoiceTiming: InvoiceTiming | None = None
    type: Literal["ONE_TIME", "RECURRING"] | None = None
    recurrenceConfig: Recurrence | None = None


class PricePlanDetails(Body):
    supportedCurrencies: Annotated[list[Currency], Field(min_length=1, max_length=20)]
    pricingCycleConfig: PricingCycle | None = None
    usageRateCards: Annotated[list[UsageRateCard] | None, Field(max_length=100)] = None
    fixedFeeRateCards: Annotated[list[FixedFeeRateCard] | None, Field(max_length=100)] = None
    licenseRateCards: Annotated[list[LicenseRateCard] | None, Field(max_length=100)] = None
    billingEntitlementRateCards: Annotated[
        list[BillingEntitlementRateCard] | None, Field(max_length=100)
    ] = None
    entitlementOverageRateCards: Annotated[
        list[EntitlementOverageRateCard] | None, Field(max_length=100)
    ] = None
    creditGrantRateCards: Annotated[list[CreditGrantRateCard] | None, Field(max_length=100)] = None
    minimumCommitment: MinimumCommitment | None = None
    deferredRevenue: bool | None = None
    allow_ongoing_cycle_updates: bool | None = None

    @model_validator(mode="after")
    def _currencies_are_priced(self) -> "PricePlanDetails":
        supported = set(self.supportedCurrencies)
        for where, priced in self._priced():
            if set(priced) != supported or len(priced) != len(supported):
                wanted = ", ".join(sorted(supported))
                raise wrong(f"a plan whose {where} has one rate for each of {wanted}")
        return self

    def _priced(self) -> list[tuple[str, Sequence[str]]]:
        """Each card with the currencies it has rates in."""
        priced: list[tuple[str, Sequence[str]]] = []
        for kind in (
            "usageRateCards",
            "fixedFeeRateCards",
            "licenseRateCards",
            "billingEntitlementRateCards",
            "entitlementOverageRateCards",
        ):
            for index, card in enumerate(getattr(self, kind) or []):
                currencies = [value.currency for value in card.rateValues]
                priced.append((f"{kind}[{index}].rateValues", currencies))
        for index, grant in enumerate(self.creditGrantRateCards or []):
            currencies = [rate.currency for rate in grant.rateDetails.currencySlabRateDetails]
            priced.append((f"creditGrantRateCards[{index}].rateDetails", currencies))
        if self.minimumCommitment is not None:
            currencies = [value.currency for value in self.minimumCommitment.rateValues]
            priced.append(("minimumCommitment.rateValues", currencies))
        return priced


_SLABS = (
    '"ratePlan":{"pricingModel":"TIERED|VOLUME","slabs":[{"order":1,"startAfter":"0",'
    '"priceType":"FLAT|PER_UNIT|PACKAGE","slabConfig":{"packageSize":"10"} if PACKAGE}]},'
    '"rateValues":[{"currency":"USD","slabRates":[{"order":1,"rate":"0.05"}]}]'
)
_FEES = '"rateValues":[{"currency":"USD","rate":"49"}]'

SHAPE = (
    "{supportedCurrencies:[USD], pricingCycleConfig:{interval:MONTHLY, gracePeriod:3, "
    "startOffset:{dayOffset:1, monthOffset:NIL}}, usageRateCards:[{displayName, usageMeterId, "
    "ratePlan:{pricingModel:TIERED|VOLUME, slabs:[{order:1, startAfter:0, "
    "priceType:FLAT|PER_UNIT|PACKAGE}]}, rateValues:[{currency, slabRates:[{order:1, rate}]}]}]}; "
    "also fixedFeeRateCards, licenseRateCards, billingEntitlementRateCards, "
    "entitlementOverageRateCards, creditGrantRateCards, minimumCommitment. In full: "
    "billing://schemas/price-plan"
)

RULES = (
    "supportedCurrencies, and for a BILLING plan pricingCycleConfig, are required; every card has "
    "one rateValue for each supported currency and in it one slabRate for each slab; slabs have "
    'order 1, 2, 3 … and start after "0", then after ever larger quantities; PACKAGE needs '
    "slabConfig.packageSize, other price types must not have it; numbers are strings"
)

SHAPES = {
    "pricingCycleConfig": '{"interval":"MONTHLY","gracePeriod":3,"startOffset":{"dayOffset":"1",'
    '"monthOffset":"NIL"}}; monthOffset is 1, 2 …, FIRST or LAST from QUARTERLY on',
    "usageRateCards": f'[{{"usageMeterId":"um.…","displayName":"API calls",{_SLABS}}}]',
    "fixedFeeRateCards": f'[{{"id":"addon.…","enableProration":false,"type":"RECURRING",{_FEES}}}]',
    "licenseRateCards": f'[{{"id":"addon.…","enableProration":true,{_SLABS}}}]',
    "billingEntitlementRateCards": '[{"featureId":"feat.…","invoiceTiming":"IN_ARREARS",'
    '"featureConfigs":[{"effectiveUntil":"P1M","featureCreditLimit":"1000"}],' + _SLABS + "}]",
    "entitlementOverageRateCards": f'[{{"featureId":"feat.…","maxQuantity":"500",{_SLABS}}}]',
    "creditGrantRateCards": '[{"id":"addon.…","grantDetails":{"priority":1,"expiryType":'
    '"PRICING_CYCLE"},"rateDetails":{"pricingModel":"TIERED","currencySlabRateDetails":[{'
    '"currency":"USD","creditAmount":"100","slabDetails":[{"startAfter":"0","priceType":"FLAT",'
    '"rate":"90"}]}]}}]',
    "minimumCommitment": f'{{"displayName":"Minimum","{_FEES[1:]}}}',
    "supportedCurrencies": '["USD"]',
}
