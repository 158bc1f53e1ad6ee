"""Price plans of the second generation through the tools: read, filled, refused, put in force."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.config import Settings
from calls.price_plans import FEE, FEE_CARD, HEADER, RULE, drafted
from guard.guarded import Guarded, guarded
from tools.planning import planned, refused
from world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """All tools, and none of them needs a person's yes."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


ALL = Settings(toolsets=("all",))


def card(name: str = "second", action: str = "CREATE", **fields: Any) -> dict[str, Any]:
    return {"actionType": action, "rateCardName": name, "rateCard": FEE_CARD | fields}


async def test_a_plan_is_drafted_filled_and_put_in_force(world: World, client: Client) -> None:
    made = facts(await client.call_tool("create-price-plan-v2", HEADER | {"name": "Team"}))
    plan = {"pricePlanId": made["id"]}
    usage = {
        "billableId": world.calls_meter,
        "type": "USAGE",
        "invoiceTiming": "IN_ARREARS",
        "displayName": "Calls",
        "rateCardDetails": {
            "usageRateCard": {
                "usageMeterId": world.calls_meter,
                "ratePlan": {
                    "pricingModel": "TIERED",
                    "slabs": [
                        {
                            "order": 1,
                            "startAfter": "0",
                            "priceType": "PACKAGE",
                            "slabConfig": {"packageSize": 10},
                        }
                    ],
                },
                "rateValues": [
                    {
                        "currency": "USD",
                        "slabRates": [{"order": 1, "rate": "0.1000000000000000000001"}],
                    }
                ],
            }
        },
    }
    operations = [{"actionType": "CREATE", "rateCardName": "calls", "rateCard": usage}]
    edited = facts(
        await client.call_tool("edit-price-plan-rate-cards", plan | {"operations": operations})
    )
    (shown,) = edited["rateCards"]
    rates = shown["rateCardDetails"]["usageRateCard"]["rateValues"][0]["slabRates"]
    assert rates == [{"order": 1, "rate": "0.1000000000000000000001"}]
    assert facts(await client.call_tool("list-price-plan-errors", plan))["data"] == []

    done = facts(await client.call_tool("finalize-price-plan", plan))

    assert done["success"] is True
    found = facts(await client.call_tool("get-price-plan-v2", plan | {"version": "ACTIVE"}))
    assert (found["status"], found["version"], found["name"]) == ("ACTIVE", 1, "Team")


async def test_lists_show_what_tells_plans_and_cards_apart(world: World, client: Client) -> None:
    plan_id = drafted(world, "Growing")

    plans = facts(await client.call_tool("list-price-plans-v2", {}))
    cards = facts(await client.call_tool("list-price-plan-rate-cards", {"pricePlanId": plan_id}))
    whole = facts(
        await client.call_tool(
            "list-price-plan-rate-cards", {"pricePlanId": plan_id, "detail": "full"}
        )
    )

    assert {row["name"]: row["status"] for row in plans["data"]}["Growing"] == "DRAFT"
    assert cards["data"] == [
        {
            "name": "fee",
            "type": "FIXED_FEE",
            "displayName": "fee",
            "billableId": "fee",
            "invoiceTiming": "IN_ARREARS",
            "currencies": ["USD"],
        }
    ]
    fee = whole["data"][0]["rateCardDetails"]["fixedFeeRateCard"]
    assert fee["rateValues"] == [{"currency": "USD", "rate": "49"}]


async def test_versions_and_errors_say_where_a_plan_stands(world: World, client: Client) -> None:
    plan = {"pricePlanId": drafted(world, "Growing")}
    facts(await client.call_tool("finalize-price-plan", plan))
    change = {"supportedCurrencies": ["USD", "EUR"]}
    facts(await client.call_tool("update-price-plan-v2", plan | change))

    versions = facts(await client.call_tool("list-price-plan-versions", plan))["data"]
    (error,) = facts(await client.call_tool("list-price-plan-errors", plan))["data"]
    first = facts(await client.call_tool("get-price-plan-v2", plan | {"version": "1"}))

    assert [(row["version"], row["status"]) for row in versions] == [(2, "DRAFT"), (1, "ACTIVE")]
    assert (error["entityType"], error["entityId"]) == ("RATE_CARD", "fee")
    assert first["supportedCurrencies"] == ["USD"]


async def test_rules_are_replaced_as_a_whole(world: World, client: Client) -> None:
    plan = {"pricePlanId": drafted(world, "Growing")}
    rules = [RULE | {"order": 2}, RULE | {"name": "First"}]
    facts(await client.call_tool("set-price-plan-pricing-rules", plan | {"pricingRules": rules}))

    found = facts(await client.call_tool("list-price-plan-pricing-rules", plan))["data"]
    assert [(rule["order"], rule["name"]) for rule in found] == [(1, "First"), (2, "Surcharge")]
    assert found[0]["computation"] == RULE["computation"]
    emptied: dict[str, Any] = plan | {"pricingRules": []}
    assert facts(await client.call_tool("set-price-plan-pricing-rules", emptied))["count"] == 0


@pytest.mark.parametrize(
    ("operation", "field", "words"),
    [
        (card(billableId="other"), "operations[0].rateCard", "a card whose billableId is its id"),
        (
            card(type="USAGE"),
            "operations[0].rateCard",
            "a card of type USAGE with rateCardDetails.usageRateCard alone",
        ),
        (
            card() | {"rateCard": None},
            "operations[0]",
            "an operation with rateCard exactly when it is no DELETE",
        ),
        (card(action="DELETE"), "operations[0]", "exactly when it is no DELETE"),
        (
            card(rateCardDetails={"fixedFeeCard": FEE}),
            "operations[0].rateCard.rateCardDetails.fixedFeeCard",
            "did you mean fixedFeeRateCard?",
        ),
        (
            card(rateCardDetails={"fixedFeeRateCard": FEE | {"rateValues": []}}),
            "operations[0].rateCard.rateCardDetails.fixedFeeRateCard.rateValues",
            "at least 1",
        ),
    ],
)
async def test_a_wrong_card_names_its_field_and_shows_its_shape(
    operation: dict[str, Any], field: str, words: str, world: World, client: Client
) -> None:
    plan_id = drafted(world, "Growing")
    arguments = {"pricePlanId": plan_id, "operations": [operation]}

    answer = await client.call_tool("edit-price-plan-rate-cards", arguments)

    wrong = failure(answer)
    assert (wrong["kind"], wrong["field"]) == ("invalid-request", field)
    assert words in wrong["message"]
    assert 'fixedFeeRateCard: {"id":"addon.…"' in said(answer)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"computation": "revenue > 5"}, "pricingRules[0].computation"),
        ({"condition": "always"}, "pricingRules[0].condition"),
        ({"order": 0}, "pricingRules[0].order"),
        ({"action": {"type": "SET"}}, "pricingRules[0].action.type"),
    ],
)
async def test_a_rule_that_is_no_logic_is_refused_before_it_is_sent(
    change: dict[str, Any], field: str, world: World, client: Client
) -> None:
    arguments = {"pricePlanId": drafted(world, "Growing"), "pricingRules": [RULE | change]}

    wrong = failure(await client.call_tool("set-price-plan-pricing-rules", arguments))

    assert (wrong["kind"], wrong["field"]) == ("invalid-request", field)


async def test_a_change_of_nothing_is_refused(world: World, client: Client) -> None:
    arguments = {"pricePlanId": drafted(world, "Growing")}

    wrong = failure(await client.call_tool("update-price-plan-v2", arguments))

    assert wrong["kind"] == "invalid-request"
    assert wrong["message"].startswith("None of description, pricingCycleConfig")


async def plan_of(at: Guarded, name: str = "Growing") -> dict[str, Any]:
    return {"pricePlanId": drafted(at.world, name)}


async def test_a_preview_of_finalizing_says_who_is_moved_and_when() -> None:
    async with guarded(ALL) as at:
        plan = await plan_of(at)
        at.world.ask("POST", f"/togai/v2/price_plans/{plan['pricePlanId']}/finalize", {})
        at.world.ask("PATCH", f"/togai/v2/price_plans/{plan['pricePlanId']}", {})
        moved = await planned(
            at,
            "finalize-price-plan",
            **plan,
            migrationMode="NEXT_CYCLE_IGNORE_OVERRIDE",
            versionsToMigrate="ALL_VERSION",
        )
        at_once = await planned(at, "finalize-price-plan", **plan, migrationMode="IMMEDIATE")
        dropped = await planned(at, "discard-price-plan", **plan)
    assert moved["effect"].endswith(
        "the one in force. All accounts of every version are billed by it from their next cycle "
        "on, losing what was agreed with them."
    )
    assert moved["after"] == {"version": 2, "status": "ACTIVE"}
    assert at_once["effect"].endswith(
        "All accounts of the version before it are billed by it at once."
    )
    assert "the plan as it is in force stays" in dropped["effect"]


async def test_what_the_vendor_would_refuse_is_not_planned() -> None:
    async with guarded(ALL) as at:
        plan = await plan_of(at)
        path = f"/togai/v2/price_plans/{plan['pricePlanId']}"
        taken = await refused(at, "create-price-plan-v2", **HEADER, name="Growing")
        twice = await refused(at, "edit-price-plan-rate-cards", **plan, operations=[card("fee")])
        gone = [{"actionType": "DELETE", "rateCardName": "none"}]
        missing = await refused(at, "edit-price-plan-rate-cards", **plan, operations=gone)
        at.world.ask("PATCH", path, {"supportedCurrencies": ["EUR"]})
        broken = await refused(at, "finalize-price-plan", **plan)
        at.world.ask("PATCH", path, {"supportedCurrencies": ["USD"]})
        at.world.ask("POST", f"{path}/finalize", {})
        done = await refused(at, "discard-price-plan", **plan)
        unknown = await refused(at, "finalize-price-plan", pricePlanId="pp.none")
    assert (taken["kind"], taken["field"]) == ("conflict", "name")
    assert 'There is a rate card "fee"' in twice["message"]
    assert 'There is no rate card "none"' in missing["message"]
    assert "has errors, the first in fee" in broken["message"]
    assert done["message"].endswith("has no draft.")
    assert unknown["kind"] == "not-found"


async def test_a_change_that_was_planned_is_not_made_of_another_draft() -> None:
    async with guarded(ALL) as at:
        plan = await plan_of(at)
        change = plan | {"supportedCurrencies": ["USD"]}
        made = facts(await at.call("update-price-plan-v2", change | {"dryRun": True}))
        commit = change | {"operationId": made["operationId"]}
        at.world.sandbox.backend.advance_to(at.world.sandbox.backend.now().replace(hour=13))
        path = f"/togai/v2/price_plans/{plan['pricePlanId']}"
        at.world.ask("PATCH", path, {"description": "Theirs"})
        once = at.effects
        wrong = failure(await at.call("update-price-plan-v2", commit))
        assert at.effects == once
    assert wrong["kind"] == "conflict"


async def test_operations_that_arrive_as_json_text_are_read(world: World, client: Client) -> None:
    arguments = {"pricePlanId": drafted(world, "Growing"), "operations": json.dumps([card()])}

    edited = facts(await client.call_tool("edit-price-plan-rate-cards", arguments))

    assert [one["name"] for one in edited["rateCards"]] == ["second"]
