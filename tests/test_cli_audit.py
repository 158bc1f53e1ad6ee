"""`audit verify`: what it proves, what it finds, and how heads that were kept elsewhere help."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from billing_mcp.cli import main
from billing_mcp.config import Settings
from guard.guarded import Time
from guard.waiting import FAR, in_file, live, opened, planned, uuid

Said = tuple[int, str, str]


def keep(settings: Settings, *numbers: int, environment: Any = "sandbox") -> None:
    """Plans in the ledger of the tenant; each is one record of its audit."""

    async def kept() -> None:
        async with opened(settings, Time(FAR)) as tenant:
            for number in numbers:
                await planned(tenant, number, environment=environment)

    anyio.run(kept)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
    capsys.readouterr()
    code = main(["audit", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def flags(folder: Path) -> tuple[str, ...]:
    return "--sandbox-data", str(in_file(folder).sandbox_data)


def ledger_of(folder: Path) -> Path:
    return folder / "company.db.ledger"


def altered(folder: Path, statement: str) -> None:
    with sqlite3.connect(ledger_of(folder)) as db:
        db.execute(statement)
    db.close()


def kept_heads(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, ...]:
    """What `--json` prints now, in a file, as the flags that hold a later audit to it."""
    file = folder / "heads.json"
    file.write_text(said(capsys, "verify", "--json", *flags(folder))[1], encoding="utf-8")
    return "--heads", str(file)


def findings(out: str) -> list[str]:
    return [finding for row in json.loads(out) for finding in row["findings"]]


def test_a_sound_audit_is_told_with_its_number_of_records_and_its_head(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), 1, 2, 3)
    code, out, err = said(capsys, "verify", *flags(tmp_path))
    _, rows, _ = said(capsys, "verify", "--json", *flags(tmp_path))
    (row,) = json.loads(rows)
    assert (code, err) == (0, "")
    assert row == {
        "tenant": "default",
        "environment": "sandbox",
        "ledger": str(ledger_of(tmp_path)),
        "records": 3,
        "head": row["head"],
        "findings": [],
    }
    with sqlite3.connect(ledger_of(tmp_path)) as db:
        (head,) = db.execute("select hash from billing_audit where sequence = 3").fetchone()
    db.close()
    assert row["head"] == head
    assert out.splitlines()[0] == (
        f"sound    default  sandbox  3 records  head {head}  {ledger_of(tmp_path)}"
    )


def test_a_record_that_was_changed_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), 1, 2)
    altered(tmp_path, "update billing_audit set body = replace(body, '50', '40') where sequence=1")
    code, out, _ = said(capsys, "verify", *flags(tmp_path))
    assert code == 1
    assert out.startswith("ALTERED  default  sandbox  2 records")
    assert "record 1 does not match its hash" in out
    # Nobody shall keep the heads of an audit that was altered.
    assert "Keep" not in out


def test_heads_kept_before_hold_when_the_audit_has_only_grown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), 1, 2)
    heads = kept_heads(tmp_path, capsys)
    keep(in_file(tmp_path), 3)
    assert said(capsys, "verify", *heads, *flags(tmp_path))[0] == 0


def test_an_audit_that_was_written_anew_is_found_by_the_heads_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), 1, 2)
    heads = kept_heads(tmp_path, capsys)
    for file in tmp_path.glob("company.db.ledger*"):
        file.unlink()
    keep(in_file(tmp_path), 3, 4, 5)
    assert said(capsys, "verify", *flags(tmp_path))[0] == 0
    code, out, _ = said(capsys, "verify", "--json", *heads, *flags(tmp_path))
    assert code == 1
    assert findings(out) == ["record 2 is not the one whose hash was kept elsewhere"]


def test_an_older_copy_put_back_is_found_by_the_heads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), 1, 2)
    copy = ledger_of(tmp_path).read_bytes()
    keep(in_file(tmp_path), 3)
    heads = kept_heads(tmp_path, capsys)
    ledger_of(tmp_path).write_bytes(copy)
    assert said(capsys, "verify", *flags(tmp_path))[0] == 0
    code, out, _ = said(capsys, "verify", "--json", *heads, *flags(tmp_path))
    assert code == 1
    assert findings(out) == ["record 3, whose hash was kept elsewhere, is gone"]


def test_a_ledger_that_is_gone_is_found_by_the_heads_and_not_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), 1, 2)
    heads = kept_heads(tmp_path, capsys)
    ledger_of(tmp_path).unlink()
    assert said(capsys, "verify", *flags(tmp_path)) == (
        0,
        "Nothing was ever written under these settings, so there is no audit yet.\n",
        "",
    )
    code, out, _ = said(capsys, "verify", *heads, *flags(tmp_path))
    assert code == 1
    assert "record 2, whose hash was kept elsewhere, is in no ledger of these settings" in out
    assert not ledger_of(tmp_path).exists()


def test_tenants_that_share_a_ledger_are_each_held_to_their_own_heads_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = tmp_path / "shared"
    monkeypatch.setenv("BILLING_MCP_LEDGER_URL", f"sqlite:{ledger}")
    monkeypatch.setenv("A_KEY", "key-0123456789")
    file = tmp_path / "tenants.toml"
    file.write_text(
        "".join(f'[tenants.{name}]\nsuger_api_key = {{ env = "A_KEY" }}\n' for name in "ab"),
        encoding="utf-8",
    )
    for number, name in enumerate("abc", 1):
        settings = Settings(tenants=(live(name),), ledger_url=SecretStr(str(ledger)))
        keep(settings, number, environment="live")
    heads = tmp_path / "heads.json"
    code, out, _ = said(capsys, "verify", "--json", "--tenants", str(file))
    heads.write_text(out, encoding="utf-8")
    # c is in the file as well, though these settings know no such tenant.
    assert (code, [row["tenant"] for row in json.loads(out)]) == (0, ["a", "b", "c"])
    again = ("verify", "--json", "--heads", str(heads), "--tenants", str(file))
    assert said(capsys, *again) == (0, out, "")
    with sqlite3.connect(ledger) as db:
        for table in ("operations", "audit", "audit_heads"):
            db.execute(f"delete from billing_{table} where tenant in ('b', 'c')")
    db.close()
    code, out, _ = said(capsys, *again)
    assert code == 1
    assert [(row["tenant"], row["findings"]) for row in json.loads(out)] == [
        ("a", []),
        (
            "b",
            [
                "the chain ends at record 0, and its head says None",
                "record 1, whose hash was kept elsewhere, is gone",
            ],
        ),
        ("c", ["record 1, whose hash was kept elsewhere, is in no ledger of these settings"]),
    ]


def test_a_ledger_that_cannot_be_read_is_trouble_and_not_told_to_be_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(in_file(tmp_path), 1)
    heads = kept_heads(tmp_path, capsys)
    ledger_of(tmp_path).write_text("no ledger", encoding="utf-8")
    code, out, err = said(capsys, "verify", "--json", *heads, *flags(tmp_path))
    assert (code, out) == (1, "[]\n")
    assert "not a database" in err


def test_of_a_ledger_in_memory_there_is_nothing_to_verify(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = said(capsys, "verify")
    assert (code, out) == (1, "")
    assert "BILLING_MCP_SANDBOX_DATA" in err


@pytest.mark.parametrize("words", [[], ["prove"], ["verify", uuid(1)]])
def test_another_word_than_verify_is_refused_with_the_right_one(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, *words, *flags(tmp_path)) == (
        2,
        "",
        "billing-mcp: Use audit verify [--json] [--heads FILE].\n",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '[{"tenant": "a", "environment": "live", "records": 1}]',
        '[{"tenant": "a", "environment": "live", "records": "1", "head": "x", "findings": []}]',
        '[{"tenant": "a", "environment": "live", "records": 1, "head": "x", "findings": ["y"]}]',
    ],
)
def test_heads_that_were_not_printed_of_a_sound_audit_are_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "heads.json"
    file.write_text(text, encoding="utf-8")
    code, out, err = said(capsys, "verify", "--heads", str(file), *flags(tmp_path))
    assert (code, out) == (2, "")
    assert "is not what `audit verify --json` printed" in err


def test_heads_that_are_not_there_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = str(tmp_path / "none.json")
    code, _, err = said(capsys, "verify", "--heads", none, *flags(tmp_path))
    assert code == 2
    assert f"--heads {none} cannot be read: No such file" in err
