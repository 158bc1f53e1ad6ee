"""What a model can read before it acts: price plans, schemas, guides and single things, by URI."""

from dataclasses import dataclass

from mcp.server import CacheHint
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.types import Resource, ResourceTemplate

from billing_mcp.catalog import Catalog
from billing_mcp.tenants import Caller


@dataclass(frozen=True, slots=True)
class Content:
    """A resource as it was read."""

    text: str
    mime_type: str


class Resources:
    """The resources under given settings."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def listed(self) -> list[Resource]:
        return []

    def templates(self) -> list[ResourceTemplate]:
        return []

    def owns(self, uri: str) -> bool:
        return uri.startswith("billing://")

    def freshness(self, uri: str) -> CacheHint:
        """How long what is read there stays right, and for whom."""
        _ = uri
        return CacheHint()

    def completed_by(self, template: str, parameter: str) -> str | None:
        """The kind of thing a parameter of a template names, for `Completions`."""
        _ = template, parameter
        return None

    async def read(self, uri: str, caller: Caller) -> Content:
        """Read one. Raises `ResourceNotFoundError` when there is none of that URI."""
        _ = caller
        raise ResourceNotFoundError(f"There is no resource {uri}.")
