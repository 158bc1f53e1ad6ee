"""Feature credits: how many units of a feature an account was granted and has left."""

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from billing_mcp.declarations import CREATE, READ, UPDATE, Toolset, Write
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
from billing_mcp.results import Exact, Result, TokenPage
from billing_mcp.upstream import Togai
from billing_mcp.wire import given

toolset = Toolset("togai-entitlements")

_FIND_OUT = "list-feature-credits-entries-feature shows the entry as it is now"


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


@toolset.tool(READ, "GET /accounts/{account_id}/features/{feature_id}/entries")
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


@toolset.tool(
    UPDATE,
    "PATCH /accounts/{account_id}/features/{feature_id}/entries/{entry_id}",
    write=Write(find_out=_FIND_OUT, target="accountId"),
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
    write=Write(find_out=_FIND_OUT, target="accountId"),
)
async def void_feature_credits_entry_feature(
    togai: Togai, accountId: AccountId, featureId: FeatureId, entryId: EntryId
) -> Voided:
    """Void an entry: what is left of it can no longer be used. This cannot be undone."""
    return await togai.fetch(
        Voided, at={"account_id": accountId, "feature_id": featureId, "entry_id": entryId}
    )
