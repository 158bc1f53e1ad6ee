"""A plan that is bought once: what so many of its cards cost."""

from decimal import Decimal

from billing_mcp.rating.plan import Plan, read_plan
from billing_mcp.rating.purchase import Quantities, card_ids, lines
from rating.worked import details, grant_tiers, shown, tiers

FEE = {
    "id": "addon.setup",
    "enableProration": False,
    "rateValues": [{"currency": "USD", "rate": Decimal("9.99")}],
    "recurrenceConfig": {"interval": 2, "offset": 1},
}
ENTITLEMENT = {
    "featureId": "feat.calls",
    "invoiceTiming": "IN_ARREARS",
    "featureConfigs": [{"featureCreditLimit": Decimal(800), "effectiveUntil": "P1M"}],
    **tiers("TIERED", ("0", "0.10"), ("1000", "0.05")),
}


def bought(plan: Plan, quantity: str, **of_cards: str) -> list[str]:
    named = {name.replace("_", "."): Decimal(number) for name, number in of_cards.items()}
    return [shown(line) for line in lines(plan, "USD", Quantities(Decimal(quantity), named))]


def test_a_fee_is_owed_as_often_as_it_is_bought_whenever_it_recurs() -> None:
    plan = read_plan(details(fixedFeeRateCards=[FEE]))

    (three,) = lines(plan, "USD", Quantities(Decimal(3), {}))
    (half,) = lines(plan, "USD", Quantities(Decimal(3), {"addon.setup": Decimal("0.5")}))

    # 3 x 9.99, and 0.5 x 9.99 = 4.995, cut to the cent
    assert (three.quantity, three.rate, three.amount) == (
        Decimal(3),
        Decimal("9.99"),
        Decimal("29.97"),
    )
    assert (half.quantity, half.amount) == (Decimal("0.5"), Decimal("4.99"))


def test_slabs_count_all_that_is_bought_together() -> None:
    plan = read_plan(details(billingEntitlementRateCards=[ENTITLEMENT]))

    # 2 x 800 = 1600 credits: 1000 x 0.10 = 100, and 600 x 0.05 = 30
    assert bought(plan, "2") == ["1000 x 0.10 + 600 x 0.05 = 130.00"]
    assert bought(plan, "2", feat_calls="1") == ["800 x 0.10 = 80.00"]


def test_cards_are_named_by_what_they_price() -> None:
    rates = grant_tiers("TIERED", "100", ("0", "0.9"))
    grant = {
        "id": "addon.credit",
        "grantDetails": {"priority": 2, "expiryType": "NO_EXPIRY"},
        "rateDetails": rates,
    }
    plan = read_plan(
        details(
            creditGrantRateCards=[grant],
            fixedFeeRateCards=[FEE],
            billingEntitlementRateCards=[ENTITLEMENT],
        )
    )

    assert card_ids(plan) == {"addon.setup", "feat.calls", "addon.credit"}
    # 2 x 100 of credit at 0.90 each
    assert bought(plan, "1", addon_credit="2")[-1] == "200 x 0.9 = 180.00"
