"""Our server as the conformance suite wants it: everything of ours, and the suite's fixtures."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import uvicorn
from mcp.server import MCPServer, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.types import EmptyResult, SetLevelRequestParams, SubscribeRequestParams, Tool
from mcp.types import UnsubscribeRequestParams as Unsubscribe
from starlette.applications import Starlette
from starlette.types import ASGIApp

from billing_mcp.config import Settings, from_environ
from billing_mcp.http.app import app
from billing_mcp.http.patience import PatientProtocol
from billing_mcp.http.serving import KEEP_ALIVE_S
from billing_mcp.server import BillingServer
from conformance import asking, fixtures
from conformance.callers import Kind, known
from conformance.proxy import Proxy
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
        renamed = [
            ours[real].model_copy(update={"name": name})
            for name, (real, _) in OURS.items()
            if real in ours
        ]
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
def served(*, stateful: bool, sse: bool, kind: Kind = "anybody") -> Iterator[str]:
    """The fixtures behind the shipped HTTP app; its address, for a client that shows no token.

    Where callers have to show one, the address is that of a proxy which does.
    """
    with known(kind) as caller, ExitStack() as open_ports:
        flags = {"http_sse": str(sse).lower(), "log_level": "ERROR", **caller.settings}
        settings = from_environ({}, flags)
        server = FixtureServer(settings, stateful=stateful)
        application = app(settings, server, authentication=caller.authentication)
        origin = open_ports.enter_context(listening(application))
        if caller.token is not None:
            origin = open_ports.enter_context(listening(Proxy(origin, caller.token)))
        yield f"{origin}/mcp"


@contextmanager
def listening(application: ASGIApp) -> Iterator[str]:
    """An app in a thread of its own, on a loopback port of the system's choice; its origin."""
    config = uvicorn.Config(
        application,
        # As the product is served.
        http=PatientProtocol,
        timeout_keep_alive=KEEP_ALIVE_S,
        server_header=False,
        log_level="error",
        access_log=False,
    )
    server = uvicorn.Server(config)
    # It takes connections from now on; they wait until the thread answers them.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
