"""What a plan of each of Suger's writes says, worked by hand, and what cannot be planned."""

from typing import Any

import pytest

from good_calls import FAILED_GROUP, FRESH_GROUP, good_calls
from guard.guarded import guarded
from tools.planning import planned, refused, shown
from world import OPERATION

pytestmark = pytest.mark.anyio

CONFIG = "/suger/org/sandbox/usageMeteringConfigInfo"


async def test_a_report_is_told_with_its_quantities_and_how_it_is_taken_back() -> None:
    async with guarded() as at:
        body = {"records": {"api_calls": "2.50"}, "timestamp": "2026-11-20T10:00:00Z"}
        call = {"entitlementId": "on-aws", "body": body, "operationId": OPERATION}
        plan = await planned(at, "report-usagerecordgroup", **call)
    assert plan["effect"] == (
        "Reports usage of 2026-11-20T10:00:00Z of entitlement on-aws: 2.50 of api_calls. The next "
        "hourly report bills it. What it costs is up to the entitlement and the marketplace."
    )
    assert shown(plan) == (
        None,
        {"status": "CREATED", "records": {"api_calls": "2.50"}, "billableRecords": {}},
    )
    assert plan["undo"] == f"delete-usagerecordgroup of {OPERATION}, until the next hourly report."


@pytest.mark.parametrize(
    ("change", "kind", "field", "words"),
    [
        ({"body": {"records": {"seats": "1"}}}, "invalid-request", "body", "seats is not a usage"),
        ({"entitlementId": "on-mars"}, "invalid-request", "body", "on-mars"),
        (
            {"body": {"records": {"api_calls": "1"}, "entitlementID": "on-gcp"}},
            "invalid-request",
            "body.entitlementID",
            "nothing was sent",
        ),
        (
            {"body": {"records": {"api_calls": "1"}, "id": FRESH_GROUP}},
            "conflict",
            "operationId",
            "was already reported; it is CREATED",
        ),
        (
            {"body": {"records": {"api_calls": "1"}, "id": FRESH_GROUP}, "operationId": OPERATION},
            "invalid-request",
            "body.id",
            "differ",
        ),
    ],
)
async def test_usage_that_the_vendor_would_refuse_is_not_planned(
    change: dict[str, Any], kind: str, field: str, words: str
) -> None:
    async with guarded() as at:
        call = good_calls(at.world)["report-usagerecordgroup"] | change
        error = await refused(at, "report-usagerecordgroup", **call)
    assert (error["kind"], error["field"]) == (kind, field)
    assert words in error["message"]


async def test_a_batch_is_summed_up_by_entitlement() -> None:
    """1.5 + 2 = 3.5 calls, and two records of the metric nodes."""
    nodes = {"key": "nodes", "quantity": "4"}
    batch = [
        {"entitlementID": "on-aws", "records": {"api_calls": "1.5"}},
        {"entitlementID": "on-aws", "records": {"api_calls": "2"}},
        {"entitlementID": "on-aws", "billableRecords": [nodes, nodes]},
    ]
    async with guarded() as at:
        plan = await planned(at, "batch-report-usagerecordgroups", body=batch)
    assert plan["effect"].startswith(
        "Reports 3 usage record groups: 3 of entitlement on-aws (3.5 of api_calls and 2 records of "
        "metric nodes). Nothing dedupes them: usage that was reported before is billed again."
    )
    assert plan["after"] == {
        "groups": 3,
        "entitlements": 1,
        "byEntitlement": {
            "on-aws": {
                "groups": 3,
                "records": {"api_calls": "3.5"},
                "billableRecords": {"nodes": 2},
            }
        },
    }


async def test_a_batch_with_one_bad_group_is_not_planned_and_the_vendor_says_which() -> None:
    good = {"entitlementID": "on-aws", "records": {"api_calls": "1"}}
    async with guarded() as at:
        batch = [good, good | {"records": {"seats": "1"}}]
        error = await refused(at, "batch-report-usagerecordgroups", body=batch)
    assert (error["kind"], error["field"]) == ("invalid-request", "body")
    assert "usage record group [1]: seats is not a usage dimension" in error["message"]


@pytest.mark.parametrize(
    ("tool", "group", "before", "after", "words"),
    [
        (
            "retry-usagerecordgroup",
            FAILED_GROUP,
            "REPORT_FAILED",
            "CREATED",
            "Puts {} into the next hourly report, which bills it.",
        ),
        (
            "delete-usagerecordgroup",
            FRESH_GROUP,
            "CREATED",
            "DELETED",
            "Takes back {}: it is never billed.",
        ),
    ],
)
async def test_a_group_is_told_with_its_usage_its_buyer_and_its_status(
    tool: str, group: str, before: str, after: str, words: str
) -> None:
    async with guarded() as at:
        plan = await planned(at, tool, **good_calls(at.world)[tool])
    usage = {"records": {"api_calls": "5"}}
    told = f"group {group} (5 of api_calls) of entitlement on-aws (AWS, buyer buyer-aws)"
    assert plan["effect"].startswith(words.format(f"usage record {told}"))
    assert shown(plan) == ({"status": before, **usage}, {"status": after, **usage})
    assert plan["provided"] == {"status": before}


@pytest.mark.parametrize(
    ("tool", "group", "status"),
    [
        ("retry-usagerecordgroup", FRESH_GROUP, "CREATED"),
        ("delete-usagerecordgroup", FAILED_GROUP, "REPORT_FAILED"),
    ],
)
async def test_a_group_whose_status_forbids_it_makes_no_plan(
    tool: str, group: str, status: str
) -> None:
    async with guarded() as at:
        good_calls(at.world)
        error = await refused(at, tool, usageRecordGroupId=group)
    assert (error["kind"], error["field"]) == ("conflict", "usageRecordGroupId")
    assert f"is {status};" in error["message"]


async def test_usage_that_was_billed_cannot_be_planned_away() -> None:
    async with guarded() as at:
        good_calls(at.world)
        at.world.sandbox.backend.run_job("marketplace-report", {})
        error = await refused(at, "delete-usagerecordgroup", usageRecordGroupId=FRESH_GROUP)
    assert error["kind"] == "conflict"
    assert "is REPORTED; only CREATED or INVALID can be deleted" in error["message"]


@pytest.mark.parametrize("day", [None, "2026-11-01"])
async def test_a_group_is_looked_for_on_its_day_or_in_the_last_thirty(day: str | None) -> None:
    async with guarded() as at:
        good_calls(at.world)
        group = FRESH_GROUP if day else OPERATION
        call = {"usageRecordGroupId": group, "creationDate": day}
        error = await refused(at, "delete-usagerecordgroup", **call)
    assert (error["kind"], error["field"]) == ("not-found", "usageRecordGroupId")
    assert ("on 2026-11-01" if day else "in the last 30 days") in error["message"]


async def test_a_new_metric_is_told_with_what_it_counts() -> None:
    rules = {
        "propertyUniqueOn": "user",
        "groupBys": ["region"],
        "filterGroups": [{"filters": [{"name": "plan", "operation": "IS", "value": "gold"}]}],
    }
    body = {"id": "users", "name": "Users", "aggregationType": "UNIQUE_COUNT", "info": rules}
    async with guarded() as at:
        plan = await planned(at, "create-billable-metric", body=body)
    assert plan["effect"] == (
        'Creates billable metric users ("Users"), the UNIQUE_COUNT of records by their "user" that '
        'pass 1 filter group, for each "region". Only its name, description and status can be '
        "changed later."
    )
    assert plan["undo"] == "update-billable-metric of users with status DELETED retires it."


async def test_a_metric_whose_id_is_taken_makes_no_plan() -> None:
    async with guarded() as at:
        body = {"id": "nodes", "name": "Other", "aggregationType": "SUM"}
        error = await refused(at, "create-billable-metric", body=body)
    assert (error["kind"], error["field"]) == ("conflict", "body.id")
    assert 'nodes ("Nodes used") already' in error["message"]


async def test_a_change_of_a_metric_is_told_with_what_it_was() -> None:
    async with guarded() as at:
        body = {"name": "Nodes, all", "status": "DELETED"}
        plan = await planned(at, "update-billable-metric", billableMetricId="nodes", body=body)
        error = await refused(at, "update-billable-metric", billableMetricId="none", body=body)
    assert plan["effect"] == (
        'Changes billable metric nodes ("Nodes used"): name "Nodes used" becomes "Nodes, all"; '
        'status "ACTIVE" becomes "DELETED". Usage can no longer be reported by it.'
    )
    before = {"name": "Nodes used", "status": "ACTIVE"}
    assert shown(plan) == (before, body)
    assert plan["provided"] == before
    assert plan["undo"] == 'update-billable-metric with name "Nodes used" and status "ACTIVE".'
    assert error["kind"] == "not-found"


async def test_a_new_config_is_told_by_what_it_adds_changes_and_drops() -> None:
    mapped = {"calls": [{"dimensionKey": "api_calls", "mappingMode": "QUANTITY"}]}
    present: list[dict[str, Any]] = [
        {"partner": "AWS", "enableDimensionMapping": True, "dimensionMappingV2": mapped},
        {"partner": "GCP", "enableBillableDimension": False},
        {"partner": "AZURE", "enableBillableDimension": True},
    ]
    same = {"calls": [{"dimensionKey": "api_calls"}]}
    wanted: list[dict[str, Any]] = [
        {"partner": "AWS", "enableDimensionMapping": False, "dimensionMappingV2": same},
        {"partner": "GCP"},
        {"partner": "ORB"},
    ]
    async with guarded() as at:
        at.world.ask("PATCH", CONFIG, {"partnerUsageMeteringConfigs": present})
        body = {"partnerUsageMeteringConfigs": wanted}
        plan = await planned(at, "update-usage-metering-config-info", body=body)
    assert plan["effect"] == (
        "Replaces the whole usage metering config of organisation sandbox, which says how all "
        "usage is billed: AWS has another enableDimensionMapping; AZURE is gone; ORB is added."
    )
    before = {"partnerUsageMeteringConfigs": present}
    assert shown(plan) == (before, body)
    assert plan["provided"] == before


async def test_a_config_that_is_there_already_changes_nothing() -> None:
    body = {"partnerUsageMeteringConfigs": [{"partner": "AWS", "enableBillableDimension": True}]}
    async with guarded() as at:
        at.world.ask("PATCH", CONFIG, body)
        plan = await planned(at, "update-usage-metering-config-info", body=body)
    assert plan["effect"].endswith("nothing changes by it.")
