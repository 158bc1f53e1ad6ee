"""The settings: what each is called, what it may be, and that no secret is ever shown."""

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from billing_mcp import tools
from billing_mcp.catalog import Catalog
from billing_mcp.config import (
    SANDBOX_START,
    VARIABLES,
    Settings,
    Variable,
    default_of,
    from_environ,
)
from billing_mcp.credentials import SUGER_URL, TOGAI_URL, SettingsError, is_loopback

SECRET = "s3cret-0123456789"
GOOD: dict[str, tuple[str, Any]] = {
    "TOOLSETS": ("togai-billing, suger-metering", ("togai-billing", "suger-metering")),
    "TOOLS": ("list-customers grant-credit", ("list-customers", "grant-credit")),
    "EXCLUDE_TOOLS": ("grant-credit", ("grant-credit",)),
    "READ_ONLY": ("TRUE", True),
    "SECRET_TOOLS": ("true", True),
    "SANDBOX_DATA": ("data/file.db", Path("data/file.db")),
    "SANDBOX_NOW": ("2027-01-01T01:00:00+01:00", datetime(2027, 1, 1, tzinfo=UTC)),
    "HTTP_HOST": ("::1", "::1"),
    "HTTP_PORT": ("0", 0),
    "HTTP_SSE": ("true", True),
    "ALLOWED_HOSTS": ("billing.example,other.example", ("billing.example", "other.example")),
    "ALLOWED_ORIGINS": ("https://app.example", ("https://app.example",)),
    "PUBLIC_URL": ("https://billing.example", "https://billing.example"),
    "AUTH_ISSUER": ("https://login.example/realms/1/", "https://login.example/realms/1/"),
    "AUTH_JWKS_URL": ("https://login.example/keys", "https://login.example/keys"),
    "AUTH_ALGORITHMS": ("EdDSA, PS256", ("EdDSA", "PS256")),
    "AUTH_TENANT_CLAIM": ("org", "org"),
    "AUTH_ROLE_CLAIM": ("groups", "groups"),
    "API_KEYS": ("keys.toml", Path("keys.toml")),
    "RATE_LIMIT": ("0", 0),
    "POLICY": ("/etc/billing/policy.toml", Path("/etc/billing/policy.toml")),
    "ROLE": ("support", "support"),
    "LEDGER_URL": ("sqlite:///var/lib/ledger", SecretStr("sqlite:///var/lib/ledger")),
    "LEDGER_RETENTION": ("30", 30),
    "LOG_LEVEL": ("debug", "DEBUG"),
    "UPSTREAM_CONCURRENCY": ("1000", 1000),
    "UPSTREAM_TIMEOUT": ("1", 1),
}
BAD = [
    ("READ_ONLY", "yes", "use true or false"),
    ("READ_ONLY", "1", "use true or false"),
    ("SANDBOX_NOW", "tomorrow", "use a UTC time such as"),
    ("SANDBOX_NOW", "0001-01-01T00:00:00+14:00", "use a UTC time such as"),
    ("HTTP_PORT", "65536", "use a whole number from 0 to 65535"),
    ("HTTP_PORT", "-1", "use a whole number from 0 to 65535"),
    ("HTTP_PORT", "80.5", "use a whole number from 0 to 65535"),
    ("HTTP_PORT", "9" * 30, "use a whole number from 0 to 65535"),
    ("AUTH_ALGORITHMS", "RS256, HS256", "use some of ES256, "),
    ("AUTH_ALGORITHMS", "none", "use some of ES256, "),
    ("LOG_LEVEL", "loud", "use DEBUG or INFO or WARNING or ERROR"),
    ("UPSTREAM_CONCURRENCY", "0", "use a whole number from 1 to 1000"),
    ("UPSTREAM_TIMEOUT", "301", "use a whole number from 1 to 300"),
]


def variable_of(name: str) -> Variable:
    return next(variable for variable in VARIABLES if variable.name == name)


def test_every_setting_is_tried_here() -> None:
    in_a_file_of_their_own = {"TENANTS"}
    assert set(GOOD) | in_a_file_of_their_own == {variable.name for variable in VARIABLES}


def test_without_any_setting_the_defaults_hold() -> None:
    settings = from_environ({"LANG": "C", "TERM": "dumb"})
    assert settings == Settings(tenants=settings.tenants)
    for field in fields(Settings):
        if field.name not in ("tenants", "origins"):
            assert getattr(settings, field.name) == default_of(field.name)
    assert settings.sandbox_start == SANDBOX_START
    assert settings.origins == {}


@pytest.mark.parametrize("name", list(GOOD))
def test_a_setting_is_read_from_its_variable(name: str) -> None:
    variable, (text, value) = variable_of(name), GOOD[name]
    settings = from_environ({variable.variable: f"  {text} "})
    assert getattr(settings, variable.attribute) == value
    assert settings.origins == {variable.attribute: f"BILLING_MCP_{name}"}


@pytest.mark.parametrize("name", list(GOOD))
def test_a_flag_beats_its_variable(name: str) -> None:
    variable, (text, value) = variable_of(name), GOOD[name]
    settings = from_environ({variable.variable: "nonsense"}, {variable.attribute: text})
    assert getattr(settings, variable.attribute) == value
    assert settings.origins == {variable.attribute: "--" + name.lower().replace("_", "-")}


@pytest.mark.parametrize("name", list(GOOD))
def test_an_empty_setting_is_one_that_is_not_set(name: str) -> None:
    variable = variable_of(name)
    settings = from_environ({variable.variable: " "}, {variable.attribute: ""})
    assert getattr(settings, variable.attribute) == default_of(variable.attribute)


@pytest.mark.parametrize(("name", "text", "says"), BAD)
def test_a_malformed_setting_says_what_would_be_right(name: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"BILLING_MCP_{name} cannot be .*: {says}"):
        from_environ({f"BILLING_MCP_{name}": text})


def test_a_home_directory_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = from_environ({"BILLING_MCP_SANDBOX_DATA": "~/billing.db"})
    assert settings.sandbox_data == tmp_path / "billing.db"


def test_the_sandbox_starts_where_it_is_told_to() -> None:
    settings = from_environ({"BILLING_MCP_SANDBOX_NOW": "2027-03-01T00:00:00"})
    assert settings.sandbox_start == datetime(2027, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("BILLING_MCP_TOOLSET", "BILLING_MCP_TOOLSETS"),
        ("BILLING_MCP_READONLY", "BILLING_MCP_READ_ONLY"),
        ("BILLING_MCP_UPSTREAM_TIMEOUTS", "BILLING_MCP_UPSTREAM_TIMEOUT"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest_known(name: str, near: str) -> None:
    with pytest.raises(SettingsError, match=f"Unknown setting {name}. Did you mean {near}\\?"):
        from_environ({name: "x"})


def test_an_unknown_setting_that_is_near_to_none_is_refused_with_all_of_them() -> None:
    with pytest.raises(SettingsError, match=r"Known: BILLING_MCP_ALLOWED_HOSTS, .*UPSTREAM_TIM"):
        from_environ({"BILLING_MCP_QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ": "x"})


@pytest.mark.parametrize(
    ("environ", "togai", "suger"),
    [
        ({"TOGAI_API_KEY": "abc"}, "Bearer abc", None),
        ({"TOGAI_API_TOKEN": "abc"}, "Bearer abc", None),
        ({"TOGAI_API_KEY": "abc", "TOGAI_API_TOKEN": "other"}, "Bearer abc", None),
        ({"TOGAI_API_KEY": " Bearer abc\n"}, "Bearer abc", None),
        ({"TOGAI_API_KEY": "Basic abc"}, "Basic abc", None),
        ({"SUGER_API_KEY": "abc"}, None, "Key abc"),
        ({"SUGER_API_KEY": "Key abc"}, None, "Key abc"),
        ({"SUGER_API_KEY": "Bearer abc"}, None, "Bearer abc"),
        ({"TOGAI_API_KEY": "a", "SUGER_API_KEY": "b"}, "Bearer a", "Key b"),
        ({"TOGAI_API_KEY": "  "}, None, None),
    ],
)
def test_a_bare_key_gets_its_vendors_scheme_and_one_with_a_scheme_is_left_alone(
    environ: dict[str, str], togai: str | None, suger: str | None
) -> None:
    tenant = from_environ(environ).tenant
    sent = [
        credential and credential.authorization.get_secret_value()
        for credential in (tenant.togai, tenant.suger)
    ]
    assert sent == [togai, suger]
    assert tenant.sandboxed is (togai is None and suger is None)


@pytest.mark.parametrize("key", ["abc\ndef", "schlüssel", "abc\x00"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(SettingsError, match="TOGAI_API_KEY holds characters that no key") as caught:
        from_environ({"TOGAI_API_KEY": key})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "vendors"),
    [
        ({}, {"togai", "suger"}),
        ({"TOGAI_API_KEY": "a"}, {"togai"}),
        ({"SUGER_API_KEY": "a"}, {"suger"}),
        ({"TOGAI_API_KEY": "a", "SUGER_API_KEY": "b"}, {"togai", "suger"}),
    ],
)
def test_with_one_key_the_other_vendors_tools_are_absent(
    environ: dict[str, str], vendors: set[str]
) -> None:
    served = Catalog(from_environ(environ)).served
    expected = {
        name for name in Catalog(Settings()).served if tools.vendor_of(name) in {*vendors, None}
    }
    assert set(served) == expected


def test_the_sandbox_has_an_organisation_and_a_live_vendor_only_the_one_it_is_given() -> None:
    assert from_environ({}).tenant.organisation == "sandbox"
    assert from_environ({"SUGER_ORG_ID": "mine"}).tenant.organisation == "mine"
    assert from_environ({"SUGER_API_KEY": "a"}).tenant.organisation is None
    live = from_environ({"SUGER_API_KEY": "a", "SUGER_ORG_ID": " mine "})
    assert live.tenant.organisation == "mine"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("", TOGAI_URL),
        ("https://api.togai.com/", "https://api.togai.com"),
        ("https://proxy.example:8443/togai//", "https://proxy.example:8443/togai"),
        ("http://127.0.0.1:9070/togai", "http://127.0.0.1:9070/togai"),
        ("http://localhost:9070", "http://localhost:9070"),
        ("http://[::1]:9070", "http://[::1]:9070"),
    ],
)
def test_a_base_url_is_https_or_loopback(url: str, kept: str) -> None:
    tenant = from_environ({"TOGAI_API_KEY": "a", "TOGAI_BASE_URL": url}).tenant
    assert tenant.togai is not None
    assert tenant.togai.base_url == kept


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://api.togai.com", "must be https, or http on loopback"),
        ("http://127.0.0.1.evil.example", "must be https, or http on loopback"),
        ("http://localhost.evil.example", "must be https, or http on loopback"),
        ("http://192.0.2.1", "must be https, or http on loopback"),
        ("ftp://api.togai.com", "must be https, or http on loopback"),
        ("api.togai.com", "must be a plain base URL"),
        ("https://", "must be a plain base URL"),
        ("https://api.togai.com?key=1", "must be a plain base URL"),
        ("https://api.togai.com#part", "must be a plain base URL"),
        ("https://api.togai.com:port", "is not a URL"),
        ("https://api.togai.com:99999", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://api.togai.com/a b", "is not a URL"),
        ("https://api.togai.com/\nx", "is not a URL"),
        ("https://ünï.example", "is not a URL"),
        ("http://127.0.0.1:0", "has port 0"),
    ],
)
def test_a_base_url_that_is_none_or_would_leak_the_key_is_refused(url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"SUGER_BASE_URL {says}"):
        from_environ({"SUGER_API_KEY": "a", "SUGER_BASE_URL": url})


@pytest.mark.parametrize("user", [f"user:{SECRET}", f":{SECRET}", SECRET])
def test_a_base_url_with_a_password_is_refused_without_showing_it(user: str) -> None:
    with pytest.raises(SettingsError, match="must hold no user and no password") as caught:
        from_environ({"SUGER_API_KEY": "a", "SUGER_BASE_URL": f"https://{user}@api.suger.cloud"})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", ["TOGAI_BASE_URL", "SUGER_BASE_URL"])
def test_a_base_url_without_any_key_is_a_mistake_and_not_the_sandbox(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is set but no vendor key is"):
        from_environ({name: SUGER_URL})


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        (TOGAI_URL, "live"),
        ("https://sandbox-api.togai.com", "vendor-sandbox"),
        ("https://SANDBOX-API.togai.com/v1", "vendor-sandbox"),
        ("https://sandbox-api.togai.com.evil.example", "live"),
    ],
)
def test_togais_own_sandbox_is_known_by_its_host(url: str, environment: str) -> None:
    tenant = from_environ({"TOGAI_API_KEY": "a", "TOGAI_BASE_URL": url}).tenant
    assert tenant.togai is not None
    assert tenant.togai.environment == environment


def test_a_secret_is_in_no_text_of_the_settings() -> None:
    settings = from_environ({"TOGAI_API_KEY": SECRET, "SUGER_API_KEY": f"Key {SECRET}"})
    for shown in (settings, settings.tenant, settings.tenant.togai, settings.tenants):
        assert SECRET not in repr(shown)
        assert SECRET not in str(shown)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("192.0.2.1", False),
        ("billing.example", False),
        ("", False),
    ],
)
def test_loopback_is_what_never_leaves_the_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_ledger_in_the_words_of_another_program_is_not_taken_for_a_file() -> None:
    with pytest.raises(SettingsError, match=r"BILLING_MCP_LEDGER_URL .* as postgresql://") as info:
        from_environ({"BILLING_MCP_LEDGER_URL": "host=db password=hunter2"})
    assert "hunter2" not in str(info.value)
