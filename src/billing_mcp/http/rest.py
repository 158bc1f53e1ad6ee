"""The REST face: reads a request into a tool's arguments, goes through the one door, answers."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from mcp import MCPError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from billing_mcp import errors, results, tools
from billing_mcp.http import problems
from billing_mcp.http.documents import Documents
from billing_mcp.http.problems import SECURITY_HEADERS, problem
from billing_mcp.http.reading import UnsupportedMediaType, json_in, refused_method, sent_path
from billing_mcp.http.routes import Found, RestRoute, at
from billing_mcp.results import Envelope, Outcome
from billing_mcp.server import BillingServer
from billing_mcp.tenants import Caller

PREFIX = "/v1"

# More than any route has, so that a query is not an attack.
MOST_PARAMETERS = 50

# As RFC 9562 writes a UUID; quoted as a structured field, or bare as everybody else sends it.
_KEY = re.compile(r'("?)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\1', re.IGNORECASE)
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_BOOLEANS = {"true": True, "false": False}

Challenge = Callable[[str], str]
"""The `WWW-Authenticate` of a token that lacks a scope."""


def insufficient_scope(scope: str) -> str:
    return f'Bearer error="insufficient_scope", scope="{scope}"'


def routes(server: BillingServer, challenge: Challenge = insufficient_scope) -> list[BaseRoute]:
    """Everything under /v1. `challenge` may say more, such as where tokens come from."""
    return [_Everything(RestFace(server, challenge))]


class _Everything(BaseRoute):
    """All paths under /v1, which a `Mount` takes only while they have no end of a line in them."""

    def __init__(self, face: "RestFace") -> None:
        self._face = face

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        ours = scope["type"] == "http" and f"{scope['path']}/".startswith(f"{PREFIX}/")
        return (Match.FULL if ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._face(scope, receive, send)


class RestFace:
    """An ASGI app for every path under /v1, which it routes itself by the path as it was sent."""

    def __init__(self, server: BillingServer, challenge: Challenge) -> None:
        self._server = server
        self._challenge = challenge
        self._documents = Documents(server.catalog)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._response(request)
        except ClientDisconnect:
            return  # whoever asked has gone before the end of the question
        if request.method == "HEAD":
            response.body = b""
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        path = sent_path(request)
        document = await self._documents.at(path)
        if document is not None:
            return refused_method(request, ("GET",)) or document
        found = at(path)
        if found is None:
            return problem(
                "not-found",
                f"Nothing is at {errors.one_line(request.url.path, 200)}.",
                next="GET /v1/openapi.json lists every route; /v1/docs shows them to people.",
            )
        refused = refused_method(request, tuple(found.routes))
        if refused is not None:
            return refused
        method = "GET" if request.method == "HEAD" else request.method
        return await self._called(request, found, found.routes[method])

    async def _called(self, request: Request, found: Found, route: RestRoute) -> Response:
        catalog = self._server.catalog
        try:
            caller = self._server.caller()
        except MCPError as error:  # a token of no tenant of this server
            return problem("not-permitted", error.error.message)
        if not catalog.is_served(route.tool, caller):
            # The door says why; the arguments do not matter to it.
            outcome = await catalog.invoke(route.tool, {}, caller)
            return problems.of_failure(outcome, self._headers(route, caller))
        schema = catalog.schema(route.tool)["inputSchema"]
        try:
            arguments = await _arguments(request, found, route, schema)
        except errors.BillingError as error:
            outcome = results.failure(error, _envelope(request, route, schema, caller))
        except UnsupportedMediaType as error:
            return error.response()
        else:
            outcome = await catalog.invoke(route.tool, arguments, caller)
        return _answer(outcome)

    def _headers(self, route: RestRoute, caller: Caller) -> dict[str, str]:
        needed = self._server.catalog.needed_scope(route.tool)
        if needed in caller.scopes:
            return {}
        return {"www-authenticate": self._challenge(needed)}


def _answer(outcome: Outcome) -> Response:
    if outcome.status != 200:
        return problems.of_failure(outcome)
    text = results.compact(outcome.structured)
    return Response(text, 200, dict(SECURITY_HEADERS), "application/json")


async def _arguments(
    request: Request, found: Found, route: RestRoute, schema: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of the tool. Raises `InvalidRequest` and `UnsupportedMediaType`."""
    given: dict[str, Any] = found.arguments(route)
    for name, value in (await _from_body(request, route, schema)).items():
        _require_place(name, ("field", "body"), route, schema)
        given[name] = value
    for name, text in _query(request):
        _require_place(name, ("query",), route, schema)
        if name in given:
            raise errors.InvalidRequest(
                f"{errors.one_line(name, 60)} is given more than once.",
                field=errors.one_line(name, 60),
                next_step="Nothing was sent. Give it once.",
            )
        given[name] = _value(name, text, schema["properties"].get(name, {}))
    if "operationId" in schema["properties"]:
        _adopt_key(request, given)
    if "detail" in schema["properties"]:
        given["detail"] = "full"
    return given


def _require_place(
    name: str, places: tuple[str, ...], route: RestRoute, schema: Mapping[str, Any]
) -> None:
    """Refuse an argument that stands elsewhere. One that the tool has not is left to the door."""
    if name not in schema["properties"] or route.place(name, schema) in places:
        return
    where = {
        "path": f"{name} stands in the path",
        "field": f"{name} is a field of the JSON body",
        "body": "the JSON body itself is what would be body",
        "query": f"{name} is a parameter of the query",
        None: f"{name} is not taken here: REST always answers in full",
    }[route.place(name, schema)]
    here = "in the query" if "query" in places else "in the body"
    raise errors.InvalidRequest(
        f"{name} cannot be given {here}: {where}.",
        field=name,
        next_step=f"Nothing was sent. Leave {name} out {here} and call again.",
    )


def _query(request: Request) -> list[tuple[str, str]]:
    raw: bytes = request.scope["query_string"]
    try:
        return parse_qsl(
            raw.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError as error:
        raise errors.InvalidRequest(
            "The query cannot be read.",
            next_step=f"Give at most {MOST_PARAMETERS} parameters, percent-encoded in UTF-8.",
        ) from error


def _value(name: str, text: str, schema: Mapping[str, Any]) -> str | int | bool:
    """A parameter of the query as JSON: text, a whole number, true or false."""
    kind = schema.get("type")
    if kind == "integer" and _WHOLE.fullmatch(text):
        return int(text)
    if kind == "boolean" and text in _BOOLEANS:
        return _BOOLEANS[text]
    if kind in ("integer", "boolean"):
        wanted = "a whole number" if kind == "integer" else "true or false"
        raise errors.InvalidRequest(
            f'{name} must be {wanted} (got "{errors.one_line(text, 60)}").',
            field=name,
            next_step="Nothing was sent. Correct this and call again.",
        )
    return text


async def _from_body(
    request: Request, route: RestRoute, schema: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments that the body has. Numbers are exact."""
    raw = await request.body()
    if not route.takes_body:
        if raw:
            raise errors.InvalidRequest(
                f"{route.method} takes no body here.",
                next_step="Nothing was sent. Give arguments in the path and the query.",
            )
        return {}
    whole = "body" in schema["properties"]
    if not raw:
        fields = [name for name in schema["required"] if route.place(name, schema) == "field"]
        if whole or fields:
            wanted = "JSON" if whole else f"a JSON object with {', '.join(fields)}"
            raise errors.InvalidRequest(
                "The body is empty.",
                field="body" if whole else fields[0],
                next_step=f"Send {wanted}; GET /v1/openapi.json describes it.",
            )
        return {}
    body = json_in(request, raw)
    if whole:
        return {"body": body}
    if not isinstance(body, dict):
        raise errors.InvalidRequest(
            "The body must be a JSON object.",
            next_step='Nothing was sent. Send an object of arguments: {"name": value, …}.',
        )
    return body


def _adopt_key(request: Request, given: dict[str, Any]) -> None:
    """Let the header Idempotency-Key be the operation's id. Raises `InvalidRequest`."""
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return
    key = _KEY.fullmatch(keys[0].strip())
    if len(keys) > 1 or key is None:
        shown = errors.one_line(", ".join(keys), 60)
        raise errors.InvalidRequest(
            f'Idempotency-Key must be one UUID (got "{shown}").',
            field="Idempotency-Key",
            next_step="Nothing was sent. Make a new UUID for a new write; the same one repeats it.",
        )
    operation_id = str(UUID(key[2]))
    also = given.get("operationId")
    if also is not None and str(also).strip().lower() != operation_id:
        raise errors.InvalidRequest(
            "operationId and the header Idempotency-Key differ, and both name the write.",
            field="operationId",
            next_step="Nothing was sent. Give one of them.",
        )
    given["operationId"] = operation_id


def _envelope(
    request: Request, route: RestRoute, schema: Mapping[str, Any], caller: Caller
) -> Envelope:
    """What surrounds an error that was found before the door."""
    key = _KEY.fullmatch(request.headers.get("idempotency-key", "").strip())
    writes = "operationId" in schema["properties"]
    environment = caller.tenant.environment(tools.vendor_of(route.tool))
    return Envelope(environment, str(UUID(key[2])) if writes and key else None)
