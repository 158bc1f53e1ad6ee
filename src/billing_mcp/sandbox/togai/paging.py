"""Togai's lists: query parameters, the page token, sorting, searching, and one page of rows."""

import base64
import binascii
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from billing_mcp import money
from billing_mcp.sandbox.call import Call, Refusal
from billing_mcp.sandbox.store import Row

T = TypeVar("T")

# The vendor's bound on a page token.
_LONGEST_TOKEN = 500
# Ours: so that a token that carries three filters stays below that bound.
_LONGEST_FILTER = 100

_OWN = ("pageSize", "nextToken", "_search", "_sort")
_WHOLE = re.compile(r"(\d{1,9})(?:\.0+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listing:
    """What one list operation offers; columns are SQL expressions over the list's `select`."""

    select: str
    unique: str  # the column that makes the order total
    filters: Mapping[str, str] = field(default_factory=dict)  # query name → condition with one ?
    searched: Collection[str] = ()  # columns that _search looks in
    sorts: Mapping[str, str] = field(default_factory=dict)  # _sort name → column
    order: tuple[str, bool] = ("updated_at", True)  # the default: column, descending
    default_size: int = 20
    maximum_size: int = 100
    # Sets of filters that may be used together; None: any of them.
    combinations: Collection[frozenset[str]] | None = None
    # A condition that holds unless one of the filters named with it is used.
    hidden: tuple[str, Collection[str]] | None = None


_NO_TABLE = Listing(select="", unique="")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows and what the answer says about it."""

    rows: list[Row]
    next_token: str | None
    size: int
    descending: bool

    def answer(self, data: list[Any]) -> dict[str, Any]:
        """The body of most list operations."""
        order = "DESC" if self.descending else "ASC"
        return {
            "data": data,
            "nextToken": self.next_token,
            "context": {"pageSize": self.size, "sortOrder": order},
        }


def page(call: Call, listing: Listing, fixed: Mapping[str, str] | None = None, *extra: str) -> Page:
    """The page that the query asks for.

    `fixed` are conditions that come from the path (condition → value), `extra` the query
    parameters that the handler reads itself. Refuses malformed parameters and tokens with 400.
    """
    query, position = _asked(call, listing, extra)
    size = _size(query.get("pageSize"), listing)
    column, descending = _order(query.get("_sort"), listing)
    conditions, values = _conditions(query, listing, fixed or {})
    if position is not None:
        beyond, toward = ("<", ">") if descending else (">", ">")
        conditions.append(
            f"({column} {beyond} ? or ({column} = ? and {listing.unique} {toward} ?))"
        )
        values += [position[0], position[0], position[1]]
    where = f" where {' and '.join(conditions)}" if conditions else ""
    direction = "desc" if descending else "asc"
    sql = (
        f"select *, {column} as sort_key, {listing.unique} as unique_key"  # noqa: S608 - all of it
        f" from ({listing.select}){where}"  # is our own text; values are bound
        f" order by {column} {direction}, {listing.unique} limit ?"
    )
    rows = call.db.execute(sql, (*values, size + 1)).fetchall()
    shown = rows[:size]
    token = None
    if len(rows) > size:
        last = shown[-1]
        token = _token(query, size, [last["sort_key"], last["unique_key"]])
    return Page(shown, token, size, descending)


def asked(call: Call) -> Mapping[str, str]:
    """The query of a list's first page, which the token of a later page carries."""
    return _asked(call, _NO_TABLE, call.query)[0]


def page_of_list(
    call: Call,
    items: Sequence[T],
    *extra: str,
    default_size: int = 20,
    maximum_size: int = 100,
) -> tuple[Sequence[T], str | None]:
    """A page of what is no table's rows, in its own order, and the token of the next.

    `extra` are the query parameters that the handler reads itself.
    """
    listing = Listing(select="", unique="", default_size=default_size, maximum_size=maximum_size)
    query, position = _asked(call, listing, extra)
    size = _size(query.get("pageSize"), listing)
    start = 0 if position is None else _start(position)
    token = _token(query, size, [start + size, ""]) if start + size < len(items) else None
    return items[start : start + size], token


def _start(position: list[Any]) -> int:
    if not isinstance(position[0], int) or position[0] < 0:
        raise Refusal(400, "nextToken is not a token of this API")
    return position[0]


def _asked(
    call: Call, listing: Listing, extra: Collection[str]
) -> tuple[dict[str, str], list[Any] | None]:
    """The query of the first page, and the position after which this one begins."""
    if "nextToken" in call.query:
        return _read_token(call.query["nextToken"])
    for name, value in call.query.items():
        if name not in (*_OWN, *listing.filters, *extra):
            raise Refusal(400, f"{name} is not a query parameter of this operation")
        if len(value) > _LONGEST_FILTER:
            raise Refusal(400, f"{name} must have at most {_LONGEST_FILTER} characters")
    return dict(call.query), None


def _size(text: str | None, listing: Listing) -> int:
    if text is None:
        return listing.default_size
    match = _WHOLE.fullmatch(text)
    size = int(match[1]) if match else 0
    if not 1 <= size <= listing.maximum_size:
        raise Refusal(400, f"pageSize must be a whole number from 1 to {listing.maximum_size}")
    return size


def _order(text: str | None, listing: Listing) -> tuple[str, bool]:
    """`field`, or `-field` for descending; the form is ours, the vendor's was not found."""
    if text is None:
        return listing.order
    name = text.removeprefix("-")
    if name not in listing.sorts:
        offered = ", ".join(listing.sorts) or "nothing"
        raise Refusal(400, f"_sort must be a field, or -field for descending; fields: {offered}")
    return listing.sorts[name], text.startswith("-")


def _conditions(
    query: Mapping[str, str], listing: Listing, fixed: Mapping[str, str]
) -> tuple[list[str], list[Any]]:
    conditions, values = list(fixed), list(fixed.values())
    used = frozenset(name for name in query if name in listing.filters)
    if used and listing.combinations is not None and used not in listing.combinations:
        raise Refusal(400, f"these filters cannot be combined: {', '.join(sorted(used))}")
    for name in sorted(used):
        conditions.append(listing.filters[name])
        values.append(query[name])
    if "_search" in query:
        if not listing.searched:
            raise Refusal(400, "_search is not a query parameter of this operation")
        found = [f"instr(lower({column}), lower(?)) > 0" for column in listing.searched]
        conditions.append(f"({' or '.join(found)})")
        values += [query["_search"]] * len(found)
    if listing.hidden and not used.intersection(listing.hidden[1]):
        conditions.append(listing.hidden[0])
    return conditions, values


def _token(query: Mapping[str, str], size: int, position: list[Any]) -> str:
    content = {"query": {**query, "pageSize": str(size)}, "after": position}
    token = base64.urlsafe_b64encode(money.to_json(content)).decode()
    assert len(token) <= _LONGEST_TOKEN
    return token


def _read_token(token: str) -> tuple[dict[str, str], list[Any]]:
    try:
        content = money.from_json(base64.b64decode(token, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise Refusal(400, "nextToken is not a token of this API") from error
    match content:
        case {"query": dict() as query, "after": [str() | int() as key, str() | int() as unique]}:
            if all(isinstance(value, str) for value in query.values()):
                return query, [key, unique]
    raise Refusal(400, "nextToken is not a token of this API")
