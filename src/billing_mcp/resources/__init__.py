"""What a model can read before it acts: price plans, schemas, guides and single things, by URI.

What it takes is imported when somebody lists, reads or completes: a server that is only asked for
its tools starts without.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from mcp.server import CacheHint
from mcp.types import Resource, ResourceTemplate

from billing_mcp.catalog import Catalog
from billing_mcp.tenants import Caller

if TYPE_CHECKING:
    from billing_mcp.completions import Completions
    from billing_mcp.resources.library import Library
    from billing_mcp.resources.reading import Content

SCHEME = "billing://"


class Resources:
    """The resources under given settings, and what completes their ids."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @cached_property
    def completions(self) -> "Completions":
        """What ids and names there are, whoever asks: a template or a prompt."""
        from billing_mcp.completions import Completions

        completions = Completions(self._catalog)
        self._library.offer_to(completions)
        return completions

    @cached_property
    def _library(self) -> "Library":
        from billing_mcp.resources.library import Library

        return Library(self._catalog)

    def owns(self, uri: str) -> bool:
        return uri[: len(SCHEME)].lower() == SCHEME

    def listed(self, caller: Caller) -> list[Resource]:
        return self._library.listed(caller)

    def templates(self, caller: Caller) -> list[ResourceTemplate]:
        return self._library.templates(caller)

    def freshness(self, uri: str) -> CacheHint:
        """How long what is read there stays right, and for whom."""
        return self._library.freshness(uri)

    def completed_by(self, template: str, parameter: str) -> str | None:
        """The kind of thing a parameter of a template names, for `completions`."""
        return self._library.completed_by(template, parameter)

    async def read(self, uri: str, caller: Caller) -> "Content":
        """Read one. Raises `ResourceNotFoundError` when there is none of that URI, and
        `ResourceError` when it cannot be read now or not here."""
        return await self._library.read(uri, caller, self.completions)
