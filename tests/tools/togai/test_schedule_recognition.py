"""What reading can tell of lost changes of plans, migrations and licences, and what it cannot."""

from pathlib import Path
from typing import Any

import pytest

from answers import facts
from billing_mcp.config import Settings
from billing_mcp.tools.togai.account_schedules import AccountSchedule
from billing_mcp.tools.togai.schedule_edits import in_force
from calls.schedules import active
from good_calls import good_calls
from guard.guarded import LATER, guarded
from guard.test_gate import OPERATION
from guard.test_reconcile import lose

PUT_ON, TAKE_OFF = "ASSOCIATE", "DISASSOCIATE"


@pytest.fixture
def allowed(tmp_path: Path) -> Settings:
    """Settings under which a write that destroys something needs nobody's yes."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


def there(plan: str, start: str, end: str, schedule_id: str = "sch.1") -> AccountSchedule:
    midnight = "T00:00:00.000Z"
    return AccountSchedule(
        id=schedule_id, pricePlanId=plan, startDate=start + midnight, endDate=end + midnight
    )


def edit(mode: str, plan: str | None, start: str, until: str, **config: str) -> dict[str, Any]:
    if plan is not None:
        config["pricePlanId"] = plan
    days = {"effectiveFrom": start, "effectiveUntil": until}
    return {"mode": mode, **days, "associationConfig": config}


GOLD = there("pp.gold", "2026-12-01", "2027-06-01")


@pytest.mark.parametrize(
    ("made", "so"),
    [
        (edit(PUT_ON, "pp.gold", "2026-12-01", "2027-06-01"), True),
        # It may have been merged with what was there before.
        (edit(PUT_ON, "pp.gold", "2027-01-01", "2027-06-01"), True),
        (edit(PUT_ON, "pp.gold", "2026-12-01", "2027-07-01"), False),
        (edit(PUT_ON, "pp.iron", "2026-12-01", "2027-06-01"), False),
        (edit(TAKE_OFF, "pp.gold", "2027-06-01", "9999-01-01"), True),
        (edit(TAKE_OFF, "pp.gold", "2027-05-31", "9999-01-01"), False),
        (edit(TAKE_OFF, "pp.iron", "2027-05-31", "9999-01-01"), True),
        (edit(TAKE_OFF, None, "2027-05-31", "9999-01-01"), False),
        (edit(TAKE_OFF, None, "2027-01-01", "2027-02-01", scheduleId="sch.2"), True),
        (edit(TAKE_OFF, None, "2027-01-01", "2027-02-01", scheduleId="sch.1"), False),
    ],
)
def test_an_edit_is_recognised_by_what_it_leaves(made: dict[str, Any], *, so: bool) -> None:
    assert in_force([GOLD], [made]) is so


def test_of_edits_that_meet_the_later_one_counts() -> None:
    whole = edit(PUT_ON, "pp.gold", "2026-12-01", "9999-01-01")
    cut = edit(TAKE_OFF, "pp.gold", "2027-06-01", "9999-01-01")

    assert in_force([GOLD], [whole, cut])
    assert not in_force([GOLD], [cut, whole])


@pytest.mark.anyio
async def test_a_relative_change_of_licences_is_not_told_apart_but_applied_once(
    allowed: Settings,
) -> None:
    async with guarded(allowed) as at:
        good = good_calls(at.world)
        good["add-license-update"] |= {"updateType": "RELATIVE", "quantity": "2"}
        call = await lose(at, "add-license-update", "reset-after", good)
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
        once = at.effects
        made = facts(await at.call("add-license-update", call))
        assert at.effects == once
    assert shown["state"] == "unknown"
    assert made["quantity"] == "7"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fault", "state"), [("reset-after", "committed"), ("reset-before", "rejected")]
)
async def test_a_migration_is_told_from_one_like_it_that_was_before(
    fault: str, state: str, allowed: Settings
) -> None:
    async with guarded(allowed) as at:
        good = good_calls(at.world)
        earlier = good["migrate-price-plan-v1"]
        at.world.ask("POST", "/togai/price_plans/migration", earlier)
        await lose(at, "migrate-price-plan-v1", fault, good)
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
    assert shown["state"] == state


@pytest.mark.anyio
async def test_a_migration_that_waits_for_its_confirmation_is_not_one_that_was_to_run_at_once(
    allowed: Settings,
) -> None:
    async with guarded(allowed) as at:
        good = good_calls(at.world)
        await lose(at, "migrate-price-plan-v1", "reset-before", good)
        waits = good["migrate-price-plan-v1"] | {"requireConfirmation": True}
        at.world.ask("POST", "/togai/price_plans/migration", waits)
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
    assert shown["state"] == "rejected"


@pytest.mark.anyio
async def test_a_migration_of_another_version_is_not_taken_for_the_lost_one(
    allowed: Settings,
) -> None:
    async with guarded(allowed) as at:
        good = good_calls(at.world)
        other = active(at.world, "Elsewhere")
        wish = good["migrate-price-plan-v1"] | {"targetId": other}
        at.world.ask("POST", "/togai/price_plans/migration", wish)
        await lose(at, "migrate-price-plan-v1", "reset-before", good)
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
    assert shown["state"] == "rejected"


@pytest.mark.anyio
async def test_a_plan_that_is_as_asked_already_does_not_show_that_its_accounts_were_moved(
    allowed: Settings,
) -> None:
    async with guarded(allowed) as at:
        words = {"pricePlanId": at.world.plan, "description": "For assistants"}
        facts(await at.call("update-price-plan", words))
        moving = {"migrationMode": "NEXT_CYCLE", "versionsToMigrate": "ALL_VERSION"}
        good = {"update-price-plan": words | moving}
        call = await lose(at, "update-price-plan", "reset-before", good)
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
        facts(await at.call("update-price-plan", call))
        made = facts(await at.call("list-account-schedules", {"accountId": "harbor-main"}))
    assert shown["state"] == "rejected"
    assert [(row["version"], row["startDate"][:10]) for row in made["data"]] == [
        (1, "2026-11-20"),
        (3, "2026-12-01"),
    ]
