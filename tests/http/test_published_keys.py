"""Which published keys are used to check signatures, and which of them nobody should trust."""

from typing import Any

import pytest

from billing_mcp.http.auth import Authentication
from issuer import UNKNOWN, Issuer, ec_key, published, refusal, rsa_key

pytestmark = pytest.mark.anyio


async def test_two_different_keys_under_one_id_are_both_refused(
    issuer: Issuer, authentication: Authentication
) -> None:
    issuer.keys = [published(rsa_key(name), "rsa-1") for name in ("one", "two")]
    said = await refusal(authentication, issuer.token())
    assert said == "its issuer publishes several keys under the same id"


async def test_keys_of_two_kinds_may_share_an_id_and_one_key_may_stand_twice(
    issuer: Issuer, authentication: Authentication
) -> None:
    rsa, ec = published(rsa_key("one"), "k"), published(ec_key("one"), "k")
    issuer.keys = [rsa, ec, rsa]
    assert await authentication.check(issuer.token(header={"kid": "k"}))
    assert await authentication.check(issuer.token(ec_key("one"), {"alg": "ES256", "kid": "k"}))


@pytest.mark.parametrize(
    "changed",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": None},
        {"kty": ["RSA"]},
        {"n": None},
        {"n": 7},
        {"alg": 7},
        {"d": "AQAB"},
        {"kid": 7},
        {"kid": None},
    ],
)
async def test_a_key_that_is_not_for_checking_signatures_is_left_out(
    issuer: Issuer, authentication: Authentication, changed: dict[str, Any]
) -> None:
    issuer.keys = [published(rsa_key("one"), "rsa-1", **changed), issuer.keys[1]]
    assert await refusal(authentication, issuer.token()) == UNKNOWN


@pytest.mark.parametrize("modulus", ["", "AQAB", "====", "é"])
async def test_a_broken_key_refuses_its_tokens_and_no_others(
    issuer: Issuer, authentication: Authentication, modulus: str
) -> None:
    issuer.keys = [published(rsa_key("one"), "rsa-1", n=modulus), issuer.keys[1]]
    assert (await refusal(authentication, issuer.token())).startswith("its key ")
    assert await authentication.check(issuer.token(ec_key("one"), {"alg": "ES256", "kid": "ec-1"}))


async def test_a_key_that_is_too_short_is_refused(
    issuer: Issuer, authentication: Authentication
) -> None:
    short = rsa_key("short", 1024)
    issuer.keys = [published(short, "short")]
    said = await refusal(authentication, issuer.token(short, {"kid": "short"}))
    assert said == "its key has a length that is not secure"
