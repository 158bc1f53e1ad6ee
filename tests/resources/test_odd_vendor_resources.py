"""Answers of a vendor that are allowed but rare: shown as they are, never guessed at."""

from typing import Any

import pytest
from mcp import Client

from billing_mcp.resources.pages import PAGE_BYTES
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach
from resources.shelf import INTERNAL_ERROR, pages, refused, text

pytestmark = pytest.mark.anyio


async def shown_plan(server: BillingServer, client: Client, **details: Any) -> str:
    details = {"supportedCurrencies": ["USD", "EUR"], **details}
    schedule = {"version": 1, "pricePlanDetails": details, "isOverriden": True}
    attach(server, Recorder(Says({"id": "pp.1", "name": "P", "pricingSchedule": [schedule]})))
    return await text(client, "billing://price-plans/pp.1")


async def test_a_missing_rate_and_an_unknown_price_type_are_not_guessed(
    server: BillingServer, client: Client
) -> None:
    card = {
        "usageMeterId": "um.1",
        "ratePlan": {
            "pricingModel": "STAIRCASE",
            "slabs": [
                {"order": 1, "startAfter": 0, "priceType": "PER_UNIT"},
                {"order": 2, "startAfter": 50, "priceType": "PER_HOUR"},
            ],
        },
        "rateValues": [
            {
                "currency": "USD",
                "slabRates": [{"order": 1, "rate": 0.1}, {"order": 2, "rate": 3}],
            },
            {"currency": "EUR", "slabRates": [{"order": 1, "rate": 0.2}]},
        ],
    }
    shown = await shown_plan(server, client, usageRateCards=[card])
    assert "### Usage rate card\n" in shown
    assert "- price: STAIRCASE (billing://guides/tiered-and-volume)\n" in shown
    assert "| 1 | from 0 up to 50 | 0.1 USD each | 0.2 EUR each |\n" in shown
    assert "| 2 | above 50 | 3 USD PER_HOUR | no rate |\n" in shown


async def test_what_a_plan_has_beyond_what_is_shown_is_named(
    server: BillingServer, client: Client
) -> None:
    shown = await shown_plan(
        server,
        client,
        deferredRevenue=True,
        royaltyRateCards=[{"id": "r"}],
        pricingCycleConfig={"interval": "MONTHLY", "anniversaryCycle": True},
    )
    assert "- also has: royaltyRateCards\n" in shown
    assert "- deferred revenue: yes\n" in shown
    assert "- overridden for an account: yes\n" in shown
    assert (
        "- pricing cycle: MONTHLY, begins on the day the account was put on the plan "
        "(billing://guides/pricing-cycles)\n"
    ) in shown


async def test_a_plan_of_which_nothing_is_known_is_still_shown(
    server: BillingServer, client: Client
) -> None:
    attach(server, Recorder(Says({"id": "pp.1", "name": "P"})))
    shown = await text(client, "billing://price-plans/pp.1")
    assert "## Version as it is\n\nNothing is known of it.\n" in shown.replace('"', "")


async def test_one_text_larger_than_a_page_is_cut_and_everything_else_is_there(
    server: BillingServer, client: Client
) -> None:
    metadata = {"long": "é" * PAGE_BYTES, "short": "kept"}
    attach(server, Recorder(Says({"id": "a-1", "name": "A", "metadata": metadata})))
    found = "\n".join(await pages(client, "billing://accounts/a-1"))
    assert "é…\n" in found
    assert "| short | kept |\n" in found


async def test_long_descriptions_are_clipped_where_plans_are_only_named(
    server: BillingServer, client: Client
) -> None:
    plan = {"id": "pp.1", "name": "P", "description": "x" * 200}
    attach(server, Recorder(Says({"data": [plan]})))
    assert f"| {'x' * 89}… |" in (await text(client, "billing://price-plans")).replace('"', "")


async def test_a_company_without_price_plans_is_told_so(
    server: BillingServer, client: Client
) -> None:
    attach(server, Recorder(Says({"data": []})))
    assert "\nThere are none.\n" in await text(client, "billing://price-plans")


async def test_trouble_with_a_list_is_told_as_well(server: BillingServer, client: Client) -> None:
    attach(server, Recorder(Says({"message": "no"}, 401)))
    sentence = await refused(client, "billing://price-plans", INTERNAL_ERROR)
    assert sentence.startswith("Togai refused this server's key (HTTP 401). ")


async def test_meters_that_were_not_looked_through_are_told(
    server: BillingServer, client: Client
) -> None:
    schema = {"name": "calls", "version": 1}
    other = {"id": "um.1", "name": "M", "eventSchema": {"name": "others"}}
    attach(server, Recorder(Says(schema), Says({"data": [other], "nextToken": "more"})))
    shown = await text(client, "billing://event-schemas/calls")
    assert "None: its events are not billed by usage." not in shown
    assert "There may be more: Looked through 2000 usage meters of all schemas" in shown
