"""Reading and replacing how usage is mapped and metered."""

from decimal import Decimal
from typing import Any

import pytest

from tools.suger.desk import Desk

pytestmark = pytest.mark.anyio

PATH = "/suger/org/sandbox/usageMeteringConfigInfo"


def configs(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"partnerUsageMeteringConfigs": list(entries)}


async def test_a_config_reaches_the_vendor_exactly(desk: Desk) -> None:
    mapping = {
        "calls": [
            {"dimensionKey": "api_calls", "mappingMode": "QUANTITY", "convertionMultiplier": "0.1"},
            {"dimensionKey": "storage_gb", "mappingMode": "AMOUNT"},
        ]
    }
    answer = await desk.ask(
        "update-usage-metering-config-info",
        body=configs(
            {
                "partner": "aws",
                "enableDimensionMapping": True,
                "enableBillableDimension": None,
                "dimensionMappingV2": mapping,
            }
        ),
    )
    assert answer["partnerUsageMeteringConfigs"] == [
        {"partner": "AWS", "enableDimensionMapping": True, "dimensionMappingV2": mapping}
    ]
    [kept] = (await desk.wire("GET", PATH))["partnerUsageMeteringConfigs"]
    assert kept["dimensionMappingV2"]["calls"][0]["convertionMultiplier"] == Decimal("0.1")


async def test_what_was_read_can_be_sent_back_unchanged(desk: Desk) -> None:
    older = {"calls": {"dimensionKey": "api_calls", "convertionMultiplier": 2}}
    await desk.wire(
        "PATCH",
        PATH,
        configs(
            {"partner": "AZURE", "dimensionMapping": older, "enableDimensionMapping": False},
            {"partner": "SNOWFLAKE", "enableCommitWithAdditionalUsageMetering": True},
        ),
    )
    before = await desk.wire("GET", PATH)
    read = await desk.ask("get-usage-metering-config-info")
    await desk.ask(
        "update-usage-metering-config-info",
        body={name: value for name, value in read.items() if name != "environment"},
    )
    assert await desk.wire("GET", PATH) == before


async def test_a_partner_that_is_left_out_is_gone(desk: Desk) -> None:
    await desk.wire("PATCH", PATH, configs({"partner": "AWS"}, {"partner": "GCP"}))
    await desk.ask("update-usage-metering-config-info", body=configs({"partner": "GCP"}))
    read = await desk.ask("get-usage-metering-config-info")
    assert read == {
        "environment": "sandbox",
        "partnerUsageMeteringConfigs": [{"partner": "GCP"}],
    }


async def test_a_partner_the_vendor_does_not_know_is_refused_in_its_words(desk: Desk) -> None:
    error = await desk.refused(
        "update-usage-metering-config-info", body=configs({"partner": "MARS_CLOUD"})
    )
    assert error["kind"] == "invalid-request"
    assert "partner" in error["message"]


MAPPED = "body.partnerUsageMeteringConfigs[0].dimensionMappingV2.calls"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.partnerUsageMeteringConfigs"),
        (configs({"partner": "AWS"}, {"partner": "aws"}), "body"),
        (configs({"enableDimensionMapping": True}), "body.partnerUsageMeteringConfigs[0].partner"),
        (configs({"partner": "A W S"}), "body.partnerUsageMeteringConfigs[0].partner"),
        (configs({"partner": "AWS", "dimensionMappingV2": {"calls": []}}), MAPPED),
        (
            configs({"partner": "AWS", "dimensionMappingV2": {"calls": [{}]}}),
            f"{MAPPED}[0].dimensionKey",
        ),
        (
            configs(
                {
                    "partner": "AWS",
                    "dimensionMappingV2": {
                        "calls": [{"dimensionKey": "api_calls", "convertionMultiplier": "0"}]
                    },
                }
            ),
            f"{MAPPED}[0].convertionMultiplier",
        ),
        (
            configs({"partner": "AWS", "enableDimensionMaping": True}),
            "body.partnerUsageMeteringConfigs[0].enableDimensionMaping",
        ),
    ],
)
async def test_a_config_that_cannot_be_meant_names_its_field_and_changes_nothing(
    desk: Desk, body: dict[str, Any], field: str
) -> None:
    error = await desk.refused("update-usage-metering-config-info", body=body)
    assert (error["kind"], error["field"]) == ("invalid-request", field)
    assert await desk.effects() == []


async def test_a_lost_answer_to_an_update_says_how_to_find_out(desk: Desk) -> None:
    await desk.faults({"mode": "truncate", "path": PATH, "method": "PATCH"})
    error = await desk.refused(
        "update-usage-metering-config-info", body=configs({"partner": "AWS"})
    )
    assert error["kind"] == "outcome-unknown"
    assert "get-usage-metering-config-info" in error["next"]
    assert await desk.fired() == [1]
