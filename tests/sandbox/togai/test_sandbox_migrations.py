"""Moving accounts to another version of their plan or to another plan: jobs and their entries."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import fee, until
from sandbox.togai.world import CYCLE, account, associate, plan

UNKNOWN = "pp.0"


def wish(source: str, target: str, **fields: Any) -> dict[str, Any]:
    return {
        "sourceId": source,
        "sourceVersion": 1,
        "targetId": target,
        "targetVersion": 1,
        "migrationMode": "NEXT_CYCLE",
        **fields,
    }


def migrate(ask: Asker, source: str, target: str, **fields: Any) -> Any:
    """The job of a migration."""
    answer = ask.togai("POST", "/v2/price_plans/migration", wish(source, target, **fields))
    assert (answer.status, answer.body) == (201, {"success": True})
    latest = ask.done("GET", "/jobs")["data"][0]
    return ask.done("GET", f"/jobs/{latest['id']}")


def entries(ask: Asker, job: Any) -> list[tuple[str, str]]:
    rows = ask.done("GET", f"/jobs/{job['id']}/entries")["data"]
    return [(row["entityId"], row["status"]) for row in rows]


def plans(ask: Asker, account_id: str = "main") -> list[tuple[str, str, str]]:
    rows = ask.done("GET", f"/accounts/{account_id}/pricing_schedules", compact="true")["data"]
    return [(row["pricePlanName"], row["startDate"][:10], row["endDate"][:10]) for row in rows]


def two_plans(ask: Asker) -> tuple[str, str]:
    """The account main on a plan at 10 a month, and another plan at 20."""
    account(ask)
    old = plan(ask, "Old", fixedFeeRateCards=[fee("10")])
    new = plan(ask, "New", fixedFeeRateCards=[fee("20")])
    associate(ask, old)
    return old, new


def test_a_migration_is_a_job_with_an_entry_for_each_account(ask: Asker) -> None:
    old, new = two_plans(ask)
    account(ask, "second")
    ask.done(
        "POST",
        "/accounts/second/price_plans",
        {"pricePlanId": old, "effectiveFrom": "2026-11-01", "effectiveUntil": "9999-01-01"},
    )

    job = migrate(ask, old, new)

    assert (job["type"], job["status"]) == ("PRICE_PLAN", "COMPLETED")
    assert (job["totalJobEntries"], job["completedJobEntries"]) == (2, 2)
    assert (job["pendingJobEntries"], job["failedJobEntries"]) == (0, 0)
    assert job["settledAt"] == "2026-11-20T12:00:00.000Z"
    assert job["metadata"] == {
        "sourceId": old,
        "sourceVersion": "1",
        "targetId": new,
        "targetVersion": "1",
        "migrationMode": "NEXT_CYCLE",
        "retainStartOffsets": "false",
    }
    assert entries(ask, job) == [("main", "COMPLETED"), ("second", "COMPLETED")]
    for account_id in ("main", "second"):
        assert plans(ask, account_id) == [
            ("Old", "2026-11-01", "2026-12-01"),
            ("New", "2026-12-01", "9999-01-01"),
        ]


@pytest.mark.parametrize(
    ("mode", "from_day"), [("IMMEDIATE", "2026-11-20"), ("NEXT_CYCLE", "2026-12-01")]
)
def test_a_migration_counts_from_the_moment_its_mode_says(
    ask: Asker, mode: str, from_day: str
) -> None:
    old, new = two_plans(ask)

    migrate(ask, old, new, migrationMode=mode)

    assert plans(ask) == [("Old", "2026-11-01", from_day), ("New", from_day, "9999-01-01")]


def test_a_migration_waits_until_it_is_confirmed(ask: Asker) -> None:
    old, new = two_plans(ask)

    job = migrate(ask, old, new, requireConfirmation=True)

    assert (job["status"], job["pendingJobEntries"]) == ("WAITING_FOR_CONFIRMATION", 1)
    assert "settledAt" not in job
    assert plans(ask) == [("Old", "2026-11-01", "9999-01-01")]
    until(ask, "2026-12-05T00:00:00Z")
    confirmed = ask.done("POST", f"/jobs/{job['id']}/confirm")
    assert (confirmed["status"], confirmed["completedJobEntries"]) == ("COMPLETED", 1)
    assert plans(ask)[1] == ("New", "2027-01-01", "9999-01-01")
    again = ask.togai("POST", f"/jobs/{job['id']}/confirm")
    assert again.status == 400
    assert again.message == f"Job {job['id']} is COMPLETED; it waits for no confirmation"


def test_a_rejected_migration_moves_nobody(ask: Asker) -> None:
    old, new = two_plans(ask)
    job = migrate(ask, old, new, requireConfirmation=True)

    rejected = ask.done("POST", f"/jobs/{job['id']}/reject")

    assert (rejected["status"], rejected["failedJobEntries"]) == ("CANCELLED", 1)
    assert entries(ask, job) == [("main", "CANCELLED")]
    assert plans(ask) == [("Old", "2026-11-01", "9999-01-01")]
    assert ask.togai("POST", f"/jobs/{job['id']}/confirm").status == 400


def test_an_account_that_cannot_be_billed_so_stays_and_the_others_move(ask: Asker) -> None:
    rates = [{"currency": code, "rate": 10} for code in ("USD", "EUR")]
    account(ask)
    account(ask, "euro", invoiceCurrency="EUR")
    both: dict[str, Any] = {
        "supportedCurrencies": ["USD", "EUR"],
        "fixedFeeRateCards": [fee("10", rateValues=rates)],
    }
    old = plan(ask, "Old", **both)
    ask.done("POST", f"/price_plans/{old}/activate", {"currencies": ["EUR"]})
    new = plan(ask, "New", fixedFeeRateCards=[fee("20")])
    for account_id in ("main", "euro"):
        ask.done(
            "POST",
            f"/accounts/{account_id}/price_plans",
            {"pricePlanId": old, "effectiveFrom": "2026-11-01", "effectiveUntil": "9999-01-01"},
        )

    job = migrate(ask, old, new)

    assert (job["status"], job["completedJobEntries"], job["failedJobEntries"]) == (
        "COMPLETED",
        1,
        1,
    )
    assert entries(ask, job) == [("euro", "FAILED"), ("main", "COMPLETED")]
    (failed, _) = ask.done("GET", f"/jobs/{job['id']}/entries")["data"]
    assert failed["metadata"] == {"message": f"euro: {new} is not active in EUR"}
    assert plans(ask, "euro") == [("Old", "2026-11-01", "9999-01-01")]


def test_a_job_of_which_nothing_succeeds_has_failed(ask: Asker) -> None:
    old, new = two_plans(ask)

    job = migrate(ask, old, new, migrationMode="START_OF_CURRENT_CYCLE")

    assert (job["status"], job["failedJobEntries"]) == ("FAILED", 1)
    (entry,) = ask.done("GET", f"/jobs/{job['id']}/entries")["data"]
    assert entry["metadata"]["message"] == (
        "migrationMode: the plan does not allow updates of the ongoing cycle"
    )
    assert plans(ask) == [("Old", "2026-11-01", "9999-01-01")]


def test_a_migration_of_a_version_that_nobody_has_is_complete_at_once(ask: Asker) -> None:
    old, new = plan(ask, "Old"), plan(ask, "New")

    job = migrate(ask, old, new)

    assert (job["status"], job["totalJobEntries"]) == ("COMPLETED", 0)


def test_without_a_target_the_accounts_get_the_version_that_counts(ask: Asker) -> None:
    old, _ = two_plans(ask)
    change = {"pricePlanDetails": {"fixedFeeRateCards": [fee("30")]}}
    ask.done("PATCH", f"/price_plans/{old}", change)

    body = {"sourceId": old, "sourceVersion": 1, "migrationMode": "NEXT_CYCLE"}
    ask.done("POST", "/price_plans/migration", body)

    rows = ask.done("GET", "/accounts/main/pricing_schedules", compact="true")["data"]
    assert [(row["version"], row["startDate"][:10]) for row in rows] == [
        (1, "2026-11-01"),
        (2, "2026-12-01"),
    ]


def test_a_migration_may_go_on_with_the_pricing_cycle_of_before(ask: Asker) -> None:
    account(ask)
    tenth = {**CYCLE, "startOffset": {"dayOffset": "10", "monthOffset": "NIL"}}
    old = plan(ask, "Old", pricingCycleConfig=tenth, fixedFeeRateCards=[fee("10")])
    new = plan(ask, "New", fixedFeeRateCards=[fee("20")])
    associate(ask, old)

    migrate(ask, old, new, retainStartOffsets=True)

    rows = ask.done("GET", "/accounts/main/pricing_schedules")["data"]
    assert [row["startDate"][:10] for row in rows] == ["2026-11-01", "2026-12-10"]
    offset = rows[1]["pricePlanDetails"]["pricingCycleConfig"]["startOffset"]
    assert offset == {"dayOffset": "10", "monthOffset": "NIL"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sourceId": UNKNOWN}, "sourceId: there is no price plan pp.0"),
        ({"sourceVersion": 0}, "sourceVersion must be a whole number from 1 to 2147483647"),
        ({"targetId": UNKNOWN}, "targetId: there is no active price plan pp.0 to be billed by"),
        ({"migrationMode": "NONE"}, "migrationMode must be one of IMMEDIATE"),
        ({"requireConfirmation": "yes"}, "requireConfirmation must be true or false"),
        ({"isPricePlanV2Migration": 1}, "isPricePlanV2Migration must be true or false"),
    ],
)
def test_a_migration_that_makes_no_sense_is_refused(
    ask: Asker, change: dict[str, Any], message: str
) -> None:
    old, new = two_plans(ask)

    answer = ask.togai("POST", "/price_plans/migration", wish(old, new) | change)

    assert (answer.status, answer.message[: len(message)]) == (400, message)
    assert ask.done("GET", "/jobs")["data"] == []


def test_only_versions_that_were_published_are_migrated(ask: Asker) -> None:
    old, new = two_plans(ask)

    answer = ask.togai("POST", "/price_plans/migration", wish(old, new, targetVersion=2))
    same = ask.togai("POST", "/price_plans/migration", wish(old, old))

    assert (answer.status, answer.message) == (
        400,
        f"targetVersion: {new} has no active version 2",
    )
    assert same.message == "targetVersion: source and target are the same version of a plan"


def test_the_older_operations_show_migrations_as_the_jobs_they_are(ask: Asker) -> None:
    old, new = two_plans(ask)

    answer = ask.togai("POST", "/migrations/price_plan", wish(old, new))

    assert (answer.status, answer.body) == (200, {"success": True})
    (job,) = ask.done("GET", "/jobs")["data"]
    (listed,) = ask.done("GET", "/migrations")["data"]
    assert listed == {
        "id": job["id"],
        "type": "PRICE_PLAN",
        "updatedAt": "2026-11-20T12:00:00.000Z",
        "status": "COMPLETED",
        "sourceId": old,
        "targetId": new,
        "totalMigrationEntries": 1,
        "pendingMigrationEntries": 0,
        "failedMigrationEntries": 0,
        "completedMigrationEntries": 1,
    }
    assert ask.done("GET", f"/migrations/{job['id']}") == listed


def test_the_oldest_migration_leaves_nothing_out_and_knows_no_later_mode(ask: Asker) -> None:
    old, new = two_plans(ask)
    body = wish(old, new)

    later = ask.togai(
        "POST", "/migrations/price_plan", body | {"migrationMode": "START_OF_CURRENT_CYCLE"}
    )
    waiting = ask.togai("POST", "/migrations/price_plan", body | {"requireConfirmation": True})
    del body["targetVersion"]
    without = ask.togai("POST", "/migrations/price_plan", body)

    assert (later.status, waiting.status, without.status) == (400, 400, 400)
    assert without.message == "targetVersion is required"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/jobs/job.0"),
        ("GET", "/jobs/job.0/entries"),
        ("POST", "/jobs/job.0/confirm"),
        ("POST", "/jobs/job.0/reject"),
        ("GET", "/migrations/job.0"),
    ],
)
def test_a_job_that_is_not_there_is_404(ask: Asker, method: str, path: str) -> None:
    assert ask.togai(method, path).status == 404


def test_jobs_are_listed_latest_first_and_paged(ask: Asker) -> None:
    old, new = two_plans(ask)
    migrate(ask, old, new, requireConfirmation=True)
    migrate(ask, new, old, requireConfirmation=True)

    first = ask.done("GET", "/jobs", pageSize="1")
    second = ask.done("GET", "/jobs", nextToken=first["nextToken"])

    whole = ask.done("GET", "/jobs")["data"]
    assert [*first["data"], *second["data"]] == whole
    assert [set(row) for row in whole] == [{"id", "type", "status", "updatedAt"}] * 2
    assert ask.done("GET", f"/jobs/{whole[0]['id']}")["metadata"]["sourceId"] == new
    assert second["nextToken"] is None


def test_an_account_that_has_the_target_already_does_not_get_it_twice(ask: Asker) -> None:
    old, new = two_plans(ask)
    associate(ask, new)

    job = migrate(ask, old, new, migrationMode="IMMEDIATE")

    (entry,) = ask.done("GET", f"/jobs/{job['id']}/entries")["data"]
    assert entry["status"] == "FAILED"
    assert "is associated in schedule" in entry["metadata"]["message"]
    assert plans(ask) == [("Old", "2026-11-01", "9999-01-01"), ("New", "2026-11-01", "9999-01-01")]
