"""The usage metering config, and what its mapping does to reported records."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.suger.wire import Wire

EMPTY: dict[str, Any] = {"partnerUsageMeteringConfigs": []}


def test_an_organization_that_set_nothing_has_an_empty_config(wire: Wire) -> None:
    assert wire.ask("GET", "/usageMeteringConfigInfo").body == EMPTY


def test_an_update_replaces_the_whole_list(wire: Wire) -> None:
    first = {"partnerUsageMeteringConfigs": [{"partner": "AWS"}, {"partner": "GCP"}]}
    second = {
        "partnerUsageMeteringConfigs": [
            {
                "partner": "AZURE",
                "enableDimensionMapping": True,
                "dimensionMappingV2": {
                    "calls": [
                        {
                            "dimensionKey": "api_calls",
                            "mappingMode": "QUANTITY",
                            "convertionMultiplier": Decimal("0.001"),
                        }
                    ]
                },
            }
        ]
    }
    assert wire.ask("PATCH", "/usageMeteringConfigInfo", first).body == first
    assert wire.ask("PATCH", "/usageMeteringConfigInfo", second).body == second
    assert wire.ask("GET", "/usageMeteringConfigInfo").body == second


def test_an_update_without_a_list_changes_nothing(wire: Wire) -> None:
    wire.configure(partner="AWS")
    answer = wire.ask("PATCH", "/usageMeteringConfigInfo", {})
    assert answer.body == {"partnerUsageMeteringConfigs": [{"partner": "AWS"}]}


def v2(**destination: Any) -> dict[str, Any]:
    return {"partner": "AWS", "dimensionMappingV2": {"calls": [destination]}}


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({}, "[0].partner is required"),
        ({"partner": "NOBODY"}, "[0].partner"),
        ({"partner": "AWS", "enableDimensionMapping": "yes"}, "[0].enableDimensionMapping"),
        ({"partner": "AWS", "dimensionMappingV2": {"calls": []}}, "dimensionMappingV2.calls"),
        (v2(), "calls[0].dimensionKey"),
        (v2(dimensionKey="a", mappingMode="TIMES"), "calls[0].mappingMode"),
        (v2(dimensionKey="a", convertionMultiplier=0), "calls[0].convertionMultiplier"),
        ({"partner": "AWS", "dimensionMapping": {"calls": {}}}, "dimensionMapping.calls"),
    ],
)
def test_a_malformed_config_is_refused_and_the_old_one_kept(
    wire: Wire, config: dict[str, Any], names: str
) -> None:
    wire.configure(partner="GCP")
    body = {"partnerUsageMeteringConfigs": [config]}
    answer = wire.ask("PATCH", "/usageMeteringConfigInfo", body)
    assert answer.status == 400
    assert names in answer.body
    kept = wire.ask("GET", "/usageMeteringConfigInfo").body
    assert kept == {"partnerUsageMeteringConfigs": [{"partner": "GCP"}]}


def test_one_partner_cannot_be_configured_twice(wire: Wire) -> None:
    body = {"partnerUsageMeteringConfigs": [{"partner": "AWS"}, {"partner": "AWS"}]}
    assert wire.ask("PATCH", "/usageMeteringConfigInfo", body).status == 400


def mapped(wire: Wire, entitlement_id: str, **records: Any) -> Any:
    answer = wire.report(entitlement_id, records=records)
    assert answer.status == 200, answer.body
    assert answer.body["metaInfo"]["originRecords"] == records
    return answer.body["records"]


TO_BOTH = {
    "calls": [
        {"dimensionKey": "api_calls", "convertionMultiplier": Decimal("0.001")},
        {"dimensionKey": "storage_gb", "mappingMode": "QUANTITY"},
    ]
}


def test_one_key_is_mapped_to_several_dimensions_and_the_original_is_kept(wire: Wire) -> None:
    wire.configure(partner="AWS", enableDimensionMapping=True, dimensionMappingV2=TO_BOTH)
    assert mapped(wire, "on-aws", calls=2500) == {"api_calls": Decimal("2.5"), "storage_gb": 2500}


def test_a_key_without_a_mapping_stays_and_adds_to_what_is_mapped_to_it(wire: Wire) -> None:
    wire.configure(partner="AWS", enableDimensionMapping=True, dimensionMappingV2=TO_BOTH)
    assert mapped(wire, "on-aws", calls=1000, api_calls=2) == {"api_calls": 3, "storage_gb": 1000}


def test_by_amount_the_reported_number_is_money_in_units_of_the_dimension(wire: Wire) -> None:
    to_calls = {"dollars": [{"dimensionKey": "api_calls", "mappingMode": "AMOUNT"}]}
    wire.configure(partner="GCP", enableDimensionMapping=True, dimensionMappingV2=to_calls)
    # 12.34 at 0.01 each
    assert mapped(wire, "on-gcp", dollars=Decimal("12.34")) == {"api_calls": 1234}


def test_the_deprecated_mapping_counts_where_the_newer_one_is_silent(wire: Wire) -> None:
    wire.configure(
        partner="AWS",
        enableDimensionMapping=True,
        dimensionMapping={
            "calls": {"dimensionKey": "api_calls", "convertionMultiplier": 10},
            "bytes": {"dimensionKey": "storage_gb", "convertionMultiplier": 20},
        },
        dimensionMappingV2={"calls": [{"dimensionKey": "api_calls", "convertionMultiplier": 3}]},
    )
    assert mapped(wire, "on-aws", calls=1, bytes=1) == {"api_calls": 3, "storage_gb": 20}


@pytest.mark.parametrize(
    "config",
    [
        {"partner": "AWS", "dimensionMappingV2": TO_BOTH},
        {"partner": "GCP", "enableDimensionMapping": True, "dimensionMappingV2": TO_BOTH},
    ],
)
def test_a_mapping_that_is_off_or_another_marketplace_s_maps_nothing(
    wire: Wire, config: dict[str, Any]
) -> None:
    wire.configure(**config)
    answer = wire.report("on-aws", records={"calls": 1})
    assert (answer.status, answer.body) == (
        400,
        "calls is not a usage dimension of entitlement on-aws",
    )


def test_a_mapping_to_no_dimension_of_the_entitlement_is_refused_at_the_report(wire: Wire) -> None:
    wire.configure(
        partner="AWS",
        enableDimensionMapping=True,
        dimensionMappingV2={"calls": [{"dimensionKey": "seats"}]},
    )
    answer = wire.report("on-aws", records={"calls": 1})
    assert answer.status == 400
    assert answer.body.startswith("seats is not a usage dimension")


def test_a_mapping_by_amount_needs_a_price(wire: Wire) -> None:
    wire.entitle("free", "buyer-aws", info={"dimensions": [{"key": "calls", "name": "Calls"}]})
    wire.configure(
        partner="AWS",
        enableDimensionMapping=True,
        dimensionMappingV2={"dollars": [{"dimensionKey": "calls", "mappingMode": "AMOUNT"}]},
    )
    answer = wire.report("free", records={"dollars": 1})
    assert (answer.status, answer.body) == (
        400,
        "dollars is mapped by amount to calls, which has no price",
    )
