"""One call to a vendor: how often it is tried, how long it waits, and what a failure is called."""

from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.server import BillingServer
from recording import SILENCE, TOKEN, Granting, Recorder, Says, attach

pytestmark = pytest.mark.anyio

OPERATION = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
CUSTOMER = {"id": "acme", "name": "Acme", "primaryEmail": "billing@acme.example"}
CREDIT = {"accountId": "acme-eu", "creditAmount": "50", "effectiveFrom": "2026-11-20"}
GRANTED = {
    "credits": [
        {
            "id": "cred.1",
            "accountId": "acme-eu",
            "creditAmount": 50,
            "effectiveFrom": "2026-11-20",
            "idempotencyKey": OPERATION,
        }
    ]
}
READ: tuple[str, dict[str, Any]] = ("list-customers", {})
UNKEYED: tuple[str, dict[str, Any]] = ("create-customer", CUSTOMER)
KEYED: tuple[str, dict[str, Any]] = ("grant-credit", {**CREDIT, "operationId": OPERATION})
NO_CUSTOMERS = Says({"data": []})
FULL_WAITS = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        (302, "unavailable", 1),
        (400, "invalid-request", 1),
        (401, "not-configured", 1),
        (403, "not-permitted", 1),
        (404, "not-found", 1),
        (408, "unavailable", 8),
        (409, "conflict", 1),
        (413, "invalid-request", 1),
        (422, "invalid-request", 1),
        (425, "unavailable", 8),
        (429, "rate-limited", 8),
        (500, "unavailable", 8),
        (501, "not-configured", 1),
        (502, "unavailable", 8),
        (503, "unavailable", 8),
        (504, "unavailable", 8),
        (507, "unavailable", 1),
    ],
)
async def test_a_read_is_tried_eight_times_where_trying_again_can_help(
    client: Client, server: BillingServer, status: int, kind: str, requests: int
) -> None:
    vendor = Recorder(Says({"message": "no"}, status))
    waits = attach(server, vendor)
    error = failure(await client.call_tool(*READ))
    assert (error["kind"], len(vendor.requests)) == (kind, requests)
    assert waits.seconds == FULL_WAITS[: requests - 1]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, "outcome-unknown"),
        (400, "invalid-request"),
        (408, "outcome-unknown"),
        (409, "conflict"),
        (429, "rate-limited"),
        (500, "outcome-unknown"),
        (501, "not-configured"),
        (503, "outcome-unknown"),
    ],
)
async def test_a_write_that_nothing_dedupes_is_sent_once(
    client: Client, server: BillingServer, status: int, kind: str
) -> None:
    vendor = Recorder(Says({"message": "no"}, status))
    waits = attach(server, vendor)
    error = failure(await client.call_tool(*UNKEYED))
    assert (error["kind"], len(vendor.requests), waits.seconds) == (kind, 1, [])


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        (403, "not-permitted", 1),
        (429, "rate-limited", 8),
        (500, "outcome-unknown", 8),
        (501, "not-configured", 1),
    ],
)
async def test_a_write_that_the_vendor_dedupes_is_repeated_with_its_first_key(
    client: Client, server: BillingServer, status: int, kind: str, requests: int
) -> None:
    vendor = Granting(Says({"message": "no"}, status))
    attach(server, vendor)
    error = failure(await client.call_tool(*KEYED))
    assert (error["kind"], len(vendor.requests)) == (kind, requests)
    assert error["operationId"] == OPERATION
    assert len(set(vendor.bodies)) == 1
    assert OPERATION in vendor.bodies[0]


async def test_a_grant_whose_account_cannot_be_read_is_not_sent(
    client: Client, server: BillingServer
) -> None:
    vendor = Recorder(Says({"message": "broken"}, 500))
    attach(server, vendor)
    error = failure(await client.call_tool(*KEYED))
    assert error["kind"] == "unavailable"
    assert {request.target for request in vendor.requests} == {"/togai/accounts/acme-eu"}
    assert [request.method for request in vendor.requests] == ["GET"] * 8


async def test_a_key_of_our_own_stays_the_same_over_all_tries(
    client: Client, server: BillingServer
) -> None:
    vendor = Granting(Says(status=503))
    attach(server, vendor)
    error = failure(await client.call_tool("grant-credit", CREDIT))
    assert len(vendor.requests) == 8
    assert all(error["operationId"] in body for body in vendor.bodies)


async def test_a_failure_that_cannot_be_cured_after_a_lost_try_is_not_called_a_failure(
    client: Client, server: BillingServer
) -> None:
    vendor = Granting(ConnectionResetError(), Says({"message": "key revoked"}, 401))
    attach(server, vendor)
    error = failure(await client.call_tool(*KEYED))
    assert error["kind"] == "outcome-unknown"
    assert len(vendor.requests) == 2


async def test_waits_between_tries_double_up_to_five_seconds_and_jitter_halves_them_at_most(
    client: Client, server: BillingServer
) -> None:
    waits = attach(server, Recorder(Says(status=500)), jitter=0)
    failure(await client.call_tool(*READ))
    assert waits.seconds == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.5]


async def test_a_read_that_succeeds_at_the_last_try_is_a_success(
    client: Client, server: BillingServer
) -> None:
    vendor = Recorder(*[Says(status=500)] * 7, NO_CUSTOMERS)
    attach(server, vendor)
    assert facts(await client.call_tool(*READ))["count"] == 0
    assert len(vendor.requests) == 8


@pytest.mark.parametrize(
    ("header", "limit", "waited"),
    [("7", 25, 7), ("0", 25, 0.1), ("60", 300, 60), ("Fri, 20 Nov 2026 12:00:00 GMT", 25, 0.1)],
)
async def test_retry_after_is_obeyed_in_seconds_up_to_a_minute(
    client: Client, server: BillingServer, header: str, limit: float, waited: float
) -> None:
    vendor = Recorder(Says(status=429, headers={"Retry-After": header}), NO_CUSTOMERS)
    waits = attach(server, vendor, timeout_s=limit)
    facts(await client.call_tool(*READ))
    assert waits.seconds == [waited]


@pytest.mark.parametrize(("header", "limit"), [("61", 300), ("30", 25), ("999999", 300)])
async def test_a_wait_beyond_a_minute_or_the_deadline_is_left_to_the_caller(
    client: Client, server: BillingServer, header: str, limit: float
) -> None:
    vendor = Recorder(Says({"message": "slow"}, 429, {"Retry-After": header}))
    waits = attach(server, vendor, timeout_s=limit)
    error = failure(await client.call_tool(*READ))
    assert (error["kind"], error["retryAfterSeconds"]) == ("rate-limited", int(header))
    assert f"Try again in {header} seconds" in error["next"]
    assert (len(vendor.requests), waits.seconds) == (1, [])


async def test_a_write_that_nothing_dedupes_is_not_repeated_because_retry_after_asks_for_it(
    client: Client, server: BillingServer
) -> None:
    vendor = Recorder(Says({"message": "slow"}, 429, {"Retry-After": "1"}))
    waits = attach(server, vendor)
    error = failure(await client.call_tool(*UNKEYED))
    assert (error["kind"], error["retryAfterSeconds"]) == ("rate-limited", 1)
    assert (len(vendor.requests), waits.seconds) == (1, [])


@pytest.mark.parametrize(
    ("call", "kind", "advice"),
    [
        (READ, "unavailable", "Try again in a minute."),
        (UNKEYED, "outcome-unknown", "get-customer shows whether the customer is there"),
        (KEYED, "outcome-unknown", f"again with operationId {OPERATION}"),
    ],
)
async def test_silence_ends_at_the_deadline_and_a_write_is_not_called_unsent(
    client: Client,
    server: BillingServer,
    call: tuple[str, dict[str, Any]],
    kind: str,
    advice: str,
) -> None:
    vendor = Granting(SILENCE)
    attach(server, vendor, timeout_s=0.3)
    with anyio.fail_after(5):
        result = await client.call_tool(*call)
    error = failure(result)
    assert (error["kind"], len(vendor.requests)) == (kind, 1)
    assert "did not answer within 0.3 s" in error["message"]
    assert advice in said(result)


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (Says({"message": "slow"}, 429), "rate-limited"),
        (Says({"message": "broken"}, 500), "outcome-unknown"),
        (httpx2.ConnectError("refused"), "unavailable"),
    ],
)
async def test_a_deadline_between_two_tries_tells_what_the_last_try_came_to(
    client: Client, server: BillingServer, first: object, kind: str
) -> None:
    async def never(seconds: float) -> None:
        await anyio.sleep_forever()

    vendor = Granting(first)
    attach(server, vendor, timeout_s=0.3, sleep=never)
    with anyio.fail_after(5):
        error = failure(await client.call_tool(*KEYED))
    assert (error["kind"], len(vendor.requests)) == (kind, 1)


async def test_a_call_that_never_got_its_turn_says_that_nothing_was_sent(
    server: BillingServer, client: Client
) -> None:
    go = anyio.Event()
    recorder = Recorder(NO_CUSTOMERS)

    async def vendor(scope: Any, receive: Any, send: Any) -> None:
        await go.wait()
        await recorder(scope, receive, send)

    attach(server, vendor, concurrency=1)
    async with anyio.create_task_group() as group:
        group.start_soon(client.call_tool, *READ)
        await anyio.wait_all_tasks_blocked()
        server.tenant.connection("togai").timeout_s = 0.05
        with anyio.fail_after(5):
            error = failure(await client.call_tool(*UNKEYED))
        go.set()
    assert error["kind"] == "unavailable"
    assert "nothing was sent" in error["message"]
    assert [request.method for request in recorder.requests] == ["GET"]


async def test_no_more_than_the_bound_are_at_the_vendor_at_once(
    client: Client, server: BillingServer
) -> None:
    go = anyio.Event()
    inside = 0
    most = 0
    served = 0
    recorder = Recorder(NO_CUSTOMERS)

    async def vendor(scope: Any, receive: Any, send: Any) -> None:
        nonlocal inside, most, served
        inside += 1
        most = max(most, inside)
        await go.wait()
        inside -= 1
        served += 1
        await recorder(scope, receive, send)

    attach(server, vendor, concurrency=3)
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(client.call_tool, *READ)
        await anyio.wait_all_tasks_blocked()
        assert inside == 3
        go.set()
    assert (most, served) == (3, 20)


async def test_a_connection_that_cannot_be_opened_is_tried_again_and_never_called_lost(
    client: Client, server: BillingServer
) -> None:
    vendor = Granting(httpx2.ConnectError("refused"))
    attach(server, vendor)
    error = failure(await client.call_tool(*KEYED))
    assert error["kind"] == "unavailable"
    assert "nothing was sent" in error["message"]
    assert len(vendor.requests) == 8


async def test_the_first_try_that_could_not_connect_does_not_hide_the_second_that_was_granted(
    client: Client, server: BillingServer
) -> None:
    vendor = Granting(httpx2.ConnectError("refused"), Says(GRANTED))
    attach(server, vendor)
    assert facts(await client.call_tool(*KEYED))["id"] == "cred.1"


async def test_a_request_has_the_key_and_says_who_asks(
    client: Client, server: BillingServer
) -> None:
    vendor = Recorder(NO_CUSTOMERS)
    attach(server, vendor)
    facts(await client.call_tool("list-customers", {"search": "Ä & co", "pageSize": 5}))
    (request,) = vendor.requests
    assert request.target == "/togai/customers?_search=%C3%84+%26+co&pageSize=5"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["user-agent"].startswith("billing-mcp/")
    assert "content-type" not in request.headers
