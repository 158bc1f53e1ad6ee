"""Metrics: what is added up in which step, what it may be filtered and grouped by, and whose."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import billed, world

NOVEMBER = ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")


def falling(currency: str = "USD") -> dict[str, Any]:
    """The first hundred calls at 0.25, all further ones at 0.10."""
    slabs = [{"order": n, "startAfter": 100 * (n - 1), "priceType": "PER_UNIT"} for n in (1, 2)]
    rates = [{"order": n, "rate": Decimal(rate)} for n, rate in ((1, "0.25"), (2, "0.10"))]
    return {
        "ratePlan": {"pricingModel": "TIERED", "slabs": slabs},
        "rateValues": [{"currency": currency, "slabRates": rates}],
    }


def query(name: str, period: str = "DAY", **fields: Any) -> dict[str, Any]:
    return {"id": "q", "name": name, "aggregationPeriod": period, **fields}


def only(field: str, *values: str) -> dict[str, Any]:
    return {"fieldName": field, "fieldValues": list(values)}


def asked(
    ask: Asker, name: str, period: str = "MONTH", when: tuple[str, str] = NOVEMBER, **fields: Any
) -> list[Any]:
    """The series of one metric."""
    body = {
        "startTime": when[0],
        "endTime": when[1],
        "metricQueries": [query(name, period, **fields)],
    }
    (result,) = ask.done("POST", "/metrics", body)["results"]
    assert (result["id"], result["name"]) == ("q", name)
    data: list[Any] = result["data"]
    return data


def figures(*arguments: Any, **fields: Any) -> list[Any]:
    """The figures of the only series."""
    (series,) = asked(*arguments, **fields)
    values: list[Any] = series["metricValues"]
    return values


def by_group(*arguments: Any, **fields: Any) -> dict[str, Any]:
    """The sum of each series, by its group."""
    return {
        series["groupedBy"]["fieldValue"]: sum(series["metricValues"])
        for series in asked(*arguments, **fields)
    }


def business(ask: Asker, **details: Any) -> str:
    """The account main with calls that get cheaper; the meter's id."""
    world.account(ask)
    world.schema(ask)
    meter = world.meter(ask)
    plan = world.plan(ask, usageRateCards=[{"usageMeterId": meter, **falling()}], **details)
    world.associate(ask, plan)
    return meter


def test_events_are_counted_by_day_and_days_without_any_are_zero(ask: Asker) -> None:
    business(ask)
    billed.send(ask, "a", "1", "2026-11-17T00:00:00Z")
    billed.send(ask, "b", "1", "2026-11-17T23:59:59Z")
    billed.send(ask, "c", "1", "2026-11-19T00:00:00Z")
    days = ("2026-11-17T00:00:00Z", "2026-11-20T00:00:00Z")

    (series,) = asked(ask, "EVENTS", "DAY", days)

    assert series == {
        "timestamps": [f"2026-11-{day}T00:00:00.000Z" for day in (17, 18, 19)],
        "metricValues": [2, 0, 1],
    }
    assert figures(ask, "EVENTS", "DAY", (days[0], "2026-11-19T00:00:00Z")) == [2, 0]


@pytest.mark.parametrize(
    ("period", "when", "steps"),
    [
        ("HOUR", ("2026-11-19T07:30:00Z", "2026-11-19T09:00:00Z"), ["19T07", "19T08"]),
        ("DAY", ("2026-11-18T12:00:00Z", "2026-11-19T12:00:00Z"), ["18T00", "19T00"]),
        ("WEEK", ("2026-11-15T00:00:00Z", "2026-11-16T00:00:01Z"), ["09T00", "16T00"]),
        ("MONTH", ("2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z"), ["01T00"]),
    ],
)
def test_a_step_goes_by_its_beginning_even_before_the_time_asked_for(
    ask: Asker, period: str, when: tuple[str, str], steps: list[str]
) -> None:
    (series,) = asked(ask, "EVENTS", period, when)

    assert series["timestamps"] == [f"2026-11-{step}:00:00.000Z" for step in steps]


def test_only_what_lies_in_the_time_counts_in_the_first_and_last_step(ask: Asker) -> None:
    business(ask)
    billed.send(ask, "early", "10", "2026-11-17T07:00:00Z")
    billed.send(ask, "late", "5", "2026-11-17T09:00:00Z")

    assert figures(ask, "USAGE", "DAY", ("2026-11-17T08:00:00Z", "2026-11-17T10:00:00Z")) == [5]
    assert figures(ask, "USAGE", "DAY", ("2026-11-17T06:00:00Z", "2026-11-17T09:00:00Z")) == [10]


def test_events_are_told_apart_by_the_groups_of_their_status(ask: Asker) -> None:
    business(ask)
    billed.send(ask, "good", "1")
    billed.send(ask, "good", "1")
    ask.done("POST", "/ingest", {"event": world.event("lost", accountId="nobody")})
    billed.send(ask, "undone", "1")
    ask.done("POST", "/events/correction", action="UNDO", account_id="main", event_id="undone")

    assert figures(ask, "EVENTS") == [3]
    assert by_group(ask, "EVENTS", groupBy="EVENT_STATUS") == {"PROCESSED": 1, "UNPROCESSED": 2}
    assert by_group(ask, "EVENTS", groupBy="ACCOUNT_ID") == {"main": 2, "nobody": 1}
    assert by_group(ask, "EVENTS", groupBy="RAW_EVENT_STATUS") == {
        "INGESTION_COMPLETED_EVENT_METERED": 1,
        "INGESTION_FAILED_DUPLICATE_EVENT": 1,
        "INGESTION_FAILED_ACCOUNT_NOT_FOUND": 1,
    }
    assert figures(ask, "EVENTS", filters=[only("EVENT_STATUS", "REVERTED")]) == [1]
    failed = only("EVENT_STATUS", "UNPROCESSED")
    assert figures(ask, "EVENTS", filters=[failed, only("ACCOUNT_ID", "main")]) == [1]


def test_usage_is_added_up_by_meter_account_and_customer_priced_or_not(ask: Asker) -> None:
    meter = business(ask)
    bytes_ = world.meter(
        ask, "Bytes", computations=[{"computation": '{"var": "attributes.bytes"}', "order": 1}]
    )
    world.account(ask, "other")
    event = world.event(
        "a", attributes=[{"name": "calls", "value": "0.1"}, {"name": "bytes", "value": "7"}]
    )
    ask.done("POST", "/ingest", {"event": event})
    ask.done("POST", "/ingest", {"event": event | {"id": "b", "accountId": "other"}})

    assert by_group(ask, "METER_USAGE", groupBy="BILLABLE_ID") == {
        meter: Decimal("0.2"),
        bytes_: 14,
    }
    named = [only("USAGE_METER_ID", "Bytes"), only("CUSTOMER_ID", "acme")]
    assert by_group(ask, "USAGE", groupBy="ACCOUNT_ID", filters=named) == {"main": 7, "other": 7}
    assert figures(ask, "USAGE", filters=[only("BILLABLE_ID", meter)]) == [Decimal("0.2")]


def test_revenue_is_what_each_day_added_and_adds_up_to_the_invoice(ask: Asker) -> None:
    """90 calls on the 3rd are 22.50; 30 on the 19th are 2.50 and 2.00; the fee is the cycle's."""
    meter = business(ask, fixedFeeRateCards=[billed.fee("40")])
    billed.send(ask, "a", "90", "2026-11-03T08:00:00Z")
    billed.send(ask, "b", "30", "2026-11-19T08:00:00Z")

    days = figures(ask, "REVENUE", "DAY")

    earned = {day: value for day, value in enumerate(days, start=1) if value}
    assert earned == {1: 40, 3: Decimal("22.50"), 19: Decimal("4.50")}
    assert sum(days) == billed.invoices(ask)[0]["totalAmount"] == 67
    assert by_group(ask, "REVENUE", groupBy="BILLABLE_ID") == {meter: 27, "platform": 40}
    assert by_group(ask, "REVENUE", groupBy="USAGE_METER_ID") == {meter: 27}
    assert figures(ask, "REVENUE", filters=[only("USAGE_METER_ID", "Calls")]) == [27]
    half = ("2026-11-03T09:00:00Z", "2026-11-19T08:00:01Z")
    assert figures(ask, "REVENUE", "MONTH", half) == [Decimal("4.50")]


def test_revenue_is_before_credits_and_goes_with_a_void_invoice(ask: Asker) -> None:
    business(ask)
    billed.credit(ask, "5")
    billed.send(ask, "a", "40")
    billed.until(ask, "2026-12-05T00:00:00Z")
    assert figures(ask, "REVENUE") == [10]

    first = min(billed.invoices(ask), key=lambda invoice: invoice["startDate"])
    assert first["totalAmount"] == 5
    ask.done("PATCH", f"/invoices/{first['id']}", {"status": "VOID"})
    assert figures(ask, "REVENUE") == [0]


def test_a_fee_in_advance_counts_when_its_cycle_begins(ask: Asker) -> None:
    business(ask, fixedFeeRateCards=[billed.fee("40", "IN_ADVANCE")])
    billed.until(ask, "2026-12-02T00:00:00Z")

    both = figures(ask, "REVENUE", "MONTH", (NOVEMBER[0], "2027-02-01T00:00:00Z"))

    # November's own, December's on November's invoice, January's on the draft of December.
    assert both == [40, 40, 40]


def test_revenue_of_a_deferred_plan_shows_once_its_invoice_is_due(ask: Asker) -> None:
    business(ask, deferredRevenue=True)
    billed.send(ask, "a", "40")

    assert figures(ask, "REVENUE") == [0]
    billed.until(ask, "2026-12-04T00:00:00Z")
    assert figures(ask, "REVENUE") == [10]


def test_figures_of_a_cycle_are_those_of_the_whole_cycle(ask: Asker) -> None:
    meter = business(ask)
    billed.send(ask, "a", "90", "2026-11-03T08:00:00Z")
    billed.send(ask, "b", "30", "2026-11-19T08:00:00Z")
    today = ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")

    assert figures(ask, "USAGE_FOR_CYCLE", "DAY", today) == [120]
    assert figures(ask, "REVENUE_FOR_CYCLE", "DAY", today) == [27]
    assert by_group(ask, "USAGE_FOR_CYCLE", "DAY", today, groupBy="USAGE_METER_ID") == {meter: 120}
    december = ("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z")
    assert figures(ask, "USAGE_FOR_CYCLE", "DAY", december) == [0]


def test_revenue_in_another_currency_is_in_usd_or_as_invoiced_but_never_mixed(ask: Asker) -> None:
    """40 calls are 10.00 for each; 10.00 EUR are 11.00 USD by the sandbox's rate."""
    meter = business(ask)
    world.account(ask, "europe", invoiceCurrency="EUR")
    card = {"usageMeterId": meter, **falling("EUR")}
    details: dict[str, Any] = {"supportedCurrencies": ["EUR"], "pricingCycleConfig": world.CYCLE}
    details |= {"usageRateCards": [card]}
    body = {"name": "Europe", "type": "BILLING", "pricePlanDetails": details}
    plan = ask.done("POST", "/price_plans", body)["id"]
    ask.done("POST", f"/price_plans/{plan}/activate", {"currencies": ["EUR"]})
    association = {
        "pricePlanId": plan,
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "9999-01-01",
    }
    ask.done("POST", "/accounts/europe/price_plans", association)
    billed.send(ask, "a", "40")
    ask.done("POST", "/ingest", {"event": world.event("b", "40", accountId="europe")})
    invoiced = {"configs": {"CURRENCY": "INVOICE"}}

    assert by_group(ask, "REVENUE", groupBy="ACCOUNT_ID") == {"main": 10, "europe": 11}
    assert figures(ask, "REVENUE_FOR_CYCLE") == [21]
    assert by_group(ask, "REVENUE", groupBy="ACCOUNT_ID", **invoiced) == {"main": 10, "europe": 10}
    both = {"metricQueries": [query("REVENUE", "MONTH", **invoiced)]}
    times = {"startTime": NOVEMBER[0], "endTime": NOVEMBER[1]}
    answer = ask.togai("POST", "/metrics", times | both)
    assert (answer.status, answer.message[:31]) == (400, "EUR and USD cannot be added up;")


def test_names_that_hold_a_licence_are_counted_in_each_step(ask: Asker) -> None:
    world.account(ask)
    body = {"name": "Seats", "type": "NAMED_LICENSE"}
    seats = ask.done("POST", "/addons", body)["id"]
    moves = [("ann", "1", 3), ("ben", "1", 4), ("ann", "-1", 5), ("ann", "1", 5)]
    for index, (name, action, day) in enumerate(moves):
        event = world.event(
            f"seat-{index}",
            schemaName="togai-named-license",
            timestamp=f"2026-11-0{day}T{10 + index}:00:00Z",
            attributes=[{"name": "action", "value": action}],
            dimensions={"license_id": seats, "name": name},
        )
        ask.done("POST", "/ingest", {"event": event})
    days = ("2026-11-02T00:00:00Z", "2026-11-07T00:00:00Z")

    held = figures(ask, "NAMED_LICENSE_USAGE", "DAY", days, filters=[only("BILLABLE_ID", "Seats")])

    assert held == [0, 1, 2, 2, 2]
    assert figures(ask, "NAMED_LICENSE_USAGE") == [2]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"startTime": "yesterday"}, "startTime"),
        ({"endTime": NOVEMBER[0]}, "endTime"),
        ({"metricQueries": []}, "metricQueries"),
        ({"metricQueries": [query("EVENTS")] * 2}, "metricQueries must have ids"),
        ({"metricQueries": [query("EVENTS") | {"id": str(n)} for n in range(6)]}, "metricQueries"),
        ({"metricQueries": [query("MRR")]}, "metricQueries[0].name"),
        ({"metricQueries": [query("EVENTS", "YEAR")]}, "metricQueries[0].aggregationPeriod"),
        ({"metricQueries": [query("EVENTS", "HOUR")]}, "metricQueries[0].aggregationPeriod has"),
        ({"metricQueries": [query("EVENTS", groupBy="CUSTOMER_ID")]}, "metricQueries[0].groupBy"),
        ({"metricQueries": [query("USAGE", groupBy="SCHEMA_NAME")]}, "metricQueries[0].groupBy"),
        ({"metricQueries": [query("USAGE", configs={"CURRENCY": "BASE"})]}, "metricQueries[0].con"),
        ({"metricQueries": [query("REVENUE", configs={"CURRENCY": "EUR"})]}, "metricQueries[0].co"),
        ({"metricQueries": [query("EVENTS", filters=[])]}, "metricQueries[0].filters"),
        (
            {"metricQueries": [query("USAGE", filters=[only("EVENT_STATUS", "PROCESSED")])]},
            "metricQueries[0].filters[0].fieldName",
        ),
        (
            {"metricQueries": [query("EVENTS", filters=[only("ORGANIZATION_ID", "us")])]},
            "metricQueries[0].filters[0].fieldName",
        ),
        (
            {"metricQueries": [query("EVENTS", filters=[only("ACCOUNT_ID", "nobody")])]},
            "metricQueries[0].filters[0].fieldValues: there is no ACCOUNT_ID nobody",
        ),
        (
            {"metricQueries": [query("EVENTS", filters=[only("EVENT_STATUS", "DONE")])]},
            "metricQueries[0].filters[0].fieldValues",
        ),
        (
            {"metricQueries": [query("EVENTS", filters=[only("SCHEMA_NAME", "a", "b")])]},
            "metricQueries[0].filters[0].fieldValues must have at most 1",
        ),
        (
            {"metricQueries": [query("EVENTS", filters=[only("EVENT_STATUS", "REVERTED")] * 2)]},
            "metricQueries[0].filters[1].fieldName",
        ),
    ],
)
def test_a_question_outside_the_matrix_is_refused_by_the_path_of_its_field(
    ask: Asker, change: dict[str, Any], path: str
) -> None:
    whole = {
        "startTime": NOVEMBER[0],
        "endTime": NOVEMBER[1],
        "metricQueries": [query("EVENTS")],
    }
    answer = ask.togai("POST", "/metrics", whole | change)

    assert answer.status == 400
    assert answer.message.startswith(path)
