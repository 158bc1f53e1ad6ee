"""What one account's schedule overrides, what keeps it from counting, and from when it counts."""

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import amounts, fee, invoices, priced, send, until
from sandbox.togai.drafted_schedules import (
    cards,
    edit,
    errors,
    finalize,
    listed,
    put_on,
    take_off,
)
from sandbox.togai.plans_v2 import change, create, delete, fee_card, header, operate, published
from sandbox.togai.plans_v2 import finalize as finalize_plan
from sandbox.togai.world import account, associate, plan


def test_rate_cards_of_one_schedule_are_changed_in_its_draft_alone(ask: Asker) -> None:
    account(ask)
    plan_id = published(ask)
    edit(ask, put_on(plan_id, "2026-12-01"))
    (schedule,) = listed(ask, "DRAFT")
    path = f"/v2/schedules/{schedule['id']}/rate_cards"

    answer = ask.done("POST", path, {"operations": [change("fee", fee_card("30"))]})

    (card,) = answer["rateCards"]
    assert (card["referenceId"], card["referenceType"]) == (schedule["id"], "ACCOUNT")
    assert (card["pricePlanId"], card["accountId"]) == (plan_id, "main")
    assert cards(ask, schedule["id"]) == [("fee", 30)]
    assert ask.togai("GET", path, mode="ACTIVE").status == 404
    finalize(ask)
    assert cards(ask, schedule["id"], "ACTIVE") == [("fee", 30)]
    assert ask.togai("GET", path, mode="DRAFT").status == 404
    until(ask, "2027-01-10T00:00:00Z")
    (_, december) = invoices(ask)
    assert amounts(december, "FIXED_FEE_RATE_CARD_AMOUNT") == [30]
    plan_cards = ask.done("GET", f"/v2/price_plans/{plan_id}/rate_cards")["data"]
    assert plan_cards[0]["rateCardDetails"]["fixedFeeRateCard"]["rateValues"][0]["rate"] == 49


def test_cards_are_added_to_and_taken_out_of_one_schedule(ask: Asker) -> None:
    account(ask)
    commitment = {
        "billableId": "least",
        "type": "MINIMUM_COMMITMENT",
        "displayName": "Least",
        "invoiceTiming": "IN_ARREARS",
        "rateCardDetails": {
            "minimumCommitmentRateCard": {"rateValues": [{"currency": "USD", "rate": 100}]}
        },
    }
    plan_id = header(ask)
    operate(ask, plan_id, create("fee", fee_card("49")), create("least", commitment))
    finalize_plan(ask, plan_id)
    edit(ask, put_on(plan_id, "2026-11-01"))
    (schedule,) = listed(ask, "DRAFT")
    extra = fee_card("5", id="extra")
    extra["billableId"] = "extra"

    operations = [delete("fee"), delete("least"), create("extra", extra)]
    ask.done("POST", f"/v2/schedules/{schedule['id']}/rate_cards", {"operations": operations})

    assert cards(ask, schedule["id"]) == [("extra", 5)]
    finalize(ask)
    (invoice,) = invoices(ask)
    assert (invoice["totalAmount"], amounts(invoice, "TRUE_UP_AMOUNT")) == (5, [])
    (shown,) = ask.done("GET", "/accounts/main/pricing_schedules")["data"]
    assert "minimumCommitment" not in shown["pricePlanDetails"]


RULE = {
    "name": "Rebate",
    "order": 1,
    "invoiceTiming": "IN_ARREARS",
    "condition": "true",
    "computation": "5",
    "action": {"type": "ADD", "id": "surcharge", "description": "Surcharge"},
}


def test_pricing_rules_of_one_schedule_are_replaced_in_its_draft(ask: Asker) -> None:
    account(ask)
    edit(ask, put_on(published(ask), "2026-12-01"))
    (schedule,) = listed(ask, "DRAFT")
    path = f"/v2/schedules/{schedule['id']}/pricing_rules"

    answer = ask.done("PUT", path, {"pricingRules": [RULE]})

    assert [rule["name"] for rule in answer["data"]] == ["Rebate"]
    assert ask.done("GET", path, mode="DRAFT") == answer
    finalize(ask)
    assert ask.done("GET", path, mode="ACTIVE") == answer
    (active,) = listed(ask)
    assert active["isOverridden"] is True
    assert active["accountScheduleInfo"]["pricingRules"] == answer["data"]


def test_a_draft_that_cannot_be_billed_is_not_finalized_and_says_why(ask: Asker) -> None:
    account(ask, invoiceCurrency="EUR")
    edit(ask, put_on(published(ask), "2026-12-01"))
    (schedule,) = listed(ask, "DRAFT")
    plan_id = schedule["pricePlanId"]

    assert errors(ask, schedule["id"]) == [f"price plan {plan_id} is not active in EUR"]
    refused = ask.togai("POST", "/v2/accounts/main/finalize_schedules", {})
    assert refused.status == 400
    assert refused.message.startswith("The draft of main has 1 errors; the first is in sch.")
    assert listed(ask) == []


def test_a_running_cycle_is_billed_otherwise_only_if_the_plan_allows_it(ask: Asker) -> None:
    account(ask)
    associate(ask, published(ask))
    (schedule,) = listed(ask)
    operations = {"operations": [change("fee", fee_card("30"))]}

    ask.done("POST", f"/v2/schedules/{schedule['id']}/rate_cards", operations)

    message = "The plan does not allow updates of the ongoing cycle"
    assert errors(ask, schedule["id"]) == [message]
    assert ask.togai("POST", "/v2/accounts/main/finalize_schedules", {}).status == 400


def test_a_running_cycle_that_allows_it_is_billed_by_the_new_cards_from_its_start(
    ask: Asker,
) -> None:
    account(ask)
    associate(ask, published(ask, allowOngoingCycleUpdates=True), "2026-10-01")
    until(ask, "2026-12-10T00:00:00Z")
    (schedule,) = listed(ask)
    operations = {"operations": [change("fee", fee_card("30"))]}
    ask.done("POST", f"/v2/schedules/{schedule['id']}/rate_cards", operations)

    assert errors(ask, schedule["id"]) == []
    (before, after) = finalize(ask)

    assert (before["endDate"], after["startDate"]) == (
        "2026-12-01T00:00:00.000Z",
        "2026-12-01T00:00:00.000Z",
    )
    totals = {one["startDate"][:10]: one["totalAmount"] for one in invoices(ask)}
    assert totals == {"2026-11-01": 49, "2026-12-01": 30}


def test_a_schedule_that_ends_in_the_past_is_not_billed_otherwise(ask: Asker) -> None:
    account(ask)
    associate(ask, published(ask, allowOngoingCycleUpdates=True), "2026-10-01")
    (schedule,) = listed(ask)
    operations = {"operations": [change("fee", fee_card("30"))]}
    ask.done("POST", f"/v2/schedules/{schedule['id']}/rate_cards", operations)
    edit(ask, take_off("2026-11-10"))

    assert errors(ask, schedule["id"]) == ["The schedule has ended"]
    assert ask.togai("POST", "/v2/accounts/main/finalize_schedules", {}).status == 400


def test_fees_in_advance_of_a_running_cycle_stay_as_they_are(ask: Asker) -> None:
    account(ask)
    associate(ask, published(ask, timing="IN_ADVANCE", allowOngoingCycleUpdates=True))
    (schedule,) = listed(ask)
    operations = {"operations": [change("fee", fee_card("30", "IN_ADVANCE"))]}
    ask.done("POST", f"/v2/schedules/{schedule['id']}/rate_cards", operations)

    assert errors(ask, schedule["id"]) == [
        "Fees in advance of the ongoing cycle are invoiced already"
    ]


def test_a_schedule_that_has_not_begun_is_billed_otherwise_as_it_is(ask: Asker) -> None:
    account(ask)
    associate(ask, published(ask), "2027-01-01")
    (schedule,) = listed(ask)
    operations = {"operations": [change("fee", fee_card("30"))]}
    ask.done("POST", f"/v2/schedules/{schedule['id']}/rate_cards", operations)

    (after,) = finalize(ask)

    assert after["id"] == schedule["id"]
    until(ask, "2027-01-02T00:00:00Z")
    (invoice,) = invoices(ask)
    assert invoice["totalAmount"] == 30


def test_a_draft_of_schedules_that_changed_meanwhile_must_be_begun_anew(ask: Asker) -> None:
    account(ask)
    associate(ask, published(ask, name="Old"))
    edit(ask, take_off("2027-01-01"))
    (schedule,) = listed(ask)
    associate(ask, plan(ask, "Other"))

    message = "The schedules were changed since the draft was begun: discard it"
    assert errors(ask, schedule["id"]) == [message]
    assert ask.togai("POST", "/v2/accounts/main/finalize_schedules", {}).status == 400


def test_a_schedule_that_is_taken_out_cannot_be_changed(ask: Asker) -> None:
    account(ask)
    associate(ask, published(ask), "2027-01-01")
    (schedule,) = listed(ask)
    edit(ask, take_off("2027-01-01"))

    answer = ask.togai("PUT", f"/v2/schedules/{schedule['id']}/pricing_rules", {"pricingRules": []})

    assert answer.status == 400
    assert answer.message == f"Schedule {schedule['id']} is taken out in the draft"


@pytest.mark.parametrize("part", ["errors", "pricing_rules", "rate_cards"])
def test_a_schedule_that_is_not_there_is_404(ask: Asker, part: str) -> None:
    query = {} if part == "errors" else {"mode": "ACTIVE"}

    assert ask.togai("GET", f"/v2/schedules/sch.0/{part}", **query).status == 404


def licence(ask: Asker) -> str:
    made = ask.done("POST", "/addons", {"name": "Seats", "type": "LICENSE"})
    licence_id: str = made["id"]
    return licence_id


def test_licences_are_granted_before_the_schedules_count(ask: Asker) -> None:
    account(ask)
    seats = licence(ask)
    edit(ask, put_on(published(ask), "2026-12-01"))
    grant = {"type": "GRANT_LICENSE", "config": {"licenseId": seats, "quantity": "7"}}

    finalize(ask, preActions=[grant])

    (entry,) = ask.done("GET", "/license_updates")["data"]
    assert (entry["licenseId"], entry["quantity"]) == (seats, 7)


def test_licences_are_granted_with_an_association_of_the_first_generation(ask: Asker) -> None:
    account(ask)
    seats = licence(ask)
    config = {"licenseId": seats, "quantity": "2", "updateType": "ABSOLUTE"}
    body = {
        "pricePlanId": plan(ask, fixedFeeRateCards=[fee("10")]),
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "9999-01-01",
        "preActions": [{"type": "GRANT_LICENSE", "config": config}] * 2,
    }

    ask.done("POST", "/accounts/main/price_plans", body)

    assert [row["quantity"] for row in ask.done("GET", "/license_updates")["data"]] == [2, 2]
    bad = body | {"preActions": [{"type": "GRANT_LICENSE", "config": {"licenseId": seats}}]}
    answer = ask.togai("POST", "/accounts/main/price_plans", bad)
    assert (answer.status, answer.message) == (400, "preActions[0].config.quantity is required")


def test_events_go_with_the_schedule_that_is_drafted_anew(ask: Asker) -> None:
    plan_id = priced(ask)
    send(ask, "e1", "100", "2026-11-10T00:00:00Z")
    send(ask, "e2", "10", "2026-11-19T00:00:00Z")

    edit(ask, take_off("2026-11-15", "2026-11-18"))
    finalize(ask)

    totals = {one["startDate"][:10]: one["totalAmount"] for one in invoices(ask)}
    assert {one["pricePlanId"] for one in listed(ask)} == {plan_id}
    assert totals["2026-11-01"] == 25
    assert sum(totals.values()) == 27.5
