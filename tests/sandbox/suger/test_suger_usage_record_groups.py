"""Reporting, listing, deleting and retrying usage record groups."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp import money
from sandbox.suger.wire import Wire


def test_a_report_is_answered_with_the_group_as_it_is_kept(wire: Wire) -> None:
    answer = wire.report(
        "on-azure",
        id="report-1",
        records={"api_calls": Decimal("1.5")},
        timestamp="2026-11-20T10:59:00+00:00",
    )
    assert answer.status == 200
    assert answer.body == {
        "id": "report-1",
        "serialID": 1,
        "organizationID": "sandbox",
        "entitlementID": "on-azure",
        "buyerID": "buyer-azure",
        "partner": "AZURE",
        "status": "CREATED",
        "records": {"api_calls": Decimal("1.5")},
        "metaInfo": {
            "source": "API",
            "SkipValidation": False,
            "timestamp": "2026-11-20T10:59:00.000Z",
            "originRecords": {"api_calls": Decimal("1.5")},
            "billableRecords": [],
        },
        "creationTime": "2026-11-20T12:00:00.000Z",
        "lastUpdateTime": "2026-11-20T12:00:00.000Z",
        "reportedTime": None,
        "usageRecordReportID": "",
    }
    assert wire.groups() == [answer.body]


def test_a_second_report_with_the_same_id_is_refused_with_409(wire: Wire) -> None:
    wire.report("on-aws", id="once", records={"api_calls": 1})
    again = wire.report("on-aws", id="once", records={"api_calls": 2})
    assert (again.status, again.body) == (409, "usage record group once already exists")
    assert [group["records"] for group in wire.groups()] == [{"api_calls": 1}]


def test_the_id_of_a_deleted_group_stays_taken(wire: Wire) -> None:
    wire.report("on-aws", id="once", records={"api_calls": 1})
    wire.ask("DELETE", "/usageRecordGroup/once")
    assert wire.report("on-aws", id="once", records={"api_calls": 1}).status == 409


def test_a_repeated_id_is_409_even_if_the_usage_would_now_be_refused(wire: Wire) -> None:
    wire.report("on-aws", id="once", records={"api_calls": 1})
    assert wire.report("on-aws", id="once", records={"nonsense": 1}).status == 409


def test_reports_without_an_id_are_each_a_new_group(wire: Wire) -> None:
    first = wire.report("on-aws", records={"api_calls": 1}).body["id"]
    second = wire.report("on-aws", records={"api_calls": 1}).body["id"]
    assert first != second
    assert len(wire.groups()) == 2


def test_the_id_may_be_spelled_as_in_the_vendor_s_own_example(wire: Wire) -> None:
    assert wire.report("on-aws", ID="once", records={"api_calls": 1}).body["id"] == "once"


def test_nulls_and_what_a_caller_may_not_set_are_passed_over(wire: Wire) -> None:
    answer = wire.report(
        "on-aws",
        id=None,
        timestamp=None,
        records={"api_calls": 1},
        billableRecords=None,
        metaInfo={"source": "LAGO", "SkipValidation": True},
        status="REPORTED",
    )
    assert answer.status == 200
    assert answer.body["status"] == "CREATED"
    assert answer.body["metaInfo"]["source"] == "API"
    assert answer.body["metaInfo"]["SkipValidation"] is False


def test_a_dimension_may_be_called_by_its_name(wire: Wire) -> None:
    answer = wire.report("on-aws", records={"API calls": 3})
    assert (answer.status, answer.body["records"]) == (200, {"API calls": 3})


def test_a_quantity_keeps_every_digit(wire: Wire) -> None:
    digits = Decimal("123456789012345.123456789012345678901234567890")
    assert wire.report("on-gcp", records={"api_calls": digits}).body["records"] == {
        "api_calls": digits
    }
    assert wire.groups()[0]["records"] == {"api_calls": digits}


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"records": {"nonsense": 1}}, "nonsense is not a usage dimension of entitlement on-aws"),
        ({"records": {"api_calls": -1}}, "the quantity of api_calls must not be negative"),
        (
            {"records": {"api_calls": 0, "storage_gb": 0}},
            "all the quantity of usage records are zero",
        ),
        ({"records": {"api_calls": "1"}}, "records.api_calls must be a number"),
        ({"records": {"api_calls": True}}, "records.api_calls must be a number"),
        (
            {"records": {"api_calls": 10**15}},
            "records.api_calls must have at most 15 digits before the point and 30 behind it",
        ),
        ({"records": [1]}, "records must be a JSON object"),
        ({}, "one of records and billableRecords is required"),
        ({"records": {}}, "one of records and billableRecords is required"),
        (
            {"records": {"api_calls": 1}, "billableRecords": [{"key": "m", "quantity": 1}]},
            "records and billableRecords must not be used together",
        ),
        ({"billableRecords": [{"quantity": 1}]}, "billableRecords[0].key is required"),
        (
            {"billableRecords": [{"key": "m", "properties": {"a": [1]}}]},
            "billableRecords[0].properties.a must be a string, a number, true or false",
        ),
        ({"billableRecords": [{"key": "m", "quantity": 1}]}, "billable metric m not found"),
        ({"id": "x" * 37, "records": {"api_calls": 1}}, "id must have at most 36 characters"),
        (
            {"timestamp": "yesterday", "records": {"api_calls": 1}},
            "timestamp must be an RFC 3339 time such as 2026-11-20T12:00:00Z",
        ),
        (
            {"organizationID": "acme", "records": {"api_calls": 1}},
            "organizationID must be the organization of the path",
        ),
        (
            {"entitlementID": "on-gcp", "records": {"api_calls": 1}},
            "entitlementID must be the entitlement of the path",
        ),
    ],
)
def test_usage_that_cannot_be_metered_is_refused_and_not_kept(
    wire: Wire, group: dict[str, Any], message: str
) -> None:
    answer = wire.report("on-aws", **group)
    assert (answer.status, answer.body) == (400, message)
    assert wire.groups() == []


@pytest.mark.parametrize("missing", ["organizationID", "entitlementID"])
def test_a_report_names_its_organization_and_entitlement(wire: Wire, missing: str) -> None:
    body = {
        "organizationID": "sandbox",
        "entitlementID": "on-aws",
        "records": {"api_calls": 1},
    }
    del body[missing]
    answer = wire.ask("POST", "/entitlement/on-aws/usageRecordGroup", body)
    assert (answer.status, answer.body) == (400, f"{missing} is required")


def test_usage_of_an_entitlement_that_does_not_exist_is_not_found(wire: Wire) -> None:
    assert wire.report("nothing", records={"api_calls": 1}).status == 404


@pytest.mark.parametrize("status", ["CANCELLED", "SUSPENDED", "PENDING_START", "PENDING_CANCEL"])
def test_only_an_active_entitlement_is_metered(wire: Wire, status: str) -> None:
    wire.entitle("other", "buyer-aws", status=status)
    answer = wire.report("other", records={"api_calls": 1})
    assert (answer.status, answer.body) == (
        400,
        f"entitlement other is {status}, and must be ACTIVE",
    )


def test_an_entitlement_without_usage_dimensions_cannot_be_metered(wire: Wire) -> None:
    # What Google calls subscription-based: a flat commit.
    wire.entitle("flat", "buyer-gcp", info={})
    assert wire.report("flat", records={"api_calls": 1}).status == 400


BILLABLE = {"billableDimensions": [{"billableMetricId": "bytes"}]}


def test_a_metric_must_be_active_and_used_by_the_entitlement(wire: Wire) -> None:
    wire.entitle("metric", "buyer-aws", info=BILLABLE)
    wire.metric("bytes", "SUM")
    wire.metric("other", "SUM")
    assert wire.report("metric", billableRecords=[{"key": "bytes", "quantity": 1}]).status == 200
    unused = wire.report("metric", billableRecords=[{"key": "other", "quantity": 1}])
    assert unused.status == 400
    assert unused.body.startswith("other is not used by a billable dimension")
    wire.ask("PATCH", "/billableMetric/bytes", {"status": "DELETED"})
    deleted = wire.report("metric", billableRecords=[{"key": "bytes", "quantity": 1}])
    assert (deleted.status, deleted.body) == (400, "billable metric bytes is DELETED")


def test_billable_records_are_kept_with_their_properties(wire: Wire) -> None:
    wire.entitle("metric", "buyer-aws", info=BILLABLE)
    wire.metric("bytes", "SUM")
    sent = [{"key": "bytes", "quantity": Decimal("0.1"), "properties": {"os": "linux", "n": 1}}]
    group = wire.report("metric", billableRecords=sent, records={}).body
    assert (group["records"], group["metaInfo"]["billableRecords"]) == ({}, sent)


@pytest.mark.parametrize(("aggregation", "status"), [("SUM", 400), ("MAX", 400), ("COUNT", 200)])
def test_records_of_nothing_are_refused_unless_records_are_what_is_counted(
    wire: Wire, aggregation: str, status: int
) -> None:
    wire.entitle("metric", "buyer-aws", info=BILLABLE)
    wire.metric("bytes", aggregation)
    assert wire.report("metric", billableRecords=[{"key": "bytes"}]).status == status


def test_one_quantity_above_zero_is_enough(wire: Wire) -> None:
    wire.entitle("metric", "buyer-aws", info=BILLABLE)
    wire.metric("bytes", "SUM")
    records = [{"key": "bytes", "quantity": 0}, {"key": "bytes", "quantity": 1}]
    assert wire.report("metric", billableRecords=records).status == 200
    assert wire.report("on-aws", records={"api_calls": 0, "storage_gb": 1}).status == 200


def test_a_negative_billable_quantity_is_refused(wire: Wire) -> None:
    wire.entitle("metric", "buyer-aws", info=BILLABLE)
    wire.metric("bytes", "SUM")
    answer = wire.report("metric", billableRecords=[{"key": "bytes", "quantity": -1}])
    assert (answer.status, answer.body) == (400, "the quantity of bytes must not be negative")


def ids(wire: Wire, **query: Any) -> list[str]:
    return [group["id"] for group in wire.groups(**query)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["c", "b", "a"]),
        ({"partner": "AWS"}, ["c", "a"]),
        ({"buyerId": "buyer-gcp"}, ["b"]),
        ({"entitlementId": "on-aws"}, ["c", "a"]),
        ({"status": "DELETED"}, ["a"]),
        ({"status": "CREATED"}, ["c", "b"]),
        ({"source": "API"}, ["c", "b", "a"]),
        ({"source": ""}, ["c", "b", "a"]),
        ({"source": "LAGO"}, []),
        ({"metaInfo": '{"originRecords":{"api_calls":2}}'}, ["b"]),
        ({"metaInfo": '{"source":"API"}', "offset": 1, "limit": 1}, ["b"]),
        ({"metaInfo": '{"source":"LAGO"}'}, []),
        ({"partner": "AWS", "status": "CREATED"}, ["c"]),
    ],
)
def test_groups_are_listed_newest_first_and_filtered(
    wire: Wire, query: dict[str, str], found: list[str]
) -> None:
    wire.report("on-aws", id="a", records={"api_calls": 1})
    wire.report("on-gcp", id="b", records={"api_calls": 2})
    wire.report("on-aws", id="c", records={"api_calls": 3})
    wire.ask("DELETE", "/usageRecordGroup/a")
    assert ids(wire, **query) == found


def test_a_filter_may_be_the_whole_meta_info(wire: Wire) -> None:
    meta_info = wire.report("on-aws", id="a", records={"api_calls": 1}).body["metaInfo"]
    assert ids(wire, metaInfo=money.to_json(meta_info).decode()) == ["a"]
    other = meta_info | {"SkipValidation": True}
    assert ids(wire, metaInfo=money.to_json(other).decode()) == []


@pytest.mark.parametrize(
    "query",
    [
        {"partner": "AWS", "buyerId": "buyer-aws"},
        {"buyerId": "buyer-aws", "entitlementId": "on-aws"},
        {"partner": "STRIPE"},
        {"status": "DONE"},
        {"source": "MAIL"},
        {"metaInfo": "API"},
        {"metaInfo": '["API"]'},
        {"startDate": "2026-11-21", "endDate": "2026-11-20"},
        {"startDate": "20.11.2026"},
        {"endDate": "2026-11-31"},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(wire: Wire, query: dict[str, str]) -> None:
    assert wire.ask("GET", "/usageRecordGroup", **query).status == 400


def test_pages_follow_each_other_and_the_last_one_names_no_next(wire: Wire) -> None:
    for name in "abcd":
        wire.report("on-aws", id=name, records={"api_calls": 1})
    pages = []
    offset: int | None = 0
    while offset is not None:
        body = wire.ask("GET", "/usageRecordGroup", limit=2, offset=offset).body
        pages.append([group["id"] for group in body["usageRecordGroups"]])
        offset = body.get("nextOffset")
    assert pages == [["d", "c"], ["b", "a"]]


def test_the_window_is_the_30_days_up_to_today_unless_it_is_given(wire: Wire) -> None:
    wire.report("on-aws", id="first", records={"api_calls": 1})  # on 20 November at noon
    wire.advance("P30D")
    wire.report("on-aws", id="second", records={"api_calls": 1})  # on 20 December
    assert ids(wire) == ["second", "first"]
    wire.advance("P1D")
    assert ids(wire) == ["second"]
    assert ids(wire, endDate="2026-12-19") == ["first"]
    assert ids(wire, startDate="2026-11-20", endDate="2026-11-20") == ["first"]
    assert ids(wire, startDate="2026-11-21", endDate="2026-12-19") == []
    assert ids(wire, startDate="2026-11-20") == ["second", "first"]


def test_a_created_group_is_deleted_and_stays_to_be_seen(wire: Wire) -> None:
    before = wire.report("on-aws", id="a", records={"api_calls": 1}).body
    wire.advance("PT1S")
    answer = wire.ask("DELETE", "/usageRecordGroup/a")
    after = before | {"status": "DELETED", "lastUpdateTime": "2026-11-20T12:00:01.000Z"}
    assert (answer.status, answer.body) == (200, after)
    assert wire.groups() == [after]


def test_a_second_delete_is_refused(wire: Wire) -> None:
    wire.report("on-aws", id="a", records={"api_calls": 1})
    wire.ask("DELETE", "/usageRecordGroup/a")
    answer = wire.ask("DELETE", "/usageRecordGroup/a")
    assert (answer.status, answer.body) == (
        400,
        "usage record group a is DELETED; only CREATED or INVALID can be deleted",
    )


def test_what_is_reported_can_be_neither_deleted_nor_retried(wire: Wire) -> None:
    wire.report("on-aws", id="a", records={"api_calls": 1})
    assert wire.ask("POST", "/usageRecordGroup/a/retry").status == 400  # still CREATED
    wire.run_job()
    assert wire.ask("DELETE", "/usageRecordGroup/a").status == 400
    assert wire.ask("POST", "/usageRecordGroup/a/retry").status == 400
    assert wire.groups()[0]["status"] == "REPORTED"


def test_a_failed_group_is_retried_but_not_deleted(wire: Wire) -> None:
    wire.report("on-aws", id="a", records={"api_calls": 1})
    wire.run_job({"refuse": ["on-aws"]})
    assert wire.ask("DELETE", "/usageRecordGroup/a").status == 400
    answer = wire.ask("POST", "/usageRecordGroup/a/retry")
    assert answer.status == 200
    assert (answer.body["status"], answer.body["usageRecordReportID"]) == ("CREATED", "")


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/usageRecordGroup/a"), ("POST", "/usageRecordGroup/a/retry")]
)
def test_a_creation_date_has_to_be_the_group_s(wire: Wire, method: str, path: str) -> None:
    wire.report("on-aws", id="a", records={"api_calls": 1})
    if method == "POST":
        wire.run_job({"refuse": ["on-aws"]})
    assert wire.ask(method, path, creationDate="yesterday").status == 400
    assert wire.ask(method, path, creationDate="2026-11-19").status == 404
    assert wire.ask(method, path, creationDate="2026-11-20").status == 200


def test_a_group_that_does_not_exist_is_not_found(wire: Wire) -> None:
    assert wire.ask("DELETE", "/usageRecordGroup/none").status == 404
    assert wire.ask("POST", "/usageRecordGroup/none/retry").status == 404


def test_what_was_applied_can_be_asked_of_the_control(wire: Wire) -> None:
    wire.report("on-aws", id="a", records={"api_calls": 1})
    wire.report("on-aws", id="a", records={"api_calls": 1})
    effects = wire.at("GET", "/control/effects", kind="usage-record-group.reported").body
    assert effects["effects"] == [
        {
            "kind": "usage-record-group.reported",
            "id": "a",
            "key": "a",
            "time": "2026-11-20T12:00:00.000Z",
        }
    ]
