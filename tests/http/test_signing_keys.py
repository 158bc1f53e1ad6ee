"""The issuer's keys: found, kept, rotated, and what happens when it is down, slow or hostile."""

from typing import Any

import anyio
import httpx2
import pytest

from billing_mcp.http import signing_keys
from billing_mcp.http.auth import ANSWER_LIMIT_BYTES, Authentication
from billing_mcp.http.signing_keys import KeysUnavailable, Unfetched
from issuer import (
    ISSUER,
    JWKS_URL,
    METADATA_URL,
    UNKNOWN,
    Issuer,
    ec_key,
    published,
    refusal,
    rsa_key,
)

pytestmark = pytest.mark.anyio

HOUR, DAY = 3600, 24 * 3600


def new_token(issuer: Issuer, **changed: Any) -> str:
    """A token of a second key, which is not published at first."""
    return issuer.token(rsa_key("two"), {"kid": "rsa-2"}, **changed)


def long_token(issuer: Issuer) -> str:
    return issuer.token(exp=issuer.clock.now + 100 * DAY)


async def unfetched(authentication: Authentication) -> str:
    """Why the keys cannot be fetched."""
    assert authentication.signing_keys is not None
    with pytest.raises(Unfetched) as failed:
        await authentication.signing_keys.renew()
    return str(failed.value)


async def test_keys_are_found_by_the_metadata_and_fetched_once(
    issuer: Issuer, authentication: Authentication
) -> None:
    await authentication.check(issuer.token())
    await authentication.check(issuer.token(ec_key("one"), {"alg": "ES256", "kid": "ec-1"}))
    assert issuer.asked == [METADATA_URL, JWKS_URL]


async def test_keys_are_fetched_from_where_the_setting_says(issuer: Issuer) -> None:
    elsewhere = "https://keys.issuer.example/jwks.json"
    issuer.answers[elsewhere] = issuer.answers[JWKS_URL]
    await issuer.authentication(auth_jwks_url=elsewhere).check(issuer.token())
    assert issuer.asked == [elsewhere]


@pytest.mark.parametrize(
    ("path", "metadata"),
    [
        ("", "/.well-known/openid-configuration"),
        ("/realms/billing", "/.well-known/oauth-authorization-server/realms/billing"),
        ("/realms/billing", "/.well-known/openid-configuration/realms/billing"),
        ("/realms/billing", "/realms/billing/.well-known/openid-configuration"),
    ],
)
async def test_metadata_is_found_wherever_the_standards_put_it(
    issuer: Issuer, path: str, metadata: str
) -> None:
    del issuer.answers[METADATA_URL]
    named = {"issuer": ISSUER + path, "jwks_uri": JWKS_URL}
    issuer.answers[ISSUER + metadata] = lambda: httpx2.Response(200, json=named)
    authentication = issuer.authentication(auth_issuer=ISSUER + path)
    assert await authentication.check(issuer.token(iss=ISSUER + path))


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"issuer": "https://evil.example", "jwks_uri": JWKS_URL}, "another issuer"),
        ({"jwks_uri": JWKS_URL}, "another issuer"),
        ({"issuer": ISSUER}, "names no jwks_uri"),
        ({"issuer": ISSUER, "jwks_uri": "http://login.issuer.example/keys"}, "not https"),
        ({"issuer": ISSUER, "jwks_uri": "http://127.0.0.1:8500/keys"}, "not https"),
        ({"issuer": ISSUER, "jwks_uri": "http://169.254.169.254/latest"}, "not https"),
        ({"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}, "not https"),
        ({"issuer": ISSUER, "jwks_uri": "https://[::1"}, "not a URL"),
        ({"issuer": ISSUER, "jwks_uri": "https://a.example/\r\nx"}, "names no jwks_uri"),
        ({"issuer": ISSUER, "jwks_uri": [JWKS_URL]}, "names no jwks_uri"),
        ([], "not a JSON object"),
    ],
)
async def test_metadata_cannot_send_this_server_elsewhere(
    issuer: Issuer, authentication: Authentication, metadata: Any, reason: str
) -> None:
    issuer.answers[METADATA_URL] = lambda: httpx2.Response(200, json=metadata)
    assert reason in await unfetched(authentication)
    assert {url.partition("/.well-known")[0] for url in issuer.asked} == {ISSUER}


async def test_an_issuer_on_this_machine_may_have_its_keys_there(issuer: Issuer) -> None:
    local, keys = "http://127.0.0.1:9000", "http://localhost:9001/keys"
    named = {"issuer": local, "jwks_uri": keys}
    metadata = f"{local}/.well-known/oauth-authorization-server"
    issuer.answers[metadata] = lambda: httpx2.Response(200, json=named)
    issuer.answers[keys] = issuer.answers[JWKS_URL]
    assert await issuer.authentication(auth_issuer=local).check(issuer.token(iss=local))


async def test_a_token_of_a_rotated_key_is_good_while_the_key_is_published_and_then_refused(
    issuer: Issuer, authentication: Authentication
) -> None:
    old = long_token(issuer)
    await authentication.check(old)
    issuer.keys = [published(rsa_key("two"), "rsa-2"), *issuer.keys]
    issuer.clock.now += 30
    assert await authentication.check(new_token(issuer))
    assert await authentication.check(old)
    assert issuer.key_requests == 2
    issuer.keys = issuer.keys[:1]
    issuer.clock.now += HOUR
    assert await refusal(authentication, old) == UNKNOWN
    assert await authentication.check(new_token(issuer))
    assert issuer.key_requests == 3


async def test_a_token_that_was_just_verified_is_refused_once_its_key_is_known_to_be_gone(
    issuer: Issuer, authentication: Authentication
) -> None:
    old = issuer.token()
    await authentication.check(old)
    issuer.keys = [published(rsa_key("two"), "rsa-2")]
    issuer.clock.now += 30
    await authentication.check(new_token(issuer))
    assert await refusal(authentication, old) == UNKNOWN


async def test_a_key_that_changed_under_its_id_is_the_new_one(
    issuer: Issuer, authentication: Authentication
) -> None:
    await authentication.check(issuer.token())
    issuer.keys = [published(rsa_key("two"), "rsa-1")]
    issuer.clock.now += HOUR
    assert await refusal(authentication, issuer.token()) == "its signature is wrong"
    assert await authentication.check(issuer.token(rsa_key("two")))


async def test_a_storm_of_made_up_keys_makes_one_fetch_in_thirty_seconds(
    issuer: Issuer, authentication: Authentication
) -> None:
    await authentication.check(issuer.token())
    issuer.clock.now += 30
    for number in range(100):
        text = issuer.token(header={"kid": f"made-up-{number}"})
        assert await refusal(authentication, text) == UNKNOWN
    assert issuer.key_requests == 2
    issuer.clock.now += 29
    await refusal(authentication, issuer.token(header={"kid": "made-up"}))
    assert issuer.key_requests == 2
    issuer.clock.now += 1
    await refusal(authentication, issuer.token(header={"kid": "made-up"}))
    assert issuer.key_requests == 3


async def test_callers_who_come_together_wait_for_one_fetch(
    issuer: Issuer, authentication: Authentication
) -> None:
    taken = []

    async def call(number: int) -> None:
        taken.append(await authentication.check(issuer.token(sub=f"agent-{number}")))

    issuer.held = anyio.Event()
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(call, number)
        await anyio.wait_all_tasks_blocked()
        assert taken == []
        issuer.held.set()
    assert len(taken) == 20
    assert issuer.asked == [METADATA_URL, JWKS_URL]


async def test_nobody_with_a_known_key_waits_while_another_one_has_the_keys_fetched(
    issuer: Issuer, authentication: Authentication
) -> None:
    await authentication.check(issuer.token())
    issuer.clock.now += HOUR
    issuer.held = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(authentication.check, issuer.token(sub="first"))
        await anyio.wait_all_tasks_blocked()
        assert await authentication.check(issuer.token(sub="second"))
        issuer.held.set()
    assert issuer.key_requests == 2


async def test_a_caller_who_leaves_does_not_stop_the_fetch_that_others_wait_for(
    issuer: Issuer, authentication: Authentication
) -> None:
    issuer.held = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(authentication.check, issuer.token())
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
        issuer.held.set()
    assert await authentication.check(issuer.token())
    assert issuer.key_requests == 1


async def test_an_issuer_that_is_down_at_first_is_asked_again_after_thirty_seconds(
    issuer: Issuer, authentication: Authentication
) -> None:
    good = issuer.answers[JWKS_URL]
    issuer.answers[JWKS_URL] = lambda: httpx2.ConnectError("refused")
    for _ in range(10):
        with pytest.raises(KeysUnavailable):
            await authentication.check(issuer.token())
    assert issuer.key_requests == 1
    issuer.answers[JWKS_URL] = good
    issuer.clock.now += 30
    assert await authentication.check(issuer.token())


async def test_old_keys_serve_for_a_day_while_the_issuer_is_down(
    issuer: Issuer, authentication: Authentication
) -> None:
    text = long_token(issuer)
    await authentication.check(text)
    issuer.answers[JWKS_URL] = lambda: httpx2.Response(503)
    issuer.clock.now += DAY - 1
    assert await authentication.check(text)
    # A new key may be good, which nobody can tell now.
    with pytest.raises(KeysUnavailable):
        await authentication.check(new_token(issuer))
    issuer.clock.now += 60
    with pytest.raises(KeysUnavailable):
        await authentication.check(text)


async def test_keys_that_moved_are_found_again_by_the_metadata(
    issuer: Issuer, authentication: Authentication
) -> None:
    await authentication.check(issuer.token())
    moved = f"{ISSUER}/moved"
    issuer.answers[moved] = issuer.answers.pop(JWKS_URL)
    metadata = {"issuer": ISSUER, "jwks_uri": moved}
    issuer.answers[METADATA_URL] = lambda: httpx2.Response(200, json=metadata)
    issuer.clock.now += HOUR
    assert await authentication.check(issuer.token())
    assert moved not in issuer.asked
    issuer.clock.now += 60
    assert await authentication.check(issuer.token())
    assert moved in issuer.asked


@pytest.mark.parametrize(
    ("cache_control", "lifetime_s"),
    [
        (None, HOUR),
        ("max-age=600", 600),
        ("public, MAX-AGE=600, must-revalidate", 600),
        ("max-age=0", 60),
        ("max-age=999999", DAY),
        ("no-store", HOUR),
        ("max-age=soon", HOUR),
        ("x-max-age=5", HOUR),
    ],
)
async def test_keys_are_kept_as_long_as_their_answer_says_within_bounds(
    issuer: Issuer, authentication: Authentication, cache_control: str | None, lifetime_s: int
) -> None:
    if cache_control is not None:
        issuer.headers["cache-control"] = cache_control
    await authentication.check(issuer.token())
    issuer.clock.now += lifetime_s - 1
    await authentication.check(issuer.token())
    assert issuer.key_requests == 1
    issuer.clock.now += 1
    await authentication.check(issuer.token())
    assert issuer.key_requests == 2


async def test_a_clock_that_was_put_back_makes_no_key_fresh(
    issuer: Issuer, authentication: Authentication
) -> None:
    await authentication.check(issuer.token())
    issuer.clock.now -= DAY
    issuer.keys = [published(rsa_key("two"), "rsa-2")]
    assert await refusal(authentication, issuer.token()) == UNKNOWN


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_of_the_keys_is_not_followed(
    issuer: Issuer, authentication: Authentication, code: int
) -> None:
    headers = {"location": "http://169.254.169.254/keys"}
    issuer.answers[JWKS_URL] = lambda: httpx2.Response(code, headers=headers)
    assert await unfetched(authentication) == f"{JWKS_URL} leads elsewhere, and is not followed"
    assert issuer.asked == [METADATA_URL, JWKS_URL]


async def test_giant_keys_are_not_read_to_their_end(
    issuer: Issuer, authentication: Authentication
) -> None:
    read = 0

    async def endless() -> Any:
        nonlocal read
        while True:
            read += 65_536
            yield b" " * 65_536

    issuer.answers[JWKS_URL] = lambda: httpx2.Response(200, content=endless())
    assert await unfetched(authentication) == f"{JWKS_URL} answered more than 262144 bytes"
    assert read <= ANSWER_LIMIT_BYTES + 65_536


async def test_compressed_keys_are_not_unpacked(
    issuer: Issuer, authentication: Authentication
) -> None:
    issuer.answers[JWKS_URL] = lambda: httpx2.Response(
        200, headers={"content-encoding": "gzip"}, stream=httpx2.ByteStream(b"\x1f\x8b")
    )
    assert "answered compressed" in await unfetched(authentication)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"keys": {}}', b'{"keys": []}', b"\xff", b"[" * 100_000]
)
async def test_an_answer_without_keys_does_not_replace_those_that_there_are(
    issuer: Issuer, authentication: Authentication, content: bytes
) -> None:
    await authentication.check(issuer.token())
    issuer.answers[JWKS_URL] = lambda: httpx2.Response(200, content=content)
    issuer.clock.now += HOUR
    assert await authentication.check(issuer.token())
    assert issuer.key_requests == 2


async def test_an_issuer_that_never_answers_is_not_waited_for(
    issuer: Issuer, authentication: Authentication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "PATIENCE_S", 0)
    issuer.held = anyio.Event()
    assert await unfetched(authentication) == f"{ISSUER} did not answer in 0 seconds"
    with pytest.raises(KeysUnavailable):
        await authentication.check(issuer.token())
