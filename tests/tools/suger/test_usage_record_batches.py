"""Checking and reporting usage in batches, which nothing dedupes."""

from decimal import Decimal
from typing import Any

import pytest

from tools.suger.desk import OPERATION, Desk

pytestmark = pytest.mark.anyio

VALIDATE_PATH = "/suger/org/sandbox/batchValidateUsageRecordGroups"
BATCH_PATH = "/suger/org/sandbox/batchCreateUsageRecordGroups"


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
