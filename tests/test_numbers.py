"""Numbers on their way through the server: what is accepted, and which digits reach the vendor."""

from decimal import Decimal
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure
from billing_mcp import approvals
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
from recording import Granting, Recorder, Says, attach
from unguarded import ANYTHING

pytestmark = pytest.mark.anyio

CREDIT = {"accountId": "acme-eu", "effectiveFrom": "2026-11-20"}
EVENT = {"schemaName": "calls", "timestamp": "2026-11-20T11:00:00Z", "accountId": "acme-eu"}


@pytest.fixture
def settings() -> Settings:
    """These tests are about digits, not about who may give how much."""
    return Settings(policy=ANYTHING)


def granted(amount: str) -> bytes:
    """Togai's answer to a grant, as its digits are on the wire."""
    row = '"id":"cred.1","accountId":"acme-eu","effectiveFrom":"2026-11-20"'
    return f'{{"credits":[{{{row},"creditAmount":{amount}}}]}}'.encode()


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        (50.1, "50.1"),
        ("50.1", "50.1"),
        ("50.10", "50.10"),
        (" 7 ", "7"),
        (50, "50"),
        (0.1, "0.1"),
        (123456789012.345, "123456789012.345"),
        ("123456789012345.6789", "123456789012345.6789"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("0." + "9" * 40, "0." + "9" * 40),
    ],
)
async def test_the_digits_of_an_amount_reach_the_vendor_as_they_were_given(
    client: Client, server: BillingServer, given: object, wire: str
) -> None:
    vendor = Granting(Says(granted(wire)))
    attach(server, vendor)
    answer = facts(await client.call_tool("grant-credit", {**CREDIT, "creditAmount": given}))
    (body,) = vendor.bodies
    assert f'"creditAmount":{wire},' in body
    assert answer["creditAmount"] == wire


async def approved(
    client: Client, server: BillingServer, arguments: dict[str, Any]
) -> dict[str, Any]:
    """A grant above what any policy lets run by itself, once a person has approved its plan."""
    waits = failure(await client.call_tool("grant-credit", arguments))
    assert waits["kind"] == "approval-required"
    operation_id = waits["operationId"]
    await approvals.approve(server.tenant, operation_id, "somebody", identified=True)
    again = {**arguments, "operationId": operation_id}
    return facts(await client.call_tool("grant-credit", again))


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        ("1234567890123456.78", "1234567890123456.78"),
        (1e22, "10000000000000000000000"),
        ("9" * 40, "9" * 40),
    ],
)
async def test_the_digits_of_an_amount_that_a_person_approved_reach_the_vendor_as_they_were_given(
    client: Client, server: BillingServer, given: object, wire: str
) -> None:
    no_credits = Says({"data": []})
    # What the account has left is read for the plan, and again before it is committed.
    vendor = Granting(no_credits, no_credits, Says(granted(wire)))
    attach(server, vendor)
    answer = await approved(client, server, {**CREDIT, "creditAmount": given})
    assert [request.method for request in vendor.requests] == ["GET", "GET", "POST"]
    assert f'"creditAmount":{wire},' in vendor.bodies[-1]
    assert answer["creditAmount"] == wire


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (0.1 + 0.2, "must be a string: a JSON number keeps only 15 significant digits"),
        (1234567890123456, "must be a string"),
        (10**600, "must be a string"),
        ("1e5", "must be a plain decimal number"),
        ("NaN", "must be a plain decimal number"),
        ("Infinity", "must be a plain decimal number"),
        ("1,50", "must be a plain decimal number"),
        ("$50", "must be a plain decimal number"),
        ("", "must be a plain decimal number"),
        ("9" * 41, "must be a number of at most 40 digits"),
        ("0." + "9" * 41, "must be a number of at most 40 digits"),
        (1e300, "must be a number of at most 40 digits"),
        (1e-300, "must be a number of at most 40 digits"),
        (10**41, "must be a number of at most 40 digits"),
        ("0", "must be a number above 0"),
        (0, "must be a number above 0"),
        ("-5", "must be a number above 0"),
        (-0.01, "must be a number above 0"),
        (True, "must be a number, not true or false"),
        (None, 'must be a number, best as a string: "12.50"'),
        ([50], 'must be a number, best as a string: "12.50"'),
        ({"amount": 50}, 'must be a number, best as a string: "12.50"'),
    ],
)
async def test_what_is_no_exact_amount_is_refused_before_anything_is_sent(
    client: Client, server: BillingServer, given: object, says: str
) -> None:
    vendor = Recorder(Says({}))
    attach(server, vendor)
    error = failure(await client.call_tool("grant-credit", {**CREDIT, "creditAmount": given}))
    assert (error["kind"], error["field"]) == ("invalid-request", "creditAmount")
    assert says in error["message"]
    assert vendor.requests == []


@pytest.mark.parametrize("given", [float("nan"), float("inf"), float("-inf")])
async def test_a_float_that_is_no_number_is_refused(server: BillingServer, given: float) -> None:
    vendor = Recorder(Says({}))
    attach(server, vendor)
    error = failure(await server.call_tool("grant-credit", {**CREDIT, "creditAmount": given}))
    assert "must be a finite number" in error["message"]
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("given", "wire"), [(12.5, "12.5"), ("12.50", "12.50"), (7, "7"), ("-3", "-3")]
)
async def test_a_number_of_an_event_goes_out_as_the_text_that_the_vendor_wants(
    client: Client, server: BillingServer, given: object, wire: str
) -> None:
    vendor = Recorder(Says({"success": True}))
    attach(server, vendor)
    event = {**EVENT, "attributes": [{"name": "calls", "value": given}]}
    facts(await client.call_tool("ingest-events", {"events": [event]}))
    assert f'"attributes":[{{"name":"calls","value":"{wire}"}}]' in vendor.bodies[0]


@pytest.mark.parametrize("given", [True, "many", 0.1 + 0.2, "1e3", None])
async def test_what_is_no_number_is_refused_in_an_event(
    client: Client, server: BillingServer, given: object
) -> None:
    vendor = Recorder(Says({}))
    attach(server, vendor)
    event = {**EVENT, "attributes": [{"name": "calls", "value": given}]}
    error = failure(await client.call_tool("ingest-events", {"events": [event]}))
    assert error["field"] == "events[0].attributes[0].value"
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("records", "wire"),
    [
        ({"calls": 50.1}, '{"calls":50.1}'),
        ({"calls": "50.10", "hours": 0}, '{"calls":50.10,"hours":0}'),
        ({"calls": "0.30000000000000004"}, '{"calls":0.30000000000000004}'),
    ],
)
async def test_quantities_of_usage_go_out_as_exact_json_numbers(
    client: Client, server: BillingServer, records: dict[str, Any], wire: str
) -> None:
    vendor = Recorder(Says({"id": "group"}))
    attach(server, vendor)
    arguments = {"entitlementId": "ent", "orgId": "org", "body": {"records": records}}
    facts(await client.call_tool("report-usagerecordgroup", arguments))
    assert f'"records":{wire}' in vendor.bodies[0]


async def test_a_property_that_is_a_number_stays_exact_and_one_that_is_text_stays_text(
    client: Client, server: BillingServer
) -> None:
    vendor = Recorder(Says({"id": "group"}))
    attach(server, vendor)
    properties = {"size": 0.1, "text": "0.10", "flag": True, "whole": 5}
    record = {"key": "metric", "quantity": "1.0", "properties": properties}
    arguments = {"entitlementId": "ent", "orgId": "org", "body": {"billableRecords": [record]}}
    facts(await client.call_tool("report-usagerecordgroup", arguments))
    assert (
        '"quantity":1.0,"properties":{"size":0.1,"text":"0.10","flag":true,"whole":5}'
        in vendor.bodies[0]
    )


async def test_the_sandbox_keeps_the_amount_to_the_last_digit(
    client: Client, server: BillingServer
) -> None:
    account = server.tenant.sandbox.backend.request("GET", "/togai/accounts")["data"][0]["id"]
    amount = "12345678901234567890.123456789"
    arguments = {**CREDIT, "accountId": account, "creditAmount": amount}
    granted_id = (await approved(client, server, arguments))["id"]
    stored = server.tenant.sandbox.backend.request("GET", "/togai/credits", id=granted_id)
    assert stored["data"][0]["creditAmount"] == Decimal(amount)
    listed = facts(await client.call_tool("list-credits", {"creditId": granted_id}))
    assert listed["data"][0]["creditAmount"] == amount


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (1.5, "must be a whole number (got 1.5)"),
        ("1.5", 'must be a whole number (got "1.5")'),
        ("many", 'must be a whole number (got "many")'),
        (10**30, "must be at most 100"),
        ([1], "must be a whole number (got a list)"),
    ],
)
async def test_a_count_is_a_whole_number(
    client: Client, server: BillingServer, given: object, says: str
) -> None:
    vendor = Recorder(Says({"data": []}))
    attach(server, vendor)
    error = failure(await client.call_tool("list-customers", {"pageSize": given}))
    assert f"pageSize {says}" in error["message"]
    assert vendor.requests == []
