"""Every write to customers, accounts, aliases, settings, schemas, features, meters and events:
planned by reading alone, done once, found again."""

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

NOBODY = Stake(frozenset())
ANYBODY = Stake(None)
MILL = Stake(frozenset({"north-mill"}), "north-mill")
HARBOR = Stake(frozenset({"harbor-labs"}), "harbor-labs")
TEST = Stake(frozenset({"harbor-test", "harbor-labs"}))


def of(account_id: str, customer_id: str, currency: str = "USD") -> Stake:
    return Stake(frozenset({account_id, customer_id}), customer_id, currency)


# What a plan says of the good call.
EFFECTS = {
    "update-customer": (
        'Changes the customer north-mill ("North Mill"): name "North Mill & Sons" instead of '
        '"North Mill", on later invoices too.'
    ),
    "delete-customer": (
        'Archives the customer closing ("Closing") for good: nothing can be billed to it any '
        "more, and its id stays taken; Togai refuses it while the customer has accounts."
    ),
    "create-customer-contact": (
        'Adds a contact "Accounts payable" to customer harbor-labs ("Harbor Labs"), without '
        "access to its portal."
    ),
    "update-account": (
        'Changes the account mill-aside ("Account mill-aside"): netTermDays 30 instead of 0; '
        "other tags, on later invoices too."
    ),
    "delete-account": (
        'Archives the account mill-old ("Account mill-old") for good: its usage is no longer '
        "counted, and its id stays taken; invoices there are stay."
    ),
    "add-account-aliases": (
        'Lets events call account mill-aside ("Account mill-aside") of customer north-mill '
        '("North Mill") "mill-new" as well: what they tell is billed to it.'
    ),
    "remove-account-aliases": (
        'Lets events no longer call account mill-aside ("Account mill-aside") of customer '
        'north-mill ("North Mill") "mill-other": those that do are not counted from then on.'
    ),
    "create-aliases": (
        'Creates the alias "device-3". Events that use one count for nobody until '
        "add-account-aliases gives it to an account."
    ),
    "delete-alias": ('Deletes the alias "device-2". Togai refuses it while an account has it.'),
    "create-setting": (
        "Creates the NUMERIC setting USER.per_kilo of account harbor-main: "
        '"1000". Enrichments of events that name it read it.'
    ),
    "update-setting": (
        'Changes the setting USER.per_kilo of the whole organisation: value "1024" instead of '
        '"1000"; later events are enriched by it, earlier ones stay as they are.'
    ),
    "create-event-schema": (
        'Creates the draft event schema storage with attributes "gigabytes" and dimensions none. '
        "Events can use it once it is active."
    ),
    "update-event-schema": (
        'Changes the event schema draft: description "Drafted"; once in use this is a new '
        "version, for events from then on."
    ),
    "activate-event-schema": (
        "Makes the event schema ready ACTIVE: events can use it, and from then on attributes and "
        "dimensions are only added."
    ),
    "deactivate-event-schema": (
        "Makes the event schema paused INACTIVE: events that use it fail from then on and are "
        "not billed."
    ),
    "delete-event-schema": (
        "Archives the event schema unused for good: no event can use it any more, and its name "
        "stays taken; Togai refuses it while a usage meter of it is active."
    ),
    "create-feature": (
        'Creates the feature "Calls", used up by "calls" of api_calls. Nobody has units of it '
        "until a plan grants them."
    ),
    "update-feature": (
        'Changes the feature {featureId} ("Answers"): billableName "Answers given"; later events '
        "use it up as it is then."
    ),
    "create-usage-meter": (
        'Creates the draft usage meter "Large calls", which adds up a number of events of schema '
        'api_calls by "{{\\"var\\": \\"attributes.calls\\"}}". It measures nothing until it is '
        "active, and bills nothing until a plan prices it."
    ),
    "update-usage-meter": (
        'Changes the usage meter {usageMeterId} ("Old"): name "New" instead of "Old"; events '
        "that were measured stay so."
    ),
    "activate-usage-meter": (
        'Makes the usage meter {usageMeterId} ("Ready") ACTIVE: it measures events from then on, '
        "and plans that price it bill them."
    ),
    "deactivate-usage-meter": (
        'Makes the usage meter {usageMeterId} ("Paused") INACTIVE: events from then on are not '
        "measured by it, and so not billed."
    ),
    "delete-usage-meter": (
        'Archives the usage meter {usageMeterId} ("Unused") for good: it measures nothing any '
        "more; Togai refuses it while a plan prices it."
    ),
    "ingest-event": (
        "Sends 1 usage event that happened at 2026-11-20T11:00:00Z: 1 of schema api_calls; 1 for "
        'account harbor-test ("Account harbor-test") of customer harbor-labs. What they cost is '
        "not known before they are rated, and whether Togai has counted any of their ids before "
        "cannot be known."
    ),
    "correct-events": (
        'Takes back 1 event of account harbor-test ("Account harbor-test") (wrong): they are no '
        "longer billed, and the feature credits they used are given back."
    ),
    "undo-events": (
        'Takes back 1 event of account harbor-test ("Account harbor-test") (mistaken): they are '
        "no longer billed, and the feature credits they used are given back."
    ),
}
# Whom it is at stake for.
STAKES = {
    "update-customer": MILL,
    "delete-customer": Stake(frozenset({"closing"}), "closing"),
    "create-customer-contact": HARBOR,
    "update-account": of("mill-aside", "north-mill"),
    "delete-account": of("mill-old", "north-mill"),
    "add-account-aliases": of("mill-aside", "north-mill"),
    "remove-account-aliases": of("mill-aside", "north-mill"),
    "create-aliases": NOBODY,
    "delete-alias": NOBODY,
    "create-setting": of("harbor-main", "harbor-labs"),
    "update-setting": ANYBODY,
    "create-event-schema": NOBODY,
    "update-event-schema": ANYBODY,
    "activate-event-schema": ANYBODY,
    "deactivate-event-schema": ANYBODY,
    "delete-event-schema": ANYBODY,
    "create-feature": NOBODY,
    "update-feature": ANYBODY,
    "create-usage-meter": NOBODY,
    "update-usage-meter": ANYBODY,
    "activate-usage-meter": ANYBODY,
    "deactivate-usage-meter": ANYBODY,
    "delete-usage-meter": NOBODY,
    "ingest-event": TEST,
    "correct-events": TEST,
    "undo-events": TEST,
}
WRITES = tuple(EFFECTS)
# The vendor lists no contacts, and takes events asynchronously.
UNSEEN = "create-customer-contact"
LATE = "ingest-event"


@pytest.fixture
def allowed(tmp_path: Path) -> Settings:
    """Settings under which a write that destroys something needs nobody's yes."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


@pytest.mark.parametrize("tool", WRITES)
async def test_a_dry_run_tells_the_effect_and_changes_nothing(tool: str) -> None:
    async with guarded(ALL) as at:
        call = good_calls(at.world)[tool]
        before = everything(at)
        plan = await planned(at, tool, **call)
        stake = await stake_of(at, tool, **call)
        assert everything(at) == before
    assert plan["effect"] == EFFECTS[tool].format_map(call)
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
    assert len(once) == 1
    assert again == first | {"replayed": True}


@pytest.mark.parametrize("tool", [tool for tool in WRITES if tool != UNSEEN])
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


@pytest.mark.parametrize("tool", [tool for tool in WRITES if tool not in (UNSEEN, LATE)])
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


async def test_an_event_that_was_not_seen_stays_unknown_until_it_is_sent_again() -> None:
    async with guarded(ALL) as at:
        call = await lose(at, LATE, "reset-before")
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
        facts(await at.call(LATE, call))
        assert len(at.effects) == 1
    assert shown["state"] == "unknown"
    assert "counts each event once" in shown["answer"]["error"]["message"]


async def test_a_contact_that_may_be_there_is_never_made_again() -> None:
    async with guarded(ALL) as at:
        call = await lose(at, UNSEEN, "reset-after")
        at.time.pass_by(LATER)
        once = at.effects
        again = await at.call(UNSEEN, call)
        assert at.effects == once
    assert "Togai lists no contacts" in str(again)


async def test_a_change_of_personal_data_alone_is_found_again_by_who_has_the_data() -> None:
    async with guarded(ALL) as at:
        calls = {
            "update-customer": {
                "customerId": "north-mill",
                "primaryEmail": "new@north-mill.example",
            }
        }
        call = await lose(at, "update-customer", "reset-after", calls)
        at.time.pass_by(LATER)
        shown = str(await at.call("get-operation", {"operationId": OPERATION}))
        once = at.effects
        facts(await at.call("update-customer", call))
        assert at.effects == once
        assert (await at.row(OPERATION)).state is State.COMMITTED
    assert "no personal data to compare with; get-customer shows it as it is now" in shown


async def test_a_change_of_personal_data_that_never_arrived_is_made_by_who_has_the_data() -> None:
    async with guarded(ALL) as at:
        email = "new@north-mill.example"
        calls = {"update-customer": {"customerId": "north-mill", "primaryEmail": email}}
        call = await lose(at, "update-customer", "reset-before", calls)
        at.time.pass_by(LATER)
        assert facts(await at.call("update-customer", call))["primaryEmail"] == email
        assert [kind for kind, _ in at.effects] == ["customer-update"]


async def test_personal_data_stands_in_no_plan() -> None:
    async with guarded(ALL) as at:
        plan = await planned(
            at,
            "update-customer",
            customerId="north-mill",
            primaryEmail="new@north-mill.example",
            address={"line1": "1 Secret Street"},
        )
    assert plan["effect"] == (
        'Changes the customer north-mill ("North Mill"): another primaryEmail; another address, '
        "on later invoices too."
    )
    assert "example" not in str(plan)
    assert "Secret" not in str(plan)
    assert plan["reversible"] is False
