"""Tokens that are not good ones, brought to every door of the real app."""

import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from starlette.routing import Route

from billing_mcp.config import Settings
from billing_mcp.http import api_keys
from billing_mcp.http.app import app
from billing_mcp.http.auth import Authentication
from billing_mcp.http.signing_keys import RETRY_S
from billing_mcp.http.tokens import LONGEST_TOKEN, MOST_BELIEVED
from billing_mcp.server import BillingServer
from good_calls import good_calls
from hosted_asking import HOSTED, asked, client_of
from issuer import START, Issuer, ec_key, encoded, pem, published, rsa_key, signed
from recording import Recorder, Says
from security.doors import LISTS, Ways, each_way, legacy
from security.estate import Estate, live
from world import open_world

pytestmark = pytest.mark.anyio


def unsigned(issuer: Issuer) -> str:
    return issuer.token(header={"alg": "none"}, key="", tenant="acme")


def signed_with_the_public_key(issuer: Issuer) -> str:
    """HMAC with the text of the RSA key that everybody can read."""
    payload = json.dumps(issuer.claims(tenant="acme")).encode()
    head = {"alg": "HS256", "typ": "at+jwt", "kid": "rsa-1"}
    return signed(head, payload, pem(rsa_key("one")))


def with_another_payload(issuer: Issuer) -> str:
    head, _, signature = issuer.token(tenant="acme", scope="billing:read").split(".")
    claims = issuer.claims(tenant="acme", scope="billing:write")
    return f"{head}.{encoded(json.dumps(claims).encode())}.{signature}"


BAD: dict[str, Callable[[Issuer], str]] = {
    "expired": lambda issuer: issuer.token(tenant="acme", exp=START - 61),
    "not yet valid": lambda issuer: issuer.token(tenant="acme", nbf=START + 61),
    "from the future": lambda issuer: issuer.token(tenant="acme", iat=START + 61),
    "of no expiry": lambda issuer: issuer.token(tenant="acme", exp=None),
    "foreign audience": lambda issuer: issuer.token(tenant="acme", aud="https://other.example"),
    "no audience": lambda issuer: issuer.token(tenant="acme", aud=None),
    "wrong issuer": lambda issuer: issuer.token(tenant="acme", iss="https://other.example"),
    "alg none": unsigned,
    "HS256 for RS256": signed_with_the_public_key,
    "another key": lambda issuer: issuer.token(rsa_key("two"), tenant="acme"),
    "an elliptic key": lambda issuer: issuer.token(
        ec_key("one"), {"alg": "ES256", "kid": "rsa-1"}, tenant="acme"
    ),
    "unknown key": lambda issuer: issuer.token(rsa_key("two"), {"kid": "rsa-2"}, tenant="acme"),
    "changed": with_another_payload,
    "an ID token": lambda issuer: issuer.token(tenant="acme", nonce="n-1"),
    "too long": lambda issuer: issuer.token(tenant="acme", filler="x" * LONGEST_TOKEN),
    "an API key where there are none": lambda _: f"bmk_{'a' * 43}",
    "no token": lambda _: "acme",
}


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with live(Recorder(Says({"message": "no such thing"}, 404))) as made:
        yield made


@pytest.mark.parametrize("bad", BAD)
async def test_a_bad_token_opens_no_door(estate: Estate, bad: str) -> None:
    text = BAD[bad](estate.issuer)
    headers = {"authorization": f"Bearer {text}"}
    for answer in await tried(estate, headers):
        assert_refused(answer, text)
    assert [vendor.asked for vendor in estate.vendors.values()] == [[], []]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Basic YWNtZTphY21l"},
        {"cookie": "token=acme"},
        {"x-api-key": "acme"},
    ],
    ids=str,
)
async def test_without_a_token_no_door_opens(estate: Estate, headers: dict[str, str]) -> None:
    for answer in await tried(estate, headers):
        assert_refused(answer, "")
    assert [vendor.asked for vendor in estate.vendors.values()] == [[], []]


@each_way
@pytest.mark.parametrize("text", ["", "expired"])
async def test_no_tool_is_behind_a_door_that_forgets_to_ask(
    estate: Estate, text: str, ways: Ways
) -> None:
    headers = {"authorization": f"Bearer {BAD[text](estate.issuer)}"} if text else {}
    for door in ways(estate.server, good_calls(open_world(BillingServer(Settings())))):
        assert_refused(await door.through(estate.http, headers), "")
    assert [vendor.asked for vendor in estate.vendors.values()] == [[], []]


async def tried(estate: Estate, headers: dict[str, str]) -> list[httpx2.Response]:
    """Every method of MCP in both eras, and REST for reading and writing."""
    call = {"name": "list-customers", "arguments": {}}
    methods = (*LISTS, "server/discover", "initialize", "ping", "nonsense")
    return [
        *[await ask(estate.http, method, headers) for method in methods for ask in (asked, legacy)],
        await asked(estate.http, "tools/call", headers, **call),
        await legacy(estate.http, "tools/call", headers, **call),
        await estate.http.get("/v1/customers", headers=headers),
        await estate.http.post("/v1/customers", json={"id": "new"}, headers=headers),
    ]


def assert_refused(answer: httpx2.Response, text: str) -> None:
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith("Bearer resource_metadata=")
    # Neither the token nor a part of it comes back.
    assert not [part for part in text.split(".") if len(part) > 8 and part in answer.text]


async def test_every_path_of_the_app_but_the_open_ones_asks_for_a_token(estate: Estate) -> None:
    """Found by asking the router, so that a path added later is asked too."""
    application = app(HOSTED, authentication=Issuer().authentication())
    paths = {route.path for route in application.router.routes if isinstance(route, Route)}
    known_open = {"/healthz", "/readyz"}
    shown = {path for path in paths if path.startswith("/.well-known/")}
    assert {"/mcp", "/metrics"} <= paths
    for path in paths | {"/v1", "/v1/", "/v1/nonsense", "/nonsense", "/"}:
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
            answer = await estate.http.request(method, path)
            if path in known_open | shown:
                assert answer.status_code in (200, 405, 503), (method, path)
            elif path == "/metrics":
                assert answer.status_code in (403, 405), (method, path)
            else:
                assert answer.status_code == 401, (method, path)


async def test_a_key_that_was_rotated_out_opens_no_door_any_more(estate: Estate) -> None:
    headers = estate.headers("acme", exp=START + 10 * RETRY_S)
    assert (await estate.http.get("/v1/price-plans", headers=headers)).status_code == 404
    estate.issuer.keys[:] = [published(rsa_key("two"), "rsa-2")]
    estate.issuer.clock.now += RETRY_S + 1
    new = estate.issuer.token(rsa_key("two"), {"kid": "rsa-2"}, tenant="acme")
    fresh = {"authorization": f"Bearer {new}"}
    assert (await estate.http.get("/v1/price-plans", headers=fresh)).status_code == 404
    for answer in (
        await estate.http.get("/v1/price-plans", headers=headers),
        await asked(estate.http, "tools/list", headers),
        await legacy(estate.http, "tools/list", headers),
    ):
        assert answer.status_code == 401


async def test_api_keys_are_compared_by_their_hashes_in_constant_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long a comparison takes tells nothing of a key: equal hashes would have to be guessed."""
    path = tmp_path / "keys.json"
    shown, kept = api_keys.made("desk", ["billing:read"], None, datetime.now(UTC))
    api_keys.write(path, [kept])
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    wrong = shown[:-1] + ("A" if shown[-1] != "A" else "B")
    async with client_of(app(Settings(api_keys=path))) as http:
        for text, status in ((shown, 200), (wrong, 401)):
            headers = {"authorization": f"Bearer {text}"}
            assert (await http.get("/v1/customers", headers=headers)).status_code == status
    assert [one == other for one, other in compared] == [True, False]
    for one, other in compared:
        assert len(one) == len(other) == 64
        assert not {shown, wrong} & {one, other}


async def test_a_hundred_thousand_bad_tokens_leave_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    later = datetime.now(UTC) + timedelta(days=1)
    _, kept = api_keys.made("desk", ["billing:read"], None, datetime.now(UTC), later)
    api_keys.write(path, [kept])
    issuer = Issuer()
    authentication = issuer.authentication(api_keys=path)
    head = encoded(json.dumps({"alg": "RS256", "kid": "made-up", "typ": "at+jwt"}).encode())
    for number in range(50_000):
        assert await authentication.verify_token(f"bmk_{number:043}") is None
        assert await authentication.verify_token(f"{head}.{number:020}.AAAA") is None
    assert believed(authentication) == 0
    # Names of keys that are made up make nobody ask the issuer again and again.
    assert issuer.key_requests == 1


async def test_good_tokens_without_end_are_forgotten_again() -> None:
    issuer = Issuer()
    authentication = issuer.authentication()
    for number in range(MOST_BELIEVED + 100):
        head = {"alg": "ES256", "kid": "ec-1"}
        token = issuer.token(ec_key("one"), head, sub=f"agent-{number}")
        assert await authentication.verify_token(token) is not None
    assert believed(authentication) == MOST_BELIEVED


def believed(authentication: Authentication) -> int:
    assert authentication._tokens is not None
    return len(authentication._tokens._believed)


@pytest.mark.parametrize("size", [LONGEST_TOKEN + 1, 60_000, 1_000_000])
async def test_a_giant_token_is_refused_before_it_is_looked_into(estate: Estate, size: int) -> None:
    for text in ("a" * size, f"bmk_{'a' * size}", f"eyJhbGciOiJSUzI1NiJ9.{'a' * size}.a"):
        headers = {"authorization": f"Bearer {text}"}
        answer = await estate.http.get("/v1/customers", headers=headers)
        assert answer.status_code == 401
        assert len(answer.content) < 1_000
        assert len(answer.headers["www-authenticate"]) < 1_000
    assert estate.issuer.asked == []
