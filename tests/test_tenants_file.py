"""The file of tenants: keys by their place, what each tenant may use, and what is wrong with it."""

import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from billing_mcp.catalog import Catalog
from billing_mcp.cli import main
from billing_mcp.config import Settings, from_environ, hosting_trouble
from billing_mcp.credentials import SettingsError
from billing_mcp.guard.policy_file import Verdict

SECRET = "s3cret-0123456789"
Read = Callable[..., Settings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Settings from a file of tenants with this text."""

    def read(text: str, *, mode: int = 0o644, **environ: str) -> Settings:
        path = tmp_path / "tenants.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return from_environ({**environ, "BILLING_MCP_TENANTS": str(path)})

    return read


def test_keys_come_from_variables_and_files_and_never_from_elsewhere(
    read: Read, tmp_path: Path
) -> None:
    key = tmp_path / "suger.key"
    key.write_text(f"{SECRET}\n", encoding="utf-8")
    settings = read(
        f"""
        [tenants.acme]
        togai_api_key = {{ env = "ACME_KEY" }}
        togai_base_url = "https://togai.acme.example/"

        [tenants.north-mill]
        suger_api_key = {{ file = "{key}" }}
        suger_org_id = "org-2"
        """,
        ACME_KEY="acme-key",
        TOGAI_API_KEY="nobody's",
    )
    acme, mill = settings.tenants
    assert (acme.name, mill.name) == ("acme", "north-mill")
    assert acme.togai is not None
    assert acme.togai.authorization.get_secret_value() == "Bearer acme-key"
    assert acme.togai.base_url == "https://togai.acme.example"
    assert acme.suger is None
    assert mill.suger is not None
    assert mill.suger.authorization.get_secret_value() == f"Key {SECRET}"
    assert mill.suger.base_url == "https://api.suger.cloud"
    assert mill.organisation == "org-2"
    assert SECRET not in repr(settings)


def test_a_key_stands_in_the_file_only_while_the_file_is_private(read: Read) -> None:
    text = f'[tenants.acme]\ntogai_api_key = "{SECRET}"\n'
    settings = read(text, mode=0o600)
    assert settings.tenant.togai is not None
    for mode in (0o640, 0o604, 0o644):
        with pytest.raises(SettingsError, match="others can read") as refused:
            read(text, mode=mode)
        assert SECRET not in str(refused.value)


def test_a_tenant_has_its_own_toolsets_and_can_only_be_narrower_where_the_server_forbids(
    read: Read,
) -> None:
    settings = read(
        """
        [tenants.one]
        sandbox = true
        toolsets = ["togai-entitlements"]
        tools = ["list-customers"]
        exclude_tools = ["void-feature-credits-entry-feature"]

        [tenants.two]
        sandbox = true
        read_only = true
        rate_limit = 5
        """,
        BILLING_MCP_EXCLUDE_TOOLS="get-feature-credits-balance",
    )
    catalog = Catalog(settings)
    one, two = (catalog.selected(tenant) for tenant in settings.tenants)
    assert one == (
        "list-customers",
        "get-entitlements-account",
        "get-entitlement-value-account",
        "check-entitlement-value-account",
        "list-feature-credits-entries-feature",
        "update-feature-credits-entry",
        "ingest-event-if-user-is",
    )
    assert "list-invoices" in two
    assert "grant-credit" not in two
    assert "get-feature-credits-balance" not in two
    assert settings.tenants[1].rate_limit == 5


def test_a_tenant_may_have_rules_of_its_own_of_the_shape_of_a_policys_table(read: Read) -> None:
    settings = read(
        """
        [tenants.one]
        sandbox = true
        rules.needs_two_approvals = ["create-price-plan"]
        rules.destructive = "refused"

        [tenants.one.rules.ceilings]
        per_call = { USD = 0.1, other = "7" }

        [tenants.two]
        sandbox = true
        """
    )
    one, two = (tenant.rules for tenant in settings.tenants)
    assert one is not None
    assert one.needs_two_approvals == ("create-price-plan",)
    assert one.destructive is Verdict.REFUSED
    # Exactly as it is written, though TOML calls it a float.
    assert one.ceilings.per_call == {"USD": Decimal("0.1"), "other": Decimal(7)}
    assert two is None


@pytest.mark.parametrize("with_file", [False, True])
def test_tenants_without_rules_cost_no_start_the_policy(tmp_path: Path, with_file: bool) -> None:
    path = tmp_path / "tenants.toml"
    path.write_text("[tenants.a]\nsandbox = true\n")
    environ = {"BILLING_MCP_TENANTS": str(path)} if with_file else {}
    program = (
        "import sys; from billing_mcp.config import from_environ; "
        f"from_environ({environ!r}); print([m for m in sys.modules if 'guard' in m])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[tenants]\n", "names no tenant"),
        ("", "wrong at tenants: Field required"),
        ("[tenants.a\n", "is not TOML"),
        ("[tenants.a]\n", "has no vendor key"),
        ("[tenants.'a b']\nsandbox = true\n", "letters, digits"),
        ("[tenants.a]\nsandbox = 'yes'\n", "wrong at tenants.a.sandbox"),
        ("[tenants.a]\ntogai_key = 'x'\n", "wrong at tenants.a.togai_key"),
        ("[tenants.a]\nsandbox = true\ntogai_api_key = {env='K'}\n", "Choose one"),
        ("[tenants.a]\ntogai_api_key = {env='K', file='f'}\n", "either env or file"),
        ("[tenants.a]\ntogai_api_key = {env='ABSENT'}\n", "ABSENT is not set"),
        ("[tenants.a]\ntogai_api_key = {file='/nonexistent/key'}\n", "cannot be read"),
        ("[tenants.a]\nsandbox = true\ntogai_base_url = 'https://a.example'\n", "is set, but"),
        (
            "[tenants.a]\ntogai_api_key = {env='K'}\ntogai_base_url = 'http://169.254.169.254'\n",
            "tenants.a.togai_base_url must be https",
        ),
        ("[tenants.a]\ntogai_api_key = {env='K'}\nsandbox_data = 'x.db'\n", "needs sandbox"),
        ("[tenants.a]\nsandbox = true\nrate_limit = -1\n", "wrong at tenants.a.rate_limit"),
        ("[tenants.a]\nsandbox = true\nrules = 5\n", "wrong at tenants.a.rules"),
        (
            "[tenants.a]\nsandbox = true\nrules.need_plan = []\n",
            r"tenants\.a\.rules in .*tenants\.toml is wrong at need_plan: .*mean needs_plan\?",
        ),
        (
            "[tenants.a]\nsandbox = true\nrules.needs_plan = ['grant-credits']\n",
            r"tenants\.a\.rules in .* is wrong at needs_plan.*did you mean grant-credit",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(read: Read, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read(text, K="key-1")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml cannot be read"):
        from_environ({"BILLING_MCP_TENANTS": str(tmp_path / "absent.toml")})


@pytest.mark.parametrize(("name", "value"), [("toolsets", "togai-biling"), ("tools", "no-tool")])
def test_an_unknown_toolset_or_tool_of_a_tenant_is_refused(
    read: Read, name: str, value: str
) -> None:
    settings = read(f"[tenants.a]\nsandbox = true\n{name} = ['{value}']\n")
    with pytest.raises(SettingsError, match=value):
        Catalog(settings)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, None),
        ({"AUTH_ISSUER": "https://login.example"}, "needs BILLING_MCP_PUBLIC_URL"),
        ({"AUTH_JWKS_URL": "https://login.example/keys"}, "needs BILLING_MCP_AUTH_ISSUER"),
        ({"HTTP_HOST": "0.0.0.0"}, "not on 0.0.0.0"),
        ({"HTTP_HOST": "0.0.0.0", "API_KEYS": "keys.toml"}, None),
    ],
)
def test_settings_that_cannot_hold_together_are_named(
    given: dict[str, str], says: str | None
) -> None:
    settings = from_environ({f"BILLING_MCP_{name}": value for name, value in given.items()})
    trouble = hosting_trouble(settings)
    assert trouble is None if says is None else says in str(trouble)


def test_several_tenants_need_callers_who_say_who_they_are(read: Read) -> None:
    settings = read("[tenants.a]\nsandbox = true\n[tenants.b]\nsandbox = true\n")
    assert "There are 2 tenants" in str(hosting_trouble(settings))


def test_stdio_serves_one_tenant_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tenants.toml"
    path.write_text("[tenants.a]\nsandbox = true\n[tenants.b]\nsandbox = true\n")
    monkeypatch.setenv("BILLING_MCP_TENANTS", str(path))
    assert main(["stdio"]) == 2
    assert "stdio serves one tenant, and BILLING_MCP_TENANTS has 2." in capsys.readouterr().err
