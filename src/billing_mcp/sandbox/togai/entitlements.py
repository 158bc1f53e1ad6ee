"""What an account is entitled to: values, feature credits and their entries."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE, total
from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import accounts, feature_uses
from billing_mcp.sandbox.togai.columns import present
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_NONE = Decimal(0)
_LISTING = Listing(
    select="select * from feature_entries",
    unique="number",
    order=("effective_from", True),
    default_size=50,
    maximum_size=50,
)


@resource.route("GET", "/accounts/{account_id}/entitlements")
def get_entitlements(request: Call) -> Reply:
    account = accounts.existing(request, request.path["account_id"])
    rows = request.db.execute(
        "select distinct feature_id from feature_entries where account_id = ? and status = 'ACTIVE'"
        " and source <> 'OVERAGE' and effective_from <= ? and ? < effective_until"
        " order by feature_id",
        (account["id"], request.stamp, request.stamp),
    ).fetchall()
    values = [_value(request, account["id"], row["feature_id"]) for row in rows]
    return Reply({"data": values})


@resource.route("GET", "/accounts/{account_id}/entitlements/{feature_id}")
def get_entitlement_value(request: Call) -> Reply:
    account, feature_id = _account_and_feature(request, 404)
    return Reply({"data": [_value(request, account["id"], feature_id)]})


@resource.route("POST", "/accounts/{account_id}/entitlements/{feature_id}")
def validate_entitlement_value(request: Call) -> Reply:
    """Ours: a number is within the entitlement if it is not greater, a text if it is the same."""
    account, feature_id = _account_and_feature(request, 404)
    asked = call.text(call.closed(request.body, ("value",)), "value")
    value = _value(request, account["id"], feature_id)["value"]
    try:
        return Reply({"success": money.exact(asked) <= money.exact(value)})
    except money.NotANumber:
        return Reply({"success": asked == value})


@resource.route("GET", "/accounts/{account_id}/features/{feature_id}")
def get_feature_credits(request: Call) -> Reply:
    account, feature_id = _account_and_feature(request, 400)
    entries = in_effect(request, account["id"], feature_id, request.stamp)
    granted = [row for row in entries if row["source"] != "OVERAGE"]
    overage = [row for row in entries if row["source"] == "OVERAGE"]
    unlimited = any(row["granted"] is None for row in overage)
    return Reply(
        present(
            accountId=account["id"],
            featureId=feature_id,
            granted=_sum(granted, "granted"),
            balance=WIDE.subtract(_sum(granted, "granted"), _sum(granted, "used")),
            overageLimit=None if unlimited else _sum(overage, "granted"),
            usedOverage=_sum(overage, "used"),
        )
    )


@resource.route("GET", "/accounts/{account_id}/features/{feature_id}/entries")
def list_feature_credit_entries(request: Call) -> Reply:
    account, feature_id = _account_and_feature(request, 400)
    fixed = {"account_id = ?": account["id"], "feature_id = ?": feature_id}
    found = page(request, _LISTING, fixed)
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


@resource.route("PATCH", "/accounts/{account_id}/features/{feature_id}/entries/{entry_id}")
def update_feature_credit_entry(request: Call) -> Reply:
    row = _active_entry(request)
    body = call.closed(request.body, ("effectiveUntil", "granted"))
    if not body:
        raise Refusal(400, "give effectiveUntil, granted, or both")
    changes = {}
    if "effectiveUntil" in body:
        until = call.timestamp(body, "effectiveUntil")
        if until <= request.now:
            raise Refusal(400, "effectiveUntil must be in the future")
        changes["effective_until"] = clock.written(until)
    if "granted" in body:
        granted = call.number(body, "granted", minimum=0)
        if granted <= Decimal(row["used"]):
            raise Refusal(400, f"granted must be greater than {row['used']}, which is used already")
        changes["granted"] = money.plain(granted)
    store.update(request.db, "feature_entries", changes, number=row["number"])
    # Ours: with more granted there is less overage, also of events that came before.
    time = row["effective_from"], max(row["effective_until"], changes.get("effective_until", ""))
    feature_uses.share_out(request, row["account_id"], row["feature_id"], *time)
    request.effect("feature-credits-update", row["id"])
    return Reply(render(_entry(request)))


@resource.route("POST", "/accounts/{account_id}/features/{feature_id}/entries/{entry_id}/void")
def void_feature_credit_entry(request: Call) -> Reply:
    row = _active_entry(request)
    store.update(request.db, "feature_entries", {"status": "VOIDED"}, number=row["number"])
    request.effect("feature-credits-void", row["id"])
    return Reply({"success": True})


def in_effect(request: Call, account_id: str, feature_id: str, moment: str) -> list[Row]:
    """Entries that could be used at a moment, in order of use: what ends first, first.

    An event may come after its entry has ended, while the cycle's grace lasts.
    """
    rows = request.db.execute(
        "select * from feature_entries where account_id = ? and feature_id = ?"
        " and status in ('ACTIVE', 'EXPIRED') and effective_from <= ? and ? < effective_until"
        " order by source = 'OVERAGE', effective_until, number",
        (account_id, feature_id, moment, moment),
    ).fetchall()
    return [
        row
        for row in rows
        if row["effective_until"] > request.stamp or not feature_uses.is_billed(request.db, row)
    ]


def room(entries: Sequence[Row]) -> Decimal | None:
    """How much these entries still allow, overage included; None: any amount."""
    if any(row["granted"] is None for row in entries):
        return None
    return WIDE.subtract(_sum(entries, "granted"), _sum(entries, "used"))


def _sum(rows: Sequence[Row], column: str) -> Decimal:
    return total(Decimal(row[column]) for row in rows)


def _value(request: Call, account_id: str, feature_id: str) -> dict[str, str]:
    """Ours: the value of an entitlement is the amount granted, as a plain number."""
    entries = in_effect(request, account_id, feature_id, request.stamp)
    granted = [row for row in entries if row["source"] != "OVERAGE"]
    if not granted:
        raise Refusal(404, f"Account {account_id} has no entitlement for feature {feature_id}")
    return {"featureId": feature_id, "value": money.plain(_sum(granted, "granted"))}


def _account_and_feature(request: Call, status: int) -> tuple[Row, str]:
    """Refuses with this status what is not there: feature credits document 400, not 404."""
    account_id, feature_id = request.path["account_id"], request.path["feature_id"]
    account = request.db.execute("select * from accounts where id = ?", (account_id,)).fetchone()
    if account is None:
        raise Refusal(status, f"Account {account_id} not found")
    if not request.db.execute("select 1 from features where id = ?", (feature_id,)).fetchone():
        raise Refusal(status, f"Feature {feature_id} not found")
    return account, feature_id


def _entry(request: Call) -> Row:
    account, feature_id = _account_and_feature(request, 404)
    row: Row | None = request.db.execute(
        "select * from feature_entries where account_id = ? and feature_id = ? and id = ?",
        (account["id"], feature_id, request.path["entry_id"]),
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Feature credits entry {request.path['entry_id']} not found")
    return row


def _active_entry(request: Call) -> Row:
    row = _entry(request)
    if row["status"] != "ACTIVE":
        raise Refusal(400, f"Feature credits entry {row['id']} is {row['status']}")
    return row


def render(row: Row) -> dict[str, Any]:
    used = Decimal(row["used"])
    granted = None if row["granted"] is None else Decimal(row["granted"])
    return present(
        id=row["id"],
        source=row["source"],
        status=row["status"],
        effectiveFrom=row["effective_from"],
        effectiveUntil=row["effective_until"],
        granted=granted,
        # Overage may go beyond its limit; what is left is then nothing.
        balance=None if granted is None else max(WIDE.subtract(granted, used), _NONE),
        used=used,
    )
