"""Streamable HTTP: MCP at /mcp, stateless, on loopback until callers can be told apart."""

import socket
from collections.abc import Callable

import uvicorn
from mcp.server.transport_security import RequestBodyLimitMiddleware, TransportSecuritySettings
from starlette.applications import Starlette

from billing_mcp.config import Settings, hosting_trouble
from billing_mcp.credentials import SettingsError
from billing_mcp.http.front import Front
from billing_mcp.server import BillingServer

PATH = "/mcp"

# A body larger than this is refused with 413 before it is read.
BODY_LIMIT_BYTES = 4 * 1024 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def app(settings: Settings, server: BillingServer | None = None) -> Starlette:
    """The ASGI app. Foreign `Host` and `Origin` values are refused (421 and 403)."""
    security = TransportSecuritySettings(
        allowed_hosts=[
            *(name for host in _LOOPBACK for name in (host, f"{host}:*")),
            *settings.allowed_hosts,
        ],
        allowed_origins=[
            *(f"http://{host}{port}" for host in _LOOPBACK for port in ("", ":*")),
            *settings.allowed_origins,
        ],
    )
    application = (server or BillingServer(settings)).streamable_http_app(
        streamable_http_path=PATH,
        # Stateless, so that any replica answers any request. JSON is one write per answer; SSE
        # carries progress as well and costs a third of the throughput.
        stateless_http=True,
        json_response=not settings.http_sse,
        max_request_body_size=BODY_LIMIT_BYTES,
        transport_security=security,
    )
    application.add_middleware(Front, path=PATH, security=security)
    # The last one added is the first one asked.
    application.add_middleware(RequestBodyLimitMiddleware, max_body_size=BODY_LIMIT_BYTES)
    return application


def serve(settings: Settings, ready: Callable[[str], None] | None = None) -> None:
    """Serve until a signal; `ready` is told the address once the port is open.

    Raises `SettingsError` for an address that others can reach, or a port that is taken.
    """
    host, port = settings.http_host, settings.http_port
    if (trouble := hosting_trouble(settings)) is not None:
        raise SettingsError(trouble)
    served = uvicorn.Server(
        uvicorn.Config(
            app(settings),
            log_level=settings.log_level.lower(),
            access_log=False,
            timeout_graceful_shutdown=settings.upstream_timeout,
        )
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), port), family=family)
    except OSError as error:
        raise SettingsError(f"Port {port} of {host} cannot be opened: {error}.") from error
    with listener:
        if ready is not None:
            shown = f"[{host.strip('[]')}]" if family == socket.AF_INET6 else host
            ready(f"http://{shown}:{listener.getsockname()[1]}{PATH}")
        served.run(sockets=[listener])
