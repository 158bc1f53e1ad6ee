"""Entitlements: which features an account may use, and up to which value."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from billing_mcp.declarations import CHECK, READ, Toolset
from billing_mcp.params import AccountId, Body, FeatureId, Name
from billing_mcp.results import Page, Result
from billing_mcp.upstream import Togai
from billing_mcp.wire import given

toolset = Toolset("togai-entitlements")


class Entitlement(Result):
    concise: ClassVar = ("featureId", "value")

    featureId: str
    value: str


class Checked(Result):
    """`success` says whether the entitlement covers the value."""

    success: bool


def _as_text(value: object) -> object:
    """The vendor's values are text; a number or a truth given plainly means its text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


class EntitlementValue(Body):
    value: Annotated[Name, BeforeValidator(_as_text), Field(min_length=1, max_length=255)]


@toolset.tool(READ, "GET /accounts/{account_id}/entitlements")
async def get_entitlements_account(togai: Togai, accountId: AccountId) -> Page[Entitlement]:
    """List the features an account is entitled to, with their values."""
    return await togai.fetch(Page[Entitlement], at={"account_id": accountId})


@toolset.tool(READ, "GET /accounts/{account_id}/entitlements/{feature_id}")
async def get_entitlement_value_account(
    togai: Togai, accountId: AccountId, featureId: FeatureId
) -> Page[Entitlement]:
    """Show the value of one feature for an account."""
    return await togai.fetch(
        Page[Entitlement], at={"account_id": accountId, "feature_id": featureId}
    )


@toolset.tool(CHECK, "POST /accounts/{account_id}/entitlements/{feature_id}")
async def check_entitlement_value_account(
    togai: Togai, accountId: AccountId, featureId: FeatureId, body: EntitlementValue
) -> Checked:
    """Ask whether an account's entitlement covers a value, for example 5 more seats. Changes
    nothing."""
    return await togai.fetch(
        Checked, at={"account_id": accountId, "feature_id": featureId}, body=given(body)
    )
