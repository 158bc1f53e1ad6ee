"""An account's or a version's own parts of a price plan: only those that differ."""

from typing import Annotated

from pydantic import Field, model_validator

from billing_mcp.params import Body, Currency, wrong
from billing_mcp.tools.togai.rate_cards import (
    BillingEntitlementRateCard,
    CreditGrantRateCard,
    EntitlementOverageRateCard,
    FixedFeeRateCard,
    LicenseRateCard,
    MinimumCommitment,
    PricingCycle,
    UsageRateCard,
)


class PricePlanOverride(Body):
    """Each part that is given replaces the plan's whole part of that name."""

    supportedCurrencies: Annotated[list[Currency] | None, Field(min_length=1, max_length=20)] = None
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

    @model_validator(mode="after")
    def _not_empty(self) -> "PricePlanOverride":
        if all(value is None for _, value in self):
            raise wrong("an object with the parts that are to differ")
        return self


SHAPE = (
    "The parts that differ, each as in create-price-plan and replacing the whole part: "
    "supportedCurrencies, pricingCycleConfig, usageRateCards, fixedFeeRateCards, … In full: "
    "billing://schemas/price-plan-override"
)
RULES = (
    "each part that is given replaces the plan's whole part of that name; every card has one "
    "rateValue for each supported currency and in it one slabRate for each slab; numbers are "
    "strings"
)
