"""Price plans: every kind of rate card is taken, and an error alone leads to a right one."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.server import BillingServer
from good_calls import PLAN
from recording import Recorder, Says, attach
from world import CYCLE, World

pytestmark = pytest.mark.anyio

BARE = {"supportedCurrencies": ["USD"], "pricingCycleConfig": CYCLE}
KINDS = (
    "usageRateCards",
    "fixedFeeRateCards",
    "licenseRateCards",
    "billingEntitlementRateCards",
    "entitlementOverageRateCards",
    "creditGrantRateCards",
    "minimumCommitment",
)


def slabbed(model: str = "TIERED", *slabs: tuple[str, str, str]) -> dict[str, Any]:
    """Slabs as (start, price type, rate); packages are of ten."""
    rows = slabs or (("0", "PER_UNIT", "0.05"),)
    return {
        "ratePlan": {
            "pricingModel": model,
            "slabs": [
                {"order": order, "startAfter": start, "priceType": price_type}
                | ({"slabConfig": {"packageSize": "10"}} if price_type == "PACKAGE" else {})
                for order, (start, price_type, _) in enumerate(rows, 1)
            ],
        },
        "rateValues": [
            {
                "currency": "USD",
                "slabRates": [
                    {"order": order, "rate": rate} for order, (_, _, rate) in enumerate(rows, 1)
                ],
            }
        ],
    }


def valid(world: World) -> dict[str, Any]:
    """A part of a plan for each kind of rate card."""
    return fees_and_usage(world) | seats_and_features(world) | credit_grant(world)


def fees_and_usage(world: World) -> dict[str, Any]:
    fees = [{"currency": "USD", "rate": "49.90"}]
    usage = {
        "usageMeterId": world.calls_meter,
        "displayName": "API calls",
        **slabbed("VOLUME", ("0", "PER_UNIT", "0.05"), ("1000", "PACKAGE", "0.3")),
    }
    fixed = {
        "id": "fee",
        "displayName": "Platform fee",
        "enableProration": False,
        "type": "RECURRING",
        "invoiceTiming": "IN_ADVANCE",
        "recurrenceConfig": {"interval": 3, "offset": 0},
        "rateValues": fees,
    }
    return {
        "usageRateCards": [usage],
        "fixedFeeRateCards": [fixed],
        "minimumCommitment": {"displayName": "Minimum", "rateValues": fees},
    }


def seats_and_features(world: World) -> dict[str, Any]:
    seats = {
        "id": "seats",
        "enableProration": True,
        "type": "LICENSE",
        "usageCycle": "MONTHLY",
        "config": {"maxQuantity": 10, "maxQuantityBreachAction": "DO_NOTHING"},
        "proratedRefundMode": "CREDITS",
        **slabbed("TIERED", ("0", "FLAT", "20"), ("5", "PER_UNIT", "3")),
    }
    granted = {
        "featureId": world.answers,
        "invoiceTiming": "IN_ARREARS",
        "featureConfigs": [{"effectiveUntil": "P1M", "featureCreditLimit": "1000"}],
        **slabbed(),
    }
    overage = {
        "featureId": world.answers,
        "maxQuantity": "500",
        "billingConfig": {"interval": 1, "startOffset": 0},
        **slabbed(),
    }
    return {
        "licenseRateCards": [seats],
        "billingEntitlementRateCards": [granted],
        "entitlementOverageRateCards": [overage],
    }


def credit_grant(world: World) -> dict[str, Any]:
    rates = {
        "currency": "USD",
        "creditAmount": "100",
        "slabDetails": [{"startAfter": "0", "priceType": "FLAT", "rate": "90"}],
    }
    grant = {
        "priority": 1,
        "expiryType": "CUSTOM",
        "expiryDuration": "P30D",
        "applicableEntityIds": [world.calls_meter],
    }
    card = {
        "id": "bonus",
        "grantDetails": grant,
        "rateDetails": {"pricingModel": "TIERED", "currencySlabRateDetails": [rates]},
    }
    return {"creditGrantRateCards": [card]}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plan_with_each_kind_of_rate_card_is_taken(
    kind: str, world: World, client: Client
) -> None:
    part = valid(world)[kind]
    arguments = {"name": "New plan", "pricePlanDetails": BARE | {kind: part}}
    created = facts(await client.call_tool("create-price-plan", arguments | {"detail": "full"}))
    assert created["status"] == "DRAFT"
    assert created["type"] == "BILLING"
    (schedule,) = world.ask("GET", f"/togai/price_plans/{created['id']}")["pricingSchedule"]
    stored = schedule["pricePlanDetails"]
    assert [other for other in KINDS if stored.get(other)] == [kind]
    assert exact(stored[kind]) == exact(part)


def exact(node: Any) -> Any:
    """Numbers as numbers, however they are written, and without the name the vendor gives."""
    if isinstance(node, dict):
        return {name: exact(value) for name, value in node.items() if name != "name"}
    if isinstance(node, list):
        return [exact(item) for item in node]
    is_number = isinstance(node, str) and re.fullmatch(r"\d+(\.\d+)?", node)
    return Decimal(node) if is_number else node


async def test_all_kinds_go_together_in_one_plan(world: World, client: Client) -> None:
    details = BARE | valid(world)
    arguments = {"name": "Everything", "pricePlanDetails": details, "description": "All of it"}
    created = facts(await client.call_tool("create-price-plan", arguments))
    assert created["name"] == "Everything"
    assert created["operationId"]


async def test_numbers_reach_the_vendor_exactly_and_config_maps_as_text(
    server: BillingServer, client: Client
) -> None:
    recorder = Recorder(Says({"id": "pp.1", "name": "New plan"}))
    attach(server, recorder)
    card = {"usageMeterId": "um.1"} | slabbed("TIERED", ("0", "PACKAGE", "0.10000000000000000001"))
    card["rateValues"][0]["rateConfig"] = {"minimumRate": 5}
    details = BARE | {"usageRateCards": [card], "fixedFeeRateCards": None}
    arguments = {"name": "New plan", "pricePlanDetails": details}
    facts(await client.call_tool("create-price-plan", arguments))
    body = json.loads(recorder.bodies[0], parse_float=Decimal)
    (sent,) = body["pricePlanDetails"]["usageRateCards"]
    assert sent["ratePlan"]["slabs"][0]["slabConfig"] == {"packageSize": "10"}
    assert sent["rateValues"][0]["rateConfig"] == {"minimumRate": "5"}
    assert sent["rateValues"][0]["slabRates"][0]["rate"] == Decimal("0.10000000000000000001")
    assert "fixedFeeRateCards" not in body["pricePlanDetails"]
    assert body["type"] == "BILLING"
    assert "description" not in body


def corrected(part: str, error: str, world: World) -> Any:
    """What a reader makes of the shape that an error shows, knowing nothing but the error."""
    (shape,) = re.findall(rf"Shape of pricePlanDetails\.{part}: (.*?)(?= Shape of |$)", error)
    shape = shape.split("; ")[0]
    shape = re.sub(r',"slabConfig":\{"packageSize":"10"\} if PACKAGE', "", shape)
    shape = shape.replace("TIERED|VOLUME", "VOLUME").replace("FLAT|PER_UNIT|PACKAGE", "PER_UNIT")
    for prefix, own in (("um.…", world.calls_meter), ("feat.…", world.answers), ("addon.…", "a1")):
        shape = shape.replace(prefix, own)
    return json.loads(shape)


@pytest.mark.parametrize("kind", [*KINDS, "pricingCycleConfig", "supportedCurrencies"])
async def test_the_error_about_a_part_alone_leads_to_a_plan_that_is_taken(
    kind: str, world: World, client: Client
) -> None:
    details: dict[str, Any] = BARE | {kind: {} if kind == "minimumCommitment" else [{}]}
    arguments = {"name": "New plan", "pricePlanDetails": details}
    refused = await client.call_tool("create-price-plan", arguments)
    wrong = failure(refused)
    assert wrong["kind"] == "invalid-request"
    assert wrong["field"].startswith(f"pricePlanDetails.{kind}")
    assert world.effects("price-plan") == [None]  # the company's own plan
    details[kind] = corrected(kind, said(refused), world)
    facts(await client.call_tool("create-price-plan", arguments))


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"supportedCurrencies": []}, "supportedCurrencies", "at least 1"),
        ({"supportedCurrencies": ["dollar"]}, "supportedCurrencies[0]", "must match"),
        ({"supportedCurrencies": ["USD", "EUR"]}, "", "one rate for each of EUR, USD"),
        ({"pricingCycleConfig": None}, "pricingCycleConfig", "required for a BILLING plan"),
        (
            {"pricingCycleConfig": CYCLE | {"startOffset": {"dayOffset": "1"}}},
            "pricingCycleConfig.startOffset.monthOffset",
            "is required",
        ),
        (
            {
                "pricingCycleConfig": {
                    "interval": "WEEKLY",
                    "gracePeriod": 0,
                    "startOffset": {"dayOffset": "8", "monthOffset": "NIL"},
                }
            },
            "pricingCycleConfig",
            "a weekly cycle with dayOffset 1 to 7 or LAST",
        ),
        (
            {
                "pricingCycleConfig": {
                    "interval": "MONTHLY",
                    "gracePeriod": 0,
                    "startOffset": {"dayOffset": "1", "monthOffset": "1"},
                }
            },
            "pricingCycleConfig",
            "a monthly cycle with monthOffset NIL",
        ),
        (
            {
                "pricingCycleConfig": {
                    "interval": "QUARTERLY",
                    "gracePeriod": 0,
                    "startOffset": {"dayOffset": "1", "monthOffset": "4"},
                }
            },
            "pricingCycleConfig",
            "monthOffset 1 to 3, FIRST or LAST",
        ),
        (
            {
                "pricingCycleConfig": {
                    "interval": "ANNUALLY",
                    "gracePeriod": 0,
                    "startOffset": {"dayOffset": "1", "monthOffset": "NIL"},
                }
            },
            "pricingCycleConfig",
            "monthOffset 1 to 12, FIRST or LAST",
        ),
        ({"usageRateCard": []}, "usageRateCard", "did you mean usageRateCards?"),
    ],
)
async def test_a_wrong_plan_names_its_field_and_what_would_be_right(
    change: dict[str, Any], field: str, words: str, world: World, client: Client
) -> None:
    arguments = {"name": "New plan", "pricePlanDetails": PLAN | change}
    wrong = failure(await client.call_tool("create-price-plan", arguments))
    assert wrong["kind"] == "invalid-request"
    assert wrong["field"] == f"pricePlanDetails.{field}".rstrip(".")
    assert words in wrong["message"]


@pytest.mark.parametrize(
    ("slabs", "words"),
    [
        ([("5", "PER_UNIT", "1")], "start after 0 and then after ever larger"),
        ([("0", "PER_UNIT", "1"), ("0", "PER_UNIT", "1")], "start after 0 and then"),
        ([(str(n), "FLAT", "1") for n in range(11)], "at most 10 items"),
        ([("-1", "PER_UNIT", "1")], "at least 0"),
        ([("0", "PER_UNIT", "-1")], "at least 0"),
        ([("0", "UNIT", "1")], "must be one of 'FLAT', 'PER_UNIT' or 'PACKAGE'"),
    ],
)
async def test_slabs_begin_at_zero_and_rise(
    slabs: list[tuple[str, str, str]], words: str, world: World, client: Client
) -> None:
    card = {"usageMeterId": world.calls_meter} | slabbed("TIERED", *slabs)
    details = BARE | {"usageRateCards": [card]}
    arguments = {"name": "New plan", "pricePlanDetails": details}
    wrong = failure(await client.call_tool("create-price-plan", arguments))
    assert words in wrong["message"]
    assert "Shape of pricePlanDetails.usageRateCards: " in wrong["next"]


async def test_orders_package_sizes_and_rates_belong_together(world: World, client: Client) -> None:
    async def refused(change: Any) -> str:
        card = {"usageMeterId": world.calls_meter} | slabbed()
        change(card)
        details = BARE | {"usageRateCards": [card]}
        arguments = {"name": "New plan", "pricePlanDetails": details}
        message = failure(await client.call_tool("create-price-plan", arguments))["message"]
        return str(message)

    def unsized(card: Any) -> None:
        card["ratePlan"]["slabs"][0]["priceType"] = "PACKAGE"

    def sized(card: Any) -> None:
        card["ratePlan"]["slabs"][0]["slabConfig"] = {"packageSize": "10"}

    def unordered(card: Any) -> None:
        card["ratePlan"]["slabs"][0]["order"] = 2

    def unpriced(card: Any) -> None:
        card["rateValues"][0]["slabRates"][0]["order"] = 2

    assert "exactly when it is a PACKAGE" in await refused(unsized)
    assert "exactly when it is a PACKAGE" in await refused(sized)
    assert "slabs in order 1, 2, 3" in await refused(unordered)
    assert "one slabRate for each slab (order [1]) in USD" in await refused(unpriced)


@pytest.mark.parametrize(
    "grant",
    [
        {"priority": 1, "expiryType": "CUSTOM"},
        {"priority": 1, "expiryType": "NO_EXPIRY", "expiryDuration": "P30D"},
    ],
)
async def test_a_granted_credit_has_a_duration_exactly_when_it_ends_by_one(
    grant: dict[str, Any], world: World, client: Client
) -> None:
    (card,) = valid(world)["creditGrantRateCards"]
    details = BARE | {"creditGrantRateCards": [card | {"grantDetails": grant}]}
    arguments = {"name": "New plan", "pricePlanDetails": details}
    wrong = failure(await client.call_tool("create-price-plan", arguments))
    assert "expiryDuration exactly when expiryType is CUSTOM" in wrong["message"]


@pytest.mark.parametrize("kind", ["creditGrantRateCards", "minimumCommitment"])
async def test_every_kind_of_rate_card_is_priced_in_every_currency(
    kind: str, world: World, client: Client
) -> None:
    details = {**BARE, "supportedCurrencies": ["USD", "EUR"], kind: valid(world)[kind]}
    arguments = {"name": "New plan", "pricePlanDetails": details}
    wrong = failure(await client.call_tool("create-price-plan", arguments))
    assert "one rate for each of EUR, USD" in wrong["message"]
    assert kind in wrong["message"]


async def test_a_purchase_plan_needs_no_cycle(world: World, client: Client) -> None:
    details = {
        "supportedCurrencies": ["usd"],
        "billingEntitlementRateCards": valid(world)["billingEntitlementRateCards"],
    }
    arguments = {"name": "Pack", "type": "PURCHASE", "pricePlanDetails": details}
    created = facts(await client.call_tool("create-price-plan", arguments))
    assert created["type"] == "PURCHASE"


async def test_a_meter_that_does_not_exist_is_refused_in_the_vendors_words(
    world: World, client: Client
) -> None:
    card = {"usageMeterId": "um.none"} | slabbed()
    arguments = {"name": "New plan", "pricePlanDetails": BARE | {"usageRateCards": [card]}}
    wrong = failure(await client.call_tool("create-price-plan", arguments))
    assert wrong["kind"] == "invalid-request"
    assert "there is no usage meter um.none" in wrong["message"]


async def test_details_that_arrive_as_json_text_are_read(world: World, client: Client) -> None:
    arguments = {"name": "New plan", "pricePlanDetails": json.dumps(PLAN)}
    assert facts(await client.call_tool("create-price-plan", arguments))["name"] == "New plan"


async def test_plans_are_listed_short_and_in_full_with_exact_rates(
    world: World, client: Client
) -> None:
    (short,) = facts(await client.call_tool("list-price-plans", {}))["data"]
    assert short["name"] == "Assistant"
    assert "billingEntitlementRateCards" not in short.get("pricePlanDetails", {})
    (full,) = facts(await client.call_tool("list-price-plans", {"detail": "full"}))["data"]
    (card,) = full["pricePlanDetails"]["billingEntitlementRateCards"]
    assert card["rateValues"][0]["slabRates"][0]["rate"] == "99"
    assert card["featureConfigs"][0]["featureCreditLimit"] == "100"
    assert card["ratePlan"]["slabs"][0]["startAfter"] == "0"
    assert card["ratePlan"]["slabs"][0]["order"] == 1
