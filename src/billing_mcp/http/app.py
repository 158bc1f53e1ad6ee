"""The HTTP app: MCP at /mcp, stateless, what stands before it, and what its keepers ask."""

import time
from collections.abc import Callable

from starlette.applications import Starlette

from billing_mcp import logs
from billing_mcp.config import Settings, hosting_trouble
from billing_mcp.credentials import SettingsError
from billing_mcp.http import approvals, health, rest, serving
from billing_mcp.http.access import SECRET_TYPES, Access
from billing_mcp.http.auth import Authentication
from billing_mcp.http.front import Front
from billing_mcp.http.hosts import Hosts, security_of
from billing_mcp.http.metrics import Metrics
from billing_mcp.http.patience import BodyDeadline
from billing_mcp.http.rate_limit import RateLimit, RestRateLimit
from billing_mcp.http.refusals import BodyLimit, crashed
from billing_mcp.http.token_gate import TokenGate
from billing_mcp.server import BillingServer
from billing_mcp.telemetry import Several

PATH = "/mcp"

# A body larger than this is refused with 413 before it is read.
BODY_LIMIT_BYTES = 4 * 1024 * 1024


def app(
    settings: Settings,
    server: BillingServer | None = None,
    metrics: Metrics | None = None,
    clock: Callable[[], float] = time.monotonic,
    authentication: Authentication | None = None,
) -> Starlette:
    """The ASGI app. A server that is given tells `metrics` of its calls if it was made to.

    Raises `SettingsError` for a file of API keys that cannot be used.
    """
    if authentication is None and settings.authenticated:
        authentication = Authentication(settings)
    metrics = metrics or Metrics()
    server = server or BillingServer(settings, Several((metrics, logs.CallLog())))
    security = security_of(settings)
    application = server.streamable_http_app(
        streamable_http_path=PATH,
        # Stateless, so that any replica answers any request. JSON is one write per answer; SSE
        # carries progress as well and costs a third of the throughput.
        stateless_http=True,
        json_response=not settings.http_sse,
        max_request_body_size=BODY_LIMIT_BYTES,
        transport_security=security,
    )
    application.router.routes.extend(health.routes(metrics, health.Readiness(server, clock)))
    if authentication is None:
        application.router.routes.extend([*rest.routes(server), *approvals.no_routes()])
    else:
        challenges = authentication.challenges
        application.router.routes.extend(rest.routes(server, challenges.insufficient_for_rest))
        application.router.routes.extend(approvals.routes(server, challenges, metrics))
        application.router.routes.extend(challenges.routes())
    limit = RateLimit(server, metrics, clock)
    # The last one added is the first one asked: who may ask at all is settled before a body is
    # kept in memory, and what the body is before it counts as a call.
    application.add_middleware(Front, path=PATH, limit=limit.of_message)
    application.add_middleware(RestRateLimit, limit=limit)
    application.add_middleware(BodyLimit, most_bytes=BODY_LIMIT_BYTES)
    application.add_middleware(BodyDeadline)
    if authentication is not None:
        server.asks_for_tokens = True
        needed = server.catalog.needed_scope
        application.add_middleware(TokenGate, authentication=authentication, needed=needed)
    application.add_middleware(Hosts, security=security)
    application.add_middleware(Access, metrics=metrics)
    application.add_exception_handler(Exception, crashed)
    return application


def serve(settings: Settings, ready: Callable[[str], None] | None = None) -> None:
    """Serve until a signal; `ready` is told the address once the port is open.

    Raises `SettingsError` for an address that others can reach, or a port that is taken.
    """
    if (trouble := hosting_trouble(settings)) is not None:
        raise SettingsError(trouble)
    logs.configure(settings, as_json=True, secret_types=SECRET_TYPES)
    host = settings.http_host.strip("[]")
    shown = f"[{host}]" if ":" in host else host

    def opened(port: int) -> None:
        if ready is not None:
            ready(f"http://{shown}:{port}{PATH}")

    serving.serve(app(settings), settings, opened)
