"""Billable metrics: how the records of a usage record group become one billed figure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PlainValidator, RootModel, model_validator
from pydantic.json_schema import SkipJsonSchema

from billing_mcp import errors, money
from billing_mcp.declarations import (
    CREATE,
    READ,
    UPDATE,
    Applied,
    Effect,
    NotApplied,
    Stake,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import Body, Name, Offset, OrgId, on_one_line, wrong
from billing_mcp.results import OffsetPage, Result, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.suger.usage_records import PLAIN_TEXT
from billing_mcp.upstream import Suger
from billing_mcp.wire import present

toolset = Toolset("suger-metering")

Aggregation = Literal["COUNT", "UNIQUE_COUNT", "SUM", "MAX", "LAST"]
MetricStatus = Literal["ACTIVE", "DELETED"]
MetricId = Annotated[Name, Field(min_length=1, max_length=36), PLAIN_TEXT]
MetricName = Annotated[Name, Field(min_length=4, max_length=50)]
Description = Annotated[Name, Field(max_length=300), PLAIN_TEXT]
Property = Annotated[Name, Field(min_length=1, max_length=255), PLAIN_TEXT]

OF_NUMBER = ("GT", "GTE", "LT", "LTE", "EQ", "NOT_EQ")
OF_EITHER = ("EXISTS", "NOT_EXISTS")


def _value(value: Any) -> str | None:
    """A value to compare with: text, or a number in plain notation."""
    if value is None:
        return None
    if isinstance(value, str):
        return on_one_line(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise wrong('text, or a number such as "2.5"')
    try:
        return money.plain(money.exact(value))
    except money.NotANumber as error:
        raise wrong(str(error)) from error


class MetricFilter(Body):
    name: Property
    operation: Literal[
        "IS",
        "NOT_IS",
        "CONTAINS",
        "NOT_CONTAINS",
        "EXISTS",
        "NOT_EXISTS",
        "GT",
        "GTE",
        "LT",
        "LTE",
        "EQ",
        "NOT_EQ",
    ]
    value: Annotated[str | None, PlainValidator(_value), PLAIN_TEXT] = None
    # Follows from the operation, so it is taken but not published.
    valueType: SkipJsonSchema[Literal["STRING", "FLOAT"] | None] = None

    @model_validator(mode="after")
    def _value_suits_operation(self) -> Self:
        """The vendor has operations on text and on numbers; both can ask whether one exists."""
        if self.operation in OF_EITHER:
            if self.value is not None:
                raise wrong(f"a filter without value, because {self.operation} takes none")
            return self
        kind = "FLOAT" if self.operation in OF_NUMBER else "STRING"
        if self.valueType not in (None, kind):
            raise wrong(f"a filter with valueType {kind}, because of {self.operation}")
        if self.value is None:
            raise wrong(f"a filter with value, because {self.operation} compares")
        if kind == "FLOAT":
            try:
                money.exact(self.value)
            except money.NotANumber as error:
                raise wrong(f"a filter whose value is {error}") from error
        return self

    def wire(self) -> dict[str, Any]:
        """The vendor's filter: a number is compared as a number, and sent as one."""
        numeric = self.operation in OF_NUMBER
        value = money.exact(self.value) if numeric and self.value is not None else self.value
        return present(
            name=self.name,
            operation=self.operation,
            value=value,
            valueType=self.valueType or ("FLOAT" if numeric else "STRING"),
        )


class FilterGroup(Body):
    filters: Annotated[list[MetricFilter], Field(min_length=1)]


class MetricRules(Body):
    filterGroups: Annotated[
        list[FilterGroup] | None,
        Field(description="One filter of each group must match"),
    ] = None
    groupBys: list[Property] | None = None
    propertyUniqueOn: Annotated[Property | None, Field(description="What UNIQUE_COUNT counts")] = (
        None
    )

    def wire(self) -> dict[str, Any]:
        groups = self.filterGroups
        return present(
            filterGroups=None
            if groups is None
            else [{"filters": [item.wire() for item in group.filters]} for group in groups],
            groupBys=self.groupBys,
            propertyUniqueOn=self.propertyUniqueOn,
        )


class NewBillableMetric(Body):
    name: MetricName
    aggregationType: Aggregation
    info: MetricRules | None = None
    description: Description | None = None
    id: MetricId | None = None

    @model_validator(mode="after")
    def _counts_something(self) -> Self:
        # The vendor requires neither this nor any other field, but could not aggregate without.
        if self.aggregationType == "UNIQUE_COUNT" and not (
            self.info and self.info.propertyUniqueOn
        ):
            raise wrong(
                "a metric with info.propertyUniqueOn, because UNIQUE_COUNT counts its values"
            )
        return self


class MetricChange(Body):
    name: MetricName | None = None
    description: Description | None = None
    status: MetricStatus | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.name is None and self.description is None and self.status is None:
            raise wrong("a change of name, description or status")
        return self


class BillableMetric(Result):
    concise: ClassVar[tuple[str, ...]] = ("id", "name", "aggregationType", "status", "description")

    id: str
    name: str | None = None
    description: str | None = None
    aggregationType: str | None = None
    status: str | None = None
    info: dict[str, Any] | None = None
    organizationId: str | None = None
    creationTime: str | None = None
    lastUpdateTime: str | None = None


METRIC_ROUTE = "GET /org/{orgId}/billableMetric/{billableMetricId}"


class Metrics(RootModel[list[BillableMetric] | None]):
    """The vendor's bare list; a Go server writes an empty one as null."""


@toolset.tool(READ, "GET /org/{orgId}/billableMetric")
async def list_billable_metrics(
    suger: Suger, orgId: OrgId = None, status: MetricStatus | None = None, offset: Offset = None
) -> OffsetPage[BillableMetric]:
    """List billable metrics. Their ids are the keys of billableRecords when usage is reported."""
    found = await suger.fetch(Metrics, at={"orgId": suger.org(orgId)}, query={"status": status})
    # The vendor does not page these. An answer too large for a model is cut, and goes on by offset.
    return OffsetPage[BillableMetric](data=(found.root or [])[offset or 0 :])


@toolset.tool(READ, METRIC_ROUTE)
async def get_billable_metric(
    suger: Suger, billableMetricId: MetricId, orgId: OrgId = None
) -> BillableMetric:
    """Show one billable metric with its filters and grouping."""
    return await suger.fetch(
        BillableMetric, at={"orgId": suger.org(orgId), "billableMetricId": billableMetricId}
    )


async def _metric(suger: Suger, metric_id: str, org_id: str | None) -> BillableMetric:
    at = {"orgId": suger.org(org_id), "billableMetricId": metric_id}
    return await suger.fetch(BillableMetric, route=METRIC_ROUTE, at=at)


async def _created(suger: Suger, asked: Mapping[str, Any]) -> Verdict:
    body = asked["body"]
    metric_id = body.get("id") or suger.operation_id
    try:
        metric = await _metric(suger, metric_id, asked.get("orgId"))
    except errors.NotFound:
        return NotApplied()
    # Nobody else makes a metric whose id is this operation, whatever it was renamed to since.
    if "id" not in body or holds(values(metric), body | {"info": None}):
        return Applied(metric)
    return Undecided(
        f"a metric {metric_id} is there, but not as this call would have made it; "
        "get-billable-metric shows it"
    )


async def _updated(suger: Suger, asked: Mapping[str, Any]) -> Verdict:
    metric = await _metric(suger, asked["billableMetricId"], asked.get("orgId"))
    return Applied(metric) if holds(values(metric), asked["body"]) else NotApplied()


async def _would_create(suger: Suger, asked: Mapping[str, Any]) -> Effect:
    body: NewBillableMetric = asked["body"]
    metric_id = body.id or suger.operation_id
    try:
        taken = await _metric(suger, metric_id, asked["orgId"])
    except errors.NotFound:
        rules = {} if body.info is None else body.info.wire()
        return Effect(
            f"Creates {wording.named('billable metric', metric_id, body.name)}, {_told(body)}. "
            "Only its name, description and status can be changed later.",
            after=present(
                id=metric_id,
                name=body.name,
                description=body.description,
                aggregationType=body.aggregationType,
                status="ACTIVE",
                info=rules or None,
            ),
            undo=f"update-billable-metric of {wording.identified(metric_id)} with status DELETED "
            "retires it.",
        )
    raise errors.Conflict(
        f"There is a {wording.named('billable metric', taken.id, taken.name)} already.",
        field="body.id",
        next_step="Choose another id, or leave it out; get-billable-metric shows the one there is.",
    )


def _told(body: NewBillableMetric) -> str:
    """`the SUM of records, where 2 filter groups match, by "region"`."""
    info = body.info or MetricRules()
    told = f"the {body.aggregationType} of records"
    if info.propertyUniqueOn:
        told += f" by their {wording.quoted(info.propertyUniqueOn)}"
    if info.filterGroups:
        told += f" that pass {wording.counted(len(info.filterGroups), 'filter group')}"
    if info.groupBys:
        grouped = wording.listed([wording.quoted(name) for name in info.groupBys])
        told += f", for each {grouped}"
    return told


async def _would_update(suger: Suger, asked: Mapping[str, Any]) -> Effect:
    body: MetricChange = asked["body"]
    metric = await _metric(suger, asked["billableMetricId"], asked["orgId"])
    after = present(name=body.name, description=body.description, status=body.status)
    before = {name: values(metric).get(name, "") for name in after}
    told = [
        f"{name} {wording.quoted(before[name])} becomes {wording.quoted(after[name])}"
        for name in after
        if before[name] != after[name]
    ]
    back = [f"{name} {wording.quoted(value)}" for name, value in before.items()]
    retires = " Usage can no longer be reported by it." if body.status == "DELETED" else ""
    return Effect(
        f"Changes {wording.named('billable metric', metric.id, metric.name)}: "
        f"{'; '.join(told) or 'nothing, it is so already'}.{retires}",
        before,
        after,
        f"update-billable-metric with {' and '.join(back)}.",
        before,
    )


async def _stake(_: Suger, __: Mapping[str, Any]) -> Stake:
    """A metric is the organisation's, and of no customer in particular."""
    return Stake(frozenset())


@toolset.tool(
    CREATE,
    "POST /org/{orgId}/billableMetric",
    write=Write(
        find_out="list-billable-metrics shows whether the metric is there",
        reconcile=_created,
        preview=_would_create,
        stake=_stake,
        target="body",
    ),
)
async def create_billable_metric(
    suger: Suger, body: NewBillableMetric, orgId: OrgId = None
) -> BillableMetric:
    """Create a billable metric; only its name and description can be changed later."""
    return await suger.fetch(
        BillableMetric,
        at={"orgId": suger.org(orgId)},
        body=present(
            # The vendor makes an id up where none is given; this one can be found again.
            id=body.id or suger.operation_id,
            name=body.name,
            description=body.description,
            aggregationType=body.aggregationType,
            info=None if body.info is None else body.info.wire(),
        ),
    )


@toolset.tool(
    UPDATE,
    "PATCH /org/{orgId}/billableMetric/{billableMetricId}",
    write=Write(
        find_out="get-billable-metric shows whether the change is there",
        reconcile=_updated,
        preview=_would_update,
        stake=_stake,
        target="billableMetricId",
    ),
)
async def update_billable_metric(
    suger: Suger, billableMetricId: MetricId, body: MetricChange, orgId: OrgId = None
) -> BillableMetric:
    """Rename or describe a billable metric, or retire it with status DELETED."""
    return await suger.fetch(
        BillableMetric,
        at={"orgId": suger.org(orgId), "billableMetricId": billableMetricId},
        body=present(name=body.name, description=body.description, status=body.status),
    )
