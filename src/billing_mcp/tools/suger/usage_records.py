"""Usage as a caller reports it and as Suger keeps it, and whether the two are the same."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema

from billing_mcp import money
from billing_mcp.params import (
    Body,
    Instant,
    Name,
    NonNegative,
    OperationId,
    on_one_line,
    printable,
    wrong,
)
from billing_mcp.results import Exact, Result
from billing_mcp.wire import present, utc_text

# Bounds that no true value comes near are checked but not published: they would only cost a
# model's context, three tools over.
PLAIN_TEXT = WithJsonSchema({"type": "string"})
EntitlementId = Annotated[Name, Field(min_length=1, max_length=50), PLAIN_TEXT]
Quantity = Annotated[NonNegative, PLAIN_TEXT]


def _properties(value: Any) -> dict[str, Any] | None:
    """What a billable metric filters and groups by: text stays text, numbers stay exact."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong("an object of texts, numbers, true or false")
    return {on_one_line(name): _property(name, item) for name, item in value.items()}


def _property(name: str, value: Any) -> str | bool | Decimal:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        try:
            return money.exact(value)
        except money.NotANumber as error:
            raise wrong(f"an object of exact numbers: {name} must be {error}") from error
    raise wrong(f"an object of texts, numbers, true or false ({name} is none of them)")


class BillableRecord(Body):
    key: Annotated[Name, Field(min_length=1, max_length=100), PLAIN_TEXT]
    quantity: Quantity | None = None
    properties: Annotated[
        dict[str, Any] | None, PlainValidator(_properties), WithJsonSchema({"type": "object"})
    ] = None

    def wire(self) -> dict[str, Any]:
        return present(key=self.key, quantity=self.quantity, properties=self.properties)


class Usage(Body):
    """What was used, by dimension (`records`) or by billable metric (`billableRecords`)."""

    records: Annotated[
        dict[Name, Quantity] | None, Field(description="Quantity by dimension key")
    ] = None
    billableRecords: Annotated[
        list[BillableRecord] | None, Field(description="Instead of records")
    ] = None
    timestamp: Instant | None = None

    @model_validator(mode="after")
    def _one_kind_with_quantity(self) -> Self:
        if self.records and self.billableRecords:
            raise wrong("usage in records or in billableRecords, never in both")
        if not self.records and not self.billableRecords:
            raise wrong("usage: at least one entry in records or in billableRecords")
        # A record without quantity still counts for metrics that count records.
        quantities = (self.records or {}).values() or (
            record.quantity for record in self.billableRecords or ()
        )
        if all(quantity == 0 for quantity in quantities):
            raise wrong("usage with at least one quantity above 0")
        return self

    def wire(self) -> dict[str, Any]:
        """The usage for the vendor's body.

        Its schema requires `records` even beside `billableRecords`, yet forbids using both, and its
        own example of the newer field leaves `records` out. So the unused one is not sent at all:
        an empty map might be taken for one that is used.
        """
        billable = [record.wire() for record in self.billableRecords or ()]
        return present(
            records=self.records or None,
            billableRecords=billable or None,
            timestamp=self.timestamp,
        )


class NewUsageRecordGroup(Usage):
    entitlementID: EntitlementId

    def wire(self) -> dict[str, Any]:
        return {"entitlementID": self.entitlementID, **super().wire()}


class ReportedUsage(Usage):
    # What the arguments say as well is taken, because the vendor's body has it, but not published.
    id: SkipJsonSchema[OperationId | None] = None
    organizationID: SkipJsonSchema[Name | None] = None
    entitlementID: SkipJsonSchema[Name | None] = None


class BillableUsage(Result):
    key: str | None = None
    quantity: Exact | None = None
    properties: dict[str, Any] | None = None


class MetaInfo(Result):
    source: str | None = None
    timestamp: str | None = None
    originRecords: dict[str, Exact] | None = None
    billableRecords: list[BillableUsage] | None = None


class UsageRecordGroup(Result):
    concise: ClassVar[tuple[str, ...]] = (
        "id",
        "entitlementID",
        "partner",
        "buyerID",
        "status",
        "records",
        "metaInfo.billableRecords",
        "creationTime",
        "usageRecordReportID",
    )

    id: str
    organizationID: str | None = None
    entitlementID: str | None = None
    buyerID: str | None = None
    partner: str | None = None
    status: str | None = None
    records: dict[str, Exact] | None = None
    metaInfo: MetaInfo | None = None
    creationTime: str | None = None
    lastUpdateTime: str | None = None
    reportedTime: str | None = None
    usageRecordReportID: str | None = None


def same_usage(body: ReportedUsage, group: UsageRecordGroup) -> bool:
    """Whether a group was made from this usage; a dimension mapping keeps the original beside."""
    kept = group.metaInfo or MetaInfo()
    if body.timestamp is not None and kept.timestamp is not None:
        try:
            then = datetime.fromisoformat(kept.timestamp)
        except ValueError:
            # Not a time we can compare: then sameness is not proved.
            return False
        if utc_text(then) != utc_text(body.timestamp):
            return False
    if body.billableRecords:
        return _comparable(body.billableRecords) == _comparable(kept.billableRecords or ())
    return _nonzero(body.records) == _nonzero(kept.originRecords or group.records)


def _nonzero(records: Mapping[str, Decimal] | None) -> dict[str, Decimal]:
    return {name: quantity for name, quantity in (records or {}).items() if quantity}


def _comparable(records: Iterable[BillableRecord | BillableUsage]) -> list[Any]:
    return [(record.key, record.quantity or 0, record.properties or {}) for record in records]
