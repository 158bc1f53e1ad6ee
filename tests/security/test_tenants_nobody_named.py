"""Tokens and keys of no tenant, where there are several: told so, and nothing of the others."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from billing_mcp.config import Settings
from billing_mcp.credentials import TenantSettings
from billing_mcp.http import api_keys
from billing_mcp.http.app import app
from good_calls import good_calls
from hosted_asking import asked, client_of
from issuer import NOW
from recording import Recorder, Says
from rest_asking import problem_of
from security.doors import HELLO, LISTS, Ways, each_way, legacy, refusal_of
from security.estate import Estate, live
from world import open_world

from billing_mcp.server import BillingServer  # isort: skip

pytestmark = pytest.mark.anyio

SENTENCE = "This token names no tenant of this server."


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with live(Recorder(Says({}))) as made:
        yield made


def unnamed(estate: Estate, tenant: str | None) -> dict[str, str]:
    token = estate.issuer.token(tenant=tenant, scope="billing:write billing:approve")
    return {"authorization": f"Bearer {token}"}


@each_way
@pytest.mark.parametrize("tenant", [None, "nobody", "Acme", "acme/../harbor", "default", "0"])
async def test_a_token_of_no_tenant_opens_no_door_and_hears_the_same_whatever_it_says(
    estate: Estate, tenant: str | None, ways: Ways
) -> None:
    headers = unnamed(estate, tenant)
    for door in ways(estate.server, good_calls(open_world(BillingServer(Settings())))):
        answer = await door.through(estate.http, headers)
        if door.way == "rest":
            assert problem_of(answer, 403, "not-permitted")["detail"] == SENTENCE
        else:
            assert refusal_of(answer) == "json-rpc"
            assert answer.json()["error"]["message"] == SENTENCE
    for method in LISTS:
        for ask in (asked, legacy):
            answer = await ask(estate.http, method, headers)
            assert answer.json()["error"]["message"] == SENTENCE, method
    assert [vendor.asked for vendor in estate.vendors.values()] == [[], []]


async def test_what_can_be_found_out_without_a_tenant_is_the_same_for_all_and_names_none(
    estate: Estate,
) -> None:
    """A client says hello before it lists: it would take a refusal for a server that is down."""

    async def hello(headers: dict[str, str]) -> list[httpx2.Response]:
        return [
            await asked(estate.http, "server/discover", headers),
            await legacy(estate.http, "initialize", headers, **HELLO),
        ]

    stranger = await hello(unnamed(estate, "nobody"))
    acme = await hello(estate.headers("acme"))
    for one, other in zip(stranger, acme, strict=True):
        assert one.json()["result"] == other.json()["result"]
        for word in ("acme", "harbor", "live", "org-of"):
            assert word not in one.json()["result"]["instructions"].replace("is live or", "")


async def test_a_key_of_no_tenant_or_of_one_that_went_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = {
        name: api_keys.made(name, ["billing:write"], tenant, NOW)
        for name, tenant in (("lost", None), ("gone", "mill"), ("good", "acme"))
    }
    api_keys.write(path, [kept for _, kept in made.values()])
    tenants = (TenantSettings("acme"), TenantSettings("harbor"))
    async with client_of(app(Settings(api_keys=path, tenants=tenants))) as http:
        for name, (shown, _) in made.items():
            headers = {"authorization": f"Bearer {shown}"}
            rest = await http.get("/v1/customers", headers=headers)
            listed = await asked(http, "tools/list", headers)
            if name == "good":
                assert rest.status_code == listed.status_code == 200
                continue
            assert problem_of(rest, 403, "not-permitted")["detail"] == SENTENCE
            assert listed.json()["error"]["message"] == SENTENCE


async def test_with_one_tenant_a_token_need_not_name_it_and_may_name_no_other(
    tmp_path: Path,
) -> None:
    path = tmp_path / "keys.json"
    made = [
        api_keys.made(name, ["billing:read"], tenant, NOW)
        for name, tenant in (("plain", None), ("other", "harbor"))
    ]
    api_keys.write(path, [kept for _, kept in made])
    async with client_of(app(Settings(api_keys=path))) as http:
        statuses = [
            (await http.get("/v1/customers", headers={"authorization": f"Bearer {shown}"}))
            for shown, _ in made
        ]
    assert [answer.status_code for answer in statuses] == [200, 403]
