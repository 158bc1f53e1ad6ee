"""Feature credits: how many units of a feature an account was granted and has left."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from billing_mcp.declarations import (
    CREATE,
    READ,
    UPDATE,
    Applied,
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
from billing_mcp.upstream import Togai
from billing_mcp.wire import given

toolset = Toolset("togai-entitlements")

_FIND_OUT = "list-feature-credits-entries-feature shows the entry as it is now"
ENTRIES_ROUTE = "GET /accounts/{account_id}/features/{feature_id}/entries"
# Pages of 50 that are searched for an entry; a feature gets a few entries in a cycle.
PAGES_SEARCHED = 20


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


@toolset.tool(READ, "GET /accounts/{account_id}/features/{feature_id}")
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
    query: dict[str, Any] = {"pageSize": 50}
    for _ in range(PAGES_SEARCHED):
        page = await togai.fetch(
            TokenPage[FeatureCreditEntry],
            route=ENTRIES_ROUTE,
            at={"account_id": asked["accountId"], "feature_id": asked["featureId"]},
            query=query,
        )
        for entry in page.data:
            if entry.id == asked["entryId"]:
                return entry
        if not page.nextToken:
            return None
        query = {"nextToken": page.nextToken}
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


@toolset.tool(
    UPDATE,
    "PATCH /accounts/{account_id}/features/{feature_id}/entries/{entry_id}",
    write=Write(find_out=_FIND_OUT, reconcile=_updated, target="accountId"),
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
    write=Write(find_out=_FIND_OUT, reconcile=_voided, target="accountId"),
)
async def void_feature_credits_entry_feature(
    togai: Togai, accountId: AccountId, featureId: FeatureId, entryId: EntryId
) -> Voided:
    """Void an entry: what is left of it can no longer be used. This cannot be undone."""
    return await togai.fetch(
        Voided, at={"account_id": accountId, "feature_id": featureId, "entry_id": entryId}
    )
