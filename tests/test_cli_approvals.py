"""The verbs by which people say yes or no to plans: what they show, refuse and end with."""

import json
import os
import pwd
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from billing_mcp.approving import whoami
from billing_mcp.cli import main
from billing_mcp.config import Settings, from_environ
from guard.guarded import Time
from guard.waiting import FAR, in_file, opened, planned, uuid

ME = f"terminal:{pwd.getpwuid(os.getuid()).pw_name}"
Said = tuple[int, str, str]


def keep(settings: Settings, *plans: dict[str, Any]) -> None:
    """Put plans into the ledger of the first tenant, as a server would have."""

    async def kept() -> None:
        async with opened(settings, Time(FAR)) as tenant:
            for plan in plans:
                await planned(tenant, **plan)

    anyio.run(kept)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
    capsys.readouterr()
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def data_of(folder: Path) -> Sequence[str]:
    return "--sandbox-data", str(in_file(folder).sandbox_data)


def two_tenants(folder: Path) -> tuple[Path, dict[str, Settings]]:
    """A file of two sandboxes with data files, and the settings of each alone."""
    file = folder / "tenants.toml"
    lines = []
    for name in ("acme", "trial"):
        data = folder / f"{name}.db"
        lines.append(f'[tenants.{name}]\nsandbox = true\nsandbox_data = "{data}"\n')
    file.write_text("".join(lines), encoding="utf-8")
    whole = from_environ({"BILLING_MCP_TENANTS": str(file)})
    return file, {
        tenant.name: Settings(tenants=(tenant,), tenants_file=file) for tenant in whole.tenants
    }


def test_the_plans_that_wait_are_listed_with_all_that_decides_a_yes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = {"principal": "key:ann", "client": "Desk 2", "role": "support", "approvals": 2}
    keep(in_file(tmp_path), plan)
    code, out, err = said(capsys, "approvals", *data_of(tmp_path))
    head, effect, amount, asked_by, why, rule, approved, expires, _, count = out.splitlines()
    assert (code, err) == (0, "")
    assert head == f"{uuid(1)}  grant-credit  sandbox"
    assert effect == '  effect    Grants 50.00 USD to account acc-1 ("Harbor").'
    assert amount == "  amount    50.00 USD"
    assert asked_by == (
        '  asked by  key:ann through "Desk 2", role support, at 2099-01-01T00:00:00Z'
    )
    assert why == "  why       It is much."
    assert rule == "  rule      roles.a.per_call"
    assert approved == "  approved  0 of 2"
    assert expires == "  expires   2099-01-01T01:00:00Z"
    assert count.startswith("1 waiting: `billing-mcp approve ID`")


def test_what_customers_wrote_moves_no_cursor_and_makes_no_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    effect = 'Grants 1 USD to "\x1b[2J\napproved  2 of 2\u202e".'
    keep(in_file(tmp_path), {"effect": effect})
    quiet = 'Grants 1 USD to "\\x1b[2J\\napproved  2 of 2\\u202e".'
    for verb in (["approvals"], ["deny", uuid(1)]):
        _, out, _ = said(capsys, *verb, *data_of(tmp_path))
        assert any(line.endswith(quiet) for line in out.splitlines())
        assert "\x1b" not in out


def test_json_says_what_customers_wrote_exactly_and_moves_no_cursor_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    effect = 'Grants 1 USD to "\x9b2J\u202e Müller".'
    keep(in_file(tmp_path), {"effect": effect})
    _, out, _ = said(capsys, "approvals", "--json", *data_of(tmp_path))
    assert json.loads(out)[0]["effect"] == effect
    assert not {"\x9b", "\u202e"} & set(out)
    assert "Müller" in out


def test_without_a_plan_it_says_so_and_makes_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "approvals", *data_of(tmp_path)) == (0, "No plan waits for a person.\n", "")
    assert said(capsys, "approvals", "--json", *data_of(tmp_path)) == (0, "[]\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["approvals"], ["approve", uuid(1), "--yes"], ["deny", uuid(1)]])
def test_of_a_sandbox_in_memory_it_says_where_its_plans_can_be_approved(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, *words)
    assert (code, out) == (1, "")
    assert "BILLING_MCP_SANDBOX_DATA" in err
    assert "/approvals" in err
    assert "in the chat" in err


def test_a_plan_that_needs_two_is_refused_before_anybody_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), {"approvals": 2})
    for flags in ([], ["--yes"]):
        code, out, err = said(capsys, "approve", uuid(1), *flags, *data_of(tmp_path))
        assert code == 1
        assert out.startswith(f"{uuid(1)}  grant-credit  sandbox  planned\n")
        assert "Two people have to agree" in err


def test_where_nobody_can_be_asked_the_plan_is_shown_and_not_approved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), {})
    code, out, err = said(capsys, "approve", uuid(1), *data_of(tmp_path))
    assert code == 2
    assert 'effect: Grants 50.00 USD to account acc-1 ("Harbor").' in out
    assert "give --yes" in err
    assert json.loads(said(capsys, "approvals", "--json", *data_of(tmp_path))[1])


def test_who_approves_is_who_the_system_says_and_not_a_variable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "ceo")
    keep(in_file(tmp_path), {})
    code, out, _ = said(capsys, "approve", uuid(1), "--yes", *data_of(tmp_path))
    assert code == 0
    assert f"Approved by {ME}." in out
    assert "ceo" not in out


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    # More than any system gives out.
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_001)
    assert whoami() == "terminal:uid-4000000001"


def test_a_second_yes_of_the_same_person_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), {})
    approve = ("approve", uuid(1), "--yes", *data_of(tmp_path))
    assert said(capsys, *approve)[0] == 0
    code, out, err = said(capsys, *approve)
    assert code == 1
    assert f"approved by {ME} at 20" in out
    assert "You have approved plan" in err


@pytest.mark.parametrize("words", [["approve", uuid(2), "--yes"], ["deny", uuid(2)]])
def test_an_id_of_no_plan_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), {})
    code, out, err = said(capsys, *words, *data_of(tmp_path))
    assert (code, out) == (1, "")
    assert f"There is no plan {uuid(2)}. `billing-mcp approvals` lists" in err


def test_what_is_no_id_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "approve", "latest", "--yes", *data_of(tmp_path))
    assert code == 1
    assert '"latest" is not the id of a plan' in err


@pytest.mark.parametrize(
    "words",
    [
        ["approve"],
        ["deny"],
        ["approve", uuid(1), uuid(2)],
        ["approve", uuid(1), "--why", "because"],
        ["deny", uuid(1), "--tenant", "nobody"],
        ["approvals", "--tenant", "nobody"],
    ],
)
def test_a_wrong_command_ends_with_2_and_changes_nothing(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), {})
    code, out, err = said(capsys, *words, *data_of(tmp_path))
    assert (code, out) == (2, "")
    assert "Use approvals" in err or "There is no tenant 'nobody'" in err
    assert len(json.loads(said(capsys, "approvals", "--json", *data_of(tmp_path))[1])) == 1


def test_plans_of_all_tenants_are_listed_each_with_whose_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, alone = two_tenants(tmp_path)
    keep(alone["acme"], {"number": 1})
    keep(alone["trial"], {"number": 2})
    code, out, _ = said(capsys, "approvals", "--tenants", str(file))
    _, rows, _ = said(capsys, "approvals", "--json", "--tenant", "trial", "--tenants", str(file))
    assert code == 0
    assert f"{uuid(1)}  grant-credit  sandbox  tenant acme" in out.splitlines()
    assert f"{uuid(2)}  grant-credit  sandbox  tenant trial" in out.splitlines()
    assert [(row["tenant"], row["operationId"]) for row in json.loads(rows)] == [("trial", uuid(2))]


def test_an_id_that_two_tenants_have_needs_to_be_said_whose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, alone = two_tenants(tmp_path)
    for settings in alone.values():
        keep(settings, {})
    tenants = ("--tenants", str(file))
    assert said(capsys, "approve", uuid(1), "--yes", *tenants) == (
        2,
        "",
        "billing-mcp: acme, trial each have a plan of that id: say whose with --tenant NAME.\n",
    )
    assert said(capsys, "approve", uuid(1), "--yes", "--tenant", "trial", *tenants)[0] == 0
    (left,) = json.loads(said(capsys, "approvals", "--json", *tenants)[1])
    assert left["tenant"] == "acme"


def test_a_ledger_that_cannot_be_read_is_told_and_the_others_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, alone = two_tenants(tmp_path)
    (tmp_path / "acme.db.ledger").write_text("no ledger", encoding="utf-8")
    keep(alone["trial"], {})
    code, out, err = said(capsys, "approvals", "--json", "--tenants", str(file))
    assert code == 1
    assert [row["tenant"] for row in json.loads(out)] == ["trial"]
    assert err.startswith("billing-mcp: acme: ")
    assert "not a database" in err


def test_a_tenant_in_memory_does_not_hide_the_plans_of_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, alone = two_tenants(tmp_path)
    keep(alone["acme"], {})
    file.write_text(
        file.read_text(encoding="utf-8").replace(f'sandbox_data = "{tmp_path}/trial.db"\n', ""),
        encoding="utf-8",
    )
    code, out, err = said(capsys, "approvals", "--tenants", str(file))
    assert code == 0
    assert uuid(1) in out
    assert "tenants.trial.sandbox_data" in err
    assert said(capsys, "deny", uuid(1), "--tenants", str(file))[0] == 0
