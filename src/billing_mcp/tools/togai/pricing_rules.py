"""Pricing rules: conditions and computations over an invoice's cards, in JSONLogic."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from billing_mcp.declarations import (
    DELETE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import Body, Name, printable, wrong
from billing_mcp.results import Page, Result, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition
from billing_mcp.tools.togai.price_plans_v2 import (
    PlanVersion,
    PricePlanId,
    as_read,
    draft_of,
    latest,
)
from billing_mcp.upstream import Togai
from billing_mcp.wire import given

toolset = Toolset("togai-price-plans")

Timing = Literal["IN_ADVANCE", "IN_ARREARS"]
RULES_ROUTE = "GET /v2/price_plans/{price_plan_id}/pricing_rules"
# The vendor names `urc` and `ff`; what it calls the other cards, it does not say.
VARIABLES = "revenue.urc.<usageMeterId>, usage.urc.<usageMeterId>, revenue.ff.<addonId>"


def _logic(text: str) -> str:
    try:
        json.loads(printable(text))
    except (ValueError, RecursionError) as error:
        raise wrong('JSONLogic as text, such as {">": [{"var": "usage.urc.um.…"}, 100]}') from error
    return text


Logic = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_logic)]


class RuleAction(Body):
    type: Literal["ADD", "UPDATE"]
    target: Annotated[
        Name | None, Field(max_length=255, description="Variable that UPDATE sets")
    ] = None
    id: Annotated[Name | None, Field(max_length=255)] = None
    description: Annotated[Name | None, Field(max_length=255)] = None
    metadata: Annotated[dict[Name, Name] | None, Field(max_length=50)] = None


class NewPricingRule(Body):
    name: Annotated[Name, Field(min_length=1, max_length=255)]
    order: Annotated[int, Field(ge=1, le=1000)]
    computation: Annotated[Logic, Field(description=f"JSONLogic over {VARIABLES}")]
    action: RuleAction
    condition: Annotated[Logic | None, Field(description="JSONLogic; default always")] = None
    invoiceTiming: Timing | None = None


NewPricingRules = Annotated[list[NewPricingRule], Field(max_length=50)]


class PricingRule(Result):
    concise: ClassVar = ("order", "name", "invoiceTiming", "condition", "computation", "action")

    id: str
    name: str | None = None
    version: int | None = None
    order: int | None = None
    invoiceTiming: str | None = None
    condition: str | None = None
    computation: str | None = None
    action: dict[str, Any] | None = None


@toolset.tool(
    READ,
    "GET /price_plans/{price_plan_id}/pricing_schedules/{pricing_schedule_id}/pricing_rules",
    title="List pricing rules of a schedule (v1)",
)
async def list_pricing_rules_v1(
    togai: Togai,
    pricePlanId: PricePlanId,
    pricingScheduleId: Annotated[Name, Field(min_length=1, max_length=50)],
    invoiceTiming: Timing | None = None,
) -> Page[PricingRule]:
    """List the pricing rules of a plan's or account's schedule. Deprecated: use
    list-price-plan-pricing-rules."""
    return await togai.fetch(
        Page[PricingRule],
        at={"price_plan_id": pricePlanId, "pricing_schedule_id": pricingScheduleId},
        query={"invoice_timing": invoiceTiming},
    )


@toolset.tool(READ, RULES_ROUTE, title="List the pricing rules of a price plan")
async def list_price_plan_pricing_rules(
    togai: Togai, pricePlanId: PricePlanId, version: PlanVersion = None
) -> Page[PricingRule]:
    """List a price plan's rules that add to invoices or change them, in their order."""
    at = {"price_plan_id": pricePlanId}
    return await togai.fetch(Page[PricingRule], at=at, query={"version": version})


async def _rules(togai: Togai, price_plan_id: str) -> Page[PricingRule]:
    at = {"price_plan_id": price_plan_id}
    return await togai.fetch(Page[PricingRule], route=RULES_ROUTE, at=at)


def rules_hold(found: Page[PricingRule], wanted: list[Mapping[str, Any]]) -> bool:
    """Whether these rules are there and no others."""
    in_order = sorted(wanted, key=lambda rule: int(rule["order"]))
    return holds([values(rule) for rule in found.data], in_order)


async def _replaced(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    found = await _rules(togai, asked["pricePlanId"])
    return Applied(found) if rules_hold(found, asked["pricingRules"]) else NotApplied()


def told_rules(before: Page[PricingRule], wanted: list[NewPricingRule]) -> str:
    """What is replaced by what, in words."""
    names = wording.listed([wording.quoted(rule.name) for rule in wanted])
    gone = wording.counted(len(before.data), "rule")
    return f"replaces the {gone} there are by {wording.counted(len(wanted), 'rule')}" + (
        f": {names}" if wanted else ""
    )


async def _would_replace(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    plan = await latest(togai, asked["pricePlanId"])
    before = await _rules(togai, plan.id)
    wanted: list[NewPricingRule] = asked["pricingRules"]
    return Effect(
        f"In {draft_of(plan)} it {told_rules(before, wanted)}. Nobody is billed by it until "
        "finalize-price-plan.",
        {"pricingRules": [values(rule) for rule in before.data]},
        {"pricingRules": [given(rule) for rule in wanted]},
        "set-price-plan-pricing-rules with the rules as they were before.",
        as_read(plan),
    )


@toolset.tool(
    DELETE,
    "PUT /v2/price_plans/{price_plan_id}/pricing_rules",
    title="Replace the pricing rules of a price plan",
    write=Write(
        find_out="list-price-plan-pricing-rules shows whether the draft has them",
        reconcile=_replaced,
        preview=_would_replace,
        stake=recognition.nobody,
        target="pricePlanId",
    ),
)
async def set_price_plan_pricing_rules(
    togai: Togai, pricePlanId: PricePlanId, pricingRules: NewPricingRules
) -> Page[PricingRule]:
    """Replace all pricing rules in a price plan's draft; an empty list removes them. A negative
    ADD is a discount."""
    body = {"pricingRules": [without_null(rule) for rule in pricingRules]}
    return await togai.fetch(Page[PricingRule], at={"price_plan_id": pricePlanId}, body=body)


def without_null(rule: NewPricingRule) -> dict[str, Any]:
    """The rule as the vendor takes it."""
    return rule.model_dump(exclude_none=True)
