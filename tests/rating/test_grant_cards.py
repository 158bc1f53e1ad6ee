"""Cards that grant something: feature credits and credits, what they cost, how long they live."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.rating import credit_grant, entitlement_card
from billing_mcp.rating.credit_grant import GrantedCredit
from billing_mcp.rating.cycles import cycle_number
from billing_mcp.rating.entitlement_card import FeatureCredits
from billing_mcp.rating.plan import CycleRule, read_plan
from rating.worked import Json, at, details, grant_tiers, rated, shown, tiers

FEATURES = [
    {"featureCreditLimit": Decimal(800), "effectiveUntil": "P1M"},
    {"featureCreditLimit": Decimal(400), "effectiveFrom": "P7D", "effectiveUntil": "P1Y"},
]


def entitlement(**more: Any) -> Json:
    card = {"featureId": "feat.calls", "invoiceTiming": "IN_ARREARS", "featureConfigs": FEATURES}
    return card | tiers("TIERED", ("0", "0.10"), ("1000", "0.05")) | more


def grant(rates: Json, **more: Any) -> Json:
    details = {"priority": 2, "expiryType": "PRICING_CYCLE", "applicableEntityIds": ["um.calls"]}
    return {"id": "addon.credit", "grantDetails": details | more, "rateDetails": rates}


def test_an_entitlement_card_prices_all_the_credits_it_grants() -> None:
    (line,) = rated(details(billingEntitlementRateCards=[entitlement()])).cards

    # 800 + 400 = 1200 credits: 1000 x 0.10 = 100, and 200 x 0.05 = 10
    assert shown(line) == "1000 x 0.10 + 200 x 0.05 = 110.00"
    assert line.type == line.children[0].type == "BILLING_ENTITLEMENT_RATE_CARD_AMOUNT"


def test_feature_credits_live_from_and_until_so_long_after_the_cycles_start() -> None:
    (card,) = read_plan(details(billingEntitlementRateCards=[entitlement()])).entitlements
    february = cycle_number(CycleRule("MONTHLY"), date(2026, 1, 1), None, 1)
    assert february is not None

    assert entitlement_card.granted(card, february) == (
        FeatureCredits("feat.calls", Decimal(800), at("2026-02-01"), at("2026-03-01")),
        FeatureCredits("feat.calls", Decimal(400), at("2026-02-08"), at("2027-02-01")),
    )


def test_an_entitlement_that_recurs_every_other_cycle_grants_and_costs_nothing_between() -> None:
    plan = details(billingEntitlementRateCards=[entitlement(recurrenceConfig={"interval": 2})])
    (card,) = read_plan(plan).entitlements
    second = cycle_number(CycleRule("MONTHLY"), date(2026, 1, 1), None, 1)
    assert second is not None

    assert rated(plan, number=1).cards == ()
    assert entitlement_card.granted(card, second) == ()


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        (grant_tiers("TIERED", "1000", ("0", "flat 900")), "flat 900 = 900.00"),
        (grant_tiers("TIERED", "1000", ("0", "0.95")), "1000 x 0.95 = 950.00"),
        (
            grant_tiers("TIERED", "1000", ("0", "0.95"), ("600", "0.90")),
            # 570 + 360
            "600 x 0.95 + 400 x 0.90 = 930.00",
        ),
        (grant_tiers("VOLUME", "1000", ("0", "0.95"), ("600", "0.90")), "1000 x 0.90 = 900.00"),
        (grant_tiers("VOLUME", "1000", ("0", "30 per 300")), "4 packages of 300 x 30 = 120.00"),
        (
            grant_tiers("TIERED", "1000", ("0", "0.95", {"maximumRate": "900"})),
            "maximum 900 of 1000 x 0.95 = 900.00",
        ),
        (
            grant_tiers("TIERED", "10", ("0", "0.95"), bounds={"minimumRate": "25"}),
            "10 x 0.95 + minimum 15.50 = 25.00",
        ),
        (grant_tiers("TIERED", "0", ("0", "flat 900")), "nothing = 0.00"),
    ],
)
def test_a_credit_grant_is_priced_by_the_amount_it_grants(rates: Json, expected: str) -> None:
    (line,) = rated(details(creditGrantRateCards=[grant(rates)])).cards

    assert shown(line) == expected
    assert line.type == "CREDIT_GRANT_RATE_CARD_AMOUNT"


@pytest.mark.parametrize(
    ("expiry", "until"),
    [
        ({"expiryType": "PRICING_CYCLE"}, "2026-03-01"),
        ({"expiryType": "NO_EXPIRY"}, "9999-01-01"),
        ({"expiryType": "CUSTOM", "expiryDuration": "P90D"}, "2026-05-02"),
        ({"expiryType": "CUSTOM", "expiryDuration": "P1Y2M1W"}, "2027-04-08"),
    ],
)
def test_a_granted_credit_lives_as_long_as_its_card_says(expiry: Json, until: str) -> None:
    given = grant(grant_tiers("TIERED", "1000", ("0", "flat 900")), **expiry)
    (card,) = read_plan(details(creditGrantRateCards=[given])).credit_grants
    february = cycle_number(CycleRule("MONTHLY"), date(2026, 1, 1), None, 1)
    assert february is not None

    assert credit_grant.granted(card, "USD", february) == GrantedCredit(
        "addon.credit", Decimal(1000), 2, ("um.calls",), at("2026-02-01"), at(until)
    )


def test_a_credit_that_is_granted_once_is_charged_once() -> None:
    given = grant(grant_tiers("TIERED", "1000", ("0", "flat 900"))) | {"type": "ONE_TIME"}
    plan = details(creditGrantRateCards=[given])
    (card,) = read_plan(plan).credit_grants
    second = cycle_number(CycleRule("MONTHLY"), date(2026, 1, 1), None, 1)
    assert second is not None

    assert len(rated(plan).cards) == 1
    assert rated(plan, number=1).cards == ()
    assert credit_grant.granted(card, "USD", second) is None
