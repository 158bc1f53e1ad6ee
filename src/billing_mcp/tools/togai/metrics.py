"""Metrics: events, usage, revenue and licences over time, filtered and grouped."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from billing_mcp import errors
from billing_mcp.declarations import READ, Toolset
from billing_mcp.params import Body, Instant, Name, wrong
from billing_mcp.results import Exact, Result
from billing_mcp.upstream import Togai
from billing_mcp.wire import json_value, utc_text

toolset = Toolset("togai-metrics")

# Of more figures than this no model's context has room.
MOST_FIGURES = 2000

_OWNERS = ("ACCOUNT_ID", "CUSTOMER_ID")
_BILLED = (*_OWNERS, "USAGE_METER_ID", "BILLABLE_ID")
# What the vendor documents; of named licences it says nothing.
_FILTERS = {"EVENTS": (*_OWNERS, "SCHEMA_NAME", "EVENT_STATUS")}
_GROUPS = {"EVENTS": ("ACCOUNT_ID", "EVENT_STATUS", "SCHEMA_NAME", "RAW_EVENT_STATUS")}
_OF_MONEY = ("REVENUE", "REVENUE_FOR_CYCLE")


class MetricFilter(Body):
    fieldName: Literal[
        "ACCOUNT_ID",
        "CUSTOMER_ID",
        "SCHEMA_NAME",
        "EVENT_STATUS",
        "USAGE_METER_ID",
        "BILLABLE_ID",
    ]
    fieldValues: Annotated[
        list[Annotated[Name, Field(min_length=1, max_length=255)]],
        Field(min_length=1, max_length=100),
    ]


class MetricConfigs(Body):
    CURRENCY: Annotated[
        Literal["BASE", "INVOICE"], Field(description="Default BASE, the organisation's")
    ] = "BASE"


class MetricQuery(Body):
    name: Literal[
        "EVENTS",
        "METER_USAGE",
        "USAGE",
        "NAMED_LICENSE_USAGE",
        "REVENUE",
        "USAGE_FOR_CYCLE",
        "REVENUE_FOR_CYCLE",
    ]
    aggregationPeriod: Literal["HOUR", "DAY", "WEEK", "MONTH"] = "DAY"
    groupBy: (
        Literal[
            "ACCOUNT_ID",
            "CUSTOMER_ID",
            "USAGE_METER_ID",
            "BILLABLE_ID",
            "SCHEMA_NAME",
            "EVENT_STATUS",
            "RAW_EVENT_STATUS",
        ]
        | None
    ) = None
    filters: Annotated[
        list[MetricFilter] | None,
        Field(
            min_length=1,
            max_length=5,
            description="EVENT_STATUS: PROCESSED, UNPROCESSED, IN_PROGRESS or a raw status",
        ),
    ] = None
    configs: Annotated[MetricConfigs | None, Field(description="Only of revenue")] = None
    id: Annotated[Name | None, Field(min_length=1, max_length=255)] = None

    @model_validator(mode="after")
    def _is_in_the_matrix(self) -> Self:
        """The vendor's own combinations, so that a wrong one is explained and not sent."""
        filters, groups = (table.get(self.name, _BILLED) for table in (_FILTERS, _GROUPS))
        for entry in self.filters or ():
            if entry.fieldName not in filters:
                raise wrong(f"a filter of {self.name} by one of {', '.join(filters)}")
            if entry.fieldName == "SCHEMA_NAME" and len(entry.fieldValues) > 1:
                raise wrong("a filter by one SCHEMA_NAME")
        if self.groupBy is not None and self.groupBy not in groups:
            raise wrong(f"{self.name} grouped by one of {', '.join(groups)}")
        if self.configs is not None and self.name not in _OF_MONEY:
            raise wrong(f"a query without configs, which only {' and '.join(_OF_MONEY)} have")
        return self


class GroupedBy(Result):
    fieldName: str
    fieldValue: str


class Points(Result):
    """The figures of one group, each at the beginning of its step."""

    groupedBy: GroupedBy | None = None
    timestamps: list[str]
    metricValues: list[Exact]


class MetricAnswer(Result):
    id: str
    name: str
    data: list[Points]


class Period(Result):
    startTime: str
    endTime: str


class Metrics(Result):
    """`period` is what was asked for: it cuts the first and the last step."""

    concise: ClassVar = ("results", "period")

    results: list[MetricAnswer]
    period: Period | None = None


@toolset.tool(READ, "POST /metrics", title="Query usage and revenue metrics")
async def query_metrics(
    togai: Togai,
    startTime: Annotated[Instant, Field(description="Inclusive")],
    endTime: Annotated[Instant, Field(description="Exclusive")],
    metricQueries: Annotated[list[MetricQuery], Field(min_length=1, max_length=5)],
) -> Metrics:
    """Add up events, usage, named licences or revenue per step, at most 300 steps. *_FOR_CYCLE are
    of whole pricing cycles. EVENTS group and filter by SCHEMA_NAME and status too, all others by
    CUSTOMER_ID, USAGE_METER_ID and BILLABLE_ID."""
    if endTime <= startTime:
        raise errors.InvalidRequest(
            "endTime is not after startTime; nothing was sent.",
            field="endTime",
            next_step="Give a later endTime.",
        )
    queries = [
        {"aggregationPeriod": query.aggregationPeriod, "id": f"q{index}", **_given(query)}
        for index, query in enumerate(metricQueries, start=1)
    ]
    if len({query["id"] for query in queries}) < len(queries):
        raise errors.InvalidRequest(
            "Two queries have the same id; nothing was sent.",
            field="metricQueries",
            next_step="Give each an id of its own, or none.",
        )
    period = {"startTime": utc_text(startTime), "endTime": utc_text(endTime)}
    found = await togai.fetch(Metrics, body={**period, "metricQueries": queries})
    figures = sum(len(points.metricValues) for one in found.results for points in one.data)
    if figures > MOST_FIGURES:
        raise errors.InvalidRequest(
            f"These are {figures} figures, more than the {MOST_FIGURES} that can be shown.",
            field="metricQueries",
            next_step="Take a longer aggregationPeriod, a shorter time, filters or no groupBy.",
        )
    return found.model_copy(update={"period": Period(**period)})


def _given(query: MetricQuery) -> dict[str, object]:
    """What the caller gave of a query, and nothing that is null."""
    return {name: json_value(value) for name, value in query if value is not None}
