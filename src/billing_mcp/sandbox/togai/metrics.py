"""Togai's metrics: events, usage, revenue and licences over time, filtered and grouped."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE, total
from billing_mcp.sandbox import call, clock
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.togai import accounts, metric_facts
from billing_mcp.sandbox.togai.metric_facts import Fact
from billing_mcp.sandbox.togai.metric_steps import PERIODS, Window

resource = Resource()

_MOST_QUERIES = 5
_MOST_POINTS = 300
_MOST_FILTERS = 5
# Ours: the vendor does not bound the values of a filter.
_MOST_VALUES = 100

# Ours: the exchange rates of the sandbox's organisation, by which BASE is what its revenue is in.
_BASE_RATES = {
    "USD": Decimal(1),
    "EUR": Decimal("1.1"),
    "GBP": Decimal("1.3"),
    "INR": Decimal("0.012"),
    "JPY": Decimal("0.0065"),
}


@dataclass(frozen=True, slots=True)
class _Metric:
    """What a metric is made of, and the fields that it can be filtered and grouped by."""

    facts: Callable[[Call, Window], Iterator[Fact]]
    filters: Sequence[str]
    groups: Sequence[str]
    is_money: bool = False


_OWNERS = ("ACCOUNT_ID", "CUSTOMER_ID")
_BILLED = (*_OWNERS, "USAGE_METER_ID", "BILLABLE_ID")
_USAGE = _Metric(metric_facts.usage, _BILLED, _BILLED)

# The vendor's matrix; that of named licences is ours.
_METRICS = {
    "EVENTS": _Metric(
        metric_facts.events,
        (*_OWNERS, "SCHEMA_NAME", "EVENT_STATUS"),
        ("ACCOUNT_ID", "EVENT_STATUS", "SCHEMA_NAME", "RAW_EVENT_STATUS"),
    ),
    "USAGE": _USAGE,
    "METER_USAGE": _USAGE,
    "NAMED_LICENSE_USAGE": _Metric(
        metric_facts.named_licences, (*_OWNERS, "BILLABLE_ID"), (*_OWNERS, "BILLABLE_ID")
    ),
    "REVENUE": _Metric(metric_facts.revenue, _BILLED, _BILLED, is_money=True),
    "USAGE_FOR_CYCLE": _Metric(metric_facts.usage_for_cycle, _BILLED, _BILLED),
    "REVENUE_FOR_CYCLE": _Metric(metric_facts.revenue_for_cycle, _BILLED, _BILLED, is_money=True),
}

_STATUS_GROUPS = ("PROCESSED", "UNPROCESSED", "IN_PROGRESS")
_USUAL_STATUSES = frozenset({"PROCESSED", "UNPROCESSED"})
_RAW_STATUSES = (
    *("INGESTION_IN_PROGRESS", "INGESTION_FAILED", "INGESTION_FAILED_SCHEMA_NOT_DEFINED"),
    *("INGESTION_FAILED_ENRICHMENT_FAILED", "INGESTION_FAILED_UNITS_INVALID"),
    *("INGESTION_COMPLETED_NO_MATCHING_METERS", "INGESTION_COMPLETED_EVENT_METERED"),
    *("INGESTION_COMPLETED_EVENT_NOT_METERED", "INGESTION_FAILED_PAST_GRACE_PERIOD"),
    *("INGESTION_FAILED_ACCOUNT_NOT_FOUND", "INGESTION_FAILED_DUPLICATE_EVENT"),
    *("INGESTION_FAILED_NO_EVENT_ID", "INGESTION_FAILED_INVALID_NAMED_LICENSE_EVENT"),
    *("INGESTION_FAILED_INSUFFICIENT_CREDITS", "REVERTED", "UNKNOWN"),
)

# What tells whether a filter's value is one of the vendor's ids, by the field.
_KNOWN = {
    "ACCOUNT_ID": "select id from accounts where id = ?",
    "CUSTOMER_ID": "select id from customers where id = ?",
    "SCHEMA_NAME": "select name as id from event_schemas where name = ? limit 1",
    # The vendor says that a meter is named here; ours: or given by its id.
    "USAGE_METER_ID": "select id from usage_meters where ? in (id, name) order by status limit 1",
    "BILLABLE_ID": "select id from usage_meters where ?1 in (id, name)"
    " union all select id from add_ons where ?1 in (id, name)"
    " union all select id from features where ?1 in (id, name)"
    " union all select id from price_plans where ?1 in (id, name) limit 1",
}


@dataclass(frozen=True, slots=True)
class _Query:
    """One metric that is asked for."""

    id: str
    name: str
    metric: _Metric
    window: Window
    group_by: str | None
    in_base: bool
    filters: Mapping[str, frozenset[str]]

    def keeps(self, fact: Fact) -> bool:
        """Whether a fact is in the window and passes every filter."""
        if not self.window.holds(fact.moment):
            return False
        for name, wanted in self.filters.items():
            values = {fact.about.get(name)}
            if name == "EVENT_STATUS":
                values.add(fact.about["RAW_EVENT_STATUS"])
            if not values & wanted:
                return False
        return True


@resource.route("POST", "/metrics")
def get_metrics(request: Call) -> Reply:
    """It changes nothing, though it is a POST."""
    body = call.closed(request.body, ("startTime", "endTime", "metricQueries"))
    start, end = call.timestamp(body, "startTime"), call.timestamp(body, "endTime")
    if end <= start:
        raise Refusal(400, "endTime must be after startTime")
    asked = call.listed(body, "metricQueries", minimum=1, maximum=_MOST_QUERIES)
    queries = [
        _read(request, given, start, end, f"metricQueries[{index}].")
        for index, given in enumerate(asked)
    ]
    ids = [query.id for query in queries]
    if len(set(ids)) < len(ids):
        raise Refusal(400, "metricQueries must have ids of their own")
    return Reply({"results": [_answered(request, query) for query in queries]})


def _read(request: Call, given: Any, start: datetime, end: datetime, at: str) -> _Query:
    names = ("id", "name", "aggregationPeriod", "groupBy", "configs", "filters")
    body = call.closed(given, names, at)
    name = call.one_of(body, "name", _METRICS, at=at)
    metric = _METRICS[name]
    window = Window(start, end, call.one_of(body, "aggregationPeriod", PERIODS, at=at))
    for count, _ in enumerate(window.steps(start, end), start=1):
        if count > _MOST_POINTS:
            message = f"has more than {_MOST_POINTS} points in this time; take a longer one"
            raise Refusal(400, f"{at}aggregationPeriod {message}")
    return _Query(
        call.text(body, "id", minimum=1, maximum=255, at=at),
        name,
        metric,
        window,
        call.one_of(body, "groupBy", metric.groups, default=None, at=at),
        _is_in_base(metric, call.mapping(body, "configs", default={}, at=at), f"{at}configs."),
        _read_filters(request, metric, body, at),
    )


def _is_in_base(metric: _Metric, configs: dict[str, Any], at: str) -> bool:
    call.closed(configs, ("CURRENCY",) if metric.is_money else (), at)
    return call.one_of(configs, "CURRENCY", ("BASE", "INVOICE"), default="BASE", at=at) == "BASE"


def _read_filters(
    request: Call, metric: _Metric, body: dict[str, Any], at: str
) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    if "EVENT_STATUS" in metric.filters:
        found["EVENT_STATUS"] = _USUAL_STATUSES
    entries = call.listed(body, "filters", minimum=1, maximum=_MOST_FILTERS, default=[], at=at)
    named = set()
    for index, entry in enumerate(entries):
        place = f"{at}filters[{index}]."
        fields = call.closed(entry, ("fieldName", "fieldValues"), place)
        name = call.one_of(fields, "fieldName", metric.filters, at=place)
        if name in named:
            raise Refusal(400, f"{place}fieldName: {name} is filtered already")
        named.add(name)
        most = 1 if name == "SCHEMA_NAME" else _MOST_VALUES
        values = call.listed(fields, "fieldValues", minimum=1, maximum=most, at=place)
        found[name] = frozenset(_value(request, name, value, place) for value in values)
    return found


def _value(request: Call, name: str, value: Any, at: str) -> str:
    if not isinstance(value, str):
        raise Refusal(400, f"{at}fieldValues must be strings")
    if name == "EVENT_STATUS":
        if value not in (*_STATUS_GROUPS, *_RAW_STATUSES):
            raise Refusal(400, f"{at}fieldValues: there is no status {value[:100]}")
        return value
    row = request.db.execute(_KNOWN[name], (value,)).fetchone()
    if row is None:
        raise Refusal(400, f"{at}fieldValues: there is no {name} {value[:100]}")
    return str(row["id"])


def _answered(request: Call, query: _Query) -> dict[str, Any]:
    """One series for each group, or one in all; a step without anything has zero (ours)."""
    series: dict[str | None, dict[datetime, list[Fact]]] = {}
    if query.group_by is None:
        series[None] = {}
    for fact in query.metric.facts(request, query.window):
        if not query.keeps(fact):
            continue
        group = None if query.group_by is None else fact.about.get(query.group_by)
        if group is not None or query.group_by is None:
            step = query.window.step_of(fact.moment)
            series.setdefault(group, {}).setdefault(step, []).append(fact)
    steps = list(query.window.steps(query.window.start, query.window.end))
    data = []
    for group, by_step in sorted(series.items(), key=lambda entry: entry[0] or ""):
        figures = _figures(query, [by_step.get(step, []) for step in steps])
        points = {"timestamps": [clock.written(step) for step in steps], "metricValues": figures}
        if group is not None:
            points["groupedBy"] = {"fieldName": query.group_by, "fieldValue": group}
        data.append(points)
    return {"id": query.id, "name": query.name, "data": data}


def _figures(query: _Query, steps: Sequence[Sequence[Fact]]) -> list[Decimal]:
    if query.metric.is_money and query.in_base:
        figures = [total(_in_base(fact) for fact in facts) for facts in steps]
        return [money.rounded(figure, accounts.BASE_CURRENCY) for figure in figures]
    currencies = sorted({fact.currency for facts in steps for fact in facts if fact.currency})
    if len(currencies) > 1:
        message = "ask by ACCOUNT_ID, or for BASE"
        raise Refusal(400, f"{' and '.join(currencies)} cannot be added up; {message}")
    return [total(fact.amount for fact in facts) for facts in steps]


def _in_base(fact: Fact) -> Decimal:
    rate = _BASE_RATES.get(fact.currency or accounts.BASE_CURRENCY)
    if rate is None:
        message = "the sandbox has no exchange rate for it; ask for CURRENCY INVOICE"
        raise Refusal(400, f"There is revenue in {fact.currency}: {message}")
    return WIDE.multiply(fact.amount, rate)
