"""Edits of an account's schedules: how a plan tells them, and how they are recognised."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from billing_mcp import errors
from billing_mcp.params import Body, Day, Name
from billing_mcp.tools import wording
from billing_mcp.tools.togai.price_plan_changes import plan_of
from billing_mcp.upstream import Togai

OPEN_END = date(9999, 1, 1)
Mode = Literal["ASSOCIATE", "DISASSOCIATE"]
From = Annotated[Day, Field(description="First day, UTC")]
Until = Annotated[Day, Field(description="Day it ends, exclusive; default never")]


class PreAction(Body):
    type: Literal["GRANT_LICENSE"]
    config: Annotated[
        dict[Name, Name], Field(max_length=20, description="licenseId, quantity, updateType, …")
    ]


PreActions = Annotated[list[PreAction] | None, Field(min_length=1, max_length=10)]


class Scheduled(Protocol):
    """What both generations show of a schedule."""

    id: str
    pricePlanId: str | None
    startDate: str | None
    endDate: str | None


def lines(schedules: Sequence[Scheduled]) -> list[dict[str, Any]]:
    """Which plan is in force when, as far as edits change it."""
    return [
        {
            "id": one.id,
            "pricePlanId": one.pricePlanId,
            "startDate": (one.startDate or "")[:10],
            "endDate": (one.endDate or "")[:10],
        }
        for one in schedules
    ]


def flat(edit: Mapping[str, Any]) -> dict[str, Any]:
    """An edit of either generation: mode, days as text, and what it names."""
    config = edit.get("associationConfig") or {}
    return {
        "mode": edit.get("mode") or "ASSOCIATE",
        "from": str(edit["effectiveFrom"])[:10],
        "until": str(edit.get("effectiveUntil") or OPEN_END)[:10],
        "pricePlanId": edit.get("pricePlanId") or config.get("pricePlanId"),
        "scheduleId": config.get("scheduleId"),
    }


def require_sense(edits: Sequence[Mapping[str, Any]], place: str = "edits[{}].") -> None:
    """Raises `InvalidRequest` for an edit of no time, or one that names no plan to put on.

    `place` is where an edit is in the arguments, by its number.
    """
    for index, edit in enumerate(map(flat, edits)):
        at = place.format(index)
        if edit["until"] <= edit["from"]:
            raise errors.InvalidRequest(
                f"{at}effectiveUntil is not after effectiveFrom; nothing was sent.",
                field=f"{at}effectiveUntil",
                next_step="Give a day after effectiveFrom, or leave it out.",
            )
        if edit["mode"] == "ASSOCIATE" and edit["pricePlanId"] is edit["scheduleId"] is None:
            raise errors.InvalidRequest(
                f"{at}pricePlanId is missing in an ASSOCIATE; nothing was sent.",
                field=f"{at}pricePlanId",
                next_step="list-price-plans shows the plans there are.",
            )


def in_force(schedules: Sequence[Scheduled], edits: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the schedules are as these edits make them, where no later edit meets an earlier."""
    rows = lines(schedules)
    flattened = [flat(edit) for edit in edits]
    return all(
        _holds(rows, edit)
        for number, edit in enumerate(flattened, 1)
        if not any(_meet(edit, later) for later in flattened[number:])
    )


def _holds(rows: Sequence[Mapping[str, Any]], edit: Mapping[str, Any]) -> bool:
    named = [row for row in rows if edit["pricePlanId"] in (None, row["pricePlanId"])]
    if edit["mode"] == "ASSOCIATE":
        return any(
            row["startDate"] <= edit["from"] and edit["until"] <= row["endDate"] for row in named
        )
    if edit["scheduleId"] is not None:
        named = [row for row in named if row["id"] == edit["scheduleId"]]
    return not any(
        row["startDate"] < edit["until"] and edit["from"] < row["endDate"] for row in named
    )


def _meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    same = None in (one["pricePlanId"], other["pricePlanId"]) or (
        one["pricePlanId"] == other["pricePlanId"]
    )
    return bool(same and one["from"] < other["until"] and other["from"] < one["until"])


async def told(togai: Togai, edits: Sequence[Mapping[str, Any]]) -> str:
    """What edits do, in words. Raises `NotFound` for a plan that there is not."""
    names: dict[str, str] = {}
    parts = []
    for edit in map(flat, edits):
        plan_id = edit["pricePlanId"]
        if plan_id is not None and plan_id not in names:
            try:
                plan = await plan_of(togai, plan_id)
            except errors.NotFound as error:
                raise errors.NotFound(
                    error.message,
                    field="pricePlanId",
                    next_step="Check pricePlanId; list-price-plans shows those there are.",
                ) from error
            names[plan_id] = wording.named("price plan", plan.id, plan.name)
        period = f"from {edit['from']} "
        open_end = edit["until"] == OPEN_END.isoformat()
        period += "on" if open_end else f"until {edit['until']} (exclusive)"
        what = names.get(plan_id, "every price plan")
        if edit["scheduleId"] is not None:
            schedule = f"schedule {wording.identified(edit['scheduleId'])}"
            what = f"what {schedule} has" if edit["mode"] == "ASSOCIATE" else schedule
        verb = "puts it on" if edit["mode"] == "ASSOCIATE" else "takes it off"
        parts.append(f"{verb} {what} {period}")
    return wording.listed(parts)
