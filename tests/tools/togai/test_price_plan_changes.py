"""Price plans of the first generation, add-ons and calculators through the tools."""

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.config import Settings
from calls.price_plans import FEE, add_on, drafted_v1
from guard.guarded import guarded
from tools.planning import planned, refused
from world import CYCLE, World

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """All tools, and none of them needs a person's yes."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


ALL = Settings(toolsets=("all",))


async def test_a_plan_is_given_a_currency_activated_and_changed(
    world: World, client: Client
) -> None:
    plan = {"pricePlanId": drafted_v1(world, "Older", "USD")}
    rates = {"currency": "eur", "fixedFeeRates": [{"id": "fee", "rate": "44.5"}]}
    facts(await client.call_tool("add-price-plan-currencies", plan | rates))
    both = plan | {"currencies": ["USD", "EUR"]}
    active = facts(await client.call_tool("activate-price-plan", both))
    assert active["status"] == "ACTIVE"

    change = {"fixedFeeRateCards": [FEE | {"rateValues": rated("50", "45")}]}
    arguments = plan | {"pricePlanDetails": change, "migrationMode": "NONE", "detail": "full"}
    (schedule,) = facts(await client.call_tool("update-price-plan", arguments))["pricingSchedule"]

    assert schedule["version"] == 2
    details = schedule["pricePlanDetails"]
    assert details["activeCurrencies"] == ["USD", "EUR"]
    assert details["fixedFeeRateCards"][0]["rateValues"] == rated("50", "45")


def rated(dollars: str, euros: str) -> list[dict[str, str]]:
    return [{"currency": "USD", "rate": dollars}, {"currency": "EUR", "rate": euros}]


async def test_an_archived_plan_is_archived_for_good(world: World, client: Client) -> None:
    plan = {"pricePlanId": drafted_v1(world, "Older", "USD")}
    assert facts(await client.call_tool("archive-price-plan", plan))["success"] is True

    wrong = failure(await client.call_tool("update-price-plan", plan | {"description": "Late"}))

    assert f'"Price plan {plan["pricePlanId"]} is archived"' in wrong["message"]


async def test_a_wrong_override_shows_the_shape_of_its_part(world: World, client: Client) -> None:
    plan = {"pricePlanId": drafted_v1(world, "Older", "USD")}
    cards = [{"id": "fee"}]
    arguments = plan | {"pricePlanDetails": {"fixedFeeRateCards": cards}}

    answer = await client.call_tool("update-price-plan", arguments)
    empty = failure(await client.call_tool("update-price-plan", plan | {"pricePlanDetails": {}}))

    assert failure(answer)["field"].startswith("pricePlanDetails.fixedFeeRateCards[0]")
    assert 'Shape of pricePlanDetails.fixedFeeRateCards: [{"id":"addon.…"' in said(answer)
    assert "an object with the parts that are to differ" in empty["message"]


async def test_what_the_vendor_would_refuse_of_a_plan_is_not_planned() -> None:
    async with guarded(ALL) as at:
        plan = {"pricePlanId": drafted_v1(at.world, "Older", "USD", "EUR")}
        path = f"/togai/price_plans/{plan['pricePlanId']}"
        at.world.ask("POST", f"{path}/activate", {"currencies": ["EUR"]})
        foreign = await refused(at, "activate-price-plan", **plan, currencies=["JPY"])
        active = await refused(at, "remove-price-plan-currency", **plan, currency="EUR")
        absent = await refused(at, "remove-price-plan-currency", **plan, currency="JPY")
        there = await refused(at, "add-price-plan-currencies", **plan, currency="USD")
        unpriced = await refused(at, "add-price-plan-currencies", **plan, currency="JPY")
        empty = await refused(at, "update-price-plan", **plan)
        moved = await planned(
            at, "update-price-plan", **plan, description="New", migrationMode="IMMEDIATE"
        )
        at.world.ask("DELETE", path)
        archived = await refused(at, "archive-price-plan", **plan)
    assert foreign["field"] == "currencies[0]"
    assert "is active, and stays" in active["message"]
    assert absent["kind"] == "not-found"
    assert "has rates in USD already" in there["message"]
    assert unpriced["field"] == "fixedFeeRates"
    assert empty["kind"] == "invalid-request"
    assert "Puts version 2 of price plan" in moved["effect"]
    assert moved["effect"].endswith("are billed by it at once.")
    assert archived["message"].endswith("is ARCHIVED.")


async def test_rules_of_a_version_are_listed_by_timing(world: World, client: Client) -> None:
    rule = {"name": "Extra", "order": 1, "computation": "5", "action": {"type": "ADD"}}
    details = {"supportedCurrencies": ["USD"], "pricingCycleConfig": CYCLE}
    body = {"name": "Ruled", "pricePlanDetails": details, "pricingRules": [rule]}
    made = world.ask("POST", "/togai/price_plans", body)
    where = {
        "pricePlanId": made["id"],
        "pricingScheduleId": made["pricingSchedule"][0]["id"],
    }

    listed = facts(await client.call_tool("list-pricing-rules-v1", where))
    ahead = facts(
        await client.call_tool("list-pricing-rules-v1", where | {"invoiceTiming": "IN_ADVANCE"})
    )

    assert [row["name"] for row in listed["data"]] == ["Extra"]
    assert ahead["data"] == []


async def test_an_add_on_is_made_renamed_listed_and_archived(world: World, client: Client) -> None:
    made = facts(await client.call_tool("create-addon", {"name": "Seats", "type": "LICENSE"}))
    seen = {"addonId": made["id"]}
    renamed = facts(await client.call_tool("update-addon", seen | {"billableName": "Places"}))
    assert (renamed["name"], renamed["billableName"]) == ("Seats", "Places")

    assert facts(await client.call_tool("delete-addon", seen))["success"] is True

    assert facts(await client.call_tool("get-addon", seen))["status"] == "ARCHIVED"
    assert facts(await client.call_tool("list-addons", {}))["data"] == []
    archived = facts(await client.call_tool("list-addons", {"status": "ARCHIVED"}))
    assert [row["name"] for row in archived["data"]] == ["Seats"]


async def test_what_the_vendor_would_refuse_of_an_add_on_is_not_planned() -> None:
    async with guarded(ALL) as at:
        support, other = add_on(at.world, "Support"), add_on(at.world, "Other")
        taken = await refused(at, "create-addon", name="Support", type="LICENSE")
        renamed = await refused(at, "update-addon", addonId=other, name="Support")
        nothing = await refused(at, "update-addon", addonId=support)
        at.world.ask("DELETE", f"/togai/addons/{support}")
        gone = await refused(at, "delete-addon", addonId=support)
    assert taken["field"] == renamed["field"] == "name"
    assert nothing["kind"] == "invalid-request"
    assert gone["message"].endswith("is ARCHIVED already.")


def question(world: World, **parts: Any) -> dict[str, Any]:
    return {
        "currencyConfig": {"mode": "CUSTOM", "currency": "USD"},
        "pricePlanDetailsConfig": {
            "mode": "CUSTOM",
            "pricePlanDetails": {
                "supportedCurrencies": ["USD"],
                "pricingCycleConfig": CYCLE,
                "fixedFeeRateCards": [FEE],
                "usageRateCards": [
                    {
                        "usageMeterId": world.calls_meter,
                        "ratePlan": {
                            "pricingModel": "VOLUME",
                            "slabs": [{"order": 1, "startAfter": "0", "priceType": "PER_UNIT"}],
                        },
                        "rateValues": [
                            {"currency": "USD", "slabRates": [{"order": 1, "rate": "0.015"}]}
                        ],
                    }
                ],
            },
        },
        "usageConfig": {"mode": "CUSTOM", "usageMap": {world.calls_meter: "1001"}},
        "licenseEntriesConfig": {"mode": "CUSTOM"},
        **parts,
    }


@pytest.mark.parametrize("tool", ["calculate-revenue-v1", "calculate-revenue-v2"])
async def test_a_made_up_plan_is_priced_and_nothing_is_kept(
    tool: str, world: World, client: Client
) -> None:
    answer = facts(await client.call_tool(tool, question(world)))

    usage, fee = answer["revenueInfo"]
    # 1001 x 0.015 is 15.015, cut to the cent.
    assert usage["slabRevenueSummaries"] == [{"order": 1, "usage": "1001", "revenue": "15.01"}]
    assert fee["fixedFeeRevenueSummary"] == {"revenue": "49.00"}
    assert answer["currency"] == "USD"
    assert "operationId" not in answer
    assert world.effects("price-plan") == [None]  # the company's own plan


@pytest.mark.parametrize(
    ("part", "config", "words"),
    [
        ("currencyConfig", {"mode": "CUSTOM"}, "an object with currency, because of mode CUSTOM"),
        ("pricePlanDetailsConfig", {"mode": "ACCOUNT"}, "an object with accountId"),
        ("usageConfig", {"mode": "LOOKUP_CYCLE"}, "an object with lookupCycle"),
        ("prorationConfig", {"mode": "CUSTOM"}, "an object with customConfig"),
        ("entitlementOverageConfig", {"mode": "CUSTOM"}, "an object with custom"),
    ],
)
async def test_a_mode_without_its_field_is_refused(
    part: str, config: dict[str, Any], words: str, world: World, client: Client
) -> None:
    arguments = question(world, **{part: config})

    wrong = failure(await client.call_tool("calculate-revenue-v2", arguments))

    assert (wrong["kind"], wrong["field"]) == ("invalid-request", part)
    assert words in wrong["message"]
