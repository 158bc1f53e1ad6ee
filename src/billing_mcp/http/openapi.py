"""The OpenAPI 3.1 document of the REST face, made from the models that the tools check with."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from billing_mcp import __version__, scopes
from billing_mcp.calls import Built
from billing_mcp.catalog import Catalog
from billing_mcp.http.examples import EXAMPLES
from billing_mcp.http.json_schemas import Components, arguments_schema, without_null
from billing_mcp.http.plans import PlanDocument
from billing_mcp.http.problems import MEDIA_TYPE, TYPES, Problem
from billing_mcp.http.routes import GROUPS, RestRoute

_JSON = "application/json"
_UUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

_PLAN = "#/components/schemas/Plan"

# Models of language are told once for all tools.
_OF_WRITES = {
    "dryRun": "Only say what it would do: the answer is the plan, and nothing is sent",
    "operationId": "The same as the header Idempotency-Key",
}

_DESCRIPTION = """\
The REST routes of billing-mcp: usage-based billing (Togai) and cloud-marketplace metering \
(Suger). Each route is a tool of the MCP server through the same door, and answers in full.

Amounts, rates and quantities are decimal strings; a JSON number is read exactly. Times and days \
are UTC. An argument that is not taken is an error that names the right one. Every failure is a \
problem document (RFC 9457) whose `next` says what to do.

A write may be given a UUID of its own in the header `Idempotency-Key`; without one it gets one, \
and every answer to it, also an error, carries it as `operationId`. The same id is done only once.

With `dryRun` a write answers its `plan`: what it would do, and what the policy of this server \
asks for first. A write that needs a plan or people is answered 202 with that plan, and nothing is \
done; the same request with the plan's `operationId` as `Idempotency-Key` commits it, once it is \
approved.

Every path also answers HEAD where it has GET, and OPTIONS; any other method is 405. A server on \
loopback without authentication asks for no token."""


def document(catalog: Catalog) -> dict[str, Any]:
    """All 32 routes, whichever of them a caller is served: the contract does not change."""
    components = Components()
    paths: dict[str, dict[str, Any]] = {}
    for group, routes in GROUPS.items():
        for route in routes:
            operation = _operation(route, group, catalog, components)
            paths.setdefault(route.path, {})[route.method.lower()] = operation
    problem = components.adopt(_plain(Problem), "Problem")
    problem["properties"]["plan"] = {"$ref": _PLAN}
    plan = components.adopt(_plain(PlanDocument), "Plan")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "billing-mcp",
            "version": __version__,
            "summary": "Usage-based billing and marketplace metering",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": group} for group in GROUPS],
        "paths": paths,
        "components": {
            "schemas": {"Problem": problem, "Plan": plan, **components.schemas},
            "responses": {name: _problem_response(name) for name in TYPES},
            "securitySchemes": {"bearer": _bearer()},
        },
    }


def _operation(
    route: RestRoute, group: str, catalog: Catalog, components: Components
) -> dict[str, Any]:
    built = catalog.built(route.tool)
    schema = components.adopt(arguments_schema(built), _prefix(route))
    for argument, about in _OF_WRITES.items():
        if argument in schema["properties"]:
            schema["properties"][argument]["description"] = about
    scope = catalog.needed_scope(route.tool)
    body = _request_body(route, schema)
    return {
        "operationId": route.operation,
        "summary": built.declaration.title,
        "description": f"{built.declaration.description}\n\nTool: `{route.tool}`.",
        "tags": [group],
        "security": [{"bearer": [scope]}],
        "parameters": list(_parameters(route, schema, built)),
        **({"requestBody": body} if body else {}),
        "responses": {
            "200": {
                "description": "The tool's structured result.",
                "content": {_JSON: {"schema": _answer(route, built, components)}},
            },
            **{
                str(TYPES[name].status): {"$ref": f"#/components/responses/{name}"}
                for name in _possible(route, built)
            },
        },
    }


def _answer(route: RestRoute, built: Built, components: Components) -> dict[str, Any]:
    schema = components.adopt(built.shape.output_schema, _prefix(route))
    if built.declaration.write is not None:
        own = {
            "operationId": {"type": "string", "format": "uuid"},
            "replayed": {"type": "boolean", "description": "Done before; nothing was done now"},
            "plan": {"$ref": _PLAN, "description": "Of a dry run: nothing was sent"},
        }
        schema["properties"] = {**schema["properties"], **own}
    return schema


def _prefix(route: RestRoute) -> str:
    return "".join(word.capitalize() for word in route.tool.split("-"))


def _parameters(
    route: RestRoute, schema: Mapping[str, Any], built: Built
) -> Iterator[dict[str, Any]]:
    example = EXAMPLES[route.tool]
    spelled = {argument: name for name, argument in route.parameters.items()}
    for argument, whole in schema["properties"].items():
        place = route.place(argument, schema)
        if place not in ("path", "query"):
            continue
        given = without_null(whole)
        about = given.pop("description", None)
        yield {
            "name": spelled.get(argument, argument),
            "in": place,
            "required": place == "path" or argument in schema.get("required", ()),
            **({"description": about} if about else {}),
            "schema": given,
            **({"example": example[argument]} if argument in example else {}),
        }
    if built.declaration.write is not None:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "A UUID of yours for this write, or that of its plan; the same one "
            "again is done only once.",
            "schema": {"type": "string", "format": "uuid", "pattern": _UUID},
        }


def _request_body(route: RestRoute, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    places = {name: route.place(name, schema) for name in schema["properties"]}
    example = EXAMPLES[route.tool]
    if "body" in places.values():
        content = {"schema": schema["properties"]["body"], "example": example["body"]}
        return {"required": True, "content": {_JSON: content}}
    fields = [name for name, place in places.items() if place == "field"]
    if not fields:
        return None
    required = [name for name in schema.get("required", ()) if name in fields]
    closed: dict[str, Any] = {
        "type": "object",
        "properties": {name: schema["properties"][name] for name in fields},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }
    shown = {name: example[name] for name in fields if name in example}
    return {
        "required": bool(required),
        "content": {_JSON: {"schema": closed, "example": shown}},
    }


def _possible(route: RestRoute, built: Built) -> Iterator[str]:
    """The problems that a route can answer with, in order of their statuses."""
    writes = built.declaration.write is not None
    if writes:
        yield "approval-required"
    yield from ("invalid-request", "unauthenticated", "not-permitted", "not-found")
    # A body may come with any method, and is read before it is known whether the route has one.
    yield "request-timeout"
    if route.method != "GET":
        yield "conflict"
    yield "content-too-large"
    if route.takes_body:
        yield "unsupported-media-type"
    yield from ("misdirected-request", "rate-limited", "internal-error")
    yield from ("not-configured", "unavailable")
    if writes:
        yield "outcome-unknown"


def _plain(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True)
    schema["properties"] = {
        name: {key: value for key, value in without_null(part).items() if key not in _NOISE}
        for name, part in schema["properties"].items()
    }
    del schema["title"]
    return schema


_NOISE = ("title", "default")


def _problem_response(name: str) -> dict[str, Any]:
    kind = TYPES[name]
    headers: dict[str, Any] = {}
    if name in ("rate-limited", "unavailable"):
        about = "Seconds to wait, where they are known"
        headers["Retry-After"] = {"description": about, "schema": {"type": "integer"}}
    if name == "unauthenticated":
        about = "Which scope is needed, and where tokens come from"
        headers["WWW-Authenticate"] = {"description": about, "schema": {"type": "string"}}
    return {
        "description": f"{kind.title}. {kind.meaning}",
        **({"headers": headers} if headers else {}),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _bearer() -> dict[str, Any]:
    return {
        "type": "http",
        "scheme": "bearer",
        "description": (
            "An OAuth 2.1 access token for this server, or one of its API keys. "
            f"`{scopes.READ}` for routes that change nothing; `{scopes.WRITE}`, which includes "
            f"it, for the others. `{scopes.APPROVE}` includes `{scopes.READ}`."
        ),
    }
