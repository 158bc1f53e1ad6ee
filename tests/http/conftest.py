"""The REST face in this process, on the small company of `world`."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from billing_mcp.server import BillingServer
from rest_asking import asking
from world import World, open_world


@pytest.fixture
def world(server: BillingServer) -> World:
    return open_world(server)


@pytest.fixture
async def http(server: BillingServer, world: World) -> AsyncIterator[httpx2.AsyncClient]:
    async with asking(server) as made:
        yield made
