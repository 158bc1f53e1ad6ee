"""Access tokens: each way to get in without the right one, named after the attack."""

import hashlib
import hmac
import json
import logging
from typing import Any

import httpx2
import pytest

from billing_mcp.http.auth import Authentication
from billing_mcp.http.signing_keys import KeysUnavailable
from billing_mcp.http.tokens import MOST_BELIEVED
from issuer import (
    AUDIENCE,
    ISSUER,
    JWKS_URL,
    METADATA_URL,
    UNKNOWN,
    Issuer,
    ec_key,
    ed_key,
    encoded,
    pem,
    published,
    refusal,
    rsa_key,
    signed,
)

pytestmark = pytest.mark.anyio


async def test_a_good_token_says_who_calls_for_whom_and_what_they_may(
    issuer: Issuer, authentication: Authentication
) -> None:
    text = issuer.token(scope="openid billing:write", tenant="acme")
    token = await authentication.check(text)
    assert token.subject == "agent-7"
    assert token.client_id == "desk"
    assert token.scopes == ["openid", "billing:write"]
    assert token.expires_at == issuer.clock.now + 3600
    assert token.resource == AUDIENCE
    assert token.claims == {
        "iss": ISSUER,
        "tenant": "acme",
        "role": None,
        "principal": "agent-7@login.issuer.example",
    }


async def test_the_token_itself_is_not_kept_so_that_nothing_can_send_it_on_or_log_it(
    issuer: Issuer, authentication: Authentication
) -> None:
    text = issuer.token()
    token = await authentication.check(text)
    assert text not in repr(token)
    assert text not in repr(vars(authentication._tokens))


async def test_a_token_without_a_signature_is_refused(
    issuer: Issuer, authentication: Authentication
) -> None:
    unsigned = issuer.token(header={"alg": "none"})
    assert await refusal(authentication, unsigned) == "it is not a signed JWT"


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "HS256", "RS384", "rs256", "", None, ["RS256"]]
)
async def test_a_token_that_names_an_algorithm_that_is_not_allowed_is_refused(
    issuer: Issuer, authentication: Authentication, algorithm: Any
) -> None:
    _, payload, signature = issuer.token().split(".")
    header = encoded(json.dumps({"alg": algorithm, "kid": "rsa-1"}).encode())
    said = await refusal(authentication, f"{header}.{payload}.{signature}")
    assert said == "its signature algorithm is not allowed"
    assert issuer.asked == []


@pytest.mark.parametrize("algorithms", [("RS256",), ("RS256", "HS256")])
async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    issuer: Issuer, algorithms: tuple[str, ...]
) -> None:
    """HS256 with what everybody can fetch, even if somebody had allowed HS256."""
    # PyJWT itself does not sign with such a key, so this is done by hand.
    head = encoded(json.dumps({"alg": "HS256", "kid": "rsa-1"}).encode())
    body = f"{head}.{encoded(json.dumps(issuer.claims()).encode())}"
    forged = hmac.new(pem(rsa_key("one")), body.encode(), hashlib.sha256).digest()
    said = await refusal(
        issuer.authentication(auth_algorithms=algorithms), f"{body}.{encoded(forged)}"
    )
    allowed = "HS256" in algorithms
    assert said == (
        "its key is not one for its algorithm"
        if allowed
        else "its signature algorithm is not allowed"
    )


@pytest.mark.parametrize(("key_id", "algorithm"), [("rsa-1", "ES256"), ("ec-1", "RS256")])
async def test_a_key_of_another_kind_than_the_algorithm_is_refused(
    issuer: Issuer, authentication: Authentication, key_id: str, algorithm: str
) -> None:
    key = ec_key("one") if algorithm == "ES256" else rsa_key("one")
    text = issuer.token(key, {"alg": algorithm, "kid": key_id})
    assert await refusal(authentication, text) == "its key is not one for its algorithm"


async def test_a_key_that_is_published_for_another_algorithm_is_refused(issuer: Issuer) -> None:
    issuer.keys = [published(rsa_key("one"), "rsa-1", alg="RS512")]
    said = await refusal(issuer.authentication(), issuer.token())
    assert said == "its key is not one for its algorithm"


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", rsa_key("one")),
        ("PS384", rsa_key("one")),
        ("ES256", ec_key("one")),
        ("EdDSA", ed_key("one")),
    ],
)
async def test_a_token_is_taken_by_each_kind_of_algorithm_that_is_allowed(
    issuer: Issuer, algorithm: str, key: Any
) -> None:
    issuer.keys = [published(key, "k")]
    authentication = issuer.authentication(auth_algorithms=(algorithm,))
    assert await authentication.check(issuer.token(key, {"alg": algorithm, "kid": "k"}))


async def test_a_token_signed_with_a_key_that_only_shares_its_id_is_refused(
    issuer: Issuer, authentication: Authentication
) -> None:
    said = await refusal(authentication, issuer.token(rsa_key("of a stranger")))
    assert said == "its signature is wrong"


async def test_a_token_whose_claims_were_changed_is_refused(
    issuer: Issuer, authentication: Authentication
) -> None:
    header, _, signature = issuer.token().split(".")
    claims = encoded(json.dumps(issuer.claims(scope="billing:write")).encode())
    assert await refusal(authentication, f"{header}.{claims}.{signature}") == (
        "its signature is wrong"
    )


async def test_a_key_that_comes_with_the_token_is_not_used(
    issuer: Issuer, authentication: Authentication
) -> None:
    stranger = rsa_key("of a stranger")
    header = {"jwk": published(stranger, "rsa-1"), "jku": "https://evil.example/keys"}
    assert await refusal(authentication, issuer.token(stranger, header)) == "its signature is wrong"
    assert not [url for url in issuer.asked if "evil" in url]


@pytest.mark.parametrize("key_id", ["../../etc/passwd", "rsa-1\x00", "' OR 1=1", "%2e%2e/keys"])
async def test_an_id_of_a_key_is_a_name_and_not_a_path(
    issuer: Issuer, authentication: Authentication, key_id: str
) -> None:
    said = await refusal(authentication, issuer.token(header={"kid": key_id}))
    assert said == UNKNOWN
    assert set(issuer.asked) == {METADATA_URL, JWKS_URL}


@pytest.mark.parametrize("key_id", [None, "", "k" * 256, 7, ["rsa-1"], {"kid": "rsa-1"}])
async def test_a_token_that_does_not_name_its_key_is_refused(
    issuer: Issuer, authentication: Authentication, key_id: Any
) -> None:
    assert await refusal(authentication, issuer.token(header={"kid": key_id})) == (
        "it does not name its key"
    )
    assert issuer.asked == []


@pytest.mark.parametrize(
    "header",
    [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": True}, {"crit": ["b64"], "b64": True}],
)
async def test_a_token_with_a_critical_header_is_refused(
    issuer: Issuer, authentication: Authentication, header: dict[str, Any]
) -> None:
    assert await refusal(authentication, issuer.token(header=header)) == (
        "its header has a critical part that is not understood"
    )


@pytest.mark.parametrize("kind", ["at+jwt", "JWT", "application/at+jwt", "AT+JWT", None])
async def test_the_types_of_access_tokens_are_taken(
    issuer: Issuer, authentication: Authentication, kind: str | None
) -> None:
    assert await authentication.check(issuer.token(header={"typ": kind}))


@pytest.mark.parametrize("kind", ["logout+jwt", "dpop+jwt", "secevent+jwt", "", 7, ["JWT"]])
async def test_a_jwt_that_was_made_for_something_else_is_refused(
    issuer: Issuer, authentication: Authentication, kind: Any
) -> None:
    assert await refusal(authentication, issuer.token(header={"typ": kind})) == (
        "it is not of the type of an access token"
    )


@pytest.mark.parametrize(
    "text",
    ["", "a", "a.b", "a.b.c.d", "a.b.c.d.e", "..", "é.é.é", "a b.c.d", "a.b.c\n", "====", "a.b=.c"],
)
async def test_what_is_no_jwt_is_refused_before_anybody_is_asked(
    issuer: Issuer, authentication: Authentication, text: str
) -> None:
    await refusal(authentication, text)
    assert issuer.asked == []


@pytest.mark.parametrize("content", [b"[]", b"7", b"not json", b"\xff\xfe", b"[" * 4000, b"{}"])
async def test_a_header_that_is_no_object_of_json_is_refused(
    authentication: Authentication, content: bytes
) -> None:
    await refusal(authentication, f"{encoded(content)}.e30.e30")


@pytest.mark.parametrize("payload", [b"[]", b'"text"', b"not json", b"[" * 4000, b'{"iss": NaN}'])
async def test_signed_claims_that_are_no_object_of_json_are_refused(
    authentication: Authentication, payload: bytes
) -> None:
    text = signed({"alg": "RS256", "kid": "rsa-1"}, payload, rsa_key("one"))
    assert (await refusal(authentication, text)).startswith("its parts are not JSON")


async def test_a_claim_that_stands_twice_is_refused_as_two_readers_would_differ(
    issuer: Issuer, authentication: Authentication
) -> None:
    claims = json.dumps(issuer.claims()).replace("{", '{"scope": "billing:write", ', 1)
    text = signed({"alg": "RS256", "kid": "rsa-1"}, claims.encode(), rsa_key("one"))
    assert await refusal(authentication, text) == "it says something twice"


async def test_a_huge_token_is_refused_before_it_is_looked_at(
    issuer: Issuer, authentication: Authentication
) -> None:
    text = issuer.token(padding="x" * 8192)
    said = await refusal(authentication, text)
    assert said == "it is longer than any token, or holds what no token does"
    assert issuer.asked == []


async def test_a_token_is_verified_once_a_minute(
    issuer: Issuer, authentication: Authentication
) -> None:
    text = issuer.token()
    first = await authentication.check(text)
    issuer.clock.now += 59
    assert await authentication.check(text) is first
    issuer.clock.now += 1
    again = await authentication.check(text)
    assert again is not first
    assert again == first


async def test_only_so_many_tokens_are_remembered(
    issuer: Issuer, authentication: Authentication
) -> None:
    texts = [
        issuer.token(ec_key("one"), {"alg": "ES256", "kid": "ec-1"}, jti=str(number))
        for number in range(MOST_BELIEVED + 1)
    ]
    first = [await authentication.check(text) for text in texts[:2]]
    assert await authentication.check(texts[0]) is first[0]
    for text in texts[2:]:
        await authentication.check(text)
    # The second one was not used for longest, and made room for the last.
    assert await authentication.check(texts[0]) is first[0]
    assert await authentication.check(texts[1]) is not first[1]


async def test_why_a_token_is_refused_is_said_without_the_token(
    issuer: Issuer, authentication: Authentication, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    text = issuer.token(sub="somebody", exp=1, tenant="acme")
    assert authentication._tokens is not None
    assert await authentication._tokens.verify_token(text) is None
    assert "The token is refused: it has expired" in caplog.text
    for secret in (*text.split("."), "somebody", "acme"):
        assert secret not in caplog.text


async def test_a_token_that_cannot_be_verified_just_now_is_not_called_wrong(
    issuer: Issuer, authentication: Authentication
) -> None:
    issuer.answers[JWKS_URL] = lambda: httpx2.Response(500)
    with pytest.raises(KeysUnavailable):
        await authentication.check(issuer.token())
    assert await authentication.verify_token(issuer.token()) is None
