"""Ingesting events into the emulated Togai: outcomes over HTTP, and statuses afterwards."""

from typing import Any

import pytest

from billing_mcp.sandbox import SandboxSettings, open_sandbox
from sandbox.asking import Asker
from sandbox.togai.world import (
    RATED,
    account,
    associate,
    event,
    meter,
    plan,
    schema,
    status_of,
)

FAILED = "INGESTION_FAILED"
METERED = "INGESTION_COMPLETED_EVENT_METERED"


@pytest.fixture
def world(ask: Asker) -> Asker:
    """The account main on a monthly plan that prices calls, with three days of grace."""
    account(ask, aliases=["acme-prod"])
    schema(ask)
    associate(ask, plan(ask, usageRateCards=[{"usageMeterId": meter(ask), **RATED}]), "2026-09-01")
    return ask


def ingest(ask: Asker, sent: dict[str, Any]) -> str:
    """The status of an event that is accepted; without an id, one of the time of all others."""
    answer = ask.togai("POST", "/ingest", {"event": sent})
    assert answer.status == 202, answer.body
    if "id" in sent:
        return status_of(ask, sent["id"])
    (*_, latest) = ask.done("GET", "/events")["events"]
    status: str = latest["ingestionStatus"]["status"]
    return status


def test_an_accepted_event_is_answered_with_202_and_metered(world: Asker) -> None:
    answer = world.togai("POST", "/ingest", {"event": event()})

    assert (answer.status, answer.body) == (
        202,
        {"success": True, "statusCode": 202, "message": "Event accepted"},
    )
    (arrival,) = world.done("GET", "/events/e1")["events"]
    pipeline = arrival["eventPipelineInfo"]
    assert arrival["eventPayload"] == event()
    assert arrival["ingestionStatus"]["status"] == METERED
    assert pipeline["usageMeters"][0]["units"] == 5
    (priced,) = pipeline["pricePlans"]
    assert (priced["cycleStart"], priced["cycleEnd"]) == ("2026-11-01", "2026-12-01")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"schemaName": "none"}, f"{FAILED}_SCHEMA_NOT_DEFINED"),
        ({"accountId": "none"}, f"{FAILED}_ACCOUNT_NOT_FOUND"),
        ({"accountId": "acme-prod"}, METERED),
        ({"attributes": [{"name": "seats", "value": "1"}]}, f"{FAILED}_UNITS_INVALID"),
        (
            {"attributes": [{"name": "calls", "value": "1", "unit": "byte"}]},
            f"{FAILED}_UNITS_INVALID",
        ),
        ({"attributes": [{"name": "calls", "value": "1", "unit": "call"}]}, METERED),
        ({"attributes": [{"name": "bytes", "value": "1", "unit": "any"}]}, FAILED),
        ({"attributes": [{"name": "calls", "value": "1"}] * 2}, f"{FAILED}_UNITS_INVALID"),
        ({"timestamp": "2026-10-31T23:59:59Z"}, f"{FAILED}_PAST_GRACE_PERIOD"),
        ({"timestamp": "2026-08-31T23:59:59Z"}, "INGESTION_COMPLETED_EVENT_NOT_METERED"),
        ({"timestamp": "2026-11-01T05:30:00+05:30"}, METERED),
    ],
)
def test_what_is_wrong_in_meaning_is_accepted_and_seen_in_the_status(
    world: Asker, changes: dict[str, Any], status: str
) -> None:
    assert ingest(world, event(**changes)) == status


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schemaName": ""}, "event.schemaName must have at least 1 characters"),
        ({"timestamp": "2026-11-19"}, "event.timestamp must be an RFC 3339 time"),
        ({"accountId": 7}, "event.accountId must be a string"),
        ({"id": "x" * 513}, "event.id must have at most 512 characters"),
        ({"attributes": [{"name": "calls", "value": 5}]}, "event.attributes[0].value must be a s"),
        ({"attributes": [{"name": "calls", "value": "5e3"}]}, "event.attributes[0].value must be"),
        ({"attributes": [{"name": "calls", "value": "+5"}]}, "event.attributes[0].value must be a"),
        (
            {"attributes": [{"name": "calls", "value": "\u0665"}]},
            "event.attributes[0].value must be a",
        ),
        ({"attributes": [{"name": "c", "value": "1"}] * 11}, "event.attributes must have at most"),
        ({"dimensions": {"region": ""}}, "event.dimensions.region must have at least 1 characters"),
        ({"dimensions": {"region": "x" * 201}}, "event.dimensions.region must have at most 200"),
        ({"source": "me"}, "event.source is not a field here"),
    ],
)
def test_what_is_wrong_in_shape_is_refused_and_not_kept(
    world: Asker, changes: dict[str, Any], message: str
) -> None:
    answer = world.togai("POST", "/ingest", {"event": event(**changes)})

    assert answer.status == 400
    assert answer.message.startswith(message)
    assert world.done("GET", "/events")["events"] == []


@pytest.mark.parametrize(
    ("day", "status"),
    [("2026-12-03T23:59:59Z", METERED), ("2026-12-04T00:00:00Z", f"{FAILED}_PAST_GRACE_PERIOD")],
)
def test_the_grace_period_ends_at_midnight_after_its_last_day(
    world: Asker, day: str, status: str
) -> None:
    world.control("POST", "/clock", {"now": day})

    assert ingest(world, event(timestamp="2026-11-30T23:00:00Z")) == status


def test_an_id_counts_once_for_45_days_from_its_arrival(world: Asker) -> None:
    def again(day: str) -> str:
        world.control("POST", "/clock", {"now": day})
        return ingest(world, event(timestamp=day))

    statuses = [
        again("2026-11-20T12:00:00Z"),
        again("2026-11-20T12:00:00Z"),
        again("2027-01-04T11:59:59Z"),
        again("2027-01-04T12:00:00Z"),
        again("2027-01-04T12:00:01Z"),
    ]

    duplicate = f"{FAILED}_DUPLICATE_EVENT"
    assert statuses == [METERED, duplicate, duplicate, METERED, duplicate]
    assert len(world.effects("event")) == 2


def test_the_id_of_an_event_that_failed_is_free_for_the_corrected_one(world: Asker) -> None:
    assert ingest(world, event(accountId="none")) == f"{FAILED}_ACCOUNT_NOT_FOUND"
    assert ingest(world, event()) == METERED


def test_an_event_without_an_id_fails_unless_its_schema_can_build_one(world: Asker) -> None:
    assert ingest(world, event(None)) == f"{FAILED}_NO_EVENT_ID"
    template = "{{accountId}}-{{dimensions.region}}-{{attributes.calls}}-{{timestamp}}"
    world.done("PATCH", "/event_schema/api_calls", {"eventIdTemplate": template})

    assert ingest(world, event(None)) == METERED
    assert status_of(world, "main-eu-5-2026-11-19T08:00:00Z") == METERED
    assert ingest(world, event(None, dimensions={})) == f"{FAILED}_NO_EVENT_ID"


def test_meters_count_only_what_matches_their_filters_and_matcher(world: Asker) -> None:
    matcher = '{">": [{"var": "attribute.calls"}, 10]}'
    counting = {"aggregation": "COUNT", "computations": []}
    meter(
        world,
        "Big",
        **counting | {"computations": [{"computation": "1", "matcher": matcher, "order": 1}]},
    )
    meter(world, "In EU", **counting | {"filters": [{"field": "region", "value": "eu"}]})
    for event_id, calls, region in (("e1", "10", "eu"), ("e2", "11", "us")):
        ingest(world, event(event_id, calls, dimensions={"region": region}))

    def units(event_id: str) -> dict[str, Any]:
        (arrival,) = world.done("GET", f"/events/{event_id}")["events"]
        meters = arrival["eventPipelineInfo"]["usageMeters"]
        return {entry["name"]: entry.get("units", entry["status"]) for entry in meters}

    assert units("e1") == {"Calls": 10, "Big": "PROCESSED_FILTERED_OUT", "In EU": 1}
    assert units("e2") == {"Calls": 11, "Big": 1, "In EU": "PROCESSED_FILTERED_OUT"}


def test_an_event_no_meter_counts_and_one_no_plan_prices_say_so(ask: Asker) -> None:
    account(ask)
    schema(ask)
    assert ingest(ask, event()) == "INGESTION_COMPLETED_NO_MATCHING_METERS"
    meter(ask)

    assert ingest(ask, event("e2")) == "INGESTION_COMPLETED_EVENT_NOT_METERED"


def test_an_archived_account_is_not_found(world: Asker) -> None:
    world.done("DELETE", "/accounts/main")

    assert ingest(world, event()) == f"{FAILED}_ACCOUNT_NOT_FOUND"


def test_a_batch_of_good_events_is_202_with_each_ones_outcome(world: Asker) -> None:
    answer = world.togai("POST", "/ingestBatch", {"events": [event("e1"), event("e2")]})

    outcome = {"success": True, "statusCode": 202, "message": "Event accepted"}
    assert (answer.status, answer.body) == (
        202,
        {
            "success": True,
            "statusCode": 202,
            "message": "2 of 2 events accepted",
            "details": {"e1": outcome, "e2": outcome},
        },
    )


def test_a_batch_with_some_bad_events_is_207_and_keeps_the_good_ones(world: Asker) -> None:
    bad = event("e2", attributes=[{"name": "calls", "value": 5}])

    answer = world.togai("POST", "/ingestBatch", {"events": [event("e1"), bad, "e3", event("e1")]})

    outcomes = {name: entry["success"] for name, entry in answer.body["details"].items()}
    assert answer.status == 207
    assert answer.body["success"] is False
    assert outcomes == {"e1": True, "e2": False, "events[2]": False, "events[3]": True}
    assert answer.body["details"]["e2"] == {
        "success": False,
        "statusCode": 400,
        "message": "events[1].attributes[0].value must be a string",
    }
    assert [row["eventPayload"]["id"] for row in world.done("GET", "/events")["events"]] == [
        "e1",
        "e1",
    ]


def test_a_batch_without_one_good_event_is_400(world: Asker) -> None:
    answer = world.togai("POST", "/ingestBatch", {"events": [{}, {}]})

    assert answer.status == 400
    assert answer.message == "No event was accepted. The first: events[0].schemaName is required"


@pytest.mark.parametrize(("settings_limit", "sent", "status"), [(500, 501, 400), (1000, 501, 202)])
def test_the_largest_batch_is_a_setting(settings_limit: int, sent: int, status: int) -> None:
    ask = Asker(open_sandbox(SandboxSettings(demo=False, batch_limit=settings_limit)))

    batch = {"events": [event(f"e{number}") for number in range(sent)]}
    answer = ask.togai("POST", "/ingestBatch", batch)

    assert answer.status == status
    assert (status == 400) == ("events must have at most 500 items" in str(answer.body))


def test_an_empty_batch_is_refused(world: Asker) -> None:
    assert world.togai("POST", "/ingestBatch", {"events": []}).status == 400


def test_events_are_listed_latest_first_by_account_schema_and_status(world: Asker) -> None:
    account(world, "other")
    for event_id, changes in {
        "old": {"timestamp": "2026-11-02T00:00:00Z"},
        "alias": {"accountId": "acme-prod"},
        "new": {"timestamp": "2026-11-20T00:00:00Z"},
        "stray": {"accountId": "nobody"},
        "others": {"accountId": "other"},
    }.items():
        ingest(world, event(event_id, **changes))

    def listed(**query: Any) -> list[str]:
        return [
            row["eventPayload"]["id"] for row in world.done("GET", "/events", **query)["events"]
        ]

    assert listed() == ["new", "alias", "stray", "others", "old"]
    assert listed(account_id="main") == ["new", "alias", "old"]
    assert listed(account_id="nobody") == ["stray"]
    assert listed(account_id="main", status=METERED) == ["new", "alias", "old"]
    assert listed(schema_name="none") == []
    assert world.togai("GET", "/events", pageSize=51).status == 400


def test_events_are_paged_through_equal_times_without_loss(world: Asker) -> None:
    world.done("POST", "/ingestBatch", {"events": [event(f"e{n}") for n in range(5)]})

    first = world.done("GET", "/events", pageSize=3, account_id="main")
    second = world.done("GET", "/events", nextToken=first["nextToken"])

    ids = [row["eventPayload"]["id"] for page in (first, second) for row in page["events"]]
    assert ids == ["e0", "e1", "e2", "e3", "e4"]
    assert second["nextToken"] is None
