"""Ids and names that complete what somebody has begun to type, asked from the vendor."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from billing_mcp import results
from billing_mcp.catalog import Catalog
from billing_mcp.tenants import Caller
from billing_mcp.validation import nearest

logger = logging.getLogger(__name__)

# How long what the vendor listed is used again, and how many lists are kept.
FRESH_SECONDS = 60
KEPT_LISTS = 200

# Pages of a list that are looked through; of a longer one the vendor is asked to search.
_PAGES = 3

# What an answer of completion/complete may hold.
MOST_VALUES = 100


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value, and the other texts by which a person may know it."""

    value: str
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """What there is of a kind; `complete` says that it is all of it."""

    candidates: tuple[Candidate, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class Completed:
    """The values that fit, the best first, at most `MOST_VALUES`; `total` is None when the vendor
    has more than was looked through."""

    values: list[str]
    total: int | None
    has_more: bool


@dataclass(frozen=True, slots=True)
class Source:
    """The list tool that knows the values of a kind.

    `narrowing` are arguments that it can filter by; the first that is known is used. `searches`
    says that the vendor can look for text.
    """

    tool: str
    value: str = "id"
    texts: tuple[str, ...] = ("name",)
    page: Mapping[str, Any] = field(default_factory=dict)
    narrowing: tuple[str, ...] = ()
    searches: bool = False


_HUNDRED: Mapping[str, Any] = {"pageSize": 100}
_FIFTY: Mapping[str, Any] = {"pageSize": 50}
_GROUPS = "list-usagerecordgroups"

SOURCES: Mapping[str, Source] = {
    "customer": Source("list-customers", texts=("name",), page=_HUNDRED, searches=True),
    "account": Source("list-accounts", page=_HUNDRED, narrowing=("customerId",), searches=True),
    "price-plan": Source("list-price-plans", page=_HUNDRED),
    "event-schema": Source("list-event-schemas", value="name", texts=(), page=_HUNDRED),
    "feature": Source("list-features", page=_HUNDRED),
    "invoice": Source(
        "list-invoices", texts=("ownerId",), page=_FIFTY, narrowing=("accountId", "customerId")
    ),
    "credit": Source(
        "list-credits", texts=("accountId", "purpose"), page=_FIFTY, narrowing=("accountId",)
    ),
    "usage-meter": Source("list-usage-meters", narrowing=("eventSchemaName",)),
    "billable-metric": Source("list-billable-metrics", narrowing=("orgId",)),
    "usage-record-group": Source(
        _GROUPS, texts=("entitlementID",), page={"limit": 200}, narrowing=("entitlementId",)
    ),
    # Suger's entitlements are known here from the usage that was reported for them.
    "entitlement": Source(_GROUPS, "entitlementID", ("buyerID",), {"limit": 300}, ("buyerId",)),
}

# A tool that lists for one thing only, and the kind of that thing: without it, each is asked.
_FOR_EACH = {"usage-meter": ("eventSchemaName", "event-schema")}
_MOST_ASKED = 20

_Key = tuple[str, ...]


class Completions:
    """What there is to complete with, kept for a short while for each tenant and principal."""

    def __init__(self, catalog: Catalog, clock: Callable[[], float] = anyio.current_time) -> None:
        self._catalog = catalog
        self._clock = clock
        self._offered: dict[str, Callable[[Caller], Iterable[str]]] = {}
        self._kept: OrderedDict[_Key, tuple[float, Listed]] = OrderedDict()

    def offer(self, kind: str, names: Callable[[Caller], Iterable[str]]) -> None:
        """Complete a kind with names that this server knows by itself, for a caller."""
        self._offered[kind] = names

    async def values(
        self, kind: str, begun: str, caller: Caller, known: Mapping[str, str]
    ) -> Completed:
        """The values of a kind that begin so, or whose names do, then those that contain it.

        `known` are arguments already given. When the vendor does not answer there are none.
        """
        listed = await self._listed(kind, begun, caller, known)
        fitting = _fitting(listed.candidates, begun)
        return Completed(
            fitting[:MOST_VALUES],
            len(fitting) if listed.complete else None,
            len(fitting) > MOST_VALUES or not listed.complete,
        )

    async def near(self, kind: str, wanted: str, caller: Caller) -> list[str]:
        """At most three values of a kind that look like a wrong one, or whose names do."""
        listed = await self._listed(kind, wanted[:3], caller, {})
        by_text = {
            text: candidate.value
            for candidate in reversed(listed.candidates)
            for text in (*candidate.texts, candidate.value)
        }
        contained = _fitting(listed.candidates, wanted)[:3] if len(wanted) > 2 else []
        alike = [by_text[text] for text in nearest(wanted, list(by_text), 3)]
        return list(dict.fromkeys([*alike, *contained]))[:3]

    async def _listed(
        self, kind: str, begun: str, caller: Caller, known: Mapping[str, str]
    ) -> Listed:
        if kind in self._offered:
            return Listed(
                tuple(Candidate(name) for name in self._offered[kind](caller)), complete=True
            )
        source = SOURCES.get(kind)
        if source is None:
            return Listed((), complete=True)
        narrowed = next(({name: known[name]} for name in source.narrowing if known.get(name)), {})
        each = _FOR_EACH.get(kind)
        if each is not None and not narrowed:
            return await self._of_each(kind, each, caller)
        listed = await self._asked(kind, source, narrowed, caller)
        # Searching and filtering together is nothing the vendor documents.
        if listed.complete or narrowed or not source.searches or not begun.strip():
            return listed
        found = await self._asked(kind, source, {"search": begun.strip()[:100]}, caller)
        return Listed((*found.candidates, *listed.candidates), complete=False)

    async def _of_each(self, kind: str, each: tuple[str, str], caller: Caller) -> Listed:
        argument, other = each
        others = await self._listed(other, "", caller, {})
        found: list[Candidate] = []
        for candidate in others.candidates[:_MOST_ASKED]:
            known = {argument: candidate.value}
            found.extend((await self._listed(kind, "", caller, known)).candidates)
        complete = others.complete and len(others.candidates) <= _MOST_ASKED
        return Listed(tuple(found), complete)

    async def _asked(
        self, kind: str, source: Source, narrowed: Mapping[str, str], caller: Caller
    ) -> Listed:
        """What the vendor lists, from memory where it was asked for a moment ago.

        The key holds whose list it is: nothing crosses tenants, or callers with other rights.
        """
        rights = " ".join(sorted(caller.scopes))
        key = (caller.tenant.name, caller.principal, rights, kind, results.compact(narrowed))
        now = self._clock()
        kept = self._kept.get(key)
        if kept is not None and now - kept[0] < FRESH_SECONDS:
            return kept[1]
        listed = await self._fetched(source, narrowed, caller)
        if listed is None:
            return Listed((), complete=True)
        self._kept[key] = (now, listed)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_LISTS:
            self._kept.popitem(last=False)
        return listed

    async def _fetched(
        self, source: Source, narrowed: Mapping[str, str], caller: Caller
    ) -> Listed | None:
        """The first pages of a list; None when it cannot be had."""
        arguments: dict[str, Any] = {**source.page, **narrowed}
        rows: list[Mapping[str, Any]] = []
        for _ in range(_PAGES):
            outcome = await self._catalog.run(source.tool, arguments, caller)
            page = outcome.structured
            if outcome.is_error:
                logger.info("No completions from %s: %s", source.tool, page["error"]["kind"])
                return None
            rows.extend(page["data"])
            if "nextToken" in page:
                arguments["nextToken"] = page["nextToken"]
            elif "nextOffset" in page:
                arguments["offset"] = page["nextOffset"]
            else:
                return Listed(_candidates(source, rows), complete=not page["hasMore"])
        return Listed(_candidates(source, rows), complete=False)


def _candidates(source: Source, rows: Sequence[Mapping[str, Any]]) -> tuple[Candidate, ...]:
    found: dict[str, Candidate] = {}
    for row in rows:
        value = row.get(source.value)
        # Some clients split what is typed on spaces, so a value with one could not be given.
        if isinstance(value, str) and value and not any(map(str.isspace, value)):
            texts = tuple(row[name] for name in source.texts if isinstance(row.get(name), str))
            found.setdefault(value, Candidate(value, texts))
    return tuple(found.values())


def _fitting(candidates: Iterable[Candidate], begun: str) -> list[str]:
    """Those whose value or text begins with what was typed, then those that contain it."""
    wanted = begun.strip().casefold()
    beginning, containing = [], []
    for candidate in candidates:
        texts = [text.casefold() for text in (candidate.value, *candidate.texts)]
        if any(text.startswith(wanted) for text in texts):
            beginning.append(candidate.value)
        elif any(wanted in text for text in texts):
            containing.append(candidate.value)
    return list(dict.fromkeys([*beginning, *containing]))
