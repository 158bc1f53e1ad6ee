"""Revenue calculators of the emulated Togai: what a plan would earn, worked by hand."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import fee, send
from sandbox.togai.calculated import TIERS, asked, custom, revenue
from sandbox.togai.test_sandbox_price_plans import CREDIT_GRANT
from sandbox.togai.world import (
    CYCLE,
    RATED,
    RATES,
    SLABS,
    account,
    associate,
    event,
    feature,
    granting,
    meter,
    plan,
    schema,
)


def test_usage_is_rated_slab_by_slab_with_what_was_not_reached(ask: Asker) -> None:
    schema(ask)
    calls = meter(ask)
    config = custom(usageRateCards=[{"usageMeterId": calls, **TIERS}])

    def slabs(units: int) -> Any:
        usage = {"mode": "CUSTOM", "usageMap": {calls: units}}
        answer = revenue(ask, pricePlanDetailsConfig=config, usageConfig=usage)
        (info,) = answer["revenueInfo"]
        assert info["usages"] == {calls: units}
        return info["slabRevenueSummaries"]

    assert slabs(50) == [
        {"order": 1, "usage": 50, "revenue": 100},
        {"order": 2, "usage": 0, "revenue": 0},
    ]
    # 100 at 2 are 200, at most 150; 25 more are three packages of 10 at 15.
    assert slabs(125) == [
        {"order": 1, "usage": 100, "revenue": 150, "metadata": {"maximumRateApplied": True}},
        {"order": 2, "usage": 25, "revenue": 45, "metadata": {"packageQuantity": 3}},
    ]


def test_the_bounds_of_a_card_are_a_slab_of_order_0(ask: Asker) -> None:
    schema(ask)
    calls = meter(ask)
    rates = [RATES[0] | {"rateConfig": {"minimumRate": "9"}}]
    card = {"usageMeterId": calls, "ratePlan": SLABS, "rateValues": rates}
    usage = {"mode": "CUSTOM", "usageMap": {calls: 4}}

    answer = revenue(ask, pricePlanDetailsConfig=custom(usageRateCards=[card]), usageConfig=usage)

    assert answer["revenueInfo"][0]["slabRevenueSummaries"] == [
        {"order": 0, "usage": 0, "revenue": 8, "metadata": {"minimumRateApplied": True}},
        {"order": 1, "usage": 4, "revenue": 1},
    ]


def test_every_kind_of_card_has_its_summary_in_both_generations(ask: Asker) -> None:
    schema(ask)
    calls, credited = meter(ask), feature(ask)
    seats = {"id": "addon.seat", "enableProration": False, **RATED}
    plan_id = plan(
        ask,
        usageRateCards=[{"usageMeterId": calls, **RATED}],
        fixedFeeRateCards=[fee("49", "IN_ADVANCE")],
        licenseRateCards=[seats],
        billingEntitlementRateCards=[granting(credited, 40)],
        creditGrantRateCards=[CREDIT_GRANT],
        entitlementOverageRateCards=[{"featureId": credited, **RATED}],
        minimumCommitment={
            "displayName": "Floor",
            "rateValues": [{"currency": "USD", "rate": 900}],
        },
    )
    parts: dict[str, Any] = {
        "pricePlanDetailsConfig": {"mode": "PRICE_PLAN", "pricePlanId": plan_id},
        "usageConfig": {"mode": "CUSTOM", "usageMap": {calls: 100}},
        "licenseEntriesConfig": {
            "mode": "CUSTOM",
            "custom": [
                {
                    "licenseId": "addon.seat",
                    "quantity": 8,
                    "effectiveFrom": "2026-11-05T00:00:00Z",
                }
            ],
        },
        "entitlementOverageConfig": {
            "mode": "CUSTOM",
            "custom": [{"featureId": credited, "quantity": 6}],
        },
    }

    first, second = revenue(ask, **parts), revenue(ask, "/v2", **parts)

    def one(order: int, usage: int, amount: str) -> list[Any]:
        return [{"order": order, "usage": usage, "revenue": Decimal(amount)}]

    summaries: list[dict[str, Any]] = [
        {"usages": {calls: 100}, "slabRevenueSummaries": one(1, 100, "25")},
        {"usages": {}, "fixedFeeRevenueSummary": {"revenue": 49}},
        {"usages": {"addon.seat": 8}, "licenseRevenueSummary": one(1, 8, "2")},
        {"usages": {}, "billingEntitlementRevenueSummary": {"revenue": 10}},
        {"usages": {}, "creditGrantRevenueSummary": {"revenue": 80}},
        {
            "usages": {credited: 6},
            "entitlementOverageRevenueSummary": {"revenue": Decimal("1.5")},
            "slabRevenueSummaries": one(1, 6, "1.5"),
        },
    ]
    cards = [next(name for name in info if name.endswith("Card")) for info in first["revenueInfo"]]
    assert cards == [
        *("usageRateCard", "fixedFeeRateCard", "licenseRateCard", "billingEntitlementRateCard"),
        *("creditGrantRateCard", "entitlementOverageRateCard"),
    ]
    for infos in (first["revenueInfo"], second["revenueInfo"]):
        for info, summary in zip(infos, summaries, strict=True):
            assert {name: info[name] for name in summary} == summary
    assert [info["rateCard"]["type"] for info in second["revenueInfo"]] == [
        *("USAGE", "FIXED_FEE", "LICENSE", "BILLING_ENTITLEMENT", "CREDIT_GRANT"),
        "ENTITLEMENT_OVERAGE",
    ]
    assert (first["currency"], first["pricePlanDetails"]["activeCurrencies"]) == ("USD", ["USD"])
    assert "pricePlanDetails" not in second


def test_usage_and_currency_are_looked_up_of_an_account(ask: Asker) -> None:
    account(ask, invoiceCurrency="EUR")
    schema(ask)
    calls, other = meter(ask), meter(ask, "Other")
    euros = [{"currency": "EUR", "slabRates": [{"order": 1, "rate": 1}]}]
    card = {"usageMeterId": other, "ratePlan": SLABS, "rateValues": euros}
    plan_body = {
        "name": "Euro",
        "pricePlanDetails": {
            "supportedCurrencies": ["EUR"],
            "pricingCycleConfig": CYCLE,
            "usageRateCards": [card | {"usageMeterId": calls}],
        },
    }
    plan_id = ask.done("POST", "/price_plans", plan_body)["id"]
    ask.done("POST", f"/price_plans/{plan_id}/activate", {"currencies": ["EUR"]})
    associate(ask, plan_id)
    send(ask, "e1", "5", "2026-11-10T00:00:00Z")
    send(ask, "e2", "7", "2026-11-19T00:00:00Z")
    made_up = custom(supportedCurrencies=["EUR"], usageRateCards=[card])

    def of(usage: dict[str, Any]) -> Any:
        return revenue(
            ask,
            currencyConfig={"mode": "ACCOUNT_INVOICE", "accountId": "main"},
            pricePlanDetailsConfig=made_up,
            usageConfig=usage,
        )

    whole = of({"mode": "LOOKUP_CYCLE", "lookupCycle": {"accountId": "main"}})
    part = of(
        {
            "mode": "LOOKUP_RANGE",
            "lookupRange": {
                "accountId": "main",
                "start": "2026-11-10T00:00:00Z",
                "end": "2026-11-19T00:00:00Z",
            },
        }
    )

    # A meter that no plan of the account prices was measured all the same.
    assert (whole["currency"], whole["revenueInfo"][0]["usages"]) == ("EUR", {other: 12})
    assert whole["usageLookupRange"] == {
        "start": "2026-11-01T00:00:00.000Z",
        "end": "2026-12-01T00:00:00.000Z",
    }
    assert part["revenueInfo"][0]["usages"] == {other: 5}


def test_the_plan_of_an_account_is_the_one_it_has_agreed_with_its_override(ask: Asker) -> None:
    account(ask)
    plan_id = plan(ask, fixedFeeRateCards=[fee("49")])
    body = {
        "pricePlanId": plan_id,
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "9999-01-01",
        "pricePlanDetailsOverride": {"fixedFeeRateCards": [fee("7")]},
    }
    ask.done("POST", "/accounts/main/price_plans", body)
    config = {"mode": "ACCOUNT", "accountId": "main"}

    first = revenue(ask, pricePlanDetailsConfig=config)
    second = revenue(ask, "/v2", pricePlanDetailsConfig=config)

    assert first["revenueInfo"][0]["fixedFeeRevenueSummary"] == {"revenue": 7}
    assert first["pricePlanDetails"]["fixedFeeRateCards"][0]["rateValues"][0]["rate"] == 7
    card = second["revenueInfo"][0]["rateCard"]
    assert (card["accountId"], card["referenceType"]) == ("main", "SCHEDULE")


def test_a_card_is_prorated_only_by_a_proration_of_the_request(ask: Asker) -> None:
    prorated = fee("60", enableProration=True)
    once = fee("5", type="ONE_TIME", id="setup")
    config = custom(fixedFeeRateCards=[prorated, once])
    proration = {
        "mode": "CUSTOM",
        "customConfig": {
            "cycleStartDate": "2026-11-01T00:00:00Z",
            "cycleEndDate": "2026-12-01T00:00:00Z",
            "currentDate": "2026-11-11T00:00:00Z",
        },
    }

    def fees(**parts: Any) -> list[Any]:
        infos = revenue(ask, **parts)["revenueInfo"]
        return [info["fixedFeeRevenueSummary"]["revenue"] for info in infos]

    assert fees(pricePlanDetailsConfig=config) == [60, 5]
    assert fees(pricePlanDetailsConfig=config, prorationConfig=proration) == [20, 5]
    assert fees(pricePlanDetailsConfig=config | {"pricingCycleOrdinal": 2}) == [60, 0]


def test_proration_licences_and_overage_are_looked_up_of_a_cycle(ask: Asker) -> None:
    account(ask)
    schema(ask)
    credited = feature(ask)
    seats = ask.done("POST", "/addons", {"name": "Seats", "type": "LICENSE"})["id"]
    plan_id = plan(
        ask,
        fixedFeeRateCards=[fee("60", enableProration=True)],
        licenseRateCards=[{"id": seats, "enableProration": False, **RATED}],
        billingEntitlementRateCards=[granting(credited, 3)],
        entitlementOverageRateCards=[{"featureId": credited, "maxQuantity": 100, **RATED}],
    )
    associate(ask, plan_id)
    update = {
        "accountId": "main",
        "licenseId": seats,
        "updateType": "ABSOLUTE",
        "quantity": 12,
        "effectiveFrom": "2026-11-02T00:00:00Z",
    }
    ask.done("POST", "/license_updates", update)
    ask.done("POST", "/ingest", {"event": event("e1", "7")})

    answer = revenue(
        ask,
        pricePlanDetailsConfig={"mode": "ACCOUNT", "accountId": "main"},
        licenseEntriesConfig={"mode": "LOOKUP_CYCLE", "lookupCycle": {"accountId": "main"}},
        prorationConfig={"mode": "LOOKUP_CYCLE", "lookupCycleConfig": {"accountId": "main"}},
        entitlementOverageConfig={
            "mode": "LOOKUP_CYCLE",
            "lookupCycle": {"accountId": "main", "billingCycleEndDate": "2026-12-01T00:00:00Z"},
        },
    )

    by_fee, by_seat, _, by_overage = answer["revenueInfo"]
    # 19 of 30 days have gone by; 12 seats; 4 units beyond the 3 that were granted.
    assert by_fee["fixedFeeRevenueSummary"] == {"revenue": 38}
    assert by_seat["usages"] == {seats: 12}
    assert by_overage["entitlementOverageRevenueSummary"] == {"revenue": 1}


def test_named_licences_count_by_their_names(ask: Asker) -> None:
    card = {"id": "addon.user", "type": "NAMED_LICENSE", "enableProration": False, **RATED}
    entries = [
        {"licenseId": "addon.user", "name": name, "effectiveFrom": "2026-11-02T00:00:00Z"}
        for name in (1, 2, 3)
    ]
    entries[2]["effectiveUntil"] = "2026-11-02T12:00:00Z"

    answer = revenue(
        ask,
        pricePlanDetailsConfig=custom(licenseRateCards=[card]),
        namedLicenseEntriesConfig={"mode": "CUSTOM", "custom": entries},
    )

    # Three for a part of the second day count for all of it.
    assert answer["revenueInfo"][0]["usages"] == {"addon.user": 3}


def test_a_calculation_leaves_nothing_behind(ask: Asker) -> None:
    config = custom(fixedFeeRateCards=[fee("60")])
    revenue(ask, pricePlanDetailsConfig=config)
    first = ask.done("POST", "/addons", {"name": "Seats", "type": "LICENSE"})["id"]
    ask.control("POST", "/reset", {"demo": False})
    again = ask.done("POST", "/addons", {"name": "Seats", "type": "LICENSE"})["id"]

    assert first == again
    assert ask.done("GET", "/price_plans")["data"] == []


@pytest.mark.parametrize(
    ("parts", "status", "message"),
    [
        ({"usageConfig": {}}, 400, "usageConfig.mode is required"),
        ({"currencyConfig": {"mode": "CUSTOM"}}, 400, "currencyConfig.currency is required"),
        (
            {"currencyConfig": {"mode": "CUSTOM", "currency": "EUR"}},
            400,
            "currencyConfig.currency: the plan has no rates in EUR",
        ),
        (
            {"currencyConfig": {"mode": "ACCOUNT_INVOICE", "accountId": "none"}},
            404,
            "Account none not found",
        ),
        (
            {"pricePlanDetailsConfig": {"mode": "PRICE_PLAN", "pricePlanId": "pp.none"}},
            404,
            "Price plan pp.none not found",
        ),
        ({"prices": {}}, 400, "prices is not a field here"),
        (
            {"usageConfig": {"mode": "CUSTOM", "usageMap": {"um": -1}}},
            400,
            "usageConfig.usageMap.um must be at least 0",
        ),
        (
            {"usageConfig": {"mode": "CUSTOM", "usageMap": {"um": 10**30}}},
            400,
            "um must have at most 30 digits",
        ),
        (
            {
                "prorationConfig": {
                    "mode": "CUSTOM",
                    "customConfig": {
                        "cycleStartDate": "2026-11-01T00:00:00Z",
                        "cycleEndDate": "2026-12-01T00:00:00Z",
                        "currentDate": "2026-12-02T00:00:00Z",
                    },
                }
            },
            400,
            "prorationConfig.customConfig.currentDate must be within the cycle",
        ),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    ask: Asker, parts: Any, status: int, message: str
) -> None:
    body = asked(pricePlanDetailsConfig=custom()) | parts

    answer = ask.togai("POST", "/v2/revenue_calculator", body)

    assert answer.status == status
    assert answer.message.startswith(message)


def test_an_account_without_a_plan_cannot_be_looked_up(ask: Asker) -> None:
    account(ask)
    body = asked(pricePlanDetailsConfig={"mode": "ACCOUNT", "accountId": "main"})

    answer = ask.togai("POST", "/revenue_calculator", body)

    assert (answer.status, answer.message) == (
        400,
        "pricePlanDetailsConfig.accountId: no price plan of main runs at 2026-11-20T12:00:00.000Z",
    )
