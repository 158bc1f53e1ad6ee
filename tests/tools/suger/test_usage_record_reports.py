"""What was told to the marketplaces, as it can be listed."""

from typing import Any

import pytest

from tools.suger.desk import OPERATION, Desk

pytestmark = pytest.mark.anyio


async def test_a_report_shows_what_the_marketplace_was_told(desk: Desk) -> None:
    await desk.report("on-gcp", body={"records": {"api_calls": "2.5"}}, operationId=OPERATION)
    await desk.hourly_report()
    page = await desk.ask("list-usagerecordreports")
    assert (page["count"], page["hasMore"]) == (1, False)
    [row] = page["data"]
    [group] = await desk.groups()
    assert row["id"] == group["usageRecordReportID"]
    assert (row["entitlementID"], row["partner"], row["buyerID"]) == ("on-gcp", "GCP", "buyer-gcp")
    assert row["info"]["status"] == "SUCCESS"
    assert row["info"]["reportedRecords"] == {"api_calls": "2.5"}
    assert "usageRecordGroupIds" not in row["info"]


async def test_a_full_report_names_its_groups_and_prices(desk: Desk) -> None:
    await desk.report("on-gcp", operationId=OPERATION)
    await desk.hourly_report()
    [row] = (await desk.ask("list-usagerecordreports", detail="full"))["data"]
    assert row["info"]["usageRecordGroupIds"] == [OPERATION]
    assert row["info"]["dimensionUnitPrice"] == {"api_calls": "0.01"}
    assert row["productID"] == "prod-1"


async def test_a_refused_report_says_why(desk: Desk) -> None:
    await desk.report()
    await desk.hourly_report(refuse=["on-aws"])
    [row] = (await desk.ask("list-usagerecordreports"))["data"]
    assert row["info"]["status"] == "FAILED"
    assert row["info"]["message"]


async def test_reports_are_listed_by_each_filter_and_paged(desk: Desk) -> None:
    await desk.report("on-aws")
    await desk.report("on-gcp")
    await desk.hourly_report()

    async def entitlements(**filters: Any) -> set[str]:
        page = await desk.ask("list-usagerecordreports", **filters)
        return {row["entitlementID"] for row in page["data"]}

    assert await entitlements() == {"on-aws", "on-gcp"}
    for wanted in ({"partner": "GCP"}, {"buyerId": "buyer-gcp"}, {"entitlementId": "on-gcp"}):
        assert await entitlements(**wanted) == {"on-gcp"}
    assert await entitlements(startDate="2026-11-20") == {"on-aws", "on-gcp"}
    assert await entitlements(endDate="2026-11-19") == set()
    first = await desk.ask("list-usagerecordreports", limit=1)
    assert (first["hasMore"], first["nextOffset"]) == (True, 1)
    second = await desk.ask("list-usagerecordreports", limit=1, offset=1)
    assert second["hasMore"] is False
    assert {row["entitlementID"] for row in [*first["data"], *second["data"]]} == {
        "on-aws",
        "on-gcp",
    }


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"startDate": "2026-11-21", "endDate": "2026-11-20"}, "startDate"),
        ({"endDate": "2026-02-30"}, "endDate"),
        ({"partner": "aws"}, "partner"),
        ({"entitlementId": ""}, "entitlementId"),
        ({"limit": 0}, "limit"),
        ({"status": "FAILED"}, "status"),
    ],
)
async def test_a_filter_that_cannot_be_meant_names_its_field(
    desk: Desk, arguments: dict[str, Any], field: str
) -> None:
    error = await desk.refused("list-usagerecordreports", **arguments)
    assert (error["kind"], error["field"]) == ("invalid-request", field)
