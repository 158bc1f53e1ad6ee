"""The verb `keys`: what a person types, what they read, and what is kept."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from billing_mcp.cli import main
from billing_mcp.http import api_keys

TENANTS = """
[tenants.acme]
sandbox = true

[tenants.harbor]
sandbox = true
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def typed(path: Path, *words: str) -> int:
    return main(["keys", *words, "--api-keys", str(path)])


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    read = capsys.readouterr()
    assert read.out == ""
    return read.err.removeprefix("billing-mcp: ").rstrip("\n")


def test_a_key_is_printed_alone_and_kept_nowhere(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(path, "add", "desk") == 0
    read = capsys.readouterr()
    key = read.out.rstrip("\n")
    assert key.startswith("bmk_")
    assert key not in path.read_text()
    assert key not in read.err
    assert "desk's key (billing:read)" in read.err
    (kept,) = api_keys.read(path)
    assert kept.name == "desk"
    assert kept.prefix == key[:12]
    assert kept.scopes == ("billing:read",)
    assert kept.tenant is None
    assert kept.expires is None


def test_scopes_tenant_and_days_may_stand_anywhere(path: Path, tmp_path: Path) -> None:
    tenants = tmp_path / "tenants.toml"
    tenants.write_text(TENANTS)
    code = main(
        [
            *("--api-keys", str(path), "keys", "--scopes", "billing:approve,billing:write", "add"),
            *("--tenants", str(tenants), "desk", "--tenant", "acme", "--expires", "30"),
        ]
    )
    assert code == 0
    (kept,) = api_keys.read(path)
    assert kept.scopes == ("billing:write", "billing:approve")
    assert kept.tenant == "acme"
    assert kept.expires is not None
    assert (kept.expires - kept.created).days == 30


def test_the_list_shows_what_a_key_is_for_and_no_secret(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(path, "add", "desk", "--scopes", "billing:write")
    typed(path, "add", "old")
    document = json.loads(path.read_text())
    document["keys"][1] |= {"created": "2025-01-02T00:00:00Z", "expires": "2025-02-03T00:00:00Z"}
    path.write_text(json.dumps(document))
    first, second = capsys.readouterr().out.split()
    assert typed(path, "list") == 0
    read = capsys.readouterr().out
    desk, old = read.splitlines()
    assert desk.startswith(f"desk  {first[:12]}…  billing:write  the only tenant  made ")
    assert desk.endswith(", does not expire")
    assert old == (
        f"old  {second[:12]}…  billing:read  the only tenant  made 2025-01-02, expired 2025-02-03"
    )
    assert not {first, second} & set(read.split())
    assert document["keys"][0]["sha256"] not in read


def test_a_key_may_have_a_role_of_the_policy_and_the_list_shows_it(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(path, "add", "desk", "--role", "second line") == 0
    assert typed(path, "add", "plain") == 0
    desk, plain = api_keys.read(path)
    assert (desk.role, plain.role) == ("second line", None)
    capsys.readouterr()
    assert typed(path, "list") == 0
    desk_line, plain_line = capsys.readouterr().out.splitlines()
    assert "  the only tenant  role second line  made " in desk_line
    assert "role" not in plain_line


def test_a_file_of_keys_from_before_there_were_roles_is_read(path: Path) -> None:
    typed(path, "add", "desk")
    document = json.loads(path.read_text())
    del document["keys"][0]["role"]
    path.write_text(json.dumps(document))
    (kept,) = api_keys.read(path)
    assert (kept.name, kept.role) == ("desk", None)


def test_the_role_of_a_server_is_not_the_role_of_a_key(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_MCP_ROLE", "support")
    assert typed(path, "add", "desk") == 0
    (kept,) = api_keys.read(path)
    assert kept.role is None


def test_a_revoked_key_is_gone_and_the_others_stay(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        typed(path, "add", name)
    capsys.readouterr()
    assert typed(path, "revoke", "one") == 0
    assert capsys.readouterr().out == (
        "one's key is revoked. A running server refuses it within a second.\n"
    )
    assert [key.name for key in api_keys.read(path)] == ["two"]


def test_a_name_is_used_once(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed(path, "add", "desk")
    before = path.read_text()
    capsys.readouterr()
    assert typed(path, "add", "desk") == 2
    assert complaint(capsys) == ("There is a key called desk. Revoke it first, or choose another.")
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "a/b"), "A key cannot be called 'a/b'."),
        (("add", ""), "A key cannot be called ''."),
        (("add", "x" * 64), "A key cannot be called"),
        (("add", "x", "--scopes", "billing:all"), "--scopes cannot be 'billing:all': use some of"),
        (("add", "x", "--scopes", " "), "--scopes cannot be ' '"),
        (("add", "x", "--expires", "0"), "--expires cannot be '0': use days, from 1 to 3650."),
        (("add", "x", "--expires", "3651"), "--expires cannot be '3651'"),
        (("add", "x", "--expires", "365000"), "--expires cannot be '365000'"),
        (("add", "x", "--expires", "1.5"), "--expires cannot be '1.5'"),
        (("add", "x", "--expires", "٣"), "--expires cannot be '٣'"),
        (("add", "x", "--role", " "), "--role cannot be ' ': use a name from the policy"),
        (("add", "x", "--role", "a\tb"), "--role cannot be 'a\\tb'"),
        (("add", "x", "--role", "r" * 201), "--role cannot be"),
        (("add", "x", "--tenant", "acme"), "There is no tenant 'acme'. Tenants are named in a"),
        ((), "Use keys add NAME"),
        (("add",), "Use keys add NAME"),
        (("add", "x", "y"), "Use keys add NAME"),
        (("list", "x"), "Use keys add NAME"),
        (("list", "--scopes", "billing:read"), "Use keys add NAME"),
        (("list", "--role", "support"), "Use keys add NAME"),
        (("show", "x"), "Use keys add NAME"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert typed(path, *words) == 2
    assert complaint(capsys).startswith(said)
    assert not path.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "x"), "Say whose key it is: --tenant with one of acme, harbor."),
        (("add", "x", "--tenant", "acmee"), "There is no tenant 'acmee'. There are acme, harbor."),
    ],
)
def test_a_key_of_one_of_several_tenants_says_whose_it_is(
    path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    tenants = path.with_name("tenants.toml")
    tenants.write_text(TENANTS)
    assert typed(path, *words, "--tenants", str(tenants)) == 2
    assert complaint(capsys) == said


def test_a_key_that_there_is_not_cannot_be_revoked(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(path, "add", "desk")
    capsys.readouterr()
    assert typed(path, "revoke", "dest") == 2
    assert complaint(capsys) == "There is no key called 'dest'. There are: desk."


@pytest.mark.parametrize("words", [("list",), ("revoke", "x")])
def test_a_file_that_there_is_not_is_said_with_the_way_to_make_it(
    path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert typed(path, *words) == 2
    assert complaint(capsys).startswith(f"There is no file of API keys at {path}. Make the first")


def test_the_verb_says_that_it_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list"]) == 2
    assert "set BILLING_MCP_API_KEYS or give --api-keys" in complaint(capsys)


def test_a_folder_that_there_is_not_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(tmp_path / "none" / "keys.json", "add", "desk") == 2
    assert "cannot be written: No such file or directory" in complaint(capsys)


def test_words_that_no_other_verb_takes_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tools", "add", "desk"])
    assert "unrecognized arguments: add desk" in complaint(capsys)


def test_a_key_is_made_without_loading_the_protocol() -> None:
    """It takes most of a second, and who makes keys makes several."""
    program = (
        "import sys, billing_mcp.cli, billing_mcp.keys; print({'mcp', 'jwt'} & {*sys.modules})"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert made.stdout == "set()\n"
