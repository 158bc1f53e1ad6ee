"""Drafting an account's schedules: edits, finalizing, discarding, merging."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import invoices, until
from sandbox.togai.drafted_schedules import (
    SCHEDULES,
    brief,
    cards,
    edit,
    finalize,
    listed,
    put_on,
    take_off,
)
from sandbox.togai.plans_v2 import change, fee_card, published
from sandbox.togai.world import CYCLE, account, associate


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


def test_what_was_merged_can_be_cut_again_in_the_same_draft(ask: Asker) -> None:
    account(ask)
    plan_id = published(ask)
    associate(ask, plan_id, "2026-11-01", "2027-01-01")

    edit(
        ask,
        {**put_on(plan_id, "2027-01-01"), "mergeSchedules": True},
        take_off("2027-02-01", "2027-03-01"),
    )

    drafted = listed(ask, "DRAFT")
    assert brief(drafted) == [
        ("Growth", "2026-11-01", "2027-02-01"),
        ("Growth", "2027-03-01", "9999-01-01"),
    ]
    assert finalize(ask) == drafted
    until(ask, "2027-03-10T00:00:00Z")
    periods = [one["startDate"][:10] for one in invoices(ask)]
    assert sorted(periods) == ["2026-11-01", "2026-12-01", "2027-01-01", "2027-03-01"]


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
