"""Wallets: money in advance, what runs holds of it, what becomes due takes of it."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai import world
from sandbox.togai.billed import fee, priced, send, until
from sandbox.togai.written import read, write

WALLET = "/accounts/main/wallet"


def top_up(ask: Asker, amount: Any, account: str = "main") -> Any:
    body = {"topupAmount": Decimal(amount)}
    return ask.done("POST", f"/accounts/{account}/wallet_topup", body)


def standing(ask: Asker) -> tuple[Any, Any]:
    """Balance and hold."""
    wallet = ask.done("GET", WALLET)
    return wallet["balance"], wallet["holdAmount"]


def moves(ask: Asker) -> list[tuple[Any, ...]]:
    """The entries, the latest first: type, status, amount, what is left after it."""
    names = ("transactionType", "status", "amount", "closingBalance")
    rows = ask.done("GET", f"{WALLET}/entries")["data"]
    return [tuple(row[name] for name in names) for row in rows]


def test_every_account_has_a_wallet_that_is_empty_at_first(ask: Asker) -> None:
    world.account(ask, invoiceCurrency="KWD")

    wallet = ask.done("GET", WALLET)

    assert wallet == {
        "id": wallet["id"],
        "accountId": "main",
        "customerId": "acme",
        "balance": 0,
        "creditUnit": "KWD",
        "status": "ACTIVE",
        "holdAmount": 0,
        "effectiveFrom": "2026-11-20T12:00:00.000Z",
        "createdAt": "2026-11-20T12:00:00.000Z",
        "updatedAt": "2026-11-20T12:00:00.000Z",
        "metadata": {"autoNetOff": True},
    }
    assert wallet["id"].startswith("wallet.")
    assert ask.done("GET", WALLET) == wallet
    assert ask.done("GET", f"{WALLET}/entries") == {"data": [], "nextToken": None}
    for path in ("wallet", "wallet/entries"):
        assert ask.togai("GET", f"/accounts/none/{path}").status == 404


def test_money_is_put_in_and_seen_in_the_entries(ask: Asker) -> None:
    world.account(ask)

    assert top_up(ask, "50.25")["balance"] == Decimal("50.25")
    assert top_up(ask, 10)["balance"] == Decimal("60.25")

    assert moves(ask) == [
        ("CREDITED", "COMPLETED", 10, Decimal("60.25")),
        ("CREDITED", "COMPLETED", Decimal("50.25"), Decimal("50.25")),
    ]
    assert [effect["key"] for effect in ask.effects("wallet-top-up")] == ["50.25", "10"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "topupAmount is required"),
        ({"topupAmount": 0}, "topupAmount must be greater than 0"),
        ({"topupAmount": -5}, "topupAmount must be greater than 0"),
        ({"topupAmount": "5"}, "topupAmount must be a number"),
        ({"topupAmount": 10**13}, "topupAmount must be at most"),
        ({"topupAmount": Decimal("0.005")}, "topupAmount: 0.005 is not a whole number of minor"),
        ({"topupAmount": 5, "currency": "USD"}, "currency is not a field here"),
    ],
)
def test_a_top_up_that_makes_no_sense_is_refused(
    ask: Asker, body: dict[str, Any], message: str
) -> None:
    world.account(ask)
    answer = ask.togai("POST", "/accounts/main/wallet_topup", body)

    assert answer.status == 400
    assert answer.message.startswith(message)
    assert standing(ask) == (0, 0)


def test_an_invoice_that_runs_holds_what_it_comes_to_and_takes_it_when_it_is_due(
    ask: Asker,
) -> None:
    priced(ask)
    top_up(ask, 10)
    send(ask, "e1", "8")
    # 8 calls at 0.25.
    assert standing(ask) == (8, 2)
    send(ask, "e2", "4")
    assert standing(ask) == (7, 3)
    assert moves(ask)[0] == ("DEBITED", "ON_HOLD", 3, 7)

    until(ask, "2026-12-04T00:00:00Z")

    # November took its 3; December, without a call, holds nothing.
    assert standing(ask) == (7, 0)
    assert moves(ask)[0] == ("DEBITED", "COMPLETED", 3, 7)
    (november,) = ask.done("GET", "/invoices", owner_id="main", status="PAID")["data"]
    assert (november["totalAmount"], november["paidAmount"]) == (3, 3)
    entry = ask.done("GET", f"{WALLET}/entries")["data"][0]
    assert entry["entityId"] == november["id"]


def test_what_an_invoice_owes_beyond_the_wallet_stays_owed(ask: Asker) -> None:
    priced(ask)
    top_up(ask, 2)
    send(ask, "e1", "20")
    assert standing(ask) == (0, 2)

    until(ask, "2026-12-04T00:00:00Z")

    assert standing(ask) == (0, 0)
    (november,) = ask.done("GET", "/invoices", owner_id="main", status="PARTIALLY_PAID")["data"]
    assert (november["totalAmount"], november["paidAmount"]) == (5, 2)
    # What comes later does not settle what was due before.
    top_up(ask, 100)
    assert standing(ask) == (100, 0)


def test_the_invoice_that_is_final_first_holds_first(ask: Asker) -> None:
    priced(ask, fixedFeeRateCards=[fee("6")])
    weekly = world.CYCLE | {"interval": "WEEKLY", "gracePeriod": 0}
    cards = [fee("3") | {"id": "weekly", "displayName": "Weekly"}]
    world.associate(
        ask,
        world.plan(ask, "Weekly", fixedFeeRateCards=cards, pricingCycleConfig=weekly),
        "2026-11-16",
    )
    top_up(ask, 7)

    holds = [row for row in moves(ask) if row[1] == "ON_HOLD"]
    # The week ends on the 23rd, the month's grace on 4 December: 3, then the 4 that are left.
    assert holds == [("DEBITED", "ON_HOLD", 4, 0), ("DEBITED", "ON_HOLD", 3, 4)]


def test_a_wallet_that_is_inactive_or_not_yet_effective_pays_for_nothing(ask: Asker) -> None:
    world.account(ask)
    top_up(ask, 100)
    off = ask.done("PATCH", WALLET, {"status": "INACTIVE"})
    assert (off["status"], off["balance"]) == ("INACTIVE", 100)

    assert write(ask, status="DUE")["status"] == "DUE"
    refused = ask.togai("POST", "/accounts/main/wallet_topup", {"topupAmount": 1})
    assert (refused.status, refused.message) == (400, "The wallet of account main is INACTIVE")

    later = {"status": "ACTIVE", "effectiveFrom": "2026-11-25T00:00:00Z"}
    on = ask.done("PATCH", WALLET, later)
    assert (on["status"], on["effectiveFrom"]) == ("ACTIVE", "2026-11-25T00:00:00.000Z")
    assert write(ask, status="DUE")["status"] == "DUE"
    until(ask, "2026-11-25T00:00:00Z")
    assert write(ask, status="DUE")["status"] == "PAID"
    assert standing(ask) == (0, 0)


def test_an_inactive_wallet_holds_nothing(ask: Asker) -> None:
    priced(ask)
    top_up(ask, 10)
    send(ask, "e1", "8")
    assert standing(ask) == (8, 2)

    ask.done("PATCH", WALLET, {"status": "INACTIVE"})
    assert standing(ask) == (10, 0)


@pytest.mark.parametrize(
    "body", [{}, {"status": "CLOSED"}, {"effectiveFrom": "2026-11-25"}, {"balance": 5}]
)
def test_a_change_of_a_wallet_that_makes_no_sense_is_refused(
    ask: Asker, body: dict[str, Any]
) -> None:
    world.account(ask)

    assert ask.togai("PATCH", WALLET, body).status == 400
    assert ask.togai("PATCH", "/accounts/none/wallet", {"status": "ACTIVE"}).status == 404


def test_the_wallet_of_an_archived_account_is_only_read(ask: Asker) -> None:
    world.account(ask)
    ask.done("DELETE", "/accounts/main")

    assert standing(ask) == (0, 0)
    for method, path, body in (
        ("PATCH", "wallet", {"status": "INACTIVE"}),
        ("POST", "wallet_topup", {"topupAmount": 1}),
    ):
        answer = ask.togai(method, f"/accounts/main/{path}", body)
        assert (answer.status, answer.message) == (400, "Account main is archived")


def test_the_wallet_pays_a_written_invoice_that_becomes_due_unless_it_was_told_not_to(
    ask: Asker,
) -> None:
    world.account(ask)
    top_up(ask, 150)

    spared = write(ask, status="DUE", applyWalletBalance=False)
    assert (spared["status"], spared["paidAmount"]) == ("DUE", 0)
    draft = write(ask)
    # A draft that somebody wrote holds nothing, as it holds no credits.
    assert standing(ask) == (150, 0)
    paid = ask.done("PATCH", f"/invoices/{draft['id']}", {"status": "DUE"})
    assert (paid["status"], paid["paidAmount"], standing(ask)[0]) == ("PAID", 100, 50)
    part = write(ask, status="DUE")
    assert (part["status"], part["paidAmount"], standing(ask)[0]) == ("PARTIALLY_PAID", 50, 0)
    # PAID says that it was paid elsewhere.
    top_up(ask, 100)
    assert write(ask, status="PAID")["paidAmount"] == 100
    assert standing(ask) == (100, 0)


def test_what_the_wallet_paid_of_a_void_invoice_is_in_it_again(ask: Asker) -> None:
    world.account(ask)
    top_up(ask, 60)
    part = write(ask, status="DUE")
    assert standing(ask) == (0, 0)

    ask.done("PATCH", f"/invoices/{part['id']}", {"status": "VOID"})

    assert standing(ask) == (60, 0)
    assert moves(ask)[0] == ("CREDITED", "COMPLETED", 60, 60)
    assert read(ask, part)["paidAmount"] == 0


def test_entries_come_in_pages_of_fifty_at_most(ask: Asker) -> None:
    world.account(ask)
    for amount in range(1, 6):
        top_up(ask, amount)

    first = ask.done("GET", f"{WALLET}/entries", pageSize=3)
    second = ask.done("GET", f"{WALLET}/entries", nextToken=first["nextToken"])

    assert [row["amount"] for row in first["data"] + second["data"]] == [5, 4, 3, 2, 1]
    assert second["nextToken"] is None
    assert ask.togai("GET", f"{WALLET}/entries", pageSize=51).status == 400
