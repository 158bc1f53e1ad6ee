"""Who calls over HTTP: access tokens of one issuer, API keys, or both, as the settings say.

The one part of this side that asks somebody over HTTP: the authorization server, for its keys.
"""

import logging
import re
import time

import httpx2
from mcp.server.auth.provider import AccessToken

from billing_mcp import __version__
from billing_mcp.config import Settings
from billing_mcp.http import api_keys
from billing_mcp.http.challenges import Challenges, resources
from billing_mcp.http.key_check import ApiKeys
from billing_mcp.http.signing_keys import (
    PATIENCE_S,
    Clock,
    Document,
    Fetch,
    KeysUnavailable,
    SigningKeys,
    Unfetched,
)
from billing_mcp.http.tokens import LONGEST_TOKEN, Expected, Refused, TokenVerifier

logger = logging.getLogger(__name__)

ANSWER_LIMIT_BYTES = 256 * 1024

# What may follow "Bearer" (RFC 6750, 2.1).
_TOKEN = re.compile(rf"[A-Za-z0-9._~+/-]{{1,{LONGEST_TOKEN}}}={{0,2}}")


class Authentication:
    """Tells who a token's bearer is. It is the SDK's `TokenVerifier` as well."""

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        now: Clock = time.time,
    ) -> None:
        """`transport` stands in for the network. Raises `SettingsError` for a file of API keys
        that cannot be used."""
        self.challenges = Challenges(settings)
        self.keys: ApiKeys | None = None
        self.signing_keys: SigningKeys | None = None
        self._tokens: TokenVerifier | None = None
        if settings.api_keys is not None:
            self.keys = ApiKeys(settings.api_keys, now)
        if settings.auth_issuer is not None:
            assert settings.public_url is not None, "hosting_trouble has checked it"
            self.signing_keys = SigningKeys(
                settings.auth_issuer, settings.auth_jwks_url, over_http(transport), now
            )
            expected = Expected(
                settings.auth_issuer,
                tuple(resources(settings.public_url).values()),
                settings.auth_algorithms,
                settings.auth_tenant_claim,
                settings.auth_role_claim,
            )
            self._tokens = TokenVerifier(expected, self.signing_keys, now)

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the token allows; None when it is refused or cannot be verified just now."""
        try:
            return await self.check(token)
        except (Refused, KeysUnavailable):
            return None

    async def check(self, token: str) -> AccessToken:
        """What the token allows. Raises `Refused` or `KeysUnavailable`, which say why."""
        if not _TOKEN.fullmatch(token):
            raise Refused("it is longer than any token, or holds what no token does")
        if token.startswith(api_keys.PREFIX):
            if self.keys is None:
                raise Refused("this server takes no API keys")
            return self.keys.check(token)
        if self._tokens is None:
            raise Refused("it is not an API key, and this server takes nothing else")
        return await self._tokens.check(token)


def over_http(transport: httpx2.AsyncBaseTransport | None = None) -> Fetch:
    """Fetches documents that are small, plain and where they were said to be."""

    async def fetch(url: str) -> Document:
        headers = {
            "accept": "application/json",
            # A small answer could unpack into a large one.
            "accept-encoding": "identity",
            "user-agent": f"billing-mcp/{__version__}",
        }
        try:
            async with (
                httpx2.AsyncClient(
                    headers=headers,
                    timeout=PATIENCE_S,
                    follow_redirects=False,
                    transport=transport,
                ) as client,
                client.stream("GET", url) as response,
            ):
                return await _document(url, response)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unfetched(f"{url} cannot be reached ({type(error).__name__})") from error

    return fetch


async def _document(url: str, response: httpx2.Response) -> Document:
    if response.is_redirect:
        raise Unfetched(f"{url} leads elsewhere, and is not followed")
    if response.status_code != 200:
        raise Unfetched(f"{url} answered {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Unfetched(f"{url} answered compressed, though asked not to")
    content = b""
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > ANSWER_LIMIT_BYTES:
            raise Unfetched(f"{url} answered more than {ANSWER_LIMIT_BYTES} bytes")
    return Document(content, response.headers)
