"""What doctor says, and with which exit code, when all is well and when something is not."""

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from billing_mcp.cli import main
from billing_mcp.tools import TOOLSETS
from processes import served_sandbox


@pytest.fixture(scope="module")
def vendors() -> Iterator[str]:
    """Both vendors on loopback."""
    with served_sandbox() as (_, address):
        yield address


@pytest.fixture
def live(vendors: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Settings under which both vendors are live."""
    for vendor in ("togai", "suger"):
        monkeypatch.setenv(f"{vendor.upper()}_API_KEY", "key-0123456789")
        monkeypatch.setenv(f"{vendor.upper()}_BASE_URL", f"{vendors}/{vendor}")
    monkeypatch.setenv("SUGER_ORG_ID", "sandbox")
    return vendors


def doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["doctor", *arguments])
    return code, capsys.readouterr().out.splitlines()


def test_without_keys_all_is_well_and_said_to_be_invented(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, lines = doctor(capsys)
    assert code == 0
    # Before these it tells of the policy and of the ledger.
    assert lines[-4:] == [
        "ok       38 tools are served",
        "ok       no vendor key is set: both vendors are the embedded sandbox, data is invented",
        "ok       Togai (sandbox): answers",
        "ok       Suger (sandbox): answers",
    ]


def test_with_keys_it_asks_both_vendors_and_says_where_their_data_is_from(
    live: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = doctor(capsys)
    assert code == 0
    assert lines[-3:] == [
        "ok       38 tools are served",
        "ok       Togai (sandbox): answers",
        "ok       Suger (sandbox): answers",
    ]


def test_a_vendor_without_a_key_is_told_and_no_trouble(
    live: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUGER_API_KEY")
    code, lines = doctor(capsys)
    assert code == 0
    assert "ok       Suger: no key, so its tools are absent" in lines
    assert "ok       25 tools are served" in lines


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "Set TOGAI_API_KEY to a valid key"),
        (403, "This server's key lacks the right"),
    ],
)
def test_a_key_that_the_vendor_refuses_is_trouble_and_never_shown(
    status: int, sentence: str, live: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = {"mode": "status", "status": status, "path": "/togai/*"}
    httpx2.put(f"{live}/control/faults", json=[fault]).raise_for_status()
    code, lines = doctor(capsys)
    httpx2.delete(f"{live}/control/faults").raise_for_status()
    assert code == 1
    (trouble,) = (line for line in lines if line.startswith("trouble"))
    assert trouble.startswith("trouble  Togai (sandbox): ")
    assert sentence in trouble
    assert "0123456789" not in "".join(lines)
    # The other vendor is looked at all the same.
    assert "ok       Suger (sandbox): answers" in lines


def test_a_vendor_that_cannot_be_reached_is_trouble(
    live: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    monkeypatch.setenv("SUGER_BASE_URL", f"http://127.0.0.1:{port}/suger")
    code, lines = doctor(capsys, "--upstream-timeout", "1")
    assert code == 1
    assert lines[0] == "ok       --upstream-timeout: seconds a call may take, retries included"
    assert lines[-1].startswith("trouble  Suger (live): Suger cannot be reached (ConnectError)")


def test_a_missing_organisation_is_trouble(
    live: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUGER_ORG_ID")
    code, lines = doctor(capsys)
    assert code == 1
    assert lines[-1].startswith("trouble  Suger (live): ")
    assert "set SUGER_ORG_ID" in lines[-1]


def test_serving_no_tool_is_trouble_though_the_vendors_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, lines = doctor(
        capsys, "--toolsets", "togai-billing", "--exclude-tools", _all_of("togai-billing")
    )
    assert code == 1
    assert "trouble  no tool is served: look at --toolsets, --exclude-tools" in lines[-4]
    assert lines[-2:] == ["ok       Togai (sandbox): answers", "ok       Suger (sandbox): answers"]


def test_a_data_file_that_is_none_is_trouble_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as db:
        db.execute("create table letters (letter text)")
    db.close()
    code, lines = doctor(capsys, "--data", str(file))
    assert code == 1
    assert lines[-1].startswith("trouble  ")
    assert "is not a sandbox's data file; move the file away" in lines[-1]


def _all_of(toolset: str) -> str:
    return ",".join(name for names in TOOLSETS[toolset].values() for name in names)
