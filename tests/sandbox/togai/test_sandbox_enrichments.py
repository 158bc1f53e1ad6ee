"""Enrichments of the emulated Togai: what a schema adds to its events, and from what."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world

PER_KILO = {
    "id": "per_kilo",
    "value": "1000",
    "entityType": "ORGANIZATION",
    "entityId": "sandbox",
    "namespace": "USER",
    "name": "Calls in a kilocall",
    "dataType": "NUMERIC",
}
KILO = {"type": "SETTING", "key": "setting.user.per_kilo", "name": "per_kilo"}
KILOCALLS = {
    "name": "kilocalls",
    "type": "ATTRIBUTE",
    "enrichmentType": "JSON_LOGIC",
    "value": '{"/": [{"var": "attribute.calls"}, {"var": "dependencies.per_kilo"}]}',
    "order": 1,
}
SIZE = {
    "name": "size",
    "type": "DIMENSION",
    "enrichmentType": "JSON_LOGIC",
    "value": '{"if": [{">=": [{"var": "attribute.kilocalls"}, 1]}, "large", "small"]}',
    "order": 2,
}
ENRICHMENTS = {"dependencies": [KILO], "fields": [SIZE, KILOCALLS]}


def enriched(ask: Asker, *fields: Any, dependencies: Any = (KILO,)) -> None:
    """An account and a schema with these enrichments."""
    world.account(ask)
    added = {"dependencies": list(dependencies), "fields": list(fields)}
    world.schema(ask, enrichments=added)


def taken(ask: Asker, calls: str = "2500", event_id: str = "e1") -> Any:
    """The event as it is in the list after it arrived."""
    ask.done("POST", "/ingest", {"event": world.event(event_id, calls)})
    return ask.done("GET", f"/events/{event_id}")["events"][-1]


def test_fields_are_added_in_their_order_from_the_event_and_from_settings(ask: Asker) -> None:
    ask.done("POST", "/settings", PER_KILO)
    enriched(ask, SIZE, KILOCALLS)

    event = taken(ask)

    assert event["eventPayload"] == world.event("e1", "2500")
    assert event["eventPipelineInfo"]["enrichments"] == {
        "attributes": [{"name": "kilocalls", "type": "ATTRIBUTE", "value": "2.5"}],
        "dimensions": [{"name": "size", "type": "DIMENSION", "value": "large"}],
        "dependencies": [{**KILO, "value": "1000"}],
    }


def test_meters_count_by_what_was_added(ask: Asker) -> None:
    ask.done("POST", "/settings", PER_KILO)
    enriched(ask, SIZE, KILOCALLS)
    world.meter(
        ask,
        filters=[{"field": "size", "value": "large"}],
        computations=[{"computation": '{"var": "attributes.kilocalls"}', "order": 1}],
    )

    (large,) = taken(ask)["eventPipelineInfo"]["usageMeters"]
    (small,) = taken(ask, "999", "e2")["eventPipelineInfo"]["usageMeters"]

    assert (large["status"], str(large["units"])) == ("PROCESSED_UNITS_COMPUTED", "2.5")
    assert small["status"] == "PROCESSED_FILTERED_OUT"


def test_the_accounts_own_setting_wins_over_its_customers_and_the_organisations(
    ask: Asker,
) -> None:
    enriched(ask, KILOCALLS)
    found = []
    for number, owner in enumerate(
        [("ORGANIZATION", "sandbox"), ("CUSTOMER", "acme"), ("ACCOUNT", "main")], start=1
    ):
        entity_type, entity_id = owner
        own = {"entityType": entity_type, "entityId": entity_id, "value": str(1000 * number)}
        ask.done("POST", "/settings", PER_KILO | own)
        event = taken(ask, "6000", f"e{number}")
        found.append(event["eventPipelineInfo"]["enrichments"]["attributes"][0]["value"])

    assert found == ["6", "3", "2"]


def test_logic_may_come_from_a_setting_and_values_stand_for_themselves(ask: Asker) -> None:
    logic = {"dataType": "JSON_LOGIC", "value": '{"*": [{"var": "attributes.calls"}, 2]}'}
    ask.done("POST", "/settings", PER_KILO | logic)
    enriched(
        ask,
        KILOCALLS | {"enrichmentType": "JSON_LOGIC_FROM_DEPENDENCY", "value": "per_kilo"},
        SIZE | {"enrichmentType": "VALUE", "value": "any"},
    )

    added = taken(ask, "21")["eventPipelineInfo"]["enrichments"]

    assert [entry["value"] for entry in added["attributes"]] == ["42"]
    assert [entry["value"] for entry in added["dimensions"]] == ["any"]


@pytest.mark.parametrize(
    ("field", "description"),
    [
        (KILOCALLS, "There is no setting setting.user.per_kilo for account main"),
        (KILOCALLS | {"value": '{"/": [1, 0]}'}, "There is no setting"),
    ],
)
def test_an_event_that_lacks_a_setting_fails(ask: Asker, field: Any, description: str) -> None:
    enriched(ask, field)

    status = taken(ask)["ingestionStatus"]

    assert status["status"] == "INGESTION_FAILED_ENRICHMENT_FAILED"
    assert status["statusDescription"].startswith(description)


@pytest.mark.parametrize(
    "field",
    [
        KILOCALLS | {"value": '{"/": [1, 0]}'},
        KILOCALLS | {"value": '{"var": "dimensions.region"}'},
        SIZE | {"value": '{"var": "attributes.none"}'},
    ],
)
def test_an_event_whose_field_has_no_value_fails(ask: Asker, field: Any) -> None:
    enriched(ask, field, dependencies=())

    assert taken(ask)["ingestionStatus"]["status"] == "INGESTION_FAILED_ENRICHMENT_FAILED"


@pytest.mark.parametrize(
    ("enrichments", "message"),
    [
        ({}, "enrichments.fields is required"),
        ({"fields": [{}]}, "enrichments.fields[0].name is required"),
        ({"fields": [SIZE, SIZE]}, "enrichments.fields[1].name: size is there twice"),
        ({"fields": [SIZE | {"name": "region"}]}, "enrichments: region is in the schema already"),
        ({"fields": [SIZE | {"value": "{"}]}, "enrichments.fields[0].value: it is not JSON"),
        (
            {"fields": [KILOCALLS | {"enrichmentType": "VALUE", "value": "many"}]},
            "enrichments.fields[0].value: an attribute must be a number",
        ),
        (
            {"fields": [SIZE | {"enrichmentType": "JSON_LOGIC_FROM_DEPENDENCY"}]},
            "enrichments.fields[0].value: ",
        ),
        (
            {"fields": [], "dependencies": [KILO | {"key": "per_kilo"}]},
            "enrichments.dependencies[0].key must be like setting.<namespace>.<id>",
        ),
        (
            {"fields": [], "dependencies": [KILO, KILO]},
            "enrichments.dependencies[1].name: per_kilo is there twice",
        ),
    ],
)
def test_malformed_enrichments_are_refused(ask: Asker, enrichments: Any, message: str) -> None:
    body = {
        "name": "api_calls",
        "attributes": [{"name": "calls"}],
        "dimensions": [{"name": "region"}],
        "enrichments": enrichments,
    }

    answer = ask.togai("POST", "/event_schema", body)

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_enrichments_of_a_schema_in_use_change_in_a_new_version(ask: Asker) -> None:
    enriched(ask, SIZE)

    changed = ask.done("PATCH", "/event_schema/api_calls", {"enrichments": ENRICHMENTS})
    versions = ask.done("GET", "/event_schema/api_calls/versions")["data"]

    assert (changed["version"], changed["enrichments"]) == (2, ENRICHMENTS)
    assert [(row["version"], row["status"]) for row in versions] == [(2, "ACTIVE"), (1, "ARCHIVED")]
    assert versions[1]["enrichments"] == {"dependencies": [KILO], "fields": [SIZE]}


def test_versions_of_a_schema_that_is_not_there_are_404(ask: Asker) -> None:
    answer = ask.togai("GET", "/event_schema/none/versions")

    assert (answer.status, answer.message) == (404, "Event schema none not found")
