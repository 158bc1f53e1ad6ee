"""Aliases of the organisation: names for accounts that may be given to one later."""

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
from billing_mcp.params import Name, NextToken, PageSize
from billing_mcp.results import Result, TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition
from billing_mcp.tools.togai.lifecycles import Kind
from billing_mcp.upstream import Togai

toolset = Toolset("togai-aliases")

AliasValue = Annotated[Name, Field(min_length=1, max_length=255)]
_ROUTE = "GET /aliases/{alias}"


class OrganisationAlias(Result):
    concise: ClassVar = ("value", "createdAt")

    value: str
    createdAt: str | None = None


@toolset.tool(READ, "GET /aliases")
async def list_aliases(
    togai: Togai, pageSize: PageSize = None, nextToken: NextToken = None
) -> TokenPage[OrganisationAlias]:
    """List all aliases of the organisation, newest first. list-account-aliases shows an account's
    own."""
    return await togai.fetch(
        TokenPage[OrganisationAlias], query={"pageSize": pageSize, "nextToken": nextToken}
    )


@toolset.tool(READ, _ROUTE)
async def get_alias(togai: Togai, alias: AliasValue) -> OrganisationAlias:
    """Show whether there is an alias, and since when."""
    return await togai.fetch(OrganisationAlias, at={"alias": alias})


async def _of(togai: Togai, asked: Mapping[str, Any]) -> OrganisationAlias:
    return await togai.fetch(OrganisationAlias, route=_ROUTE, at={"alias": asked["alias"]})


ALIAS = Kind(
    _of,
    lambda alias: f"alias {wording.quoted(alias.value)}",
    "alias",
    "get-alias",
    "list-aliases",
)


async def _there(togai: Togai, wanted: list[str]) -> list[OrganisationAlias]:
    """Those of these aliases that there are."""
    found = []
    for value in wanted:
        try:
            found.append(await _of(togai, {"alias": value}))
        except errors.NotFound:
            continue
    return found


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """They are created together, so one that is missing says that none was."""
    found = await _there(togai, asked["aliases"])
    if len(found) < len(asked["aliases"]):
        return NotApplied()
    return Applied(TokenPage[OrganisationAlias](data=found))


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    wanted: list[str] = asked["aliases"]
    if taken := await _there(togai, wanted):
        raise errors.Conflict(
            f"There is an alias {wording.quoted(taken[0].value)} already.",
            field="aliases",
            next_step="Leave it out; get-alias shows the one there is.",
        )
    told = wording.listed([wording.quoted(value) for value in wanted])
    noun = "alias" if len(wanted) == 1 else "aliases"
    return Effect(
        f"Creates the {noun} {told}. Events that use one count for nobody until "
        "add-account-aliases gives it to an account.",
        after={"aliases": wanted},
        undo="delete-alias, as long as no account has it.",
    )


@toolset.tool(
    CREATE,
    "POST /aliases",
    write=Write(
        find_out="get-alias shows whether one is there",
        reconcile=_created,
        preview=_would_create,
        stake=recognition.nobody,
        target="aliases",
    ),
)
async def create_aliases(
    togai: Togai, aliases: Annotated[list[AliasValue], Field(min_length=1, max_length=100)]
) -> TokenPage[OrganisationAlias]:
    """Create aliases that no account has yet. add-account-aliases gives names to an account."""
    body = {"aliases": [{"value": value} for value in aliases]}
    return await togai.fetch(TokenPage[OrganisationAlias], body=body)


async def _would_delete(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    alias, called = await ALIAS.open(togai, asked)
    return Effect(
        f"Deletes the {called}. Togai refuses it while an account has it.",
        {"value": alias.value},
        undo="create-aliases with the same value.",
        provided={"createdAt": alias.createdAt},
    )


@toolset.tool(
    DELETE,
    "DELETE /aliases/{alias}",
    write=Write(
        find_out="get-alias shows whether it is gone",
        reconcile=ALIAS.archived(),
        preview=_would_delete,
        stake=recognition.nobody,
        target="alias",
    ),
)
async def delete_alias(togai: Togai, alias: AliasValue) -> recognition.Done:
    """Delete an alias that no account has."""
    return await togai.fetch(recognition.Done, at={"alias": alias})
