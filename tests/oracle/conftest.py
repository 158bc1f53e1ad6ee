"""The sandbox on a real loopback port, for the vendors' own clients."""

import queue
from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal

from billing_mcp.sandbox import Sandbox, SandboxSettings, open_sandbox
from billing_mcp.sandbox.serve import serve


@pytest.fixture(scope="session")
def served_sandbox() -> Iterator[tuple[Sandbox, str]]:
    """One sandbox for all tests of the session, and its address."""
    sandbox = open_sandbox(SandboxSettings(demo=False))
    opened: queue.Queue[int] = queue.Queue()
    with start_blocking_portal() as portal:
        serving = portal.start_task_soon(serve, sandbox, "127.0.0.1", 0, opened.put)
        yield sandbox, f"http://127.0.0.1:{opened.get(timeout=10)}"
        serving.cancel()
    sandbox.close()


@pytest.fixture
def empty_sandbox(served_sandbox: tuple[Sandbox, str]) -> Sandbox:
    """The served sandbox, emptied for this test."""
    sandbox, _ = served_sandbox
    sandbox.backend.reset(demo=False)
    return sandbox


@pytest.fixture
def sandbox_url(served_sandbox: tuple[Sandbox, str], empty_sandbox: Sandbox) -> str:
    """The address of an empty sandbox; the vendors are under /togai and /suger."""
    return served_sandbox[1]
