"""The OpenAPI document: what it promises is what the routes take and answer."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx2
import pytest
from jsonschema import (  # type: ignore[import-untyped]  # comes with mcp and has no stubs
    Draft202012Validator,
    FormatChecker,
)

from billing_mcp.config import Settings
from billing_mcp.http.examples import EXAMPLES
from billing_mcp.http.json_schemas import Components
from billing_mcp.http.openapi import document
from billing_mcp.http.problems import TYPES
from billing_mcp.http.routes import ROUTES, RestRoute
from billing_mcp.server import BillingServer
from good_calls import good_calls
from rest_asking import CREDITS, ORG, approved, asking, request_of
from world import World

pytestmark = pytest.mark.anyio

each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)


@cache
def described() -> dict[str, Any]:
    return document(BillingServer(Settings()).catalog)


def operation(route: RestRoute) -> dict[str, Any]:
    found: dict[str, Any] = described()["paths"][route.path][route.method.lower()]
    return found


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value by a schema of the document."""
    whole = {"components": described()["components"], **schema}
    checked = Draft202012Validator(whole, format_checker=FormatChecker(["date", "uuid"]))
    return [error.message for error in checked.iter_errors(value)]


def body_schema(route: RestRoute) -> dict[str, Any]:
    found: dict[str, Any] = operation(route)["requestBody"]["content"]["application/json"]["schema"]
    return found


def answer_schema(route: RestRoute) -> dict[str, Any]:
    answer = operation(route)["responses"]["200"]
    found: dict[str, Any] = answer["content"]["application/json"]["schema"]
    return found


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


async def test_the_document_is_served_as_it_is_made_and_to_be_kept_for_a_while(
    http: httpx2.AsyncClient,
) -> None:
    answer = await http.get("/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.json() == described()
    assert answer.json()["openapi"] == "3.1.0"


def test_it_has_every_route_once_and_nothing_else() -> None:
    made = {
        (method.upper(), path, found["operationId"])
        for path, operations in described()["paths"].items()
        for method, found in operations.items()
    }
    assert made == {(route.method, route.path, route.operation) for route in ROUTES}
    assert len(made) == 32


def test_every_reference_leads_to_something_and_every_component_is_used() -> None:
    components = described()["components"]
    there = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses")
        for name in components[kind]
    }
    used = set(references(described()))
    assert used <= there
    # A path answers 405 to a method that it has no operation for.
    assert there - used == {"#/components/responses/method-not-allowed"}


def test_every_schema_is_a_json_schema() -> None:
    for route in ROUTES:
        Draft202012Validator.check_schema(answer_schema(route))
        for parameter in operation(route)["parameters"]:
            Draft202012Validator.check_schema(parameter["schema"])
        if "requestBody" in operation(route):
            Draft202012Validator.check_schema(body_schema(route))
    for schema in described()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


@each_route
def test_the_parameters_of_a_path_are_those_it_spells(route: RestRoute) -> None:
    parameters = operation(route)["parameters"]
    in_path = [parameter["name"] for parameter in parameters if parameter["in"] == "path"]
    assert set(in_path) == set(route.parameters)
    assert all(parameter["required"] for parameter in parameters if parameter["in"] == "path")


@each_route
def test_every_argument_of_the_tool_has_exactly_one_place(route: RestRoute) -> None:
    tool = BillingServer(Settings()).catalog.schema(route.tool)["inputSchema"]["properties"]
    spelled = route.parameters
    found = [
        spelled.get(parameter["name"], parameter["name"])
        for parameter in operation(route)["parameters"]
        if parameter["in"] != "header"
    ]
    if "body" in tool:
        found.append("body")
    elif "requestBody" in operation(route):
        found += body_schema(route)["properties"]
    assert sorted(found) == sorted(set(tool) - {"detail"})


@each_route
async def test_what_a_good_call_is_answered_fits_what_is_promised(
    server: BillingServer, http: httpx2.AsyncClient, world: World, route: RestRoute
) -> None:
    arguments = good_calls(world)[route.tool]
    if "orgid" in route.parameters:
        arguments = arguments | ORG
    request = request_of(server, route, arguments)
    answer = await approved(http, server, request)
    assert answer.status_code == 200
    assert faults(answer_schema(route), answer.json()) == []
    if request.get("json") is not None and "requestBody" in operation(route):
        assert faults(body_schema(route), request["json"]) == []


@each_route
async def test_an_example_is_what_its_schema_takes_and_its_answer_fits(route: RestRoute) -> None:
    server = BillingServer(Settings())
    async with asking(server) as http:
        request = request_of(server, route, EXAMPLES[route.tool])
        answer = await http.request(**request)
    await server.tenant.close()
    assert faults(answer_schema(route), answer.json()) == []
    if "requestBody" in operation(route):
        content = operation(route)["requestBody"]["content"]["application/json"]
        assert content["example"] == request["json"]
        assert faults(content["schema"], content["example"]) == []
    for parameter in operation(route)["parameters"]:
        if "example" in parameter:
            assert faults(parameter["schema"], parameter["example"]) == []


async def test_problems_fit_their_schema_and_their_status_is_documented(
    http: httpx2.AsyncClient,
) -> None:
    schema = {"$ref": "#/components/schemas/Problem"}
    paths = described()["paths"]
    for path, template, content, status in (
        ("/v1/customers/nobody", "/v1/customers/{customerId}", None, "404"),
        (CREDITS, "/v1/accounts/{accountId}/credits", b"{}", "415"),
        ("/v1/customers", "/v1/customers", b"[", "415"),
    ):
        method = "GET" if content is None else "POST"
        answer = await http.request(method, path, content=content)
        assert str(answer.status_code) == status
        assert status in paths[template][method.lower()]["responses"]
        assert faults(schema, answer.json()) == []
    assert faults(schema, {"title": "no more"}) != []


@each_route
async def test_a_plan_is_what_is_promised_of_it(
    server: BillingServer, http: httpx2.AsyncClient, world: World, route: RestRoute
) -> None:
    if server.catalog.schema(route.tool)["annotations"]["readOnlyHint"]:
        assert "202" not in operation(route)["responses"]
        return
    arguments = good_calls(world)[route.tool] | {"dryRun": True}
    if "orgid" in route.parameters:
        arguments = arguments | ORG
    planned = await http.request(**request_of(server, route, arguments))
    assert planned.status_code == 200, planned.text
    assert set(planned.json()) == {"environment", "operationId", "plan"}
    assert faults(answer_schema(route), planned.json()) == []
    plan = {"$ref": "#/components/schemas/Plan"}
    assert faults(plan, planned.json()["plan"]) == []
    assert set(planned.json()["plan"]) <= set(
        described()["components"]["schemas"]["Plan"]["properties"]
    )


async def test_a_write_that_waits_is_the_problem_that_is_promised(
    http: httpx2.AsyncClient, world: World
) -> None:
    large = {"creditAmount": "150", "effectiveFrom": "2026-11-20"}
    answer = await http.post(CREDITS, json=large)
    assert answer.status_code == 202
    assert faults({"$ref": "#/components/schemas/Problem"}, answer.json()) == []
    without_rule = answer.json() | {"plan": {"tool": "grant-credit"}}
    assert faults({"$ref": "#/components/schemas/Problem"}, without_rule) != []


def test_price_plans_are_described_in_full_and_closed() -> None:
    """A model of language sees one line of them (design §2.8 has the whole here)."""
    plan = next(route for route in ROUTES if route.tool == "create-price-plan")
    body = body_schema(plan)
    details = body["properties"]["pricePlanDetails"]
    assert {"$ref": "#/components/schemas/UsageRateCard"} in [
        branch["items"]
        for branch in details["properties"]["usageRateCards"]["anyOf"]
        if "items" in branch
    ]
    good = json.loads(json.dumps(EXAMPLES["create-price-plan"]))
    assert faults(body, good) == []
    good["pricePlanDetails"]["fixedFeeRateCards"][0]["enableProraton"] = True
    assert faults(body, good) != []


@each_route
def test_the_statuses_are_those_that_can_occur_and_the_scope_is_the_tools(
    server: BillingServer, route: RestRoute
) -> None:
    reads = server.catalog.schema(route.tool)["annotations"]["readOnlyHint"]
    expected = {"200", "400", "401", "403", "404", "408", "413", "421", "429", "500", "501", "503"}
    if route.method != "GET":
        expected |= {"409"}
    if route.method in ("POST", "PATCH"):
        expected |= {"415"}
    if not reads:
        expected |= {"202", "504"}
    assert list(operation(route)["responses"]) == sorted(expected)
    scope = "billing:read" if reads else "billing:write"
    assert operation(route)["security"] == [{"bearer": [scope]}]
    names = {parameter["name"] for parameter in operation(route)["parameters"]}
    assert ("Idempotency-Key" in names) is not reads


def test_every_type_of_problem_is_described() -> None:
    for name, kind in TYPES.items():
        response = described()["components"]["responses"][name]
        assert kind.title in response["description"]
        assert list(response["content"]) == ["application/problem+json"]


def test_two_schemas_of_one_name_are_kept_apart() -> None:
    components = Components()
    text = {"$defs": {"Part": {"type": "string"}}, "items": {"$ref": "#/$defs/Part"}}
    whole = {"$defs": {"Part": {"type": "integer"}}, "items": {"$ref": "#/$defs/Part"}}
    assert components.adopt(text, "One") == {"items": {"$ref": "#/components/schemas/Part"}}
    assert components.adopt(text, "Two") == {"items": {"$ref": "#/components/schemas/Part"}}
    assert components.adopt(whole, "Three") == {"items": {"$ref": "#/components/schemas/ThreePart"}}
    assert components.schemas == {"Part": {"type": "string"}, "ThreePart": {"type": "integer"}}
