"""The desk each test of Suger's tools sits at."""

import httpx2
import pytest
from mcp import Client

from billing_mcp.config import Settings
from billing_mcp.sandbox import SandboxSettings, open_sandbox
from billing_mcp.server import BillingServer
from tools.suger.desk import Desk, open_for_business
from unguarded import ANYTHING


@pytest.fixture
def settings() -> Settings:
    """What Suger is asked is tried here; that a person approves a deletion is tried elsewhere."""
    return Settings(policy=ANYTHING)


@pytest.fixture
def server(settings: Settings) -> BillingServer:
    server = BillingServer(settings)
    # Without the demo company: building it would take longer than the test.
    server.tenant._sandbox = open_sandbox(SandboxSettings(demo=False))
    open_for_business(server)
    return server


@pytest.fixture
def desk(client: Client, control: httpx2.AsyncClient) -> Desk:
    return Desk(client, control)
