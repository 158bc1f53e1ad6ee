"""Schedules: which price plan an account is on and when; changes are drafted, then finalized."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from billing_mcp.declarations import (
    ANY_WRITE,
    DELETE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.errors import Conflict
from billing_mcp.params import AccountId, Body, Name, NextToken, PageSize
from billing_mcp.results import Result, TokenPage, values
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, schedule_edits, walks
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.tools.togai.price_plans import exact_numbers
from billing_mcp.tools.togai.rate_cards import PricingCycle
from billing_mcp.tools.togai.schedule_edits import OPEN_END, From, Mode, PreActions, Until
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, json_value, present

toolset = Toolset("togai-pricing-schedules")

ScheduleMode = Literal["ACTIVE", "DRAFT"]
ScheduleId = Annotated[
    Name, Field(min_length=1, max_length=50, description="From list-account-schedules")
]
ROUTE = "GET /v2/accounts/{account_id}/schedules"


class AccountSchedule(Result):
    concise: ClassVar = (
        "id",
        "pricePlanId",
        "pricePlanInfo.name",
        "version",
        "startDate",
        "endDate",
        "isOverridden",
    )

    id: str
    accountId: str | None = None
    pricePlanId: str | None = None
    version: int | None = None
    pricePlanInfo: dict[str, Any] | None = None
    accountScheduleInfo: dict[str, Any] | None = None
    isOverridden: bool | None = None
    deferredRevenue: bool | None = None
    allowOngoingCycleUpdates: bool | None = None
    startDate: str | None = None
    endDate: str | None = None


class EditedSchedules(Result):
    """The schedules of an account as they are then; those of V2 are drafts."""

    accountId: str
    accountName: str | None = None
    pricingSchedules: list[dict[str, Any]]

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_exact(cls, value: Any) -> Any:
        return exact_numbers(value)


class AssociationConfig(Body):
    """`scheduleId` repeats what another schedule has, or names the one to end."""

    pricePlanId: Annotated[Name | None, Field(min_length=1, max_length=50)] = None
    scheduleId: Annotated[
        Name | None,
        Field(max_length=50, description="Repeat its prices, or the one to end"),
    ] = None
    pricingCycleConfigOverride: PricingCycle | None = None
    retainStartOffsets: Annotated[
        bool | None, Field(description="Keep the cycle of the plan before; same interval only")
    ] = None


class ScheduleEdit(Body):
    mode: Mode = "ASSOCIATE"
    effectiveFrom: From
    effectiveUntil: Until = OPEN_END
    associationConfig: Annotated[
        AssociationConfig | None, Field(description="DISASSOCIATE without it: every plan")
    ] = None
    mergeSchedules: Annotated[
        bool | None, Field(description="Go on as the equal schedule before it")
    ] = None


@toolset.tool(READ, ROUTE, title="List schedules")
async def list_account_schedules(
    togai: Togai,
    accountId: AccountId,
    mode: ScheduleMode = "ACTIVE",
    pageSize: PageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[AccountSchedule]:
    """List which price plan an account is on from when to when. DRAFT: as it would be once the
    drafted changes are finalized."""
    return await togai.fetch(
        TokenPage[AccountSchedule],
        at={"account_id": accountId},
        query={"mode": mode, "pageSize": pageSize, "nextToken": nextToken},
    )


async def schedules_of(togai: Togai, account_id: str, mode: ScheduleMode) -> list[AccountSchedule]:
    found = walks.rows(
        togai, AccountSchedule, ROUTE, 100, at={"account_id": account_id}, query={"mode": mode}
    )
    return [one async for one in found]


async def _edited(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    drafted = await schedules_of(togai, asked["accountId"], "DRAFT")
    if not (drafted and schedule_edits.in_force(drafted, json_value(asked["edits"]))):
        return NotApplied()
    rows = [one.model_dump(exclude_none=True) for one in drafted]
    return Applied(EditedSchedules(accountId=asked["accountId"], pricingSchedules=rows))


async def _would_edit(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    edits = json_value(asked["edits"])
    schedule_edits.require_sense(edits)
    account, whose = await owned_account(togai, asked["accountId"])
    drafted = await schedules_of(togai, account.id, "DRAFT")
    told = await schedule_edits.told(togai, edits)
    draft = "In a new draft"
    if drafted:
        draft = "Throws its draft away and in a new one" if asked["discard"] else "In its draft"
    before = drafted or await schedules_of(togai, account.id, "ACTIVE")
    return Effect(
        f"{draft} for {whose} it {told}. It is billed so only after finalize-account-schedules.",
        {"schedules": schedule_edits.lines(before)},
        {"edits": edits},
        "discard-account-schedules drops the draft with all that was changed in it.",
        {"schedules": schedule_edits.lines(before)},
    )


@toolset.tool(
    ANY_WRITE,
    "POST /v2/accounts/{account_id}/edit_schedules",
    title="Draft schedule changes",
    write=Write(
        find_out="list-account-schedules with mode DRAFT shows whether they are drafted",
        reconcile=_edited,
        preview=_would_edit,
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def edit_account_schedules(
    togai: Togai,
    accountId: AccountId,
    edits: Annotated[list[ScheduleEdit], Field(min_length=1, max_length=10)],
    discard: Annotated[bool | None, Field(description="Begin the draft anew")] = None,
) -> EditedSchedules:
    """Draft to put an account on a price plan or take it off one, all edits or none. It is billed
    so only after finalize-account-schedules."""
    wired = [_wire(edit) for edit in edits]
    schedule_edits.require_sense(wired)
    return await togai.fetch(
        EditedSchedules,
        at={"account_id": accountId},
        query={"discard": discard},
        body={"edits": wired},
    )


def _wire(edit: ScheduleEdit) -> dict[str, Any]:
    config = edit.associationConfig
    return present(
        mode=edit.mode,
        effectiveFrom=edit.effectiveFrom,
        effectiveUntil=edit.effectiveUntil,
        associationConfig=None if config is None else present(**given(config)),
        mergeSchedules=edit.mergeSchedules,
    )


async def _both(togai: Togai, asked: Mapping[str, Any]) -> dict[str, str | None]:
    """Marks of what is in force and of what is drafted; None where there is nothing."""
    modes: tuple[ScheduleMode, ...] = ("ACTIVE", "DRAFT")
    found = {mode: await schedules_of(togai, asked["accountId"], mode) for mode in modes}
    return {mode: _mark(rows) if rows else None for mode, rows in found.items()}


def _mark(schedules: list[AccountSchedule]) -> str:
    shown = json.dumps([values(one) for one in schedules], sort_keys=True)
    return hashlib.sha256(shown.encode()).hexdigest()


async def _became_of_draft(
    togai: Togai, asked: Mapping[str, Any]
) -> Literal["there", "finalized", "discarded", "unknown"]:
    """Told by what is in force now: as it was drafted, or as it was before. Where a draft changes
    nothing that schedules show, as a price that was another before, both look the same."""
    now, before = await _both(togai, asked), togai.baseline or {}
    if now["DRAFT"] and now == before:
        return "there"
    if before and before["ACTIVE"] != before["DRAFT"]:
        if now["ACTIVE"] == before["DRAFT"]:
            return "finalized"
        if now["ACTIVE"] == before["ACTIVE"]:
            return "discarded"
    return "unknown"


_UNKNOWN = Undecided(
    "the schedules do not tell whether what was drafted is in force or dropped; "
    "list-account-schedules and list-schedule-rate-cards show what is in force"
)


async def _finalized(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    became = await _became_of_draft(togai, asked)
    if became == "unknown":
        return _UNKNOWN
    if became != "finalized":
        return NotApplied()
    active = await schedules_of(togai, asked["accountId"], "ACTIVE")
    return Applied(TokenPage[AccountSchedule](data=active))


def _told(schedules: list[AccountSchedule]) -> str:
    parts = []
    for one in schedules:
        name = (one.pricePlanInfo or {}).get("name")
        plan = wording.named("price plan", one.pricePlanId or "", name)
        start, end = (one.startDate or "")[:10], (one.endDate or "")[:10]
        parts.append(f"{plan} from {start} {'on' if end[:4] == '9999' else f'until {end}'}")
    return wording.listed(parts) or "no price plan"


async def _drafted(togai: Togai, account_id: str) -> tuple[list[AccountSchedule], str]:
    """The drafted schedules, and whose they are. Raises `Conflict` when there are none."""
    account, whose = await owned_account(togai, account_id)
    drafted = await schedules_of(togai, account.id, "DRAFT")
    if not drafted and not await schedules_of(togai, account.id, "ACTIVE"):
        raise Conflict(
            f"Nothing is drafted for {whose}.",
            field="accountId",
            next_step="edit-account-schedules begins a draft.",
        )
    return drafted, whose


async def _would_finalize(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    drafted, whose = await _drafted(togai, asked["accountId"])
    active = await schedules_of(togai, asked["accountId"], "ACTIVE")
    sentence = f"Bills {whose} as drafted: {_told(drafted)}. Before: {_told(active)}."
    if asked["preActions"]:
        granted = wording.counted(len(asked["preActions"]), "licence")
        sentence += f" First it changes {granted} of the account."
    return Effect(
        sentence,
        {"schedules": schedule_edits.lines(active)},
        {"schedules": schedule_edits.lines(drafted)},
        "edit-account-schedules can end what is put in force; what is invoiced stays.",
        {"schedules": schedule_edits.lines(active), "drafted": schedule_edits.lines(drafted)},
    )


@toolset.tool(
    ANY_WRITE,
    "POST /v2/accounts/{account_id}/finalize_schedules",
    title="Finalize drafted schedules",
    write=Write(
        find_out="list-account-schedules shows what is ACTIVE, and whether there is a DRAFT",
        reconcile=_finalized,
        baseline=_both,
        preview=_would_finalize,
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def finalize_account_schedules(
    togai: Togai,
    accountId: AccountId,
    mergeSchedules: Annotated[
        bool | None, Field(description="Equal schedules that follow each other go on as one")
    ] = None,
    preActions: PreActions = None,
) -> TokenPage[AccountSchedule]:
    """Put an account's drafted schedules in force; it is billed so from then on. list-schedule-
    errors says what keeps it from that."""
    return await togai.fetch(
        TokenPage[AccountSchedule],
        at={"account_id": accountId},
        body=present(mergeSchedules=mergeSchedules, preActions=preActions),
    )


async def _discarded(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    became = await _became_of_draft(togai, asked)
    if became == "unknown":
        return _UNKNOWN
    return recognition.DONE if became == "discarded" else NotApplied()


async def _would_discard(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    drafted, whose = await _drafted(togai, asked["accountId"])
    return Effect(
        f"Drops what is drafted for {whose}: {_told(drafted)}. What is in force stays.",
        {"drafted": schedule_edits.lines(drafted)},
        None,
        None,
        {"drafted": schedule_edits.lines(drafted)},
    )


@toolset.tool(
    DELETE,
    "DELETE /v2/accounts/{account_id}/discard_schedules",
    title="Discard drafted schedules",
    write=Write(
        find_out="list-account-schedules with mode DRAFT shows whether there still is a draft",
        reconcile=_discarded,
        baseline=_both,
        preview=_would_discard,
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def discard_account_schedules(togai: Togai, accountId: AccountId) -> recognition.Done:
    """Drop what is drafted for an account's schedules. This cannot be undone."""
    return await togai.fetch(recognition.Done, at={"account_id": accountId})
