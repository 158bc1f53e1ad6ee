"""How tests ask the REST face: the app in this process, and calls of tools as requests."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx2
from starlette.applications import Starlette

from billing_mcp import approvals
from billing_mcp.http.rest import routes
from billing_mcp.http.routes import RestRoute
from billing_mcp.server import BillingServer

CREDITS = "/v1/accounts/harbor-main/credits"
GRANT = {"creditAmount": "12.5", "effectiveFrom": "2026-11-20"}
JSON = {"content-type": "application/json"}
ORG = {"orgId": "sandbox"}


@asynccontextmanager
async def asking(server: BillingServer) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(Starlette(routes=routes(server)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://billing") as http:
        yield http


def request_of(
    server: BillingServer, route: RestRoute, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """A call of the route's tool as the arguments of `AsyncClient.request` (design §2.8)."""
    given = dict(arguments)
    path = route.path
    for name, argument in route.parameters.items():
        path = path.replace(f"{{{name}}}", quote(str(given.pop(argument)), safe=""))
    request: dict[str, Any] = {"method": route.method, "url": path}
    takes_whole = "body" in server.catalog.schema(route.tool)["inputSchema"]["properties"]
    if takes_whole:
        request |= {"json": given.pop("body"), "params": given}
    elif route.method in ("POST", "PATCH"):
        request["json"] = given
    else:
        request["params"] = given
    return request


async def approved(
    http: httpx2.AsyncClient, server: BillingServer, request: Mapping[str, Any], **headers: str
) -> httpx2.Response:
    """The answer to a request; one that waits for a person first is approved by one."""
    answer = await http.request(**request, headers=headers)
    if answer.status_code != 202:
        return answer
    operation_id = problem_of(answer, 202, "approval-required")["operationId"]
    await approvals.approve(server.tenant, operation_id, "somebody", identified=True)
    return await http.request(**request, headers={**headers, "idempotency-key": operation_id})


def problem_of(answer: httpx2.Response, status: int, kind: str) -> dict[str, Any]:
    """The problem document of an answer that must be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(answer.text)
    assert document["status"] == status
    assert document["kind"] == kind
    assert document["type"].startswith("/v1/problems/")
    return document
