"""Reading a plan: what the vendor's JSON becomes, and what is refused."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp import money
from billing_mcp.rating.cards import Bounds, Recurrence, Slab, SlabRate
from billing_mcp.rating.plan import CycleRule, NotAPlan, read_plan
from rating.worked import Json, details, fee, grant_tiers, tiers

CALLS: Json = {"usageMeterId": "um.calls", **tiers("TIERED", ("0", "0.1"), ("100", "5 per 10"))}


def priced(rate: object) -> Json:
    """A fee whose rate is what it is given, of whatever type."""
    return fee("1") | {"rateValues": [{"currency": "USD", "rate": rate}]}


def slabbed(slab: Json) -> Json:
    """A plan with one usage card of one slab."""
    shape = {"order": 1, "startAfter": 0} | slab
    return broken({"ratePlan": {"pricingModel": "TIERED", "slabs": [shape]}})


def broken(change: Json) -> Json:
    return details(usageRateCards=[CALLS | change])


def credited(rates: Json) -> Json:
    """A plan with one credit-grant card."""
    grant = {"priority": 1, "expiryType": "NO_EXPIRY"}
    card = {"id": "addon.credit", "grantDetails": grant, "rateDetails": rates}
    return details(creditGrantRateCards=[card])


def test_a_plan_is_read_from_the_vendors_json() -> None:
    text = money.to_json(
        details(
            usageRateCards=[CALLS],
            fixedFeeRateCards=[fee("49.50", recurrenceConfig={"interval": 3, "offset": 1})],
        )
    )
    given: Any = money.from_json(text)

    plan = read_plan(given)

    assert plan.cycle == CycleRule("MONTHLY", 3, "1", "NIL")
    assert plan.currencies == ("USD",)
    (card,) = plan.usage_cards
    assert card.rate_plan.slabs == (
        Slab(1, Decimal(0), "PER_UNIT"),
        Slab(2, Decimal(100), "PACKAGE", Decimal(10)),
    )
    assert card.rate_values["USD"].slab_rates == (
        SlabRate(1, Decimal("0.1")),
        SlabRate(2, Decimal(5)),
    )
    (fixed,) = plan.fixed_fees
    assert (fixed.rates, fixed.recurrence) == ({"USD": Decimal("49.50")}, Recurrence(3, 1))


def test_fields_that_are_null_are_as_absent() -> None:
    nothing: Json = dict.fromkeys(("licenseRateCards", "minimumCommitment", "deferredRevenue"))
    card = fee("1", recurrenceConfig=None, invoiceTiming=None, type=None)

    plan = read_plan(details(fixedFeeRateCards=[card], **nothing))

    assert plan.licences == ()
    assert plan.minimum_commitment is None
    assert plan.fixed_fees[0].timing == "IN_ARREARS"


def test_a_plan_that_is_bought_once_has_no_cycle() -> None:
    assert read_plan({"supportedCurrencies": ["USD"]}).cycle is None


def test_bounds_are_read_from_texts() -> None:
    prices = tiers("TIERED", ("0", "1", {"minimumRate": "5.5"}), bounds={"maximumRate": "9"})

    (card,) = read_plan(details(usageRateCards=[{"usageMeterId": "um.x", **prices}])).usage_cards

    assert card.rate_values["USD"].slab_rates[0].bounds == Bounds(minimum=Decimal("5.5"))
    assert card.rate_values["USD"].bounds == Bounds(maximum=Decimal(9))


def test_slabs_count_by_their_order_and_not_by_where_they_are_listed() -> None:
    listed = tiers("TIERED", ("0", "3"), ("10", "2"), ("20", "1"))
    listed["ratePlan"]["slabs"].reverse()

    (card,) = read_plan(details(usageRateCards=[{"usageMeterId": "um.x", **listed}])).usage_cards

    assert [slab.start_after for slab in card.rate_plan.slabs] == [0, 10, 20]


def test_a_rate_of_many_digits_is_read_exactly() -> None:
    many = 12345678901234567890

    plan = read_plan(details(fixedFeeRateCards=[priced(many)]))

    assert plan.fixed_fees[0].rates["USD"] == Decimal(many)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "supportedCurrencies is missing"),
        (details(usageRateCards=[{"usageMeterId": "um.x"}]), "ratePlan is missing"),
        (details(fixedFeeRateCards=[priced(0.1)]), "0.1 is not an exact number"),
        (details(fixedFeeRateCards=[priced(True)]), "True is not an exact number"),
        (details(fixedFeeRateCards=[priced("1e3")]), "'1e3' is not a plain decimal"),
        (
            broken({"rateValues": [{"currency": "USD", "slabRates": [{"order": 1, "rate": 1}]}]}),
            "one for each slab",
        ),
        (broken(tiers("STAIRS", ("0", "1"))), "pricingModel STAIRS"),
        (broken(tiers("TIERED", ("0", "1 per 0"))), "packageSize must be greater"),
        (
            broken(tiers("TIERED", ("0", "1"), ("100", "2"), ("100", "3"))),
            "startAfter of slab 3 must be greater than 100",
        ),
        (
            broken(tiers("VOLUME", ("0", "1"), ("99.5", "2"), ("9", "3"))),
            r"startAfter of slab 3 must be greater than 99\.5",
        ),
        (
            credited(grant_tiers("TIERED", "10", ("0", "1"), ("0", "2"))),
            "startAfter of slab 2 must be greater than 0",
        ),
        (slabbed({"priceType": "FREE"}), "priceType FREE"),
        (slabbed({"priceType": "PACKAGE"}), "packageSize is missing"),
    ],
)
def test_what_cannot_be_rated_is_refused_with_the_fields_name(given: Json, message: str) -> None:
    with pytest.raises(NotAPlan, match=message):
        read_plan(given)


@pytest.mark.parametrize(
    ("cards", "what"),
    [
        ({"fixedFeeRateCards": [fee("1", invoiceTiming="IN_ADVANCE")]}, "in advance"),
        ({"fixedFeeRateCards": [fee("1", invoiceTiming="PREPAID")]}, "in advance"),
        (
            {
                "licenseRateCards": [
                    fee("1", invoiceTiming="IN_ADVANCE", **tiers("TIERED", ("0", "1")))
                ]
            },
            "in advance",
        ),
        (
            {
                "creditGrantRateCards": [
                    {
                        "id": "addon.credit",
                        "grantDetails": {"priority": 1, "expiryType": "NO_EXPIRY"},
                        "rateDetails": grant_tiers("TIERED", "10", ("0", "1")),
                    }
                ]
            },
            "credit grant",
        ),
        (
            {
                "entitlementOverageRateCards": [
                    {"featureId": "feat.x", **tiers("TIERED", ("0", "1"))}
                ]
            },
            "overage",
        ),
        (
            {
                "billingEntitlementRateCards": [
                    {
                        "featureId": "feat.x",
                        "invoiceTiming": "IN_ARREARS",
                        "featureConfigs": [{"effectiveUntil": "P1M", "featureCreditLimit": 5}],
                        **tiers("TIERED", ("0", "1")),
                    }
                ]
            },
            "entitlement",
        ),
    ],
)
def test_a_plan_with_deferred_revenue_may_not_have_every_card(cards: Json, what: str) -> None:
    read_plan(details(**cards))
    with pytest.raises(NotAPlan, match=what):
        read_plan(details(deferredRevenue=True, **cards))


def test_a_plan_with_deferred_revenue_may_have_usage_and_fees_in_arrears() -> None:
    cards: Json = {"usageRateCards": [CALLS], "fixedFeeRateCards": [fee("1")]}

    assert read_plan(details(deferredRevenue=True, **cards)).deferred_revenue
