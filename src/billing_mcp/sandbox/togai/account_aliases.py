"""Other names by which events may call an account."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from billing_mcp.sandbox import call, clock, store
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import contact, quotas

_MOST_PER_ACCOUNT = 10
# Ours: how "since ever" is written, as 9999-01-01 is the vendor's "for ever".
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def add(request: Call, account_id: str, body: Mapping[str, Any], at: str = "") -> None:
    """Add what the optional fields `aliases` and `accountAliases` name."""
    wanted = [
        (value, _EVER, clock.OPEN_END)
        for value in (
            contact.texts(dict(body), "aliases", minimum=3, maximum=50, at=at)
            if "aliases" in body
            else []
        )
    ]
    for index, item in enumerate(call.listed(body, "accountAliases", default=[], at=at)):
        place = f"{at}accountAliases[{index}]."
        given = call.closed(item, ("value", "effectiveFrom", "effectiveUntil"), place)
        start = call.timestamp(given, "effectiveFrom", default=_EVER, at=place)
        end = call.timestamp(given, "effectiveUntil", default=clock.OPEN_END, at=place)
        if end <= start:
            raise Refusal(400, f"{place}effectiveUntil must be later than effectiveFrom")
        wanted.append((call.text(given, "value", minimum=1, maximum=50, at=place), start, end))
    for value, start, end in wanted:
        _insert(request, account_id, value, (clock.written(start), clock.written(end)))


def remove(request: Call, account_id: str, body: Mapping[str, Any]) -> None:
    """Remove what `aliases` names, and end at `from`, or remove, what `accountAliases` names."""
    for value in contact.texts(dict(body), "aliases") if "aliases" in body else []:
        _remove(request, account_id, ("value", value), None)
    for index, item in enumerate(call.listed(body, "accountAliases", default=[])):
        at = f"accountAliases[{index}]."
        given = call.closed(item, ("id", "from"), at)
        end = call.timestamp(given, "from", default=None, at=at)
        _remove(request, account_id, ("id", call.text(given, "id", at=at)), end)


def every(request: Call, account_id: str) -> list[Row]:
    """All aliases of an account, of the past and future too."""
    return request.db.execute(
        "select * from account_aliases where account_id = ? order by created_at, rowid",
        (account_id,),
    ).fetchall()


def in_effect(request: Call, account_id: str, moment: str) -> list[Row]:
    """The aliases an account has at a moment, oldest first."""
    return request.db.execute(
        "select * from account_aliases where account_id = ?"
        " and effective_from <= ? and ? < effective_until order by created_at, rowid",
        (account_id, moment, moment),
    ).fetchall()


def account_named(request: Call, reference: str, moment: str) -> Row | None:
    """The account that has this id, or this alias at the moment."""
    row: Row | None = request.db.execute(
        "select * from accounts where id = ? or id ="
        " (select account_id from account_aliases where value = ?"
        " and effective_from <= ? and ? < effective_until)"
        " order by id = ? desc limit 1",
        (reference, reference, moment, moment, reference),
    ).fetchone()
    return row


def _insert(request: Call, account_id: str, value: str, period: tuple[str, str]) -> None:
    start, end = period
    taken = request.db.execute(
        "select account_id from account_aliases"
        " where value = ? and effective_from < ? and ? < effective_until"
        " union select id from accounts where id = ?",
        (value, end, start, value),
    ).fetchone()
    if taken:
        raise Refusal(400, f"The alias {value} is taken by account {taken['account_id']}")
    count = request.db.execute(
        "select count(*) from account_aliases where account_id = ?", (account_id,)
    ).fetchone()[0]
    if count >= _MOST_PER_ACCOUNT:
        raise Refusal(400, f"Account {account_id} has {_MOST_PER_ACCOUNT} aliases already")
    quotas.room_for_one(request, quotas.ALIASES)
    alias_id = request.new_id("alias")
    columns = {
        "id": alias_id,
        "account_id": account_id,
        "value": value,
        "effective_from": start,
        "effective_until": end,
        "created_at": request.stamp,
    }
    store.insert(request.db, "account_aliases", columns)
    request.effect("account-alias", alias_id)


def _remove(request: Call, account_id: str, named: tuple[str, str], end: datetime | None) -> None:
    column, value = named
    rows = [row for row in every(request, account_id) if row[column] == value]
    if not rows:
        raise Refusal(400, f"Account {account_id} has no alias {value}")
    for row in rows:
        if end is None or clock.written(end) <= row["effective_from"]:
            request.db.execute("delete from account_aliases where id = ?", (row["id"],))
        else:
            changes = {"effective_until": clock.written(end)}
            store.update(request.db, "account_aliases", changes, id=row["id"])
        request.effect("account-alias-remove", row["id"])


def render(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "value": row["value"],
        "effectiveFrom": row["effective_from"],
        "effectiveUntil": row["effective_until"],
        "createdAt": row["created_at"],
    }
