"""The names that events may call an account by, each in its period."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
    CREATE,
    DELETE,
    READ,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, Body, Instant, Name
from billing_mcp.results import Page, Result
from billing_mcp.tools import wording
from billing_mcp.tools.togai.accounts import (
    Account,
    Alias,
    account_of,
    owned_account,
    stake_of_account,
)
from billing_mcp.upstream import Togai
from billing_mcp.wire import present, utc_text

toolset = Toolset("togai-aliases")

ALIASES_ROUTE = "GET /accounts/{account_id}/account_aliases"


class HeldAlias(Result):
    """A name of an account, with the period in which it counts as the account's."""

    concise: ClassVar = ("id", "value", "effectiveFrom", "effectiveUntil")

    value: str
    id: str | None = None
    effectiveFrom: str | None = None
    effectiveUntil: str | None = None
    createdAt: str | None = None


class NewAlias(Body):
    value: Annotated[Name, Field(min_length=1, max_length=50)]
    effectiveFrom: Annotated[Instant | None, Field(description="Default: always")] = None
    effectiveUntil: Annotated[Instant | None, Field(description="Default: for ever")] = None


class EndedAlias(Body):
    id: Annotated[Name, Field(max_length=100, description="From list-account-aliases")]
    # The vendor's field is called `from`, which no argument of Python can be.
    endsAt: Annotated[Instant | None, Field(description="Default: as if it never was")] = None


@toolset.tool(READ, ALIASES_ROUTE, title="List the aliases of an account")
async def list_account_aliases(togai: Togai, accountId: AccountId) -> Page[HeldAlias]:
    """List the names that events may call an account by, past and future ones too."""
    return await togai.fetch(Page[HeldAlias], at={"account_id": accountId})


async def _held(togai: Togai, asked: Mapping[str, Any]) -> list[HeldAlias]:
    at = {"account_id": asked["accountId"]}
    page = await togai.fetch(Page[HeldAlias], route=ALIASES_ROUTE, at=at)
    return page.data


def _require_aliases(asked: Mapping[str, Any]) -> None:
    if not asked["aliases"] and not asked["accountAliases"]:
        raise errors.InvalidRequest(
            "No alias is given; nothing was sent.",
            field="aliases",
            next_step="Give aliases, or accountAliases with their periods.",
        )


async def _added(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    there = {alias.value for alias in await _held(togai, asked)}
    wanted = {*(asked["aliases"] or ()), *(new["value"] for new in asked["accountAliases"] or ())}
    # An account's aliases are unique at a time, so what is there was added.
    return Applied(await account_of(togai, asked["accountId"])) if wanted <= there else NotApplied()


async def _would_add(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _require_aliases(asked)
    _, whose = await owned_account(togai, asked["accountId"])
    periods: list[NewAlias] = asked["accountAliases"] or []
    named = [*(asked["aliases"] or ()), *(new.value for new in periods)]
    there = {alias.value for alias in await _held(togai, asked)}
    if again := sorted(there.intersection(named)):
        raise errors.Conflict(
            f"{wording.quoted(again[0])} is an alias of {whose} already.",
            field="aliases",
            next_step="list-account-aliases shows those it has, and when.",
        )
    told = [wording.quoted(alias) for alias in asked["aliases"] or ()]
    told += [wording.quoted(new.value) + _period(new) for new in periods]
    return Effect(
        f"Lets events call {whose} {wording.listed(told)} as well: what they tell is billed to it.",
        after={"aliases": named},
        undo="remove-account-aliases; what was counted under them stays with the account.",
    )


def _period(alias: NewAlias) -> str:
    start = f" from {utc_text(alias.effectiveFrom)}" if alias.effectiveFrom else ""
    return start + (f" until {utc_text(alias.effectiveUntil)}" if alias.effectiveUntil else "")


@toolset.tool(
    CREATE,
    "POST /accounts/{account_id}/add_aliases",
    title="Add aliases to an account",
    write=Write(
        find_out="list-account-aliases shows whether they are there",
        reconcile=_added,
        preview=_would_add,
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def add_account_aliases(
    togai: Togai,
    accountId: AccountId,
    aliases: Annotated[list[Alias] | None, Field(max_length=10)] = None,
    accountAliases: Annotated[
        list[NewAlias] | None, Field(max_length=10, description="With periods")
    ] = None,
) -> Account:
    """Give an account further names that events may call it by, at most ten in all."""
    _require_aliases({"aliases": aliases, "accountAliases": accountAliases})
    body = present(aliases=aliases or None, accountAliases=accountAliases or None)
    return await togai.fetch(Account, at={"account_id": accountId}, body=body)


def _meant(asked: Mapping[str, Any], held: list[HeldAlias]) -> list[HeldAlias]:
    """The aliases there are of those that a call names."""
    ids = {_id_of(ended) for ended in asked["accountAliases"] or ()}
    named = set(asked["aliases"] or ())
    return [alias for alias in held if alias.value in named or alias.id in ids]


def _id_of(ended: EndedAlias | Mapping[str, Any]) -> str:
    return ended.id if isinstance(ended, EndedAlias) else str(ended["id"])


async def _removed(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    ends = {_id_of(ended): ended.get("endsAt") for ended in asked["accountAliases"] or ()}
    for alias in _meant(asked, await _held(togai, asked)):
        # One that was to end later is still there, with that end.
        end = ends.get(alias.id or "")
        if end is None or not alias.effectiveUntil or alias.effectiveUntil[:19] != end[:19]:
            return NotApplied()
    return Applied(await account_of(togai, asked["accountId"]))


async def _would_remove(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    _require_aliases(asked)
    _, whose = await owned_account(togai, asked["accountId"])
    meant = _meant(asked, await _held(togai, asked))
    known = {alias.id for alias in meant} | {alias.value for alias in meant}
    for name in [*(asked["aliases"] or ()), *map(_id_of, asked["accountAliases"] or ())]:
        if name not in known:
            raise errors.Conflict(
                f"{wording.quoted(name)} is no alias of {whose}.",
                field="aliases",
                next_step="list-account-aliases shows those it has.",
            )
    told = wording.listed([wording.quoted(alias.value) for alias in meant])
    return Effect(
        f"Lets events no longer call {whose} {told}: those that do are not counted from then on.",
        {"aliases": [alias.value for alias in meant]},
        undo="add-account-aliases, as long as no other account has them by then.",
        provided={"ids": sorted(alias.id or alias.value for alias in meant)},
    )


@toolset.tool(
    DELETE,
    "POST /accounts/{account_id}/remove_aliases",
    title="Remove aliases from an account",
    write=Write(
        find_out="list-account-aliases shows whether they are gone",
        reconcile=_removed,
        preview=_would_remove,
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def remove_account_aliases(
    togai: Togai,
    accountId: AccountId,
    aliases: Annotated[list[Name] | None, Field(max_length=10)] = None,
    accountAliases: Annotated[
        list[EndedAlias] | None, Field(max_length=10, description="By id, or to end later")
    ] = None,
) -> Account:
    """Take names from an account; events under them are no longer billed to it."""
    _require_aliases({"aliases": aliases, "accountAliases": accountAliases})
    ended = [present(id=one.id, **{"from": one.endsAt}) for one in accountAliases or ()]
    body = present(aliases=aliases or None, accountAliases=ended or None)
    return await togai.fetch(Account, at={"account_id": accountId}, body=body)
