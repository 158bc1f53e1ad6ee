"""The vendor's own Suger client, over a real socket, decodes everything the sandbox answers."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import suger_sdk_python as sdk
from anyio.from_thread import start_blocking_portal
from suger_sdk_python.exceptions import ApiException

from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox
from billing_mcp.sandbox.serve import serve
from billing_mcp.sandbox.suger.buyers import insert_buyer
from billing_mcp.sandbox.suger.entitlements import insert_entitlement

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORGANIZATION = "sandbox"


@dataclass(frozen=True, slots=True)
class Vendor:
    """The vendor's clients, and the sandbox they talk to.

    The clients are not typed here: every field of their models may be None, which each test
    would have to rule out before it looks.
    """

    metering: Any
    entitlements: Any
    buyers: Any
    sandbox: Sandbox

    def run_job(self, *refuse: str) -> None:
        self.sandbox.backend.run_job("marketplace-report", {"refuse": list(refuse)})

    def group(self, entitlement_id: str, **fields: Any) -> sdk.CreateUsageRecordGroupParams:
        return sdk.CreateUsageRecordGroupParams(
            organizationID=ORGANIZATION,
            entitlementID=entitlement_id,
            **({"records": {"api_calls": 1}} | fields),
        )

    def report(self, entitlement_id: str, **fields: Any) -> Any:
        group = self.group(entitlement_id, **fields)
        return self.metering.report_usage_record_group(ORGANIZATION, entitlement_id, group)


@contextmanager
def served(sandbox: Sandbox) -> Iterator[str]:
    """The address of a sandbox on a free port of the loopback interface."""
    opened: queue.Queue[int] = queue.Queue()
    with start_blocking_portal() as portal:
        serving = portal.start_task_soon(serve, sandbox, "127.0.0.1", 0, opened.put)
        yield f"http://127.0.0.1:{opened.get(timeout=10)}"
        serving.cancel()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A buyer and an entitlement on each marketplace: buyer-aws with on-aws, and so on."""
    sandbox = open_sandbox(SandboxSettings(demo=False))
    dimensions = [{"key": "api_calls", "name": "API calls", "rate": Decimal("0.01")}]
    info = {
        "currency": "USD",
        "commitAmount": Decimal("99.5"),
        "dimensions": dimensions,
        "billableDimensions": [{"billableMetricId": "requests", "category": "basic"}],
    }
    with sandbox.backend.transaction() as call:
        for partner in ("AWS", "AZURE", "GCP"):
            name = partner.lower()
            insert_buyer(
                call,
                id=f"buyer-{name}",
                partner=partner,
                external_id=f"customer-{name}",
                name=f"Buyer on {partner}",
                info={"awsBuyer": {"awsAccountID": "000000000001"}},
                contact_ids=["contact-1"],
            )
            insert_entitlement(
                call,
                id=f"on-{name}",
                buyer_id=f"buyer-{name}",
                name="Plan",
                product_id="product-1",
                start_time=NOON,
                end_time=NOON.replace(year=2027),
                info=info,
            )
    with served(sandbox) as address:
        settings = sdk.Configuration(
            host=f"{address}/suger",
            api_key={"APIKeyAuth": "test"},
            api_key_prefix={"APIKeyAuth": "Key"},
        )
        with sdk.ApiClient(settings) as client:
            apis = sdk.MeteringApi(client), sdk.EntitlementApi(client), sdk.BuyerApi(client)
            yield Vendor(*apis, sandbox)
            client.rest_client.pool_manager.clear()
    sandbox.close()


def test_buyers_are_decoded(vendor: Vendor) -> None:
    listed = vendor.buyers.list_buyers(ORGANIZATION, partner="AZURE")
    assert [buyer.id for buyer in listed] == ["buyer-azure"]
    buyer = vendor.buyers.get_buyer(ORGANIZATION, "buyer-azure")
    assert buyer == listed[0]
    assert buyer.partner.value == "AZURE"
    with pytest.raises(ApiException) as missing:
        vendor.buyers.get_buyer(ORGANIZATION, "nobody")
    assert missing.value.status == 404


def test_entitlements_are_decoded_with_their_usage(vendor: Vendor) -> None:
    vendor.report("on-gcp", records={"api_calls": 2.5})
    vendor.run_job()
    listed = vendor.entitlements.list_entitlements(ORGANIZATION, buyer_id="buyer-gcp")
    assert [entitlement.id for entitlement in listed] == ["on-gcp"]
    entitlement = vendor.entitlements.get_entitlement(ORGANIZATION, "on-gcp")
    assert entitlement.start_time == NOON
    assert entitlement.status.value == "ACTIVE"
    [dimension] = entitlement.info.dimensions
    assert dimension.usage_count.reported_count == 2.5
    with pytest.raises(ApiException) as missing:
        vendor.entitlements.get_entitlement(ORGANIZATION, "nothing")
    assert missing.value.status == 404


def test_a_billable_metric_is_created_read_updated_and_listed(vendor: Vendor) -> None:
    exists = {"name": "os", "operation": "EXISTS", "valueType": "STRING"}
    info = {
        "filterGroups": [{"filters": [exists]}],
        "groupBys": ["os"],
        "propertyUniqueOn": "user",
    }
    metric = sdk.BillableMetric.from_dict(
        {"id": "requests", "name": "Requests", "aggregationType": "UNIQUE_COUNT", "info": info}
    )
    created = vendor.metering.create_billable_metric(ORGANIZATION, metric)
    assert created.info == sdk.BillableMetricInfo.from_dict(info)
    assert created.creation_time == NOON
    assert vendor.metering.get_billable_metric(ORGANIZATION, "requests") == created
    change = sdk.UpdateBillableMetricParams.from_dict({"name": "Renamed", "status": "DELETED"})
    updated = vendor.metering.update_billable_metric(ORGANIZATION, "requests", change)
    assert (updated.name, updated.status.value) == ("Renamed", "DELETED")
    assert vendor.metering.list_billable_metrics(ORGANIZATION) == [updated]
    assert vendor.metering.list_billable_metrics(ORGANIZATION, status="ACTIVE") == []
    with pytest.raises(ApiException) as missing:
        vendor.metering.get_billable_metric(ORGANIZATION, "none")
    assert missing.value.status == 404
    with pytest.raises(ApiException) as repeated:
        vendor.metering.create_billable_metric(ORGANIZATION, metric)
    assert repeated.value.status == 409


def test_the_metering_config_is_updated_and_read(vendor: Vendor) -> None:
    empty = sdk.UsageMeteringConfigInfo(partnerUsageMeteringConfigs=[])
    assert vendor.metering.get_usage_metering_config_info(ORGANIZATION) == empty
    to_calls = {
        "dimensionKey": "api_calls",
        "mappingMode": "QUANTITY",
        "convertionMultiplier": 0.5,
    }
    aws = {
        "partner": "AWS",
        "enableDimensionMapping": True,
        "dimensionMapping": {"old": to_calls},
        "dimensionMappingV2": {"calls": [to_calls]},
    }
    config = sdk.UsageMeteringConfigInfo.from_dict({"partnerUsageMeteringConfigs": [aws]})
    updated = vendor.metering.update_usage_metering_config_info(ORGANIZATION, config)
    assert updated == config
    assert vendor.metering.get_usage_metering_config_info(ORGANIZATION) == config
    mapped = vendor.report("on-aws", records={"calls": 3})
    assert mapped.records == {"api_calls": 1.5}
    assert mapped.meta_info.origin_records == {"calls": 3}


def test_a_group_is_reported_listed_and_deleted(vendor: Vendor) -> None:
    reported = vendor.report("on-aws", id="report-1", timestamp=NOON)
    assert (reported.id, reported.status, reported.serial_id) == ("report-1", "CREATED", 1)
    assert reported.meta_info.source.value == "API"
    listed = vendor.metering.list_usage_record_groups(
        ORGANIZATION, entitlement_id="on-aws", start_date="2026-11-20", limit=1
    )
    assert listed.usage_record_groups == [reported]
    assert listed.next_offset is None
    with pytest.raises(ApiException) as repeated:
        vendor.report("on-aws", id="report-1")
    assert repeated.value.status == 409
    deleted = vendor.metering.delete_usage_record_group(
        ORGANIZATION, "report-1", creation_date="2026-11-20"
    )
    assert deleted.status == "DELETED"
    with pytest.raises(ApiException) as twice:
        vendor.metering.delete_usage_record_group(ORGANIZATION, "report-1")
    assert twice.value.status == 400


def test_pages_are_counted_by_the_next_offset(vendor: Vendor) -> None:
    for _ in range(2):
        vendor.report("on-aws")
    page = vendor.metering.list_usage_record_groups(ORGANIZATION, limit=1)
    assert page.next_offset == 1


def test_a_batch_is_validated_and_reported(vendor: Vendor) -> None:
    good = sdk.NewUsageRecordGroup(entitlementID="on-aws", records={"api_calls": 1})
    bad = sdk.NewUsageRecordGroup(entitlementID="on-aws", records={"nonsense": 1})
    assert vendor.metering.batch_validate_usage_record_groups(ORGANIZATION, [good]) == ""
    with pytest.raises(ApiException) as invalid:
        vendor.metering.batch_validate_usage_record_groups(ORGANIZATION, [good, bad])
    assert invalid.value.status == 500
    assert '"validation failed for usage record group [1]' in str(invalid.value.body)
    reported = vendor.metering.batch_report_usage_record_groups(ORGANIZATION, [good, good])
    assert [group.status for group in reported] == ["CREATED", "CREATED"]
    with pytest.raises(ApiException) as refused:
        vendor.metering.batch_report_usage_record_groups(ORGANIZATION, [good, bad])
    assert refused.value.status == 400


@pytest.mark.parametrize("name", ["aws", "azure", "gcp"])
def test_reports_to_each_marketplace_are_decoded_with_what_it_answered(
    vendor: Vendor, name: str
) -> None:
    vendor.report(f"on-{name}", id="a", records={"api_calls": 2.5})
    vendor.run_job(f"on-{name}")
    with pytest.raises(ApiException) as missing:
        vendor.metering.retry_usage_record_group(ORGANIZATION, "none")
    assert missing.value.status == 404
    retried = vendor.metering.retry_usage_record_group(ORGANIZATION, "a")
    assert retried.status == "CREATED"
    vendor.run_job()
    listed = vendor.metering.list_usage_record_reports(ORGANIZATION, entitlement_id=f"on-{name}")
    accepted, refused = (report.info for report in listed.usage_record_reports)
    assert (accepted.status.value, refused.status.value) == ("SUCCESS", "FAILED")
    assert accepted.usage_record_group_ids == ["a"]
    assert accepted.end_time == NOON
    answers = {
        "aws": lambda info: info.aws_metering_response.results[0].status,
        "azure": lambda info: info.azure_metering_response.result[0].status,
        "gcp": lambda info: info.gcp_metering_response.report_errors,
    }
    assert answers[name](accepted) != answers[name](refused)
    [group] = vendor.metering.list_usage_record_groups(ORGANIZATION).usage_record_groups
    assert (group.status, group.reported_time) == ("REPORTED", NOON)


def test_aggregated_usage_is_decoded(vendor: Vendor) -> None:
    metric = sdk.BillableMetric.from_dict(
        {
            "id": "requests",
            "name": "Requests",
            "aggregationType": "UNIQUE_COUNT",
            "info": {"propertyUniqueOn": "user"},
        }
    )
    vendor.metering.create_billable_metric(ORGANIZATION, metric)
    used = [sdk.MeteringUsageRecord(key="requests", quantity=1, properties={"user": "ann"})]
    group = vendor.report("on-aws", records={}, billableRecords=used)
    assert group.meta_info.billable_records == used
    vendor.run_job()
    [report] = vendor.metering.list_usage_record_reports(ORGANIZATION).usage_record_reports
    [figure] = report.info.aggregated_billable_records
    assert (figure.key, figure.quantity) == ("requests", 1)
    assert figure.unique_count_aggregation_result.new_items == {"ann": None}


def test_a_foreign_organization_and_a_missing_key_are_refused(vendor: Vendor) -> None:
    with pytest.raises(ApiException) as foreign:
        vendor.buyers.list_buyers("acme")
    assert foreign.value.status == 404
    client = vendor.buyers.api_client
    client.configuration.api_key = {}
    with pytest.raises(ApiException) as anonymous:
        vendor.buyers.list_buyers(ORGANIZATION)
    assert anonymous.value.status == 401
