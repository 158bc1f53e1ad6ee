"""A desk to test Suger's tools at: a client of our server, and the sandbox's own wire behind it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
from mcp import Client
from mcp.types import CallToolResult

from answers import forget
from billing_mcp import money
from billing_mcp.sandbox.suger.buyers import insert_buyer
from billing_mcp.sandbox.suger.entitlements import insert_entitlement
from billing_mcp.server import BillingServer

DIMENSIONS = [
    {"key": "api_calls", "name": "API calls", "rate": Decimal("0.01")},
    {"key": "storage_gb", "name": "Storage", "rate": Decimal("0.5")},
]
OPERATION = "6f1c1f6e-0a51-4c55-9a5e-0d2f6a1b7c3d"
OTHER_OPERATION = "0b8c6a52-7d3c-4f0e-8a43-5d1f0c9b2e11"


@dataclass(frozen=True, slots=True)
class Desk:
    client: Client
    control: httpx2.AsyncClient

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        return await self.client.call_tool(tool, arguments)

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured answer of a call that must succeed."""
        result = await self.call(tool, **arguments)
        assert not result.is_error, result.structured_content
        assert result.structured_content is not None
        facts: dict[str, Any] = result.structured_content
        assert facts["environment"] == "sandbox"
        return facts

    async def refused(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The error of a call that must fail."""
        result = await self.call(tool, **arguments)
        assert result.is_error, result.structured_content
        assert result.structured_content is not None
        error: dict[str, Any] = result.structured_content["error"]
        return error

    async def forget(self) -> None:
        """Lose our ledger, so that only the vendor knows what was reported."""
        assert isinstance(self.client.server, BillingServer)
        await forget(self.client.server)

    async def report(self, entitlement_id: str = "on-aws", **given: Any) -> dict[str, Any]:
        """Report usage, of 5 api_calls unless the body says otherwise."""
        body = {"records": {"api_calls": "5"}} | given.pop("body", {})
        return await self.ask(
            "report-usagerecordgroup", entitlementId=entitlement_id, body=body, **given
        )

    async def report_refused(self, entitlement_id: str = "on-aws", **given: Any) -> dict[str, Any]:
        return await self.refused("report-usagerecordgroup", entitlementId=entitlement_id, **given)

    async def wire(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the sandbox past our server; numbers come back exact."""
        response = await self.control.request(
            method, path, content=b"" if body is None else money.to_json(body)
        )
        assert response.status_code == 200, response.text
        return money.from_json(response.content)

    async def groups(self) -> list[Any]:
        """The usage record groups that the vendor has, newest first."""
        kept = await self.wire("GET", "/suger/org/sandbox/usageRecordGroup")
        groups: list[Any] = kept["usageRecordGroups"]
        return groups

    async def effects(self) -> list[str]:
        """What was really applied, by kind."""
        return [
            effect["kind"] for effect in (await self.wire("GET", "/control/effects"))["effects"]
        ]

    async def faults(self, *faults: dict[str, Any]) -> None:
        await self.wire("PUT", "/control/faults", list(faults))

    async def fired(self) -> list[int]:
        """How often each fault fired."""
        return [fault["fired"] for fault in await self.wire("GET", "/control/faults")]

    async def hourly_report(self, refuse: Iterable[str] = ()) -> None:
        body = {"refuse": list(refuse)}
        await self.wire("POST", "/control/jobs/marketplace-report", body)


async def _at_once(_: float) -> None:
    """Stands in for the waiting between tries."""


def open_for_business(server: BillingServer) -> None:
    """Fill the empty sandbox: buyers buyer-aws and buyer-gcp, each with an active entitlement,
    on-aws and on-gcp, of the dimensions api_calls and storage_gb and of the metric nodes.
    """
    sandbox = server.tenant.sandbox
    server.tenant.connection("suger").sleep = _at_once
    with sandbox.backend.transaction() as call:
        for partner in ("AWS", "GCP"):
            name = partner.lower()
            insert_buyer(
                call,
                id=f"buyer-{name}",
                partner=partner,
                external_id=f"customer-{name}",
                name=f"Buyer on {partner}",
                info={},
            )
            insert_entitlement(
                call,
                id=f"on-{name}",
                buyer_id=f"buyer-{name}",
                name=f"Entitlement on {partner}",
                product_id="prod-1",
                start_time=datetime(2026, 1, 1, tzinfo=UTC),
                info={
                    "dimensions": DIMENSIONS,
                    "billableDimensions": [{"billableMetricId": "nodes"}],
                },
                external_id=f"external-{name}",
            )
