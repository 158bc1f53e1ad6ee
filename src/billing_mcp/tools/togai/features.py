"""Features: what accounts are entitled to and hold credits of, fed by attributes of events."""

from typing import ClassVar

from billing_mcp.declarations import READ, Toolset
from billing_mcp.params import FeatureId, NextToken, PageSize
from billing_mcp.results import Result, TokenPage
from billing_mcp.tools.togai import recognition
from billing_mcp.upstream import Togai

toolset = Toolset("togai-features")


class SchemaAssociation(Result):
    schemaName: str
    attributeName: str


class Feature(recognition.Named):
    concise: ClassVar = ("id", "name", "billableName", "schemaCount")

    billableName: str | None = None
    displayName: str | None = None
    schemaCount: int | None = None
    schemaAssociations: list[SchemaAssociation] | None = None


@toolset.tool(READ, "GET /features")
async def list_features(
    togai: Togai, pageSize: PageSize = None, nextToken: NextToken = None
) -> TokenPage[Feature]:
    """List features: what plans grant credits and entitlements of."""
    return await togai.fetch(
        TokenPage[Feature], query={"pageSize": pageSize, "nextToken": nextToken}
    )


@toolset.tool(READ, "GET /features/{feature_id}")
async def get_feature(togai: Togai, featureId: FeatureId) -> Feature:
    """Show one feature and the event attributes that use it up."""
    return await togai.fetch(Feature, at={"feature_id": featureId})
