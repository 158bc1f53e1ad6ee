"""Associating price plans with accounts, and what that grants."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.world import (
    CYCLE,
    RATED,
    account,
    associate,
    feature,
    granting,
    meter,
    plan,
    schema,
)


def schedules(ask: Asker, **query: Any) -> list[tuple[str, str]]:
    rows = ask.done("GET", "/accounts/main/pricing_schedules", compact="true", **query)["data"]
    return [(row["startDate"][:10], row["endDate"][:10]) for row in rows]


def entries(ask: Asker, feature_id: str) -> list[tuple[str, str, Any]]:
    rows = ask.done("GET", f"/accounts/main/features/{feature_id}/entries")["data"]
    return [(row["id"].split("#")[1], row["status"], row.get("granted")) for row in rows]


def test_a_plan_is_associated_for_a_time(ask: Asker) -> None:
    account(ask)

    answer = associate(ask, plan(ask), "2026-11-01", "2027-11-01")

    (schedule,) = answer.pop("pricingSchedules")
    assert answer == {"accountId": "main", "accountName": "Acme main"}
    assert (schedule["startDate"], schedule["endDate"]) == (
        "2026-11-01T00:00:00.000Z",
        "2027-11-01T00:00:00.000Z",
    )


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"effectiveUntil": "2026-11-01"}, 400, "effectiveUntil must be later than effectiveFrom"),
        ({"effectiveFrom": "today"}, 400, "effectiveFrom must be a date as YYYY-MM-DD"),
        ({"pricePlanId": "pp.0"}, 400, "pricePlanId: there is no active price plan pp.0"),
        ({"mode": "REPLACE"}, 400, "mode must be one of ASSOCIATE, DISASSOCIATE"),
        ({"mode": "DISASSOCIATE"}, 400, "Account main has no such price plan in that time"),
        (
            {"retainStartOffsets": True},
            400,
            "retainStartOffsets: no price plan is associated on 2026-11-01",
        ),
        ({"preActions": [{}]}, 400, "preActions[0].type is required"),
        (
            {"pricePlanDetailsOverride": {"usageRateCards": [{}]}},
            400,
            "pricePlanDetailsOverride.usageRateCards[0].usageMeterId is required",
        ),
    ],
)
def test_an_association_that_makes_no_sense_is_refused(
    ask: Asker, change: dict[str, Any], status: int, message: str
) -> None:
    account(ask)
    body = {
        "pricePlanId": plan(ask),
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "2027-11-01",
    }

    answer = ask.togai("POST", "/accounts/main/price_plans", body | change)

    assert (answer.status, answer.message) == (status, message)
    assert schedules(ask) == []


def test_a_plan_must_be_active_in_the_accounts_currency_and_to_be_billed(ask: Asker) -> None:
    account(ask, invoiceCurrency="EUR")
    period = {"effectiveFrom": "2026-11-01", "effectiveUntil": "2027-11-01"}

    def refusal(plan_id: str) -> str:
        body = period | {"pricePlanId": plan_id}
        return ask.togai("POST", "/accounts/main/price_plans", body).message

    dollars, purchase = plan(ask), plan(ask, "Top-up", kind="PURCHASE")

    assert refusal(dollars) == f"pricePlanId: {dollars} is not active in EUR"
    assert refusal(purchase) == f"pricePlanId: {purchase} is a plan to purchase, not to associate"


def test_an_archived_account_gets_no_plan(ask: Asker) -> None:
    account(ask)
    plan_id = plan(ask)
    ask.done("DELETE", "/accounts/main")
    body = {"pricePlanId": plan_id, "effectiveFrom": "2026-11-01", "effectiveUntil": "2027-11-01"}

    answer = ask.togai("POST", "/accounts/main/price_plans", body)

    assert (answer.status, answer.message) == (400, "Account main is archived")


def test_the_same_plan_cannot_run_twice_at_a_time_but_two_plans_can(ask: Asker) -> None:
    account(ask)
    first = plan(ask)
    associate(ask, first, "2026-11-01", "2027-01-01")
    body = {"pricePlanId": first, "effectiveFrom": "2026-12-31", "effectiveUntil": "2027-02-01"}

    refused = ask.togai("POST", "/accounts/main/price_plans", body)
    associate(ask, first, "2027-01-01", "2027-02-01")
    associate(ask, plan(ask, "Second"), "2026-11-15", "2026-12-15")

    assert refused.message.endswith("in that time already")
    assert schedules(ask) == [
        ("2026-11-01", "2027-01-01"),
        ("2026-11-15", "2026-12-15"),
        ("2027-01-01", "2027-02-01"),
    ]
    assert schedules(ask, start_date="2027-01-01") == [("2027-01-01", "2027-02-01")]
    assert schedules(ask, end_date="2026-11-10") == [("2026-11-01", "2027-01-01")]


def test_a_period_taken_out_of_the_middle_leaves_two_schedules(ask: Asker) -> None:
    account(ask)
    plan_id = plan(ask)
    associate(ask, plan_id, "2026-11-01", "2027-11-01")
    body = {
        "mode": "DISASSOCIATE",
        "effectiveFrom": "2027-01-01",
        "effectiveUntil": "2027-03-01",
    }

    ask.done("POST", "/accounts/main/price_plans", body)

    assert schedules(ask) == [("2026-11-01", "2027-01-01"), ("2027-03-01", "2027-11-01")]


def test_an_override_shows_in_the_schedule_in_place_of_the_plans_own(ask: Asker) -> None:
    account(ask)
    schema(ask)
    card = {"usageMeterId": meter(ask), **RATED}
    plan_id = plan(ask, usageRateCards=[card])
    override = {"usageRateCards": [], "pricingCycleConfig": CYCLE | {"interval": "WEEKLY"}}
    body = {
        "pricePlanId": plan_id,
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "2027-11-01",
        "pricePlanDetailsOverride": override,
        "pricingRulesOverride": [],
    }
    ask.done("POST", "/accounts/main/price_plans", body)

    (row,) = ask.done("GET", "/accounts/main/pricing_schedules", include_price_plan_info="true")[
        "data"
    ]

    details = row["pricePlanDetails"]
    assert (row["isOverriden"], row["pricePlanInfo"]) == (True, {"name": "Plan"})
    assert details["usageRateCards"] == []
    assert details["pricingCycleConfig"]["interval"] == "WEEKLY"
    assert details["activeCurrencies"] == ["USD"]


def test_each_cycle_grants_anew_and_the_last_ones_credits_expire(ask: Asker) -> None:
    account(ask)
    schema(ask)
    feature_id = feature(ask)
    overage = {"featureId": feature_id, **RATED}
    cards: Any = {
        "billingEntitlementRateCards": [granting(feature_id, 100)],
        "entitlementOverageRateCards": [overage],
    }
    associate(ask, plan(ask, **cards))

    ask.control("POST", "/clock", {"advance": "P1M"})

    assert entries(ask, feature_id) == [
        ("2026-12-01$PRICE_PLAN", "ACTIVE", 100),
        ("2026-12-01$OVERAGE", "ACTIVE", None),
        ("2026-11-01$PRICE_PLAN", "EXPIRED", 100),
        ("2026-11-01$OVERAGE", "EXPIRED", None),
    ]


def test_a_plan_that_starts_later_grants_when_it_starts(ask: Asker) -> None:
    account(ask)
    schema(ask)
    feature_id = feature(ask)
    card = granting(feature_id, 100)
    associate(ask, plan(ask, billingEntitlementRateCards=[card]), "2026-11-25")

    before = entries(ask, feature_id)
    ask.control("POST", "/clock", {"now": "2026-11-25T00:00:00Z"})

    assert before == []
    assert entries(ask, feature_id) == [("2026-11-25$PRICE_PLAN", "ACTIVE", 100)]


def test_a_recurring_grant_skips_cycles_and_a_card_may_grant_in_portions(ask: Asker) -> None:
    account(ask)
    schema(ask)
    feature_id = feature(ask)
    card = granting(feature_id, 100, recurrenceConfig={"interval": 2, "offset": 1})
    late = {"effectiveFrom": "P10D", "effectiveUntil": "P20D", "featureCreditLimit": 7}
    card["featureConfigs"].append(late)
    associate(ask, plan(ask, billingEntitlementRateCards=[card]))

    ask.control("POST", "/clock", {"advance": "P2M"})

    assert entries(ask, feature_id) == [
        ("2026-12-01.2$PRICE_PLAN", "EXPIRED", 7),
        ("2026-12-01$PRICE_PLAN", "EXPIRED", 100),
    ]
    ask.control("POST", "/clock", {"advance": "P1M"})
    assert entries(ask, feature_id)[:2] == [
        ("2027-02-01.2$PRICE_PLAN", "ACTIVE", 7),
        ("2027-02-01$PRICE_PLAN", "ACTIVE", 100),
    ]


def test_what_a_plan_granted_goes_with_the_plan(ask: Asker) -> None:
    account(ask)
    schema(ask)
    feature_id = feature(ask)
    plan_id = plan(ask, billingEntitlementRateCards=[granting(feature_id, 100)])
    associate(ask, plan_id)

    def leave(day: str) -> None:
        body = {"mode": "DISASSOCIATE", "effectiveFrom": day, "effectiveUntil": "9999-01-01"}
        ask.done("POST", "/accounts/main/price_plans", body)

    leave("2026-11-25")
    assert entries(ask, feature_id) == [("2026-11-01$PRICE_PLAN", "ACTIVE", 100)]
    leave("2026-11-10")
    assert entries(ask, feature_id) == [("2026-11-01$PRICE_PLAN", "EXPIRED", 100)]
    assert schedules(ask) == [("2026-11-01", "2026-11-10")]
    assert ask.done("GET", "/accounts/main/entitlements") == {"data": []}


def test_a_prepaid_grant_is_there_when_its_invoice_is_paid(ask: Asker) -> None:
    account(ask)
    schema(ask)
    feature_id = feature(ask)
    card = granting(feature_id, 100, invoiceTiming="PREPAID")
    associate(ask, plan(ask, billingEntitlementRateCards=[card]))

    before = entries(ask, feature_id)
    (due,) = ask.done("GET", "/invoices", owner_id="main", status="DUE")["data"]
    ask.done("PATCH", f"/invoices/{due['id']}", {"status": "PAID"})
    first = entries(ask, feature_id)
    # December's is on November's invoice, which is final on the fourth.
    ask.control("POST", "/clock", {"now": "2026-12-04T00:00:00Z"})
    (due,) = ask.done("GET", "/invoices", owner_id="main", status="DUE")["data"]
    unpaid = entries(ask, feature_id)
    ask.done("PATCH", f"/invoices/{due['id']}", {"status": "PAID"})

    assert (before, first) == ([], [("2026-11-01$PRICE_PLAN", "ACTIVE", 100)])
    assert unpaid == [("2026-11-01$PRICE_PLAN", "EXPIRED", 100)]
    assert entries(ask, feature_id)[0] == ("2026-12-01$PRICE_PLAN", "ACTIVE", 100)


def test_a_grant_waits_for_the_cycle_of_its_offset(ask: Asker) -> None:
    account(ask)
    schema(ask)
    feature_id = feature(ask)
    card = granting(feature_id, 100, recurrenceConfig={"interval": 1, "offset": 1})
    associate(ask, plan(ask, billingEntitlementRateCards=[card]))

    before = entries(ask, feature_id)
    ask.control("POST", "/clock", {"advance": "P1M"})

    assert before == []
    assert entries(ask, feature_id) == [("2026-12-01$PRICE_PLAN", "ACTIVE", 100)]


def test_what_is_granted_lasts_no_longer_than_its_schedule(ask: Asker) -> None:
    account(ask)
    schema(ask)
    feature_id = feature(ask)
    card = granting(feature_id, 100, until="P3M")
    associate(ask, plan(ask, billingEntitlementRateCards=[card]), "2026-11-01", "2026-12-15")

    (entry,) = ask.done("GET", f"/accounts/main/features/{feature_id}/entries")["data"]

    assert entry["effectiveUntil"] == "2026-12-15T00:00:00.000Z"
