"""Togai's credits: granted, used by invoices, expired, voided, and the balance of an account."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE, total
from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.jobs import Job
from billing_mcp.sandbox.store import Connection, Row
from billing_mcp.sandbox.togai import accounts, contact, credit_ledger, drafts, usage_sums
from billing_mcp.sandbox.togai.columns import packed, present, unpacked
from billing_mcp.sandbox.togai.credit_ledger import existing, remaining
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_REQUEST = (
    *("accountId", "purpose", "applicableEntityIds", "effectiveFrom", "effectiveUntil"),
    *("creditAmount", "priority", "grantorId", "idempotencyKey"),
)
# Ours: the vendor bounds neither.
_MOST_PER_REQUEST = 100
_LONGEST_TEXT = 255

_LISTING = Listing(
    select="select * from credits",
    unique="id",
    filters={"status": "status = ?", "account_id": "account_id = ?", "id": "id = ?"},
    order=("created_at", True),
    default_size=50,
    maximum_size=50,
)


@resource.route("POST", "/credits")
def create_credit(request: Call) -> Reply:
    """All of the list or none of it (ours)."""
    body = call.closed(request.body, ("creditRequests",))
    items = call.listed(body, "creditRequests", minimum=1, maximum=_MOST_PER_REQUEST)
    rows = [_create(request, item, f"creditRequests[{i}].") for i, item in enumerate(items)]
    return Reply({"credits": [render(row) for row in rows]})


@resource.route("GET", "/credits")
def list_credits(request: Call) -> Reply:
    statuses = ("ACTIVE", "CONSUMED", "EXPIRED", "VOIDED")
    call.one_of(request.query, "status", statuses, default=None)
    drafts.settle(request, request.query.get("account_id"))
    found = page(request, _LISTING)
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


@resource.route("GET", "/credits/{credit_id}")
def get_credit(request: Call) -> Reply:
    drafts.settle(request, existing(request, request.path["credit_id"])["account_id"])
    row = existing(request, request.path["credit_id"])
    transactions = request.db.execute(
        "select * from credit_transactions where credit_id = ? order by number", (row["id"],)
    )
    shown = [_render_transaction(entry) for entry in transactions]
    return Reply(render(row) | {"transactions": shown})


@resource.route("POST", "/credits/{credit_id}/void")
def void_credit(request: Call) -> Reply:
    row = existing(request, request.path["credit_id"])
    if row["status"] != "ACTIVE":
        raise Refusal(400, f"Credit {row['id']} is {row['status']}; only an ACTIVE one can be void")
    credit_ledger.lapse(request, row, "VOIDED")
    usage_sums.mark_stale(request, row["account_id"])
    request.effect("credit-void", row["id"])
    return Reply(render(existing(request, row["id"])))


@resource.route("GET", "/accounts/{account_id}/credit_balance")
def credit_balance(request: Call) -> Reply:
    """What is there (amount less consumed) and what of it is not reserved (less hold).

    Ours: a credit counts as inapplicable before its first day.
    """
    account = accounts.existing(request, request.path["account_id"])
    drafts.settle(request, account["id"])
    rows = request.db.execute(
        "select * from credits where account_id = ?", (account["id"],)
    ).fetchall()
    active = [row for row in rows if row["status"] == "ACTIVE"]
    begun = [row for row in active if row["effective_from"] <= request.stamp[:10]]
    later = [row for row in active if row["effective_from"] > request.stamp[:10]]
    available = total(remaining(row) for row in begun)
    held = total(Decimal(row["held"]) for row in begun)
    answer = {
        "activeCredits": total(Decimal(row["amount"]) for row in begun),
        "availableBalance": available,
        "runningBalance": WIDE.subtract(available, held),
        "inapplicableCredits": total(remaining(row) for row in later),
        "unit": account["invoice_currency"],
        "lastUpdatedAt": max([account["created_at"], *(row["updated_at"] for row in rows)]),
    }
    return Reply(answer)


def _create(request: Call, item: Any, at: str) -> Row:
    given = call.closed(item, _REQUEST, at)
    columns = _read(given, at)
    account = request.db.execute(
        "select * from accounts where id = ? and status <> 'ARCHIVED'", (columns["account_id"],)
    ).fetchone()
    if account is None:
        raise Refusal(400, f"{at}accountId: there is no account {columns['account_id']}")
    repeated = _by_key(request, columns["idempotency_key"])
    if repeated is not None:
        if request.settings.repeated_credit_key == "original":
            return repeated
        raise Refusal(400, f"{at}idempotencyKey was used for credit {repeated['id']} already")
    until = columns["effective_until"]
    if until is not None and until <= request.stamp[:10]:
        raise Refusal(400, f"{at}effectiveUntil must be in the future")
    return credit_ledger.grant(request, columns, account)


def _read(given: dict[str, Any], at: str) -> dict[str, Any]:
    entities: list[str] = []
    if "applicableEntityIds" in given:
        entities = contact.texts(given, "applicableEntityIds", minimum=1, at=at)
    start = call.day(given, "effectiveFrom", at=at)
    end = call.day(given, "effectiveUntil", default=None, at=at)
    if end is not None and end <= start:
        raise Refusal(400, f"{at}effectiveUntil must be later than effectiveFrom")
    amount = call.number(given, "creditAmount", above=0, at=at)
    return {
        "account_id": call.text(given, "accountId", minimum=1, maximum=50, at=at),
        "purpose": call.text(given, "purpose", minimum=1, maximum=_LONGEST_TEXT, at=at),
        "applicable_entity_ids": packed(entities),
        "effective_from": start.isoformat(),
        "effective_until": end and end.isoformat(),
        "amount": money.plain(amount),
        "priority": call.whole(given, "priority", minimum=0, maximum=2**31 - 1, at=at),
        "grantor_id": _optional_text(given, "grantorId", at),
        "idempotency_key": _optional_text(given, "idempotencyKey", at),
    }


def _optional_text(given: dict[str, Any], name: str, at: str) -> str | None:
    return call.text(given, name, minimum=1, maximum=_LONGEST_TEXT, default=None, at=at)


def _by_key(request: Call, key: str | None) -> Row | None:
    row: Row | None = request.db.execute(
        "select * from credits where idempotency_key = ?", (key,)
    ).fetchone()
    return row


def _next_expiry(db: Connection, moment: datetime) -> datetime | None:
    row = db.execute(
        "select min(effective_until) as day from credits"
        " where status = 'ACTIVE' and effective_until > ?",
        (clock.written(moment)[:10],),
    ).fetchone()
    return None if row["day"] is None else clock.midnight(clock.read_day(row["day"]))


def _expire(request: Call) -> Reply:
    """The status changes at once; the rest lapses when no draft of its time can use it any more."""
    rows = request.db.execute(
        "select * from credits where status = 'ACTIVE' and effective_until <= ?",
        (request.stamp[:10],),
    ).fetchall()
    for row in rows:
        changes = {"status": "EXPIRED", "updated_at": request.stamp}
        store.update(request.db, "credits", changes, id=row["id"])
        credit_ledger.lapse_what_no_draft_can_use(request, row["account_id"])
        request.effect("credit-expired", row["id"])
    return Reply({"expired": len(rows)})


EXPIRE = Job("expire-credits", _next_expiry, _expire)


def render(row: Row) -> dict[str, Any]:
    return present(
        accountId=row["account_id"],
        purpose=row["purpose"],
        applicableEntityIds=unpacked(row, "applicable_entity_ids"),
        effectiveFrom=row["effective_from"],
        effectiveUntil=row["effective_until"],
        creditAmount=Decimal(row["amount"]),
        priority=row["priority"],
        grantorId=row["grantor_id"],
        idempotencyKey=row["idempotency_key"],
        id=row["id"],
        customerId=row["customer_id"],
        status=row["status"],
        creditUnit=row["currency"],
        holdAmount=Decimal(row["held"]),
        consumedAmount=Decimal(row["consumed"]),
        createdAt=row["created_at"],
        updatedAt=row["updated_at"],
    )


def _render_transaction(row: Row) -> dict[str, Any]:
    return present(
        id=row["id"],
        creditId=row["credit_id"],
        transactionType=row["type"],
        invoiceId=row["invoice_id"],
        entityId=row["entity_id"],
        amount=Decimal(row["amount"]),
        createdAt=row["created_at"],
    )
