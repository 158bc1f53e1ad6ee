"""Feature credits: how many units of a feature an account was granted and has left."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

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
from billing_mcp.params import (
    AccountId,
    Body,
    EntryId,
    FeatureId,
    Instant,
    NextToken,
    NonNegative,
    SmallPageSize,
    wrong,
)
from billing_mcp.results import Exact, Result, TokenPage, values
from billing_mcp.sameness import holds
from billing_mcp.tools import wording
from billing_mcp.tools.togai import walks
from billing_mcp.tools.togai.accounts import owned_account, stake_of_account
from billing_mcp.tools.togai.features import Feature
from billing_mcp.upstream import Togai
from billing_mcp.wire import given, utc_text

toolset = Toolset("togai-entitlements")

_FIND_OUT = "list-feature-credits-entries-feature shows the entry as it is now"
ENTRIES_ROUTE = "GET /accounts/{account_id}/features/{feature_id}/entries"
BALANCE_ROUTE = "GET /accounts/{account_id}/features/{feature_id}"


class FeatureCredits(Result):
    accountId: str
    featureId: str
    granted: Exact
    balance: Exact
    overageLimit: Exact | None = None
    usedOverage: Exact | None = None


class FeatureCreditEntry(Result):
    concise: ClassVar = (
        "id",
        "source",
        "status",
        "granted",
        "used",
        "balance",
        "effectiveFrom",
        "effectiveUntil",
    )

    id: str
    source: str | None = None
    status: str | None = None
    effectiveFrom: str | None = None
    effectiveUntil: str | None = None
    granted: Exact | None = None
    balance: Exact | None = None
    used: Exact | None = None


class Voided(Result):
    success: bool


class EntryUpdate(Body):
    effectiveUntil: Annotated[Instant | None, Field(description="In the future")] = None
    granted: Annotated[NonNegative | None, Field(description="More than is used")] = None

    @model_validator(mode="after")
    def _not_empty(self) -> "EntryUpdate":
        if self.effectiveUntil is None and self.granted is None:
            raise wrong("an object with effectiveUntil or granted")
        return self


@toolset.tool(READ, BALANCE_ROUTE)
async def get_feature_credits_balance(
    togai: Togai, accountId: AccountId, featureId: FeatureId
) -> FeatureCredits:
    """Show how many units of a feature an account was granted and has left, with its overage."""
    return await togai.fetch(FeatureCredits, at={"account_id": accountId, "feature_id": featureId})


@toolset.tool(READ, ENTRIES_ROUTE)
async def list_feature_credits_entries_feature(
    togai: Togai,
    accountId: AccountId,
    featureId: FeatureId,
    pageSize: SmallPageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[FeatureCreditEntry]:
    """List the grants behind a feature's balance: source, period, used."""
    return await togai.fetch(
        TokenPage[FeatureCreditEntry],
        at={"account_id": accountId, "feature_id": featureId},
        query={"pageSize": pageSize, "nextToken": nextToken},
    )


async def _entry(togai: Togai, asked: Mapping[str, Any]) -> FeatureCreditEntry | None:
    at = {"account_id": asked["accountId"], "feature_id": asked["featureId"]}
    # A feature gets a few entries in a cycle.
    async for entry in walks.rows(togai, FeatureCreditEntry, ENTRIES_ROUTE, 50, at=at):
        if entry.id == asked["entryId"]:
            return entry
    return None


def _unseen(asked: Mapping[str, Any]) -> Undecided:
    return Undecided(f"entry {asked['entryId']} is not among those of the account's feature")


async def _updated(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    entry = await _entry(togai, asked)
    if entry is None:
        return _unseen(asked)
    return Applied(entry) if holds(values(entry), asked["body"]) else NotApplied()


async def _voided(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    entry = await _entry(togai, asked)
    if entry is None:
        return _unseen(asked)
    return Applied(Voided(success=True)) if entry.status == "VOIDED" else NotApplied()


async def feature_of(togai: Togai, feature_id: str) -> Feature:
    """Raises `NotFound`."""
    return await togai.fetch(
        Feature, route="GET /features/{feature_id}", at={"feature_id": feature_id}
    )


async def _active_entry(
    togai: Togai, asked: Mapping[str, Any]
) -> tuple[FeatureCreditEntry, str, str]:
    """The entry, how a plan names it, and whose it is.

    Raises `NotFound`, and `Conflict` for one that has ended or was voided.
    """
    _, whose = await owned_account(togai, asked["accountId"])
    feature = await feature_of(togai, asked["featureId"])
    called = (
        f"entry {wording.identified(asked['entryId'])} of "
        f"{wording.named('feature', feature.id, feature.name)}"
    )
    entry = await _entry(togai, asked)
    if entry is None:
        raise errors.NotFound(
            f"There is no {called} of {whose}.",
            field="entryId",
            next_step="list-feature-credits-entries-feature shows those there are.",
        )
    if entry.status not in (None, "ACTIVE"):
        raise errors.Conflict(
            f"{called[0].upper()}{called[1:]} is {wording.identified(entry.status)}, and only an "
            "ACTIVE one can be changed or voided.",
            field="entryId",
            next_step="list-feature-credits-entries-feature shows which are ACTIVE.",
        )
    return entry, called, whose


def _units(number: Decimal | None) -> str:
    if number is None:
        return "any number of units"
    return f"{money.plain(number)} {'unit' if number == 1 else 'units'}"


async def _would_update(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    entry, called, whose = await _active_entry(togai, asked)
    body: EntryUpdate = asked["body"]
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    told = []
    if body.granted is not None:
        if entry.used is not None and body.granted <= entry.used:
            raise errors.Conflict(
                f"{_units(entry.used)} of it are used already, so it has to grant more.",
                field="body.granted",
                next_step=f"Give granted above {money.plain(entry.used)}.",
            )
        before["granted"], after["granted"] = entry.granted, body.granted
        used = "" if entry.used is None else f", of which {money.plain(entry.used)} are used"
        told.append(f"it grants {_units(body.granted)} instead of {_units(entry.granted)}{used}")
    if body.effectiveUntil is not None:
        before["effectiveUntil"] = entry.effectiveUntil
        after["effectiveUntil"] = utc_text(body.effectiveUntil)
        until = wording.identified(entry.effectiveUntil or "never")
        told.append(f"it ends {after['effectiveUntil']} instead of {until}")
    return Effect(
        f"Changes {called} of {whose}: {'; '.join(told)}.",
        before,
        after,
        _undo(before),
        {"status": entry.status, "granted": entry.granted, "effectiveUntil": entry.effectiveUntil},
    )


def _undo(before: Mapping[str, Any]) -> str | None:
    # The tool cannot give back what has no number: a grant without limit, or one without end.
    if None in before.values():
        return None
    back = []
    if "granted" in before:
        granted = money.plain(before["granted"])
        back.append(f"granted {granted}, as long as that is more than is used")
    if "effectiveUntil" in before:
        until = wording.identified(before["effectiveUntil"])
        back.append(f"effectiveUntil {until}, as long as that lies in the future")
    return f"update-feature-credits-entry with {'; and '.join(back)}."


async def _would_void(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    entry, called, whose = await _active_entry(togai, asked)
    # Usage may go on between a plan and its commit: it makes what is lost smaller, never larger.
    return Effect(
        f"Voids {called} of {whose}: of {_units(entry.granted)} granted, the {_left(entry)} that "
        "are left can no longer be used.",
        {"status": entry.status or "ACTIVE", "balance": entry.balance},
        {"status": "VOIDED", "balance": Decimal(0)},
        None,
        {"granted": entry.granted, "effectiveUntil": entry.effectiveUntil},
    )


def _left(entry: FeatureCreditEntry) -> str:
    return "units" if entry.balance is None else _units(entry.balance)


@toolset.tool(
    UPDATE,
    "PATCH /accounts/{account_id}/features/{feature_id}/entries/{entry_id}",
    write=Write(
        find_out=_FIND_OUT,
        reconcile=_updated,
        preview=_would_update,
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def update_feature_credits_entry(
    togai: Togai, accountId: AccountId, featureId: FeatureId, entryId: EntryId, body: EntryUpdate
) -> FeatureCreditEntry:
    """Change how much an entry grants or when it ends."""
    return await togai.fetch(
        FeatureCreditEntry,
        at={"account_id": accountId, "feature_id": featureId, "entry_id": entryId},
        body={name: value for name, value in given(body).items() if value is not None},
    )


@toolset.tool(
    CREATE,
    "POST /accounts/{account_id}/features/{feature_id}/entries/{entry_id}/void",
    write=Write(
        find_out=_FIND_OUT,
        reconcile=_voided,
        preview=_would_void,
        stake=stake_of_account(),
        target="accountId",
    ),
)
async def void_feature_credits_entry_feature(
    togai: Togai, accountId: AccountId, featureId: FeatureId, entryId: EntryId
) -> Voided:
    """Void an entry: what is left of it can no longer be used. This cannot be undone."""
    return await togai.fetch(
        Voided, at={"account_id": accountId, "feature_id": featureId, "entry_id": entryId}
    )
