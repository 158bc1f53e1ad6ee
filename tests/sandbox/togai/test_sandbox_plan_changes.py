"""Price plans of the first generation: changes, versions, and rates in another currency."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import brief, fee
from sandbox.togai.test_sandbox_price_plans import body, full
from sandbox.togai.world import account, associate, plan

RULE = {"name": "Extra", "order": 1, "computation": "5", "action": {"type": "ADD"}}


def details_of(made: Any) -> Any:
    return made["pricingSchedule"][0]["pricePlanDetails"]


def test_a_draft_is_changed_in_place_and_what_is_not_named_stays(ask: Asker) -> None:
    made = ask.done("POST", "/price_plans", body(fixedFeeRateCards=[fee("10")]))
    change = {
        "description": "For teams",
        "pricePlanDetails": {"pricingCycleConfig": {"interval": "ANNUALLY", "gracePeriod": 5}},
        "pricingRules": [RULE],
    }

    changed = ask.done("PATCH", f"/price_plans/{made['id']}", change)

    (schedule,) = changed["pricingSchedule"]
    assert (changed["status"], schedule["version"]) == ("DRAFT", 1)
    assert changed["description"] == "For teams"
    assert schedule["id"] == made["pricingSchedule"][0]["id"]
    assert details_of(changed)["pricingCycleConfig"]["interval"] == "ANNUALLY"
    assert details_of(changed)["fixedFeeRateCards"] == details_of(made)["fixedFeeRateCards"]
    assert [rule["name"] for rule in schedule["pricingRules"]] == ["Extra"]


def test_of_an_active_plan_a_change_is_a_new_active_version(ask: Asker) -> None:
    plan_id = plan(ask, fixedFeeRateCards=[fee("10")])
    account(ask)
    associate(ask, plan_id)
    change: dict[str, Any] = {"pricePlanDetails": {"fixedFeeRateCards": [fee("20")]}}

    second = ask.done("PATCH", f"/price_plans/{plan_id}", change)
    assert (second["status"], second["pricingSchedule"][0]["version"]) == ("ACTIVE", 2)
    assert details_of(second)["activeCurrencies"] == ["USD"]
    assert brief(ask) == [("2026-11-01", "DRAFT", 10)]
    first = ask.done("GET", f"/price_plans/{plan_id}", version="1")
    assert details_of(first)["fixedFeeRateCards"][0]["rateValues"][0]["rate"] == 10

    change["pricePlanDetails"] = {"fixedFeeRateCards": [fee("30")]}
    moved = change | {"migrationMode": "IMMEDIATE", "versionsToMigrate": "ALL_VERSION"}
    ask.done("PATCH", f"/price_plans/{plan_id}", moved)
    assert brief(ask) == [("2026-11-01", "DRAFT", 10), ("2026-11-20", "DRAFT", 30)]


def test_a_change_of_nothing_makes_no_version(ask: Asker) -> None:
    plan_id = plan(ask)

    unchanged = ask.done("PATCH", f"/price_plans/{plan_id}", {})

    assert unchanged["pricingSchedule"][0]["version"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "New"}, "name is not a field here"),
        ({"migrationMode": "SOON"}, "migrationMode must be one of NONE, IMMEDIATE"),
        ({"versionsToMigrate": "ALL"}, "versionsToMigrate must be one of LATEST_VERSION"),
        ({"pricePlanDetails": {"supportedCurrencies": ["EUR"]}}, "pricePlanDetails.fixedFeeRate"),
        ({"pricePlanDetails": {"deferredRevenue": True}}, "pricePlanDetails.deferredRevenue is n"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(ask: Asker, change: Any, message: str) -> None:
    plan_id = plan(ask, fixedFeeRateCards=[fee("10")])

    answer = ask.togai("PATCH", f"/price_plans/{plan_id}", change)

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_an_archived_plan_is_not_changed(ask: Asker) -> None:
    plan_id = plan(ask)
    ask.done("DELETE", f"/price_plans/{plan_id}")

    answer = ask.togai("PATCH", f"/price_plans/{plan_id}", {"description": "Late"})

    assert answer.message == f"Price plan {plan_id} is archived"


def euros(made: Any) -> dict[str, Any]:
    """Rates in EUR for every card of the plan `full`."""
    details = details_of(made)
    slab_rates = [{"order": 1, "rate": Decimal("0.2")}]
    feature = details["billingEntitlementRateCards"][0]["featureId"]
    return {
        "currency": "EUR",
        "usageRates": [
            {
                "usageMeterId": details["usageRateCards"][0]["usageMeterId"],
                "slabRates": slab_rates,
                "rateConfig": {"minimumRate": "1"},
            }
        ],
        "fixedFeeRates": [{"id": "addon.fee", "rate": 40}],
        "licenseRates": [{"id": "addon.seat", "slabRates": slab_rates}],
        "billingEntitlementRates": [{"id": feature, "slabRates": slab_rates}],
        "entitlementOverageRates": [{"id": feature, "slabRates": slab_rates}],
        "creditGrantRates": [
            {
                "id": "addon.credit",
                "creditAmount": 90,
                "slabDetails": [{"startAfter": 0, "priceType": "FLAT", "rate": 70}],
            }
        ],
        "minimumCommitmentRate": 450,
    }


def test_a_currency_is_added_with_rates_for_every_card_and_then_activated(ask: Asker) -> None:
    made = ask.done("POST", "/price_plans", full(ask))
    path = f"/price_plans/{made['id']}"
    ask.done("POST", f"{path}/activate", {"currencies": ["USD"]})

    added = ask.done("POST", f"{path}/currencies", euros(made))

    details = details_of(added)
    assert (details["supportedCurrencies"], details["activeCurrencies"]) == (
        ["USD", "EUR"],
        ["USD"],
    )
    assert details["usageRateCards"][0]["rateValues"][1] == {
        "currency": "EUR",
        "slabRates": [{"order": 1, "rate": Decimal("0.2")}],
        "rateConfig": {"minimumRate": "1"},
    }
    assert details["minimumCommitment"]["rateValues"][1] == {"currency": "EUR", "rate": 450}
    assert added["pricingSchedule"][0]["version"] == 1
    active = ask.done("POST", f"{path}/activate", {"currencies": ["EUR"]})
    assert details_of(active)["activeCurrencies"] == ["USD", "EUR"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"currency": "eur"}, "currency must match [A-Z]{3}"),
        ({"currency": "USD"}, "currency: the plan has rates in USD already"),
        ({"fixedFeeRates": []}, "fixedFeeRates has no rates for addon.fee"),
        ({"fixedFeeRates": [{"id": "x", "rate": 1}]}, "fixedFeeRates[0].id: the plan has no such"),
        (
            {"fixedFeeRates": [{"id": "addon.fee", "rate": -1}]},
            "fixedFeeRateCards[0].rateValues[1]",
        ),
        ({"minimumCommitmentRate": -1}, "minimumCommitmentRate must be at least 0"),
    ],
)
def test_a_currency_without_sound_rates_is_refused(ask: Asker, change: Any, message: str) -> None:
    made = ask.done("POST", "/price_plans", full(ask))

    answer = ask.togai("POST", f"/price_plans/{made['id']}/currencies", euros(made) | change)

    assert answer.status == 400
    assert answer.message.startswith(message)
    kept = ask.done("GET", f"/price_plans/{made['id']}")
    assert details_of(kept)["supportedCurrencies"] == ["USD"]


def test_a_currency_that_is_not_active_is_removed_with_its_rates(ask: Asker) -> None:
    made = ask.done("POST", "/price_plans", full(ask))
    path = f"/price_plans/{made['id']}"
    ask.done("POST", f"{path}/currencies", euros(made))

    removed = ask.done("DELETE", f"{path}/currencies/EUR")

    assert details_of(removed) == details_of(made)
    assert ask.togai("DELETE", f"{path}/currencies/EUR").status == 404
    last = ask.togai("DELETE", f"{path}/currencies/USD")
    assert last.message == f"USD is the only currency of {made['id']}"
    ask.done("POST", f"{path}/currencies", euros(made))
    ask.done("POST", f"{path}/activate", {"currencies": ["EUR"]})
    active = ask.togai("DELETE", f"{path}/currencies/EUR")
    assert (active.status, active.message) == (400, f"The currency EUR of {made['id']} is active")


def test_rules_of_a_schedule_are_its_own_or_those_of_its_version(ask: Asker) -> None:
    late = RULE | {"name": "Late", "order": 2, "invoiceTiming": "IN_ADVANCE"}
    plan_body = body(fixedFeeRateCards=[fee("10")]) | {"pricingRules": [late, RULE]}
    made = ask.done("POST", "/price_plans", plan_body)
    plan_id, version = made["id"], made["pricingSchedule"][0]["id"]
    ask.done("POST", f"/price_plans/{plan_id}/activate", {"currencies": ["USD"]})
    account(ask)
    own = {
        "pricePlanId": plan_id,
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "9999-01-01",
        "pricingRulesOverride": [RULE | {"name": "Own"}],
    }
    ask.done("POST", "/accounts/main/price_plans", own)
    (schedule,) = ask.done("GET", "/accounts/main/pricing_schedules")["data"]

    def names(schedule_id: str, **query: str) -> list[str]:
        path = f"/price_plans/{plan_id}/pricing_schedules/{schedule_id}/pricing_rules"
        return [rule["name"] for rule in ask.done("GET", path, **query)["data"]]

    assert names(version) == ["Extra", "Late"]
    assert names(version, invoice_timing="IN_ADVANCE") == ["Late"]
    assert names(version, invoice_timing="IN_ARREARS") == ["Extra"]
    assert names(schedule["id"]) == ["Own"]
    path = f"/price_plans/{plan_id}/pricing_schedules/sch.none/pricing_rules"
    assert ask.togai("GET", path).status == 404
