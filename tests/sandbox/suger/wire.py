"""A way to ask a sandbox's Suger over HTTP, with exact numbers both ways."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import anyio
import httpx2

from billing_mcp import money
from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox
from billing_mcp.sandbox.suger.buyers import insert_buyer
from billing_mcp.sandbox.suger.entitlements import insert_entitlement

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
DIMENSIONS = [
    {"key": "api_calls", "name": "API calls", "rate": Decimal("0.01")},
    {"key": "storage_gb", "name": "Storage", "rate": Decimal("0.5")},
]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Wire:
    """Requests to a sandbox, with exact numbers both ways."""

    sandbox: Sandbox

    def raw(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> Any:
        async def ask() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.sandbox)
            async with httpx2.AsyncClient(transport=transport, base_url="http://sandbox") as client:
                return await client.request(method, path, content=content, headers=headers)

        return anyio.run(ask)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        """An operation below /org/sandbox."""
        return self.at(method, f"/suger/org/sandbox{path}", body, **query)

    def at(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        content = b"" if body is None else money.to_json(body)
        target = f"{path}?{httpx2.QueryParams(query)}" if query else path
        response = self.raw(method, target, content, {"Authorization": "Key test"})
        return Answer(response.status_code, money.from_json(response.content))

    def report(self, entitlement_id: str, **group: Any) -> Answer:
        body = {"organizationID": "sandbox", "entitlementID": entitlement_id, **group}
        return self.ask("POST", f"/entitlement/{entitlement_id}/usageRecordGroup", body)

    def run_job(self, body: Any = None) -> Any:
        answer = self.at("POST", "/control/jobs/marketplace-report", body)
        assert answer.status == 200, answer.body
        return answer.body

    def advance(self, duration: str) -> Any:
        answer = self.at("POST", "/control/clock", {"advance": duration})
        assert answer.status == 200, answer.body
        return answer.body

    def groups(self, **query: Any) -> list[Any]:
        found: list[Any] = self.ask("GET", "/usageRecordGroup", **query).body["usageRecordGroups"]
        return found

    def reports(self, **query: Any) -> list[Any]:
        found: list[Any] = self.ask("GET", "/usageRecordReport", **query).body["usageRecordReports"]
        return found

    def configure(self, **config: Any) -> None:
        body = {"partnerUsageMeteringConfigs": [config]}
        answer = self.ask("PATCH", "/usageMeteringConfigInfo", body)
        assert answer.status == 200, answer.body

    def metric(self, metric_id: str, aggregation: str, **info: Any) -> None:
        body = {
            "id": metric_id,
            "name": f"Metric {metric_id}",
            "aggregationType": aggregation,
            "info": info,
        }
        answer = self.ask("POST", "/billableMetric", body)
        assert answer.status == 200, answer.body

    def entitle(self, entitlement_id: str, buyer_id: str, **changes: Any) -> None:
        """Let the marketplace announce an entitlement."""
        info = changes.pop("info", {"dimensions": DIMENSIONS})
        with self.sandbox.backend.transaction() as call:
            insert_entitlement(
                call,
                id=entitlement_id,
                buyer_id=buyer_id,
                name=f"Entitlement {entitlement_id}",
                product_id="prod-1",
                start_time=BEGUN,
                info=info,
                external_id=f"external-{entitlement_id}",
                external_product_id="code-1",
                **changes,
            )


@contextmanager
def fresh_wire() -> Iterator[Wire]:
    """A sandbox at 2026-11-20T12:00:00Z with the buyers buyer-aws, buyer-azure and buyer-gcp.

    Each has one active entitlement, on-aws, on-azure, on-gcp, of both `DIMENSIONS`.
    """
    sandbox = open_sandbox(SandboxSettings(demo=False))
    wire = Wire(sandbox)
    with sandbox.backend.transaction() as call:
        for partner in ("AWS", "AZURE", "GCP"):
            name = partner.lower()
            info = {"awsBuyer": {"awsAccountID": "000000000001"}} if partner == "AWS" else {}
            insert_buyer(
                call,
                id=f"buyer-{name}",
                partner=partner,
                external_id=f"customer-{name}",
                name=f"Buyer on {partner}",
                info=info,
                contact_ids=[f"contact-{name}"],
            )
    for name in ("aws", "azure", "gcp"):
        wire.entitle(f"on-{name}", f"buyer-{name}")
    yield wire
    sandbox.close()
