"""What tests of previews ask with: a call's plan, or why there is none; nothing is ever written."""

from typing import Any

from answers import facts, failure
from guard.guarded import Guarded

DRY = {"dryRun": True}
OF_HARBOR = 'account harbor-main ("Account harbor-main") of customer harbor-labs ("Harbor Labs")'


async def planned(at: Guarded, tool: str, **arguments: Any) -> dict[str, Any]:
    plan: dict[str, Any] = facts(await at.call(tool, arguments | DRY))["plan"]
    return plan


async def refused(at: Guarded, tool: str, **arguments: Any) -> dict[str, Any]:
    """Why a call has no plan. It has done nothing to the vendors."""
    once = at.effects
    error = failure(await at.call(tool, arguments | DRY))
    assert at.effects == once
    return error


def shown(plan: dict[str, Any]) -> tuple[Any, Any]:
    return plan.get("before"), plan.get("after")
