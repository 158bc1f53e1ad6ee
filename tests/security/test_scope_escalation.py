"""A token that may read tries to write, by every way in; nothing reaches a vendor."""

from collections.abc import AsyncIterator

import pytest

from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
from good_calls import good_calls
from hosted_asking import asked
from recording import Recorder, Says
from rest_asking import problem_of
from security.doors import LISTS, WRITES, Calls, Ways, each_way, legacy, reads, refusal_of
from security.estate import Estate, live
from world import open_world

pytestmark = pytest.mark.anyio

# Reads that no vendor is asked for: what they show is ours.
OURS = {"search-tools", "get-operation", "list-operations"}


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with live(Recorder(Says({"message": "no such thing"}, 404))) as made:
        yield made


@pytest.fixture
def calls() -> Calls:
    return good_calls(open_world(BillingServer(Settings())))


def asked_vendors(estate: Estate) -> list[str]:
    return [request for vendor in estate.vendors.values() for request in vendor.asked]


@each_way
@pytest.mark.parametrize("scope", ["billing:read", "billing:approve"])
async def test_no_way_in_lets_a_token_write_that_may_only_read(
    estate: Estate, calls: Calls, scope: str, ways: Ways
) -> None:
    headers = estate.headers("acme", scope)
    tried = set()
    for door in ways(estate.server, calls):
        if reads(door.tool):
            continue
        answer = await door.through(estate.http, headers)
        # A modern client learns it as HTTP says it, as REST does; a legacy one from the result.
        kind = "insufficient_scope" if door.way.startswith("modern") else "not-permitted"
        assert refusal_of(answer) == kind, door
        assert answer.status_code == (200 if door.way.startswith("legacy") else 403), door
        tried.add(door.tool)
    assert tried == set(WRITES)
    assert asked_vendors(estate) == []


async def test_the_runner_of_reads_runs_no_write_whatever_the_token_may(
    estate: Estate, calls: Calls
) -> None:
    for scope in ("billing:read", "billing:write"):
        headers = estate.headers("acme", scope)
        for tool in WRITES:
            run = {"name": "run-read-tool", "arguments": {"name": tool, "arguments": calls[tool]}}
            modern = await asked(estate.http, "tools/call", headers, **run)
            assert refusal_of(modern) == "not-permitted", tool
            answer = await legacy(estate.http, "tools/call", headers, **run)
            assert refusal_of(answer) == "not-permitted", tool
    assert asked_vendors(estate) == []


@each_way
@pytest.mark.parametrize("scope", ["", "openid", "billing:*", "BILLING:WRITE", "billing:write\t"])
async def test_a_token_without_a_scope_of_ours_gets_through_no_door(
    estate: Estate, calls: Calls, scope: str, ways: Ways
) -> None:
    headers = estate.headers("acme", scope)
    for door in ways(estate.server, calls):
        answer = await door.through(estate.http, headers)
        assert answer.status_code == 403, door
    for method in (*LISTS, "server/discover", "prompts/get", "resources/read"):
        assert (await asked(estate.http, method, headers)).status_code == 403
        assert (await legacy(estate.http, method, headers)).status_code == 403
    assert asked_vendors(estate) == []


@each_way
async def test_what_a_token_may_read_is_asked_for_by_every_door_and_only_that(
    estate: Estate, calls: Calls, ways: Ways
) -> None:
    """Otherwise the tests above would pass on a server that refuses everything."""
    headers = estate.headers("acme", "billing:read")
    for door in ways(estate.server, calls):
        before = len(estate.vendors["acme"].asked)
        await door.through(estate.http, headers)
        sent = len(estate.vendors["acme"].asked) > before
        assert sent is (reads(door.tool) and door.tool not in OURS), door
    assert estate.vendors["harbor"].asked == []


async def test_a_scope_named_in_the_request_instead_of_the_token_permits_nothing(
    estate: Estate,
) -> None:
    headers = estate.headers("acme", "billing:read")
    forged = {
        **headers,
        "scope": "billing:write",
        "x-scope": "billing:write",
        "x-forwarded-user": "admin",
    }
    grant = {"creditAmount": "1", "effectiveFrom": "2026-11-20", "accountId": "harbor-main"}
    answer = await estate.http.post(
        "/v1/accounts/harbor-main/credits?scope=billing:write",
        json={name: grant[name] for name in ("creditAmount", "effectiveFrom")},
        headers=forged,
    )
    problem_of(answer, 403, "not-permitted")
    meta = {"scope": "billing:write", "scopes": ["billing:write"]}
    params = {"name": "grant-credit", "arguments": grant, "_meta": meta}
    called = await legacy(estate.http, "tools/call", forged, **params)
    assert refusal_of(called) == "not-permitted"
    assert asked_vendors(estate) == []
