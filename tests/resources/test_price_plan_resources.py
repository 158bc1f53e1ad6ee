"""Price plans as a reader sees them: every tier's price in every currency, on pages that fit."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from mcp import Client

from answers import connected, facts
from billing_mcp.server import BillingServer
from recording import Recorder, Says, attach
from resources.shelf import pages, refused, text

pytestmark = pytest.mark.anyio

CYCLE = {"interval": "QUARTERLY", "gracePeriod": 5}
CURRENCIES = ("USD", "EUR", "JPY")


async def plan_ids(client: Client) -> dict[str, str]:
    plans = facts(await client.call_tool("list-price-plans", {}))["data"]
    return {plan["name"]: plan["id"] for plan in plans}


def tables(page: str) -> list[list[str]]:
    """The rows of a page, cell by cell, without heads."""
    rows = [line[2:-2].split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return [row for row in rows if set("".join(row)) != {"-"}]


async def test_a_volume_plan_says_from_where_to_where_each_rate_holds(client: Client) -> None:
    ids = await plan_ids(client)
    shown = await text(client, f"billing://price-plans/{ids['Scale']}")
    assert shown.startswith(f"# Scale (price plan {ids['Scale']})\n\n- environment: sandbox\n")
    assert "- status: ACTIVE\n" in shown
    assert "## Version 1\n\n- in effect: from 2026-07-27T14:00:00Z on, without end (UTC)" in shown
    assert "- amount: 250 USD\n" in shown
    _, compute = shown.split('### Usage rate card "Compute hours"')
    assert (
        "- price: VOLUME: all units at the rate of the tier reached "
        "(billing://guides/tiered-and-volume)\n\n"
        "| tier | units | USD |\n"
        "| --- | --- | --- |\n"
        "| 1 | from 0 up to 100000 | 0.04 USD each |\n"
        "| 2 | above 100000 | 0.06 USD each |\n"
    ) in compute


async def test_a_plan_in_three_currencies_has_a_column_for_each(client: Client) -> None:
    ids = await plan_ids(client)
    shown = await text(client, f"billing://price-plans/{ids['Starter']}")
    assert "- amount: 49 USD, 45 EUR, 7000 JPY\n" in shown
    assert tables(shown) == [
        ["tier", "units", "USD", "EUR", "JPY"],
        ["1", "from 0 up to 100000", "0.001 USD each", "0.0009 EUR each", "0.15 JPY each"],
        [
            "2",
            "above 100000 up to 1000000",
            "0.0008 USD each",
            "0.0007 EUR each",
            "0.12 JPY each",
        ],
        ["3", "above 1000000", "0.0005 USD each", "0.00045 EUR each", "0.075 JPY each"],
    ]


async def test_packages_commitments_and_grants_are_told_with_their_guides(client: Client) -> None:
    ids = await plan_ids(client)
    enterprise = await text(client, f"billing://price-plans/{ids['Enterprise']}")
    assert "| 1 | from 0 | 2 USD per package of 100 |" in enterprise
    assert "billing://guides/packages" in enterprise
    assert (
        '### Minimum commitment "Monthly commitment"\n\n- least for a cycle: 5000 USD\n'
        "- what is missing is charged as a true-up: billing://guides/commitments-and-true-up"
    ) in enterprise
    assistant = await text(client, f"billing://price-plans/{ids['Assistant']}")
    assert "- feature credits: 1000, usable from the start until P1M after" in assistant
    assert "| 1 | from 0 | 99 USD flat |" in assistant


async def test_the_index_has_every_plan_the_list_tool_has(client: Client) -> None:
    ids = await plan_ids(client)
    shown = await text(client, "billing://price-plans")
    rows = tables(shown)[1:]
    assert {row[0]: row[-1] for row in rows} == {
        name: f"billing://price-plans/{plan_id}" for name, plan_id in ids.items()
    }
    assert [row[2] for row in rows if row[0] == "Starter"] == ["USD EUR JPY"]
    assert "more price plans" not in shown


Slab = tuple[str, str, Mapping[str, str], Mapping[str, Any]]


def slabbed(*rates: Slab) -> dict[str, Any]:
    """Slabs as (start, price type, rate by currency, what else the slab has)."""
    numbered = list(enumerate(rates, 1))
    return {
        "ratePlan": {
            "pricingModel": "TIERED",
            "slabs": [
                {"order": order, "startAfter": start, "priceType": price_type, **others}
                for order, (start, price_type, _, others) in numbered
            ],
        },
        "rateValues": [
            {
                "currency": currency,
                "slabRates": [
                    {"order": order, "rate": by_currency[currency]}
                    for order, (_, _, by_currency, _) in numbered
                ],
            }
            for currency in rates[0][2]
        ],
    }


async def created(client: Client, name: str, details: Mapping[str, Any]) -> str:
    plan = {"name": name, "pricePlanDetails": details}
    made: str = facts(await client.call_tool("create-price-plan", plan))["id"]
    return made


async def test_every_kind_of_rate_card_is_shown_with_all_that_bounds_it(client: Client) -> None:
    meters = await client.call_tool("list-usage-meters", {"eventSchemaName": "compute"})
    meter = facts(meters)["data"][0]["id"]
    features = (await text(client, "billing://event-schemas/assistant")).split("feeds feature: ")[1]
    feature = features.split()[0]
    each = slabbed(("0", "PER_UNIT", {"USD": "0.05"}, {}))
    bounded = slabbed(("0", "PER_UNIT", {"USD": "0.05"}, {}))
    bounded["rateValues"][0]["rateConfig"] = {"minimumRate": "10", "maximumRate": "500"}
    bounded["rateValues"][0]["slabRates"][0]["slabRateConfig"] = {"maximumRate": "90.5"}
    fee = {"id": "fee", "enableProration": True, "invoiceTiming": "IN_ADVANCE", "type": "RECURRING"}
    fee |= {"rateValues": [{"currency": "USD", "rate": "12"}]}
    fee |= {"recurrenceConfig": {"interval": 3, "offset": 1}}
    seats = {"id": "seats", "enableProration": True, "config": {"maxQuantity": 7}, **each}
    granted = {"featureId": feature, "invoiceTiming": "PREPAID", **each}
    granted["featureConfigs"] = [
        {"effectiveFrom": "P7D", "effectiveUntil": "P1M", "featureCreditLimit": "1000"}
    ]
    overage = {"featureId": feature, "maxQuantity": "500", **each}
    overage["billingConfig"] = {"interval": 2, "startOffset": 0}
    rates: dict[str, Any] = {"currency": "USD", "creditAmount": "100"}
    rates["slabDetails"] = [{"startAfter": "0", "priceType": "FLAT", "rate": "90"}]
    grant = {"priority": 4, "expiryType": "CUSTOM", "expiryDuration": "P30D"}
    bonus = {
        "id": "bonus",
        "displayName": "Bonus",
        "grantDetails": grant | {"applicableEntityIds": [meter]},
        "rateDetails": {"pricingModel": "VOLUME", "currencySlabRateDetails": [rates]},
    }
    details = {
        "supportedCurrencies": ["USD"],
        "pricingCycleConfig": CYCLE | {"startOffset": {"dayOffset": "5", "monthOffset": "2"}},
        "usageRateCards": [{"usageMeterId": meter, "displayName": "Hours", **bounded}],
        "fixedFeeRateCards": [fee],
        "licenseRateCards": [seats],
        "billingEntitlementRateCards": [granted],
        "entitlementOverageRateCards": [overage],
        "creditGrantRateCards": [bonus],
    }
    plan_id = await created(client, "Everything", details)
    shown = await text(client, f"billing://price-plans/{plan_id}")
    for line in (
        "- status: DRAFT: it charges nobody yet",
        (
            "- pricing cycle: QUARTERLY, begins on day 5 of month 2, late events are taken for 5 "
            "more days (billing://guides/pricing-cycles)"
        ),
        "### Usage rate card Hours",
        f"- prices the units of usage meter: {meter}",
        "- bounds of the whole card: at least 10 USD, at most 500 USD",
        "| 1 | from 0 | 0.05 USD each, at most 90.5 USD |",
        "- amount: 12 USD",
        "- invoiced: IN_ADVANCE",
        "- prorated: yes",
        "- charged: every 3 cycles, from cycle 1 on (0 is the first)",
        "- licence: seats",
        "- at most: 7",
        (
            f"- grants of feature: {feature} (billing://features/{feature}, "
            "billing://guides/entitlements-and-feature-credits)"
        ),
        "- feature credits: 1000, usable from P7D until P1M after the start of the cycle",
        "- at most: 500",
        "- billed: every 2 cycles, from cycle 0 on (0 is the first)",
        "### Credit grant Bonus",
        "- expires: CUSTOM P30D",
        "- priority (lower is used first): 4",
        f"- pays only for: {meter}",
        "| USD | 100 USD | 1 | from 0 | 90 USD flat |",
    ):
        assert f"\n{line}\n" in shown, line


def vast(meter: str, feature: str) -> dict[str, Any]:
    """200 cards of 10 tiers in 3 currencies: 2,000 tiers, 6,000 rates, no two alike."""

    def rate(kind: int, card: int, tier: int, currency: int) -> str:
        return f"{currency}.{kind}{card:02}{tier}"

    def tiers(kind: int, card: int) -> dict[str, Any]:
        rows: list[Slab] = [
            (
                str(tier * 100),
                "PER_UNIT",
                {name: rate(kind, card, tier, index) for index, name in enumerate(CURRENCIES, 1)},
                {},
            )
            for tier in range(10)
        ]
        return slabbed(*rows)

    grants = [
        [
            {
                "currency": name,
                "creditAmount": "100",
                "slabDetails": [
                    {
                        "startAfter": str(tier * 100),
                        "priceType": "PER_UNIT",
                        "rate": rate(4, card, tier, index),
                    }
                    for tier in range(10)
                ],
            }
            for index, name in enumerate(CURRENCIES, 1)
        ]
        for card in range(50)
    ]
    limits = [{"effectiveUntil": "P1M", "featureCreditLimit": "10"}]
    once = {"priority": 1, "expiryType": "PRICING_CYCLE"}
    return {
        "supportedCurrencies": list(CURRENCIES),
        "pricingCycleConfig": CYCLE,
        "usageRateCards": [{"usageMeterId": meter, **tiers(1, card)} for card in range(50)],
        "licenseRateCards": [
            {"id": f"licence-{card}", "enableProration": False, **tiers(2, card)}
            for card in range(50)
        ],
        "billingEntitlementRateCards": [
            {
                "featureId": feature,
                "invoiceTiming": "IN_ARREARS",
                "featureConfigs": limits,
                **tiers(3, card),
            }
            for card in range(50)
        ],
        "creditGrantRateCards": [
            {
                "id": f"grant-{card}",
                "grantDetails": once,
                "rateDetails": {"pricingModel": "TIERED", "currencySlabRateDetails": grants[card]},
            }
            for card in range(50)
        ],
    }


async def test_a_plan_of_two_thousand_tiers_is_paged_and_every_rate_is_there_once(
    server: BillingServer,
) -> None:
    # In one era only, because each page is made from the whole plan.
    async with connected(server) as client:
        await _every_rate_is_there_once(client)


async def _every_rate_is_there_once(client: Client) -> None:
    meters = await client.call_tool("list-usage-meters", {"eventSchemaName": "compute"})
    meter = facts(meters)["data"][0]["id"]
    shown = await text(client, "billing://event-schemas/assistant")
    feature = shown.split("feeds feature: ")[1].split()[0]
    plan_id = await created(client, "Vast", vast(meter, feature))
    found = await pages(client, f"billing://price-plans/{plan_id}")
    assert len(found) > 10
    rates = [rate for page in found for rate in re.findall(r"(\S+ [A-Z]{3}) each", page)]
    assert sorted(rates) == sorted(
        f"{index}.{kind}{card:02}{tier} {currency}"
        for kind in (1, 2, 3, 4)
        for card in range(50)
        for tier in range(10)
        for index, currency in enumerate(CURRENCIES, 1)
    )
    for number, page in enumerate(found, 1):
        lines = page.splitlines()
        assert lines[0] == f"# Vast (price plan {plan_id}), page {number} of {len(found)}"
        assert lines[2] == "- environment: sandbox"
        # No table begins without its head, and no page without saying whose rows it shows.
        assert number == 1 or lines[4].startswith("### ")
        for row, before in zip(lines[1:], lines, strict=False):
            if row.startswith("| ") and not before.startswith("| "):
                assert row.startswith(("| tier |", "| currency |"))
    assert found[-1].splitlines()[-1] == f"Page {len(found)} of {len(found)}, the last."
    beyond = await refused(client, f"billing://price-plans/{plan_id}?page={len(found) + 1}")
    assert beyond == f"There is no such page of it; its pages are 1 to {len(found)}."


async def test_many_plans_are_continued_where_the_vendor_goes_on(
    client: Client, control: httpx2.AsyncClient
) -> None:
    details = {"supportedCurrencies": ["USD"], "pricingCycleConfig": CYCLE}
    for number in range(52):
        plan = {"name": f"Plan {number}", "type": "BILLING", "pricePlanDetails": details}
        (await control.post("/togai/price_plans", json=plan)).raise_for_status()
    first = await text(client, "billing://price-plans")
    assert len(tables(first)) == 1 + 50
    more = first.splitlines()[-1]
    assert more.startswith("There are more price plans: billing://price-plans?nextToken=")
    second = await text(client, more.removeprefix("There are more price plans: "))
    # 52 of this test and the 5 of the company, less the 50 of the first page.
    assert len(tables(second)) == 1 + 7
    named = [row[-1] for row in (*tables(first)[1:], *tables(second)[1:])]
    assert len(set(named)) == 57
    assert (await refused(client, "billing://price-plans?nextToken=wrong")).startswith(
        "Togai answered HTTP 400"
    )


async def test_a_version_that_a_plan_has_can_be_asked_for(client: Client) -> None:
    address = f"billing://price-plans/{(await plan_ids(client))['Scale']}"
    assert await text(client, f"{address}?version=1") == await text(client, address)
    assert "has no version 7" in await refused(client, f"{address}?version=7")
    assert "version must be a whole number" in await refused(client, f"{address}?version=new")


async def test_versions_stand_one_after_the_other_with_their_periods(
    server: BillingServer, client: Client
) -> None:
    def schedule(version: int, start: str, end: str, rate: int) -> dict[str, Any]:
        commitment = {
            "displayName": "Least",
            "rateValues": [{"currency": "USD", "rate": rate}],
        }
        details = {"supportedCurrencies": ["USD"], "minimumCommitment": commitment}
        period = {"startDate": f"{start}T00:00:00.000Z", "endDate": f"{end}T00:00:00.000Z"}
        return {"version": version, "pricePlanDetails": details, **period}

    schedules = [
        schedule(1, "2026-01-01", "2026-06-01", 100),
        schedule(2, "2026-06-01", "9999-01-01", 120),
    ]
    plan = {"id": "pp.1", "name": "Two", "status": "ACTIVE", "pricingSchedule": schedules}
    attach(server, Recorder(Says(plan)))
    shown = await text(client, "billing://price-plans/pp.1")
    first, second = shown.split("## Version 2\n")
    assert "## Version 1\n\n- in effect: from 2026-01-01 until 2026-06-01, end excluded" in first
    assert "- least for a cycle: 100 USD\n" in first
    assert "- in effect: from 2026-06-01 on, without end (UTC)\n" in second
    assert "- least for a cycle: 120 USD\n" in second
    assert "- an earlier version: billing://price-plans/pp.1?version=1" in second


async def test_text_of_customers_is_quoted_and_no_markup(
    server: BillingServer, client: Client
) -> None:
    hostile = "![x](http://evil.example/p.png) | `cell`\n# Heading\u202e"
    card = {
        "displayName": hostile,
        "usageMeterId": "um.1",
        "ratePlan": {
            "pricingModel": "TIERED",
            "slabs": [{"order": 1, "startAfter": Decimal(0), "priceType": "PER_UNIT"}],
        },
        "rateValues": [{"currency": "USD", "slabRates": [{"order": 1, "rate": Decimal(2)}]}],
    }
    details = {"supportedCurrencies": ["USD"], "usageRateCards": [card]}
    plan = {"id": "pp.1", "name": hostile, "description": hostile}
    body = {**plan, "pricingSchedule": [{"version": 1, "pricePlanDetails": details}]}
    attach(server, Recorder(Says(_json(body))))
    shown = await text(client, "billing://price-plans/pp.1")
    quoted = '"!\\[x\\](http://evil.example/p.png) \\| \\`cell\\`\\n# Heading\\u202e"'
    assert shown.startswith(f"# {quoted} (price plan pp.1)\n")
    assert f"### Usage rate card {quoted}\n" in shown
    assert f"- description: {quoted}\n" in shown
    assert "\n# Heading" not in shown


def _json(value: Any) -> Any:
    """Numbers as the vendor writes them."""
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, list) else value
