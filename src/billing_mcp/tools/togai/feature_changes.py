"""How features come and change: their names, and the attributes of events that use them up."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from billing_mcp.declarations import CREATE, UPDATE, Effect, Toolset, Verdict, Write
from billing_mcp.params import Body, FeatureId, Name
from billing_mcp.tools import wording
from billing_mcp.tools.togai import recognition, walks
from billing_mcp.tools.togai.event_schema_changes import PartName
from billing_mcp.tools.togai.event_schemas import EventSchemaName
from billing_mcp.tools.togai.feature_credits import feature_of
from billing_mcp.tools.togai.features import Feature
from billing_mcp.tools.togai.lifecycles import Kind, required
from billing_mcp.upstream import Togai
from billing_mcp.wire import present

toolset = Toolset("togai-features")

FeatureName = Annotated[Name, Field(min_length=1, max_length=255)]
_UPDATED = ("name", "billableName", "schemaAssociations")


class Fed(Body):
    """An attribute of events whose numbers use up the feature."""

    schemaName: EventSchemaName
    attributeName: PartName


async def _of(togai: Togai, asked: Mapping[str, Any]) -> Feature:
    return await feature_of(togai, asked["featureId"])


FEATURE = Kind(
    _of,
    lambda feature: wording.named("feature", feature.id, feature.name),
    "featureId",
    "get-feature",
    "list-features",
)


async def _all(togai: Togai, name: str) -> AsyncIterator[Feature]:
    """Every feature; the one of that name whole, which the list is not."""
    async for feature in walks.rows(togai, Feature, "GET /features", 100):
        yield await feature_of(togai, feature.id) if feature.name == name else feature


async def _created(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    found = _all(togai, asked["name"])
    return await recognition.by_name(found, asked, "feature", "get-feature")


async def _would_create(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    found = _all(togai, asked["name"])
    await recognition.require_free_name(found, asked["name"], "feature", "get-feature")
    associations: list[Fed] = asked["schemaAssociations"]
    told = [
        f"{wording.quoted(fed.attributeName)} of {wording.identified(fed.schemaName)}"
        for fed in associations
    ]
    by = f"used up by {wording.listed(told)}" if told else "which no event uses up yet"
    return Effect(
        f"Creates the feature {wording.quoted(asked['name'])}, {by}. Nobody has units of it until "
        "a plan grants them.",
        after={
            "name": asked["name"],
            "schemaAssociations": [dict(fed) for fed in associations],
        },
        undo=None,
    )


@toolset.tool(
    CREATE,
    "POST /features",
    write=Write(
        find_out="list-features shows whether it is there",
        reconcile=_created,
        preview=_would_create,
        stake=recognition.nobody,
        target="name",
    ),
)
async def create_feature(
    togai: Togai,
    name: FeatureName,
    schemaAssociations: Annotated[
        list[Fed], Field(max_length=50, description="Each schema feeds one feature at most")
    ],
    billableName: FeatureName | None = None,
) -> Feature:
    """Create a feature that events use up. Features cannot be deleted."""
    body = present(name=name, schemaAssociations=schemaAssociations, billableName=billableName)
    return await togai.fetch(Feature, body=body)


@toolset.tool(
    UPDATE,
    "PATCH /features/{feature_id}",
    write=Write(
        find_out="get-feature shows whether it has changed",
        reconcile=FEATURE.updated(*_UPDATED),
        preview=FEATURE.would_change(*_UPDATED, follows="; later events use it up as it is then"),
        stake=recognition.anybody,
        target="featureId",
    ),
)
async def update_feature(
    togai: Togai,
    featureId: FeatureId,
    name: FeatureName | None = None,
    billableName: FeatureName | None = None,
    schemaAssociations: Annotated[
        list[Fed] | None, Field(max_length=50, description="Replaces all")
    ] = None,
) -> Feature:
    """Rename a feature, or let other attributes of events use it up."""
    body = required(
        present(name=name, billableName=billableName, schemaAssociations=schemaAssociations)
    )
    return await togai.fetch(Feature, at={"feature_id": featureId}, body=body)
