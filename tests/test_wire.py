"""Arguments in the vendor's spelling: paths that stay paths, queries and bodies without nulls."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from answers import failure
from billing_mcp import wire
from billing_mcp.errors import InvalidRequest
from billing_mcp.params import Body
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda value: value not in (".", "..")
)


@given(ids)
def test_an_id_is_always_one_segment_of_the_path(value: str) -> None:
    path = wire.path("/customers/{customer_id}/x", {"customer_id": value})
    assert path.startswith("/customers/")
    assert path.endswith("/x")
    assert path.count("/") == 3
    assert not set(path) & set("?#\\ \n")


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_an_id_that_would_lead_elsewhere_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be an id"):
        wire.path("/customers/{customer_id}", {"customer_id": value})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given_id", "target"),
    [
        ("../accounts", "/togai/customers/..%2Faccounts"),
        ("a/b?c=d#e", "/togai/customers/a%2Fb%3Fc%3Dd%23e"),
        ("%2e%2e", "/togai/customers/%252e%252e"),
        ("Zürich & Söhne", "/togai/customers/Z%C3%BCrich%20%26%20S%C3%B6hne"),
    ],
)
async def test_a_path_on_the_wire_is_the_one_that_was_meant(
    client: Client, server: BillingServer, given_id: str, target: str
) -> None:
    vendor = Recorder(Says({"message": "no"}, 404))
    attach(server, vendor)
    failure(await client.call_tool("get-customer", {"customerId": given_id}))
    assert [request.target for request in vendor.requests] == [target]


@pytest.mark.anyio
async def test_an_id_of_dots_reaches_no_vendor(client: Client, server: BillingServer) -> None:
    vendor = Recorder(Says({}))
    attach(server, vendor)
    error = failure(await client.call_tool("get-customer", {"customerId": ".."}))
    assert error["kind"] == "invalid-request"
    assert vendor.requests == []


def test_a_query_spells_each_value_as_the_vendors_do_and_leaves_nothing_out_but_nothing() -> None:
    values: dict[str, Any] = {
        "none": None,
        "yes": True,
        "no": False,
        "zero": 0,
        "empty": "",
        "amount": Decimal("1E+3"),
        "day": date(2026, 11, 20),
        "time": datetime(2026, 11, 20, 12, tzinfo=UTC),
    }
    assert wire.query(values) == {
        "yes": "true",
        "no": "false",
        "zero": "0",
        "empty": "",
        "amount": "1000",
        "day": "2026-11-20",
        "time": "2026-11-20T12:00:00Z",
    }


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 11, 20, 12, tzinfo=UTC), "2026-11-20T12:00:00Z"),
        (datetime(2026, 11, 20, 12, 0, 0, 5000, tzinfo=UTC), "2026-11-20T12:00:00.005Z"),
        (datetime(2026, 11, 20, 1, tzinfo=timezone(timedelta(hours=2))), "2026-11-19T23:00:00Z"),
    ],
)
def test_a_time_is_written_in_utc(time: datetime, text: str) -> None:
    assert wire.utc_text(time) == text


class Part(Body):
    day: date | None = None
    amount: Decimal | None = None


class Whole(Body):
    parts: list[Part]
    by_name: dict[str, Part]
    left_out: str | None = None


def test_a_model_is_sent_as_it_was_given_and_its_defaults_are_not() -> None:
    whole = Whole(
        parts=[Part(day=date(2026, 11, 20)), Part(amount=None)],
        by_name={"a": Part(amount=Decimal("1.10"))},
    )
    assert wire.given(whole) == {
        "parts": [{"day": "2026-11-20"}, {"amount": None}],
        "by_name": {"a": {"amount": Decimal("1.10")}},
    }


def test_a_body_holds_what_is_there_and_no_nulls() -> None:
    body = wire.present(
        none=None, zero=0, no=False, times=(datetime(2026, 11, 20, tzinfo=UTC),), part=Part()
    )
    assert body == {"zero": 0, "no": False, "times": ["2026-11-20T00:00:00Z"], "part": {}}
