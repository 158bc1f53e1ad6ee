"""How a resource gets what it shows: through the one door, its failures told in our sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from billing_mcp import tools
from billing_mcp.catalog import Catalog
from billing_mcp.completions import Completions
from billing_mcp.errors import BillingError, one_line
from billing_mcp.tenants import Caller


@dataclass(frozen=True, slots=True)
class Content:
    """A resource as it was read."""

    text: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The thing that a URI names: what to call it, and how to find out which there are."""

    noun: str
    kind: str  # of `Completions`
    argument: str  # of the tool that shows it
    listed_by: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads for one caller, as this caller may."""

    catalog: Catalog
    completions: Completions
    caller: Caller

    def refusal(self, tool: str) -> BillingError | None:
        return self.catalog.refusal(tool, self.caller)

    async def one(self, tool: str, wanted: Wanted, name: str, **others: Any) -> dict[str, Any]:
        """A single thing, whole. Raises `ResourceNotFoundError`, or `ResourceError` for trouble."""
        arguments = {wanted.argument: name, **others}
        outcome = await self.catalog.run(tool, arguments, self.caller, whole=True)
        if not outcome.is_error:
            return outcome.structured
        error = outcome.structured["error"]
        if error["kind"] not in ("not-found", "invalid-request"):
            raise ResourceError(outcome.text)
        # An id of a form that no id has names nothing either; a version is no id.
        if others.get("version") is not None or error.get("field", wanted.argument) != (
            wanted.argument
        ):
            raise ResourceNotFoundError(outcome.text)
        raise await self.missing(wanted, name)

    async def rows(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A page of a list. Raises `ResourceError` for trouble."""
        outcome = await self.catalog.run(tool, arguments, self.caller)
        if not outcome.is_error:
            return outcome.structured
        if outcome.structured["error"]["kind"] == "invalid-request":
            raise ResourceNotFoundError(outcome.text)
        raise ResourceError(outcome.text)

    async def missing(self, wanted: Wanted, name: str) -> ResourceNotFoundError:
        """That there is no such thing, and which there are that look like it."""
        near = await self.completions.near(wanted.kind, name, self.caller)
        where = wanted.listed_by
        if where in tools.MODULES and where not in self.catalog.served_to(self.caller):
            where = f"{where}, through run-read-tool,"
        hint = f"Near ones: {', '.join(near)}. " if near else ""
        return ResourceNotFoundError(
            f'There is no {wanted.noun} "{one_line(name, 80)}". '
            f"{hint}{where} shows those there are."
        )
