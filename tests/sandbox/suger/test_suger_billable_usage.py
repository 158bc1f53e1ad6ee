"""Metering API v2: billable records filtered, grouped and aggregated by the hourly job."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.suger.wire import Wire

DIMENSIONS = [{"key": "cents", "name": "Cents", "rate": Decimal("0.01")}]


def metered(wire: Wire, aggregation: str, **info: Any) -> None:
    """The entitlement `metric` on AWS, metered by the metric `m`, 0.25 a unit."""
    wire.metric("m", aggregation, **info)
    used = [{"billableMetricId": "m", "priceModelBasic": {"unitAmount": Decimal("0.25")}}]
    wire.entitle("metric", "buyer-aws", info={"billableDimensions": used, "dimensions": DIMENSIONS})


def use(wire: Wire, *records: tuple[Any, dict[str, Any]], **group: Any) -> None:
    """Report records of the metric `m`: quantity and properties."""
    sent = [{"key": "m", "quantity": q, "properties": p} for q, p in records]
    answer = wire.report("metric", billableRecords=sent, **group)
    assert answer.status == 200, answer.body


def figures(wire: Wire) -> dict[str, Any]:
    """What the newest report says: group -> quantity."""
    found = wire.reports()[0]["info"]["aggregatedBillableRecords"]
    return {figure["groupBysExpression"]: figure["quantity"] for figure in found}


@pytest.mark.parametrize(
    ("aggregation", "figure"),
    [("COUNT", 4), ("SUM", Decimal("11.5")), ("MAX", 7), ("LAST", Decimal("0.5"))],
)
def test_the_records_of_all_groups_become_one_figure(
    wire: Wire, aggregation: str, figure: Any
) -> None:
    metered(wire, aggregation)
    # In order of usage: 1, 3, 7 and 0.5, which was reported first.
    use(wire, (Decimal("0.5"), {}), timestamp="2026-11-20T11:30:00Z")
    use(wire, (1, {}), (3, {}), timestamp="2026-11-20T11:10:00Z")
    use(wire, (7, {}), timestamp="2026-11-20T11:20:00Z")
    wire.run_job()
    assert figures(wire) == {"": figure}


def test_a_figure_comes_with_its_metric_and_amount(wire: Wire) -> None:
    metered(wire, "SUM", groupBys=["os"])
    use(wire, (6, {"os": "linux"}))
    wire.run_job()
    [report] = wire.reports()
    assert report["info"]["aggregatedBillableRecords"] == [
        {
            "key": "m",
            "name": "Metric m",
            "billableMetricAggregationType": "SUM",
            "billableMetricInfo": {"groupBys": ["os"]},
            "groupBysExpression": "os=linux",
            "quantity": 6,
            "amount": Decimal("1.50"),
        }
    ]
    assert report["info"]["status"] == "SUCCESS"
    assert "awsMeteringRequest" not in report["info"]  # no mapping: nothing to tell the marketplace
    assert wire.groups()[0]["usageRecordReportID"] == report["id"]


def test_records_are_divided_by_every_property_to_group_by(wire: Wire) -> None:
    metered(wire, "SUM", groupBys=["os", "cluster"])
    use(
        wire,
        (1, {"os": "linux", "cluster": 1}),
        (2, {"os": "linux", "cluster": "2"}),
        (4, {"cluster": "1", "os": "linux", "other": True}),
        (8, {"cluster": False}),
    )
    wire.run_job()
    assert figures(wire) == {
        "os=linux,cluster=1": 5,
        "os=linux,cluster=2": 2,
        "os=,cluster=false": 8,
    }


def condition(name: str, operation: str, value: Any = None) -> dict[str, Any]:
    of_text = operation.removeprefix("NOT_") in ("IS", "CONTAINS", "EXISTS")
    body = {"name": name, "operation": operation, "valueType": "STRING" if of_text else "FLOAT"}
    return body if value is None else body | {"value": value}


@pytest.mark.parametrize(
    ("operation", "value", "passing"),
    [
        # The records: 1 has x = "10", 2 has x = "abc", 4 has x = 2.5, 8 has x = true, 16 no x.
        ("IS", "10", 1),
        ("IS", "true", 8),
        ("NOT_IS", "10", 2 + 4 + 8 + 16),
        ("CONTAINS", "b", 2),
        ("NOT_CONTAINS", "b", 1 + 4 + 8 + 16),
        ("EXISTS", None, 1 + 2 + 4 + 8),
        ("NOT_EXISTS", None, 16),
        ("GT", Decimal("2.5"), 1),
        ("GTE", Decimal("2.5"), 1 + 4),
        ("LT", 10, 4),
        ("LTE", 10, 1 + 4),
        ("EQ", 10, 1),
        ("NOT_EQ", 10, 2 + 4 + 8 + 16),
    ],
)
def test_a_filter_lets_through_what_its_operation_says(
    wire: Wire, operation: str, value: Any, passing: int
) -> None:
    metered(wire, "SUM", filterGroups=[{"filters": [condition("x", operation, value)]}])
    use(
        wire,
        (1, {"x": "10"}),
        (2, {"x": "abc"}),
        (4, {"x": Decimal("2.5")}),
        (8, {"x": True}),
        (16, {}),
    )
    wire.run_job()
    assert figures(wire) == {"": passing}


def test_filters_of_a_group_are_alternatives_and_groups_must_all_hold(wire: Wire) -> None:
    metered(
        wire,
        "SUM",
        filterGroups=[
            {"filters": [condition("os", "IS", "linux"), condition("os", "IS", "bsd")]},
            {"filters": [condition("ms", "GT", 5)]},
            {"filters": []},
        ],
    )
    use(
        wire,
        (1, {"os": "linux", "ms": 6}),
        (2, {"os": "bsd", "ms": 9}),
        (4, {"os": "linux", "ms": 5}),
        (8, {"os": "plan9", "ms": 6}),
    )
    wire.run_job()
    assert figures(wire) == {"": 3}


def test_usage_that_no_filter_lets_through_is_reported_as_nothing(wire: Wire) -> None:
    metered(wire, "SUM", filterGroups=[{"filters": [condition("os", "EXISTS")]}])
    use(wire, (1, {}))
    wire.run_job()
    [report] = wire.reports()
    assert report["info"]["status"] == "SUCCESS"
    assert "aggregatedBillableRecords" not in report["info"]
    assert wire.groups()[0]["status"] == "REPORTED"


def test_a_unique_value_counts_once_a_day(wire: Wire) -> None:
    metered(wire, "UNIQUE_COUNT", propertyUniqueOn="user")
    counted = []
    new_items = []
    for users in (["ann", "bob", "ann", 7], ["bob", "cid", "7"]):
        use(wire, *((1, {"user": user}) for user in users), (1, {"no-user": "x"}))
        wire.run_job()
        [figure] = wire.reports()[0]["info"]["aggregatedBillableRecords"]
        counted.append(figure["quantity"])
        new_items.append(sorted(figure["uniqueCountAggregationResult"]["newItems"]))
    assert counted == [3, 1]
    assert new_items == [["7", "ann", "bob"], ["cid"]]
    wire.advance("P1D")
    use(wire, (1, {"user": "ann"}))
    wire.run_job()
    assert figures(wire) == {"": 1}


def test_the_report_at_midnight_still_belongs_to_the_day_before(wire: Wire) -> None:
    metered(wire, "UNIQUE_COUNT", propertyUniqueOn="user")
    use(wire, (1, {"user": "ann"}))
    wire.advance("PT11H30M")  # 23:30
    use(wire, (1, {"user": "ann"}), (1, {"user": "bob"}))
    wire.advance("PT30M")
    assert wire.reports()[0]["creationTime"] == "2026-11-21T00:00:00.000Z"
    assert figures(wire) == {"": 1}  # bob
    use(wire, (1, {"user": "bob"}))
    wire.advance("PT1H")
    assert figures(wire) == {"": 1}  # bob again: another day


def test_unique_values_are_counted_apart_in_each_group(wire: Wire) -> None:
    metered(wire, "UNIQUE_COUNT", propertyUniqueOn="user", groupBys=["os"])
    use(wire, (1, {"user": "ann", "os": "linux"}))
    wire.run_job()
    use(wire, (1, {"user": "ann", "os": "bsd"}), (1, {"user": "ann", "os": "linux"}))
    wire.run_job()
    assert figures(wire) == {"os=bsd": 1, "os=linux": 0}


def test_what_a_refused_report_counted_is_counted_again(wire: Wire) -> None:
    mapped_to_cents(wire, "QUANTITY")
    metered(wire, "UNIQUE_COUNT", propertyUniqueOn="user")
    use(wire, (1, {"user": "ann"}), id="a")
    wire.run_job({"refuse": ["metric"]})
    wire.ask("POST", "/usageRecordGroup/a/retry")
    wire.run_job()
    assert figures(wire) == {"": 1}


def mapped_to_cents(wire: Wire, mode: str, *, billable: bool = True, to: str = "cents") -> None:
    wire.configure(
        partner="AWS",
        enableDimensionMapping=True,
        enableBillableDimension=billable,
        dimensionMappingV2={"m": [{"dimensionKey": to, "mappingMode": mode}]},
    )


@pytest.mark.parametrize(
    ("mode", "sent"),
    [("QUANTITY", 6), ("AMOUNT", 150)],  # 6 units at 0.25 are 1.50, in cents 150
)
def test_a_mapped_metric_reaches_the_marketplace_by_quantity_or_by_amount(
    wire: Wire, mode: str, sent: int
) -> None:
    mapped_to_cents(wire, mode)
    metered(wire, "SUM")
    use(wire, (4, {}), (2, {}))
    wire.run_job()
    info = wire.reports()[0]["info"]
    assert info["reportedRecords"] == {"cents": sent}
    assert info["awsMeteringRequest"]["UsageRecords"][0]["Quantity"] == sent


def test_billable_dimensions_stay_here_unless_the_config_enables_them(wire: Wire) -> None:
    mapped_to_cents(wire, "AMOUNT", billable=False)
    metered(wire, "SUM")
    use(wire, (4, {}))
    wire.run_job()
    assert wire.reports()[0]["info"]["reportedRecords"] == {}


def test_what_cannot_be_reported_waits_one_run_and_then_fails(wire: Wire) -> None:
    metered(wire, "SUM")
    use(wire, (1, {}), id="a")
    wire.ask("PATCH", "/billableMetric/m", {"status": "DELETED"})
    assert wire.run_job() == {"reports": [], "groups": {"REPORT_PENDING": 1}}
    [pending] = wire.groups()
    assert (pending["status"], pending["usageRecordReportID"]) == ("REPORT_PENDING", "")
    assert wire.run_job()["groups"] == {"REPORT_FAILED": 1}
    [report] = wire.reports()
    assert report["info"]["status"] == "FAILED"
    assert report["info"]["message"] == "billable metric m is deleted"
    assert wire.groups()[0]["usageRecordReportID"] == report["id"]


def test_what_is_mended_in_time_is_reported_after_all(wire: Wire) -> None:
    metered(wire, "SUM")
    use(wire, (1, {}), id="a")
    wire.ask("PATCH", "/billableMetric/m", {"status": "DELETED"})
    wire.run_job()
    wire.ask("PATCH", "/billableMetric/m", {"status": "ACTIVE"})
    wire.advance("PT1H")
    assert wire.groups()[0]["status"] == "REPORTED"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to": "seats"}, "billable metric m is mapped to seats, which is no usage dimension"),
        ({"price": {}}, "the price model of billable metric m gives no amount"),
        (
            {"dimension": {"key": "cents", "name": "Cents"}},
            "billable metric m is mapped by amount to cents, which has no price",
        ),
    ],
)
def test_a_mapping_that_leads_nowhere_keeps_the_report_from_being_made(
    wire: Wire, change: dict[str, Any], message: str
) -> None:
    mapped_to_cents(wire, "AMOUNT", to=change.get("to", "cents"))
    wire.metric("m", "SUM")
    price = change.get("price", {"priceModelBasic": {"unitAmount": 1}})
    wire.entitle(
        "metric",
        "buyer-aws",
        info={
            "billableDimensions": [{"billableMetricId": "m"} | price],
            "dimensions": [change.get("dimension", DIMENSIONS[0])],
        },
    )
    use(wire, (1, {}))
    wire.run_job()
    wire.run_job()
    assert wire.reports()[0]["info"]["message"] == message


def test_a_metric_without_a_basic_price_has_a_figure_and_no_amount(wire: Wire) -> None:
    wire.metric("m", "SUM")
    tiered = [{"billableMetricId": "m", "category": "tiered", "priceModelTiered": {}}]
    wire.entitle("metric", "buyer-aws", info={"billableDimensions": tiered})
    use(wire, (4, {}))
    wire.run_job()
    [figure] = wire.reports()[0]["info"]["aggregatedBillableRecords"]
    assert figure["quantity"] == 4
    assert "amount" not in figure
