"""The REST face and the hosted app in this process, and the issuer whose tokens the app takes.

Both are on the small company of `world`. Whoever asks `http` needs no token, as on loopback.
"""

from collections.abc import AsyncIterator

import httpx2
import pytest

from billing_mcp.http.auth import Authentication
from billing_mcp.server import BillingServer
from hosted_asking import HOSTED, served
from issuer import Issuer
from rest_asking import asking
from world import World, open_world


@pytest.fixture
def world(server: BillingServer) -> World:
    return open_world(server)


@pytest.fixture
async def http(server: BillingServer, world: World) -> AsyncIterator[httpx2.AsyncClient]:
    async with asking(server) as made:
        yield made


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def authentication(issuer: Issuer) -> Authentication:
    return issuer.authentication()


@pytest.fixture
async def hosted(authentication: Authentication) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller on another machine, who needs a token of the issuer."""
    async with served(HOSTED, authentication) as made:
        yield made
