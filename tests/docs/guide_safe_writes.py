"""The figures of the guide on safe writes: by calls to a server that has no policy of its own."""

import re
from datetime import timedelta
from typing import Any

import anyio
from mcp.types import CallToolResult

from answers import facts
from billing_mcp.guard.plans import FOR_PEOPLE, FOR_THE_CALLER
from billing_mcp.guard.policy_file import BUILT_IN, OTHER
from docs.guide_slabs import Figures
from docs.guide_text import Guide, Rows, Section, short
from good_calls import good_calls
from guard.guarded import Guarded, guarded

GRANT = {"accountId": "harbor-main", "effectiveFrom": "2026-11-20"}


def safe_writes(guide: Guide) -> Figures:
    once, day = guide["One wish, one id"], guide["What waits for people"]
    (rows,) = day.tables
    return {
        once.heading: anyio.run(_repeated, once),
        "Plan first": [str(lives // timedelta(hours=1)) for lives in (FOR_THE_CALLER, FOR_PEOPLE)],
        day.heading: [*anyio.run(_asked, rows), *_limits()],
    }


def _limits() -> list[str]:
    free = BUILT_IN.without_approval
    spans = (free.of("per_call"), free.of("per_customer_day"))
    return [short(amounts[OTHER]) for amounts in spans if amounts is not None]


async def _repeated(section: Section) -> list[str]:
    """What each row's call is answered, and how many credits there are then."""
    (amount,) = section.stated(r"`grant-credit` of (\d+)")
    (other,) = section.stated(r"but an amount of (\d+)")
    (respelt,) = section.stated(r"written as ([\d.]+)")
    found = []
    async with guarded() as at:
        first = ""
        for row in section.tables[0]:
            call = row["call"]
            given = amount
            if "an amount of" in call:
                given = other
            elif "written as" in call:
                given = respelt
            arguments: dict[str, Any] = GRANT | {"creditAmount": given}
            if "without" not in call:
                arguments["operationId"] = first
            result = await at.call("grant-credit", arguments)
            first = first or facts(result)["operationId"]
            found += [_answer(result), str(len(at.effects))]
    return found


async def _asked(rows: Rows) -> list[str]:
    """What the calls of a day are answered."""
    async with guarded() as at:
        calls = good_calls(at.world)
        return [_answer(await _call(at, row["call"], calls)) for row in rows]


async def _call(at: Guarded, told: str, calls: dict[str, dict[str, Any]]) -> CallToolResult:
    match = re.fullmatch(r"`([a-z-]+)`(?: of ([\d.]+))?", told)
    assert match is not None, told
    tool, amount = match.groups()
    given = calls[tool] if amount is None else GRANT | {"creditAmount": amount}
    return await at.call(tool, given)


def _answer(result: CallToolResult) -> str:
    """Done, replayed, or the kind of the error."""
    content = result.structured_content
    assert content is not None
    if result.is_error:
        kind: str = content["error"]["kind"]
        return kind
    return "replayed" if content.get("replayed") else "done"
