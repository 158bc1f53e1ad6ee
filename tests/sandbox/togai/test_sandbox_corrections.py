"""Corrections of events: taken back, ingested again, replaced, and what cannot be."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from sandbox.asking import Answer, Asker
from sandbox.togai import world

METERED = "INGESTION_COMPLETED_EVENT_METERED"


def billed(ask: Asker, start: str = "2026-11-01", **details: Any) -> str:
    """The account main with a plan of 0.25 a call; the id of the meter."""
    world.account(ask)
    world.schema(ask)
    meter = world.meter(ask)
    cards = [{"usageMeterId": meter, **world.RATED}]
    world.associate(ask, world.plan(ask, usageRateCards=cards, **details), start)
    return meter


def ingest(ask: Asker, event_id: str, calls: str = "5", **fields: Any) -> None:
    ask.done("POST", "/ingest", {"event": world.event(event_id, calls, **fields)})


def correct(ask: Asker, action: str = "UNDO", event: Any = None, **query: str) -> Answer:
    """A correction of events of the account main."""
    body = None if event is None else {"event": event}
    query = {"account_id": "main", **query}
    return ask.togai("POST", "/events/correction", body, action=action, **query)


def outcomes(answer: Answer) -> list[tuple[str, str]]:
    """Event and outcome, in the order of the answer."""
    assert answer.status == 200, answer.body
    return [(row["eventPayload"]["id"], row["status"]) for row in answer.body["data"]]


def owed(ask: Asker) -> Decimal:
    """The total of all drafts of the account."""
    rows = ask.done("GET", "/invoices", owner_id="main", status="DRAFT")["data"]
    return sum((Decimal(row["totalAmount"]) for row in rows), Decimal(0))


def test_an_undone_event_gives_back_its_usage_and_what_it_cost(ask: Asker) -> None:
    billed(ask)
    ingest(ask, "e1", "5")
    ingest(ask, "e2", "3")
    assert owed(ask) == 2  # 8 at 0.25

    (row,) = correct(ask, event_id="e1").body["data"]

    assert owed(ask) == Decimal("0.75")
    assert (row["status"], row["reason"]) == ("REVERTED", "The event was taken back")
    assert row["ingestionStatus"]["status"] == "REVERTED"
    assert row["eventPayload"] == world.event("e1", "5")
    assert world.status_of(ask, "e1") == "REVERTED"
    # Its id is free: the same event may come again.
    ingest(ask, "e1", "5")
    assert (world.status_of(ask, "e1"), owed(ask)) == (METERED, Decimal(2))


def test_an_undone_event_gives_back_feature_credits_and_overage(ask: Asker) -> None:
    world.account(ask)
    world.schema(ask)
    feature = world.feature(ask)
    overage = {"featureId": feature, "maxQuantity": 10, **world.RATED}
    plan = world.plan(
        ask,
        billingEntitlementRateCards=[world.granting(feature, 8)],
        entitlementOverageRateCards=[overage],
    )
    world.associate(ask, plan)
    ingest(ask, "e1", "6")
    ingest(ask, "e2", "5")  # 2 granted, 3 overage
    path = f"/accounts/main/features/{feature}"
    before = ask.done("GET", path)
    assert (before["balance"], before["usedOverage"]) == (0, 3)

    # 11 were used, 5 are left of them: 3 more are free.
    assert outcomes(correct(ask, event_id="e1")) == [("e1", "REVERTED")]
    after = ask.done("GET", path)
    assert (after["balance"], after["usedOverage"]) == (3, 0)
    assert outcomes(correct(ask, event_id="e2")) == [("e2", "REVERTED")]
    assert ask.done("GET", path)["balance"] == 8


def test_a_redone_event_changes_nothing_but_its_reference(ask: Asker) -> None:
    billed(ask)
    ingest(ask, "e1", "5")
    (before,) = ask.done("GET", "/events/e1")["events"]

    (row,) = correct(ask, "REDO", event_id="e1").body["data"]

    assert row["status"] == "REVERTED_AND_REINGESTED"
    assert row["ingestionStatus"]["status"] == METERED
    assert row["referenceId"] != before["referenceId"]
    assert owed(ask) == Decimal("1.25")
    first, second = ask.done("GET", "/events/e1")["events"]
    assert (first["ingestionStatus"]["status"], first["referenceId"]) == (
        "REVERTED",
        before["referenceId"],
    )
    assert second["referenceId"] == row["referenceId"]


def test_a_redone_event_is_measured_by_the_meters_of_today(ask: Asker) -> None:
    meter = billed(ask)
    ingest(ask, "e1", "5")
    ask.done("POST", f"/usage_meters/{meter}/deactivate")

    (row,) = correct(ask, "REDO", event_id="e1").body["data"]

    assert row["ingestionStatus"]["status"] == "INGESTION_COMPLETED_NO_MATCHING_METERS"
    assert owed(ask) == 0


def test_an_event_is_replaced_by_another_one(ask: Asker) -> None:
    billed(ask)
    ingest(ask, "e1", "5")
    other = world.event("e1", "9", timestamp="2026-11-18T08:00:00Z")

    (row,) = correct(ask, "REDO_EVENT", other, event_id="e1").body["data"]

    assert (row["status"], row["eventPayload"]) == ("REVERTED_AND_REINGESTED", other)
    assert owed(ask) == Decimal("2.25")


def test_the_event_of_the_body_says_what_is_corrected_when_the_query_does_not(
    ask: Asker,
) -> None:
    billed(ask)
    ingest(ask, "e1", "5")
    other = {"event": world.event("e1", "9")}

    ask.done("POST", "/events/correction", other, action="REDO_EVENT")
    assert owed(ask) == Decimal("2.25")
    ask.done("POST", "/events/correction", other, action="UNDO")
    assert owed(ask) == 0
    nameless = {"event": world.event(None)}
    assert ask.togai("POST", "/events/correction", nameless, action="UNDO").status == 400


def test_an_event_whose_replacement_is_not_counted_stays_as_it_was(ask: Asker) -> None:
    billed(ask)
    ingest(ask, "e1", "5")
    ingest(ask, "e2", "1")
    # The id of another event; an account that is not there.
    for other in (world.event("e2", "9"), world.event("e1", "9", accountId="nobody")):
        (row,) = correct(ask, "REDO_EVENT", other, event_id="e1").body["data"]

        assert row["status"] == "FAILED"
        assert row["reason"].startswith("INGESTION_FAILED_")
        assert row["eventPayload"] == world.event("e1", "5")
    assert (world.status_of(ask, "e1"), owed(ask)) == (METERED, Decimal("1.50"))
    assert ask.effects("event-undone") == []


def test_an_event_of_a_closed_cycle_cannot_be_corrected(ask: Asker) -> None:
    billed(ask)
    ingest(ask, "e1", "5")
    ingest(ask, "e2", "4", timestamp="2026-11-20T08:00:00Z")
    ask.control("POST", "/clock", {"now": "2026-12-03T23:59:59Z"})
    assert outcomes(correct(ask, event_id="e2")) == [("e2", "REVERTED")]
    ask.control("POST", "/clock", {"now": "2026-12-04T00:00:00Z"})

    for action in ("UNDO", "REDO"):
        (row,) = correct(ask, action, event_id="e1").body["data"]
        assert (row["status"], row["reason"]) == (
            "FAILED",
            "The cycle's grace period ended at 2026-12-04T00:00:00.000Z",
        )
    (invoice,) = ask.done("GET", "/invoices", owner_id="main", status="DUE")["data"]
    assert invoice["totalAmount"] == Decimal("1.25")


def test_events_to_correct_are_found_by_the_documented_filters(ask: Asker) -> None:
    world.account(ask)
    world.account(ask, "other")
    world.schema(ask)
    ingest(ask, "b", timestamp="2026-11-19T08:00:00Z")
    ingest(ask, "a", timestamp="2026-11-19T08:00:00Z")
    ingest(ask, "c", timestamp="2026-11-19T09:00:00Z")
    ingest(ask, "d", accountId="other")
    (arrival,) = ask.done("GET", "/events/c")["events"]

    found = outcomes(correct(ask, "REDO", event_source_time="2026-11-19T13:30:00+05:30"))
    assert [event_id for event_id, _ in found] == ["a", "b"]
    found = outcomes(correct(ask, "REDO"))
    assert [event_id for event_id, _ in found] == ["c", "a", "b"]
    # What was redone has another reference now.
    assert correct(ask, id=arrival["referenceId"]).status == 400
    (arrival, latest) = ask.done("GET", "/events/c")["events"]
    created = latest["createdAt"]
    assert outcomes(correct(ask, "REDO", event_id="c", created_at=created)) == [
        ("c", "REVERTED_AND_REINGESTED")
    ]
    latest = ask.done("GET", "/events/c")["events"][-1]
    assert outcomes(correct(ask, id=latest["referenceId"])) == [("c", "REVERTED")]
    time = "2026-11-19T08:00:00Z"
    assert outcomes(correct(ask, event_id="a", event_source_time=time)) == [("a", "REVERTED")]
    # Taken back is taken back, and another account's event is not this one's.
    for event_id in ("a", "d", "none"):
        refused = correct(ask, event_id=event_id)
        assert (refused.status, refused.message) == (400, "No event that was counted matches")


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"id": "x", "event_id": "e1"}, 400, "these filters cannot be combined: event_id, id"),
        ({"created_at": "2026-11-20T12:00:00Z"}, 400, "these filters cannot be combined"),
        ({"event_source_time": "today"}, 400, "event_source_time must be"),
        ({"schema_name": "api_calls"}, 400, "schema_name is not a query parameter"),
        ({"action": "UNMAKE", "event_id": "e1"}, 400, "action must be one of"),
        ({"action": "REDO_EVENT", "event_id": "e1"}, 400, "event is required"),
        ({"async": "yes"}, 400, "async must be one of true, false"),
    ],
)
def test_a_correction_that_makes_no_sense_is_refused(
    ask: Asker, query: dict[str, str], status: int, message: str
) -> None:
    billed(ask)
    ingest(ask, "e1")
    fields = {"action": "UNDO", "account_id": "main"} | query
    answer = ask.togai("POST", "/events/correction", None, **fields)

    assert answer.status == status
    assert answer.message.startswith(message)
    assert world.status_of(ask, "e1") == METERED


def test_an_account_has_to_be_named(ask: Asker) -> None:
    answer = ask.togai("POST", "/events/correction", None, action="UNDO", event_id="e1")

    assert (answer.status, answer.message) == (400, "account_id is required")


def test_one_event_replaces_one(ask: Asker) -> None:
    billed(ask)
    ingest(ask, "e1")
    ingest(ask, "e2")
    answer = correct(ask, "REDO_EVENT", world.event("e3"))

    assert (answer.status, answer.message) == (400, "2 events match; one event replaces one")


def test_at_most_thirty_events_are_corrected_at_once_and_five_by_the_older_operation(
    ask: Asker,
) -> None:
    billed(ask)
    events = [world.event(f"e{number:02}", "1") for number in range(31)]
    ask.done("POST", "/ingestBatch", {"events": events})

    assert correct(ask).status == 400
    ask.done("DELETE", "/events", None, account_id="main", event_id="e30")
    assert len(outcomes(correct(ask, "REDO"))) == 30
    assert owed(ask) == Decimal("7.50")
    older = ask.togai("DELETE", "/events", None, account_id="main")
    expected = "More than 5 events match; at most 5 are corrected at once"
    assert (older.status, older.message) == (400, expected)


def test_an_event_that_failed_cannot_be_taken_back(ask: Asker) -> None:
    billed(ask)
    ingest(ask, "e1", attributes=[{"name": "unknown", "value": "1"}])

    assert correct(ask, event_id="e1").status == 400


def test_an_event_about_a_named_licence_is_taken_back_by_its_opposite(ask: Asker) -> None:
    world.account(ask)
    users = ask.done("POST", "/addons", {"name": "Users", "type": "NAMED_LICENSE"})["id"]
    fields: dict[str, Any] = {
        "schemaName": "togai-named-license",
        "attributes": [{"name": "action", "value": "1"}],
        "dimensions": {"license_id": users, "name": "ann"},
    }
    ingest(ask, "e1", **fields)

    (row,) = correct(ask, event_id="e1").body["data"]
    assert (row["status"], row["reason"]) == (
        "FAILED",
        "An event with the opposite action takes a named licence back",
    )


def what_is_counted(ask: Asker) -> Any:
    """Every figure that events leave behind, apart from the events."""
    drafts = ask.done("GET", "/invoices", owner_id="main")["data"]
    (feature,) = ask.done("GET", "/features")["data"]
    path = f"/accounts/main/features/{feature['id']}"
    shown = [ask.done("GET", f"/invoices/{row['id']}") for row in drafts]
    figures = [(row["totalAmount"], row["usageInfo"], row["revenueInfo"]) for row in shown]
    return figures, ask.done("GET", path), ask.done("GET", f"{path}/entries")["data"]


@pytest.mark.parametrize("seed", range(8))
def test_undoing_is_the_exact_inverse_of_ingesting_in_any_order(ask: Asker, seed: int) -> None:
    chance = Random(seed)
    world.account(ask)
    world.schema(ask)
    feature = world.feature(ask)
    grants = [
        {"effectiveUntil": "P1M", "featureCreditLimit": 20},
        {"effectiveUntil": "P1Y", "featureCreditLimit": 10},
    ]
    cards: dict[str, Any] = {
        "usageRateCards": [{"usageMeterId": world.meter(ask), **world.RATED}],
        "billingEntitlementRateCards": [world.granting(feature, 0, featureConfigs=grants)],
        "entitlementOverageRateCards": [{"featureId": feature, "maxQuantity": 15, **world.RATED}],
    }
    world.associate(ask, world.plan(ask, **cards))
    ids = [f"e{number}" for number in range(12)]

    def send(event_id: str) -> None:
        calls = str(Decimal(chance.randrange(1, 900)).scaleb(-2))
        ingest(ask, event_id, calls, timestamp=f"2026-11-{chance.randrange(1, 21):02}T00:00:00Z")

    for event_id in ids[:4]:
        send(event_id)
    before = what_is_counted(ask)
    for event_id in ids[4:]:
        send(event_id)
    redone = what_is_counted(ask)
    for event_id in chance.sample(ids, len(ids)):
        assert outcomes(correct(ask, "REDO", event_id=event_id))
        assert what_is_counted(ask) == redone
    for event_id in chance.sample(ids[4:], 8):
        assert outcomes(correct(ask, event_id=event_id)) == [(event_id, "REVERTED")]
    assert what_is_counted(ask) == before


def test_in_the_background_all_that_match_are_corrected_by_a_job(ask: Asker) -> None:
    billed(ask)
    for number in range(31):
        ingest(ask, f"e{number}")

    shown = correct(ask, **{"async": "true"}).body["data"]

    (job,) = ask.done("GET", "/jobs")["data"]
    assert {(row["status"], row["reason"]) for row in shown} == {
        ("REVERTED", f"Corrected by job {job['id']}")
    }
    assert len(shown) == 31
    found = ask.done("GET", f"/jobs/{job['id']}")
    assert (found["type"], found["status"]) == ("EVENT_CORRECTIONS", "COMPLETED")
    assert (found["totalJobEntries"], found["completedJobEntries"]) == (31, 31)
    assert found["metadata"] == {"action": "UNDO", "account_id": "main"}
    assert owed(ask) == 0


def test_a_correction_that_waits_for_its_confirmation_changes_nothing_until_then(
    ask: Asker,
) -> None:
    billed(ask)
    ingest(ask, "e1")
    ingest(ask, "e2")

    shown = correct(ask, require_confirmation="true").body["data"]
    (job,) = ask.done("GET", "/jobs")["data"]
    assert {(row["status"], row["reason"]) for row in shown} == {
        ("FAILED", f"Not corrected yet: job {job['id']} waits to be confirmed")
    }
    assert (job["status"], owed(ask)) == ("WAITING_FOR_CONFIRMATION", Decimal("2.5"))

    assert outcomes(correct(ask, event_id="e1")) == [("e1", "REVERTED")]
    done = ask.done("POST", f"/jobs/{job['id']}/confirm")
    assert (done["completedJobEntries"], done["failedJobEntries"]) == (1, 1)
    assert owed(ask) == 0
    entries = ask.done("GET", f"/jobs/{job['id']}/entries")["data"]
    assert [entry["metadata"] for entry in entries] == [
        {"message": "The event is REVERTED by now"},
        {"status": "REVERTED"},
    ]


def test_what_a_job_cannot_correct_stays_and_says_why(ask: Asker) -> None:
    billed(ask)
    ingest(ask, "e1")

    (row,) = correct(
        ask,
        "REDO_EVENT",
        world.event("e1", schemaName="none"),
        **{
            "event_id": "e1",
            "async": "true",
        },
    ).body["data"]

    assert row["status"] == "FAILED"
    assert "INGESTION_FAILED_SCHEMA_NOT_DEFINED" in row["reason"]
    assert owed(ask) == Decimal("1.25")
