"""Every write to money: planned by reading alone, done once, found again where that can be said."""

from pathlib import Path
from typing import Any

import pytest

from answers import facts, failure
from billing_mcp.config import Settings
from billing_mcp.declarations import Stake
from billing_mcp.guard.operations import State
from good_calls import good_calls
from guard.guarded import LATER, guarded
from guard.test_gate import OPERATION
from guard.test_reconcile import lose
from tools.planning import OF_HARBOR, planned, refused
from tools.test_previews import everything, stake_of

pytestmark = pytest.mark.anyio

ALL = Settings(toolsets=("all",))


@pytest.fixture
def allowed(tmp_path: Path) -> Settings:
    """Settings under which a write that destroys something needs nobody's yes."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


WALLETS = ("update-wallet", "top-up-wallet")
INVOICES = (
    *("create-custom-invoice", "delete-custom-invoice", "update-invoice"),
    *("update-invoice-payment-status", "set-invoice-charges", "set-upcoming-charges"),
    "create-bill-run",
)
GROUPS = (*("create-invoice-group", "add-invoice-group-accounts", "remove-invoice-group-accounts"),)
WRITES = (*WALLETS, *INVOICES, *GROUPS, "create-payments", "void-credit")
# The vendor keeps nothing that tells it from another one just like it.
ALIKE = "top-up-wallet"
# The vendor keeps a key and does not show it; the same call again cannot make a second one.
KEYED = ("create-custom-invoice",)
OF_PAYER = OF_HARBOR.replace("harbor-main", "payer")
OCTOBER = "from 2026-10-01T00:00:00Z to 2026-11-01T00:00:00Z"
EFFECTS = {
    "update-wallet": f"Makes the wallet of {OF_PAYER}, which has 5.00 USD free, INACTIVE, so "
    "that it pays and holds nothing.",
    "top-up-wallet": f"Puts 25.50 USD in the wallet of {OF_HARBOR}. Its balance goes from 0.00 USD "
    "to 25.50 USD.",
    "create-custom-invoice": f"Writes a DRAFT invoice of 80.37 USD for {OF_HARBOR}, {OCTOBER}: "
    '"Workshop" 80.00 USD and "unnamed" 0.37 USD. Nothing is owed until it is made DUE. What '
    "credits and the wallet can pay of it is paid when it is final.",
    "delete-custom-invoice": "Deletes the DRAFT invoice {invoiceId} of 80.00 USD of account "
    "harbor-main with all its lines.",
    "update-invoice": "Makes the DUE invoice {invoiceId} of 80.00 USD of account harbor-main VOID: "
    "it is cancelled and nothing is owed.",
    "update-invoice-payment-status": "Makes the DUE invoice {invoiceId} of 80.00 USD of account "
    "harbor-main PAID: it counts as paid in full, though no payment is recorded.",
    "set-invoice-charges": "Sets the charges beside the plan on the DRAFT invoice {invoiceId} of "
    '99.00 USD of account harbor-main: "Set-up" 100.00 USD. It has 0 such charges now, which these '
    "replace.",
    "set-upcoming-charges": "Sets the charges beside the plan on the upcoming invoice of "
    f'{OF_HARBOR}: "Visits" 37.50 USD. They replace those that were set for it before.',
    "create-bill-run": "Starts a bill run, which makes 1 invoice of 80.00 USD final. It is owed "
    "from then on.",
    "create-invoice-group": 'Makes the invoice group "Harbor together" of accounts joint-1 and '
    "joint-2. What becomes due for them on one day is merged into one invoice of the group.",
    "add-invoice-group-accounts": "Adds account growing-2 to invoice group {invoiceGroupId} "
    '("Growing"), which has 1 account: their invoices are billed with it.',
    "remove-invoice-group-accounts": "Takes account shrinking-2 out of invoice group "
    '{invoiceGroupId} ("Shrinking"). Their later invoices stand alone.',
    "void-credit": f'Voids credit {{creditId}} ("Mistake") of {OF_PAYER}: the 30.00 USD left of '
    "it are gone. What invoices have used, 0.00 USD, stays used.",
}


def of_harbor(*accounts: str) -> frozenset[str]:
    return frozenset({"harbor-labs", *accounts})


STAKES = {
    "update-wallet": Stake(of_harbor("payer"), "harbor-labs", "USD"),
    "void-credit": Stake(of_harbor("payer"), "harbor-labs", "USD"),
    "create-bill-run": Stake(None),
    "create-invoice-group": Stake(of_harbor("joint-1", "joint-2")),
    "add-invoice-group-accounts": Stake(of_harbor("growing-1", "growing-2")),
    "remove-invoice-group-accounts": Stake(of_harbor("shrinking-1", "shrinking-2")),
}


@pytest.mark.parametrize("tool", WRITES)
async def test_a_dry_run_tells_the_effect_and_changes_nothing(tool: str) -> None:
    async with guarded(ALL) as at:
        call = good_calls(at.world)[tool]
        # Reading invoices makes Togai bring its drafts up to date, whoever reads them.
        at.world.ask("GET", "/togai/invoices")
        before = everything(at)
        plan = await planned(at, tool, **call)
        stake = await stake_of(at, tool, **call)
        assert everything(at) == before
    expected = STAKES.get(tool, Stake(of_harbor("harbor-main"), "harbor-labs", "USD"))
    assert stake == expected
    if tool != "create-payments":
        assert plan["effect"] == EFFECTS[tool].format_map(call)


async def test_a_payment_is_planned_with_what_each_invoice_is_owed() -> None:
    async with guarded(ALL) as at:
        call = good_calls(at.world)["create-payments"]
        plan = await planned(at, "create-payments", **call)
        invoice_id = call["lineItemRecords"][0]["togaiId"]
        call["externalPaymentReference"] = call["externalPaymentReference"] | {
            "transactionNumber": "T-0"
        }
        twin = await planned(at, "create-payments", **call)
    assert plan["effect"] == (
        f'Records 60.00 USD received from {OF_HARBOR} by BANK_TRANSFER ("First Bank", transaction '
        f'"T-1"): 50.00 USD for the DUE invoice {invoice_id} of 80.00 USD of account harbor-main '
        "and what is left for the wallet."
    )
    assert plan["before"] == {"invoices": [{"id": invoice_id, "owed": "80.00"}]}
    assert twin["effect"].endswith("already has this transaction.")


@pytest.mark.parametrize("tool", WRITES)
async def test_a_write_is_done_and_the_same_call_again_gets_its_answer(
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


@pytest.mark.parametrize("tool", [tool for tool in WRITES if tool not in (ALIKE, *KEYED)])
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


async def test_a_write_that_may_be_there_is_never_sent_again(allowed: Settings) -> None:
    async with guarded(allowed) as at:
        call = await lose(at, ALIKE, "reset-after")
        once = at.effects
        at.time.pass_by(LATER)
        for _ in range(3):
            still = failure(await at.call(ALIKE, call))
        assert at.effects == once
    assert once
    assert still["kind"] == "outcome-unknown"
    assert "list-wallet-entries" in still["message"]


async def test_a_custom_invoice_whose_answer_was_lost_is_not_written_twice(
    allowed: Settings,
) -> None:
    async with guarded(allowed) as at:
        call = await lose(at, "create-custom-invoice", "reset-after")
        facts(await at.call("create-custom-invoice", call))
        keys = [key for key in at.world.effects("custom-invoice") if key == OPERATION]
    assert keys == [OPERATION]


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
    # Another draft of that period is there, so that nobody can say whose it is.
    assert shown["state"] == ("unknown" if tool in KEYED else "rejected")


async def test_a_lost_top_up_is_told_from_an_equal_one_of_last_month(allowed: Settings) -> None:
    async with guarded(allowed) as at:
        call = good_calls(at.world)["top-up-wallet"]
        facts(await at.call("top-up-wallet", call))
        await lose(at, "top-up-wallet", "reset-before", {"top-up-wallet": call})
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
        facts(await at.call("top-up-wallet", call | {"operationId": OPERATION}))
        account = {"accountId": call["accountId"]}
        entries = facts(await at.call("list-wallet-entries", account))["data"]
    assert shown["state"] == "rejected"
    put_in = [entry["amount"] for entry in entries if entry["transactionType"] == "CREDITED"]
    assert put_in == ["25.50", "25.50"]


@pytest.mark.parametrize(
    ("tool", "change", "kind", "words"),
    [
        ("top-up-wallet", {"accountId": "nobody"}, "not-found", "nobody"),
        ("update-wallet", {"status": None}, "invalid-request", "Neither status nor"),
        ("create-payments", {"currency": "EUR"}, "conflict", "is in USD, not in EUR"),
        ("create-payments", {"totalAmount": "49"}, "invalid-request", "more than totalAmount"),
        (
            "create-custom-invoice",
            {"endDate": "2026-10-01T00:00:00Z"},
            "invalid-request",
            "endDate is not after startDate",
        ),
        ("update-invoice", {"status": "DUE"}, "conflict", "is so already"),
        ("update-invoice", {"status": "REFUND_INITIATED"}, "conflict", "only PAID can"),
        ("update-invoice", {"autoAdvance": True}, "conflict", "only a CUSTOM invoice in DRAFT"),
        ("update-invoice", {"status": None}, "invalid-request", "Nothing to change"),
        (
            "set-upcoming-charges",
            {"items": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]},
            "invalid-request",
            'Two charges have the name "a"',
        ),
        ("create-invoice-group", {"accountIds": ["joint-1", "mill-1"]}, "conflict", "in EUR"),
        ("add-invoice-group-accounts", {"accountIds": ["growing-1"]}, "conflict", "already"),
        ("remove-invoice-group-accounts", {"accountIds": ["joint-1"]}, "conflict", "Not in"),
    ],
)
async def test_what_the_vendor_would_refuse_has_no_plan(
    tool: str, change: dict[str, Any], kind: str, words: str
) -> None:
    async with guarded(ALL) as at:
        call = good_calls(at.world)[tool] | change
        given = {name: value for name, value in call.items() if value is not None}
        error = await refused(at, tool, **given)
    assert error["kind"] == kind
    assert words in error["message"]


async def test_what_is_over_has_no_plan(allowed: Settings) -> None:
    async with guarded(allowed) as at:
        calls = good_calls(at.world)
        credit = calls["void-credit"]
        facts(await at.call("void-credit", credit))
        voided = await refused(at, "void-credit", **credit)
        due = calls["update-invoice"]
        facts(await at.call("update-invoice", due))
        deleted = await refused(at, "delete-custom-invoice", invoiceId=due["invoiceId"])
        charged = await refused(at, "set-invoice-charges", invoiceId=due["invoiceId"], items=[])
        facts(await at.call("update-wallet", calls["update-wallet"]))
        full = await refused(at, "top-up-wallet", accountId="payer", topupAmount="1")
    assert "is VOIDED; only an ACTIVE one can be voided" in voided["message"]
    assert "only a CUSTOM invoice in DRAFT can be deleted" in deleted["message"]
    assert "cannot take charges: only DRAFT can" in charged["message"]
    assert full["message"].endswith("the wallet is INACTIVE.")


async def test_a_group_that_loses_its_last_account_is_said_to_be_deleted() -> None:
    async with guarded(ALL) as at:
        call = good_calls(at.world)["remove-invoice-group-accounts"]
        call["accountIds"] = ["shrinking-1", "shrinking-2"]
        plan = await planned(at, "remove-invoice-group-accounts", **call)
    assert plan["effect"].endswith("It has no others, so that the group is deleted.")
    assert plan["undo"] == "create-invoice-group makes another one."


async def test_a_change_of_a_written_draft_is_planned_with_its_new_sum() -> None:
    async with guarded(ALL) as at:
        draft = good_calls(at.world)["delete-custom-invoice"]["invoiceId"]
        lines = [{"description": "Talk", "value": "12.5"}]
        plan = await planned(
            at, "update-invoice", invoiceId=draft, lineItems=lines, autoAdvance=True, status="DUE"
        )
    assert plan["effect"] == (
        f"Gives the DRAFT invoice {draft} of 80.00 USD of account harbor-main autoAdvance True and "
        'lines of 12.50 USD in all: "Talk" 12.50 USD. Then: Makes the DRAFT invoice '
        f"{draft} of 80.00 USD of account harbor-main DUE: it is owed from now on, less what "
        "credits and the wallet pay."
    )
    assert plan["after"] == {"autoAdvance": True, "totalAmount": "12.50", "status": "DUE"}


@pytest.mark.parametrize(
    ("before", "kept"),
    [(["Set-up"], "committed"), (["Set-up", "Visits"], "unknown"), ([], "rejected")],
)
async def test_charges_that_a_lost_call_should_have_replaced_do_not_pass_for_its_own(
    before: list[str], kept: str, allowed: Settings
) -> None:
    async with guarded(allowed) as at:
        call = good_calls(at.world)["set-invoice-charges"]
        path = f"/togai/invoices/{call['invoiceId']}/miscellaneous_charges"
        there = [{"name": name, "value": "100"} for name in before]
        at.world.ask("PUT", path, {"items": there})
        calls = {"set-invoice-charges": call}
        await lose(at, "set-invoice-charges", "reset-before", calls)
        at.time.pass_by(LATER)
        shown = facts(await at.call("get-operation", {"operationId": OPERATION}))
    assert shown["state"] == kept
