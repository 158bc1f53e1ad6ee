"""Togai's aliases of the organisation: names of accounts-to-be, beside those that accounts have."""

from typing import Any

from billing_mcp.sandbox import call, store
from billing_mcp.sandbox.call import Call, Refusal, Reply, Resource
from billing_mcp.sandbox.store import Row
from billing_mcp.sandbox.togai import quotas
from billing_mcp.sandbox.togai.paging import Listing, page

resource = Resource()

_LONGEST = 255
_MOST_AT_ONCE = 100

# Ours: an alias is known from when it was made here or first given to an account, as long as it
# is free or an account's now or later.
_KNOWN = (
    "select value, min(created_at) as created_at from"
    " (select value, created_at from free_aliases union all"
    " select value, created_at from account_aliases"
    " where effective_until > (select moment from clock where name = 'now')) group by value"
)
_LISTING = Listing(select=_KNOWN, unique="value", order=("created_at", True))


@resource.route("GET", "/aliases")
def list_aliases(request: Call) -> Reply:
    found = page(request, _LISTING)
    return Reply({"data": [render(row) for row in found.rows], "nextToken": found.next_token})


@resource.route("POST", "/aliases")
def create_aliases(request: Call) -> Reply:
    """All of them or none."""
    body = call.closed(request.body, ("aliases",))
    made = []
    for index, item in enumerate(call.listed(body, "aliases", minimum=1, maximum=_MOST_AT_ONCE)):
        at = f"aliases[{index}]."
        given = call.closed(item, ("value",), at)
        value = call.text(given, "value", minimum=1, maximum=_LONGEST, at=at)
        _refuse_taken(request, value, at)
        quotas.room_for_one(request, quotas.ALIASES)
        store.insert(request.db, "free_aliases", {"value": value, "created_at": request.stamp})
        request.effect("alias", value)
        made.append(render(existing(request, value)))
    return Reply({"data": made}, 201)


@resource.route("GET", "/aliases/{alias}")
def get_alias(request: Call) -> Reply:
    return Reply(render(existing(request, request.path["alias"])))


@resource.route("DELETE", "/aliases/{alias}")
def delete_alias(request: Call) -> Reply:
    row = existing(request, request.path["alias"])
    owner = request.db.execute(
        "select account_id from account_aliases where value = ? and effective_until > ?",
        (row["value"], request.stamp),
    ).fetchone()
    if owner:
        raise Refusal(
            400, f"Alias {row['value']} is of account {owner['account_id']}; remove it there first"
        )
    request.db.execute("delete from free_aliases where value = ?", (row["value"],))
    request.effect("alias-delete", row["value"])
    return Reply({"success": True})


def existing(request: Call, value: str) -> Row:
    """Refuses with 404."""
    row: Row | None = request.db.execute(
        f"select * from ({_KNOWN}) where value = ?",  # noqa: S608 - our own text
        (value,),
    ).fetchone()
    if row is None:
        raise Refusal(404, f"Alias {value} not found")
    return row


def _refuse_taken(request: Call, value: str, at: str) -> None:
    taken = request.db.execute(
        f"select value from ({_KNOWN}) where value = ? union select id from accounts where id = ?",  # noqa: S608 - our own text
        (value, value),
    ).fetchone()
    if taken:
        raise Refusal(400, f"{at}value: {value} is an alias or an account already")


def render(row: Row) -> dict[str, Any]:
    return {"value": row["value"], "createdAt": row["created_at"]}
