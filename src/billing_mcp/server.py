"""The MCP server: wires settings, catalogue and tenants to the SDK; both eras, any transport."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp import MCPError
from mcp.server import CacheHint, MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.caching import apply_cache_hint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.types import (
    INVALID_REQUEST,
    CallToolResult,
    Completion,
    CompletionArgument,
    CompletionContext,
    GetPromptResult,
    InputRequiredResult,
    Prompt,
    PromptReference,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    ResourceTemplateReference,
    TextContent,
    Tool,
)
from pydantic import AnyUrl

from billing_mcp import __version__, errors, scopes, stdio
from billing_mcp.catalog import Catalog
from billing_mcp.config import Settings
from billing_mcp.instructions import instructions
from billing_mcp.prompts import Prompts
from billing_mcp.recovery import recover
from billing_mcp.resources import Resources
from billing_mcp.results import Outcome
from billing_mcp.sealing import sealing
from billing_mcp.telemetry import Nobody, Observer
from billing_mcp.tenants import Caller, Tenant

# A client may keep the list of tools this long; it changes only when the server is started anew.
LIST_FRESH_MS = 300_000

# The most that is kept of what a program says it is.
CLIENT_SHOWN = 100


class BillingServer(MCPServer[None]):
    """The SDK's server, its tools replaced by the catalogue's: closed, lazily built, one door."""

    def __init__(self, settings: Settings, observer: Observer | None = None) -> None:
        self.catalog = Catalog(settings)
        watcher = observer or Nobody()
        self.tenants = {
            tenant.name: Tenant(tenant, settings, watcher) for tenant in settings.tenants
        }
        for tenant in self.tenants.values():
            if tenant.has_policy:
                # A file that cannot be used must stop the server, not a write.
                _ = tenant.policy
        self.resources = Resources(self.catalog)
        self.prompts = Prompts(self.catalog)
        self._tools: dict[str, Tool] = {}
        # Set by the HTTP app when it asks for tokens: then nobody is let in without one, whatever
        # stands before this server.
        self.asks_for_tokens = False
        super().__init__(
            "billing-mcp",
            title="Billing",
            description="Usage-based billing (Togai) and cloud-marketplace metering (Suger)",
            version=__version__,
            instructions=instructions(self.catalog, self.tenant),
            log_level=settings.log_level,  # type: ignore[arg-type]  # checked by config
            cache_hints={
                "tools/list": CacheHint(ttl_ms=LIST_FRESH_MS, scope="private"),
                "resources/list": CacheHint(ttl_ms=LIST_FRESH_MS, scope="private"),
                "resources/templates/list": CacheHint(ttl_ms=LIST_FRESH_MS, scope="private"),
                "prompts/list": CacheHint(ttl_ms=LIST_FRESH_MS, scope="private"),
            },
            request_state_security=sealing(settings),
            # The lists of this server never change while it runs, so nobody needs to listen.
            subscriptions=False,
            lifespan=_live,
        )
        self.completion()(self.complete)  # type: ignore[no-untyped-call]  # the SDK says no types

    async def run_stdio_async(self) -> None:
        await stdio.serve(self._lowlevel_server)

    @property
    def tenant(self) -> Tenant:
        """The tenant of callers that name none."""
        return self.tenants[self.catalog.settings.tenant.name]

    async def list_tools(self) -> list[Tool]:
        return [self._tool(tool) for tool in self.catalog.listed(self.caller())]

    def _tool(self, published: dict[str, Any]) -> Tool:
        name = published["name"]
        if name not in self._tools:
            self._tools[name] = Tool.model_validate(published)
        return self._tools[name]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[None, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Every failure is a result with `isError`, in our own words.

        A write that waits for a person is asked about where the client can: the answer may then be
        a question, and the call is made again with what the person said.
        """
        caller = self.caller(context)
        outcome = await self.catalog.invoke(name, arguments, caller)
        if context is None or outcome.status != errors.ApprovalRequired.status:
            return _result(outcome)
        # Many a server never writes, and starts sooner without what plans need.
        from billing_mcp import consent  # noqa: PLC0415

        async def again(operation_id: str) -> Outcome:
            committing = consent.of_plan(name, arguments, operation_id)
            return await self.catalog.invoke(name, committing, caller)

        answer: Outcome | InputRequiredResult = outcome
        if consent.may_be_sought(outcome, caller, context):
            identified = get_access_token() is not None
            answer = await consent.sought(outcome, caller, context, again, identified=identified)
        return answer if isinstance(answer, InputRequiredResult) else _result(answer)

    def caller(self, context: Context[None, Any] | None = None) -> Caller:
        """Whose request this is: by its access token, or whoever started this server.

        Raises `MCPError` when the token names no tenant of this server, or is missing.
        """
        progress = None if context is None else _progress(context)
        client = None if context is None else _client(context)
        token = get_access_token()
        if token is None:
            if self.asks_for_tokens:
                raise MCPError(INVALID_REQUEST, "This server needs an access token.")
            role = self.catalog.settings.role
            return Caller(self.tenant, role=role, client=client, progress=progress)
        claims = token.claims or {}
        name = claims.get("tenant")
        if name is None and len(self.tenants) == 1:
            name = self.tenant.name
        if name not in self.tenants:
            raise MCPError(INVALID_REQUEST, "This token names no tenant of this server.")
        return Caller(
            self.tenants[name],
            principal=str(claims.get("principal") or token.subject or token.client_id),
            scopes=scopes.expanded(token.scopes),
            role=claims.get("role"),
            client=client,
            progress=progress,
        )

    async def list_resources(self) -> list[Resource]:
        return [*self.resources.listed(self.caller()), *await super().list_resources()]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        templates = self.resources.templates(self.caller())
        return [*templates, *await super().list_resource_templates()]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[None, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        if not self.resources.owns(str(uri)):
            return await super().read_resource(uri, context)
        content = await self.resources.read(str(uri), self.caller(context))
        return [ReadResourceContents(content=content.text, mime_type=content.mime_type)]

    # The SDK's public hints are per method; a guide stays right for longer than an invoice.
    async def _handle_read_resource(
        self, ctx: ServerRequestContext[None], params: ReadResourceRequestParams
    ) -> ReadResourceResult | InputRequiredResult:
        result = await super()._handle_read_resource(ctx, params)
        if isinstance(result, ReadResourceResult) and self.resources.owns(str(params.uri)):
            result = apply_cache_hint(result, self.resources.freshness(str(params.uri)))
        return result

    async def list_prompts(self) -> list[Prompt]:
        return [*self.prompts.listed(self.caller()), *await super().list_prompts()]

    async def get_prompt(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        context: Context[None, Any] | None = None,
    ) -> GetPromptResult | InputRequiredResult:
        if name in {prompt.name for prompt in await super().list_prompts()}:
            return await super().get_prompt(name, arguments, context)
        return self.prompts.get(name, arguments or {}, self.caller(context))

    async def complete(
        self,
        reference: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        """Values for an argument of a prompt or of a resource template; None for any other."""
        if isinstance(reference, PromptReference):
            choices = self.prompts.choices(reference.name, argument.name, argument.value)
            if choices is not None:
                return Completion(values=choices, total=len(choices), has_more=False)
            kind = self.prompts.completed_by(reference.name, argument.name)
        else:
            kind = self.resources.completed_by(reference.uri, argument.name)
        if kind is None:
            return None
        known = (context and context.arguments) or {}
        found = await self.resources.completions.values(kind, argument.value, self.caller(), known)
        return Completion(values=found.values, total=found.total, has_more=found.has_more)


@asynccontextmanager
async def _live(server: MCPServer[None]) -> AsyncIterator[None]:
    """From the first request to the last: recover what was left open, and close all at the end."""
    assert isinstance(server, BillingServer)
    try:
        async with anyio.create_task_group() as group:
            for tenant in server.tenants.values():
                group.start_soon(recover, server.catalog.question, tenant)
            yield
            group.cancel_scope.cancel()
    finally:
        for tenant in server.tenants.values():
            await tenant.close()


def _client(context: Context[None, Any]) -> str | None:
    """The program that calls, as it names itself: nothing is permitted by it."""
    params = context.session.client_params
    if params is None:
        return None
    info = params.client_info
    return errors.one_line(f"{info.name} {info.version}", CLIENT_SHOWN)


def _progress(context: Context[None, Any]) -> Any:
    async def report(done: int, total: int, message: str) -> None:
        await context.report_progress(done, total, message)

    return report


def _result(outcome: Outcome) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=outcome.text)],
        structured_content=outcome.structured,
        is_error=outcome.is_error,
    )
