"""A server in one process and whoever approves in another, over the same sandbox and ledger."""

import json
import os
import pty
import pwd
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from answers import facts, failure
from billing_mcp import approvals
from billing_mcp.sandbox import SandboxSettings, open_sandbox
from guard.guarded import Time
from guard.waiting import FAR, in_file, opened, planned, uuid
from processes import PATIENCE_S, command, environment, run
from world import OPERATION, furnish

pytestmark = pytest.mark.anyio

# Above the 100 that may run without asking anybody.
GRANT = {
    "accountId": "harbor-main",
    "creditAmount": "150",
    "effectiveFrom": "2026-11-20",
    "operationId": OPERATION,
}
ME = f"terminal:{pwd.getpwuid(os.getuid()).pw_name}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "company.db"
    sandbox = open_sandbox(SandboxSettings(data=file, demo=False))
    furnish(sandbox)
    sandbox.close()
    return file


def settings(data: Path) -> dict[str, str]:
    return {"BILLING_MCP_SANDBOX_DATA": str(data)}


@asynccontextmanager
async def served(data: Path) -> AsyncIterator[Client]:
    program, *arguments = command()
    parameters = StdioServerParameters(
        command=program, args=arguments, env=environment(**settings(data))
    )
    async with Client(stdio_client(parameters)) as client:
        yield client


async def verb(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    def ran() -> subprocess.CompletedProcess[str]:
        return run(*arguments, env=settings(data))

    return await anyio.to_thread.run_sync(ran)


def credits_of(data: Path) -> list[str]:
    """What each grant that the vendor really did came to, as the vendor has it."""
    with sqlite3.connect(data) as db:
        rows = db.execute("select key from effects where kind = 'credit'").fetchall()
    db.close()
    return [row[0] for row in rows]


async def asked(client: Client, **more: Any) -> dict[str, Any]:
    result = await client.call_tool("grant-credit", GRANT | more)
    error = failure(result)
    assert error["kind"] == "approval-required"
    return error


async def test_what_is_approved_in_another_process_is_done_once(data: Path) -> None:
    async with served(data) as client:
        assert f"billing-mcp approve {OPERATION}" in (await asked(client))["next"]
        waiting = await verb(data, "approvals", "--json")
        approved = await verb(data, "approve", OPERATION, "--yes")
        none_left = await verb(data, "approvals")
        before = credits_of(data)
        first = facts(await client.call_tool("grant-credit", GRANT))
        again = facts(await client.call_tool("grant-credit", GRANT))
        listed = await verb(data, "operations", "--json")
        audit = await verb(data, "audit", "verify")
    (plan,) = json.loads(waiting.stdout)
    assert (plan["operationId"], plan["tenant"], plan["amount"]) == (OPERATION, "default", "150.00")
    assert (waiting.returncode, waiting.stderr) == (0, "")
    assert (approved.returncode, approved.stderr) == (0, "")
    assert "account harbor-main" in approved.stdout
    assert f"Approved by {ME}." in approved.stdout
    assert none_left.stdout == "No plan waits for a person.\n"
    assert (before, credits_of(data)) == ([], [OPERATION])
    assert "replayed" not in first
    assert again["replayed"] is True
    (row,) = json.loads(listed.stdout)
    assert (row["state"], row["approvedBy"]) == ("committed", [ME])
    assert audit.returncode == 0


async def test_what_is_denied_in_another_process_is_never_done(data: Path) -> None:
    async with served(data) as client:
        await asked(client)
        denied = await verb(data, "deny", OPERATION, "--why", "ask in \x1b[1mJanuary")
        error = failure(await client.call_tool("grant-credit", GRANT))
        late = await verb(data, "approve", OPERATION, "--yes")
    assert (denied.returncode, denied.stderr) == (0, "")
    assert denied.stdout.endswith(
        f"Denied by {ME}. It can never be committed; whoever asked is told.\n"
    )
    assert error["kind"] == "not-permitted"
    assert f'denied by {ME}: "ask in  [1mJanuary"' in error["message"]
    assert late.returncode == 1
    assert f'Plan {OPERATION} was denied by {ME}: "ask in  [1mJanuary".' in late.stderr
    assert credits_of(data) == []


@pytest.mark.parametrize(
    ("typed", "code", "told"),
    [
        ("yes\n", 0, f"Approved by {ME}."),
        ("YES \n", 0, f"Approved by {ME}."),
        ("y\n", 1, "Nothing was approved; the plan still waits."),
        ("\x04", 1, "Nothing was approved; the plan still waits."),
    ],
)
async def test_at_a_terminal_the_person_is_asked_after_they_have_seen_the_plan(
    typed: str, code: int, told: str, tmp_path: Path
) -> None:
    async with opened(in_file(tmp_path), Time(FAR)) as tenant:
        await planned(tenant)
        ended, shown = await anyio.to_thread.run_sync(at_a_terminal, typed, tmp_path)
        waiting = await approvals.pending(tenant)
    plan, _, answered = shown.partition("approve? type yes: ")
    assert ended == code
    assert 'Grants 50.00 USD to account acc-1 ("Harbor").' in plan
    assert told in answered
    assert len(waiting) == code


def at_a_terminal(typed: str, folder: Path) -> tuple[int, str]:
    """The exit code of `approve`, and what the terminal shows, when this is typed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("approve", uuid(1), "--sandbox-data", str(in_file(folder).sandbox_data)),
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        while piece := read_of(ours):
            shown += piece
        code = process.wait(PATIENCE_S)
    os.close(ours)
    return code, shown.decode().replace("\r\n", "\n")


def read_of(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        # How Linux says that the other side of a terminal has been closed.
        return b""
