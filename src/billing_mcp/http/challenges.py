"""What a caller without the right token is told: RFC 6750 challenges, RFC 9728 documents."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from mcp.server.auth.handlers.metadata import ProtectedResourceMetadataHandler
from mcp.server.auth.routes import cors_middleware
from mcp.shared.auth import ProtectedResourceMetadata
from starlette.routing import Route

from billing_mcp.config import Settings
from billing_mcp.scopes import READ, SCOPES

MCP_PATH = "/mcp"
WELL_KNOWN = "/.well-known/oauth-protected-resource"

# What may not stand in a parameter of a challenge (RFC 6750, 3).
_UNQUOTABLE = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


def resources(public_url: str) -> dict[str, str]:
    """This server's names in tokens (RFC 8707): the whole of it, and its MCP endpoint; by path.

    The URL of the endpoint itself may be given as well.
    """
    base = public_url.rstrip("/").removesuffix(MCP_PATH)
    return {"": base, MCP_PATH: base + MCP_PATH}


class Challenges:
    """The `WWW-Authenticate` values of a server, and the documents that they lead to.

    A server that takes API keys alone has no documents: a client must not be sent looking for an
    authorization server that is not there.
    """

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.auth_issuer
        self._resources: Mapping[str, str] = {}
        if settings.auth_issuer is not None and settings.public_url is not None:
            self._resources = resources(settings.public_url)

    def missing(self, path: str, scope: str = READ) -> str:
        """For a request without a token."""
        return self._challenge(path, scope=scope)

    def invalid(self, path: str, reason: str, scope: str = READ) -> str:
        """For a token that is refused; `reason` is a sentence of ours."""
        return self._challenge(path, error="invalid_token", error_description=reason, scope=scope)

    def insufficient(self, path: str, scope: str) -> str:
        """For a token that lacks the scope that an operation needs.

        Names what the operation needs and no more; the client adds what it has (2026-07-28).
        """
        return self._challenge(path, error="insufficient_scope", scope=scope)

    def insufficient_for_rest(self, scope: str) -> str:
        """The same for every path under /v1."""
        return self.insufficient("", scope)

    def routes(self) -> list[Route]:
        """The RFC 9728 documents."""
        # The SDK's own routes would write an issuer's URL in another form than the issuer does,
        # and a client compares it letter by letter.
        return [self._route(resource) for resource in self._resources.values()]

    def _route(self, resource: str) -> Route:
        document = ProtectedResourceMetadata.model_validate(
            {
                "resource": resource,
                "authorization_servers": [self._issuer],
                "scopes_supported": list(SCOPES),
                "bearer_methods_supported": ["header"],
                "resource_name": "Billing",
            }
        )
        handle = ProtectedResourceMetadataHandler(document).handle
        methods = ["GET", "OPTIONS"]
        return Route(
            _document_path(resource), endpoint=cors_middleware(handle, methods), methods=methods
        )

    def _challenge(self, path: str, **parameters: str) -> str:
        if self._resources:
            resource = self._resources[MCP_PATH if path == MCP_PATH else ""]
            url = urlsplit(resource)
            document = f"{url.scheme}://{url.netloc}{_document_path(resource)}"
            parameters = {"resource_metadata": document, **parameters}
        return "Bearer " + ", ".join(
            f'{name}="{_UNQUOTABLE.sub("?", value)}"' for name, value in parameters.items()
        )


def _document_path(resource: str) -> str:
    """Between the host and the path of what it describes (RFC 9728, 3.1)."""
    return WELL_KNOWN + urlsplit(resource).path
