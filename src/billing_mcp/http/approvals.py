"""The approvals of a hosted server: a page for people, and the JSON routes beneath it.

They stand only where callers prove who they are: two approvals are of two people, and whoever can
make a model ask for something could otherwise agree to it as well.
"""

import logging
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal
from urllib.parse import unquote

from mcp import MCPError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from billing_mcp import approvals, errors, results, scopes
from billing_mcp.guard.operations import Operation, State
from billing_mcp.http import approvals_page, problems
from billing_mcp.http.challenges import Challenges
from billing_mcp.http.metrics import Metrics
from billing_mcp.http.problems import SECURITY_HEADERS, problem
from billing_mcp.http.reading import UnsupportedMediaType, json_in, refused_method, sent_path
from billing_mcp.results import Envelope
from billing_mcp.server import BillingServer
from billing_mcp.tenants import Caller
from billing_mcp.wire import utc_text

logger = logging.getLogger(__name__)

PAGE = "/approvals"
PENDING = "/approvals/pending"

_DECISION = re.compile(r"/approvals/([^/]+)/(approve|deny)")

Decision = Literal["approved", "denied"]


def routes(server: BillingServer, challenges: Challenges, metrics: Metrics) -> list[BaseRoute]:
    return [_Below(_Face(server, challenges, metrics))]


def no_routes() -> list[BaseRoute]:
    """What says, where callers are not authenticated, how else plans are approved."""
    return [_Below(_Nothing())]


class _Below(BaseRoute):
    """The page's path and all below it."""

    def __init__(self, face: "_Face | _Nothing") -> None:
        self._face = face

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        ours = scope["type"] == "http" and f"{scope['path']}/".startswith(f"{PAGE}/")
        return (Match.FULL if ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._face.response(request)
        except ClientDisconnect:
            return  # whoever asked has gone before the end of the question
        if request.method == "HEAD":
            response.body = b""
        await response(scope, receive, send)


class _Nothing:
    """Stands where the approvals would."""

    async def response(self, request: Request) -> Response:
        _ = request
        return problem(
            "not-found",
            "Plans are approved over HTTP only where callers are authenticated.",
            next="On this machine `billing-mcp approvals` lists the plans that wait, and "
            "`billing-mcp approve ID` approves one. For this page start the server with "
            "BILLING_MCP_API_KEYS or BILLING_MCP_AUTH_ISSUER.",
        )


class _Face:
    def __init__(self, server: BillingServer, challenges: Challenges, metrics: Metrics) -> None:
        self._server = server
        self._challenges = challenges
        self._metrics = metrics

    async def response(self, request: Request) -> Response:
        path = sent_path(request)
        if path == PAGE:
            return refused_method(request, ("GET",)) or self._page
        decision = _DECISION.fullmatch(path)
        if path != PENDING and decision is None:
            return problem(
                "not-found",
                f"Nothing is at {errors.one_line(request.url.path, 200)}.",
                next=f"GET {PAGE} is the page; GET {PENDING} lists the plans that wait.",
            )
        refused = refused_method(request, ("GET",) if decision is None else ("POST",))
        if refused is not None:
            return refused
        try:
            caller = self._server.caller()
        except MCPError as error:  # a token of no tenant of this server
            return problem("not-permitted", error.error.message)
        if scopes.APPROVE not in caller.scopes:
            # Whatever stands before this asks as well.
            challenge = self._challenges.insufficient(path, scopes.APPROVE)
            said = f"This needs a token with the scope {scopes.APPROVE}."
            return problem("not-permitted", said, headers={"www-authenticate": challenge})
        try:
            if decision is None:
                return _answer(await _pending(caller))
            operation_id, verb = unquote(decision[1]), decision[2]
            why = await _reason(request, needed=verb == "deny")
            return _answer(await self._decided(caller, operation_id, why))
        except UnsupportedMediaType as error:
            return error.response()
        except errors.BillingError as error:
            failed = results.failure(error, Envelope(caller.tenant.environment()))
            return problems.of_failure(failed)

    @cached_property
    def _rendered(self) -> tuple[str, str]:
        return approvals_page.rendered()

    @property
    def _page(self) -> Response:
        page, policy = self._rendered
        headers = {
            **SECURITY_HEADERS,
            "content-security-policy": policy,
            # A page that opened this one must have no hold on it while a token is typed.
            "cross-origin-opener-policy": "same-origin",
        }
        return Response(page, 200, headers, "text/html")

    async def _decided(self, caller: Caller, operation_id: str, why: str | None) -> dict[str, Any]:
        """Approve, or deny when there is a reason. Raises our errors."""
        tenant, by = caller.tenant, caller.principal
        if why is None:
            operation = await approvals.approve(tenant, operation_id, by, identified=True)
        else:
            operation = await approvals.deny(tenant, operation_id, by, why)
        decision: Decision = "approved" if why is None else "denied"
        self._metrics.plan_decided(decision)
        # The reason is a person's own text; the audit has it.
        facts = {
            "tenant": tenant.name,
            "principal": by,
            "tool": operation.tool,
            "operationId": operation.id,
        }
        logger.info("plan %s", decision, extra={"facts": facts})
        return _row(operation, caller)


async def _pending(caller: Caller) -> dict[str, Any]:
    waiting = await approvals.pending(caller.tenant)
    return {
        "data": [_row(operation, caller) for operation in waiting],
        "count": len(waiting),
        "tenant": caller.tenant.name,
        "principal": caller.principal,
        "asOf": utc_text(caller.tenant.now()),
    }


def _row(operation: Operation, caller: Caller) -> dict[str, Any]:
    """A plan, and what keeps this caller from approving it if something does."""
    row = approvals.facts(operation)
    if operation.purpose is not None:
        row["purpose"] = operation.purpose
    if operation.denial is not None:
        row["deniedBy"] = operation.denial.by
    barred = _barred(operation, caller.principal)
    if barred is not None:
        row["barred"] = barred
    return row


def _barred(operation: Operation, principal: str) -> str | None:
    """The ledger decides; this spares a person the attempt."""
    if operation.state is not State.PLANNED:
        return None
    if any(approval.by == principal for approval in operation.approvals):
        return "You have approved it. Somebody else has to as well."
    needed = 0 if operation.plan is None else operation.plan.approvals_needed
    if needed > 1 and operation.principal == principal:
        return "You asked for it, and two other people have to approve it."
    return None


async def _reason(request: Request, *, needed: bool) -> str | None:
    """The reason that the body gives, if one is needed; else there is nothing to give.

    Raises `InvalidRequest` and `UnsupportedMediaType`.
    """
    raw = await request.body()
    if needed and not raw:
        raise _wrong("The body is empty.", "why", needed=needed)
    body = json_in(request, raw) if raw else {}
    if not isinstance(body, Mapping):
        raise _wrong("The body must be a JSON object.", None, needed=needed)
    for name in body:
        if not needed or name != "why":
            shown = errors.one_line(str(name), 60)
            raise _wrong(f"There is no argument {shown}.", shown, needed=needed)
    if not needed:
        return None
    why = body.get("why")
    if not isinstance(why, str) or not why.strip() or len(why) > approvals.REASON_LIMIT:
        said = f"why must be a text of 1 to {approvals.REASON_LIMIT} characters."
        raise _wrong(said, "why", needed=needed)
    return why.strip()


def _wrong(said: str, field: str | None, *, needed: bool) -> errors.InvalidRequest:
    example = '{"why": "the reason"}' if needed else "{} or nothing"
    return errors.InvalidRequest(
        said, field=field, next_step=f"Nothing was decided. Send {example}."
    )


def _answer(structured: Mapping[str, Any]) -> Response:
    return Response(results.compact(structured), 200, dict(SECURITY_HEADERS), "application/json")
