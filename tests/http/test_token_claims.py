"""What a signed access token has to say: for whom it is, from whom, until when, and what it may."""

import json
from typing import Any

import pytest

from billing_mcp.http.auth import Authentication
from issuer import AUDIENCE, ISSUER, PUBLIC_URL, Issuer, refusal, rsa_key, signed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("late_s", [0, 59])
async def test_a_token_that_expired_within_the_skew_of_clocks_is_taken(
    issuer: Issuer, authentication: Authentication, late_s: int
) -> None:
    assert await authentication.check(issuer.token(exp=issuer.clock.now - late_s))


async def test_an_expired_token_is_refused(issuer: Issuer, authentication: Authentication) -> None:
    said = await refusal(authentication, issuer.token(exp=issuer.clock.now - 60))
    assert said == "it has expired"


async def test_a_token_that_was_good_a_moment_ago_is_refused_once_it_expires(
    issuer: Issuer, authentication: Authentication
) -> None:
    text = issuer.token(exp=issuer.clock.now + 10)
    issuer.clock.now += 69
    assert await authentication.check(text)
    issuer.clock.now += 1
    assert await refusal(authentication, text) == "it has expired"


async def test_a_token_without_an_expiry_is_refused(
    issuer: Issuer, authentication: Authentication
) -> None:
    assert await refusal(authentication, issuer.token(exp=None)) == "it has no time of expiry"


@pytest.mark.parametrize("value", ["4000000000", True, -1, 1e400, [], 10**400])
async def test_an_expiry_that_is_no_time_is_refused(
    issuer: Issuer, authentication: Authentication, value: Any
) -> None:
    text = issuer.token(exp=value)
    said = await refusal(authentication, text)
    # 1e400 is written as Infinity, which is not JSON.
    assert said == ("its parts are not JSON" if value == 1e400 else "its exp is not a time")


async def test_a_number_too_large_for_a_time_is_refused(
    issuer: Issuer, authentication: Authentication
) -> None:
    claims = json.dumps(issuer.claims()).replace(str(issuer.clock.now + 3600), "1e400")
    header = {"alg": "RS256", "kid": "rsa-1"}
    text = signed(header, claims.encode(), rsa_key("one"))
    assert await refusal(authentication, text) == "its exp is not a time"


async def test_a_token_that_is_not_valid_yet_is_refused(
    issuer: Issuer, authentication: Authentication
) -> None:
    text = issuer.token(nbf=issuer.clock.now + 61)
    assert await refusal(authentication, text) == "it is not valid yet"
    issuer.clock.now += 1
    assert await authentication.check(text)


async def test_a_token_issued_in_the_future_is_refused(
    issuer: Issuer, authentication: Authentication
) -> None:
    text = issuer.token(iat=issuer.clock.now + 61)
    assert await refusal(authentication, text) == "it was issued in the future"


@pytest.mark.parametrize(
    "audience",
    [
        "https://other.example/mcp",
        "https://billing.example.evil.example/mcp",
        "https://billing.example/mcp/admin",
        "https://billing.example/m",
        "http://billing.example/mcp",
        "https://billing.example:8443/mcp",
        "https://evil.example/https://billing.example/mcp",
        "desk",
        "",
        ["https://other.example"],
        [[AUDIENCE]],
        {"aud": AUDIENCE},
        None,
    ],
)
async def test_a_token_for_a_foreign_audience_is_refused(
    issuer: Issuer, authentication: Authentication, audience: Any
) -> None:
    text = issuer.token(aud=audience)
    assert await refusal(authentication, text) == "it is meant for another audience"


@pytest.mark.parametrize(
    ("audience", "resource"),
    [
        (AUDIENCE, AUDIENCE),
        (f"{AUDIENCE}/", AUDIENCE),
        (PUBLIC_URL, PUBLIC_URL),
        (f"{PUBLIC_URL}/", PUBLIC_URL),
        ("HTTPS://Billing.Example/mcp", AUDIENCE),
        (["https://other.example", AUDIENCE], AUDIENCE),
    ],
)
async def test_a_token_for_this_server_or_its_endpoint_is_taken(
    issuer: Issuer, authentication: Authentication, audience: Any, resource: str
) -> None:
    assert (await authentication.check(issuer.token(aud=audience))).resource == resource


async def test_the_public_url_may_be_given_as_that_of_the_endpoint(issuer: Issuer) -> None:
    authentication = issuer.authentication(public_url=AUDIENCE)
    assert (await authentication.check(issuer.token(aud=PUBLIC_URL))).resource == PUBLIC_URL


@pytest.mark.parametrize(
    "name", ["https://evil.example", f"{ISSUER}/", "HTTPS://login.issuer.example", "", None]
)
async def test_a_token_of_another_issuer_is_refused_though_its_key_is_ours(
    issuer: Issuer, authentication: Authentication, name: str | None
) -> None:
    assert await refusal(authentication, issuer.token(iss=name)) == "it is of another issuer"


@pytest.mark.parametrize("claim", ["nonce", "at_hash", "c_hash"])
async def test_an_id_token_is_refused(
    issuer: Issuer, authentication: Authentication, claim: str
) -> None:
    claims: dict[str, Any] = {claim: "n-0S6_WzA2Mj"}
    said = await refusal(authentication, issuer.token(**claims))
    assert said == "it is an ID token, not an access token"


async def test_a_token_that_is_bound_to_a_key_of_its_client_is_refused_as_a_bearer_token(
    issuer: Issuer, authentication: Authentication
) -> None:
    said = await refusal(authentication, issuer.token(cnf={"jkt": "0ZcOCORZNYy"}))
    assert said == "it is bound to a key of its client, which is not supported"


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "billing:read billing:approve"}, ["billing:read", "billing:approve"]),
        ({"scope": ["billing:read"]}, ["billing:read"]),
        ({"scope": None, "scp": ["billing:read", "x"]}, ["billing:read", "x"]),
        ({"scope": None, "scp": "billing:write"}, ["billing:write"]),
        ({"scope": "billing:read", "scp": ["billing:write"]}, ["billing:read"]),
        ({"scope": ""}, []),
        ({"scope": "  billing:read  "}, ["billing:read"]),
        ({"scope": None}, []),
    ],
)
async def test_scopes_are_read_as_text_and_as_a_list(
    issuer: Issuer, authentication: Authentication, claims: dict[str, Any], scopes: list[str]
) -> None:
    assert (await authentication.check(issuer.token(**claims))).scopes == scopes


@pytest.mark.parametrize("scope", [7, True, {"billing:write": True}, ["billing:read", 7]])
async def test_scopes_of_another_kind_are_refused(
    issuer: Issuer, authentication: Authentication, scope: Any
) -> None:
    said = await refusal(authentication, issuer.token(scope=scope))
    assert said == "its scopes are neither text nor a list"


@pytest.mark.parametrize("claim", ["tenant", "role"])
@pytest.mark.parametrize("name", [7, True, ["acme"], {"name": "acme"}, "", "t" * 256])
async def test_a_tenant_or_role_of_a_wrong_type_is_refused(
    issuer: Issuer, authentication: Authentication, claim: str, name: Any
) -> None:
    said = await refusal(authentication, issuer.token(**{claim: name}))
    assert said == f"its claim {claim} is not a name"


async def test_the_role_is_read_from_the_claim_that_is_set(issuer: Issuer) -> None:
    token = await issuer.authentication().check(issuer.token(role="support"))
    assert token.claims is not None
    assert token.claims["role"] == "support"
    renamed = issuer.authentication(auth_role_claim="groups")
    token = await renamed.check(issuer.token(groups="finance", role="support"))
    assert token.claims is not None
    assert token.claims["role"] == "finance"


async def test_the_tenant_is_read_from_the_claim_that_is_set(issuer: Issuer) -> None:
    authentication = issuer.authentication(auth_tenant_claim="https://billing.example/org")
    changed: dict[str, Any] = {"https://billing.example/org": "acme", "tenant": "other"}
    token = await authentication.check(issuer.token(**changed))
    assert token.claims is not None
    assert token.claims["tenant"] == "acme"


@pytest.mark.parametrize("subject", ["a\nb", "a\x1b[2J", "\u202egnp.exe"])
async def test_a_subject_that_would_write_lines_of_its_own_into_a_log_is_refused(
    issuer: Issuer, authentication: Authentication, subject: str
) -> None:
    said = await refusal(authentication, issuer.token(sub=subject))
    assert said == "its claim sub holds control characters"


async def test_a_token_of_nobody_is_refused(issuer: Issuer, authentication: Authentication) -> None:
    assert await refusal(authentication, issuer.token(sub=None)) == "it does not say whose it is"
