"""Usage events as Togai has them: what was sent, and what became of it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp.declarations import READ, Toolset
from billing_mcp.params import Name, NextToken, SmallPageSize
from billing_mcp.results import Exact, Page, Result, TokenPage
from billing_mcp.tools.togai.event_schemas import EventSchemaName
from billing_mcp.upstream import Togai

toolset = Toolset("togai-events")

EventAccount = Annotated[Name, Field(min_length=1, max_length=512, description="Id or alias")]
EventId = Annotated[Name, Field(min_length=1, max_length=512)]
EVENTS_ROUTE = "GET /events"
COUNTED = "INGESTION_COMPLETED"

EventStatus = Literal[
    "INGESTION_IN_PROGRESS",
    "INGESTION_FAILED",
    "INGESTION_FAILED_SCHEMA_NOT_DEFINED",
    "INGESTION_FAILED_ENRICHMENT_FAILED",
    "INGESTION_FAILED_UNITS_INVALID",
    "INGESTION_FAILED_PAST_GRACE_PERIOD",
    "INGESTION_FAILED_ACCOUNT_NOT_FOUND",
    "INGESTION_FAILED_DUPLICATE_EVENT",
    "INGESTION_FAILED_NO_EVENT_ID",
    "INGESTION_FAILED_INVALID_NAMED_LICENSE_EVENT",
    "INGESTION_FAILED_INSUFFICIENT_CREDITS",
    "INGESTION_COMPLETED_NO_MATCHING_METERS",
    "INGESTION_COMPLETED_EVENT_METERED",
    "INGESTION_COMPLETED_EVENT_NOT_METERED",
    "REVERTED",
    "UNKNOWN",
]


class IngestionStatus(Result):
    status: str
    statusDescription: str | None = None


class UsageEvent(Result):
    """One arrival of an event. An event that was sent twice has two."""

    concise: ClassVar[tuple[str, ...]] = (
        "eventPayload.id",
        "eventPayload.accountId",
        "eventPayload.schemaName",
        "eventPayload.timestamp",
        "ingestionStatus.status",
    )

    referenceId: str
    eventPayload: dict[str, Any]
    ingestionStatus: IngestionStatus
    customerId: str | None = None
    createdAt: str | None = None

    @property
    def counts(self) -> bool:
        return self.ingestionStatus.status.startswith(COUNTED)

    @property
    def event_id(self) -> str:
        """The sender's own; the vendor's where there is none."""
        return str(self.eventPayload.get("id") or self.referenceId)


class Reading(Result):
    """What one meter made of an event."""

    status: str | None = None
    units: Exact | None = None


class FeatureUse(Result):
    overageInCycle: Exact | None = None
    overageInEvent: Exact | None = None


class Revenue(Result):
    revenueBaseCurrency: Exact | None = None
    revenueInvoiceCurrency: Exact | None = None


class PipelineInfo(Result):
    usageMeters: list[Reading] | None = None
    featureDetails: FeatureUse | None = None
    revenueDetails: list[Revenue] | None = None


class ExplainedEvent(UsageEvent):
    """An arrival with what was made of it: meters, plans, credits, enrichments."""

    concise: ClassVar = ()

    eventPipelineInfo: PipelineInfo | None = None


@toolset.tool(READ, EVENTS_ROUTE, title="List usage events")
async def list_events(
    togai: Togai,
    accountId: EventAccount | None = None,
    schemaName: EventSchemaName | None = None,
    status: EventStatus | None = None,
    pageSize: SmallPageSize = None,
    nextToken: NextToken = None,
) -> TokenPage[UsageEvent]:
    """List usage events with what became of them, latest first. detail=full shows what they
    carried and why they failed."""
    return await togai.fetch(
        TokenPage[UsageEvent],
        query={
            "account_id": accountId,
            "schema_name": schemaName,
            "status": status,
            "pageSize": pageSize,
            "nextToken": nextToken,
        },
    )


@toolset.tool(READ, "GET /events/{event_id}", title="Get usage event")
async def get_event(togai: Togai, eventId: EventId) -> Page[ExplainedEvent]:
    """Show every arrival of an event by its id: status, units by meter, plans that price it."""
    return await togai.fetch(Page[ExplainedEvent], at={"event_id": eventId})
