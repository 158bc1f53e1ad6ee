"""What happens to wallets: money put in, taken out by invoices, held for invoices that run.

A wallet never goes below zero: it pays as much of an invoice as it has, and holds no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.sandbox import store
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import accounts

# Ours, so that sums stay far from what a column of text is read as.
LARGEST = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class Wallet:
    """An account's wallet; `funds` is what is in it in minor units, whether held or not."""

    account: Row
    funds: int
    status: str
    effective_from: str
    updated_at: str
    kept: bool

    @property
    def currency(self) -> str:
        text: str = self.account["invoice_currency"]
        return text

    @property
    def id(self) -> str:
        return f"wallet.{self.account['internal_id'].split('.', 1)[-1]}"

    def pays(self, stamp: str) -> bool:
        """Whether it pays for invoices at this time."""
        return self.status == "ACTIVE" and self.effective_from <= stamp


@dataclass(frozen=True, slots=True)
class Hold:
    """So much of a wallet is kept back for an invoice that runs, in minor units."""

    invoice: Row
    amount: int


def of_account(request: Call, account_id: str) -> Wallet:
    """The account's wallet, which every account has. Refuses with 404."""
    account = accounts.existing(request, account_id)
    row = request.db.execute(
        "select * from wallets where account_id = ?", (account["id"],)
    ).fetchone()
    if row is None:
        made = account["created_at"]
        return Wallet(account, 0, "ACTIVE", made, made, kept=False)
    funds = int(row["funds_minor"])
    return Wallet(
        account, funds, row["status"], row["effective_from"], row["updated_at"], kept=True
    )


def change(request: Call, wallet: Wallet, **columns: Any) -> None:
    """Set columns of the wallet, which is kept from now on."""
    if not wallet.kept:
        first = {
            "account_id": wallet.account["id"],
            "funds_minor": str(wallet.funds),
            "status": wallet.status,
            "effective_from": wallet.effective_from,
            "created_at": wallet.account["created_at"],
            "updated_at": request.stamp,
        }
        store.insert(request.db, "wallets", first)
    changes = columns | {"updated_at": request.stamp}
    store.update(request.db, "wallets", changes, account_id=wallet.account["id"])


def put_in(
    request: Call, account_id: str, minor: int, description: str, entity_id: str | None = None
) -> None:
    """Money for the wallet, in minor units of its currency."""
    wallet = of_account(request, account_id)
    _move(request, wallet, "CREDITED", minor, description, entity_id)


def take(request: Call, account_id: str, owed: int, invoice_id: str) -> int:
    """Pay what the wallet can of what an invoice is owed; answers how much, in minor units."""
    wallet = of_account(request, account_id)
    amount = min(wallet.funds, owed) if wallet.pays(request.stamp) else 0
    if amount > 0:
        _move(request, wallet, "DEBITED", amount, f"Invoice {invoice_id}", invoice_id)
    return amount


def _move(
    request: Call,
    wallet: Wallet,
    kind: str,
    minor: int,
    description: str,
    entity_id: str | None,
) -> None:
    funds = wallet.funds + (minor if kind == "CREDITED" else -minor)
    change(request, wallet, funds_minor=str(funds))
    columns = {
        "id": request.new_id("wallet_entry"),
        "account_id": wallet.account["id"],
        "type": kind,
        "description": description,
        "entity_id": entity_id,
        "amount_minor": str(minor),
        "closing_minor": str(funds),
        "created_at": request.stamp,
    }
    store.insert(request.db, "wallet_entries", columns)


def holds(request: Call, wallet: Wallet) -> Sequence[Hold]:
    """What the account's drafts hold, those that become final first before the others.

    Settle the drafts before it.
    """
    left = wallet.funds if wallet.pays(request.stamp) else 0
    found = []
    for invoice in request.db.execute(
        "select * from invoices where owner_id = ? and status = 'DRAFT' and final_at is not null"
        " order by final_at, start_date, type, id",
        (wallet.account["id"],),
    ):
        amount = min(left, int(invoice["total_minor"]))
        if amount > 0:
            found.append(Hold(invoice, amount))
            left -= amount
    return found


def whole(amount: Decimal, currency: str, at: str) -> int:
    """An amount of money as minor units. Refuses with 400 what has more decimal places."""
    try:
        return money.minor_units(amount, currency)
    except money.NotANumber as error:
        raise Refusal(400, f"{at}: {error}") from error


def render(wallet: Wallet, held: Sequence[Hold]) -> dict[str, Any]:
    on_hold = sum(hold.amount for hold in held)
    return {
        "id": wallet.id,
        "accountId": wallet.account["id"],
        "customerId": wallet.account["customer_id"],
        "balance": money.from_minor_units(wallet.funds - on_hold, wallet.currency),
        "creditUnit": wallet.currency,
        "status": wallet.status,
        "holdAmount": money.from_minor_units(on_hold, wallet.currency),
        "effectiveFrom": wallet.effective_from,
        "createdAt": wallet.account["created_at"],
        "updatedAt": wallet.updated_at,
        "metadata": {"autoNetOff": True},
    }


def entries(request: Call, wallet: Wallet, held: Sequence[Hold]) -> list[dict[str, Any]]:
    """What drafts hold, then what was put in and taken out, the latest first."""
    shown: list[dict[str, Any]] = []
    left = wallet.funds
    for hold in held:
        left -= hold.amount
        entry = {
            "id": f"wallet_hold.{hold.invoice['id'].split('.', 1)[-1]}",
            "description": f"Hold for {hold.invoice['id']}",
            "walletId": wallet.id,
            "transactionType": "DEBITED",
            "status": "ON_HOLD",
            "entityId": hold.invoice["id"],
            "amount": money.from_minor_units(hold.amount, wallet.currency),
            # Ours: a hold is as old as the period of the invoice that it is for, or as the wallet.
            "createdAt": max(hold.invoice["start_date"], wallet.account["created_at"]),
            "closingBalance": money.from_minor_units(left, wallet.currency),
        }
        shown.insert(0, entry)
    rows = request.db.execute(
        "select * from wallet_entries where account_id = ? order by number desc",
        (wallet.account["id"],),
    )
    return shown + [_entry(wallet, row) for row in rows]


def _entry(wallet: Wallet, row: Row) -> dict[str, Any]:
    entry = {
        "id": row["id"],
        "description": row["description"],
        "walletId": wallet.id,
        "transactionType": row["type"],
        "status": "COMPLETED",
        "amount": money.from_minor_units(int(row["amount_minor"]), wallet.currency),
        "createdAt": row["created_at"],
        "closingBalance": money.from_minor_units(int(row["closing_minor"]), wallet.currency),
    }
    return entry if row["entity_id"] is None else entry | {"entityId": row["entity_id"]}
