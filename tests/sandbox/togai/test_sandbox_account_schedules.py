"""Drafting an account's schedules: edits, what they override, errors, finalizing, discarding."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import amounts, fee, invoices, priced, send, until
from sandbox.togai.plans_v2 import change, create, delete, fee_card, header, operate, published
from sandbox.togai.plans_v2 import finalize as finalize_plan
from sandbox.togai.world import CYCLE, account, associate, plan

SCHEDULES = "/v2/accounts/main/schedules"
Shown = list[tuple[str, str, str]]


def edit(ask: Asker, *edits: dict[str, Any], **query: str) -> Any:
    return ask.done("POST", "/v2/accounts/main/edit_schedules", {"edits": list(edits)}, **query)


def put_on(plan_id: str, start: str, end: str = "9999-01-01", **config: Any) -> dict[str, Any]:
    return {
        "mode": "ASSOCIATE",
        "effectiveFrom": start,
        "effectiveUntil": end,
        "associationConfig": {"pricePlanId": plan_id, **config},
    }


def take_off(start: str, end: str = "9999-01-01", **config: Any) -> dict[str, Any]:
    edit = {"mode": "DISASSOCIATE", "effectiveFrom": start, "effectiveUntil": end}
    return edit | ({"associationConfig": config} if config else {})


def finalize(ask: Asker, **body: Any) -> Any:
    return ask.done("POST", "/v2/accounts/main/finalize_schedules", body)["data"]


def listed(ask: Asker, mode: str = "ACTIVE") -> Any:
    return ask.done("GET", SCHEDULES, mode=mode)["data"]


def brief(schedules: list[Any]) -> Shown:
    return [
        (one["pricePlanInfo"]["name"], one["startDate"][:10], one["endDate"][:10])
        for one in schedules
    ]


def errors(ask: Asker, schedule_id: str) -> list[str]:
    rows = ask.done("GET", f"/v2/schedules/{schedule_id}/errors")["data"]
    assert {row["referenceId"] for row in rows} <= {schedule_id}
    return [row["errorMessage"] for row in rows]


def cards(ask: Asker, schedule_id: str, mode: str = "DRAFT") -> list[tuple[str, Any]]:
    rows = ask.done("GET", f"/v2/schedules/{schedule_id}/rate_cards", mode=mode)["data"]
    return [
        (row["name"], row["rateCardDetails"]["fixedFeeRateCard"]["rateValues"][0]["rate"])
        for row in rows
    ]


def test_edits_are_drafted_and_count_only_once_they_are_finalized(ask: Asker) -> None:
    account(ask)
    old, new = published(ask, name="Old"), published(ask, "99", name="New")
    associate(ask, old)

    answer = edit(ask, take_off("2027-01-01"), put_on(new, "2027-01-01"))

    assert [one["pricePlanName"] for one in answer["pricingSchedules"]] == ["Old", "New"]
    assert brief(listed(ask)) == [("Old", "2026-11-01", "9999-01-01")]
    drafted = listed(ask, "DRAFT")
    after = [("Old", "2026-11-01", "2027-01-01"), ("New", "2027-01-01", "9999-01-01")]
    assert brief(drafted) == after
    final = finalize(ask)
    assert brief(final) == after
    assert [one["id"] for one in final] == [one["id"] for one in drafted]
    assert listed(ask) == final
    assert listed(ask, "DRAFT") == []


def test_a_schedule_shows_its_plan_its_cycle_and_what_it_may(ask: Asker) -> None:
    account(ask)
    plan_id = published(ask, description="For growing", allowOngoingCycleUpdates=True)
    associate(ask, plan_id)

    (schedule,) = listed(ask)

    assert schedule == {
        "id": schedule["id"],
        "accountId": "main",
        "pricePlanId": plan_id,
        "version": 1,
        "deferredRevenue": False,
        "pricePlanInfo": {"name": "Growth", "description": "For growing"},
        "accountScheduleInfo": {
            "supportedCurrencies": ["USD"],
            "pricingCycleConfig": {
                **CYCLE,
                "startOffset": {"dayOffset": "1", "monthOffset": "NIL"},
                "anniversaryCycle": False,
            },
            "pricingRules": [],
        },
        "isOverridden": False,
        "startDate": "2026-11-01T00:00:00.000Z",
        "endDate": "9999-01-01T00:00:00.000Z",
        "allowOngoingCycleUpdates": True,
    }


def test_a_discarded_draft_leaves_nothing(ask: Asker) -> None:
    account(ask)
    associate(ask, published(ask, name="Old"))
    edit(ask, take_off("2027-01-01"))

    answer = ask.done("DELETE", "/v2/accounts/main/discard_schedules")

    assert answer == {"success": True}
    assert listed(ask, "DRAFT") == []
    again = ask.togai("DELETE", "/v2/accounts/main/discard_schedules")
    assert (again.status, again.message) == (400, "Account main has no draft of its schedules")
    assert ask.togai("POST", "/v2/accounts/main/finalize_schedules", {}).message == again.message
    assert brief(listed(ask)) == [("Old", "2026-11-01", "9999-01-01")]


def test_edits_add_to_the_draft_unless_they_begin_it_anew(ask: Asker) -> None:
    account(ask)
    old, new = published(ask, name="Old"), published(ask, name="New")
    edit(ask, put_on(old, "2027-01-01", "2027-02-01"))

    edit(ask, put_on(new, "2027-01-01", "2027-02-01"))
    assert len(listed(ask, "DRAFT")) == 2

    edit(ask, put_on(new, "2027-03-01", "2027-04-01"), discard="true")
    assert brief(listed(ask, "DRAFT")) == [("New", "2027-03-01", "2027-04-01")]


def test_drafted_edits_are_kept_together_or_not_at_all(ask: Asker) -> None:
    account(ask)
    plan_id = published(ask)
    body = {"edits": [put_on(plan_id, "2027-01-01"), put_on("pp.0", "2027-01-01")]}

    answer = ask.togai("POST", "/v2/accounts/main/edit_schedules", body)

    assert (answer.status, answer.message) == (
        400,
        "edits[1].associationConfig.pricePlanId: there is no active price plan pp.0",
    )
    assert listed(ask, "DRAFT") == []


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (put_on("PLAN", "2027-01-01", "2027-01-01"), "effectiveUntil must be later than"),
        ({**put_on("PLAN", "2027-01-01"), "mode": "MOVE"}, "mode must be one of ASSOCIATE"),
        (take_off("2027-01-01"), "mode: account main has no such price plan in that time"),
        (
            put_on("PLAN", "2027-01-01", scheduleId="sch.0"),
            "associationConfig.scheduleId: the draft has no schedule sch.0",
        ),
        (
            put_on("PLAN", "2027-01-01", retainStartOffsets=True),
            "associationConfig.retainStartOffsets: no price plan is associated on 2027-01-01",
        ),
        (
            put_on("PLAN", "2027-01-01", pricingCycleConfigOverride={}),
            "associationConfig.pricingCycleConfigOverride.interval is required",
        ),
        (
            {"effectiveFrom": "2027-01-01", "effectiveUntil": "2027-02-01"},
            "associationConfig is required",
        ),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(
    ask: Asker, made: dict[str, Any], message: str
) -> None:
    account(ask)
    plan_id = published(ask)
    config = made.get("associationConfig", {})
    if config.get("pricePlanId") == "PLAN":
        made = made | {"associationConfig": config | {"pricePlanId": plan_id}}

    answer = ask.togai("POST", "/v2/accounts/main/edit_schedules", {"edits": [made]})

    whole = f"edits[0].{message}"
    assert (answer.status, answer.message[: len(whole)]) == (400, whole)


def test_the_mode_of_a_list_of_schedules_is_required(ask: Asker) -> None:
    account(ask)

    answer = ask.togai("GET", SCHEDULES)

    assert (answer.status, answer.message) == (400, "mode is required")


def test_schedules_are_paged_and_the_token_carries_the_mode(ask: Asker) -> None:
    account(ask)
    plan_id = published(ask)
    edit(ask, put_on(plan_id, "2027-01-01", "2027-02-01"), put_on(plan_id, "2027-03-01"))

    first = ask.done("GET", SCHEDULES, mode="DRAFT", pageSize="1")
    second = ask.done("GET", SCHEDULES, nextToken=first["nextToken"])

    assert [*first["data"], *second["data"]] == listed(ask, "DRAFT")
    assert second["nextToken"] is None


def test_a_period_is_taken_out_of_one_schedule_of_one_plan_or_of_all(ask: Asker) -> None:
    account(ask)
    first, second = published(ask, name="First"), published(ask, name="Second")
    associate(ask, first)
    associate(ask, second)
    (one,) = [row for row in listed(ask) if row["pricePlanId"] == first]

    edit(ask, take_off("2027-01-01", pricePlanId=second))
    edit(ask, take_off("2027-02-01", "2027-03-01", scheduleId=one["id"]))

    assert sorted(brief(listed(ask, "DRAFT"))) == [
        ("First", "2026-11-01", "2027-02-01"),
        ("First", "2027-03-01", "9999-01-01"),
        ("Second", "2026-11-01", "2027-01-01"),
    ]
    assert brief(finalize(ask)) == brief(listed(ask))
    edit(ask, take_off("2026-11-01"))
    assert finalize(ask) == []
    assert invoices(ask) == []


def test_a_schedule_is_repeated_with_all_that_it_overrides(ask: Asker) -> None:
    account(ask)
    plan_id = published(ask)
    weekly = {"interval": "WEEKLY", "gracePeriod": 1}
    edit(ask, put_on(plan_id, "2027-01-01", "2027-02-01", pricingCycleConfigOverride=weekly))
    (one,) = listed(ask, "DRAFT")
    operations = {"operations": [change("fee", fee_card("30"))]}
    ask.done("POST", f"/v2/schedules/{one['id']}/rate_cards", operations)

    again = put_on(plan_id, "2027-03-01", scheduleId=one["id"])
    edit(ask, again)

    (one, other) = finalize(ask)
    assert other["isOverridden"] is True
    assert other["accountScheduleInfo"] == one["accountScheduleInfo"]
    assert other["accountScheduleInfo"]["pricingCycleConfig"]["interval"] == "WEEKLY"
    assert cards(ask, other["id"], "ACTIVE") == [("fee", 30)]


def test_schedules_that_follow_each_other_are_merged_if_asked(ask: Asker) -> None:
    account(ask)
    plan_id = published(ask)
    associate(ask, plan_id, "2026-11-01", "2027-01-01")

    edit(ask, put_on(plan_id, "2027-01-01", "2027-03-01"))
    (running, following) = listed(ask, "DRAFT")
    assert running["endDate"] == following["startDate"]
    edit(ask, {**put_on(plan_id, "2027-03-01"), "mergeSchedules": True})

    (merged,) = finalize(ask)
    assert (merged["id"], merged["endDate"][:4]) == (running["id"], "9999")
    until(ask, "2027-02-10T00:00:00Z")
    periods = [one["startDate"][:10] for one in invoices(ask)]
    assert sorted(periods) == ["2026-11-01", "2026-12-01", "2027-01-01", "2027-02-01"]


def test_what_would_break_a_running_cycle_is_not_merged(ask: Asker) -> None:
    account(ask)
    plan_id = published(ask)
    associate(ask, plan_id, "2026-11-01", "2026-12-10")

    edit(ask, put_on(plan_id, "2026-12-10"))

    assert brief(finalize(ask, mergeSchedules=True)) == [
        ("Growth", "2026-11-01", "2026-12-10"),
        ("Growth", "2026-12-10", "9999-01-01"),
    ]


def test_the_pricing_cycle_of_the_plan_before_goes_on_if_asked(ask: Asker) -> None:
    account(ask)
    tenth = {**CYCLE, "startOffset": {"dayOffset": "10", "monthOffset": "NIL"}}
    associate(ask, published(ask, name="Old", pricingCycleConfig=tenth))
    new = published(ask, name="New")

    edit(
        ask,
        take_off("2027-01-10"),
        put_on(new, "2027-01-10", "2028-01-01", retainStartOffsets=True),
        put_on(new, "2028-01-01"),
    )

    cycles = [one["accountScheduleInfo"]["pricingCycleConfig"] for one in finalize(ask)]
    assert [cycle["startOffset"]["dayOffset"] for cycle in cycles] == ["10", "10", "1"]


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
