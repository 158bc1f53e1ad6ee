"""Reporting usage once and exactly."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.tools.suger import usage_record_lookups
from tools.suger.desk import OPERATION, OTHER_OPERATION, Desk

pytestmark = pytest.mark.anyio

REPORT_PATH = "/suger/org/sandbox/entitlement/*/usageRecordGroup"
LIST_PATH = "/suger/org/sandbox/usageRecordGroup"


async def test_reported_usage_reaches_the_vendor_exactly_and_comes_back_as_text(desk: Desk) -> None:
    group = await desk.report(
        body={
            "records": {"api_calls": "0.10000000000000000001", "storage_gb": 2},
            "timestamp": "2026-11-20T12:30:00+01:00",
        },
        operationId=OPERATION,
    )
    assert group["id"] == group["operationId"] == OPERATION
    assert group["status"] == "CREATED"
    assert group["records"] == {"api_calls": "0.10000000000000000001", "storage_gb": "2"}
    assert "replayed" not in group
    [kept] = await desk.groups()
    assert kept["id"] == OPERATION
    assert kept["records"] == {"api_calls": Decimal("0.10000000000000000001"), "storage_gb": 2}
    assert kept["metaInfo"]["timestamp"] == "2026-11-20T11:30:00.000Z"


async def test_without_an_operation_id_each_report_is_a_new_group(desk: Desk) -> None:
    first, second = await desk.report(), await desk.report()
    assert first["id"] == first["operationId"] != second["id"]
    assert len(await desk.groups()) == 2


async def test_a_second_report_with_the_same_id_is_answered_with_the_first_group(
    desk: Desk,
) -> None:
    first = await desk.report(operationId=OPERATION, body={"timestamp": "2026-11-20T11:00:00Z"})
    again = await desk.report(operationId=OPERATION, body={"timestamp": "2026-11-20T11:00:00.000Z"})
    assert again == first | {"replayed": True}
    assert await desk.effects() == ["usage-record-group.reported"]


async def test_a_replay_is_recognised_behind_a_dimension_mapping(desk: Desk) -> None:
    mapping = {"calls": [{"dimensionKey": "api_calls", "convertionMultiplier": 3}]}
    config = {"partner": "AWS", "enableDimensionMapping": True, "dimensionMappingV2": mapping}
    await desk.wire(
        "PATCH",
        "/suger/org/sandbox/usageMeteringConfigInfo",
        {"partnerUsageMeteringConfigs": [config]},
    )
    body = {"records": {"calls": "2"}}
    first = await desk.report(body=body, operationId=OPERATION)
    assert first["records"] == {"api_calls": "6"}
    assert (await desk.report(body=body, operationId=OPERATION))["replayed"] is True


async def test_a_lost_answer_is_repeated_under_the_same_id_and_applied_once(desk: Desk) -> None:
    await desk.faults({"mode": "truncate", "path": REPORT_PATH, "times": 1})
    group = await desk.report()
    assert group["id"] == group["operationId"]
    assert group["replayed"] is True
    assert await desk.fired() == [1]
    assert await desk.effects() == ["usage-record-group.reported"]


async def test_an_outage_before_the_report_is_retried_to_success(desk: Desk) -> None:
    await desk.faults({"mode": "status", "status": 503, "path": REPORT_PATH, "times": 2})
    assert (await desk.report())["status"] == "CREATED"
    assert await desk.fired() == [2]
    assert await desk.effects() == ["usage-record-group.reported"]


async def test_a_report_that_stays_unanswered_says_how_to_repeat_it_safely(desk: Desk) -> None:
    await desk.faults({"mode": "status", "status": 503, "path": REPORT_PATH})
    error = await desk.report_refused(body={"records": {"api_calls": "5"}, "id": OPERATION.upper()})
    assert error["kind"] == "outcome-unknown"
    # The caller's own id is the operation, in the one spelling in which ids are sent.
    assert error["operationId"] == OPERATION
    assert OPERATION in error["next"]


@pytest.mark.parametrize(
    "body",
    [
        {"records": {"api_calls": "6"}},
        {"records": {"storage_gb": "5"}},
        {"records": {"api_calls": "5"}, "timestamp": "2026-11-20T09:00:00Z"},
        {"billableRecords": [{"key": "nodes", "quantity": "5"}]},
    ],
)
async def test_an_id_that_was_used_for_other_usage_is_a_conflict(
    desk: Desk, body: dict[str, Any]
) -> None:
    await desk.report(operationId=OPERATION)
    await desk.forget()
    error = await desk.report_refused(body=body, operationId=OPERATION)
    assert error["kind"] == "conflict"
    assert "already reported with other usage" in error["message"]
    assert "leave operationId" in error["next"]
    assert len(await desk.groups()) == 1


async def test_an_id_of_another_entitlement_is_a_conflict(desk: Desk) -> None:
    await desk.report(operationId=OPERATION)
    await desk.forget()
    error = await desk.report_refused(
        "on-gcp", body={"records": {"api_calls": "5"}}, operationId=OPERATION
    )
    assert error["kind"] == "conflict"
    assert "not to entitlement on-gcp" in error["message"]


async def test_an_id_of_a_deleted_group_does_not_pass_for_reported_usage(desk: Desk) -> None:
    await desk.report(operationId=OPERATION)
    await desk.ask("delete-usagerecordgroup", usageRecordGroupId=OPERATION)
    await desk.forget()
    error = await desk.report_refused(body={"records": {"api_calls": "5"}}, operationId=OPERATION)
    assert error["kind"] == "conflict"
    assert "deleted since" in error["message"]


async def test_a_group_that_cannot_be_read_back_is_not_reported_under_a_new_id(desk: Desk) -> None:
    await desk.report(operationId=OPERATION)
    await desk.forget()
    await desk.faults({"mode": "status", "status": 503, "method": "GET", "path": LIST_PATH})
    error = await desk.report_refused(body={"records": {"api_calls": "5"}}, operationId=OPERATION)
    assert error["kind"] == "outcome-unknown"
    assert "already reported" in error["message"]
    assert f"operationId {OPERATION}" in error["next"]


async def test_a_conflict_over_an_id_nobody_gave_is_told_as_the_vendor_says_it(desk: Desk) -> None:
    await desk.faults({"mode": "status", "status": 409, "path": REPORT_PATH})
    error = await desk.report_refused(body={"records": {"api_calls": "5"}})
    assert error["kind"] == "conflict"
    assert "answers 409" in error["message"]


async def test_the_group_is_looked_for_on_later_pages_up_to_a_bound(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_record_lookups, "PAGE", 1)
    monkeypatch.setattr(usage_record_lookups, "PAGES_SEARCHED", 2)
    await desk.report(operationId=OPERATION)
    await desk.report(operationId=OTHER_OPERATION)
    await desk.forget()
    assert (await desk.report(operationId=OPERATION))["replayed"] is True
    await desk.report()
    await desk.forget()
    error = await desk.report_refused(body={"records": {"api_calls": "5"}}, operationId=OPERATION)
    assert error["kind"] == "outcome-unknown"


async def test_what_the_seeds_body_repeats_is_taken_when_it_agrees(desk: Desk) -> None:
    group = await desk.report(
        orgId="sandbox",
        body={"organizationID": "sandbox", "entitlementID": "on-aws", "id": OPERATION},
    )
    assert group["id"] == group["operationId"] == OPERATION
    await desk.forget()
    again = await desk.report(operationId=OPERATION, body={"id": OPERATION.upper()})
    assert again["replayed"] is True


@pytest.mark.parametrize(
    ("repeated", "field"),
    [
        ({"organizationID": "elsewhere"}, "body.organizationID"),
        ({"entitlementID": "on-gcp"}, "body.entitlementID"),
        ({"id": OTHER_OPERATION}, "body.id"),
    ],
)
async def test_a_body_that_contradicts_the_arguments_is_not_sent(
    desk: Desk, repeated: dict[str, str], field: str
) -> None:
    error = await desk.report_refused(
        body={"records": {"api_calls": "5"}} | repeated, operationId=OPERATION
    )
    assert (error["kind"], error["field"]) == ("invalid-request", field)
    assert await desk.groups() == []


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        ({}, "body", "at least one entry"),
        ({"records": {}}, "body", "at least one entry"),
        (
            {"records": {"api_calls": 1}, "billableRecords": [{"key": "nodes", "quantity": 1}]},
            "body",
            "never in both",
        ),
        ({"records": {"api_calls": "0", "storage_gb": 0}}, "body", "above 0"),
        ({"billableRecords": [{"key": "nodes", "quantity": "0.0"}]}, "body", "above 0"),
        ({"records": {"api_calls": "-1"}}, "body.records.api_calls", "at least 0"),
        ({"records": {"api_calls": "1e3"}}, "body.records.api_calls", "plain decimal"),
        (
            {"billableRecords": [{"key": "nodes", "quantity": -1}]},
            "body.billableRecords[0].quantity",
            "at least 0",
        ),
        ({"records": {"api_calls": 1}, "timestamp": "yesterday"}, "body.timestamp", "UTC time"),
        ({"records": {"api_calls": 1}, "id": "group-1"}, "body.id", "a UUID"),
        ({"records": {"api_calls": 1}, "metaInfo": {}}, "body.metaInfo", "no field"),
        ({"record": {"api_calls": 1}}, "body.record", "did you mean records?"),
        (
            {"billableRecords": [{"key": "nodes", "properties": {"os": None}}]},
            "body.billableRecords[0].properties",
            "os is none of them",
        ),
        (
            {"billableRecords": [{"key": "nodes", "properties": "linux"}]},
            "body.billableRecords[0].properties",
            "an object",
        ),
        (
            {"billableRecords": [{"key": "nodes", "properties": {"x": 0.12345678901234567}}]},
            "body.billableRecords[0].properties",
            "x must be a string",
        ),
    ],
)
async def test_usage_that_cannot_be_meant_names_its_field_and_is_not_sent(
    desk: Desk, body: dict[str, Any], field: str, told: str
) -> None:
    error = await desk.report_refused(body=body)
    assert error["kind"] == "invalid-request"
    assert error["field"] == field
    assert told in error["message"]
    assert await desk.groups() == []


async def test_usage_of_a_billable_metric_keeps_its_properties_exactly(desk: Desk) -> None:
    await desk.ask(
        "create-billable-metric",
        body={"id": "nodes", "name": "Nodes", "aggregationType": "SUM"},
    )
    body = {
        "records": {},
        "billableRecords": [
            {"key": "nodes", "quantity": "1.5", "properties": {"os": "linux", "size": 0.1}},
            {"key": "nodes", "properties": {"spot": True}},
            {"key": "nodes", "quantity": None, "properties": None},
        ],
    }
    group = await desk.report(body=body, operationId=OPERATION)
    assert group["metaInfo"]["billableRecords"] == [
        {"key": "nodes", "quantity": "1.5", "properties": {"os": "linux", "size": "0.1"}},
        {"key": "nodes", "properties": {"spot": True}},
        {"key": "nodes"},
    ]
    [kept] = await desk.groups()
    assert kept["metaInfo"]["billableRecords"][0]["properties"]["size"] == Decimal("0.1")
    assert (await desk.report(body=body, operationId=OPERATION))["replayed"] is True


async def test_the_vendors_refusal_of_usage_is_quoted(desk: Desk) -> None:
    error = await desk.report_refused(body={"records": {"unheard_of": "1"}})
    assert error["kind"] == "invalid-request"
    assert "unheard_of is not a usage dimension" in error["message"]


async def test_an_unknown_entitlement_is_not_found_and_says_where_ids_are_shown(desk: Desk) -> None:
    error = await desk.report_refused("nowhere", body={"records": {"api_calls": "1"}})
    assert (error["kind"], error["field"]) == ("not-found", "entitlementId")
    assert "list-usagerecordgroups" in error["next"]


async def test_another_organisation_is_not_found(desk: Desk) -> None:
    error = await desk.refused("list-usagerecordgroups", orgId="another")
    assert (error["kind"], error["field"]) == ("not-found", "orgId")
    assert "without it the organisation of this server is meant" in error["next"]


async def test_where_an_entitlement_is_not_found_the_organisation_may_be_the_wrong_one(
    desk: Desk,
) -> None:
    usage = {"records": {"api_calls": "1"}}
    error = await desk.report_refused(body=usage, orgId="another")
    assert error["next"].endswith("Check orgId as well.")
