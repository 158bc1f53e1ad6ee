"""Pricing schedules (V1, deprecated): price plans put on an account, at once."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, WithJsonSchema, model_validator

from billing_mcp.declarations import (
    ANY_WRITE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, Body, Day, Name, NextToken, PageSize
from billing_mcp.results import Result, TokenPage
from billing_mcp.tools.togai import schedule_edits, walks
from billing_mcp.tools.togai.account_schedules import EditedSchedules
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.tools.togai.plan_overrides import RULES, SHAPE, PricePlanOverride
from billing_mcp.tools.togai.price_plans import exact_numbers, vendor_details
from billing_mcp.tools.togai.pricing_rules import NewPricingRules
from billing_mcp.tools.togai.rate_cards import SHAPES
from billing_mcp.tools.togai.schedule_edits import OPEN_END, From, Mode, PreActions, Until
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, json_value

toolset = Toolset("togai-pricing-schedules")

ROUTE = "GET /accounts/{account_id}/pricing_schedules"
PlanId = Annotated[Name | None, Field(min_length=1, max_length=50)]
Own = Annotated[PricePlanOverride | None, WithJsonSchema({"type": "object", "description": SHAPE})]


class PricingSchedule(Result):
    concise: ClassVar = ("id", "pricePlanId", "pricePlanName", "version", "startDate", "endDate")

    id: str
    pricePlanId: str | None = None
    pricePlanName: str | None = None
    version: int | None = None
    isOverriden: bool | None = None
    startDate: str | None = None
    endDate: str | None = None
    pricePlanDetails: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_exact(cls, value: Any) -> Any:
        return exact_numbers(value)


class PricingEdit(Body):
    mode: Mode = "ASSOCIATE"
    pricePlanId: Annotated[PlanId, Field(description="DISASSOCIATE without it: all")] = None
    effectiveFrom: From
    effectiveUntil: Until = OPEN_END
    pricePlanDetailsOverride: Own = None
    pricingRulesOverride: NewPricingRules | None = None
    retainStartOffsets: bool | None = None


@toolset.tool(READ, ROUTE, title="List pricing schedules (v1)")
async def list_pricing_schedules_v1(
    togai: Togai,
    accountId: AccountId,
    startDate: Day | None = None,
    endDate: Day | None = None,
    includePricePlanInfo: bool | None = None,
    compact: Annotated[bool | None, Field(description="Without pricePlanDetails")] = None,
    pageSize: PageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[PricingSchedule]:
    """List an account's price plans over time. Deprecated: use list-account-schedules."""
    return await togai.fetch(
        TokenPage[PricingSchedule],
        at={"account_id": accountId},
        query={
            "start_date": startDate,
            "end_date": endDate,
            "include_price_plan_info": includePricePlanInfo,
            "compact": compact,
            "pageSize": pageSize,
            "nextToken": nextToken,
        },
    )


async def _schedules(togai: Togai, account_id: str) -> list[PricingSchedule]:
    at = {"account_id": account_id}
    found = walks.rows(togai, PricingSchedule, ROUTE, 100, at=at, query={"compact": "true"})
    return [one async for one in found]


def _edits(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The edits of a call: one, or those of a list."""
    found: list[dict[str, Any]] = json_value(asked.get("edits", [asked]))
    return found


async def _edited(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    found = await _schedules(togai, asked["accountId"])
    if not schedule_edits.in_force(found, _edits(asked)):
        return NotApplied()
    rows = [one.model_dump(exclude_none=True) for one in found]
    return Applied(EditedSchedules(accountId=asked["accountId"], pricingSchedules=rows))


async def _would_edit(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    edits = _edits(asked)
    schedule_edits.require_sense(edits, "edits[{}]." if "edits" in asked else "")
    account, whose = await owned_account(togai, asked["accountId"])
    before = schedule_edits.lines(await _schedules(togai, account.id))
    told = await schedule_edits.told(togai, edits)
    return Effect(
        f"For {whose} it {told}, and bills it so at once.",
        {"schedules": before},
        {"edits": edits},
        "The same tool takes the account off again or back on; what is invoiced stays.",
        {"schedules": before},
    )


_WRITE = Write(
    find_out="list-pricing-schedules-v1 shows which plans the account is on",
    reconcile=_edited,
    preview=_would_edit,
    stake=stake_of_account(),
    target="accountId",
)


def _wire(edit: PricingEdit) -> dict[str, Any]:
    whole = {"mode": edit.mode, "effectiveUntil": edit.effectiveUntil, **given(edit)}
    found: dict[str, Any] = vendor_details(json_value(whole))
    return found


@toolset.tool(
    ANY_WRITE,
    "POST /accounts/{account_id}/edit_schedules",
    title="Edit pricing schedules (v1)",
    write=_WRITE,
    short_form={"edits": RULES},
)
async def edit_schedules_v1(
    togai: Togai,
    accountId: AccountId,
    edits: Annotated[list[PricingEdit], Field(min_length=1, max_length=10)],
) -> EditedSchedules:
    """Put an account on price plans or take it off, at once, all edits or none. Deprecated: use
    edit-account-schedules."""
    body = {"edits": [_wire(edit) for edit in edits]}
    schedule_edits.require_sense(body["edits"])
    return await togai.fetch(EditedSchedules, at={"account_id": accountId}, body=body)


@toolset.tool(
    ANY_WRITE,
    "POST /accounts/{account_id}/price_plans",
    title="Associate or dissociate a price plan (v1)",
    write=_WRITE,
    short_form={
        "pricePlanDetailsOverride": RULES,
        **{f"pricePlanDetailsOverride.{part}": shape for part, shape in SHAPES.items()},
    },
)
async def set_account_price_plan_v1(
    togai: Togai,
    accountId: AccountId,
    effectiveFrom: From,
    mode: Mode = "ASSOCIATE",
    pricePlanId: PlanId = None,
    effectiveUntil: Until = OPEN_END,
    pricePlanDetailsOverride: Own = None,
    pricingRulesOverride: NewPricingRules | None = None,
    retainStartOffsets: bool | None = None,
    preActions: PreActions = None,
) -> EditedSchedules:
    """Put an account on a price plan or take it off, at once. Deprecated: use
    edit-account-schedules."""
    asked = {
        "mode": mode,
        "pricePlanId": pricePlanId,
        "effectiveFrom": effectiveFrom,
        "effectiveUntil": effectiveUntil,
        "pricePlanDetailsOverride": pricePlanDetailsOverride,
        "pricingRulesOverride": pricingRulesOverride,
        "retainStartOffsets": retainStartOffsets,
        "preActions": preActions,
    }
    body = vendor_details(json_value(asked))
    schedule_edits.require_sense([body], "")
    return await togai.fetch(EditedSchedules, at={"account_id": accountId}, body=body)
