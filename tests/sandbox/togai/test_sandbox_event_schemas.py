"""Event schemas and usage meters of the emulated Togai: their lives and what they allow."""

from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.world import RATED, feature, meter, plan, schema

NEW_SCHEMA = {
    "name": "api_calls",
    "attributes": [{"name": "calls"}],
    "dimensions": [{"name": "region"}],
}
NEW_METER = {
    "name": "Calls",
    "type": "COUNTER",
    "aggregation": "COUNT",
    "eventSchemaName": "api_calls",
}


def test_a_new_schema_is_a_draft_of_version_one(ask: Asker) -> None:
    answer = ask.togai("POST", "/event_schema", NEW_SCHEMA)

    assert answer.status == 201
    assert (answer.body["version"], answer.body["status"]) == (1, "DRAFT")


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"name": "a/b"}, 400, "name must match"),
        ({"name": "  "}, 400, "name must not be blank"),
        ({"name": "togai-usage"}, 400, "name: names that begin with togai- are the vendor's"),
        ({"attributes": [{"name": "a"}] * 2}, 400, "attributes[1].name: a is there twice"),
        ({"attributes": [{"name": "a"}] * 51}, 400, "attributes must have at most 50 items"),
        ({"dimensions": [{}]}, 400, "dimensions[0].name is required"),
        ({"filterFields": ["city"]}, 400, "filterFields: city is neither a dimension nor"),
        ({"eventIdTemplate": "{{dimensions.city}}"}, 400, "eventIdTemplate: {{dimensions.city}}"),
    ],
)
def test_a_malformed_schema_is_refused(
    ask: Asker, change: dict[str, Any], status: int, message: str
) -> None:
    answer = ask.togai("POST", "/event_schema", NEW_SCHEMA | change)

    assert answer.status == status
    assert answer.message.startswith(message)


def test_a_taken_schema_name_is_refused(ask: Asker) -> None:
    schema(ask)

    answer = ask.togai("POST", "/event_schema", NEW_SCHEMA)

    assert (answer.status, answer.message) == (400, "Event schema api_calls exists already")


def test_a_draft_changes_in_place_and_a_used_schema_gets_a_version_with_additions_only(
    ask: Asker,
) -> None:
    ask.done("POST", "/event_schema", NEW_SCHEMA)
    draft = ask.done("PATCH", "/event_schema/api_calls", {"attributes": [{"name": "bytes"}]})
    ask.done("POST", "/event_schema/api_calls/activate")

    more = [{"name": "bytes"}, {"name": "calls"}]
    grown = ask.done("PATCH", "/event_schema/api_calls", {"attributes": more})
    shrunk = ask.togai("PATCH", "/event_schema/api_calls", {"attributes": [{"name": "calls"}]})

    assert (draft["version"], draft["attributes"]) == (1, [{"name": "bytes"}])
    assert (grown["version"], grown["status"], grown["attributes"]) == (2, "ACTIVE", more)
    assert shrunk.message == "attributes: bytes is in use and cannot change or go away"
    past = ask.done("GET", "/event_schema/api_calls", version=1)
    assert (past["status"], past["attributes"]) == ("ARCHIVED", [{"name": "bytes"}])
    assert ask.togai("GET", "/event_schema/api_calls", version=3).status == 404
    assert [row["version"] for row in ask.done("GET", "/event_schema")["data"]] == [2]


def test_a_schema_with_active_meters_cannot_be_deactivated_or_deleted(ask: Asker) -> None:
    schema(ask)
    meter_id = meter(ask)

    refusals = [
        ask.togai("POST", "/event_schema/api_calls/deactivate"),
        ask.togai("DELETE", "/event_schema/api_calls"),
    ]
    ask.done("POST", f"/usage_meters/{meter_id}/deactivate")

    text = "Usage meter Calls of this schema is active; deactivate it"
    assert [(answer.status, answer.message) for answer in refusals] == [(400, text)] * 2
    assert ask.done("DELETE", "/event_schema/api_calls") == {"success": True}
    assert ask.done("GET", "/event_schema")["data"] == []
    assert ask.togai("POST", "/event_schema/api_calls/activate").status == 400


def test_a_draft_schema_cannot_be_deactivated(ask: Asker) -> None:
    ask.done("POST", "/event_schema", NEW_SCHEMA)

    answer = ask.togai("POST", "/event_schema/api_calls/deactivate")

    assert answer.message == "Event schema api_calls was never activated"


def test_schemas_are_listed_by_status_with_their_meters_counted(ask: Asker) -> None:
    schema(ask)
    schema(ask, "logins")
    meter(ask)
    ask.done("POST", "/event_schema/logins/deactivate")

    (active,) = ask.done("GET", "/event_schema", status="ACTIVE")["data"]

    assert (active["name"], active["usageMetersCount"]) == ("api_calls", 1)
    assert ask.togai("GET", "/event_schema", status="DRAFT").status == 400


def test_activating_twice_is_done_once(ask: Asker) -> None:
    schema(ask)

    ask.done("POST", "/event_schema/api_calls/activate")

    assert len(ask.effects("event-schema-active")) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a.b"}, "name must match"),
        ({"type": "GAUGE"}, "type must be one of COUNTER"),
        ({"aggregation": "MAX"}, "aggregation must be one of COUNT, SUM"),
        ({"eventSchemaName": "none"}, "eventSchemaName: there is no event schema none"),
        ({"filters": [{"field": "city", "value": "x"}]}, "filters: city is not a dimension"),
        ({"aggregation": "SUM"}, "computations is required when summing"),
        (
            {"computations": [{"computation": "2", "order": 1}]},
            'computations[0].computation must be "1" when counting',
        ),
        ({"computations": [{}, {}]}, "computations must have at most 1 items"),
        (
            {"computations": [{"computation": "1", "order": 1, "matcher": "{"}]},
            "computations[0].matcher is not usable JSONLogic: it is not JSON",
        ),
        (
            {"computations": [{"computation": '{"pow": [2, 3]}', "order": 1}]},
            "computations[0].computation is not usable JSONLogic: the operator pow",
        ),
    ],
)
def test_a_malformed_meter_is_refused(ask: Asker, change: dict[str, Any], message: str) -> None:
    schema(ask)

    answer = ask.togai("POST", "/usage_meters", NEW_METER | change)

    assert answer.status == 400
    assert answer.message.startswith(message)


def test_a_meter_is_activated_only_with_its_schema(ask: Asker) -> None:
    ask.done("POST", "/event_schema", NEW_SCHEMA)
    made = ask.togai("POST", "/usage_meters", NEW_METER)

    early = ask.togai("POST", f"/usage_meters/{made.body['id']}/activate")
    ask.done("POST", "/event_schema/api_calls/activate")
    active = ask.done("POST", f"/usage_meters/{made.body['id']}/activate")

    assert (made.status, made.body["status"]) == (201, "DRAFT")
    assert early.message == "Event schema api_calls is not active; activate it first"
    assert (active["status"], active["lastActivatedAt"]) == ("ACTIVE", "2026-11-20T12:00:00.000Z")


def test_an_active_meter_changes_its_names_but_not_what_it_measures(ask: Asker) -> None:
    schema(ask)
    meter_id = meter(ask)

    renamed = ask.done("PATCH", f"/usage_meters/{meter_id}", {"billableName": "API calls"})
    other = [{"computation": '{"var": "attributes.bytes"}', "order": 1}]
    refused = ask.togai("PATCH", f"/usage_meters/{meter_id}", {"computations": other})
    ask.done("POST", f"/usage_meters/{meter_id}/deactivate")
    allowed = ask.done("PATCH", f"/usage_meters/{meter_id}", {"computations": other})

    assert renamed["displayName"] == "API calls"
    assert refused.message == f"Usage meter {meter_id} is active; deactivate it before this change"
    assert allowed["computations"] == other


def test_a_meter_that_a_plan_prices_cannot_be_deleted(ask: Asker) -> None:
    schema(ask)
    meter_id = meter(ask)
    plan_id = plan(ask, usageRateCards=[{"usageMeterId": meter_id, **RATED}])

    refused = ask.togai("DELETE", f"/usage_meters/{meter_id}")
    ask.done("DELETE", f"/price_plans/{plan_id}")

    assert refused.message == f"Usage meter {meter_id} is priced by the plan Plan"
    assert ask.done("DELETE", f"/usage_meters/{meter_id}") == {"success": True}
    assert ask.done("GET", f"/usage_meters/{meter_id}")["status"] == "ARCHIVED"
    assert ask.done("GET", "/usage_meters")["data"] == []
    assert ask.togai("POST", f"/usage_meters/{meter_id}/activate").status == 400


def test_a_meters_name_is_unique_until_it_is_archived(ask: Asker) -> None:
    schema(ask)
    meter_id = meter(ask)

    taken = ask.togai("POST", "/usage_meters", NEW_METER)
    ask.done("DELETE", f"/usage_meters/{meter_id}")

    assert taken.message == f"name: usage meter {meter_id} is called Calls already"
    assert ask.togai("POST", "/usage_meters", NEW_METER).status == 201


def test_meters_are_listed_with_their_schema_by_status_and_aggregation(ask: Asker) -> None:
    schema(ask)
    meter(ask)
    counting = ask.done("POST", "/usage_meters", NEW_METER | {"name": "Count"})["id"]

    (counted,) = ask.done("GET", "/usage_meters", aggregations="COUNT")["data"]

    assert (counted["id"], counted["eventSchema"]["name"]) == (counting, "api_calls")
    assert len(ask.done("GET", "/usage_meters", aggregations="COUNT,SUM")["data"]) == 2
    assert [row["name"] for row in ask.done("GET", "/usage_meters", status="ACTIVE")["data"]] == [
        "Calls"
    ]
    assert "eventSchema" not in ask.done("GET", f"/usage_meters/{counting}", includeSchema="false")
    assert ask.togai("GET", "/usage_meters", aggregations="MAX").status == 400


def test_a_feature_is_fed_by_attributes_of_schemas_that_feed_no_other(ask: Asker) -> None:
    schema(ask)
    feature_id = feature(ask)

    def associate(schema_name: str, attribute: str) -> str:
        entry = {"schemaName": schema_name, "attributeName": attribute}
        body = {"name": "Other", "schemaAssociations": [entry]}
        return ask.togai("POST", "/features", body).message

    assert associate("api_calls", "calls") == (
        f"schemaAssociations[0].schemaName: api_calls feeds the feature {feature_id} already"
    )
    assert associate("none", "calls").endswith("there is no event schema none")
    schema(ask, "logins")
    assert associate("logins", "seats").endswith("seats is not an attribute of the schema")
    details = ask.done("GET", "/event_schema/api_calls")["featureDetails"]
    assert details == {"featureId": feature_id, "attributeName": "calls"}


def test_a_features_associations_are_replaced_as_a_whole(ask: Asker) -> None:
    schema(ask)
    schema(ask, "logins")
    feature_id = feature(ask)
    entry = {"schemaName": "logins", "attributeName": "calls"}

    updated = ask.done("PATCH", f"/features/{feature_id}", {"schemaAssociations": [entry]})

    assert updated["schemaAssociations"] == [entry]
    assert "featureDetails" not in ask.done("GET", "/event_schema/api_calls")
    twin = ask.togai("POST", "/features", {"name": "Calls", "schemaAssociations": []})
    assert twin.message == f"name: feature {feature_id} is called Calls already"
    own_name = ask.togai("PATCH", f"/features/{feature_id}", {"name": "Calls"})
    assert own_name.status == 200
