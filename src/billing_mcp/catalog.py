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
from functools import cache
from importlib import resources
from typing import Any

from billing_mcp import errors, recovery, results, scopes, tools
from billing_mcp.aliases import own_name
from billing_mcp.calls import Built, Question, ToolCall
from billing_mcp.config import Settings
from billing_mcp.credentials import SettingsError, TenantSettings
from billing_mcp.declarations import Declaration
from billing_mcp.guard.operations import Filters, Listing, Operation
from billing_mcp.results import Envelope, Outcome
from billing_mcp.shapes import shape_of
from billing_mcp.telemetry import CANCELLED, OK, Call
from billing_mcp.tenants import VENDOR_NAMES, Caller, Tenant
from billing_mcp.validation import nearest

logger = logging.getLogger(__name__)


def shipped_schemas() -> dict[str, dict[str, Any]]:
    """The tools as `tools/list` shows them, from the file in the package; by name.

    A test proves that the file equals what the code builds. The tools are not to be changed.
    """
    return dict(_shipped())


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    """Read once by a process that makes many servers, as the tests do."""
    text = resources.files("billing_mcp").joinpath("schemas.json").read_text(encoding="utf-8")
    return {tool["name"]: tool for tool in json.loads(text)}


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
        if caller.scopes >= scopes.ALL and not caller.tenant.has_policy:
            return selected
        return tuple(name for name in selected if self.is_served(name, caller))

    def is_served(self, name: str, caller: Caller) -> bool:
        """Whether a caller finds a tool of that name in the list."""
        selected = name in self.selected(caller.tenant.settings)
        in_scope = selected and self.needed_scope(name) in caller.scopes
        return in_scope and self._permitted(name, caller)

    def _permitted(self, name: str, caller: Caller) -> bool:
        """Whether the policy lets the caller's role have a tool at all."""
        tenant = caller.tenant
        reads = self.needed_scope(name) == scopes.READ
        return not tenant.has_policy or tenant.policy.permits(caller.role, name, reads=reads)

    def listed(self, caller: Caller) -> list[dict[str, Any]]:
        """What a client lists."""
        return [self._schemas[name] for name in self.served_to(caller)]

    def needed_scope(self, name: str) -> str:
        """The scope that a call of a tool needs. Raises `KeyError` for an unknown tool."""
        reads = self._schemas[own_name(name)]["annotations"]["readOnlyHint"]
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
        if barred is None and not self._permitted(name, caller):
            role = "a caller without a role" if caller.role is None else f'role "{caller.role}"'
            return errors.NotPermitted(
                f"The policy of this server does not let {role} have {name}; nothing was sent.",
                next_step="Whoever runs this server can change its policy.",
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
        if name in tools.SECRET and not self.settings.secret_tools:
            return errors.NotPermitted(
                f"{name} answers with a secret, and this server has such tools switched off.",
                next_step="Whoever runs it can start it with --secret-tools true.",
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
        name = own_name(name)
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
        door = _Door(self, caller)
        call = ToolCall.of(self.built(name), arguments, caller, door, whole=whole)
        try:
            call.validate()
            if call.built.declaration.write is None or call.built.vendor is None:
                return (await call.perform()).outcome
            ledgers = caller.tenant.ledgers
            gate = await ledgers.gate(ledgers.environment(call.built.vendor))
            return await gate.let_through(call)
        except errors.BillingError as error:
            return call.failed(error)
        # The boundary of the server, as in `ToolCall.perform`.
        except Exception:
            logger.exception("%s crashed", name)
            return call.crashed().outcome

    def question(self, operation: Operation, tenant: Tenant) -> Question | None:
        """How to ask what became of an operation; None when its tool is no more."""
        if operation.tool not in tools.MODULES:
            return None
        built = self.built(operation.tool)
        return Question(built, tenant, built.binding(tenant, operation.id))

    def _unserved(self, name: str, caller: Caller) -> errors.BillingError:
        if name in tools.MODULES:
            return self.refusal(name, caller) or self._unlisted(name, caller)
        near = nearest(name, self.served_to(caller), 3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "tools/list names those there are."
        quoted = errors.one_line(name, 60)
        return errors.NotFound(f'There is no tool "{quoted}".', next_step=hint)

    def _unlisted(self, name: str, caller: Caller) -> errors.BillingError:
        runner = tools.RUNNERS[self.needed_scope(name) == scopes.READ]
        by_runner = f"{runner} runs it. " if self.is_served(runner, caller) else ""
        return errors.NotPermitted(
            f"{name} is not among the toolsets this server serves.",
            next_step=f"{by_runner}Whoever runs this server can add --tools {name}.",
        )


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

    async def operation(self, operation_id: str) -> Operation | None:
        return await recovery.decided(self.catalog.question, self.caller.tenant, operation_id)

    async def operations(self, filters: Filters, size: int, after: str | None) -> Listing:
        return await recovery.listed(self.caller.tenant, filters, size, after)


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
            meant = own_name(name)
            near = nearest(name, list(tools.MODULES)) if meant == name else [meant]
            hint = f" Did you mean {near[0]}?" if near else " See `billing-mcp tools`."
            raise SettingsError(f"{setting} names an unknown tool, {name}.{hint}")
    return set(names)
