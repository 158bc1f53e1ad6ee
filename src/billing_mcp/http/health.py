"""What those who run the server ask of it: does it live, can it reach the vendors, how much it did.

/healthz and /readyz are open to everybody and name no tenant. /metrics is for this machine, or for
whoever has a valid token: behind a proxy the peer is who the proxy says it is.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import anyio
from mcp.server.auth.middleware.auth_context import get_access_token
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from billing_mcp import errors
from billing_mcp.catalog import Catalog
from billing_mcp.config import Settings
from billing_mcp.credentials import Vendor, is_loopback
from billing_mcp.doctor import PROBES
from billing_mcp.http.metrics import MEDIA_TYPE, Metrics
from billing_mcp.server import BillingServer
from billing_mcp.tenants import Tenant
from billing_mcp.upstream import Binding

logger = logging.getLogger(__name__)

PROBE_DEADLINE_S = 5
FRESH_S = 30

NOT_KEPT = {"cache-control": "no-store"}

State = Literal["ok", "refused", "unreachable"]


@dataclass(frozen=True, slots=True)
class VendorState:
    """How many of the tenants that have a key for a vendor can read from it.

    It is `ok` when one of them can: a tenant's bad key is no reason to take the server away from
    the others. `refused` means that the vendor is there and takes none of the keys.
    """

    state: State
    tenants: int
    reachable: int


class Readiness:
    """Asks each tenant's vendors, at most once in a while, however many want to know."""

    def __init__(
        self,
        server: BillingServer,
        clock: Callable[[], float] = time.monotonic,
        deadline_s: float = PROBE_DEADLINE_S,
    ) -> None:
        self._tenants = tuple(server.tenants.values())
        # The probes must work whatever toolsets are served.
        settings = Settings(tenants=server.catalog.settings.tenants, toolsets=("all",))
        self._catalog = Catalog(settings)
        self._clock = clock
        self._deadline_s = deadline_s
        self._lock = anyio.Lock()
        self._asked_at: float | None = None
        self._found: dict[Vendor, VendorState] = {}

    async def found(self) -> dict[Vendor, VendorState]:
        """The state of each vendor that a tenant has a key for."""
        async with self._lock:
            now = self._clock()
            if self._asked_at is None or now - self._asked_at >= FRESH_S:
                self._found = await self._ask()
                self._asked_at = now
            return self._found

    async def _ask(self) -> dict[Vendor, VendorState]:
        states: dict[Vendor, list[State]] = {}

        async def ask(tenant: Tenant, vendor: Vendor) -> None:
            states[vendor].append(await self._probed(tenant, vendor))

        async with anyio.create_task_group() as group:
            for vendor in PROBES:
                for tenant in self._tenants:
                    if tenant.settings.has(vendor):
                        states.setdefault(vendor, [])
                        group.start_soon(ask, tenant, vendor)
        return {vendor: _together(found) for vendor, found in states.items()}

    async def _probed(self, tenant: Tenant, vendor: Vendor) -> State:
        if tenant.settings.sandboxed:
            return "ok"  # embedded: there is nothing to reach
        try:
            await self._read(tenant, vendor)
        except errors.RateLimited:
            return "ok"  # it answers, and takes the key
        except errors.BillingError as error:
            logger.warning("Tenant %s: %s", tenant.name, error.message)
            return "unreachable" if isinstance(error, errors.Unavailable) else "refused"
        return "ok"

    async def _read(self, tenant: Tenant, vendor: Vendor) -> None:
        """Past the door: no policy of a tenant forbids it, and it counts as no call."""
        name, arguments = PROBES[vendor]
        built = self._catalog.built(name)
        binding = Binding(name, built.declaration.route or "", org_id=tenant.settings.organisation)
        handle = built.shape.handle(tenant.connection(vendor), binding, self._deadline_s)
        await built.declaration.function(handle, **arguments)


def _together(states: list[State]) -> VendorState:
    reachable = states.count("ok")
    state: State = "ok" if reachable else "refused" if "refused" in states else "unreachable"
    return VendorState(state, len(states), reachable)


def routes(metrics: Metrics, readiness: Readiness) -> list[BaseRoute]:
    """/healthz, /readyz and /metrics."""

    async def healthz(request: Request) -> Response:
        _ = request
        return JSONResponse({"status": "ok"}, headers=NOT_KEPT)

    async def readyz(request: Request) -> Response:
        _ = request
        found = await readiness.found()
        ready = all(vendor.state == "ok" for vendor in found.values())
        shown: dict[str, Any] = {name: asdict(vendor) for name, vendor in found.items()}
        return JSONResponse({"ready": ready, "vendors": shown}, 200 if ready else 503, NOT_KEPT)

    async def figures(request: Request) -> Response:
        if get_access_token() is None and not _is_local(request):
            said = "Metrics are for this machine, or for a caller with a valid token.\n"
            return PlainTextResponse(said, 403, NOT_KEPT)
        return Response(metrics.text(), 200, NOT_KEPT, MEDIA_TYPE)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", figures),
    ]


def _is_local(request: Request) -> bool:
    return request.client is not None and is_loopback(request.client.host)
