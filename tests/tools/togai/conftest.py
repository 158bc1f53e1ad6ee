"""The company that each test of Togai's tools works in."""

import pytest

from billing_mcp.config import Settings, from_environ
from billing_mcp.server import BillingServer
from world import World, open_world


@pytest.fixture
def settings() -> Settings:
    return from_environ({})


@pytest.fixture
def world(server: BillingServer) -> World:
    return open_world(server)
