"""Following reported usage: listing, retrying, deleting."""

from typing import Any

import pytest

from billing_mcp.server import BillingServer
from tools.suger.desk import OPERATION, OTHER_OPERATION, Desk

pytestmark = pytest.mark.anyio

LIST_PATH = "/suger/org/sandbox/usageRecordGroup"


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
