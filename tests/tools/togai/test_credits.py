"""Credits: granted once, exactly, and found again."""

import json
from typing import Any

import pytest
from mcp import Client

from answers import connected, facts, failure, forget
from billing_mcp.config import from_environ
from billing_mcp.sandbox import SandboxSettings
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach
from world import OPERATION, World, open_world

pytestmark = pytest.mark.anyio

GRANT = {"accountId": "harbor-main", "creditAmount": "50", "effectiveFrom": "2026-11-20"}
CREDIT = {
    "id": "cred.1",
    "accountId": "harbor-main",
    "creditAmount": 50,
    "creditUnit": "USD",
    "effectiveFrom": "2026-11-20",
}
# What is read first: whose account it is, and of which currency.
ACCOUNT = Says(
    {
        "id": "harbor-main",
        "name": "Harbor",
        "customerId": "harbor-labs",
        "invoiceCurrency": "USD",
    }
)


async def test_a_credit_is_granted_for_goodwill_and_used_first_unless_told_otherwise(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(ACCOUNT, Says({"credits": [CREDIT]}))
    attach(server, recorder)
    granted = facts(await client.call_tool("grant-credit", GRANT | {"operationId": OPERATION}))
    assert granted["creditAmount"] == "50.00"
    assert granted["operationId"] == OPERATION
    [request] = json.loads(recorder.bodies[1])["creditRequests"]
    assert request == {
        "accountId": "harbor-main",
        "creditAmount": 50,
        "effectiveFrom": "2026-11-20",
        "purpose": "Goodwill credit",
        "priority": 1,
        "idempotencyKey": OPERATION,
    }


async def test_all_that_a_credit_can_have_reaches_the_vendor(world: World, client: Client) -> None:
    more = {
        "effectiveUntil": "2027-01-31",
        "purpose": "Outage of 3 November",
        "priority": 7,
        "applicableEntityIds": [world.calls_meter],
    }
    granted = facts(await client.call_tool("grant-credit", GRANT | more))
    kept = world.ask("GET", f"/togai/credits/{granted['id']}")
    assert kept["effectiveUntil"] == "2027-01-31"
    assert kept["purpose"] == "Outage of 3 November"
    assert kept["priority"] == 7
    assert kept["applicableEntityIds"] == [world.calls_meter]
    assert kept["idempotencyKey"] == granted["operationId"]


@pytest.mark.parametrize("name", ["effectiveTo", "effectiveUntil"])
async def test_the_end_of_a_credit_has_the_seeds_name_as_well(
    name: str, world: World, client: Client
) -> None:
    granted = facts(await client.call_tool("grant-credit", GRANT | {name: "2026-12-31"}))
    assert granted["effectiveUntil"] == "2026-12-31"


@pytest.mark.parametrize(
    ("amount", "shown"), [("12.5", "12.50"), (12.5, "12.50"), (3, "3.00"), ("0.01", "0.01")]
)
async def test_an_amount_may_be_text_or_number_and_comes_back_at_the_currencys_scale(
    amount: Any, shown: str, world: World, client: Client
) -> None:
    granted = facts(await client.call_tool("grant-credit", GRANT | {"creditAmount": amount}))
    assert granted["creditAmount"] == shown
    assert granted["consumedAmount"] == "0.00"
    assert granted["creditUnit"] == "USD"


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"creditAmount": "0"}, "creditAmount", "above 0"),
        ({"creditAmount": "-5"}, "creditAmount", "above 0"),
        ({"creditAmount": "five"}, "creditAmount", "number"),
        ({"effectiveFrom": "20 Nov"}, "effectiveFrom", "a UTC day such as 2026-11-20"),
        ({"effectiveFrom": "2026-11-31"}, "effectiveFrom", "a day that exists"),
        ({"effectiveUntil": "2026-11-19"}, "effectiveUntil", "before effectiveFrom"),
        ({"priority": 0}, "priority", "at least 1"),
        ({"amount": "5"}, "amount", "no argument"),
    ],
)
async def test_a_wrong_grant_names_its_field_and_grants_nothing(
    given: dict[str, Any], field: str, words: str, world: World, client: Client
) -> None:
    wrong = failure(await client.call_tool("grant-credit", GRANT | given))
    assert wrong["kind"] == "invalid-request"
    assert wrong["field"] == field
    assert words in wrong["message"]
    assert world.effects("credit") == []


@pytest.mark.parametrize("answer", ["original", "refuse"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_the_same_operation_grants_once_however_the_vendor_answers_the_second_time(
    answer: Any, era: str
) -> None:
    server = BillingServer(from_environ({}))
    world = open_world(server, SandboxSettings(demo=False, repeated_credit_key=answer))
    async with connected(server, era) as client:
        first = facts(await client.call_tool("grant-credit", GRANT | {"operationId": OPERATION}))
        await forget(server)
        again = facts(await client.call_tool("grant-credit", GRANT | {"operationId": OPERATION}))
        assert world.effects("credit") == [OPERATION]
    assert again["id"] == first["id"]
    # Only a refusal tells us that the key had been used: an answer with the first credit does not.
    assert again.get("replayed", False) is (answer == "refuse")


@pytest.mark.parametrize("answer", ["original", "refuse"])
async def test_an_old_credit_never_passes_for_another_one(answer: Any) -> None:
    server = BillingServer(from_environ({}))
    world = open_world(server, SandboxSettings(demo=False, repeated_credit_key=answer))
    async with connected(server) as client:
        first = facts(await client.call_tool("grant-credit", GRANT | {"operationId": OPERATION}))
        for other in (
            {"creditAmount": "51"},
            {"effectiveFrom": "2026-11-21"},
            {"effectiveUntil": "2026-12-31"},
        ):
            await forget(server)
            wrong = failure(
                await client.call_tool("grant-credit", GRANT | other | {"operationId": OPERATION})
            )
            assert wrong["kind"] == "conflict"
            assert first["id"] in wrong["message"]
            assert wrong["next"] == "Leave operationId out to grant a new credit."
        assert world.effects("credit") == [OPERATION]


async def test_an_open_end_that_the_vendor_writes_as_a_date_is_no_conflict(
    server: BillingServer, client: Client
) -> None:
    endless = Says({"credits": [CREDIT | {"effectiveUntil": "9999-01-01"}]})
    attach(server, Recorder(ACCOUNT, endless))
    granted = facts(await client.call_tool("grant-credit", GRANT | {"operationId": OPERATION}))
    assert granted["id"] == "cred.1"


async def test_both_names_of_the_end_of_a_credit_at_once_are_told_to_be_one(
    world: World, client: Client
) -> None:
    both = {"effectiveTo": "2026-12-31", "effectiveUntil": "2027-01-01"}
    wrong = failure(await client.call_tool("grant-credit", GRANT | both))
    assert wrong["field"] == "effectiveTo"
    assert wrong["message"] == (
        "effectiveTo is another name of effectiveUntil, which is given too; give one of them."
    )
    assert world.effects("credit") == []


async def test_a_refusal_of_a_first_grant_is_the_vendors_refusal(
    world: World, client: Client
) -> None:
    world.ask("DELETE", "/togai/accounts/harbor-test")
    wrong = failure(await client.call_tool("grant-credit", GRANT | {"accountId": "harbor-test"}))
    assert wrong["kind"] == "invalid-request"
    assert "there is no account harbor-test" in wrong["message"]


async def test_nobody_is_granted_a_credit(world: World, client: Client) -> None:
    wrong = failure(await client.call_tool("grant-credit", GRANT | {"accountId": "nobody"}))
    assert (wrong["kind"], wrong["field"]) == ("not-found", "accountId")
    assert "Account nobody not found" in wrong["message"]
    assert world.effects("credit") == []


async def test_the_key_of_an_earlier_grant_is_looked_for_on_every_page(
    server: BillingServer, client: Client
) -> None:
    other = CREDIT | {"id": "cred.0", "idempotencyKey": "another"}
    mine = CREDIT | {"idempotencyKey": OPERATION}
    recorder = Recorder(
        ACCOUNT,
        Says({"message": "key was used"}, 400),
        Says({"data": [other], "nextToken": "page-2"}),
        Says({"data": [mine]}),
    )
    attach(server, recorder)
    found = facts(await client.call_tool("grant-credit", GRANT | {"operationId": OPERATION}))
    assert found["id"] == "cred.1"
    assert found["replayed"] is True
    assert [request.target for request in recorder.requests] == [
        "/togai/accounts/harbor-main",
        "/togai/credits",
        "/togai/credits?account_id=harbor-main&pageSize=50",
        "/togai/credits?nextToken=page-2",
    ]


@pytest.mark.parametrize(
    ("more", "kind", "requests"), [({}, "invalid-request", 3), ({"nextToken": "p"}, None, 22)]
)
async def test_a_refused_repetition_is_refused_only_if_no_earlier_grant_is_among_the_credits(
    more: dict[str, str], kind: str | None, requests: int, server: BillingServer, client: Client
) -> None:
    other = CREDIT | {"idempotencyKey": "another"}
    refusal = Says({"message": "key was used"}, 400)
    recorder = Recorder(ACCOUNT, refusal, Says({"data": [other], **more}))
    attach(server, recorder)
    wrong = failure(await client.call_tool("grant-credit", GRANT | {"operationId": OPERATION}))
    assert wrong["kind"] == (kind or "outcome-unknown")
    assert "key was used" in wrong["message"]
    assert len(recorder.requests) == requests
    if kind is None:
        assert "not among the account's first 1000 credits" in wrong["message"]
        assert f"again with operationId {OPERATION} and the same" in wrong["next"]


async def test_an_amount_that_the_vendor_rounds_is_no_conflict_for_a_new_grant(
    server: BillingServer, client: Client
) -> None:
    attach(server, Recorder(ACCOUNT, Says({"credits": [CREDIT | {"creditAmount": 50.01}]})))
    granted = facts(await client.call_tool("grant-credit", GRANT | {"creditAmount": "50.0051"}))
    assert granted["creditAmount"] == "50.01"


async def test_an_answer_without_a_credit_leaves_the_outcome_unknown(
    server: BillingServer, client: Client
) -> None:
    attach(server, Recorder(ACCOUNT, Says({"credits": []})))
    wrong = failure(await client.call_tool("grant-credit", GRANT | {"operationId": OPERATION}))
    assert wrong["kind"] == "outcome-unknown"
    assert "not by its contract (credits)" in wrong["message"]
    assert f"again with operationId {OPERATION}" in wrong["next"]


async def test_credits_are_listed_by_account_status_and_id(world: World, client: Client) -> None:
    one = facts(await client.call_tool("grant-credit", GRANT))
    other = facts(await client.call_tool("grant-credit", GRANT | {"accountId": "mill-1"}))
    world.ask("POST", f"/togai/credits/{other['id']}/void")
    for arguments, found in (
        ({"accountId": "harbor-main"}, [one]),
        ({"status": "VOIDED"}, [other]),
        ({"creditId": one["id"]}, [one]),
        ({"accountId": "harbor-test"}, []),
    ):
        answer = facts(await client.call_tool("list-credits", arguments))
        assert [row["id"] for row in answer["data"]] == [credit["id"] for credit in found]
    every = facts(await client.call_tool("list-credits", {}))
    assert every["count"] == 2
    (row,) = facts(await client.call_tool("list-credits", {"accountId": "mill-1"}))["data"]
    assert row["creditUnit"] == "EUR"
    assert row["status"] == "VOIDED"
