"""Licences: how many an account holds, and since when; by name where they are named."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors, money
from billing_mcp.declarations import (
    CREATE,
    READ,
    UPDATE,
    Applied,
    Effect,
    NotApplied,
    Toolset,
    Undecided,
    Verdict,
    Write,
)
from billing_mcp.params import AccountId, Instant, Name, NextToken, Signed, SmallPageSize
from billing_mcp.results import Exact, Result, TokenPage, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.tools.togai.add_ons import add_on_of
from billing_mcp.upstream import Togai
from billing_mcp.wire import present, utc_text

toolset = Toolset("togai-licenses")

_ROUTE = "GET /license_updates"
_PAGE = 50


LicenceId = Annotated[
    Name, Field(min_length=1, max_length=50, description="An add-on of type LICENSE")
]
Metadata = Annotated[dict[Name, Name], Field(max_length=50)]


class LicenceUpdate(Result):
    concise: ClassVar = ("licenseId", "accountId", "quantity", "effectiveFrom")

    licenseId: str
    accountId: str
    quantity: Exact | None = None
    effectiveFrom: str | None = None
    metadata: dict[str, str] | None = None
    createdAt: str | None = None


class NamedLicenceUpdate(Result):
    concise: ClassVar = ("licenseId", "accountId", "name", "effectiveFrom", "effectiveUntil")

    id: str
    licenseId: str
    accountId: str
    name: str
    effectiveFrom: str | None = None
    effectiveUntil: str | None = None


@toolset.tool(READ, _ROUTE)
async def list_license_updates(
    togai: Togai,
    accountId: AccountId | None = None,
    licenseId: LicenceId | None = None,
    effectiveFrom: Annotated[Instant | None, Field(description="Exactly that time")] = None,
    pageSize: SmallPageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[LicenceUpdate]:
    """List how many licences accounts held from when on, the latest first."""
    return await togai.fetch(
        TokenPage[LicenceUpdate],
        query={
            "account_id": accountId,
            "licenseId": licenseId,
            "effectiveFrom": effectiveFrom,
            "pageSize": pageSize,
            "nextToken": nextToken,
        },
    )


@toolset.tool(READ, "GET /named_license_updates")
async def list_named_license_updates(
    togai: Togai, nextToken: NextToken = None
) -> TokenPage[NamedLicenceUpdate]:
    """List who held a named licence, and how long. Events of togai-named-license change them."""
    return await togai.fetch(TokenPage[NamedLicenceUpdate], query={"nextToken": nextToken})


async def _updates(
    togai: Togai, asked: Mapping[str, Any], moment: str | None
) -> list[LicenceUpdate]:
    """Of the account and licence, the latest first; those of one time if it is given."""
    query = present(
        account_id=asked["accountId"], licenseId=asked["licenseId"], effectiveFrom=moment
    )
    return [one async for one in walks.rows(togai, LicenceUpdate, _ROUTE, _PAGE, query=query)]


def _moment(value: Any) -> str | None:
    """The ledger keeps a time as text; the arguments of a call have it as a time."""
    return utc_text(value) if isinstance(value, datetime) else value


async def _added(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    """The vendor does not show an update's key: only one that sets a quantity at a known time can
    be recognised by what it set."""
    found = await _updates(togai, asked, _moment(asked["effectiveFrom"]))
    wanted = {name: asked[name] for name in ("quantity", "metadata")}
    if not found:
        return NotApplied()
    if asked["updateType"] == "ABSOLUTE" and asked["effectiveFrom"] is not None:
        for one in found:
            if holds(values(one), wanted):
                return Applied(one)
    return Undecided(
        "the updates of this account and licence do not show which call made them; called again "
        f"with the same operationId, {togai.tool} is applied once"
    )


def _licences(number: Decimal) -> str:
    return f"{money.plain(number)} {'licence' if number == 1 else 'licences'}"


async def _would_add(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    licence = await add_on_of(togai, asked["licenseId"])
    called = wording.named("add-on", licence.id, licence.name)
    if licence.type not in (None, "LICENSE"):
        raise errors.Conflict(
            f"The {called} is of type {licence.type}; only those of type LICENSE are counted here.",
            field="licenseId",
            next_step="list-addons shows those of type LICENSE.",
        )
    _, whose = await owned_account(togai, asked["accountId"])
    moment = _moment(asked["effectiveFrom"])
    earlier = [
        one
        for one in await _updates(togai, asked, None)
        if moment is None or (one.effectiveFrom or "") <= moment
    ]
    held = earlier[0].quantity if earlier and earlier[0].quantity is not None else Decimal(0)
    quantity: Decimal = asked["quantity"]
    after = quantity
    if asked["updateType"] == "RELATIVE":
        after = money.total((held, quantity))
    if after < 0:
        raise errors.Conflict(
            f"The account {wording.identified(asked['accountId'])} holds {_licences(held)} then, "
            f"and cannot hold {money.plain(after)}.",
            field="quantity",
            next_step="Take away at most as many as are held.",
        )
    when = "from now on" if moment is None else f"from {moment} on"
    return Effect(
        f"Lets {whose} hold {_licences(after)} of {called} {when}, instead of "
        f"{money.plain(held)}. They are charged by the rate cards that name the licence.",
        {"quantity": held},
        {"quantity": after},
        "add-license-update with the quantity of before; a day that counted both is charged for "
        "the higher one.",
        {"quantity": held},
    )


@toolset.tool(
    CREATE,
    "POST /license_updates",
    title="Change the number of licences",
    write=Write(
        find_out="repeat it with the same operationId; list-license-updates shows them",
        reconcile=_added,
        preview=_would_add,
        stake=stake_of_account(),
        key="idempotencyKey",
        target="accountId",
    ),
)
async def add_license_update(
    togai: Togai,
    accountId: AccountId,
    licenseId: LicenceId,
    quantity: Annotated[Signed, Field(description="RELATIVE: added, may be negative")],
    updateType: Literal["RELATIVE", "ABSOLUTE"],
    effectiveFrom: Annotated[Instant | None, Field(description="Default: now")] = None,
    metadata: Metadata | None = None,
) -> LicenceUpdate:
    """Change how many of a licence an account holds. Answers the number then held."""
    body = present(
        accountId=accountId,
        licenseId=licenseId,
        quantity=quantity,
        updateType=updateType,
        effectiveFrom=effectiveFrom,
        metadata=metadata,
        idempotencyKey=togai.operation_id,
    )
    made = await togai.fetch(LicenceUpdate, body=body)
    # Not the quantity: where a plan allows no more, the vendor answers what is held.
    names = ("accountId", "licenseId", "effectiveFrom", "metadata")
    same = {name: body.get(name) for name in names}
    recognition.require_same(togai, made, same, "change of licences")
    return made


async def _latest_at(togai: Togai, asked: Mapping[str, Any]) -> LicenceUpdate | None:
    found = await _updates(togai, asked, _moment(asked["effectiveFrom"]))
    return max(found, key=lambda one: one.createdAt or "", default=None)


async def _amended(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    found = await _latest_at(togai, asked)
    if found is None or (found.metadata or {}) != asked["metadata"]:
        return NotApplied()
    return Applied(found)


async def _would_amend(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    found = await _latest_at(togai, asked)
    moment = _moment(asked["effectiveFrom"])
    if found is None:
        raise errors.NotFound(
            f"Account {wording.identified(asked['accountId'])} has no update of licence "
            f"{wording.identified(asked['licenseId'])} at {moment}.",
            field="effectiveFrom",
            next_step="list-license-updates shows those there are.",
        )
    _, whose = await owned_account(togai, asked["accountId"])
    return Effect(
        f"Replaces the metadata of the update of licence {wording.identified(found.licenseId)} of "
        f"{whose} at {moment}. The number of licences stays.",
        {"metadata": found.metadata},
        {"metadata": asked["metadata"]},
        "update-license-update with the metadata of before.",
        {"metadata": found.metadata, "createdAt": found.createdAt},
    )


@toolset.tool(
    UPDATE,
    "PATCH /license_updates/{license_id}",
    title="Amend a licence update",
    write=Write(
        find_out="list-license-updates shows its metadata",
        reconcile=_amended,
        preview=_would_amend,
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def update_license_update(
    togai: Togai,
    accountId: AccountId,
    licenseId: LicenceId,
    effectiveFrom: Annotated[Instant, Field(description="Of the update")],
    metadata: Metadata,
) -> LicenceUpdate:
    """Replace the metadata of a licence update. Its quantity stays: use add-license-update."""
    return await togai.fetch(
        LicenceUpdate,
        at={"license_id": licenseId},
        query={"licenseId": licenseId},
        body=present(accountId=accountId, effectiveFrom=effectiveFrom, metadata=metadata),
    )
