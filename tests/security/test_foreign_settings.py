"""Settings and vendors that try to lead this server elsewhere: its keys go to one place only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from billing_mcp.config import Settings, from_environ
from billing_mcp.credentials import SettingsError
from billing_mcp.guard.policy import Policy
from billing_mcp.http.signing_keys import Unfetched
from billing_mcp.server import BillingServer
from good_calls import good_calls
from hosted_asking import asked
from issuer import ISSUER, JWKS_URL, METADATA_URL, Issuer
from recording import Granting, Recorder, Says
from security.doors import Shares, doors, in_shares, refusal_of
from security.estate import Estate, live
from unguarded import ANYTHING
from world import open_world

pytestmark = pytest.mark.anyio

ELSEWHERE = (
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254",
    "https://[fe80::1]",
    "https://[fe80::1%25eth0]",
    "https://[::ffff:169.254.169.254]",
    "http://10.0.0.7",
    "http://billing.example",
    "http://127.0.0.1.billing.example",
    "http://localhost.billing.example",
    "http://2130706433",
    "http://0x7f000001",
    "http://0.0.0.0:9080",
    "file:///etc/passwd",
    "gopher://127.0.0.1:70",
    "ftp://127.0.0.1",
    "//127.0.0.1",
    "https://user:s3same@billing.example",
    "https://127.0.0.1@billing.example",
    "https://billing.example?next=",
    "https://billing.example\t.other.example",
    "https://billing.exämple",
    "https://",
    "https://billing.example:0",
)
SETTINGS = (
    "TOGAI_BASE_URL",
    "SUGER_BASE_URL",
    "BILLING_MCP_AUTH_ISSUER",
    "BILLING_MCP_AUTH_JWKS_URL",
    "BILLING_MCP_PUBLIC_URL",
)


@pytest.mark.parametrize("url", ELSEWHERE)
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_that_leads_elsewhere_is_refused_and_no_password_shown(
    setting: str, url: str
) -> None:
    keys = {"TOGAI_API_KEY": "key-0123456789", "SUGER_API_KEY": "key-0123456789"}
    with pytest.raises(SettingsError) as refused:
        from_environ({**keys, setting: url})
    assert setting in str(refused.value)
    assert "s3same" not in str(refused.value)


@pytest.mark.parametrize("url", ELSEWHERE)
@pytest.mark.parametrize("vendor", ["togai", "suger"])
def test_a_tenant_of_the_file_that_leads_elsewhere_is_refused(
    tmp_path: Path, vendor: str, url: str
) -> None:
    path = tmp_path / "tenants.toml"
    text = url.replace("\t", "\\t")
    path.write_text(
        f'[tenants.acme]\n{vendor}_api_key = {{ env = "KEY" }}\n{vendor}_base_url = "{text}"\n',
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as refused:
        from_environ({"BILLING_MCP_TENANTS": str(path), "KEY": "key-0123456789"})
    assert f"tenants.acme.{vendor}_base_url" in str(refused.value)


REDIRECTS = (301, 302, 303, 307, 308)
# These ask no vendor.
OURS = ("search-tools", "get-operation", "list-operations")


@asynccontextmanager
async def leading_elsewhere(vendor: type[Recorder], status: int) -> AsyncIterator[Estate]:
    """No person has to agree to a write there, so that every tool gets as far as the vendor."""
    elsewhere = {"location": "http://169.254.169.254/latest/meta-data"}
    async with live(vendor(Says({}, status, elsewhere))) as estate:
        estate.server.tenants["acme"]._policy = Policy.read(ANYTHING)
        yield estate
        assert not [line for line in estate.vendors["acme"].asked if "meta-data" in line]


@in_shares
@pytest.mark.parametrize("status", REDIRECTS)
async def test_no_tool_follows_a_vendor_that_leads_elsewhere(status: int, shares: Shares) -> None:
    async with leading_elsewhere(Recorder, status) as estate:
        calls = good_calls(open_world(BillingServer(Settings())))
        everything = [
            door
            for door in doors(estate.server, calls)
            if door.way == "modern" and door.tool not in OURS
        ]
        for door in shares.of(everything, REDIRECTS.index(status), len(REDIRECTS)):
            before = len(estate.vendors["acme"].asked)
            answer = await door.through(estate.http, estate.headers("acme"))
            # Where a file is, is told and not gone to.
            tells = (door.tool, status) == ("get-file", 302)
            kinds = (None,) if tells else ("unavailable", "outcome-unknown")
            assert refusal_of(answer) in kinds, (door, answer.text)
            assert len(estate.vendors["acme"].asked) == before + 1, door


@pytest.mark.parametrize("status", REDIRECTS)
async def test_a_grant_follows_no_vendor_that_tells_its_account_and_then_leads_elsewhere(
    status: int,
) -> None:
    async with leading_elsewhere(Granting, status) as estate:
        grant = good_calls(open_world(BillingServer(Settings())))["grant-credit"]
        headers = estate.headers("acme")
        call = {"name": "grant-credit", "arguments": grant}
        answer = await asked(estate.http, "tools/call", headers, **call)
        assert refusal_of(answer) == "outcome-unknown"
        assert estate.vendors["acme"].asked == ["GET /accounts/harbor-main", "POST /credits"]


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "http://169.254.169.254/keys",
        "https://169.254.169.254/keys",
        "https://[fe80::1]/keys",
        "http://login.issuer.example/keys",
        "http://127.0.0.1:9070/keys",
        "file:///etc/passwd",
    ],
)
async def test_metadata_that_names_keys_elsewhere_is_not_believed(jwks_uri: str) -> None:
    issuer = Issuer()
    named = {"issuer": ISSUER, "jwks_uri": jwks_uri}
    issuer.answers[METADATA_URL] = lambda: httpx2.Response(200, json=named)
    authentication = issuer.authentication()
    assert authentication.signing_keys is not None
    with pytest.raises(Unfetched):
        await authentication.signing_keys.renew()
    assert jwks_uri not in issuer.asked
    assert JWKS_URL not in issuer.asked


@pytest.mark.parametrize("url", [METADATA_URL, JWKS_URL])
async def test_an_issuer_that_redirects_is_not_followed(url: str) -> None:
    issuer = Issuer()
    elsewhere = {"location": "https://other.example/keys"}
    issuer.answers[url] = lambda: httpx2.Response(302, headers=elsewhere)
    authentication = issuer.authentication()
    assert authentication.signing_keys is not None
    with pytest.raises(Unfetched, match="leads elsewhere"):
        await authentication.signing_keys.renew()
    assert not [line for line in issuer.asked if line.startswith("https://other.example")]


@pytest.fixture
async def estate() -> AsyncIterator[Estate]:
    async with live(Recorder(Says({}))) as made:
        yield made


async def test_what_a_token_says_of_keys_is_not_fetched(estate: Estate) -> None:
    """`jku`, `x5u` and `jwk` in a token's head would let whoever made it bring the key."""
    for name, value in (
        ("jku", "https://other.example/keys"),
        ("x5u", "https://other.example/certificate"),
        ("jwk", {"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
        ("kid", "https://other.example/keys"),
        ("kid", "../../../../etc/passwd"),
    ):
        text = estate.issuer.token(header={name: value}, tenant="acme")
        headers = {"authorization": f"Bearer {text}"}
        answer = await estate.http.get("/v1/customers", headers=headers)
        assert answer.status_code == (401 if name == "kid" else 200)
    asked = set(estate.issuer.asked)
    assert asked == {METADATA_URL, JWKS_URL}
