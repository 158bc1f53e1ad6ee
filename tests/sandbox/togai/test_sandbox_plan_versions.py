"""What becomes of accounts when a new version of their price plan is put in force."""

from typing import Any

from sandbox.asking import Asker
from sandbox.togai.billed import brief, send, until
from sandbox.togai.plans_v2 import (
    change,
    create,
    delete,
    fee_card,
    finalize,
    header,
    operate,
    published,
    usage_card,
    versions,
)
from sandbox.togai.world import account, associate, meter, schema


def associated(ask: Asker, plan_id: str, start: str = "2026-11-01") -> None:
    account(ask)
    associate(ask, plan_id, start)


def running(ask: Asker) -> list[tuple[str, int]]:
    """From when the account's schedules run, and of which version each is."""
    rows = ask.done("GET", "/accounts/main/pricing_schedules")["data"]
    return [(row["startDate"][:10], row["version"]) for row in rows]


def test_a_new_version_is_for_new_associations_unless_accounts_are_migrated(ask: Asker) -> None:
    plan_id = published(ask, "49")
    associated(ask, plan_id)
    operate(ask, plan_id, change("fee", fee_card("59")))
    finalize(ask, plan_id)

    assert running(ask) == [("2026-11-01", 1)]
    assert brief(ask) == [("2026-11-01", "DRAFT", 49)]


def test_accounts_migrate_at_the_next_cycle_and_pay_the_new_price_from_then_on(ask: Asker) -> None:
    plan_id = published(ask, "49")
    associated(ask, plan_id)
    operate(ask, plan_id, change("fee", fee_card("59")))
    finalize(ask, plan_id, migrationMode="NEXT_CYCLE")

    assert running(ask) == [("2026-11-01", 1), ("2026-12-01", 2)]
    until(ask, "2027-01-15T00:00:00Z")
    assert brief(ask) == [
        ("2026-11-01", "DUE", 49),
        ("2026-12-01", "DUE", 59),
        ("2027-01-01", "DRAFT", 59),
    ]


def test_fees_in_advance_are_neither_lost_nor_owed_twice_at_the_next_cycle(ask: Asker) -> None:
    plan_id = published(ask, "49", "IN_ADVANCE")
    associated(ask, plan_id)
    operate(ask, plan_id, change("fee", fee_card("59", "IN_ADVANCE")))
    finalize(ask, plan_id, migrationMode="NEXT_CYCLE")
    until(ask, "2026-12-10T00:00:00Z")

    # November's at the association; December's at the start of the new version, January's in the
    # draft of December.
    assert brief(ask) == [
        ("2026-11-01", "DUE", 0),
        ("2026-11-01", "DUE", 49),
        ("2026-12-01", "DRAFT", 59),
        ("2026-12-01", "DUE", 59),
    ]


def test_a_migration_at_once_divides_the_cycle_at_the_day(ask: Asker) -> None:
    plan_id = published(ask, "49")
    associated(ask, plan_id)
    operate(ask, plan_id, change("fee", fee_card("60", enableProration=True)))
    finalize(ask, plan_id, migrationMode="IMMEDIATE")

    assert running(ask) == [("2026-11-01", 1), ("2026-11-20", 2)]
    # 11 of 30 days at 60.
    assert brief(ask) == [("2026-11-01", "DRAFT", 49), ("2026-11-20", "DRAFT", 22)]


def test_the_ongoing_cycle_is_billed_anew_where_the_plan_allows_it(ask: Asker) -> None:
    account(ask)
    schema(ask)
    calls = meter(ask)
    plan_id = header(ask, allowOngoingCycleUpdates=True)
    operate(ask, plan_id, create("calls", usage_card(calls, "1")))
    finalize(ask, plan_id)
    associate(ask, plan_id)
    send(ask, "e1", "10")
    operate(ask, plan_id, change("calls", usage_card(calls, "3")))
    finalize(ask, plan_id, migrationMode="START_OF_CURRENT_CYCLE")

    assert running(ask) == [("2026-11-01", 2)]
    assert brief(ask) == [("2026-11-01", "DRAFT", 30)]


def test_the_ongoing_cycle_is_left_alone_where_it_must_be(ask: Asker) -> None:
    plain = published(ask, "49")
    ahead = published(ask, "49", "IN_ADVANCE", name="Ahead", allowOngoingCycleUpdates=True)
    account(ask)
    messages = []
    for plan_id in (plain, ahead):
        associate(ask, plan_id)
        operate(ask, plan_id, delete("fee"))
        answer = ask.togai(
            "POST",
            f"/v2/price_plans/{plan_id}/finalize",
            {"migrationMode": "START_OF_CURRENT_CYCLE"},
        )
        messages.append(answer.message)
        assert versions(ask, plan_id)[0] == (2, "DRAFT")

    assert messages == [
        "migrationMode: the plan does not allow updates of the ongoing cycle",
        "migrationMode: fees in advance of the ongoing cycle are invoiced already",
    ]


def test_an_override_goes_with_the_account_unless_it_is_ignored(ask: Asker) -> None:
    plan_id = published(ask, "49")
    account(ask)
    own = {"fixedFeeRateCards": [fee_card("7")["rateCardDetails"]["fixedFeeRateCard"]]}
    body = {
        "pricePlanId": plan_id,
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "9999-01-01",
        "pricePlanDetailsOverride": own,
    }
    ask.done("POST", "/accounts/main/price_plans", body)
    operate(ask, plan_id, change("fee", fee_card("59")))
    finalize(ask, plan_id, migrationMode="IMMEDIATE")
    assert brief(ask)[-1][2] == 7

    operate(ask, plan_id, change("fee", fee_card("61")))
    finalize(ask, plan_id, migrationMode="IMMEDIATE_IGNORE_OVERRIDE")
    assert [row[2] for row in brief(ask)] == [7, 61]


def test_only_the_last_version_migrates_unless_all_are_named(ask: Asker) -> None:
    plan_id = published(ask, "1")
    associated(ask, plan_id)
    for rate in ("2", "3"):
        operate(ask, plan_id, change("fee", fee_card(rate)))
        finalize(ask, plan_id)
    operate(ask, plan_id, change("fee", fee_card("4")))
    finalize(ask, plan_id, migrationMode="NEXT_CYCLE", versionsToMigrate="LATEST_VERSION")
    assert running(ask) == [("2026-11-01", 1)]

    operate(ask, plan_id, change("fee", fee_card("5")))
    finalize(ask, plan_id, migrationMode="NEXT_CYCLE", versionsToMigrate="ALL_VERSION")
    assert running(ask) == [("2026-11-01", 1), ("2026-12-01", 5)]


def test_an_account_that_cannot_be_billed_so_keeps_everything_as_it_was(ask: Asker) -> None:
    plan_id = published(ask, "49")
    associated(ask, plan_id)
    euros: dict[str, Any] = {"rateValues": [{"currency": "EUR", "rate": 40}]}
    operate(ask, plan_id, change("fee", fee_card("1", **euros)))
    ask.done("PATCH", f"/v2/price_plans/{plan_id}", {"supportedCurrencies": ["EUR"]})

    answer = ask.togai(
        "POST", f"/v2/price_plans/{plan_id}/finalize", {"migrationMode": "NEXT_CYCLE"}
    )

    assert (answer.status, answer.message) == (400, f"main: {plan_id} is not active in USD")
    assert versions(ask, plan_id) == [(2, "DRAFT"), (1, "ACTIVE")]


def test_a_fee_that_is_charged_once_is_not_charged_again_by_a_new_version(ask: Asker) -> None:
    plan_id = header(ask)
    setup = fee_card("500", type="ONE_TIME")
    operate(ask, plan_id, create("setup", setup))
    finalize(ask, plan_id)
    associated(ask, plan_id)
    ask.done("PATCH", f"/v2/price_plans/{plan_id}", {"description": "The same"})
    finalize(ask, plan_id, migrationMode="NEXT_CYCLE")
    until(ask, "2026-12-15T00:00:00Z")

    assert brief(ask) == [("2026-11-01", "DUE", 500), ("2026-12-01", "DRAFT", 0)]
