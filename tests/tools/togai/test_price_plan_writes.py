"""Every write to price plans and add-ons: planned by reading alone, done once, found again."""

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


@pytest.fixture
def allowed(tmp_path: Path) -> Settings:
    """Settings under which a write that destroys something needs nobody's yes."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


WRITES = (
    *("create-addon", "update-addon", "delete-addon"),
    *("create-price-plan-v2", "update-price-plan-v2", "edit-price-plan-rate-cards"),
    *("set-price-plan-pricing-rules", "finalize-price-plan", "discard-price-plan"),
    *("update-price-plan", "activate-price-plan", "archive-price-plan"),
    *("add-price-plan-currencies", "remove-price-plan-currency"),
)
# Whoever has the plan may be billed by it from then on.
OF_ANYBODY = ("finalize-price-plan", "update-price-plan")
EFFECTS = {
    "create-addon": 'Creates the add-on "Seats" of type LICENSE. It charges nobody until a rate '
    "card of a plan names it.",
    "update-addon": 'Gives the add-on {addonId} ("Support") the billableName "Premium support", '
    "which later invoices show.",
    "delete-addon": 'Archives the add-on {addonId} ("Onboarding"): no rate card can be named '
    "after it any more. Togai refuses it while a plan does.",
    "create-price-plan-v2": 'Creates the draft price plan "Newer plan" (BILLING, MONTHLY) in USD '
    "without rate cards. It charges nobody until it is filled, finalized and associated with an "
    "account.",
    "update-price-plan-v2": "In the draft (version 1) of price plan {pricePlanId} "
    '("Growing") it changes description. Nobody is billed by it until finalize-price-plan.',
    "edit-price-plan-rate-cards": "In the draft (version 1) of price plan {pricePlanId} "
    '("Growing") it adds "second" and removes "fee". Nobody is billed by it until '
    "finalize-price-plan.",
    "set-price-plan-pricing-rules": "In the draft (version 1) of price plan {pricePlanId} "
    '("Growing") it replaces the 0 rules there are by 1 rule: "Surcharge". Nobody is billed by '
    "it until finalize-price-plan.",
    "finalize-price-plan": 'Makes version 1 of price plan {pricePlanId} ("Ready") the one in '
    "force. Accounts that have the plan stay with the version they have.",
    "discard-price-plan": "Drops the draft (version 1) of price plan {pricePlanId} "
    '("Abandoned") with all that is in it; the plan never was in force and goes with it.',
    "update-price-plan": "Changes supportedCurrencies and fixedFeeRateCards of the draft price "
    'plan {pricePlanId} ("Older").',
    "activate-price-plan": 'Activates the price plan {pricePlanId} ("Waiting") in USD: accounts '
    "of this currency can be associated with it.",
    "archive-price-plan": 'Archives the price plan {pricePlanId} ("Outdated"), now DRAFT, for '
    "good: no account can be associated with it any more. Togai refuses it while one is.",
    "add-price-plan-currencies": 'Gives every card of price plan {pricePlanId} ("Abroad") rates '
    "in GBP. No account is billed in it until activate-price-plan names it.",
    "remove-price-plan-currency": "Removes the currency EUR from price plan {pricePlanId} "
    '("At home") with the rates of every card in it.',
}


@pytest.mark.parametrize("tool", WRITES)
async def test_a_dry_run_tells_the_effect_and_changes_nothing(tool: str) -> None:
    async with guarded(ALL) as at:
        call = good_calls(at.world)[tool]
        before = everything(at)
        plan = await planned(at, tool, **call)
        stake = await stake_of(at, tool, **call)
        assert everything(at) == before
    assert plan["effect"] == EFFECTS[tool].format_map(call)
    assert stake == Stake(None if tool in OF_ANYBODY else frozenset())


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
    assert len(once) == 1
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
    assert len(once) == 1


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
        assert len(at.effects) == 1
    assert shown["state"] == "rejected"
