"""What doctor says of the policy and of the ledgers, and with which exit code."""

import sqlite3
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from billing_mcp import guard_checkup
from billing_mcp.cli import main
from billing_mcp.config import Settings
from billing_mcp.guard.ledger import Claimed
from guard.guarded import NOON, Time
from guard.ledgers import LEASE, grant
from guard.waiting import AN_HOUR, in_file, live, opened, planned, uuid

Findings = list[tuple[bool, str]]
POLICY = """\
[roles.support]
read_only = true
[roles.finance]
needs_plan = ["create-price-plan"]
"""


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["doctor", *arguments])
    return code, capsys.readouterr().out.splitlines()


def policy(folder: Path, text: str = POLICY) -> Path:
    file = folder / "policy.toml"
    file.write_text(text, encoding="utf-8")
    return file


def of_policy(**settings: Any) -> Findings:
    return list(guard_checkup.of_policy(Settings(**settings)))


def of_ledgers(settings: Settings, time: Time | None = None) -> Findings:
    async def found() -> Findings:
        async with opened(settings, time) as tenant:
            return [finding async for finding in guard_checkup.of_ledgers(tenant)]

    return anyio.run(found)


def test_the_policy_that_is_built_in_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = doctor(capsys)
    assert code == 0
    assert lines[0] == "ok       No policy file (BILLING_MCP_POLICY): what is built in holds."
    assert any("up to 100 of any currency a call" in line for line in lines)
    assert any("up to 500 of any currency a customer and UTC day" in line for line in lines)


def test_the_policy_of_a_file_is_told_with_its_digest(tmp_path: Path) -> None:
    found = of_policy(policy=policy(tmp_path), role="finance")
    assert all(well for well, _ in found)
    assert found[0][1].startswith(f"Policy {tmp_path / 'policy.toml'}, SHA-256 ")
    assert (True, "policy: roles.support: may only read") in found
    assert (True, "policy: roles.finance: create-price-plan: a plan first") in found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read: No such file"),
        ("[roles", "is not TOML"),
        ("[roles.a]\nread_onli = true\n", "is wrong at roles.a.read_onli"),
    ],
)
def test_a_policy_that_cannot_be_read_is_trouble_and_the_vendors_are_asked_all_the_same(
    text: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.toml" if text is None else policy(tmp_path, text)
    code, lines = doctor(capsys, "--policy", str(file))
    assert code == 1
    (trouble,) = (line for line in lines if line.startswith("trouble"))
    assert says in trouble
    assert trouble.endswith("Until then nothing can be written")
    assert lines[-1] == "ok       Suger (sandbox): answers"


def test_a_role_that_the_policy_does_not_name_is_trouble(tmp_path: Path) -> None:
    found = of_policy(policy=policy(tmp_path), role="suport")
    (sentence,) = (sentence for well, sentence in found if not well)
    assert sentence == (
        "BILLING_MCP_ROLE is suport, which may only read: the policy has rules for finance, "
        "support. Name one of them"
    )


def test_callers_without_a_token_need_a_role_where_the_policy_names_any(tmp_path: Path) -> None:
    found = of_policy(policy=policy(tmp_path))
    (sentence,) = (sentence for well, sentence in found if not well)
    assert sentence == (
        "callers without a token may only read: the policy has rules for finance, support. "
        "Set BILLING_MCP_ROLE to one"
    )


def test_callers_with_tokens_bring_their_role(tmp_path: Path) -> None:
    found = of_policy(policy=policy(tmp_path), api_keys=tmp_path / "keys.json")
    assert all(well for well, _ in found)


@pytest.mark.parametrize(("text", "says"), [(None, "is not set"), ("[everyone]", "names no roles")])
def test_a_role_that_changes_nothing_is_told(text: str | None, says: str, tmp_path: Path) -> None:
    file = None if text is None else policy(tmp_path, text)
    well, sentence = of_policy(policy=file, role="support")[-1]
    assert well
    assert sentence == (
        f"BILLING_MCP_ROLE is support: BILLING_MCP_POLICY {says}, so it changes nothing"
    )


def test_what_a_tenant_adds_to_the_policy_is_told_as_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(
        "[tenants.acme]\nsandbox = true\n[tenants.acme.rules]\nread_only = true\n",
        encoding="utf-8",
    )
    code, lines = doctor(capsys, "--tenants", str(file))
    assert code == 0
    assert "ok       tenants.acme: policy, in addition: may only read" in lines
    # Nothing of it keeps doctor from asking the vendors.
    assert lines[-1] == "ok       tenants.acme: Suger (sandbox): answers"


def test_of_a_ledger_in_memory_it_says_what_that_means() -> None:
    ((well, sentence),) = of_ledgers(Settings())
    assert well
    assert "in memory" in sentence
    assert "BILLING_MCP_SANDBOX_DATA keeps both in a file" in sentence


def test_a_ledger_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    settings = Settings(sandbox_data=tmp_path / "new" / "company.db")
    ledger = tmp_path / "new" / "company.db.ledger"
    sentence = f"ledger (sandbox): {ledger}, it will be made with the first write"
    assert of_ledgers(settings) == [(True, sentence)]
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_cannot_be_made_is_trouble(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    settings = Settings(tenants=(live(),), ledger_url=SecretStr(str(blocked / "ledger")))
    found = of_ledgers(settings)
    assert [well for well, _ in found] == [False, False]
    assert f"ledger (live): {blocked}/ledger cannot be made, {blocked} is" in found[1][1]
    assert "Set BILLING_MCP_LEDGER_URL to a place" in found[1][1]


def test_a_sound_ledger_says_where_it_is_and_who_can_share_it(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    settings = Settings(tenants=(live(),), ledger_url=SecretStr(f"sqlite:{ledger}"))

    async def filled() -> None:
        async with opened(settings) as tenant:
            await tenant.ledgers.gate("live")

    anyio.run(filled)
    well, sentence = of_ledgers(settings)[1]
    assert well
    assert sentence == (
        f"ledger (live): {ledger} can be written; servers on other machines can share one only "
        "in PostgreSQL (BILLING_MCP_LEDGER_URL)"
    )


def test_a_sandbox_says_that_it_does_not_use_the_place_for_live_data(tmp_path: Path) -> None:
    settings = Settings(ledger_url=SecretStr(str(tmp_path / "ledger")))
    assert of_ledgers(settings)[-1] == (
        True,
        "ledger (sandbox): BILLING_MCP_LEDGER_URL is not used, it is for live data",
    )


def test_what_runs_what_was_left_and_what_waits_is_counted_and_dated(tmp_path: Path) -> None:
    time = Time()
    settings = in_file(tmp_path)

    async def filled() -> None:
        async with opened(settings, time) as tenant:
            gate = await tenant.ledgers.gate("sandbox")
            for number in (1, 2):
                new = grant(uuid(number), partition=gate.partition)
                claimed = await gate.ledger.claim(new, LEASE)
                assert isinstance(claimed, Claimed)
                await gate.ledger.sent(claimed.operation.hold)
                time.pass_by(timedelta(minutes=10))
            await gate.ledger.claim(grant(uuid(3), partition=gate.partition), LEASE)
            for number in (4, 5):
                await planned(tenant, number)

    anyio.run(filled)
    told = [
        (well, sentence.removeprefix("ledger (sandbox): "))
        for well, sentence in of_ledgers(settings, time)
    ]
    # The first of them was begun at noon.
    left = (
        "2 of its writes begun and not known to have ended, the oldest of 2026-11-21T12:00:00Z: a "
        "server looks them up when it starts, get-operation at once; `billing-mcp operations` "
        "lists them"
    )
    assert told == [
        (True, f"{tmp_path / 'company.db.ledger'} can be written"),
        (True, "1 of its writes running now"),
        (False, left),
        (True, "2 plans wait for a person: `billing-mcp approvals`"),
    ]
    time.now = NOON + timedelta(minutes=20) + AN_HOUR - timedelta(seconds=1)
    assert "2 plans wait" in of_ledgers(settings, time)[-1][1]
    time.pass_by(timedelta(seconds=1))
    assert "wait" not in of_ledgers(settings, time)[-1][1]


def test_a_file_of_something_else_is_trouble_with_the_way_out(tmp_path: Path) -> None:
    ledger = tmp_path / "company.db.ledger"
    with sqlite3.connect(ledger) as db:
        db.execute("create table letters (letter text)")
    db.close()
    ((well, sentence),) = of_ledgers(in_file(tmp_path))
    assert not well
    assert sentence.startswith(f"ledger (sandbox): {ledger}: The file is a database of something")
    assert "Until then nothing can be written." in sentence


def test_a_ledger_that_cannot_be_opened_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "company.db.ledger").mkdir()
    ((well, sentence),) = of_ledgers(in_file(tmp_path))
    assert not well
    assert "cannot be opened: [Errno 21]" in sentence
    assert "Give the sandbox's file and the ledger beside it back to this user" in sentence


def test_a_database_that_cannot_be_reached_is_trouble_and_its_password_is_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUGER_API_KEY", "key-0123456789")
    monkeypatch.setenv("SUGER_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("BILLING_MCP_UPSTREAM_TIMEOUT", "1")
    monkeypatch.setenv("BILLING_MCP_LEDGER_URL", "postgresql://bill:s3cret@127.0.0.1:9/books")
    code, lines = doctor(capsys)
    assert code == 1
    (line,) = (line for line in lines if "PostgreSQL" in line)
    assert line.startswith("trouble  ledger (live): PostgreSQL cannot be reached, or does not let")
    assert "Check BILLING_MCP_LEDGER_URL" in line
    assert "s3cret" not in "".join(lines)


def test_without_the_extra_for_postgresql_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("psycopg", "billing_mcp.guard.postgres_ledger"):
        monkeypatch.setitem(sys.modules, module, None)
    settings = Settings(tenants=(live(),), ledger_url=SecretStr("postgresql://127.0.0.1:9/books"))
    for well, sentence in of_ledgers(settings):
        assert not well
        assert 'pip install "billing-mcp[postgres]"' in sentence
