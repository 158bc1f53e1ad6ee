"""Revenue calculators: what a plan, made up or not, would earn."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, WithJsonSchema, model_validator

from billing_mcp import money
from billing_mcp.declarations import READ, Toolset
from billing_mcp.params import (
    AccountId,
    Body,
    Currency,
    FeatureId,
    Instant,
    Name,
    NonNegative,
    wrong,
)
from billing_mcp.results import Exact, Result
from billing_mcp.tools.togai.price_plans import exact_numbers, vendor_details
from billing_mcp.tools.togai.rate_cards import RULES, SHAPE, SHAPES, PricePlanDetails
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, present

toolset = Toolset("togai-metrics")

Lookup = Literal["CUSTOM", "LOOKUP_RANGE", "LOOKUP_CYCLE"]
_Id = Annotated[Name, Field(min_length=1, max_length=50)]


class ModeBody(Body):
    """A part of the question whose mode says which of its fields are needed."""

    needs: ClassVar[dict[str, str]] = {}

    @model_validator(mode="after")
    def _mode_has_its_field(self) -> "ModeBody":
        mode = getattr(self, "mode", None)
        needed = self.needs.get(str(mode))
        if needed is not None and getattr(self, needed) is None:
            raise wrong(f"an object with {needed}, because of mode {mode}")
        return self


class CurrencyConfig(ModeBody):
    needs: ClassVar = {"CUSTOM": "currency", "ACCOUNT_INVOICE": "accountId"}

    mode: Literal["CUSTOM", "ACCOUNT_INVOICE"]
    currency: Currency | None = None
    accountId: AccountId | None = None


class PricePlanDetailsConfig(ModeBody):
    needs: ClassVar = {
        "CUSTOM": "pricePlanDetails",
        "PRICE_PLAN": "pricePlanId",
        "ACCOUNT": "accountId",
    }

    mode: Literal["CUSTOM", "PRICE_PLAN", "ACCOUNT"]
    pricePlanDetails: Annotated[
        PricePlanDetails | None,
        WithJsonSchema({"type": "object", "description": "As in create-price-plan"}),
    ] = None
    pricePlanId: _Id | None = None
    accountId: AccountId | None = None
    effectiveOn: Instant | None = None
    pricingCycleOrdinal: Annotated[
        int | None, Field(ge=1, le=10_000, description="Which cycle; 1 is the first")
    ] = None


class LookupRange(Body):
    start: Instant
    end: Instant
    accountId: AccountId


class LookupCycle(Body):
    accountId: AccountId
    cycleEffectiveOn: Instant | None = None


class LookupBody(ModeBody):
    needs: ClassVar = {"LOOKUP_RANGE": "lookupRange", "LOOKUP_CYCLE": "lookupCycle"}

    mode: Lookup
    lookupRange: LookupRange | None = None
    lookupCycle: LookupCycle | None = None


class UsageConfig(LookupBody):
    usageMap: Annotated[
        dict[_Id, NonNegative] | None, Field(max_length=100, description="Units by usage meter id")
    ] = None


class LicenseEntry(Body):
    licenseId: _Id
    quantity: Annotated[int, Field(ge=0, le=1_000_000_000)]
    effectiveFrom: Instant


class LicenseEntriesConfig(LookupBody):
    custom: Annotated[list[LicenseEntry] | None, Field(max_length=1000)] = None


class NamedLicenseEntry(Body):
    licenseId: _Id
    # The vendor's schema says a whole number.
    name: Annotated[int, Field(ge=0, le=1_000_000_000)]
    effectiveFrom: Instant
    effectiveUntil: Instant | None = None


class NamedLicenseEntriesConfig(LookupBody):
    custom: Annotated[list[NamedLicenseEntry] | None, Field(max_length=1000)] = None


class CustomProration(Body):
    cycleStartDate: Instant
    cycleEndDate: Instant
    currentDate: Instant


class LookupProration(Body):
    accountId: AccountId
    currentDateTime: Instant | None = None
    cycleEffectiveOn: Instant | None = None


class ProrationConfig(ModeBody):
    needs: ClassVar = {"CUSTOM": "customConfig", "LOOKUP_CYCLE": "lookupCycleConfig"}

    mode: Literal["CUSTOM", "LOOKUP_CYCLE"]
    customConfig: CustomProration | None = None
    lookupCycleConfig: LookupProration | None = None


class OverageEntry(Body):
    featureId: FeatureId
    quantity: NonNegative


class OverageCycle(Body):
    accountId: AccountId
    billingCycleEndDate: Instant


class EntitlementOverageConfig(ModeBody):
    needs: ClassVar = {"CUSTOM": "custom", "LOOKUP_CYCLE": "lookupCycle"}

    mode: Literal["CUSTOM", "LOOKUP_CYCLE"]
    custom: Annotated[list[OverageEntry] | None, Field(max_length=1000)] = None
    lookupCycle: OverageCycle | None = None


class SlabRevenue(Result):
    order: int | None = None
    usage: Exact | None = None
    revenue: Exact | None = None
    metadata: dict[str, Any] | None = None


class Revenue(Result):
    revenue: Exact | None = None


class CardRevenue(Result):
    """What one rate card would earn: the sum of its slabs, or its revenue."""

    usages: dict[str, Exact] | None = None
    slabRevenueSummaries: list[SlabRevenue] | None = None
    licenseRevenueSummary: list[SlabRevenue] | None = None
    fixedFeeRevenueSummary: Revenue | None = None
    billingEntitlementRevenueSummary: Revenue | None = None
    creditGrantRevenueSummary: Revenue | None = None
    entitlementOverageRevenueSummary: Revenue | None = None

    def revenues(self) -> Iterator["SlabRevenue | Revenue"]:
        yield from self.slabRevenueSummaries or ()
        yield from self.licenseRevenueSummary or ()
        whole = (
            *(self.fixedFeeRevenueSummary, self.billingEntitlementRevenueSummary),
            *(self.creditGrantRevenueSummary, self.entitlementOverageRevenueSummary),
        )
        yield from (revenue for revenue in whole if revenue is not None)

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_exact(cls, value: Any) -> Any:
        return exact_numbers(value)


class CalculatedRevenue(Result):
    """The revenue of each card; concise leaves out the whole plan beside them."""

    long: ClassVar = True
    concise: ClassVar = ("currency", "usageLookupRange", "revenueInfo")

    usageLookupRange: dict[str, Any] | None = None
    revenueInfo: list[CardRevenue] | None = None

    def currency(self) -> str | None:
        # The vendor's field of that name, which is not declared because this stands in its place.
        found = (self.model_extra or {}).get("currency")
        return found if isinstance(found, str) else None

    @model_validator(mode="after")
    def _at_scale(self) -> "CalculatedRevenue":
        currency = self.currency()
        for card in self.revenueInfo or () if currency else ():
            for revenue in card.revenues():
                if revenue.revenue is not None:
                    revenue.revenue = money.at_scale(revenue.revenue, str(currency))
        return self


def _question(**parts: Body | None) -> dict[str, Any]:
    body = present(**{name: None if part is None else given(part) for name, part in parts.items()})
    config = body["pricePlanDetailsConfig"]
    if config.get("pricePlanDetails"):
        config["pricePlanDetails"] = vendor_details(config["pricePlanDetails"])
    return body


_SHORT_FORM = {
    "pricePlanDetailsConfig.pricePlanDetails": f"{SHAPE}; {RULES}",
    **{f"pricePlanDetailsConfig.pricePlanDetails.{part}": shape for part, shape in SHAPES.items()},
}


@toolset.tool(
    READ, "POST /revenue_calculator", title="Calculate revenue (v1)", short_form=_SHORT_FORM
)
async def calculate_revenue_v1(
    togai: Togai,
    currencyConfig: CurrencyConfig,
    pricePlanDetailsConfig: PricePlanDetailsConfig,
    usageConfig: UsageConfig,
    licenseEntriesConfig: LicenseEntriesConfig,
    namedLicenseEntriesConfig: NamedLicenseEntriesConfig | None = None,
    prorationConfig: ProrationConfig | None = None,
    entitlementOverageConfig: EntitlementOverageConfig | None = None,
) -> CalculatedRevenue:
    """Calculate what a price plan would earn. Deprecated: use calculate-revenue-v2."""
    return await togai.fetch(
        CalculatedRevenue,
        body=_question(
            currencyConfig=currencyConfig,
            pricePlanDetailsConfig=pricePlanDetailsConfig,
            usageConfig=usageConfig,
            licenseEntriesConfig=licenseEntriesConfig,
            namedLicenseEntriesConfig=namedLicenseEntriesConfig,
            prorationConfig=prorationConfig,
            entitlementOverageConfig=entitlementOverageConfig,
        ),
    )


@toolset.tool(
    READ, "POST /v2/revenue_calculator", title="Calculate revenue (v2)", short_form=_SHORT_FORM
)
async def calculate_revenue_v2(
    togai: Togai,
    currencyConfig: CurrencyConfig,
    pricePlanDetailsConfig: PricePlanDetailsConfig,
    usageConfig: UsageConfig,
    licenseEntriesConfig: LicenseEntriesConfig,
    namedLicenseEntriesConfig: NamedLicenseEntriesConfig | None = None,
    prorationConfig: ProrationConfig | None = None,
    entitlementOverageConfig: EntitlementOverageConfig | None = None,
) -> CalculatedRevenue:
    """Calculate what each card of a plan, made up or existing, would earn in a cycle for given or
    looked-up usage and licences. Nothing is kept; without prorationConfig nothing is prorated."""
    return await togai.fetch(
        CalculatedRevenue,
        body=_question(
            currencyConfig=currencyConfig,
            pricePlanDetailsConfig=pricePlanDetailsConfig,
            usageConfig=usageConfig,
            licenseEntriesConfig=licenseEntriesConfig,
            namedLicenseEntriesConfig=namedLicenseEntriesConfig,
            prorationConfig=prorationConfig,
            entitlementOverageConfig=entitlementOverageConfig,
        ),
    )
