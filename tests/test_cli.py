"""The verbs and flags of the command line, and how it ends."""

import json
import socket
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from billing_mcp import __version__
from billing_mcp.catalog import Catalog, shipped_schemas
from billing_mcp.cli import main, parser
from billing_mcp.config import VARIABLES, Settings
from billing_mcp.sandbox.store import APPLICATION
from processes import command, environment, run, running


def tools(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["tools", "--json", *arguments]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


# Toolsets of tools that talk to no vendor themselves.
OURS = ("search", "ledger")


def test_tools_prints_a_json_row_for_each_of_the_38(capsys: pytest.CaptureFixture[str]) -> None:
    rows = tools(capsys)
    assert [row["name"] for row in rows] == list(Catalog(Settings()).served)
    assert len(rows) == 38
    facts = {"name", "title", "toolset", "hints", "deprecated", "modelTokens"}
    assert all(
        set(row) == facts | ({"vendor", "method", "path"} if row["toolset"] not in OURS else set())
        for row in rows
    )


def test_a_json_row_says_which_operation_of_which_vendor_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (row,) = (row for row in tools(capsys) if row["name"] == "delete-usagerecordgroup")
    schema = shipped_schemas()["delete-usagerecordgroup"]
    seen = {key: schema[key] for key in ("name", "description", "inputSchema")}
    compact = json.dumps(seen, ensure_ascii=False, separators=(",", ":"))
    assert row == {
        "name": "delete-usagerecordgroup",
        "title": "Delete usagerecordgroup",
        "toolset": "suger-metering",
        "vendor": "suger",
        "method": "DELETE",
        "path": "/org/{orgId}/usageRecordGroup/{usageRecordGroupId}",
        "hints": {
            "readOnly": False,
            "destructive": True,
            "idempotent": True,
            "openWorld": False,
        },
        "deprecated": False,
        "modelTokens": len(compact.encode()) // 4,
    }


def test_a_json_row_says_whether_the_vendor_has_deprecated_the_operation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    deprecated = [row["name"] for row in tools(capsys) if row["deprecated"]]
    assert deprecated == ["list-price-plans", "create-price-plan"]
    rows = tools(capsys, "--toolsets", "all")
    assert sum(row["deprecated"] for row in rows) == 26


def test_tools_prints_a_table_for_people_and_its_sum(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 39
    assert lines[0].split() == ["list-customers", "read", "togai-billing", "GET", "/customers"]
    assert lines[25].split()[:2] == ["delete-usagerecordgroup", "destructive"]
    assert lines[-1].startswith("38 tools, about ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--toolsets", "togai-entitlements", "tools", "--json"],
        ["tools", "--toolsets=togai-entitlements", "--json"],
        ["--json", "tools", "--toolsets", "togai-entitlements"],
    ],
)
def test_flags_stand_before_or_after_the_verb(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    assert len(json.loads(capsys.readouterr().out)) == 8


@pytest.mark.parametrize(
    ("flags", "count"),
    [
        (["--read-only"], 22),
        (["--read-only", "true"], 22),
        (["--read-only=TRUE"], 22),
        (["--read-only", "--json"], 22),
        (["--read-only", "false"], 38),
    ],
)
def test_a_boolean_flag_may_stand_alone_or_take_true_or_false(
    flags: list[str], count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(tools(capsys, *flags)) == count


def test_a_boolean_flag_alone_before_the_verb_does_not_swallow_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--read-only", "tools", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 22


def test_a_flag_beats_its_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_MCP_TOOLSETS", "suger-metering")
    monkeypatch.setenv("BILLING_MCP_READ_ONLY", "true")
    assert len(tools(capsys)) == 6
    assert len(tools(capsys, "--toolsets", "togai-billing", "--read-only", "false")) == 12


@pytest.mark.parametrize(
    ("arguments", "environ", "sentence"),
    [
        (["tools"], {"BILLING_MCP_READONLY": "1"}, "Did you mean BILLING_MCP_READ_ONLY?"),
        (["tools", "--read-only", "maybe"], {}, "--read-only cannot be 'maybe': use true or false"),
        (["tools"], {"BILLING_MCP_HTTP_PORT": "x"}, "BILLING_MCP_HTTP_PORT cannot be 'x'"),
        (["tools", "--toolsets", "suger"], {}, "Unknown toolset suger"),
        (["http", "--host", "0.0.0.0"], {}, "callers are not authenticated"),
        (["sandbox", "--port", "65536"], {}, "--port cannot be '65536'"),
        (["sandbox", "--port", "-"], {}, "--port cannot be '-'"),
        (["sandbox", "--now", "tomorrow"], {}, "--sandbox-now cannot be 'tomorrow'"),
        (["tools"], {"TOGAI_API_KEY": "k", "TOGAI_BASE_URL": "http://x.example"}, "leaks the key"),
    ],
)
def test_a_wrong_setting_ends_with_2_and_says_what_would_be_right(
    arguments: list[str],
    environ: dict[str, str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert sentence in printed.err
    assert printed.err.count("\n") == 1


def test_an_unknown_verb_or_flag_ends_with_2_and_names_those_there_are() -> None:
    verb, flag = run("serve"), run("tools", "--toolset", "x")
    assert verb.returncode == flag.returncode == 2
    assert "stdio" in verb.stderr
    assert "--toolset" in flag.stderr


@pytest.mark.parametrize("verb", ["tools", "demo"])
def test_output_that_nobody_reads_to_its_end_is_not_a_crash(verb: str) -> None:
    with subprocess.Popen(
        command(verb), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        complaint = process.stderr.read()

    assert (complaint, process.returncode) == (b"", 141)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"billing-mcp {__version__}\n"


def test_the_help_names_every_setting_with_its_variable_and_default() -> None:
    told = " ".join(parser().format_help().split())
    for variable in VARIABLES:
        assert variable.flag in told
        assert f"[{variable.variable}; default: {variable.default}]" in told


def test_a_taken_port_ends_with_2_and_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for verb in ("sandbox", "http"):
            ended = run(verb, "--port", port)
            assert ended.returncode == 2
            assert f"Port {port}" in ended.stderr
            assert "Traceback" not in ended.stderr


def test_the_sandbox_serves_both_vendors_and_prints_where() -> None:
    with running("sandbox", "--port", "0", "--now", "2027-01-01T00:00:00Z") as line:
        told = dict(part.split(" ", 1) for part in line.split(" · "))
        assert set(told) == {"Togai", "Suger", "controls"}
        clock = httpx2.get(f"{told['controls']}/clock")
        customers = httpx2.get(
            f"{told['Togai']}/customers", headers={"authorization": "Bearer any-key"}
        )
        refused = httpx2.get(f"{told['Suger']}/org/sandbox/billableMetric")
    assert clock.json() == {"now": "2027-01-01T00:00:00Z"}
    assert customers.status_code == 200
    assert customers.headers["x-sandbox"]
    assert customers.json()["data"]
    assert refused.status_code == 401


def test_the_sandbox_keeps_its_data_in_the_file_it_is_given(tmp_path: Path) -> None:
    file = str(tmp_path / "company.db")
    body = {"id": "kept", "name": "Kept", "primaryEmail": "kept@kept.example", "address": {}}
    headers = {"authorization": "Bearer any-key"}
    with running("sandbox", "--port", "0", "--data", file) as line:
        togai = line.split(" ")[1]
        assert httpx2.post(f"{togai}/customers", json=body, headers=headers).status_code == 201
    with running("sandbox", "--port", "0", "--data", file) as line:
        togai = line.split(" ")[1]
        assert httpx2.get(f"{togai}/customers/kept", headers=headers).json()["name"] == "Kept"


@pytest.mark.parametrize("verb", ["stdio", "http", "sandbox"])
def test_a_data_file_of_another_schema_is_refused_with_the_way_out(
    verb: str, tmp_path: Path
) -> None:
    file = tmp_path / "old.db"
    with sqlite3.connect(file) as db:
        db.execute(f"pragma application_id = {APPLICATION}")
        db.execute("pragma user_version = 1")
        db.execute("create table clock (moment text)")
    db.close()
    ended = run(verb, "--port", "0", "--data", str(file))
    assert ended.returncode == 2
    assert "was written by another version of the sandbox" in ended.stderr
    assert "move the file away, or name another one with --data" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
