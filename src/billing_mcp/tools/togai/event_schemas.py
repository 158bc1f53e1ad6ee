"""Event schemas: the attributes and dimensions that usage events carry."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp.declarations import READ, Toolset
from billing_mcp.params import Name, NextToken, PageSize, Version
from billing_mcp.results import Result, TokenPage
from billing_mcp.upstream import Togai

toolset = Toolset("togai-event-schemas")

EventSchemaName = Annotated[Name, Field(min_length=1, max_length=50, pattern=r"^[\sa-zA-Z0-9_-]*$")]


class EventAttribute(Result):
    name: str
    defaultUnit: str | None = None


class EventDimension(Result):
    name: str


class EventSchema(Result):
    concise: ClassVar = ("name", "status", "version", "attributes", "dimensions", "description")

    name: str
    version: int | None = None
    status: str | None = None
    description: str | None = None
    attributes: list[EventAttribute] | None = None
    dimensions: list[EventDimension] | None = None
    filterFields: list[str] | None = None
    featureDetails: dict[str, Any] | None = None


@toolset.tool(READ, "GET /event_schema")
async def list_event_schemas(
    togai: Togai,
    status: Literal["ACTIVE", "INACTIVE"] | None = None,
    pageSize: PageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[EventSchema]:
    """List event schemas with the attributes and dimensions their events carry."""
    return await togai.fetch(
        TokenPage[EventSchema],
        query={"status": status, "pageSize": pageSize, "nextToken": nextToken},
    )


@toolset.tool(READ, "GET /event_schema/{event_schema_name}")
async def get_event_schema(
    togai: Togai,
    eventSchemaName: EventSchemaName,
    version: Version = None,
) -> EventSchema:
    """Show one event schema: what its events must carry and which feature they feed."""
    return await togai.fetch(
        EventSchema, at={"event_schema_name": eventSchemaName}, query={"version": version}
    )
