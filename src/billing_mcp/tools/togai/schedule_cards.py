"""What one account's schedule charges: its own rate cards and pricing rules, and their errors."""

from collections.abc import Mapping
from typing import Any

from billing_mcp import errors
from billing_mcp.declarations import (
    ANY_WRITE,
    DELETE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Stake,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import NextToken, PageSize
from billing_mcp.results import Page, TokenPage, values
from billing_mcp.tools import wording
from billing_mcp.tools.togai import walks
from billing_mcp.tools.togai.account_schedules import ScheduleId, ScheduleMode
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.tools.togai.price_plan_cards import (
    RULES,
    EditedCards,
    Operations,
    RateCard,
    cards_as_edited,
    told_edits,
    vendor_operations,
)
from billing_mcp.tools.togai.price_plans_v2 import PlanError
from billing_mcp.tools.togai.pricing_rules import (
    NewPricingRule,
    NewPricingRules,
    PricingRule,
    rules_hold,
    told_rules,
    without_null,
)
from billing_mcp.upstream import Togai
from billing_mcp.wire import given

toolset = Toolset("togai-pricing-schedules")

CARDS_ROUTE = "GET /v2/schedules/{schedule_id}/rate_cards"
RULES_ROUTE = "GET /v2/schedules/{schedule_id}/pricing_rules"
_LATER = "It is billed so only after finalize-account-schedules."
_UNDO = "discard-account-schedules drops the draft with all that was changed in it."


class ScheduleCard(RateCard):
    """A rate card that says whose schedule it is in."""

    accountId: str | None = None


@toolset.tool(READ, "GET /v2/schedules/{schedule_id}/errors", title="List the errors of a schedule")
async def list_schedule_errors(
    togai: Togai, scheduleId: ScheduleId, nextToken: NextToken = None
) -> TokenPage[PlanError]:
    """List what keeps a drafted schedule from being finalized."""
    at = {"schedule_id": scheduleId}
    return await togai.fetch(TokenPage[PlanError], at=at, query={"nextToken": nextToken})


@toolset.tool(READ, RULES_ROUTE, title="List the pricing rules of a schedule")
async def list_schedule_pricing_rules(
    togai: Togai, scheduleId: ScheduleId, mode: ScheduleMode = "ACTIVE"
) -> Page[PricingRule]:
    """List the pricing rules that count for one account's schedule, in their order."""
    at = {"schedule_id": scheduleId}
    return await togai.fetch(Page[PricingRule], at=at, query={"mode": mode})


@toolset.tool(READ, CARDS_ROUTE, title="List the rate cards of a schedule")
async def list_schedule_rate_cards(
    togai: Togai,
    scheduleId: ScheduleId,
    mode: ScheduleMode = "ACTIVE",
    pageSize: PageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[ScheduleCard]:
    """List what one account's schedule charges for. detail=full shows the rates."""
    return await togai.fetch(
        TokenPage[ScheduleCard],
        at={"schedule_id": scheduleId},
        query={"mode": mode, "pageSize": pageSize, "nextToken": nextToken},
    )


async def _cards(
    togai: Togai, schedule_id: str, mode: ScheduleMode = "DRAFT"
) -> dict[str, ScheduleCard]:
    """Raises `NotFound` for a schedule that is not there in this mode."""
    found = walks.rows(
        togai,
        ScheduleCard,
        CARDS_ROUTE,
        100,
        at={"schedule_id": schedule_id},
        query={"mode": mode},
    )
    return {card.name: card async for card in found}


async def _newest_cards(togai: Togai, schedule_id: str) -> tuple[dict[str, ScheduleCard], str]:
    """The cards as they are drafted, or else as they count, and the place they are in."""
    called = f"schedule {wording.identified(schedule_id)}"
    try:
        cards, place = await _cards(togai, schedule_id), f"the draft of {called}"
    except errors.NotFound:
        cards, place = await _cards(togai, schedule_id, "ACTIVE"), f"a new draft of {called}"
    for card in cards.values():
        if card.accountId is not None:
            _, whose = await owned_account(togai, card.accountId)
            return cards, f"{place} of {whose}"
    return cards, place


async def _stake(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    """The account is named by the schedule's cards alone."""
    cards, _ = await _newest_cards(togai, asked["scheduleId"])
    for card in cards.values():
        if card.accountId is not None:
            return await stake_of_account()(togai, {"accountId": card.accountId})
    return Stake(None)


async def _edited(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    try:
        found = await _cards(togai, asked["scheduleId"])
    except errors.NotFound:
        return NotApplied()
    return cards_as_edited(found, asked["operations"])


async def _would_edit(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    cards, place = await _newest_cards(togai, asked["scheduleId"])
    told, before, after = told_edits(cards, asked["operations"], place, "list-schedule-rate-cards")
    read = {name: values(card) for name, card in cards.items()}
    return Effect(f"In {place} it {told}. {_LATER}", before, after, _UNDO, {"rateCards": read})


@toolset.tool(
    ANY_WRITE,
    "POST /v2/schedules/{schedule_id}/rate_cards",
    title="Change the rate cards of a schedule",
    write=Write(
        find_out="list-schedule-rate-cards with mode DRAFT shows whether they are drafted",
        reconcile=_edited,
        preview=_would_edit,
        stake=_stake,
        target="scheduleId",
    ),
    short_form={"operations": RULES},
)
async def edit_schedule_rate_cards(
    togai: Togai, scheduleId: ScheduleId, operations: Operations
) -> EditedCards:
    """Add, replace or remove rate cards for one account alone, all or none, in its draft. It is
    billed so only after finalize-account-schedules."""
    body = vendor_operations(operations)
    return await togai.fetch(EditedCards, at={"schedule_id": scheduleId}, body=body)


async def _rules(togai: Togai, schedule_id: str, mode: ScheduleMode) -> Page[PricingRule]:
    at, query = {"schedule_id": schedule_id}, {"mode": mode}
    return await togai.fetch(Page[PricingRule], route=RULES_ROUTE, at=at, query=query)


async def _replaced(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    try:
        found = await _rules(togai, asked["scheduleId"], "DRAFT")
    except errors.NotFound:
        return NotApplied()
    return Applied(found) if rules_hold(found, asked["pricingRules"]) else NotApplied()


async def _would_replace(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _, place = await _newest_cards(togai, asked["scheduleId"])
    mode: ScheduleMode = "ACTIVE" if place.startswith("a new") else "DRAFT"
    before = await _rules(togai, asked["scheduleId"], mode)
    wanted: list[NewPricingRule] = asked["pricingRules"]
    read = {"pricingRules": [values(rule) for rule in before.data]}
    return Effect(
        f"In {place} it {told_rules(before, wanted)}. {_LATER}",
        read,
        {"pricingRules": [given(rule) for rule in wanted]},
        _UNDO,
        read,
    )


@toolset.tool(
    DELETE,
    "PUT /v2/schedules/{schedule_id}/pricing_rules",
    title="Replace the pricing rules of a schedule",
    write=Write(
        find_out="list-schedule-pricing-rules with mode DRAFT shows whether they are drafted",
        reconcile=_replaced,
        preview=_would_replace,
        stake=_stake,
        target="scheduleId",
    ),
)
async def set_schedule_pricing_rules(
    togai: Togai, scheduleId: ScheduleId, pricingRules: NewPricingRules
) -> Page[PricingRule]:
    """Replace all pricing rules for one account alone, in its draft. It is billed so only after
    finalize-account-schedules."""
    body = {"pricingRules": [without_null(rule) for rule in pricingRules]}
    return await togai.fetch(Page[PricingRule], at={"schedule_id": scheduleId}, body=body)
