"""The one door to every tool, and which tools there are behind it.

A declaration only records a tool; which tools a server has is chosen later, from the table of
contents in `tools/__init__.py`, without importing one of them. A tool is built (its argument model,
its schemas) at its first call. MCP, REST and tools that run tools all go through `Catalog.invoke`.
"""

import difflib
import importlib
import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any
from uuid import UUID, uuid4

from pydantic import ValidationError

from billing_mcp import errors, results, scopes, tools
from billing_mcp.config import Settings
from billing_mcp.credentials import SettingsError, TenantSettings
from billing_mcp.declarations import Declaration
from billing_mcp.params import FOUND_BY
from billing_mcp.results import Envelope, Outcome
from billing_mcp.shapes import Shape, shape_of
from billing_mcp.telemetry import CANCELLED, OK, Call
from billing_mcp.tenants import VENDOR_NAMES, Caller
from billing_mcp.upstream import Binding
from billing_mcp.validation import invalid_arguments, nearest

logger = logging.getLogger(__name__)


def shipped_schemas() -> dict[str, dict[str, Any]]:
    """The tools as `tools/list` shows them, from the file in the package; by name.

    A test proves that the file equals what the code builds.
    """
    text = resources.files("billing_mcp").joinpath("schemas.json").read_text(encoding="utf-8")
    return {tool["name"]: tool for tool in json.loads(text)}


@dataclass(frozen=True, slots=True)
class Built:
    """A tool that can be called."""

    declaration: Declaration
    shape: Shape


class Catalog:
    """The tools under given settings: which are served, and the door they are called through."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._schemas = shipped_schemas()
        self._built: dict[str, Built] = {}
        self._selected = {tenant.name: self._select(tenant) for tenant in settings.tenants}

    @property
    def served(self) -> tuple[str, ...]:
        """What is served to the first tenant, in the order of the table of contents."""
        return self.selected(self.settings.tenant)

    def selected(self, tenant: TenantSettings) -> tuple[str, ...]:
        """What is served to a tenant, whoever calls for it."""
        return self._selected[tenant.name]

    def served_to(self, caller: Caller) -> tuple[str, ...]:
        """What is served to a caller: the tools of their tenant that their scopes permit."""
        selected = self.selected(caller.tenant.settings)
        if caller.scopes >= scopes.ALL:
            return selected
        return tuple(name for name in selected if self.is_served(name, caller))

    def is_served(self, name: str, caller: Caller) -> bool:
        """Whether a caller finds a tool of that name in the list."""
        selected = name in self.selected(caller.tenant.settings)
        return selected and self.needed_scope(name) in caller.scopes

    def listed(self, caller: Caller) -> list[dict[str, Any]]:
        """What a client lists."""
        return [self._schemas[name] for name in self.served_to(caller)]

    def needed_scope(self, name: str) -> str:
        """The scope that a call of a tool needs. Raises `KeyError` for an unknown tool."""
        reads = self._schemas[name]["annotations"]["readOnlyHint"]
        return scopes.READ if reads else scopes.WRITE

    def schema(self, name: str) -> dict[str, Any]:
        """A tool as it is published."""
        return self._schemas[name]

    def _select(self, tenant: TenantSettings) -> tuple[str, ...]:
        where = "" if self.settings.tenants_file is None else f"tenants.{tenant.name}."
        toolsets = self.settings.toolsets if tenant.toolsets is None else tenant.toolsets
        chosen = (
            _names_of_toolsets(toolsets)
            | _known("BILLING_MCP_TOOLS", self.settings.tools)
            | _known(f"{where}tools", tenant.tools)
        )
        _known("BILLING_MCP_EXCLUDE_TOOLS", self.settings.exclude_tools)
        _known(f"{where}exclude_tools", tenant.exclude_tools)
        return tuple(
            name for name in tools.MODULES if name in chosen and self._barred(name, tenant) is None
        )

    def refusal(self, name: str, caller: Caller) -> errors.BillingError | None:
        """Why a caller may not have a tool that exists, listed or not; None when they may."""
        barred = self._barred(name, caller.tenant.settings)
        if barred is None and self.needed_scope(name) not in caller.scopes:
            return errors.NotPermitted(
                f"{name} needs the scope {self.needed_scope(name)}, which this token lacks.",
                next_step="Ask for a token with that scope, from whoever gave you this one.",
            )
        return barred

    def _barred(self, name: str, tenant: TenantSettings) -> errors.BillingError | None:
        """Why a tool may not be called for a tenant, whoever asks for it."""
        changes = not self._schemas[name]["annotations"]["readOnlyHint"]
        if tenant.read_only and changes:
            return errors.NotPermitted(f"{name} changes data, and {tenant.name} is read-only here.")
        if self.settings.read_only and changes:
            return errors.NotPermitted(
                f"{name} changes data, and this server is read-only.",
                next_step="Whoever runs it can start it without --read-only.",
            )
        if name in self.settings.exclude_tools or name in tenant.exclude_tools:
            return errors.NotPermitted(f"{name} is excluded on this server.")
        vendor = tools.vendor_of(name)
        if vendor is not None and not tenant.has(vendor):
            return errors.NotConfigured(
                f"{name} needs {VENDOR_NAMES[vendor]}, and this server has no key for it.",
                next_step=f"Whoever runs it can set {vendor.upper()}_API_KEY.",
            )
        return None

    def built(self, name: str) -> Built:
        """The tool, built at its first use: importing its module and making its models."""
        if name not in self._built:
            module = importlib.import_module(tools.MODULES[name])
            declaration: Declaration = module.toolset.declarations[name]
            self._built[name] = Built(declaration, shape_of(declaration))
        return self._built[name]

    async def invoke(self, name: str, arguments: Mapping[str, Any], caller: Caller) -> Outcome:
        """The one door: validate, call, wrap. Every failure is an outcome, never an exception."""
        return await self._watched(name, arguments, caller, listed=True)

    async def run(
        self, name: str, arguments: Mapping[str, Any], caller: Caller, *, whole: bool = False
    ) -> Outcome:
        """As `invoke`, for any tool of these settings, listed or not: what other parts of this
        server and the tools that run tools come in by. `whole` is for a part that pages a single
        thing itself: nothing of it is left out for its size."""
        return await self._watched(name, arguments, caller, listed=False, whole=whole)

    async def _watched(
        self,
        name: str,
        arguments: Mapping[str, Any],
        caller: Caller,
        *,
        listed: bool,
        whole: bool = False,
    ) -> Outcome:
        """Let the call in, and tell whoever watches its tenant how it ended."""
        tool = name if name in tools.MODULES else "unknown"
        observer = caller.tenant.observer
        operation_id, ended = None, CANCELLED
        observer.call_began(tool)
        began = time.perf_counter()
        try:
            outcome = await self._let_in(name, arguments, caller, listed=listed, whole=whole)
            error = outcome.structured["error"] if outcome.is_error else {}
            ended = error.get("kind", OK)
            operation_id = (error or outcome.structured).get("operationId")
            return outcome
        finally:
            observer.call_ended(
                Call(
                    tool,
                    caller.tenant.name,
                    caller.principal,
                    caller.client,
                    operation_id,
                    ended,
                    time.perf_counter() - began,
                )
            )

    async def _let_in(
        self,
        name: str,
        arguments: Mapping[str, Any],
        caller: Caller,
        *,
        listed: bool,
        whole: bool,
    ) -> Outcome:
        known = self.is_served(name, caller) if listed else name in tools.MODULES
        if not known or self.refusal(name, caller) is not None:
            return results.failure(
                self._unserved(name, caller), Envelope(caller.tenant.environment())
            )
        built = self.built(name)
        binding = self._binding(built, arguments, caller)
        envelope = Envelope(caller.tenant.environment(tools.vendor_of(name)))
        try:
            result, detail, given = await self._call(built, arguments, binding, caller)
            if isinstance(result, Outcome):
                return result
            envelope = _envelope(binding, envelope)
            owner = caller.tenant.name
            return results.success(result, detail, envelope, given, owner, whole=whole)
        except errors.BillingError as error:
            _point_to_ids(error, arguments)
            return results.failure(error, _envelope(binding, envelope))
        # The boundary of the server: whatever went wrong inside is logged here, once, and its text
        # stays here, because only sentences that we wrote may reach a model.
        except Exception:
            logger.exception("%s crashed", name)
            return results.failure(_crash(built, binding), _envelope(binding, envelope))

    async def _call(
        self, built: Built, arguments: Mapping[str, Any], binding: Binding, caller: Caller
    ) -> tuple[results.Result | Outcome, results.Detail, dict[str, Any]]:
        declaration, shape = built.declaration, built.shape
        try:
            given = shape.validate(arguments)
        except ValidationError as error:
            raise invalid_arguments(
                declaration.name, shape.arguments, error, declaration.short_form
            ) from error
        detail = given.pop("detail", "concise")
        if "operationId" in given:
            binding.operation_given = given.pop("operationId") is not None
        passed, skipped = dict(given), 0
        if "nextToken" in given:
            skipped, passed["nextToken"] = results.resumed(given, caller.tenant.name)
        vendor = tools.vendor_of(declaration.name)
        handle: Any = _Door(self, caller)
        if vendor is not None:
            handle = shape.handle(caller.tenant.connection(vendor), binding)
        result = await declaration.function(handle, **passed)
        if isinstance(result, results.TokenPage):
            result = result.after(skipped)
        return result, detail, given

    def _binding(self, built: Built, arguments: Mapping[str, Any], caller: Caller) -> Binding:
        declaration = built.declaration
        write = declaration.write
        return Binding(
            tool=declaration.name,
            route=declaration.route or "",
            writes=write is not None,
            dedupes=write is not None and write.key is not None,
            find_out=None if write is None else write.find_out,
            operation_id=_operation_id(arguments.get("operationId")) if write is not None else "",
            org_id=caller.tenant.settings.organisation,
            progress=caller.progress,
        )

    def _unserved(self, name: str, caller: Caller) -> errors.BillingError:
        if name in tools.MODULES:
            return self.refusal(name, caller) or errors.NotPermitted(
                f"{name} is not among the toolsets this server serves.",
                next_step=f"Whoever runs it can add --tools {name}.",
            )
        near = nearest(name, self.served_to(caller), 3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "tools/list names those there are."
        quoted = errors.one_line(name, 60)
        return errors.NotFound(f'There is no tool "{quoted}".', next_step=hint)


@dataclass(frozen=True, slots=True)
class _Door:
    """The catalogue as one caller's tool that finds or runs others sees it."""

    catalog: Catalog
    caller: Caller

    def is_served(self, name: str) -> bool:
        return self.catalog.is_served(name, self.caller)

    def refusal(self, name: str) -> errors.BillingError | None:
        return self.catalog.refusal(name, self.caller)

    def schema(self, name: str) -> dict[str, Any] | None:
        return self.catalog.schema(name) if name in tools.MODULES else None

    async def run(self, name: str, arguments: Mapping[str, Any]) -> Outcome:
        return await self.catalog.run(name, arguments, self.caller)


def _operation_id(given: object) -> str:
    """The caller's id if it is one, else a new one: an error of a write has an id as well."""
    try:
        return str(UUID(given)) if isinstance(given, str) else str(uuid4())
    except ValueError:
        return str(uuid4())


def _envelope(binding: Binding, before: Envelope) -> Envelope:
    return Envelope(
        binding.environment or before.environment,
        binding.operation_id or None,
        binding.replayed,
    )


def _crash(built: Built, binding: Binding) -> errors.BillingError:
    """A crash after the request may have left is not a failure we can vouch for."""
    name = built.declaration.name
    if binding.sent and built.declaration.write is not None:
        return errors.OutcomeUnknown(
            f"{name} broke inside this server; whether the write was applied is not known.",
            next_step=f"Do not repeat it before you know: {built.declaration.write.find_out}.",
        )
    return errors.Unavailable(
        f"{name} broke inside this server.",
        next_step="This is a defect of the server, not of the arguments; its log has the details.",
    )


def _point_to_ids(error: errors.BillingError, arguments: Mapping[str, Any]) -> None:
    """Tell which tool shows the ids, when the vendor knows no such thing."""
    if isinstance(error, errors.NotFound) and error.next_step is None:
        for name in reversed(list(arguments)):
            if name in FOUND_BY:
                error.field = name
                also = " Check orgId as well." if arguments.get("orgId") else ""
                error.next_step = f"Check {name}; {FOUND_BY[name]} shows those there are.{also}"
                return
        if arguments.get("orgId"):
            error.field = "orgId"
            error.next_step = "Check orgId; without it the organisation of this server is meant."


def _names_of_toolsets(chosen: Iterable[str]) -> set[str]:
    names: set[str] = set()
    for toolset in chosen:
        members = tools.GROUPS.get(toolset, (toolset,))
        for member in members:
            if member not in tools.TOOLSETS:
                near = difflib.get_close_matches(toolset, [*tools.TOOLSETS, *tools.GROUPS], n=1)
                hint = f"did you mean {near[0]}?" if near else ""
                known = ", ".join([*tools.TOOLSETS, *tools.GROUPS])
                raise SettingsError(f"Unknown toolset {toolset}; {hint or f'known: {known}'}.")
            names.update(name for module in tools.TOOLSETS[member].values() for name in module)
    return names


def _known(setting: str, names: Iterable[str]) -> set[str]:
    for name in names:
        if name not in tools.MODULES:
            near = nearest(name, list(tools.MODULES))
            hint = f" Did you mean {near[0]}?" if near else " See `billing-mcp tools`."
            raise SettingsError(f"{setting} names an unknown tool, {name}.{hint}")
    return set(names)
