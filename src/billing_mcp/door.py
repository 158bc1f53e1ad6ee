"""The catalogue as a tool sees it that finds or runs other tools."""

from collections.abc import Mapping
from typing import Any, Protocol

from billing_mcp.errors import BillingError
from billing_mcp.guard.operations import Filters, Listing, Operation
from billing_mcp.results import Outcome


class Door(Protocol):
    """What one caller may reach: more than is listed, never more than is allowed."""

    def is_served(self, name: str) -> bool:
        """Whether the tool is listed, so that it can be called directly."""
        ...

    def refusal(self, name: str) -> BillingError | None:
        """Why this caller cannot have a tool that exists; None when it can."""
        ...

    def schema(self, name: str) -> dict[str, Any] | None:
        """The tool as it would be listed, or None when there is none of that name."""
        ...

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Outcome:
        """Call a tool as if it were listed: the same checks, the same outcome."""
        ...

    async def operation(self, operation_id: str) -> Operation | None:
        """A write of the caller's tenant; one that nobody holds any more is decided first."""
        ...

    async def operations(self, filters: Filters, size: int, after: str | None) -> Listing:
        """Writes of the caller's tenant. Raises `ValueError` for an `after` that no page gave."""
        ...
