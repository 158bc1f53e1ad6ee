"""Reporting usage once and exactly, and following it to the marketplace."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.server import BillingServer
from billing_mcp.tools.suger import usage_record_groups
from tools.suger.desk import OPERATION, OTHER_OPERATION, Desk

pytestmark = pytest.mark.anyio

REPORT_PATH = "/suger/org/sandbox/entitlement/*/usageRecordGroup"
LIST_PATH = "/suger/org/sandbox/usageRecordGroup"
VALIDATE_PATH = "/suger/org/sandbox/batchValidateUsageRecordGroups"
BATCH_PATH = "/suger/org/sandbox/batchCreateUsageRecordGroups"


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
    error = await desk.report_refused(body=body, operationId=OPERATION)
    assert error["kind"] == "conflict"
    assert "already reported with other usage" in error["message"]
    assert "leave operationId" in error["next"]
    assert len(await desk.groups()) == 1


async def test_an_id_of_another_entitlement_is_a_conflict(desk: Desk) -> None:
    await desk.report(operationId=OPERATION)
    error = await desk.report_refused(
        "on-gcp", body={"records": {"api_calls": "5"}}, operationId=OPERATION
    )
    assert error["kind"] == "conflict"
    assert "not to entitlement on-gcp" in error["message"]


async def test_an_id_of_a_deleted_group_does_not_pass_for_reported_usage(desk: Desk) -> None:
    await desk.report(operationId=OPERATION)
    await desk.ask("delete-usagerecordgroup", usageRecordGroupId=OPERATION)
    error = await desk.report_refused(body={"records": {"api_calls": "5"}}, operationId=OPERATION)
    assert error["kind"] == "conflict"
    assert "deleted since" in error["message"]


async def test_a_group_that_cannot_be_read_back_is_not_reported_under_a_new_id(desk: Desk) -> None:
    await desk.report(operationId=OPERATION)
    await desk.faults({"mode": "status", "status": 503, "method": "GET", "path": LIST_PATH})
    error = await desk.report_refused(body={"records": {"api_calls": "5"}}, operationId=OPERATION)
    assert error["kind"] == "conflict"
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
    monkeypatch.setattr(usage_record_groups, "PAGE", 1)
    monkeypatch.setattr(usage_record_groups, "PAGES_SEARCHED", 2)
    await desk.report(operationId=OPERATION)
    await desk.report(operationId=OTHER_OPERATION)
    assert (await desk.report(operationId=OPERATION))["replayed"] is True
    await desk.report()
    error = await desk.report_refused(body={"records": {"api_calls": "5"}}, operationId=OPERATION)
    assert error["kind"] == "conflict"


async def test_what_the_seeds_body_repeats_is_taken_when_it_agrees(desk: Desk) -> None:
    group = await desk.report(
        orgId="sandbox",
        body={"organizationID": "sandbox", "entitlementID": "on-aws", "id": OPERATION},
    )
    assert group["id"] == group["operationId"] == OPERATION
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
    assert error["kind"] == "not-found"


def batch(*quantities: str) -> list[dict[str, Any]]:
    return [
        {"entitlementID": "on-aws", "records": {"api_calls": quantity}} for quantity in quantities
    ]


async def test_a_valid_batch_is_valid_and_nothing_is_reported(desk: Desk) -> None:
    answer = await desk.ask("batch-validate-usagerecordgroups", body=batch("1", "2"))
    assert answer == {"environment": "sandbox", "valid": True}
    assert await desk.groups() == []


async def test_what_a_validation_finds_is_a_result_and_asked_once(desk: Desk) -> None:
    body = [*batch("1"), {"entitlementID": "nowhere", "records": {"api_calls": "1"}}]
    answer = await desk.ask("batch-validate-usagerecordgroups", body=body)
    assert answer["valid"] is False
    assert answer["reason"] == (
        "validation failed for usage record group [1]: entitlement nowhere not found"
    )


@pytest.mark.parametrize(
    "fault", [{"mode": "garbage"}, {"mode": "status", "status": 503}, {"mode": "truncate"}]
)
async def test_an_outage_during_validation_is_no_validation_result(
    desk: Desk, fault: dict[str, Any]
) -> None:
    await desk.faults(fault | {"path": VALIDATE_PATH})
    error = await desk.refused("batch-validate-usagerecordgroups", body=batch("1"))
    assert error["kind"] == "unavailable"


async def test_a_batch_is_reported_in_its_order(desk: Desk) -> None:
    answer = await desk.ask(
        "batch-report-usagerecordgroups",
        body=[*batch("1"), {"entitlementID": "on-gcp", "records": {"storage_gb": 0.5}}],
        operationId=OPERATION,
    )
    assert [(row["entitlementID"], row["status"]) for row in answer["data"]] == [
        ("on-aws", "CREATED"),
        ("on-gcp", "CREATED"),
    ]
    assert (answer["count"], answer["hasMore"], answer["operationId"]) == (2, False, OPERATION)
    assert [group["records"] for group in await desk.groups()] == [
        {"storage_gb": Decimal("0.5")},
        {"api_calls": 1},
    ]


async def test_a_batch_too_large_to_show_says_that_all_of_it_was_reported(desk: Desk) -> None:
    answer = await desk.ask(
        "batch-report-usagerecordgroups", body=batch(*["1"] * 300), detail="full"
    )
    assert answer["count"] < 300
    assert answer["note"].startswith(f"300 groups were reported; the first {answer['count']} are")
    assert len(await desk.groups()) == 300


async def test_a_batch_whose_answer_is_lost_is_not_sent_again(desk: Desk) -> None:
    await desk.faults({"mode": "truncate", "path": BATCH_PATH})
    error = await desk.refused("batch-report-usagerecordgroups", body=batch("1"))
    assert error["kind"] == "outcome-unknown"
    assert "list-usagerecordgroups" in error["next"]
    assert await desk.fired() == [1]
    assert len(await desk.groups()) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "body"),
        (batch(*["1"] * 1001), "body"),
        ([*batch("1"), {"entitlementID": "on-aws"}], "body[1]"),
        ([{"records": {"api_calls": "1"}}], "body[0].entitlementID"),
        ([*batch("1", "-2")], "body[1].records.api_calls"),
    ],
)
@pytest.mark.parametrize(
    "tool", ["batch-validate-usagerecordgroups", "batch-report-usagerecordgroups"]
)
async def test_a_batch_that_cannot_be_meant_names_its_field(
    desk: Desk, tool: str, body: list[Any], field: str
) -> None:
    error = await desk.refused(tool, body=body)
    assert (error["kind"], error["field"]) == ("invalid-request", field)
    assert await desk.groups() == []


async def test_groups_are_listed_by_each_filter(desk: Desk) -> None:
    await desk.report(operationId=OPERATION)
    await desk.report("on-gcp", operationId=OTHER_OPERATION)
    await desk.ask("delete-usagerecordgroup", usageRecordGroupId=OTHER_OPERATION)

    async def ids(**filters: Any) -> list[str]:
        page = await desk.ask("list-usagerecordgroups", **filters)
        return [row["id"] for row in page["data"]]

    assert await ids() == [OTHER_OPERATION, OPERATION]
    for wanted in ({"partner": "AWS"}, {"buyerId": "buyer-aws"}, {"entitlementId": "on-aws"}):
        assert await ids(**wanted) == [OPERATION]
    assert await ids(status="DELETED") == [OTHER_OPERATION]
    assert await ids(source="API") == [OTHER_OPERATION, OPERATION]
    assert await ids(source="LAGO") == []
    assert await ids(metaInfo='{"source":"API"}', status="CREATED") == [OPERATION]
    assert await ids(startDate="2026-11-20", endDate="2026-11-20") == [OTHER_OPERATION, OPERATION]
    assert await ids(endDate="2026-11-19") == []


async def test_groups_are_paged_by_offset(desk: Desk) -> None:
    ids = {(await desk.report())["id"] for _ in range(3)}
    first = await desk.ask("list-usagerecordgroups", limit=2)
    assert (first["count"], first["hasMore"], first["nextOffset"]) == (2, True, 2)
    rest = await desk.ask("list-usagerecordgroups", limit=2, offset=first["nextOffset"])
    assert (rest["count"], rest["hasMore"]) == (1, False)
    assert "nextOffset" not in rest
    assert {row["id"] for row in [*first["data"], *rest["data"]]} == ids


async def test_a_concise_row_is_enough_to_follow_the_usage(desk: Desk) -> None:
    group = await desk.report()
    page = await desk.ask("list-usagerecordgroups")
    [row] = page["data"]
    assert row == {
        "id": group["id"],
        "entitlementID": "on-aws",
        "partner": "AWS",
        "buyerID": "buyer-aws",
        "status": "CREATED",
        "records": {"api_calls": "5"},
        "metaInfo": {"billableRecords": []},
        "creationTime": "2026-11-20T12:00:00.000Z",
        "usageRecordReportID": "",
    }
    [full] = (await desk.ask("list-usagerecordgroups", detail="full"))["data"]
    assert full["metaInfo"]["originRecords"] == {"api_calls": "5"}


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"partner": "AWS", "buyerId": "buyer-aws"}, "buyerId"),
        ({"buyerId": "buyer-aws", "entitlementId": "on-aws"}, "entitlementId"),
        ({"startDate": "2026-11-21", "endDate": "2026-11-20"}, "startDate"),
        ({"startDate": "20.11.2026"}, "startDate"),
        ({"partner": "ORACLE"}, "partner"),
        ({"status": "OPEN"}, "status"),
        ({"source": "SPREADSHEET"}, "source"),
        ({"metaInfo": "x" * 2001}, "metaInfo"),
        ({"limit": 1001}, "limit"),
        ({"offset": -1}, "offset"),
        ({"orgID": "sandbox"}, "orgID"),
    ],
)
async def test_a_filter_that_cannot_be_meant_names_its_field(
    desk: Desk, arguments: dict[str, Any], field: str
) -> None:
    error = await desk.refused("list-usagerecordgroups", **arguments)
    assert (error["kind"], error["field"]) == ("invalid-request", field)


async def test_a_failed_report_is_retried_into_the_next_hourly_one(desk: Desk) -> None:
    await desk.report(operationId=OPERATION)
    await desk.hourly_report(refuse=["on-aws"])
    [failed] = (await desk.ask("list-usagerecordgroups", status="REPORT_FAILED"))["data"]
    retried = await desk.ask(
        "retry-usagerecordgroup", usageRecordGroupId=failed["id"], creationDate="2026-11-20"
    )
    assert retried["status"] == "CREATED"
    assert retried["operationId"] != OPERATION
    await desk.hourly_report()
    [reported] = await desk.groups()
    assert reported["status"] == "REPORTED"


async def test_a_deleted_group_is_shown_as_deleted_and_never_reported(desk: Desk) -> None:
    await desk.report(operationId=OPERATION)
    deleted = await desk.ask(
        "delete-usagerecordgroup", usageRecordGroupId=OPERATION, creationDate="2026-11-20"
    )
    assert deleted["status"] == "DELETED"
    await desk.hourly_report()
    [kept] = await desk.groups()
    assert kept["status"] == "DELETED"


@pytest.mark.parametrize("tool", ["delete-usagerecordgroup", "retry-usagerecordgroup"])
async def test_a_group_that_is_not_there_or_not_of_that_day_is_not_found(
    desk: Desk, tool: str
) -> None:
    await desk.report(operationId=OPERATION)
    for arguments in (
        {"usageRecordGroupId": OTHER_OPERATION},
        {"usageRecordGroupId": OPERATION, "creationDate": "2026-11-19"},
    ):
        error = await desk.refused(tool, **arguments)
        assert (error["kind"], error["field"]) == ("not-found", "usageRecordGroupId")


async def test_a_group_in_the_wrong_status_is_refused_with_the_vendors_reason(desk: Desk) -> None:
    await desk.report(operationId=OPERATION)
    error = await desk.refused("retry-usagerecordgroup", usageRecordGroupId=OPERATION)
    assert "only REPORT_FAILED can be retried" in error["message"]
    await desk.hourly_report()
    error = await desk.refused("delete-usagerecordgroup", usageRecordGroupId=OPERATION)
    assert "only CREATED or INVALID can be deleted" in error["message"]


@pytest.mark.parametrize("tool", ["delete-usagerecordgroup", "retry-usagerecordgroup"])
async def test_a_lost_answer_about_a_group_says_how_to_find_out(desk: Desk, tool: str) -> None:
    await desk.report(operationId=OPERATION)
    await desk.faults({"mode": "status", "status": 502, "path": f"{LIST_PATH}/{OPERATION}*"})
    error = await desk.refused(tool, usageRecordGroupId=OPERATION)
    assert error["kind"] == "outcome-unknown"
    assert "list-usagerecordgroups shows its status" in error["next"]
    assert await desk.fired() == [1]


def test_the_hints_are_those_of_the_seeds(server: BillingServer) -> None:
    def hints(tool: str) -> tuple[bool, bool, bool, bool]:
        facts = server.catalog.built(tool).declaration.hints
        return facts.read_only, facts.destructive, facts.idempotent, facts.open_world

    assert hints("batch-validate-usagerecordgroups") == (True, False, False, False)
    assert hints("delete-usagerecordgroup") == (False, True, True, False)
    assert hints("retry-usagerecordgroup") == (False, False, False, False)
