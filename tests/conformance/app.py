"""Our server as the conformance suite wants it: everything of ours, and the suite's fixtures."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from mcp.server import MCPServer, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.types import EmptyResult, SetLevelRequestParams, SubscribeRequestParams, Tool
from mcp.types import UnsubscribeRequestParams as Unsubscribe
from starlette.applications import Starlette

from billing_mcp.config import Settings, from_environ
from billing_mcp.http.app import app
from billing_mcp.server import BillingServer
from conformance import asking, fixtures
from good_calls import event
from processes import PATIENCE_S

# Fixtures that are calls of our own tools, so that what the suite checks is what our door answers:
# a page of customers; a customer who is not there; three batches of events, each told of.
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "test_simple_text": ("list-customers", {"pageSize": 2}),
    "test_error_handling": ("get-customer", {"customerId": "nobody-by-this-name"}),
    "test_tool_with_progress": ("ingest-events", {"events": [event("harbor-main")] * 1500}),
}


class FixtureServer(BillingServer):
    """The real server: all of its overrides are in force, and what they do not know is a fixture.

    `stateful` keeps sessions, which the shipped HTTP app does not: without one the server cannot
    ask a client of the handshake era anything.
    """

    def __init__(self, settings: Settings, *, stateful: bool = False) -> None:
        super().__init__(settings)
        self._stateful = stateful
        fixtures.add_to(self)
        asking.add_to(self)
        accept = self._lowlevel_server.add_request_handler
        accept("logging/setLevel", SetLevelRequestParams, _accepted)
        accept("resources/subscribe", SubscribeRequestParams, _accepted)
        accept("resources/unsubscribe", Unsubscribe, _accepted)

    async def list_tools(self) -> list[Tool]:
        listed = await super().list_tools()
        ours = {tool.name: tool for tool in listed}
        renamed = [ours[real].model_copy(update={"name": name}) for name, (real, _) in OURS.items()]
        return [*listed, *renamed, *await MCPServer.list_tools(self)]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[None, Any] | None = None
    ) -> Any:
        if name in OURS:
            real, given = OURS[name]
            return await super().call_tool(real, given, context)
        if self._tool_manager.get_tool(name) is None:
            return await super().call_tool(name, arguments, context)
        return await MCPServer.call_tool(self, name, arguments, context)

    def streamable_http_app(self, **options: Any) -> Starlette:
        if self._stateful:
            options["stateless_http"] = False
        return super().streamable_http_app(**options)


async def _accepted(context: ServerRequestContext[None], params: object) -> EmptyResult:
    """Say yes, and no more: the suite checks that the request is understood."""
    return EmptyResult()


@contextmanager
def served(*, stateful: bool, sse: bool) -> Iterator[str]:
    """The fixtures behind the shipped HTTP app, on a loopback port of the system's choice."""
    settings = from_environ({}, {"http_sse": str(sse).lower(), "log_level": "ERROR"})
    application = app(settings, FixtureServer(settings, stateful=stateful))
    server = uvicorn.Server(
        uvicorn.Config(application, port=0, log_level="error", access_log=False)
    )
    listener = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        listener.close()
