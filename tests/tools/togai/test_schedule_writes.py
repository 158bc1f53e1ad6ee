"""Every write to schedules, purchases, proposals, migrations, jobs and licences: planned by
reading alone, done once, found again."""

from pathlib import Path

import pytest

from answers import facts
from billing_mcp.config import Settings
from billing_mcp.declarations import Stake
from billing_mcp.guard.operations import State
from good_calls import good_calls
from guard.guarded import LATER, guarded
from guard.test_gate import OPERATION
from guard.test_reconcile import lose
from tools.planning import planned
from tools.test_previews import everything, stake_of

pytestmark = pytest.mark.anyio

ALL = Settings(toolsets=("all",))
HARBOR = Stake(frozenset({"harbor-test", "harbor-labs"}), "harbor-labs", "USD")
HARBOR_MAIN = Stake(frozenset({"harbor-main", "harbor-labs"}), "harbor-labs", "USD")
ANYBODY = Stake(None)


def mill(account_id: str) -> Stake:
    return Stake(frozenset({account_id, "north-mill"}), "north-mill", "EUR")


@pytest.fixture
def allowed(tmp_path: Path) -> Settings:
    """Settings under which a write that destroys something needs nobody's yes."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


TEST = 'account harbor-test ("Account harbor-test") of customer harbor-labs ("Harbor Labs")'
MILL = 'account {} ("Account {}") of customer north-mill ("North Mill")'
LATER_BILLED = "It is billed so only after finalize-account-schedules."
EFFECTS = {
    "edit-account-schedules": (
        f'In a new draft for {TEST} it puts it on price plan {{plan}} ("Yearly") from 2026-12-01 '
        f"on. {LATER_BILLED}"
    ),
    "finalize-account-schedules": (
        f"Bills {MILL.format('mill-ready', 'mill-ready')} as drafted: price plan {{plan}} "
        '("Yearly") from 2027-01-01 on. Before: no price plan.'
    ),
    "discard-account-schedules": (
        f"Drops what is drafted for {MILL.format('mill-undecided', 'mill-undecided')}: price plan "
        '{plan} ("Yearly") from 2027-01-01 on. What is in force stays.'
    ),
    "edit-schedule-rate-cards": (
        "In the draft of schedule {scheduleId} of "
        f'{MILL.format("mill-1", "mill-1")} it replaces "fee". {LATER_BILLED}'
    ),
    "set-schedule-pricing-rules": (
        f"In the draft of schedule {{scheduleId}} of {MILL.format('mill-1', 'mill-1')} it "
        f'replaces the 0 rules there are by 1 rule: "Surcharge". {LATER_BILLED}'
    ),
    "edit-schedules-v1": (
        f'For {TEST} it puts it on price plan {{plan}} ("Yearly") from 2026-12-01 on, and bills it '
        "so at once."
    ),
    "set-account-price-plan-v1": (
        f"For {MILL.format('mill-1', 'mill-1')} it puts it on price plan {{plan}} "
        '("Yearly") from 2026-12-01 until 2027-12-01 (exclusive), and bills it so at once.'
    ),
    "create-purchase": (
        f'Buys 2 times price plan {{pricePlanId}} ("Bundle") for {TEST}. What it grants is there '
        "at once, and Togai invoices what it costs."
    ),
    "create-proposal": (
        f"Proposes 20.00 USD for the wallet of {TEST}, at a price of 20.00 USD, to be paid before "
        "it is given. Nothing is bought until update-proposal-status approves it."
    ),
    "update-proposal-status": (
        f"Approves proposal {{purchaseProposalId}} (WALLET_TOPUP) of {TEST}: invoices 50.00 USD "
        "and gives it at once."
    ),
    "confirm-job": (
        "Lets job {jobId} (PRICE_PLAN) run on its 1 entry (migrationMode "
        '"NEXT_CYCLE", retainStartOffsets "false", sourceId "{assistant}", sourceVersion "1", '
        'targetId "{plan}", targetVersion "1").'
    ),
    "reject-job": (
        "Cancels job {jobId} (PRICE_PLAN): nothing is done with its 1 entry (migrationMode "
        '"NEXT_CYCLE", retainStartOffsets "false", sourceId "{assistant}", sourceVersion "1", '
        'targetId "{other}", targetVersion "1").'
    ),
    "migrate-price-plan-accounts": (
        'Moves all accounts of version 1 of price plan {plan} ("Yearly") to version 1 of price '
        'plan {other} ("Monthly"), at once. How many accounts these are, Togai says only of the '
        "job."
    ),
    "migrate-price-plan-v1": (
        'Moves all accounts of version 1 of price plan {plan} ("Yearly") to version 1 of price '
        'plan {other} ("Monthly"), from their next cycle on. How many accounts these are, Togai '
        "says only of the job."
    ),
    "migrate-price-plan-v2": (
        'Moves all accounts of version 1 of price plan {plan} ("Yearly") to version 1 of price '
        'plan {other} ("Monthly"), from their next cycle on, losing what was agreed with them. The '
        "job waits for confirm-job before it does anything. How many accounts these are, Togai "
        "says only of the job."
    ),
    "add-license-update": (
        'Lets account harbor-main ("Account harbor-main") of customer harbor-labs ("Harbor Labs") '
        'hold 8 licences of add-on {licenseId} ("Seats held") from 2026-11-21T00:00:00Z on, '
        "instead of 5. They are charged by the rate cards that name the licence."
    ),
    "update-license-update": (
        "Replaces the metadata of the update of licence {licenseId} of account harbor-main "
        '("Account harbor-main") of customer harbor-labs ("Harbor Labs") at 2026-11-19T00:00:00Z. '
        "The number of licences stays."
    ),
}
STAKES = {
    "edit-account-schedules": HARBOR,
    "finalize-account-schedules": mill("mill-ready"),
    "discard-account-schedules": mill("mill-undecided"),
    "edit-schedule-rate-cards": mill("mill-1"),
    "set-schedule-pricing-rules": mill("mill-1"),
    "edit-schedules-v1": HARBOR,
    "set-account-price-plan-v1": mill("mill-1"),
    "create-purchase": HARBOR,
    "create-proposal": HARBOR,
    "update-proposal-status": HARBOR,
    "confirm-job": ANYBODY,
    "reject-job": ANYBODY,
    "migrate-price-plan-accounts": ANYBODY,
    "migrate-price-plan-v1": ANYBODY,
    "migrate-price-plan-v2": ANYBODY,
    "add-license-update": HARBOR_MAIN,
    "update-license-update": HARBOR_MAIN,
}
WRITES = tuple(EFFECTS)


@pytest.mark.parametrize("tool", WRITES)
async def test_a_dry_run_tells_the_effect_and_changes_nothing(tool: str) -> None:
    async with guarded(ALL) as at:
        calls = good_calls(at.world)
        call, migration = calls[tool], calls["migrate-price-plan-v1"]
        before = everything(at)
        plan = await planned(at, tool, **call)
        stake = await stake_of(at, tool, **call)
        assert everything(at) == before
    ids = {"plan": migration["sourceId"], "other": migration["targetId"]}
    ids |= {"assistant": at.world.plan}
    assert plan["effect"] == EFFECTS[tool].format_map(call | ids)
    assert stake == STAKES[tool]


@pytest.mark.parametrize("tool", WRITES)
async def test_a_write_is_done_once_and_the_same_call_again_gets_its_answer(
    tool: str, allowed: Settings
) -> None:
    async with guarded(allowed) as at:
        call = good_calls(at.world)[tool] | {"operationId": OPERATION}
        at.world.sandbox.backend.db.execute("delete from effects")
        first = facts(await at.call(tool, call))
        once = at.effects
        again = facts(await at.call(tool, call))
        assert at.effects == once
    assert once
    assert again == first | {"replayed": True}


@pytest.mark.parametrize("tool", WRITES)
async def test_a_write_whose_answer_was_lost_is_found_by_reading(
    tool: str, allowed: Settings
) -> None:
    async with guarded(allowed) as at:
        call = await lose(at, tool, "reset-after")
        once = at.effects
        facts(await at.call(tool, call))
        assert at.effects == once
        assert (await at.row(OPERATION)).state is State.COMMITTED
    assert once


@pytest.mark.parametrize("tool", WRITES)
async def test_a_write_that_never_arrived_is_known_to_be_undone(
    tool: str, allowed: Settings
) -> None:
    async with guarded(allowed) as at:
        call = await lose(at, tool, "reset-before")
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
        assert at.effects == []
        facts(await at.call(tool, call))
        assert at.effects
    assert shown["state"] == "rejected"
