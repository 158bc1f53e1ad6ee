"""The hourly job: what it tells the marketplaces of `records`, and what becomes of the groups."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_mcp.sandbox.suger.usage_record_groups import insert_usage_record_group
from sandbox.suger.wire import Wire, fresh_wire


def test_the_groups_of_an_entitlement_become_one_report_at_the_next_full_hour(wire: Wire) -> None:
    wire.report("on-azure", id="a", records={"api_calls": 2})
    wire.report("on-azure", id="b", records={"API calls": Decimal("0.5"), "storage_gb": 0})
    wire.advance("PT59M")
    assert wire.reports() == []
    moved = wire.advance("PT1M")
    assert moved["ran"] == [{"job": "marketplace-report", "time": "2026-11-20T13:00:00Z"}]
    [report] = wire.reports()
    uuid = report["info"]["azureMeteringResponse"]["result"][0]["usageEventId"]
    event = {
        "resourceId": "external-on-azure",
        "planId": "code-1",
        "dimension": "api_calls",
        "quantity": Decimal("2.5"),
        "effectiveStartTime": "2026-11-20T12:00:00.000Z",
    }
    accepted = event | {
        "messageTime": "2026-11-20T13:00:00.000Z",
        "status": "Accepted",
        "usageEventId": uuid,
    }
    term = wire.ask("GET", "/entitlement/on-azure").body["entitlementTermID"]
    assert report == {
        "id": report["id"],
        "organizationID": "sandbox",
        "partner": "AZURE",
        "productID": "prod-1",
        "buyerID": "buyer-azure",
        "entitlementID": "on-azure",
        "entitlementTermID": term,
        "creationTime": "2026-11-20T13:00:00.000Z",
        "info": {
            "partner": "AZURE",
            "status": "SUCCESS",
            "message": "Azure Marketplace answered Accepted",
            "startTime": "2026-11-20T12:00:00.000Z",
            "endTime": "2026-11-20T13:00:00.000Z",
            "usageRecordGroupIds": ["a", "b"],
            "dimensionUnitPrice": {"api_calls": Decimal("0.01"), "storage_gb": Decimal("0.5")},
            "reportedRecords": {"api_calls": Decimal("2.5")},
            "azureMeteringRequest": {"request": [event]},
            "azureMeteringResponse": {"count": 1, "result": [accepted]},
        },
    }
    for group in wire.groups():
        assert group["status"] == "REPORTED"
        assert group["usageRecordReportID"] == report["id"]
        assert group["reportedTime"] == "2026-11-20T13:00:00.000Z"


def test_an_hour_without_waiting_groups_runs_no_job(wire: Wire) -> None:
    assert wire.advance("P1D")["ran"] == []
    wire.report("on-aws", records={"api_calls": 1})
    assert len(wire.advance("P1D")["ran"]) == 1


def test_aws_gets_whole_numbers_and_the_fraction_is_carried_over(wire: Wire) -> None:
    sent, parts, new_parts = [], [], []
    for quantity in ("0.6", "0.6", "2.5", "0.3"):
        wire.report("on-aws", records={"api_calls": Decimal(quantity)})
        wire.advance("PT1H")
        info = wire.reports()[0]["info"]
        sent.append(info["reportedRecords"]["api_calls"])
        parts.append(info["decimalParts"]["api_calls"])
        new_parts.append(info["newDecimalParts"]["api_calls"])
        [record] = info["awsMeteringRequest"]["UsageRecords"]
        assert record["Quantity"] == sent[-1]
        assert isinstance(record["Quantity"], int)
    # 0.6 | 0.6 + 0.6 = 1.2 | 0.2 + 2.5 = 2.7 | 0.7 + 0.3 = 1
    assert sent == [0, 1, 2, 1]
    assert parts == [0, Decimal("0.6"), Decimal("0.2"), Decimal("0.7")]
    assert new_parts == [Decimal("0.6"), Decimal("0.2"), Decimal("0.7"), 0]


def test_the_call_to_aws_names_customer_product_and_dimension(wire: Wire) -> None:
    wire.report("on-aws", records={"storage_gb": 3})
    wire.run_job()
    info = wire.reports()[0]["info"]
    assert info["awsMeteringRequest"] == {
        "ProductCode": "code-1",
        "UsageRecords": [
            {
                "CustomerIdentifier": "customer-aws",
                "Dimension": "storage_gb",
                "Quantity": 3,
                "Timestamp": "2026-11-20T12:00:00.000Z",
            }
        ],
    }
    [result] = info["awsMeteringResponse"]["results"]
    assert result["status"] == "Success"
    assert len(result["meteringRecordId"]) == 36
    assert info["awsMeteringResponse"]["unprocessedRecords"] == []


@pytest.mark.parametrize(
    ("quantity", "value"),
    [(Decimal(7), {"int64Value": "7"}), (Decimal("7.25"), {"doubleValue": Decimal("7.25")})],
)
def test_google_gets_an_operation_with_a_value_for_each_metric(
    wire: Wire, quantity: Decimal, value: dict[str, Any]
) -> None:
    wire.report("on-gcp", records={"api_calls": quantity})
    wire.run_job()
    info = wire.reports()[0]["info"]
    request = info["gcpMeteringRequest"]
    assert request["consumerId"] == "external-on-gcp"
    assert request["metricValueSets"] == [{"metricName": "api_calls", "metricValues": [value]}]
    assert "reportErrors" not in info["gcpMeteringResponse"]
    assert "decimalParts" not in info


REFUSALS = [
    ("on-aws", lambda info: info["awsMeteringResponse"]["results"][0]["status"]),
    ("on-azure", lambda info: info["azureMeteringResponse"]["result"][0]["status"]),
    ("on-gcp", lambda info: info["gcpMeteringResponse"]["reportErrors"][0]["status"]["code"]),
]


@pytest.mark.parametrize(
    ("entitlement", "told", "answer"),
    [
        (*REFUSALS[0], "CustomerNotSubscribed"),
        (*REFUSALS[1], "ResourceNotFound"),
        (*REFUSALS[2], 5),
    ],
)
def test_a_refusal_fails_the_report_and_its_groups_and_nothing_else(
    wire: Wire, entitlement: str, told: Any, answer: Any
) -> None:
    for name in ("on-aws", "on-azure", "on-gcp"):
        wire.report(name, id=name, records={"api_calls": 1})
    wire.run_job({"refuse": [entitlement]})
    [report] = wire.reports(entitlementId=entitlement)
    assert report["info"]["status"] == "FAILED"
    assert report["info"]["reportedRecords"] == {}
    assert told(report["info"]) == answer
    for group in wire.groups():
        failed = group["id"] == entitlement
        assert group["status"] == ("REPORT_FAILED" if failed else "REPORTED")
        assert (group["reportedTime"] is None) == failed
        if failed:
            assert group["usageRecordReportID"] == report["id"]


def test_a_retried_group_joins_the_next_report(wire: Wire) -> None:
    wire.report("on-aws", id="a", records={"api_calls": 1})
    wire.run_job({"refuse": ["on-aws"]})
    assert wire.advance("PT1H")["ran"] == []  # what failed does not wait
    wire.ask("POST", "/usageRecordGroup/a/retry")
    wire.report("on-aws", id="b", records={"api_calls": 10})
    wire.advance("PT1H")
    newest = wire.reports()[0]["info"]
    assert newest["status"] == "SUCCESS"
    assert newest["usageRecordGroupIds"] == ["a", "b"]
    assert newest["reportedRecords"] == {"api_calls": 11}


def test_a_refused_report_carries_no_fraction_over(wire: Wire) -> None:
    wire.report("on-aws", id="a", records={"api_calls": Decimal("0.7")})
    wire.run_job({"refuse": ["on-aws"]})
    assert wire.reports()[0]["info"]["newDecimalParts"] == {"api_calls": 0}
    wire.ask("POST", "/usageRecordGroup/a/retry")
    wire.run_job()
    assert wire.reports()[0]["info"]["newDecimalParts"] == {"api_calls": Decimal("0.7")}


def test_usage_is_refused_once_the_entitlement_has_ended(wire: Wire) -> None:
    wire.report("on-aws", id="a", records={"api_calls": 1})
    with wire.sandbox.backend.transaction() as call:
        call.db.execute("update suger_entitlements set status = 'CANCELLED' where id = 'on-aws'")
    wire.run_job()
    assert wire.groups()[0]["status"] == "REPORT_FAILED"


def test_a_deleted_group_is_not_reported(wire: Wire) -> None:
    wire.report("on-aws", id="a", records={"api_calls": 1})
    wire.ask("DELETE", "/usageRecordGroup/a")
    assert wire.run_job() == {"reports": [], "groups": {}}
    assert wire.groups()[0]["status"] == "DELETED"


def test_the_job_says_what_it_did(wire: Wire) -> None:
    wire.report("on-aws", records={"api_calls": 1})
    wire.report("on-aws", records={"api_calls": 1})
    wire.report("on-gcp", records={"api_calls": 1})
    done = wire.run_job({"refuse": ["on-gcp"]})
    assert done["groups"] == {"REPORTED": 2, "REPORT_FAILED": 1}
    assert [(report["entitlementID"], report["status"]) for report in done["reports"]] == [
        ("on-aws", "SUCCESS"),
        ("on-gcp", "FAILED"),
    ]
    effects = wire.at("GET", "/control/effects", kind="usage-record-report.accepted").body
    assert [effect["key"] for effect in effects["effects"]] == ["on-aws"]


@pytest.mark.parametrize(
    ("body", "status"), [({"refuse": ["nothing"]}, 404), ({"refuse": "on-aws"}, 400), ([], 400)]
)
def test_a_refusal_of_what_does_not_exist_is_refused_itself(
    wire: Wire, body: Any, status: int
) -> None:
    wire.report("on-aws", records={"api_calls": 1})
    assert wire.at("POST", "/control/jobs/marketplace-report", body).status == status
    assert wire.groups()[0]["status"] == "CREATED"


def test_usage_pushed_by_another_system_is_found_invalid_by_the_job(wire: Wire) -> None:
    with wire.sandbox.backend.transaction() as call:
        for key in ("nonsense", "api_calls"):
            insert_usage_record_group(
                call, entitlement_id="on-aws", records={key: Decimal(4)}, source="LAGO"
            )
    assert wire.run_job()["groups"] == {"INVALID": 1, "REPORTED": 1}
    [invalid] = wire.groups(status="INVALID")
    assert invalid["metaInfo"]["source"] == "LAGO"
    assert invalid["metaInfo"]["SkipValidation"] is True
    assert wire.reports()[0]["info"]["reportedRecords"] == {"api_calls": 4}
    deleted = wire.ask("DELETE", f"/usageRecordGroup/{invalid['id']}")
    assert (deleted.status, deleted.body["status"]) == (200, "DELETED")


def test_the_report_begins_with_the_hour_of_its_first_usage(wire: Wire) -> None:
    wire.report("on-aws", id="a", records={"api_calls": 1}, timestamp="2026-11-20T09:45:00Z")
    wire.report("on-aws", id="b", records={"api_calls": 1}, timestamp="2026-11-20T11:15:00Z")
    wire.run_job()
    info = wire.reports()[0]["info"]
    assert info["startTime"] == "2026-11-20T09:00:00.000Z"
    assert info["endTime"] == "2026-11-20T12:00:00.000Z"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["on-gcp", "on-aws"]),
        ({"partner": "AWS"}, ["on-aws"]),
        ({"buyerId": "buyer-gcp"}, ["on-gcp"]),
        ({"entitlementId": "on-azure"}, []),
        ({"startDate": "2026-11-20", "endDate": "2026-11-20"}, ["on-gcp", "on-aws"]),
        ({"endDate": "2026-11-19"}, []),
    ],
)
def test_reports_are_listed_newest_first_and_filtered(
    wire: Wire, query: dict[str, str], found: list[str]
) -> None:
    for name in ("on-aws", "on-gcp"):
        wire.report(name, records={"api_calls": 1})
        wire.run_job()
    assert [report["entitlementID"] for report in wire.reports(**query)] == found


def test_pages_of_reports_follow_each_other(wire: Wire) -> None:
    for _ in range(3):
        wire.report("on-aws", records={"api_calls": 1})
        wire.run_job()
    first = wire.ask("GET", "/usageRecordReport", limit=2).body
    assert (len(first["usageRecordReports"]), first["nextOffset"]) == (2, 2)
    last = wire.ask("GET", "/usageRecordReport", limit=2, offset=2).body
    assert len(last["usageRecordReports"]) == 1
    assert "nextOffset" not in last


@given(
    steps=st.lists(
        st.tuples(st.decimals("0.001", 50, places=3), st.booleans()), min_size=1, max_size=6
    )
)
@settings(max_examples=25, deadline=None)
def test_whatever_is_refused_and_retried_every_unit_is_reported_once(
    steps: list[tuple[Decimal, bool]],
) -> None:
    with fresh_wire() as wire:
        for quantity, refused in steps:
            wire.report("on-aws", records={"api_calls": quantity})
            wire.run_job({"refuse": ["on-aws"] if refused else []})
        for group in wire.groups(status="REPORT_FAILED"):
            wire.ask("POST", f"/usageRecordGroup/{group['id']}/retry")
        wire.run_job()
        accepted = [report["info"] for report in wire.reports()]
        left_over = accepted[0]["newDecimalParts"]["api_calls"]
        reported = sum(info["reportedRecords"].get("api_calls", 0) for info in accepted)
    assert reported + left_over == sum(quantity for quantity, _ in steps)
    assert 0 <= left_over < 1


def test_dimensions_are_sent_in_alphabetical_order(wire: Wire) -> None:
    wire.report("on-aws", records={"storage_gb": 1, "api_calls": 2})
    wire.run_job()
    records = wire.reports()[0]["info"]["awsMeteringRequest"]["UsageRecords"]
    assert [record["Dimension"] for record in records] == ["api_calls", "storage_gb"]


def test_every_write_leaves_its_effect(wire: Wire) -> None:
    wire.metric("m", "SUM")
    wire.ask("PATCH", "/billableMetric/m", {"name": "Renamed"})
    wire.configure(partner="AWS")
    for name in "ab":
        wire.report("on-aws", id=name, records={"api_calls": 1})
    wire.ask("DELETE", "/usageRecordGroup/b")
    wire.run_job({"refuse": ["on-aws"]})  # nothing was applied: no effect
    wire.ask("POST", "/usageRecordGroup/a/retry")
    effects = wire.at("GET", "/control/effects").body["effects"]
    assert [(effect["kind"], effect["id"]) for effect in effects] == [
        ("billable-metric.created", "m"),
        ("billable-metric.updated", "m"),
        ("usage-metering-config.updated", "AWS"),
        ("usage-record-group.reported", "a"),
        ("usage-record-group.reported", "b"),
        ("usage-record-group.deleted", "b"),
        ("usage-record-group.retried", "a"),
    ]
