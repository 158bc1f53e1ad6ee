"""What every test may use: a server on a fresh embedded sandbox, and real clients of both eras."""

import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from mcp import Client

from answers import connected
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer

pytest_plugins = ["anyio", "answer_facts", "secret_search"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("BILLING_MCP_", "TOGAI_", "SUGER_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _a_home_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No ledger of a test is found by another one, or by whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _logs_end_with_the_test() -> Iterator[None]:
    """A server sends the logs of its process to the stderr of the test that made it, which is
    closed when that ends; a later test's line must not be written to it."""
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    root.handlers[:] = [handler for handler in root.handlers if handler in before]


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def server(settings: Settings) -> BillingServer:
    return BillingServer(settings)


@pytest.fixture(params=["modern", "legacy"])
async def client(server: BillingServer, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """An MCP client in memory; every test that takes it runs in both protocol eras."""
    async with connected(server, request.param) as made:
        yield made


@pytest.fixture
async def control(server: BillingServer) -> AsyncIterator[httpx2.AsyncClient]:
    """The same sandbox by its own wire: /togai, /suger and /control, past our server."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(server.tenant.sandbox),
        base_url="http://sandbox",
        headers={"authorization": "Bearer any-key"},
    ) as made:
        yield made
