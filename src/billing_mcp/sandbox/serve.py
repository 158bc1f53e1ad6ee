"""The sandbox on a loopback port, with connections that a fault can really abort."""

import ipaddress
import socket
import struct
from collections.abc import Callable
from typing import Any

import anyio
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from billing_mcp.sandbox.app import ABORT, Sandbox

# SO_LINGER with no time to linger: closing sends RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)


class _AbortableProtocol(H11Protocol):
    """uvicorn's protocol, which also hands the app a way to abort its connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # uvicorn copies this into the scope's state at each request.
        self.app_state = {**self.app_state, ABORT: self._abort}

    def _abort(self) -> None:
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()


async def serve(
    sandbox: Sandbox,
    host: str = "127.0.0.1",
    port: int = 9070,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until a signal or a cancellation. `ready` is called with the port once it is open.

    Raises `ValueError` for a host that is not loopback (the sandbox checks no key), `OSError` when
    the port is taken.
    """
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"the sandbox serves on loopback only, not on {host}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    config = uvicorn.Config(
        sandbox,
        http=_AbortableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with listener:
        if ready is not None:
            ready(listener.getsockname()[1])
        try:
            await server.serve(sockets=[listener])
        except BaseException:
            if server.started:
                with anyio.CancelScope(shield=True):
                    await server.shutdown(sockets=[listener])
            raise
