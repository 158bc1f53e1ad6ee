"""Entitlements, feature credits and purchases of the emulated Togai."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world
from sandbox.togai.world import (
    RATED,
    account,
    associate,
    event,
    feature,
    granting,
    plan,
    schema,
)


@pytest.fixture
def feature_id(ask: Asker) -> str:
    """A feature of which the account main has 100 this month, and 10 as overage."""
    account(ask)
    schema(ask)
    made = feature(ask)
    cards: Any = {
        "billingEntitlementRateCards": [granting(made, 100)],
        "entitlementOverageRateCards": [{"featureId": made, "maxQuantity": 10, **RATED}],
    }
    associate(ask, plan(ask, **cards))
    return made


def balance(ask: Asker, feature_id: str) -> Any:
    return ask.done("GET", f"/accounts/main/features/{feature_id}")


def entry_path(ask: Asker, feature_id: str, source: str = "PRICE_PLAN") -> str:
    rows = ask.done("GET", f"/accounts/main/features/{feature_id}/entries")["data"]
    (entry,) = [row for row in rows if row["source"] == source]
    encoded = entry["id"].replace("#", "%23").replace("$", "%24")
    return f"/accounts/main/features/{feature_id}/entries/{encoded}"


def use(ask: Asker, event_id: str, calls: str, path: str = "/entitled") -> Any:
    return ask.togai("POST", path, {"event": event(event_id, calls)})


def test_an_entitlement_is_worth_what_was_granted(ask: Asker, feature_id: str) -> None:
    value = {"featureId": feature_id, "value": "100"}
    use(ask, "e1", "60")

    assert ask.done("GET", "/accounts/main/entitlements") == {"data": [value]}
    assert ask.done("GET", f"/accounts/main/entitlements/{feature_id}") == {"data": [value]}


@pytest.mark.parametrize(
    ("asked", "granted"),
    [("100", True), ("99.99", True), ("100.01", False), ("-1", True), ("many", False)],
)
def test_a_value_is_checked_as_a_number_where_it_is_one(
    ask: Asker, feature_id: str, asked: str, granted: bool
) -> None:
    answer = ask.done("POST", f"/accounts/main/entitlements/{feature_id}", {"value": asked})

    assert answer == {"success": granted}


def test_what_an_account_is_not_entitled_to_is_404(ask: Asker, feature_id: str) -> None:
    account(ask, "other")

    assert ask.done("GET", "/accounts/other/entitlements") == {"data": []}
    for method, body in (("GET", None), ("POST", {"value": "1"})):
        answer = ask.togai(method, f"/accounts/other/entitlements/{feature_id}", body)
        assert answer.message == f"Account other has no entitlement for feature {feature_id}"
    assert ask.togai("GET", "/accounts/main/entitlements/feat.0").status == 404
    assert ask.togai("GET", "/accounts/none/entitlements").status == 404


def test_feature_credits_of_what_is_not_there_are_400_as_documented(
    ask: Asker, feature_id: str
) -> None:
    paths = [
        f"/accounts/none/features/{feature_id}",
        "/accounts/main/features/feat.0",
        f"/accounts/none/features/{feature_id}/entries",
    ]

    assert [ask.togai("GET", path).status for path in paths] == [400, 400, 400]


def test_credits_are_used_before_overage(ask: Asker, feature_id: str) -> None:
    use(ask, "e1", "104.5")

    assert balance(ask, feature_id) == {
        "accountId": "main",
        "featureId": feature_id,
        "granted": 100,
        "balance": 0,
        "overageLimit": 10,
        "usedOverage": Decimal("4.5"),
    }


def test_an_entitled_event_beyond_the_overage_is_refused_and_takes_nothing(
    ask: Asker, feature_id: str
) -> None:
    refused = use(ask, "e1", "110.01")
    allowed = use(ask, "e1", "110")

    assert (refused.status, refused.message) == (
        400,
        "INGESTION_FAILED_INSUFFICIENT_CREDITS: 110.01 asked for, 110 left",
    )
    assert (allowed.status, allowed.body) == (200, {"success": True})
    arrivals = ask.done("GET", "/events/e1")["events"]
    assert [arrival["ingestionStatus"]["status"] for arrival in arrivals] == [
        "INGESTION_FAILED_INSUFFICIENT_CREDITS",
        "INGESTION_COMPLETED_NO_MATCHING_METERS",
    ]
    assert len(ask.effects("event")) == 1


def test_a_repeated_entitled_event_is_409_and_counted_once(ask: Asker, feature_id: str) -> None:
    first = use(ask, "e1", "10", "/ingest")
    second = use(ask, "e1", "10")

    assert (first.status, second.status, second.message) == (202, 409, "Duplicate Id")
    assert balance(ask, feature_id)["balance"] == 90


def test_an_ingested_event_uses_credits_up_and_goes_on_as_overage(
    ask: Asker, feature_id: str
) -> None:
    use(ask, "e1", "130", "/ingest")

    assert balance(ask, feature_id)["usedOverage"] == 30
    (arrival,) = ask.done("GET", "/events/e1")["events"]
    details = arrival["eventPipelineInfo"]["featureDetails"]
    assert (details["featureId"], details["overageInEvent"]) == (feature_id, 30)
    assert use(ask, "e2", "1").status == 400


def test_unlimited_overage_has_no_limit_to_show(ask: Asker) -> None:
    account(ask)
    schema(ask)
    made = feature(ask)
    cards: Any = {"entitlementOverageRateCards": [{"featureId": made, **RATED}]}
    associate(ask, plan(ask, **cards))

    assert use(ask, "e1", "1000000").status == 200
    assert "overageLimit" not in balance(ask, made)
    assert balance(ask, made)["usedOverage"] == 1_000_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schemaName": "none"}, "INGESTION_FAILED_SCHEMA_NOT_DEFINED: There is no active event"),
        ({"accountId": "none"}, "INGESTION_FAILED_ACCOUNT_NOT_FOUND: There is no account none"),
        ({"schemaName": "logins"}, "INGESTION_FAILED: No feature is fed by events of this schema"),
        ({"attributes": []}, "INGESTION_FAILED_UNITS_INVALID: The attribute calls is missing"),
    ],
)
def test_an_entitled_event_that_means_nothing_is_refused_at_once(
    ask: Asker, feature_id: str, changes: dict[str, Any], message: str
) -> None:
    schema(ask, "logins")

    answer = ask.togai("POST", "/entitled", {"event": event("e1", "1", **changes)})

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_an_entrys_end_and_amount_can_be_changed_within_bounds(ask: Asker, feature_id: str) -> None:
    use(ask, "e1", "40")
    path = entry_path(ask, feature_id)

    def attempt(**changes: Any) -> str:
        return ask.togai("PATCH", path, changes).message

    changes = {"effectiveUntil": "2026-11-20T12:00:01Z", "granted": Decimal("40.5")}
    changed = ask.done("PATCH", path, changes)

    assert (changed["granted"], changed["balance"], changed["used"]) == (
        Decimal("40.5"),
        Decimal("0.5"),
        40,
    )
    assert changed["effectiveUntil"] == "2026-11-20T12:00:01.000Z"
    assert attempt(effectiveUntil="2026-11-20T12:00:00Z") == "effectiveUntil must be in the future"
    assert attempt(granted=40) == "granted must be greater than 40, which is used already"
    assert attempt() == "give effectiveUntil, granted, or both"
    assert attempt(used=1).startswith("used is not a field here")


def test_a_void_entry_is_worth_nothing_and_cannot_be_touched(ask: Asker, feature_id: str) -> None:
    path = entry_path(ask, feature_id)

    assert ask.done("POST", f"{path}/void") == {"success": True}

    again = ask.togai("POST", f"{path}/void")
    assert again.status == 400
    assert again.message.endswith("is VOIDED")
    assert ask.togai("PATCH", path, {"granted": 1}).status == 400
    assert balance(ask, feature_id)["granted"] == 0
    unknown = f"/accounts/main/features/{feature_id}/entries/none/void"
    assert ask.togai("POST", unknown).status == 404


def test_entries_are_paged_fifty_at_most(ask: Asker, feature_id: str) -> None:
    path = f"/accounts/main/features/{feature_id}/entries"

    first = ask.done("GET", path, pageSize=1)
    second = ask.done("GET", path, nextToken=first["nextToken"])

    assert [len(page["data"]) for page in (first, second)] == [1, 1]
    assert first["data"] != second["data"]
    assert ask.togai("GET", path, pageSize=51).status == 400


def test_a_purchase_grants_its_plan_so_many_times_and_once_per_key(ask: Asker) -> None:
    account(ask)
    schema(ask)
    made = feature(ask)
    card = granting(made, Decimal("2.5"), until="P1Y")
    plan_id = plan(ask, kind="PURCHASE", billingEntitlementRateCards=[card, dict(card)])
    body = {
        "pricePlanId": plan_id,
        "quantity": 3,
        "idempotencyKey": "order-1",
        "effectiveFrom": "2026-11-20",
        "effectiveUntil": "2027-01-01",
    }

    first = ask.done("POST", "/accounts/main/purchases", body)
    second = ask.done("POST", "/accounts/main/purchases", body)

    assert (first["status"], second) == ("SUCCESS", first)
    rows = ask.done("GET", f"/accounts/main/features/{made}/entries")["data"]
    assert sorted(row["id"] for row in rows) == [
        f"{first['id']}#1$PURCHASE",
        f"{first['id']}#2$PURCHASE",
    ]
    assert {row["granted"] for row in rows} == {Decimal("7.5")}
    assert {row["effectiveUntil"] for row in rows} == {"2027-01-01T00:00:00.000Z"}
    (listed,) = ask.done("GET", "/accounts/main/purchases")["data"]
    assert (listed["id"], listed["quantity"]) == (first["id"], 3)


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"pricePlanId": "pp.0"}, 400, "pricePlanId: there is no active plan pp.0 of type"),
        ({"quantity": 0}, 400, "quantity must be a whole number from 1"),
        ({"effectiveUntil": "2026-11-20"}, 400, "effectiveUntil must be later than"),
        ({"type": "WALLET_TOPUP"}, 400, "pricePlanId has no place in a purchase of type WALLET_"),
        ({"walletTopupDetails": {}}, 400, "walletTopupDetails has no place in a purchase of"),
    ],
)
def test_a_purchase_that_makes_no_sense_is_refused(
    ask: Asker, change: dict[str, Any], status: int, message: str
) -> None:
    account(ask)
    body = {"pricePlanId": plan(ask, kind="PURCHASE")} | change

    answer = ask.togai("POST", "/accounts/main/purchases", body)

    assert answer.status == status
    assert answer.message.startswith(message)


def test_a_plan_to_be_billed_cannot_be_purchased(ask: Asker) -> None:
    account(ask)
    plan_id = plan(ask)

    answer = ask.togai("POST", "/accounts/main/purchases", {"pricePlanId": plan_id})

    assert answer.message == f"pricePlanId: there is no active plan {plan_id} of type PURCHASE"


def test_several_cards_may_grant_the_same_feature(ask: Asker) -> None:
    world.account(ask)
    world.schema(ask)
    feature = world.feature(ask)
    cards = [world.granting(feature, 20), world.granting(feature, 10, until="P2M")]
    plan = world.plan(ask, billingEntitlementRateCards=cards)
    made = world.associate(ask, plan)["pricingSchedules"][0]["id"]

    path = f"/accounts/main/features/{feature}"
    assert ask.done("GET", path)["granted"] == 30
    entries = {row["id"]: row["granted"] for row in ask.done("GET", f"{path}/entries")["data"]}
    assert entries == {
        f"{made}#2026-11-01$PRICE_PLAN": 20,
        f"{made}#2026-11-01.2$PRICE_PLAN": 10,
    }


def test_a_feature_has_one_overage_card_in_a_plan(ask: Asker) -> None:
    world.schema(ask)
    card = {"featureId": world.feature(ask), **world.RATED}
    details: dict[str, Any] = {
        "supportedCurrencies": ["USD"],
        "pricingCycleConfig": world.CYCLE,
    }
    details |= {"entitlementOverageRateCards": [card, card | {"maxQuantity": 5}]}
    body = {"name": "Plan", "type": "BILLING", "pricePlanDetails": details}
    answer = ask.togai("POST", "/price_plans", body)

    assert answer.status == 400
    assert "entitlementOverageRateCards[1].featureId" in answer.message
