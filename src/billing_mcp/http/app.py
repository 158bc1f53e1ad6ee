"""Streamable HTTP: MCP at /mcp, stateless, on loopback until callers can be told apart."""

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette

from billing_mcp.config import Settings, SettingsError, is_loopback
from billing_mcp.server import BillingServer

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
    return (server or BillingServer(settings)).streamable_http_app(
        streamable_http_path="/mcp",
        # Stateless, so that any replica answers any request. JSON is one write per answer; SSE
        # carries progress as well and costs a third of the throughput.
        stateless_http=True,
        json_response=not settings.http_sse,
        max_request_body_size=BODY_LIMIT_BYTES,
        transport_security=security,
    )


def serve(settings: Settings) -> None:
    """Serve until a signal. Raises `SettingsError` for an address that others can reach."""
    if not is_loopback(settings.http_host):
        raise SettingsError(
            f"http listens on loopback only, not on {settings.http_host}: callers are not "
            "authenticated yet, and anyone who reaches the port could use your vendor keys."
        )
    uvicorn.run(
        app(settings),
        host=settings.http_host,
        port=settings.http_port,
        log_level=settings.log_level.lower(),
        access_log=False,
        timeout_graceful_shutdown=settings.upstream_timeout,
    )
