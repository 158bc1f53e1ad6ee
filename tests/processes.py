"""Real processes of ours, and a sandbox on a real port, for tests whose subject is the boundary."""

import os
import queue
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from anyio.from_thread import start_blocking_portal

from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox
from billing_mcp.sandbox.serve import serve
from kept_secrets import OUTPUTS

PATIENCE_S = 30


def environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of ours, and with what is given."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BILLING_MCP_", "TOGAI_", "SUGER_"))
    }
    return kept | more


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "billing_mcp", *arguments]


def run(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A verb that ends by itself. What it prints is its answer, and may be a key."""
    done = subprocess.run(
        command(*arguments),
        env=environment(**(env or {})),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    OUTPUTS.keep(done.stderr)
    return done


@contextmanager
def running(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """A verb that serves until it is stopped; gives the first line that it prints."""
    process = subprocess.Popen(
        command(*arguments),
        env=environment(**(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, errors = process.communicate(timeout=PATIENCE_S)
            raise AssertionError(errors)
        yield line.rstrip("\n")
    finally:
        process.terminate()
        for text in process.communicate(timeout=PATIENCE_S):
            OUTPUTS.keep(text)


@contextmanager
def served_sandbox(**settings: Any) -> Iterator[tuple[Sandbox, str]]:
    """A sandbox without data on a loopback port, and its address."""
    sandbox = open_sandbox(SandboxSettings(**{"demo": False, **settings}))
    opened: queue.Queue[int] = queue.Queue()
    with start_blocking_portal() as portal:
        serving = portal.start_task_soon(serve, sandbox, "127.0.0.1", 0, opened.put)
        try:
            yield sandbox, f"http://127.0.0.1:{opened.get(timeout=PATIENCE_S)}"
        finally:
            serving.cancel()
    sandbox.close()
