"""What must hold of money that comes in, whatever happens, in whatever order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from billing_mcp.sandbox import SandboxSettings, open_sandbox
from sandbox.asking import Asker
from sandbox.togai.billed import fee, lines, send
from sandbox.togai.world import RATED, account, associate, meter, plan, schema

NONE = Decimal(0)
STEPS = 30
MEMBERS = ("main", "other")
GROUP = {
    "name": "Together",
    "email": "ap@acme.example",
    "dailyInvoiceConsolidation": True,
    "accountIds": list(MEMBERS),
    "address": {},
}


@dataclass(slots=True)
class Life:
    """Two accounts of one invoice group, the first on a plan, and chance."""

    ask: Asker
    random: Random
    group: str
    events: int = 0
    received: Decimal = NONE
    granted: Decimal = NONE

    def amount(self) -> Decimal:
        return Decimal(self.random.randrange(1, 9000)).scaleb(-2)

    def member(self) -> str:
        return self.random.choice(MEMBERS)

    def owed(self) -> list[Any]:
        """Invoices that a payment of each account could be for."""
        return [
            row
            for status in ("DUE", "PARTIALLY_PAID", "UN_COLLECTIBLE")
            for row in self.ask.done("GET", "/invoices", status=status)["data"]
            if row["totalAmount"] > row["paidAmount"]
        ]


def begin(seed: int) -> Life:
    ask = Asker(open_sandbox(SandboxSettings(demo=False)))
    for account_id in MEMBERS:
        account(ask, account_id)
    schema(ask)
    card = {"usageMeterId": meter(ask), **RATED}
    associate(ask, plan(ask, usageRateCards=[card], fixedFeeRateCards=[fee("30", "IN_ADVANCE")]))
    group = ask.done("POST", "/invoice_groups", GROUP)["id"]
    return Life(ask, Random(seed), group)


def ingest(life: Life) -> None:
    life.events += 1
    today = life.ask.sandbox.backend.now().date()
    send(life.ask, f"e{life.events}", str(life.random.randrange(1, 400)), f"{today}T00:00:00Z")


def top_up(life: Life) -> None:
    amount = life.amount()
    path = f"/accounts/{life.member()}/wallet_topup"
    if life.ask.togai("POST", path, {"topupAmount": amount}).status == 200:
        life.received += amount


def pay(life: Life) -> None:
    """A payment for an invoice that is owed, or for a credit; the rest goes to the wallet."""
    amount = life.amount()
    record: dict[str, Any] = {"type": "CREDIT", "amount": min(amount, Decimal(5)), "order": 1}
    owed = life.owed()
    if owed and life.random.random() < 0.8:
        record = {"type": "INVOICE", "togaiId": life.random.choice(owed)["id"], "order": 1}
    body = {
        "accountId": life.member(),
        "externalPaymentReference": {
            "sourceName": "Till",
            "sourceType": "CASH",
            "transactionNumber": "1",
        },
        "lineItemRecords": [record],
        "currency": "USD",
        "totalAmount": amount,
    }
    answer = life.ask.togai("POST", "/payments", body)
    if answer.status == 201:
        life.received += amount
        used = answer.body["lineItemRecords"]
        assert sum(entry["amount"] for entry in used) == amount
        life.granted += sum(entry["amount"] for entry in used if entry["type"] == "CREDIT")


def write(life: Life) -> None:
    body = {
        "accountId": life.random.choice((*MEMBERS, life.group)),
        "startDate": "2026-11-01T00:00:00Z",
        "endDate": "2026-12-01T00:00:00Z",
        "status": life.random.choice(["DRAFT", "DUE"]),
        "applyWalletBalance": life.random.random() < 0.8,
        "lineItems": [{"value": life.amount()}],
    }
    body["ownerType"] = "INVOICE_GROUP" if body["accountId"] == life.group else "ACCOUNT"
    life.ask.done("POST", "/invoices", body)


def bill_run(life: Life) -> None:
    life.ask.done("POST", "/invoices/bill_runs")


def charge(life: Life) -> None:
    items = [{"name": "Visit", "rate": life.amount(), "quantity": life.random.randrange(3)}]
    life.ask.done("PUT", "/accounts/main/miscellaneous_charges", {"items": items})


def void(life: Life) -> None:
    owed = life.owed()
    if owed:
        path = f"/invoices/{life.random.choice(owed)['id']}"
        life.ask.done("PATCH", path, {"status": life.random.choice(["VOID", "UN_COLLECTIBLE"])})


def switch(life: Life) -> None:
    path = f"/accounts/{life.member()}/wallet"
    life.ask.done("PATCH", path, {"status": life.random.choice(["ACTIVE", "ACTIVE", "INACTIVE"])})


def pass_time(life: Life) -> None:
    advance = f"P{life.random.randrange(1, 9)}DT{life.random.randrange(24)}H"
    life.ask.control("POST", "/clock", {"advance": advance})


DOINGS: Sequence[Callable[[Life], None]] = (
    *(ingest, ingest, top_up, pay, pay, write, write, pass_time, pass_time),
    *(bill_run, charge, void, switch),
)


def check_wallet(life: Life, account_id: str) -> Decimal:
    """What is in the wallet, whether held or not."""
    wallet = life.ask.done("GET", f"/accounts/{account_id}/wallet")
    assert wallet["balance"] >= 0
    assert wallet["holdAmount"] >= 0
    entries = life.ask.done("GET", f"/accounts/{account_id}/wallet/entries")["data"]
    left = NONE
    held = NONE
    for entry in reversed(entries):
        left += entry["amount"] * (1 if entry["transactionType"] == "CREDITED" else -1)
        assert entry["closingBalance"] == left >= 0
        held += entry["amount"] if entry["status"] == "ON_HOLD" else 0
    assert (wallet["balance"], wallet["holdAmount"]) == (left, held)
    return left + held


def check(life: Life) -> None:
    found = {
        row["id"]: life.ask.done("GET", f"/invoices/{row['id']}")
        for row in life.ask.done("GET", "/invoices")["data"]
    }
    paid = NONE
    for one in found.values():
        assert 0 <= one["paidAmount"] <= one["totalAmount"] == one["revenueInfo"]["value"]
        for line in lines(one["revenueInfo"]):
            if line["lineItems"]:
                assert line["value"] == sum(part["value"] for part in line["lineItems"])
        settled = one["paidAmount"] == one["totalAmount"] > 0
        assert settled is (one["status"] == "PAID" and one["totalAmount"] > 0) or (
            one["status"] == "MERGED"
        )
        if one["invoiceType"] == "COMPOSITE":
            parts = [found[line["id"]] for line in one["revenueInfo"]["lineItems"]]
            assert one["totalAmount"] == sum(part["totalAmount"] for part in parts)
            wanted = "VOID" if one["status"] == "VOID" else "MERGED"
            assert {part["status"] for part in parts} == {wanted}
        if one["status"] != "MERGED":
            paid += one["paidAmount"]
    in_wallets = [check_wallet(life, account_id) for account_id in MEMBERS]
    # What came in is in a wallet, has paid for an invoice that still stands, or is a credit.
    assert life.received == sum(in_wallets) + paid + life.granted


@pytest.mark.parametrize("seed", range(6))
def test_money_that_came_in_is_never_lost_nor_spent_twice(seed: int) -> None:
    life = begin(seed)
    for _ in range(STEPS):
        life.random.choice(DOINGS)(life)
        check(life)


@pytest.mark.parametrize("seed", range(2))
def test_reading_on_the_way_moves_no_money(seed: int) -> None:
    read, unread = begin(seed), begin(seed)
    for _ in range(STEPS):
        for life in (read, unread):
            life.random.choice(DOINGS)(life)
        check(read)

    assert read.ask.sandbox.backend.now() - unread.ask.sandbox.backend.now() == timedelta(0)
    one, other = (
        [
            *[life.ask.done("GET", f"/accounts/{member}/wallet/entries") for member in MEMBERS],
            *[
                (row["startDate"], row["status"], row["totalAmount"], row["paidAmount"])
                for row in life.ask.done("GET", "/invoices")["data"]
            ],
        ]
        for life in (read, unread)
    )
    assert one == other
