"""JSON Schemas: whatever a tool takes they take, and a misspelt field they refuse as it does."""

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # comes with mcp and has no stubs
import pytest
from mcp import Client

from good_calls import event, good_calls
from resources.shelf import contents, text
from world import CYCLE, World, open_world

pytestmark = pytest.mark.anyio

# The tool whose arguments a schema is of, and where in them; the empty path is all of them.
TAKEN_BY = {
    "customer": ("create-customer", ""),
    "account": ("create-account", ""),
    "event": ("ingest-events", "events.0"),
    "price-plan": ("create-price-plan", ""),
    "pricing-cycle": ("create-price-plan", "pricePlanDetails.pricingCycleConfig"),
    "fixed-fee-rate-card": ("create-price-plan", "pricePlanDetails.fixedFeeRateCards.0"),
    "rate-card": ("edit-price-plan-rate-cards", "operations.0.rateCard"),
    "price-plan-override": ("update-price-plan", "pricePlanDetails"),
    "credit": ("grant-credit", ""),
    "feature-credits-entry": ("update-feature-credits-entry", "body"),
    "usage-record-group": ("report-usagerecordgroup", "body"),
    "usage-record-group-of-a-batch": ("batch-report-usagerecordgroups", "body.0"),
    "billable-metric": ("create-billable-metric", "body"),
    "billable-metric-change": ("update-billable-metric", "body"),
    "metering-configuration": ("update-usage-metering-config-info", "body"),
}
TIERS = {"pricingModel": "TIERED", "slabs": [{"order": 1, "startAfter": "0", "priceType": "FLAT"}]}
RATED = {
    "ratePlan": TIERS,
    "rateValues": [{"currency": "USD", "slabRates": [{"order": 1, "rate": "9.90"}]}],
}
CARDS: dict[str, Any] = {
    "rate-plan": TIERS,
    "usage-rate-card": {"usageMeterId": "um.1", **RATED},
    "license-rate-card": {"id": "seats", "enableProration": True, **RATED},
    "billing-entitlement-rate-card": {
        "featureId": "feat.1",
        "invoiceTiming": "PREPAID",
        "featureConfigs": [{"effectiveUntil": "P1M", "featureCreditLimit": "10"}],
        **RATED,
    },
    "entitlement-overage-rate-card": {"featureId": "feat.1", **RATED},
    "credit-grant-rate-card": {
        "id": "bonus",
        "grantDetails": {"priority": 1, "expiryType": "NO_EXPIRY"},
        "rateDetails": {
            "pricingModel": "VOLUME",
            "currencySlabRateDetails": [
                {
                    "currency": "USD",
                    "creditAmount": "100",
                    "slabDetails": [{"startAfter": "0", "priceType": "FLAT", "rate": "90"}],
                }
            ],
        },
    },
    "minimum-commitment": {
        "displayName": "Least",
        "rateValues": [{"currency": "USD", "rate": "500"}],
    },
}


@pytest.fixture
def world(server: Any) -> World:
    return open_world(server)


async def schema(client: Client, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await text(client, f"billing://schemas/{name}"))
    return found


def within(arguments: Any, path: str) -> Any:
    for part in filter(None, path.split(".")):
        arguments = arguments[int(part) if part.isdecimal() else part]
    return arguments


async def test_every_schema_is_one_and_says_what_it_is(client: Client) -> None:
    index = await text(client, "billing://schemas")
    for resource in (await client.list_resources()).resources:
        if not resource.uri.startswith("billing://schemas/"):
            continue
        content = await contents(client, resource.uri)
        assert content.mime_type == "application/schema+json"
        found = json.loads(content.text)
        jsonschema.Draft202012Validator.check_schema(found)
        assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert found["$id"] == resource.uri
        assert f"JSON Schema: {found['title']}" == resource.title
        assert found["description"] == f"{resource.description}."
        assert found["type"] == "object"
        assert found["additionalProperties"] is False
        assert f"- {resource.uri}: {found['title']}. {found['description']}\n" in index
        assert resource.uri.rsplit("/", 1)[1] in {**TAKEN_BY, **CARDS}


async def test_what_a_tool_takes_its_schema_takes_and_a_misspelt_field_it_refuses(
    world: World, client: Client
) -> None:
    calls = good_calls(world)
    for name, (tool, path) in TAKEN_BY.items():
        given = within(calls[tool], path)
        assert isinstance(given, dict), name
        await _takes_exactly(client, name, given)


async def test_every_kind_of_rate_card_has_a_schema_that_takes_it(client: Client) -> None:
    for name, card in CARDS.items():
        await _takes_exactly(client, name, card)


async def _takes_exactly(client: Client, name: str, given: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(await schema(client, name))
    assert not list(validator.iter_errors(given)), name
    assert not validator.is_valid({**given, "mispelt": "1"}), name


async def test_the_price_plan_is_there_in_full_to_its_deepest_field(client: Client) -> None:
    validator = jsonschema.Draft202012Validator(await schema(client, "price-plan"))

    def plan(**changed: Any) -> dict[str, Any]:
        details = {
            "supportedCurrencies": ["USD"],
            "pricingCycleConfig": CYCLE,
            "usageRateCards": [CARDS["usage-rate-card"]],
            **changed,
        }
        return {"name": "New", "pricePlanDetails": details}

    assert validator.is_valid(plan())
    assert not validator.is_valid(plan(supportedCurrencies=["dollars"]))
    assert not validator.is_valid(plan(usageRateCards=[{**CARDS["usage-rate-card"], "rate": 1}]))
    for wrong in ({"order": 0}, {"priceType": "PER_PIECE"}, {"startAfter": "-1"}, {"rate": "1"}):
        slab = {"order": 1, "startAfter": "0", "priceType": "FLAT", **wrong}
        card = {**CARDS["usage-rate-card"], "ratePlan": {"pricingModel": "TIERED", "slabs": [slab]}}
        assert not validator.is_valid(plan(usageRateCards=[card])), wrong
    details = validator.schema["properties"]["pricePlanDetails"]
    assert "one slabRate for each slab" in details["description"]


async def test_the_patterns_of_texts_are_in_the_schemas(client: Client) -> None:
    cycle = await schema(client, "pricing-cycle")
    assert cycle["properties"]["startOffset"]["properties"]["dayOffset"] == {
        "pattern": "^([1-9]|[12][0-9]|3[01]|LAST)$",
        "type": "string",
    }
    customer = jsonschema.Draft202012Validator(await schema(client, "customer"))
    fine = {"name": "Acme Labs", "id": "acme", "primaryEmail": "billing@acme.example"}
    assert customer.is_valid(fine)
    assert not customer.is_valid({**fine, "primaryEmail": "nobody"})


async def test_numbers_of_money_are_texts_in_every_schema(client: Client) -> None:
    event_schema = jsonschema.Draft202012Validator(await schema(client, "event"))
    assert event_schema.is_valid(event())
    credit = await schema(client, "credit")
    assert credit["properties"]["creditAmount"]["type"] == "string"
