"""The REST face: the seeds' 32 routes through the tools' own door, and ids of writes."""

import json
from pathlib import Path

import httpx2
import pytest

from billing_mcp import approvals
from billing_mcp.config import Settings
from billing_mcp.http.examples import EXAMPLES
from billing_mcp.http.routes import ROUTES, RestRoute
from billing_mcp.server import BillingServer
from good_calls import good_calls
from rest_asking import CREDITS, GRANT, JSON, ORG, approved, asking, problem_of, request_of
from world import OPERATION, World, open_world

pytestmark = pytest.mark.anyio

CONTRACT = json.loads((Path(__file__).parents[1] / "contract.json").read_text(encoding="utf-8"))


def test_the_routes_are_those_of_the_contract_in_its_spelling() -> None:
    promised = {
        (route["method"], route["path"], route["name"])
        for capability in CONTRACT["capabilities"]
        for route in capability["rest_routes"]
    }
    assert len(promised) == 32
    assert {(route.method, route.path, route.operation) for route in ROUTES} == promised
    assert len(ROUTES) == 32


def test_a_route_leads_to_the_tool_of_the_seed_that_has_its_operation() -> None:
    tools = {
        tool["operation"]: tool["name"]
        for capability in CONTRACT["capabilities"]
        for tool in capability["tools"]
    }
    # Seed 000 has these as operations without a tool.
    tools |= {"create-account": "create-account", "list-credits": "list-credits"}
    assert {route.operation: route.tool for route in ROUTES}.items() <= tools.items()


def test_every_parameter_of_a_query_is_text_a_whole_number_or_a_boolean(
    server: BillingServer,
) -> None:
    """Nothing else can be read from a query; a tool that takes more there needs more code."""
    for route in ROUTES:
        schema = server.catalog.schema(route.tool)["inputSchema"]
        for name, part in schema["properties"].items():
            if route.place(name, schema) == "query":
                assert part["type"] in ("string", "integer", "boolean"), (route.path, name)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
async def test_a_good_call_answers_200_with_what_the_tool_answers_in_full(
    server: BillingServer, http: httpx2.AsyncClient, world: World, route: RestRoute
) -> None:
    arguments = good_calls(world)[route.tool]
    if "orgid" in route.parameters:
        arguments = arguments | ORG
    schema = server.catalog.schema(route.tool)["inputSchema"]["properties"]
    headers = {"idempotency-key": OPERATION} if "operationId" in schema else {}
    answer = await approved(http, server, request_of(server, route, arguments), **headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"

    # The same call by its tool, in a company that has not seen it.
    other = BillingServer(Settings())
    good_calls(open_world(other))
    full = {"detail": "full"} if "detail" in schema else {}
    own = {"operationId": OPERATION} if "operationId" in schema else {}
    outcome = await other.catalog.invoke(route.tool, arguments | full | own, other.caller())
    if outcome.status == 202:
        await approvals.approve(other.tenant, OPERATION, "somebody", identified=True)
        outcome = await other.catalog.invoke(route.tool, arguments | full | own, other.caller())
    assert answer.json() == outcome.structured


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
async def test_every_example_succeeds_on_the_demo_company(route: RestRoute) -> None:
    server = BillingServer(Settings())
    async with asking(server) as http:
        answer = await http.request(**request_of(server, route, EXAMPLES[route.tool]))
    await server.tenant.close()
    assert answer.status_code == 200, answer.text
    if "data" in answer.json():
        assert answer.json()["data"]


async def test_a_list_is_answered_in_full_and_a_query_is_typed(http: httpx2.AsyncClient) -> None:
    customers = await http.get("/v1/customers", params={"pageSize": "1", "search": "harbor labs"})
    (row,) = customers.json()["data"]
    assert row["createdAt"].startswith("2026-11-20T")  # a concise row has none
    wrong = await http.get("/v1/customers", params={"pageSize": "1.0"})
    document = problem_of(wrong, 400, "invalid-request")
    assert document["field"] == "pageSize"
    assert document["detail"] == 'pageSize must be a whole number (got "1.0").'


async def test_the_idempotency_key_is_the_operation_and_repeats_it_once(
    http: httpx2.AsyncClient, world: World
) -> None:
    headers = {"Idempotency-Key": OPERATION}
    first = await http.post(CREDITS, json=GRANT, headers=headers)
    again = await http.post(CREDITS, json=GRANT, headers={"Idempotency-Key": f'"{OPERATION}"'})
    assert first.json()["operationId"] == again.json()["operationId"] == OPERATION
    assert "replayed" not in first.json()
    assert again.json()["id"] == first.json()["id"]
    assert world.effects("credit") == [OPERATION]
    other = await http.post(CREDITS, json=GRANT | {"creditAmount": "13"}, headers=headers)
    conflict = problem_of(other, 409, "conflict")
    assert conflict["operationId"] == OPERATION
    assert conflict["field"] == "operationId"


@pytest.mark.parametrize(
    "key", ["", "1", "6f1c1f6e0a514c559a5e0d2f6a1b7c3d", f"{{{OPERATION}}}", f'"{OPERATION}']
)
async def test_an_idempotency_key_that_is_no_uuid_is_refused(
    http: httpx2.AsyncClient, world: World, key: str
) -> None:
    answer = await http.post(CREDITS, json=GRANT, headers={"Idempotency-Key": key})
    document = problem_of(answer, 400, "invalid-request")
    assert document["field"] == "Idempotency-Key"
    assert world.effects("credit") == []


async def test_two_idempotency_keys_are_refused(http: httpx2.AsyncClient, world: World) -> None:
    headers = [("Idempotency-Key", OPERATION), ("Idempotency-Key", OPERATION)]
    answer = await http.post(CREDITS, json=GRANT, headers=headers)
    assert problem_of(answer, 400, "invalid-request")["field"] == "Idempotency-Key"
    assert world.effects("credit") == []


async def test_an_operation_id_in_the_body_counts_and_may_not_contradict_the_header(
    http: httpx2.AsyncClient, world: World
) -> None:
    body = GRANT | {"operationId": OPERATION}
    other = {"Idempotency-Key": "11111111-1111-4111-8111-111111111111"}
    refused = await http.post(CREDITS, json=body, headers=other)
    assert problem_of(refused, 400, "invalid-request")["field"] == "operationId"
    assert world.effects("credit") == []
    for headers in ({}, {"Idempotency-Key": OPERATION.upper()}):
        answer = await http.post(CREDITS, json=body, headers=headers)
        assert answer.json()["operationId"] == OPERATION
    assert world.effects("credit") == [OPERATION]


async def test_a_read_passes_over_an_idempotency_key(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/customers", headers={"Idempotency-Key": "of-some-client"})
    assert answer.status_code == 200
    assert "operationId" not in answer.json()


async def test_numbers_of_a_body_are_exact_and_answered_as_text(http: httpx2.AsyncClient) -> None:
    text = '{"creditAmount": 12345678901234567.89, "effectiveFrom": "2026-11-20"}'
    answer = await http.post(CREDITS, content=text, headers=JSON)
    assert problem_of(answer, 202, "approval-required")["plan"]["amount"] == "12345678901234567.89"
    small = '{"creditAmount": 12.123456789, "effectiveFrom": "2026-11-20"}'
    answer = await http.post(CREDITS, content=small, headers=JSON)
    assert answer.status_code == 200, answer.text
    assert answer.json()["creditAmount"] == "12.123456789"


DELETE = "/v1/org/sandbox/usagerecordgroup/"


@pytest.mark.parametrize("as_body", [True, False])
async def test_a_dry_run_is_answered_with_the_plan_that_its_id_then_commits_once(
    http: httpx2.AsyncClient, world: World, as_body: bool
) -> None:
    event = good_calls(world)["ingest-event-if-user-is"]["body"]
    path, body = (CREDITS, GRANT) if as_body else ("/v1/entitled", event)
    kind = "credit" if as_body else "event"
    before = world.effects(kind)
    if as_body:
        planned = await http.post(path, json=body | {"dryRun": True})
    else:
        planned = await http.post(f"{path}?dryRun=true", json=body)
    assert planned.status_code == 200, planned.text
    told = planned.json()
    assert set(told) == {"environment", "operationId", "plan"}
    assert told["plan"]["needs"] == "allowed"
    assert world.effects(kind) == before
    for replayed in (None, True):
        done = await http.post(path, json=body, headers={"idempotency-key": told["operationId"]})
        assert done.status_code == 200, done.text
        assert done.json()["operationId"] == told["operationId"]
        assert done.json().get("replayed") is replayed
    assert len(world.effects(kind)) == len(before) + 1


async def test_a_dry_run_in_a_query_is_true_or_false_and_nothing_else(
    http: httpx2.AsyncClient, world: World
) -> None:
    group = good_calls(world)["delete-usagerecordgroup"]["usageRecordGroupId"]
    assert (await http.delete(f"{DELETE}{group}?dryRun=true")).status_code == 200
    for given in ("false", None):
        query = "" if given is None else f"?dryRun={given}"
        answer = await http.delete(f"{DELETE}{group}{query}")
        problem_of(answer, 202, "approval-required")
    for wrong in ("1", "True", "yes", ""):
        answer = await http.delete(f"{DELETE}{group}?dryRun={wrong}")
        document = problem_of(answer, 400, "invalid-request")
        assert document["field"] == "dryRun"
        assert document["detail"] == f'dryRun must be true or false (got "{wrong}").'


async def test_a_write_that_waits_is_answered_202_with_its_plan_and_what_to_do(
    http: httpx2.AsyncClient, world: World
) -> None:
    headers = {"Idempotency-Key": OPERATION}
    answer = await http.post(CREDITS, json=GRANT | {"creditAmount": "150"}, headers=headers)
    document = problem_of(answer, 202, "approval-required")
    assert document["type"] == "/v1/problems/approval-required"
    assert document["operationId"] == OPERATION
    assert document["environment"] == "sandbox"
    assert document["plan"]["needs"] == "approval"
    assert document["plan"]["tool"] == "grant-credit"
    assert OPERATION in document["next"]
    assert world.effects("credit") == []
    explained = await http.get("/v1/problems/approval-required")
    assert "HTTP 202, kind approval-required" in explained.text


async def test_text_of_any_script_comes_back_as_it_was_given(http: httpx2.AsyncClient) -> None:
    name = "Ødegård & 株式会社 🚚"
    body = {"id": "scripts", "name": name, "primaryEmail": "billing@scripts.example"}
    assert (await http.post("/v1/customers", json=body)).json()["name"] == name
    found = await http.get("/v1/customers", params={"search": "株式会社"})
    assert [row["name"] for row in found.json()["data"]] == [name]


async def test_a_slash_in_an_id_is_part_of_it(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/customers/a%2Fb%20%C3%A9")
    document = problem_of(answer, 404, "not-found")
    assert "a/b é" in document["detail"]
    assert document["field"] == "customerId"
    assert "list-customers" in document["next"]
