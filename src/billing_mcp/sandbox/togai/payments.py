"""Togai's payments: money received from an account, and what it was used for."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import (
    billing,
    credit_ledger,
    drafts,
    group_rows,
    usage_sums,
    wallet_ledger,
)
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.paging import Listing, page
from billing_mcp.sandbox.togai.wallet_ledger import Wallet

resource = Resource()

_FIELDS = (
    *("description", "notes", "accountId", "externalPaymentReference"),
    *("lineItemRecords", "currency", "totalAmount"),
)
_REFERENCE = ("sourceName", "sourceType", "transactionNumber", "description", "metadata")
_SOURCES = ("GATEWAY", "CASH", "CHEQUE", "BANK_TRANSFER", "CARD")
_RECORD = ("type", "togaiId", "amount", "order")
_TYPES = ("INVOICE", "CREDIT", "WALLET_CREDIT")
_PAYABLE = ("DUE", "PARTIALLY_PAID", "UN_COLLECTIBLE")
_LONGEST_TEXT = 512
_MOST_RECORDS = 50

_LISTING = Listing(
    select="select * from payments",
    unique="id",
    order=("number", True),
    default_size=50,
    maximum_size=50,
)


@dataclass(slots=True)
class _Purse:
    """A payment that is being used up, in minor units of its currency."""

    payment_id: str
    wallet: Wallet
    left: int


@resource.route("GET", "/payments")
def list_payments(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


@resource.route("GET", "/payments/{payment_id}")
def get_payment(request: Call) -> Reply:
    """Ours: a payment never changes, so its one version is 1."""
    row: Row | None = request.db.execute(
        "select * from payments where id = ?", (request.path["payment_id"],)
    ).fetchone()
    version = call.text(request.query, "version", pattern="[0-9]{1,9}", default="1")
    if row is None or int(version) != 1:
        raise Refusal(404, f"Payment {request.path['payment_id']} not found")
    return Reply(render(row))


@resource.route("POST", "/payments")
def create_payment(request: Call) -> Reply:
    body = call.closed(request.body, _FIELDS)
    account_id = call.text(body, "accountId", minimum=1, maximum=_LONGEST_TEXT)
    account = request.db.execute(
        "select * from accounts where id = ? and status <> 'ARCHIVED'", (account_id,)
    ).fetchone()
    if account is None:
        raise Refusal(400, f"accountId: there is no account {account_id}")
    wallet = wallet_ledger.of_account(request, account_id)
    if call.text(body, "currency", maximum=_LONGEST_TEXT) != wallet.currency:
        raise Refusal(400, f"currency: account {account_id} is billed in {wallet.currency}")
    total = wallet_ledger.whole(
        call.number(body, "totalAmount", above=0, maximum=wallet_ledger.LARGEST),
        wallet.currency,
        "totalAmount",
    )
    columns: dict[str, Any] = {
        "id": request.new_id("payment"),
        "account_id": account_id,
        "description": call.text(body, "description", maximum=_LONGEST_TEXT, default=None),
        "notes": call.text(body, "notes", maximum=_LONGEST_TEXT, default=None),
        "reference": packed(_reference(body)),
        "total_minor": str(total),
        "currency": wallet.currency,
        "created_at": request.stamp,
    }
    used = _use_up(request, _Purse(columns["id"], wallet, total), _records(body))
    store.insert(request.db, "payments", columns | {"records": packed(used)})
    usage_sums.mark_stale(request, account_id)
    drafts.settle(request, account_id)
    reference = unpacked(columns, "reference")["transactionNumber"]
    request.effect("payment", columns["id"], reference)
    row = request.db.execute("select * from payments where id = ?", (columns["id"],)).fetchone()
    return Reply(render(row), 201)


def _reference(body: dict[str, Any]) -> dict[str, Any]:
    at = "externalPaymentReference."
    given = call.closed(call.mapping(body, "externalPaymentReference"), _REFERENCE, at)
    for name in ("sourceName", "transactionNumber"):
        call.text(given, name, minimum=1, maximum=_LONGEST_TEXT, at=at)
    call.one_of(given, "sourceType", _SOURCES, at=at)
    call.text(given, "description", maximum=_LONGEST_TEXT, default=None, at=at)
    call.mapping(given, "metadata", default=None, at=at)
    return given


def _records(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The records in their order, which no two of them share."""
    items = call.listed(body, "lineItemRecords", minimum=1, maximum=_MOST_RECORDS)
    orders: set[int] = set()
    for index, item in enumerate(items):
        at = f"lineItemRecords[{index}]."
        given = call.closed(item, _RECORD, at)
        kind = call.one_of(given, "type", _TYPES, at=at)
        if kind == "INVOICE" or "togaiId" in given:
            call.text(given, "togaiId", minimum=1, maximum=50, at=at)
        call.number(given, "amount", above=0, default=None, at=at)
        order = call.whole(given, "order", minimum=0, maximum=2**31 - 1, at=at)
        if order in orders:
            raise Refusal(400, f"{at}order: {order} is that of another record")
        orders.add(order)
    return sorted(items, key=lambda item: int(item["order"]))


def _use_up(request: Call, purse: _Purse, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each record took. What none of them took goes to the wallet (ours)."""
    used = []
    for record in records:
        at = f"lineItemRecords: the one of order {record['order']}"
        given = record.get("amount")
        asked = None
        if given is not None:
            asked = wallet_ledger.whole(Decimal(given), purse.wallet.currency, at)
            if asked > purse.left:
                raise Refusal(400, f"{at} takes more than what is left of totalAmount")
        if purse.left == 0:
            raise Refusal(400, f"{at} finds nothing left of totalAmount")
        togai_id, minor = _USES[record["type"]](request, purse, record.get("togaiId"), asked, at)
        purse.left -= minor
        used.append(_record(purse, record["type"], togai_id, minor, int(record["order"])))
    if purse.left:
        order = max(int(record["order"]) for record in records) + 1
        rest = "lineItemRecords: what is left of totalAmount"
        togai_id, minor = _to_wallet(request, purse, None, None, rest)
        used.append(_record(purse, "WALLET_CREDIT", togai_id, minor, order))
    return used


def _record(purse: _Purse, kind: str, togai_id: str, minor: int, order: int) -> dict[str, Any]:
    amount = money.from_minor_units(minor, purse.wallet.currency)
    return {"type": kind, "togaiId": togai_id, "amount": amount, "order": order}


def _to_invoice(
    request: Call, purse: _Purse, invoice_id: str | None, asked: int | None, at: str
) -> tuple[str, int]:
    """Never more than what the invoice is still owed (ours)."""
    account_id = purse.wallet.account["id"]
    group = group_rows.group_of(request, account_id)
    owners = (account_id, group["id"] if group else account_id)
    invoice: Row | None = request.db.execute(
        "select * from invoices where id = ? and owner_id in (?, ?)", (invoice_id, *owners)
    ).fetchone()
    if invoice is None:
        raise Refusal(400, f"{at} names no invoice of account {account_id}: {invoice_id}")
    if invoice["status"] not in _PAYABLE:
        raise Refusal(400, f"{at} names invoice {invoice_id}, which is {invoice['status']}")
    owed = int(invoice["total_minor"]) - int(invoice["paid_minor"])
    minor = min(owed, purse.left) if asked is None else asked
    if not 0 < minor <= owed:
        shown = money.plain(money.from_minor_units(owed, invoice["currency"]))
        raise Refusal(400, f"{at} pays for invoice {invoice_id}, which is owed {shown}")
    billing.receive(request, invoice, account_id, minor)
    return invoice["id"], minor


def _to_credit(
    request: Call, purse: _Purse, credit_id: str | None, asked: int | None, at: str
) -> tuple[str, int]:
    """Documented: a credit without an end. Ours: one that is named grows by it instead."""
    wallet = purse.wallet
    minor = purse.left if asked is None else asked
    amount = money.from_minor_units(minor, wallet.currency)
    if credit_id is None:
        columns = {
            "account_id": wallet.account["id"],
            "purpose": "Payment",
            "applicable_entity_ids": packed([]),
            "effective_from": request.stamp[:10],
            "effective_until": None,
            "amount": money.plain(amount),
            "priority": 1,
            "grantor_id": purse.payment_id,
            "idempotency_key": None,
        }
        credit_id = credit_ledger.grant(request, columns, wallet.account)["id"]
        return credit_id, minor
    row = request.db.execute(
        "select * from credits where id = ? and account_id = ? and status = 'ACTIVE'",
        (credit_id, wallet.account["id"]),
    ).fetchone()
    if row is None:
        raise Refusal(400, f"{at} names no active credit of the account: {credit_id}")
    grown = money.plain(WIDE.add(Decimal(row["amount"]), amount))
    changes = {"amount": grown, "updated_at": request.stamp}
    store.update(request.db, "credits", changes, id=credit_id)
    credit_ledger.record(request, credit_id, "CREDITED", amount, entity_id=purse.payment_id)
    return credit_id, minor


def _to_wallet(
    request: Call, purse: _Purse, wallet_id: str | None, asked: int | None, at: str
) -> tuple[str, int]:
    wallet = purse.wallet
    if wallet_id not in (None, wallet.id):
        raise Refusal(400, f"{at} names no wallet of the account: {wallet_id}")
    if wallet.status != "ACTIVE":
        raise Refusal(400, f"{at} goes to the wallet, which is {wallet.status}")
    minor = purse.left if asked is None else asked
    wallet_ledger.put_in(request, wallet.account["id"], minor, "Payment", purse.payment_id)
    return wallet.id, minor


_USES = {"INVOICE": _to_invoice, "CREDIT": _to_credit, "WALLET_CREDIT": _to_wallet}


def render(row: Row) -> dict[str, Any]:
    return present(
        id=row["id"],
        description=row["description"],
        notes=row["notes"],
        accountId=row["account_id"],
        externalPaymentReferences=unpacked(row, "reference"),
        lineItemRecords=unpacked(row, "records"),
        totalAmount=money.from_minor_units(int(row["total_minor"]), row["currency"]),
        currency=row["currency"],
        version=1,
        createdBy="api",
        createdAt=row["created_at"],
    )
