"""API keys: who is let in by one, while the file of their hashes changes under the server."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from billing_mcp.config import Settings
from billing_mcp.credentials import SettingsError
from billing_mcp.http import api_keys
from billing_mcp.http.api_keys import ApiKey
from billing_mcp.http.auth import Authentication
from billing_mcp.http.signing_keys import KeysUnavailable
from issuer import NOW, START, Clock, Issuer, refusal

pytestmark = pytest.mark.anyio

UNKNOWN = "it is not an API key of this server"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "keys.json"
    api_keys.write(made, [])
    return made


def add(path: Path, name: str, **facts: object) -> str:
    """A new key in the file; the key itself."""
    wanted = {"scopes": ["billing:read"], "tenant": None, "created": NOW, **facts}
    shown, key = api_keys.made(name, **wanted)  # type: ignore[arg-type]  # a test may be wrong
    api_keys.write(path, [*api_keys.read(path), key])
    return shown


def revoke(path: Path, name: str) -> None:
    api_keys.write(path, [key for key in api_keys.read(path) if key.name != name])


def written(path: Path) -> str:
    return path.read_text()


def overwrite(path: Path, text: str) -> None:
    path.write_text(text)


def moved(path: Path, to: Path) -> Path:
    return path.rename(to)


def authentication(path: Path, clock: Clock) -> Authentication:
    return Authentication(Settings(api_keys=path), now=clock)


async def test_a_key_says_who_calls_for_whom_and_what_they_may(path: Path, clock: Clock) -> None:
    shown = add(
        path, "desk", scopes=["billing:write", "billing:approve"], tenant="acme", role="support"
    )
    token = await authentication(path, clock).check(shown)
    assert token.scopes == ["billing:write", "billing:approve"]
    assert token.claims == {
        "iss": None,
        "tenant": "acme",
        "role": "support",
        "principal": "key:desk",
    }
    assert token.client_id == "key:desk"
    assert shown not in repr(token)


async def test_each_of_several_keys_is_its_own(path: Path, clock: Clock) -> None:
    shown = {name: add(path, name) for name in ("one", "two", "three")}
    asked = authentication(path, clock)
    for name, key in shown.items():
        assert (await asked.check(key)).client_id == f"key:{name}"


@pytest.mark.parametrize("change", ["cut", "longer", "case", "end", "prefix only"])
async def test_a_wrong_key_is_refused(path: Path, clock: Clock, change: str) -> None:
    shown = add(path, "desk")
    last = "A" if shown[-1] != "A" else "B"
    wrong = {
        "cut": shown[:-1],
        "longer": shown + "A",
        "case": "bmk_" + shown[4:].swapcase(),
        "end": shown[:-1] + last,
        "prefix only": shown[:12],
    }[change]
    assert await refusal(authentication(path, clock), wrong) == UNKNOWN


async def test_what_is_in_the_file_lets_nobody_in(path: Path, clock: Clock) -> None:
    shown = add(path, "desk")
    text = written(path)
    (kept,) = json.loads(text)["keys"]
    assert shown not in text
    asked = authentication(path, clock)
    for text in (kept["sha256"], kept["prefix"], f"bmk_{kept['sha256']}"):
        await refusal(asked, text)


async def test_an_expired_key_is_refused_from_the_second_that_it_expires(
    path: Path, clock: Clock
) -> None:
    shown = add(path, "desk", expires=NOW + timedelta(days=1))
    asked = authentication(path, clock)
    clock.now += 24 * 3600 - 1
    assert (await asked.check(shown)).expires_at == START + 24 * 3600
    clock.now += 1
    assert await refusal(asked, shown) == "it has expired"


async def test_a_key_that_is_added_while_the_server_runs_is_taken_a_second_later(
    path: Path, clock: Clock
) -> None:
    asked = authentication(path, clock)
    shown = add(path, "desk")
    assert await refusal(asked, shown) == UNKNOWN
    clock.now += 1
    assert await asked.check(shown)


async def test_a_key_that_is_revoked_while_the_server_runs_is_refused_a_second_later(
    path: Path, clock: Clock
) -> None:
    shown, other = add(path, "desk"), add(path, "other")
    asked = authentication(path, clock)
    assert await asked.check(shown)
    revoke(path, "desk")
    clock.now += 1
    assert await refusal(asked, shown) == UNKNOWN
    assert await asked.check(other)


async def test_nobody_is_let_in_while_the_file_is_away_and_everybody_when_it_is_back(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    shown = add(path, "desk")
    asked = authentication(path, clock)
    away = moved(path, path.with_suffix(".away"))
    for _ in range(3):
        clock.now += 1
        with pytest.raises(KeysUnavailable):
            await asked.check(shown)
    assert caplog.text.count("There is no file of API keys") == 1
    moved(away, path)
    clock.now += 1
    assert await asked.check(shown)


async def test_nobody_is_let_in_by_a_file_that_somebody_broke(path: Path, clock: Clock) -> None:
    shown = add(path, "desk")
    asked = authentication(path, clock)
    overwrite(path, "{")
    clock.now += 1
    with pytest.raises(KeysUnavailable):
        await asked.check(shown)


async def test_a_key_is_refused_where_none_are_taken(path: Path) -> None:
    said = await refusal(Issuer().authentication(), add(path, "desk"))
    assert said == "this server takes no API keys"


async def test_a_token_is_refused_where_only_keys_are_taken(path: Path, clock: Clock) -> None:
    said = await refusal(authentication(path, clock), Issuer().token())
    assert said == "it is not an API key, and this server takes nothing else"


async def test_keys_and_tokens_may_both_be_taken(path: Path) -> None:
    issuer = Issuer()
    shown = add(path, "desk")
    asked = issuer.authentication(api_keys=path)
    assert (await asked.check(shown)).client_id == "key:desk"
    assert (await asked.check(issuer.token())).client_id == "desk"


def test_two_keys_are_never_the_same_and_have_256_random_bits() -> None:
    made = {api_keys.made("desk", ["billing:read"], None, NOW)[0] for _ in range(100)}
    assert len(made) == 100
    # 32 bytes are 43 characters of base64.
    assert {len(shown) for shown in made} == {len("bmk_") + 43}


def test_the_file_is_private_to_its_owner_even_if_it_was_not_before(path: Path) -> None:
    path.chmod(0o644)
    add(path, "desk")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["keys.json"]


def test_a_file_that_others_can_read_is_warned_of(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.chmod(0o644)
    assert api_keys.read(path) == []
    assert f"Others can read {path}" in caplog.text


def test_a_file_that_others_can_write_is_refused(path: Path, clock: Clock) -> None:
    path.chmod(0o622)
    with pytest.raises(SettingsError, match="let themselves in"):
        authentication(path, clock)


def test_a_missing_file_is_refused_with_the_way_to_make_it(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(SettingsError, match="billing-mcp keys add NAME --api-keys"):
        authentication(tmp_path / "none.json", clock)


def test_a_link_to_the_file_stays_a_link(path: Path) -> None:
    link = path.with_name("link.json")
    link.symlink_to(path)
    add(link, "desk")
    assert link.is_symlink()
    assert [key.name for key in api_keys.read(path)] == ["desk"]


def test_a_write_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(path, "desk")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SettingsError, match="No space left on device"):
        add(path, "other")
    assert [key.name for key in api_keys.read(path)] == ["desk"]
    assert [found.name for found in path.parent.iterdir()] == ["keys.json"]


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"scopes": ["billing:all"]}, "keys.0.scopes.0: Value error, 'billing:all' is not one of"),
        ({"scopes": []}, "keys.0.scopes"),
        ({"sha256": "00"}, "keys.0.sha256"),
        ({"name": "a b"}, "keys.0.name"),
        ({"created": "2026-11-20T12:00:00"}, "keys.0.created"),
        ({"key": "bmk_x"}, "keys.0.key"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(
    path: Path, changed: dict[str, object], where: str
) -> None:
    add(path, "desk")
    document = json.loads(path.read_text())
    document["keys"][0].update(changed)
    path.write_text(json.dumps(document))
    with pytest.raises(SettingsError) as refused:
        api_keys.read(path)
    assert where in str(refused.value)


def test_two_keys_of_one_name_are_refused_as_one_would_stay_when_it_is_revoked(path: Path) -> None:
    add(path, "desk")
    add(path, "desk")
    with pytest.raises(SettingsError, match="two API keys of the same name"):
        api_keys.read(path)


def test_a_key_is_shown_by_no_log(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown, key = api_keys.made("desk", ["billing:read"], None, NOW)
    assert isinstance(key, ApiKey)
    assert key.sha256 not in repr(key)
    assert shown not in repr(key)
    assert shown not in caplog.text
