"""Incidents: what alerts found, and closing them."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from billing_mcp import errors
from billing_mcp.declarations import (
    READ,
    UPDATE,
    Applied,
    Effect,
    NotApplied,
    Stake,
    Toolset,
    Verdict,
    Write,
)
from billing_mcp.params import Name, NextToken
from billing_mcp.results import Result, TokenPage
from billing_mcp.tools import wording
from billing_mcp.tools.togai.alerts import about, alert_of, stake_in
from billing_mcp.upstream import Togai

toolset = Toolset("togai-alerts")

IncidentId = Annotated[Name, Field(min_length=1, max_length=100, description="From list-incidents")]
_ROUTE = "GET /incidents/{incident_id}"


class Incident(Result):
    concise: ClassVar = ("id", "status", "alertId", "createdAt", "validUntil", "reportData")

    id: str
    status: str
    alertId: str
    alertVersion: int | None = None
    alertTemplateId: str | None = None
    reportData: dict[str, Any] | None = None
    createdAt: str | None = None
    validUntil: str | None = None
    lastCheckedAt: str | None = None


@toolset.tool(READ, "GET /incidents")
async def list_incidents(togai: Togai, nextToken: NextToken = None) -> TokenPage[Incident]:
    """List what alerts have found, open and closed. list-alerts says whom each is about."""
    return await togai.fetch(TokenPage[Incident], query={"nextToken": nextToken})


@toolset.tool(READ, _ROUTE)
async def get_incident(togai: Togai, incidentId: IncidentId) -> Incident:
    """Show one incident: what was measured, by which alert, when it was last checked."""
    return await _of(togai, incidentId)


async def _of(togai: Togai, incident_id: str) -> Incident:
    return await togai.fetch(Incident, route=_ROUTE, at={"incident_id": incident_id})


async def _closed(togai: Togai, asked: Mapping[str, Any]) -> Verdict:
    incident = await _of(togai, asked["incidentId"])
    return Applied(incident) if incident.status == "CLOSED" else NotApplied()


async def _would_close(togai: Togai, asked: Mapping[str, Any]) -> Effect:
    incident = await _of(togai, asked["incidentId"])
    if incident.status == "CLOSED":
        raise errors.Conflict(
            f"Incident {wording.identified(incident.id)} is CLOSED already.",
            field="incidentId",
            next_step="list-incidents shows those that are not.",
        )
    alert = await alert_of(togai, incident.alertId)
    status = {"status": incident.status}
    return Effect(
        f"Closes incident {wording.identified(incident.id)} of the {await about(togai, alert)}. "
        "What the alert watches stays as it is.",
        status,
        {"status": "CLOSED"},
        provided=status,
    )


async def _stake(togai: Togai, asked: Mapping[str, Any]) -> Stake:
    incident = await _of(togai, asked["incidentId"])
    return await stake_in(togai, (await alert_of(togai, incident.alertId)).entityDetails)


@toolset.tool(
    UPDATE,
    "PUT /incidents/{incident_id}/status",
    write=Write(
        find_out="get-incident shows whether it is CLOSED",
        reconcile=_closed,
        preview=_would_close,
        stake=_stake,
        target="incidentId",
    ),
)
async def update_incident_status(
    togai: Togai, incidentId: IncidentId, status: Literal["CLOSED"] = "CLOSED"
) -> Incident:
    """Close an incident. Togai cannot open it again."""
    return await togai.fetch(Incident, at={"incident_id": incidentId}, body={"status": status})
