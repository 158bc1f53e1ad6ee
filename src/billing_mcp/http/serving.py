"""The process that serves: its port, its limits, and an end that lets calls settle."""

import logging
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import uvicorn
from starlette.types import ASGIApp

from billing_mcp.config import Settings
from billing_mcp.credentials import SettingsError
from billing_mcp.http.patience import PatientProtocol

if sys.platform != "win32":
    import resource

logger = logging.getLogger(__name__)

# Longer than a proxy in front keeps a connection that it uses no more (nginx: 60 s), or it would
# now and then send a request into one that is just being closed.
KEEP_ALIVE_S = 75
# A call that fails at its own deadline must still be able to say so.
SETTLING_S = 2
# Each idle connection is an open file, and the usual limit of a process is 1,024.
OPEN_FILES = 65_536


class _Announcing(uvicorn.Server):
    """Says that it is there when it listens, and a signal would end it as it should."""

    def __init__(self, config: uvicorn.Config, opened: Callable[[], None]) -> None:
        super().__init__(config)
        self._opened = opened

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._opened()


def serve(application: ASGIApp, settings: Settings, ready: Callable[[int], None]) -> None:
    """Serve until a signal; `ready` is told the port once it is open.

    SIGTERM: no more connections, calls going on may end, then the process ends with 0. Raises
    `SettingsError` for a port that cannot be opened.
    """
    host, port = settings.http_host.strip("[]"), settings.http_port
    _raise_limit_of_open_files()
    config = uvicorn.Config(
        application,
        http=PatientProtocol,
        ws="none",
        log_config=None,
        log_level=settings.log_level.lower(),
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.upstream_timeout + SETTLING_S,
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(f"Port {port} of {host} cannot be opened: {error}.") from error
    # uvicorn takes the signal, and when all is done raises it again for whoever had it before.
    signal.signal(signal.SIGTERM, _end)
    with listener:
        number = listener.getsockname()[1]
        _Announcing(config, lambda: ready(number)).run(sockets=[listener])


def _end(number: int, frame: FrameType | None) -> NoReturn:
    _ = number, frame
    raise SystemExit(0)


def _raise_limit_of_open_files() -> None:
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except OSError as error:
            logger.warning("At most %d connections: the limit cannot be raised: %s", soft, error)
