"""Ids and names that complete what somebody has begun to type, asked from the vendor."""

from collections.abc import Mapping

from billing_mcp.catalog import Catalog
from billing_mcp.tenants import Caller


class Completions:
    """What there is to complete with, kept for a short while for each tenant."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def values(
        self, kind: str, begun: str, caller: Caller, known: Mapping[str, str]
    ) -> list[str]:
        """At most 100 values of a kind that begin so; `known` are arguments already given."""
        _ = kind, begun, caller, known
        return []

    async def near(self, kind: str, wanted: str, caller: Caller) -> list[str]:
        """At most three values of a kind that look like a wrong one."""
        _ = kind, wanted, caller
        return []
