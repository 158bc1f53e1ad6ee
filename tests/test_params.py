"""The argument types that tools share: what they take, what they make of it, what they refuse."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from billing_mcp import params, tools
from billing_mcp.errors import InvalidRequest

OPERATION = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
CET = timezone(timedelta(hours=1))


def read(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind).validate_python(value)


def refusal(kind: Any, value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    (problem,) = caught.value.errors()
    return str(problem["msg"])


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (params.Name, "Zoë & Söhne 東京 😀", "Zoë & Söhne 東京 😀"),
        (params.Name, "x" * 4000, "x" * 4000),
        (params.Positive, "0.01", Decimal("0.01")),
        (params.Positive, 5, Decimal(5)),
        (params.NonNegative, "0", Decimal(0)),
        (params.NonNegative, Decimal("1.50"), Decimal("1.50")),
        (params.Day, "2026-02-28", date(2026, 2, 28)),
        (params.Day, " 2024-02-29 ", date(2024, 2, 29)),
        (params.Day, date(2026, 1, 1), date(2026, 1, 1)),
        (params.Instant, "2026-11-20T12:00:00Z", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        (params.Instant, "2026-11-20 12:00+01:00", datetime(2026, 11, 20, 11, tzinfo=UTC)),
        (
            params.Instant,
            datetime(2026, 1, 1, tzinfo=CET),
            datetime(2025, 12, 31, 23, tzinfo=UTC),
        ),
        (params.Currency, "usd", "USD"),
        (params.Email, "billing@acme.example", "billing@acme.example"),
        (params.PageSize, None, None),
        (params.PageSize, "7", 7),
        (params.OrgId, None, None),
        (params.OperationId, OPERATION.upper(), OPERATION),
        (params.OperationId, f" {OPERATION.replace('-', '')} ", OPERATION),
    ],
)
def test_a_good_value_is_taken(kind: Any, value: Any, result: Any) -> None:
    assert read(kind, value) == result


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (params.Name, "two\nlines", "text on one line"),
        (params.Name, "a\ttab", "text on one line"),
        (params.Name, "null\x00", "text without control characters (found U+0000)"),
        (params.Name, "escape\x1b[31m", "text without control characters (found U+001B)"),
        (params.Name, "half\ud83d", "text without control characters (found U+D83D)"),
        (params.Name, "x" * 4001, "text of at most 4000 characters"),
        (params.NonNegative, "-0.01", "a number of at least 0"),
        (params.Positive, "0.00", "a number above 0"),
        (params.Positive, b"5", 'a number, best as a string: "12.50"'),
        (params.Day, "2026-02-29", "a day that exists (day is out of range for month)"),
        (params.Day, "20261120", "a UTC day such as 2026-11-20"),
        (params.Day, "2026-11-20T00:00:00Z", "a UTC day such as 2026-11-20"),
        (params.Day, datetime(2026, 1, 1, tzinfo=UTC), "a UTC day such as 2026-11-20"),
        (params.Day, 20261120, "a UTC day such as 2026-11-20"),
        (params.Day, "\u0662\u0660\u0662\u0666-11-20", "a day that exists"),
        (params.Instant, "2026-11-20", "a UTC time such as 2026-11-20T12:00:00Z"),
        (params.Instant, 1700000000, "a UTC time such as 2026-11-20T12:00:00Z"),
        (params.Instant, "2026-11-20T12:00:00", "a time with its zone"),
        (params.Instant, "2026-11-20T24:61:00Z", "a time that exists"),
        (params.Instant, "9999-12-31T23:59:59-14:00", "a time that exists"),
        (params.Currency, "US", "String should match pattern"),
        (params.Currency, "USDT", "String should match pattern"),
        (params.Currency, 840, "Input should be a valid string"),
        (params.Email, "not a mailbox@acme.example", "String should match pattern"),
        (params.Email, "nobody", "String should match pattern"),
        (params.PageSize, 0, "greater than or equal to 1"),
        (params.SmallPageSize, 51, "less than or equal to 50"),
        (params.Limit, 1001, "less than or equal to 1000"),
        (params.Offset, -1, "greater than or equal to 0"),
        (params.OperationId, "not-a-uuid", "a UUID such as"),
        (params.OperationId, None, "a UUID such as"),
        (params.OperationId, 5, "a UUID such as"),
    ],
)
def test_a_wrong_value_is_refused_with_what_would_be_right(
    kind: Any, value: Any, says: str
) -> None:
    assert says in refusal(kind, value)


def test_lines_are_fine_where_text_need_not_be_on_one() -> None:
    assert params.printable("two\n\tlines\r\n") == "two\n\tlines\r\n"


def test_a_misspelt_field_of_a_body_is_an_error_and_not_a_wrong_invoice() -> None:
    class Rate(params.Body):
        rate: params.Positive | None = None

    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Rate.model_validate({"raet": "5"})


def test_one_filter_may_be_used_and_two_may_not() -> None:
    params.one_filter(partner=None, buyerId=None)
    params.one_filter(partner="AWS", buyerId=None)
    with pytest.raises(InvalidRequest, match="partner and status cannot be combined") as caught:
        params.one_filter(partner="AWS", buyerId=None, status="CREATED")
    assert caught.value.field == "status"
    assert caught.value.next_step == "Give only one of partner, buyerId, status."


def test_every_tool_that_an_error_sends_a_caller_to_is_there() -> None:
    assert set(params.FOUND_BY.values()) <= set(tools.MODULES)
