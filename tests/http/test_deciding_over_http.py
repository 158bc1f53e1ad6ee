"""Approving and denying over HTTP: who may, whose plans they see, and what becomes of each."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import httpx2
import pytest
from mcp.server.auth.middleware.auth_context import auth_context_var
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.applications import Starlette

from approving import CREDITS, GRANT, PENDING, Hosted, hosted
from billing_mcp.config import Settings
from billing_mcp.credentials import TenantSettings
from billing_mcp.http.app import app
from billing_mcp.http.approvals import routes
from billing_mcp.http.challenges import Challenges
from billing_mcp.http.metrics import Metrics
from billing_mcp.http.openapi import document
from hosted_asking import client_of
from rest_asking import problem_of

pytestmark = pytest.mark.anyio

TWO = '[everyone]\nneeds_two_approvals = ["grant-credit"]\n'
NOWHERE = "74b8d1e9-362f-4b61-8b98-23ff7cf37117"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Hosted]:
    async with hosted(tmp_path) as made:
        yield made


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Hosted]:
    """Where two people have to agree to every grant."""
    async with hosted(tmp_path, TWO) as made:
        yield made


async def test_a_plan_that_waits_is_shown_with_all_that_an_approver_has_to_know(
    desk: Hosted,
) -> None:
    operation_id = await desk.planned(purpose='Goodwill "for" the outage')
    answer = await desk.get("anna", PENDING)
    assert answer.headers["content-type"] == "application/json", answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["tenant"], told["principal"]) == ("acme", "key:anna")
    assert told["asOf"] == "2026-11-21T12:00:00Z"
    (row,) = told["data"]
    plan = row.pop("plan")
    assert row.pop("effect").startswith("Grants 150.00 USD of credit to account harbor-main")
    assert row == {
        "operationId": operation_id,
        "environment": "sandbox",
        "state": "planned",
        "tool": "grant-credit",
        "amount": "150.00",
        "currency": "USD",
        "principal": "key:agent",
        "purpose": 'Goodwill "for" the outage',
        "why": "150.00 USD is above the ceiling of 100.00 USD a call.",
        "rule": "built-in.without_approval.per_call.other",
        "approvalsNeeded": 1,
        "approvals": [],
        "askedAt": "2026-11-21T12:00:00Z",
        "expiresAt": "2026-11-22T12:00:00Z",
    }
    assert plan["before"]["creditsLeft"] == "0.00"
    assert plan["after"]["creditsLeft"] == "150.00"


async def test_what_is_approved_is_done_once_and_waits_no_more(desk: Hosted) -> None:
    operation_id = await desk.planned()
    assert problem_of(await desk.committed(operation_id), 202, "approval-required")
    answer = await desk.approve("anna", operation_id)
    assert answer.status_code == 200
    row = answer.json()
    assert row["state"] == "approved"
    assert row["approvals"] == [{"by": "key:anna", "at": "2026-11-21T12:00:00Z"}]
    assert "barred" not in row
    assert await desk.waiting("anna") == []
    assert desk.world.effects("credit") == []
    for replayed in (None, True):
        done = await desk.committed(operation_id)
        assert done.status_code == 200, done.text
        assert done.json()["creditAmount"] == "150.00"
        assert done.json().get("replayed") is replayed
    assert desk.world.effects("credit") == [operation_id]


async def test_what_is_denied_is_never_done_and_its_asker_reads_why(desk: Hosted) -> None:
    operation_id = await desk.planned()
    answer = await desk.deny("anna", operation_id, "  Ask them\nfirst ")
    assert answer.json()["state"] == "denied"
    assert answer.json()["deniedBy"] == "key:anna"
    assert await desk.waiting("anna") == []
    refused = problem_of(await desk.committed(operation_id), 403, "not-permitted")
    assert 'was denied by key:anna: "Ask them first"' in refused["detail"]
    problem_of(await desk.approve("ben", operation_id), 409, "conflict")
    assert desk.world.effects("credit") == []


async def test_two_approvals_are_of_two_people_and_neither_is_the_asker(two: Hosted) -> None:
    operation_id = await two.planned("chief")
    (row,) = await two.waiting("chief")
    assert row["barred"] == "You asked for it, and two other people have to approve it."
    refused = problem_of(await two.approve("chief", operation_id), 403, "not-permitted")
    assert "two others have to agree" in refused["detail"]
    first = await two.approve("anna", operation_id)
    assert first.json()["state"] == "planned"
    assert first.json()["barred"] == "You have approved it. Somebody else has to as well."
    problem_of(await two.approve("anna", operation_id), 403, "not-permitted")
    problem_of(await two.committed(operation_id, "chief"), 202, "approval-required")
    (row,) = await two.waiting("ben")
    assert "barred" not in row
    assert [one["by"] for one in row["approvals"]] == ["key:anna"]
    second = await two.approve("ben", operation_id)
    assert second.json()["state"] == "approved"
    assert (await two.committed(operation_id, "chief")).status_code == 200
    assert two.world.effects("credit") == [operation_id]


async def test_a_plan_that_has_expired_is_not_shown_and_not_approved(desk: Hosted) -> None:
    operation_id = await desk.planned()
    desk.time.pass_by(timedelta(hours=24))
    assert await desk.waiting("anna") == []
    refused = problem_of(await desk.approve("anna", operation_id), 409, "conflict")
    assert "expired at 2026-11-22T12:00:00Z" in refused["detail"]


async def test_plans_of_another_tenant_are_neither_seen_nor_moved(desk: Hosted) -> None:
    operation_id = await desk.planned()
    assert await desk.waiting("stranger") == []
    foreign = await desk.approve("stranger", operation_id)
    missing = await desk.approve("stranger", NOWHERE)
    # Somebody else's id is answered as one that nobody has.
    assert problem_of(foreign, 404, "not-found")["detail"] == f"There is no plan {operation_id}."
    assert problem_of(missing, 404, "not-found")["detail"] == f"There is no plan {NOWHERE}."
    problem_of(await desk.deny("stranger", operation_id), 404, "not-found")
    (row,) = await desk.waiting("anna")
    assert (row["state"], row["approvals"]) == ("planned", [])


ROUTES = (
    ("GET", PENDING),
    ("POST", f"/approvals/{NOWHERE}/approve"),
    ("POST", f"/approvals/{NOWHERE}/deny"),
    ("GET", "/approvals/nonsense"),
    ("GET", "/approvals/"),
    ("GET", "/approvals%2Fpending"),
)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_who_has_no_token_or_a_bad_one_is_told_which_scope_is_needed(
    desk: Hosted, method: str, path: str
) -> None:
    for given in ({}, {"authorization": "Bearer bmk_made-up"}):
        answer = await desk.http.request(method, path, headers=given)
        problem_of(answer, 401, "not-permitted")
        assert 'scope="billing:approve"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("name", ["agent", "reader"])
async def test_who_may_only_read_or_write_may_not_approve(
    desk: Hosted, name: str, method: str, path: str
) -> None:
    answer = await desk.http.request(method, path, headers=desk.bearer(name))
    problem_of(answer, 403, "not-permitted")
    assert answer.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", scope="billing:approve"'
    )


async def test_the_scope_is_asked_for_again_behind_the_gate(desk: Hosted) -> None:
    """As if nothing stood before the routes but what says who calls."""
    operation_id = await desk.planned()
    token = AccessToken(
        token="none",
        client_id="key:agent",
        scopes=["billing:write"],
        claims={"tenant": "acme", "principal": "key:agent"},
    )
    bare = Starlette(routes=routes(desk.server, Challenges(Settings()), Metrics()))
    before = auth_context_var.set(AuthenticatedUser(token))
    try:
        async with client_of(bare) as http:
            answer = await http.post(f"/approvals/{operation_id}/approve", json={})
    finally:
        auth_context_var.reset(before)
    problem_of(answer, 403, "not-permitted")
    assert 'scope="billing:approve"' in answer.headers["www-authenticate"]


async def test_who_may_approve_may_read_but_not_write(desk: Hosted) -> None:
    assert (await desk.get("anna", "/v1/customers")).status_code == 200
    problem_of(await desk.post("anna", CREDITS, GRANT), 403, "not-permitted")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is empty."),
        (b"{}", "why must be a text of 1 to 300 characters."),
        (b'{"why": " "}', "why must be a text of 1 to 300 characters."),
        (b'{"why": 7}', "why must be a text of 1 to 300 characters."),
        (json.dumps({"why": "x" * 301}).encode(), "why must be a text of 1 to 300 characters."),
        (b'{"why": "no", "by": "key:ben"}', "There is no argument by."),
        (b'["no"]', "The body must be a JSON object."),
        (b'{"why": ', "The body is not JSON in UTF-8"),
        (b'{"why": "\xff"}', "The body is not JSON in UTF-8"),
    ],
)
async def test_a_denial_needs_a_reason_and_takes_nothing_else(
    desk: Hosted, body: bytes, said: str
) -> None:
    operation_id = await desk.planned()
    headers = desk.bearer("anna") | {"content-type": "application/json"}
    path = f"/approvals/{operation_id}/deny"
    answer = await desk.http.post(path, content=body, headers=headers)
    assert problem_of(answer, 400, "invalid-request")["detail"].startswith(said)
    (row,) = await desk.waiting("anna")
    assert row["state"] == "planned"


async def test_an_approval_takes_nothing_but_the_id_of_the_plan(desk: Hosted) -> None:
    operation_id = await desk.planned()
    path = f"/approvals/{operation_id}/approve"
    answer = await desk.post("anna", path, {"by": "key:ben"})
    refused = problem_of(answer, 400, "invalid-request")
    assert (refused["detail"], refused["field"]) == ("There is no argument by.", "by")
    form = {"content-type": "application/x-www-form-urlencoded", **desk.bearer("anna")}
    problem_of(await desk.http.post(path, content=b"yes=1", headers=form), 415, "invalid-request")
    empty = await desk.http.post(path, headers=desk.bearer("anna"))
    assert empty.json()["state"] == "approved"


@pytest.mark.parametrize("operation_id", ["nonsense", "..%2F..", "%00", "1" * 300])
async def test_what_is_no_id_is_refused_and_quoted_safely(desk: Hosted, operation_id: str) -> None:
    answer = await desk.approve("anna", operation_id)
    refused = problem_of(answer, 400, "invalid-request")
    assert refused["field"] == "operationId"
    assert len(answer.text) < 700
    assert "\x00" not in answer.text


async def test_an_id_may_be_spelt_as_uuids_may(desk: Hosted) -> None:
    operation_id = await desk.planned()
    answer = await desk.approve("anna", UUID(operation_id).hex.upper())
    assert answer.json()["operationId"] == operation_id


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", PENDING, "GET, HEAD, OPTIONS"),
        ("GET", f"/approvals/{NOWHERE}/approve", "POST, OPTIONS"),
        ("DELETE", f"/approvals/{NOWHERE}/deny", "POST, OPTIONS"),
        ("POST", "/approvals", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_method_that_a_path_has_not_is_refused(
    desk: Hosted, method: str, path: str, allowed: str
) -> None:
    answer = await desk.http.request(method, path, headers=desk.bearer("anna"))
    problem_of(answer, 405, "invalid-request")
    assert answer.headers["allow"] == allowed
    options = await desk.http.options(path, headers=desk.bearer("anna"))
    assert (options.status_code, options.headers["allow"]) == (204, allowed)


async def test_a_head_says_as_much_as_a_get_without_its_body(desk: Hosted) -> None:
    await desk.planned()
    answer = await desk.http.head(PENDING, headers=desk.bearer("anna"))
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_page_of_another_site_cannot_approve_and_our_own_can(tmp_path: Path) -> None:
    async with hosted(tmp_path, public_url="https://billing.example/mcp") as desk:
        operation_id = await desk.planned()
        path = f"/approvals/{operation_id}/approve"
        headers = desk.bearer("anna")
        for origin in ("https://evil.example", "http://billing.example", "null"):
            foreign = headers | {"origin": origin}
            assert (await desk.http.post(path, json={}, headers=foreign)).status_code == 403
        (row,) = await desk.waiting("anna")
        assert row["approvals"] == []
        own = headers | {"origin": "https://billing.example"}
        assert (await desk.http.post(path, json={}, headers=own)).json()["state"] == "approved"


async def test_approvals_count_as_calls_and_their_page_does_not(tmp_path: Path) -> None:
    async with hosted(tmp_path, rate_limit=2) as desk:
        for _ in range(5):
            assert (await desk.http.get("/approvals")).status_code == 200
        for _ in range(2):
            assert await desk.waiting("anna") == []
        refused = await desk.get("anna", PENDING)
        assert problem_of(refused, 429, "rate-limited")["retryAfterSeconds"] > 0
        assert await desk.waiting("ben") == []


async def test_the_log_and_the_figures_tell_of_decisions_and_of_no_secret(
    desk: Hosted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "billing_mcp.http.approvals")
    one, other = await desk.planned(), await desk.planned(purpose="Another")
    await desk.approve("anna", one)
    await desk.deny("ben", other, "s3cret-reason")
    await desk.deny("ben", other, "s3cret-reason")  # decided already: not counted
    told: list[Any] = [
        (record.message, record.facts)  # type: ignore[attr-defined]  # given as `extra`
        for record in caplog.records
    ]
    facts = {"tenant": "acme", "tool": "grant-credit"}
    assert told == [
        ("plan approved", {**facts, "principal": "key:anna", "operationId": one}),
        ("plan denied", {**facts, "principal": "key:ben", "operationId": other}),
    ]
    figures = desk.metrics.text().decode()
    assert 'billing_mcp_plans_decided_total{decision="approved"} 1.0' in figures
    assert 'billing_mcp_plans_decided_total{decision="denied"} 1.0' in figures


async def test_a_ledger_that_cannot_be_read_is_said_as_a_problem(tmp_path: Path) -> None:
    data = tmp_path / "sandbox.db"
    data.with_name("sandbox.db.ledger").write_text("no ledger at all, but a file of some length")
    tenants = (TenantSettings("acme", sandbox_data=data), TenantSettings("harbor"))
    file = tmp_path / "tenants.toml"
    async with hosted(tmp_path, tenants=tenants, tenants_file=file) as desk:
        refused = problem_of(await desk.get("anna", PENDING), 503, "unavailable")
    assert "ledger" in refused["detail"]


@pytest.mark.parametrize("path", ["/approvals", PENDING, f"/approvals/{NOWHERE}/approve"])
async def test_without_authentication_there_are_no_approvals_over_http(path: str) -> None:
    async with client_of(app(Settings())) as http:
        for method in ("GET", "POST"):
            refused = problem_of(await http.request(method, path), 404, "not-found")
            assert "`billing-mcp approve ID`" in refused["next"]


async def test_approvals_are_no_part_of_the_rest_routes_and_their_document(desk: Hosted) -> None:
    paths = document(desk.server.catalog)["paths"]
    assert len([method for path in paths.values() for method in path]) == 32
    assert not [path for path in paths if "approvals" in path]
    assert (await desk.get("anna", "/v1/approvals/pending")).status_code == 404


async def test_of_many_people_at_once_each_is_counted_once(two: Hosted) -> None:
    operation_id = await two.planned()
    statuses: list[tuple[str, int]] = []

    async def approve(name: str) -> None:
        answer: httpx2.Response = await two.approve(name, operation_id)
        statuses.append((name, answer.status_code))

    async with anyio.create_task_group() as group:
        for name in ("anna", "ben", "anna", "ben", "anna", "ben"):
            group.start_soon(approve, name)
    assert sorted(name for name, status in statuses if status == 200) == ["anna", "ben"]
    assert {status for _, status in statuses} <= {200, 403}
