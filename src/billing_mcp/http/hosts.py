"""For which names, and for pages of which sites, this server answers."""

import re
from urllib.parse import urlsplit

from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from billing_mcp.config import Settings
from billing_mcp.errors import one_line
from billing_mcp.http.refusals import refusal

# Probes come by the address of the machine, and learn nothing that others may not.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})

# The SDK takes whatever begins as `127.0.0.1:*` does for a port, `127.0.0.1:1@other.example` too.
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?"
_FORMS = {"host": re.compile(_HOST), "origin": re.compile(f"[a-z][a-z0-9+.-]*://{_HOST}")}
_STATUSES = {"host": 421, "origin": 403}

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def security_of(settings: Settings) -> TransportSecuritySettings:
    """Loopback by any name and port, and what the settings add."""
    return TransportSecuritySettings(
        allowed_hosts=[
            *(name for host in _LOOPBACK for name in (host, f"{host}:*")),
            *settings.allowed_hosts,
        ],
        allowed_origins=[
            *(f"http://{host}{port}" for host in _LOOPBACK for port in ("", ":*")),
            *_own_origin(settings),
            *settings.allowed_origins,
        ],
    )


def _own_origin(settings: Settings) -> list[str]:
    """The site of this server's own pages, as a browser names it, where it is known."""
    if settings.public_url is None:
        return []
    url = urlsplit(settings.public_url)
    return [f"{url.scheme}://{url.netloc}".lower()]


class Hosts:
    """Refuses a foreign `Host` (421) and `Origin` (403), and says which setting would allow it.

    Otherwise a page anywhere could have a browser ask a server that only its own machine reaches.
    """

    def __init__(self, app: ASGIApp, security: TransportSecuritySettings) -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        status = _malformed(request)
        if status is None:
            refused = await self._security.validate_request(request)
            status = None if refused is None else refused.status_code
        app = self._app if status is None else _explained(request, status)
        await app(scope, receive, send)


def _malformed(request: Request) -> int | None:
    """The status for a header that names neither a host nor a site, whatever it begins with."""
    for header, form in _FORMS.items():
        if any(form.fullmatch(given) is None for given in request.headers.getlist(header)):
            return _STATUSES[header]
    return None


def _explained(request: Request, status: int) -> Response:
    header, setting, name = {
        421: ("Host", "BILLING_MCP_ALLOWED_HOSTS", "misdirected-request"),
        403: ("Origin", "BILLING_MCP_ALLOWED_ORIGINS", "not-permitted"),
    }[status]
    path = request.scope["path"]
    given = one_line(request.headers.get(header, ""), 100)
    if not given:
        said = f"A request without {header} is not served."
        return refusal(path, name, said, text=f"{said}\n")
    said = f"{header} {given} is not served here."
    way_out = f"Whoever runs this server can add it to {setting}."
    return refusal(path, name, said, text=f"{said} {way_out}\n", next_step=way_out)
