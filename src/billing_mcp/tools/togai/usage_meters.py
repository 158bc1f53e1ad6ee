"""Usage meters: how events of a schema become the units that are billed."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp.declarations import READ, Toolset
from billing_mcp.params import Name, NextToken
from billing_mcp.results import Result, TokenPage
from billing_mcp.tools.togai import recognition
from billing_mcp.upstream import Togai

toolset = Toolset("togai-billing")

PAGE = 100
METER_ROUTE = "GET /usage_meters/{usage_meter_id}"
# Pages looked through in one call: 2,000 meters, twenty times the vendor's quota.
PAGES = 20


class EventSchemaName(Result):
    name: str


class UsageMeter(recognition.Named):
    concise: ClassVar = ("id", "name", "aggregation", "status", "billableName", "description")

    type: str | None = None
    aggregation: str | None = None
    status: str | None = None
    displayName: str | None = None
    billableName: str | None = None
    description: str | None = None
    eventSchema: EventSchemaName | None = None


@toolset.tool(READ, "GET /usage_meters")
async def list_usage_meters(
    togai: Togai,
    eventSchemaName: Annotated[Name, Field(min_length=1, max_length=50)],
    status: Literal["ACTIVE", "INACTIVE"] | None = None,
    aggregation: Literal["COUNT", "SUM"] | None = None,
    sort: Literal["updated_at", "-updated_at"] | None = None,
    nextToken: NextToken = None,
) -> TokenPage[UsageMeter]:
    """List the usage meters of an event schema. Their ids are what usage rate cards price."""
    query: dict[str, Any] = {
        "status": status,
        "aggregations": aggregation,
        "_sort": sort,
        "pageSize": PAGE,
        "nextToken": nextToken,
    }
    found: list[UsageMeter] = []
    # The vendor cannot filter by schema, so every page is looked through, within a bound.
    for _ in range(PAGES):
        page = await togai.fetch(TokenPage[UsageMeter], query=query)
        for meter in page.data:
            whole = meter if meter.eventSchema else await _with_schema(togai, meter)
            if whole.eventSchema is not None and whole.eventSchema.name == eventSchemaName:
                found.append(whole)
        if not page.nextToken:
            return TokenPage[UsageMeter](data=found)
        query = {"nextToken": page.nextToken}
    return TokenPage[UsageMeter](
        data=found,
        nextToken=page.nextToken,
        note=f"Looked through {PAGES * PAGE} usage meters of all schemas; there are more.",
    )


async def meter_of(togai: Togai, meter_id: str) -> UsageMeter:
    """Raises `NotFound`."""
    at = {"usage_meter_id": meter_id}
    return await togai.fetch(UsageMeter, route=METER_ROUTE, at=at)


async def _with_schema(togai: Togai, meter: UsageMeter) -> UsageMeter:
    """The meter with its event schema, which a list may leave out."""
    return await togai.fetch(
        UsageMeter,
        route=METER_ROUTE,
        at={"usage_meter_id": meter.id},
        query={"includeSchema": True},
    )
