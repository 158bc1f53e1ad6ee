"""The server as a desktop client starts it: a process of its own, spoken to over its pipes."""

import json
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from answers import facts, failure, said
from processes import PATIENCE_S, command, environment

pytestmark = pytest.mark.anyio

# A locale and an encoding that cannot say "ü": the server must not depend on either.
NARROW = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}


@asynccontextmanager
async def started(era: str, *flags: str) -> AsyncIterator[tuple[Client, Any]]:
    """A client of a new process, and the file that its stderr goes to."""
    program, *arguments = command("stdio", *flags)
    parameters = StdioServerParameters(
        command=program, args=arguments, env=environment(**NARROW), encoding="utf-8"
    )
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors, anyio.fail_after(PATIENCE_S):
        transport = stdio_client(parameters, errlog=errors)
        async with Client(transport, mode="legacy" if era == "legacy" else "auto") as client:
            yield client, errors


async def test_without_any_argument_it_serves_mcp_over_stdio() -> None:
    program, *arguments = command()
    parameters = StdioServerParameters(command=program, args=arguments, env=environment())
    with anyio.fail_after(PATIENCE_S):
        async with Client(parameters) as client:
            assert len((await client.list_tools()).tools) == 38


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_desktop_client_lists_reads_writes_and_is_told_what_was_wrong(era: str) -> None:
    async with started(era, "--sandbox-now", "2026-11-20T12:00:00Z") as (client, errors):
        assert len((await client.list_tools()).tools) == 38

        customers = facts(await client.call_tool("list-customers", {"pageSize": 2}))
        assert customers["count"] == 2
        assert customers["hasMore"] is True

        created = await client.call_tool(
            "create-customer",
            {"id": "müller-ag", "name": "Müller 株式会社 🚀", "primaryEmail": "a@mueller.example"},
        )
        assert facts(created)["name"] == "Müller 株式会社 🚀"
        read = await client.call_tool("get-customer", {"customerId": "müller-ag"})
        assert facts(read)["name"] == "Müller 株式会社 🚀"
        assert 'name: "Müller 株式会社 🚀"' in said(read)

        wrong = failure(await client.call_tool("get-customer", {"customerID": "müller-ag"}))
        assert wrong["kind"] == "invalid-request"
        assert "did you mean customerId?" in wrong["message"]
        unknown = failure(await client.call_tool("get-customers", {}))
        assert "get-customer" in unknown["next"]

        # Ten megabytes of argument are refused, and the server goes on.
        large = {"customerId": "x" * 10_000_000}
        refused = failure(await client.call_tool("get-customer", large))
        assert refused["kind"] == "invalid-request"
        assert refused["field"] == "customerId"
        assert len(str(refused)) < 1_000
        assert facts(await client.call_tool("list-customers", {}))["count"] > 0

        errors.seek(0)
        assert errors.read() == ""


def request(number: int, method: str, **parameters: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": parameters})


def test_stdout_carries_the_protocol_and_nothing_else_and_logs_go_to_stderr() -> None:
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    lines = [
        request(1, "initialize", **hello),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        request(2, "tools/list"),
        request(3, "tools/call", name="list-customers", arguments={}),
        request(4, "tools/call", name="nothing-like-it", arguments={}),
        "this is not JSON",
        request(5, "tools/call", name="list-credits", arguments={"pageSize": 1}),
    ]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command("--log-level", "DEBUG"),
            env=environment(**NARROW),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        answers: dict[int, dict[str, Any]] = {}
        try:
            process.stdin.write("".join(f"{line}\n" for line in lines).encode())
            process.stdin.flush()
            while len(answers) < 5:
                message = json.loads(process.stdout.readline())
                assert message["jsonrpc"] == "2.0"
                if message.get("id") is not None:
                    answers[message["id"]] = message
            process.stdin.close()
            assert process.stdout.read() == b""
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
            process.wait(PATIENCE_S)
            process.stdout.close()
        errors.seek(0)
        assert "DEBUG" in errors.read()
    assert len(answers[2]["result"]["tools"]) == 38
    assert answers[3]["result"]["structuredContent"]["data"]
    assert answers[4]["result"]["isError"] is True
    assert answers[5]["result"]["structuredContent"]["count"] == 1
