"""The argument types that tools share: numbers, times, ids, paging. Their text tells where a value
comes from, so that a tool's docstring need not."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from billing_mcp import errors, money

# For every text whose own bound is not lower. No argument of these tools is prose.
LONGEST_TEXT = 4000
# As a URN, with some space around it.
LONGEST_UUID = 100

# With halves of surrogate pairs, which Python's texts can hold but UTF-8 cannot.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

# Which tool shows the ids that an argument takes; used when the vendor knows no such id.
FOUND_BY = {
    "customerId": "list-customers",
    "accountId": "list-accounts",
    "featureId": "get-entitlements-account",
    "entryId": "list-feature-credits-entries-feature",
    "alertTemplateId": "list-alert-templates",
    "alertId": "list-alerts",
    "incidentId": "list-incidents",
    "alias": "list-aliases",
    "eventId": "list-events",
    "eventSchemaName": "list-event-schemas",
    "fileId": "list-reports",
    "settingId": "list-settings",
    "usageMeterId": "list-usage-meters",
    "jobId": "list-jobs",
    "licenseId": "list-addons",
    "migrationId": "list-migrations",
    "pricePlanId": "list-price-plans",
    "purchaseId": "list-account-purchases",
    "purchaseProposalId": "list-account-proposals",
    "scheduleId": "list-account-schedules",
    "billableMetricId": "list-billable-metrics",
    "creditId": "list-credits",
    "invoiceGroupId": "list-invoice-groups",
    "invoiceId": "list-invoices",
    "paymentId": "list-payments",
    "usageRecordGroupId": "list-usagerecordgroups",
    "entitlementId": "list-usagerecordgroups",
}


class Body(BaseModel):
    """A nested argument: closed, so that a misspelt field is an error and not a wrong invoice."""

    model_config = ConfigDict(extra="forbid")


def wrong(message: str) -> PydanticCustomError:
    """An error whose text says what would be right."""
    return PydanticCustomError("wrong", "{message}", {"message": message})


def printable(text: str) -> str:
    """Text without control characters, of a length that a vendor could want."""
    if len(text) > LONGEST_TEXT:
        raise wrong(f"text of at most {LONGEST_TEXT} characters")
    if found := _CONTROL.search(text):
        raise wrong(f"text without control characters (found U+{ord(found[0]):04X})")
    return text


def on_one_line(text: str) -> str:
    if "\n" in text or "\r" in text or "\t" in text:
        raise wrong("text on one line")
    return printable(text)


Name = Annotated[str, AfterValidator(on_one_line)]
"""Text on one line. Give it its own lengths: `Annotated[Name, Field(max_length=50)]`."""


def _secret(value: SecretStr) -> SecretStr:
    on_one_line(value.get_secret_value())
    return value


Password = Annotated[SecretStr, AfterValidator(_secret)]


def _decimal(
    *, minimum: Decimal | None = None, above: Decimal | None = None
) -> Callable[[Any], Decimal]:
    def parse(value: Any) -> Decimal:
        if not isinstance(value, str | int | float | Decimal):
            raise wrong('a number, best as a string: "12.50"')
        try:
            number = money.exact(value)
        except money.NotANumber as error:
            raise wrong(f"{error}") from error
        if minimum is not None and number < minimum:
            raise wrong(f"a number of at least {minimum}")
        if above is not None and number <= above:
            raise wrong(f"a number above {above}")
        # As it is written out: 1e300 has one digit, and three hundred zeros on the wire.
        written = money.plain(number).lstrip("-").removeprefix("0.").replace(".", "")
        if len(written) > _ARGUMENT_DIGITS:
            raise wrong(f"a number of at most {_ARGUMENT_DIGITS} digits")
        return number

    return parse


# More than any amount or rate needs; it keeps absurd numbers from the vendors.
_ARGUMENT_DIGITS = 40

_UNSIGNED_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?$"})
NonNegative = Annotated[Decimal, PlainValidator(_decimal(minimum=Decimal(0))), _UNSIGNED_SCHEMA]
Positive = Annotated[Decimal, PlainValidator(_decimal(above=Decimal(0))), _UNSIGNED_SCHEMA]
Signed = Annotated[
    Decimal,
    PlainValidator(_decimal()),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}),
]


def _day(value: Any) -> date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip()):
        try:
            return date.fromisoformat(value.strip())
        except ValueError as error:
            raise wrong(f"a day that exists ({error})") from error
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise wrong("a UTC day such as 2026-11-20")


def _instant(value: Any) -> datetime:
    parsed = value
    if isinstance(value, str) and re.match(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}", value.strip()):
        try:
            parsed = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise wrong(f"a time that exists ({error})") from error
    if not isinstance(parsed, datetime):
        raise wrong("a UTC time such as 2026-11-20T12:00:00Z")
    if parsed.tzinfo is None:
        raise wrong("a time with its zone, such as 2026-11-20T12:00:00Z")
    try:
        return parsed.astimezone(UTC)
    except OverflowError as error:
        raise wrong("a time that exists (in UTC this one lies outside all years)") from error


Day = Annotated[date, PlainValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Instant = Annotated[
    datetime, PlainValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]

CustomerId = Annotated[Name, Field(min_length=1, max_length=50)]
AccountId = Annotated[Name, Field(min_length=1, max_length=50)]
FeatureId = Annotated[Name, Field(min_length=1, max_length=50)]
EntryId = Annotated[
    Name,
    Field(min_length=1, max_length=200, description="From list-feature-credits-entries-feature"),
]
Currency = Annotated[
    Name,
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
    Field(pattern="^[A-Z]{3}$", description="ISO 4217"),
]
Email = Annotated[Name, Field(max_length=320, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]

PageSize = Annotated[int | None, Field(ge=1, le=100)]
SmallPageSize = Annotated[int | None, Field(ge=1, le=50)]
NextToken = Annotated[Name | None, Field(max_length=600, description="From the page before")]
Search = Annotated[Name | None, Field(min_length=1, max_length=255)]
Version = Annotated[int | None, Field(ge=1, le=1_000_000, description="Default: the newest")]
Limit = Annotated[int | None, Field(ge=1, le=1000)]
# Published without their bounds, which no caller comes near: thirteen tools carry them.
Offset = Annotated[int | None, Field(ge=0, le=10_000_000), WithJsonSchema({"type": "integer"})]
OrgId = Annotated[
    Name | None, Field(min_length=1, max_length=50), WithJsonSchema({"type": "string"})
]


def uuid_of(value: object) -> str | None:
    """The UUID that a caller wrote, as it is usually written; None when it is none."""
    # A long text is not looked into: `UUID` would copy all of it several times.
    if not isinstance(value, str) or len(value) > LONGEST_UUID:
        return None
    try:
        return str(UUID(value.strip()))
    except ValueError:
        return None


def _uuid(value: Any) -> str:
    if (found := uuid_of(value)) is not None:
        return found
    raise wrong("a UUID such as 6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d, or nothing")


OperationId = Annotated[
    str, PlainValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})
]


def one_filter(**filters: object) -> None:
    """Refuse filters that the vendor cannot combine. Raises `InvalidRequest` naming the second."""
    used = [name for name, value in filters.items() if value is not None]
    if len(used) > 1:
        raise errors.InvalidRequest(
            f"{' and '.join(used)} cannot be combined; nothing was sent.",
            field=used[1],
            next_step=f"Give only one of {', '.join(filters)}.",
        )
