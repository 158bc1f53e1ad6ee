"""What a plan says of new customers, accounts and price plans and of events, worked by hand."""

from typing import Any

import pytest

from good_calls import PLAN, event, good_calls
from guard.guarded import guarded
from recording import Recorder, Says, attach
from tools.planning import planned, refused, shown
from world import RATED

pytestmark = pytest.mark.anyio


async def test_a_new_customer_is_told_with_its_name_and_without_its_address() -> None:
    async with guarded() as at:
        plan = await planned(at, "create-customer", **good_calls(at.world)["create-customer"])
    assert plan["effect"] == (
        'Creates customer new-customer ("New Customer"). Nothing can be billed to it until it has '
        "an account."
    )
    assert shown(plan) == (None, {"id": "new-customer", "name": "New Customer", "status": "ACTIVE"})
    assert "example" not in str(plan)


@pytest.mark.parametrize("tool", ["create-customer", "create-account"])
async def test_an_id_that_is_taken_makes_no_plan(tool: str) -> None:
    async with guarded() as at:
        call = good_calls(at.world)[tool]
        taken = {"create-customer": "harbor-labs", "create-account": "mill-1"}[tool]
        error = await refused(at, tool, **call | {"id": taken})
    assert (error["kind"], error["field"]) == ("conflict", "id")
    names = {"create-customer": '"Harbor Labs"', "create-account": '"Account mill-1"'}
    assert f"{taken} ({names[tool]}) already" in error["message"]


async def test_a_new_account_is_told_with_its_customer_and_its_terms() -> None:
    async with guarded() as at:
        terms = {"invoiceCurrency": "EUR", "netTermDays": 30, "aliases": ["harbor-eu"]}
        plan = await planned(
            at, "create-account", customerId="harbor-labs", id="eu", name="Europe", **terms
        )
    assert plan["effect"] == (
        'Creates the ACTIVE account eu ("Europe") of customer harbor-labs ("Harbor Labs"), '
        'invoiced in EUR, due after 30 days, called "harbor-eu" in events as well. It pays for '
        "nothing until a price plan is associated with it."
    )
    assert plan["after"] == {
        "id": "eu",
        "name": "Europe",
        "customerId": "harbor-labs",
        "invoiceCurrency": "EUR",
        "netTermDays": 30,
        "status": "ACTIVE",
    }


async def test_an_account_of_nobody_or_of_an_archived_customer_makes_no_plan() -> None:
    account = {"id": "new", "name": "New"}
    async with guarded() as at:
        unknown = await refused(at, "create-account", customerId="nobody", **account)
        at.world.ask("POST", "/togai/customers", CLOSED)
        at.world.ask("DELETE", "/togai/customers/closed")
        at.world.sandbox.backend.db.execute("delete from effects")
        archived = await refused(at, "create-account", customerId="closed", **account)
    assert (unknown["kind"], unknown["field"]) == ("not-found", "customerId")
    assert (archived["kind"], archived["field"]) == ("conflict", "customerId")
    assert 'customer closed ("Closed"), which is ARCHIVED' in archived["message"]


CLOSED = {
    "id": "closed",
    "name": "Closed",
    "primaryEmail": "billing@closed.example",
    "address": {},
}


async def test_events_are_told_by_schema_account_and_time() -> None:
    async with guarded() as at:
        at.world.ask("POST", "/togai/accounts/mill-1/add_aliases", {"aliases": ["mill-eu"]})
        call = {**event(), "schemaName": "api_calls", "attributes": []}
        events = [
            event(timestamp="2026-11-20T09:00:00Z"),
            event(timestamp="2026-11-20T12:30:00+02:00"),
            {**call, "accountId": "mill-eu"},
            {**call, "accountId": "nobody"},
        ]
        plan = await planned(at, "ingest-events", events=events)
    assert plan["effect"] == (
        "Sends 4 usage events that happened from 2026-11-20T09:00:00Z to 2026-11-20T11:00:00Z: 2 "
        "of schema answers and 2 of schema api_calls; 2 for account harbor-main "
        '("Account harbor-main") of customer harbor-labs; 1 for account mill-1 ("Account mill-1") '
        "of customer north-mill, named mill-eu; 1 for nobody, where there is no such account, so "
        "that Togai will take the events and not count them. What they cost is not known before "
        "they are rated, and whether Togai has counted any of their ids before cannot be known."
    )
    assert shown(plan) == (
        None,
        {
            "events": 4,
            "bySchema": {"answers": 2, "api_calls": 2},
            "byAccount": {"harbor-main": 2, "mill-eu": 1, "nobody": 1},
            "accounts": 3,
            "firstTimestamp": "2026-11-20T09:00:00Z",
            "lastTimestamp": "2026-11-20T11:00:00Z",
        },
    )


async def test_events_of_too_many_accounts_are_counted_and_not_looked_up() -> None:
    async with guarded() as at:
        events = [event(f"account-{number}") for number in range(21)]
        recorder = Recorder(Says({}))
        attach(at.server, recorder)
        plan = await planned(at, "ingest-events", events=events)
    assert recorder.requests == []
    assert "they are for 21 accounts, too many to look up here" in plan["effect"]
    assert plan["after"]["accounts"] == 21


async def test_two_events_with_one_id_make_no_plan() -> None:
    async with guarded() as at:
        error = await refused(at, "ingest-events", events=[event(id="one"), event(id="one")])
    assert (error["kind"], error["field"]) == ("invalid-request", "events[1].id")


async def test_a_price_plan_is_told_by_its_cards() -> None:
    async with guarded() as at:
        card = {"usageMeterId": at.world.calls_meter, **RATED}
        commitment = {
            "displayName": "Minimum",
            "rateValues": [{"currency": "USD", "rate": "100"}],
        }
        details = PLAN | {
            "usageRateCards": [card, card | {"usageMeterId": at.world.requests_meter}]
        }
        details["minimumCommitment"] = commitment
        plan = await planned(at, "create-price-plan", name="Gold", pricePlanDetails=details)
    assert plan["effect"] == (
        'Creates the draft price plan "Gold" (BILLING, MONTHLY) in USD with 2 usage cards, 1 fixed '
        "fee and a minimum commitment. It charges nobody until it is activated and associated with "
        "an account."
    )
    assert shown(plan) == (
        None,
        {
            "name": "Gold",
            "type": "BILLING",
            "status": "DRAFT",
            "currencies": ["USD"],
            "cards": {"usageRateCards": 2, "fixedFeeRateCards": 1},
            "minimumCommitment": True,
        },
    )


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ({"name": "Assistant"}, "conflict", "name"),
        (
            {"pricePlanDetails": {"supportedCurrencies": ["USD"]}},
            "invalid-request",
            "pricePlanDetails.pricingCycleConfig",
        ),
        (
            {"pricePlanDetails": PLAN | {"usageRateCards": [{"usageMeterId": "um.none", **RATED}]}},
            "not-found",
            "pricePlanDetails.usageRateCards[0].usageMeterId",
        ),
        (
            {
                "pricePlanDetails": PLAN
                | {"entitlementOverageRateCards": [{"featureId": "feat.none", **RATED}]}
            },
            "not-found",
            "pricePlanDetails.entitlementOverageRateCards[0].featureId",
        ),
    ],
)
async def test_a_price_plan_that_the_vendor_would_refuse_is_not_planned(
    change: dict[str, Any], kind: str, field: str
) -> None:
    async with guarded() as at:
        call = {"name": "Gold", "pricePlanDetails": PLAN} | change
        error = await refused(at, "create-price-plan", **call)
    assert (error["kind"], error["field"]) == (kind, field)
