"""The authorization server's signing keys: where they are, how long they hold, when to ask again.

Its metadata (RFC 8414, OpenID Connect Discovery) says where the keys are unless a setting does. The
keys are kept for as long as their answer allows, and asked for again when a token names one that
is not among them. Whoever makes up names of keys cannot make this server ask more often, and
whoever stops the authorization server cannot stop ours for a day.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import anyio
from jwt import PyJWK, PyJWTError

from billing_mcp.credentials import is_link_local, is_loopback

logger = logging.getLogger(__name__)

Clock = Callable[[], float]
"""The seconds since 1970 (UTC)."""

RETRY_S = 30
LIFETIME_S = 3600
SHORTEST_LIFETIME_S = 60
LONGEST_LIFETIME_S = 24 * 3600
# For the metadata and the keys together, while callers whose key is not known yet wait for them.
PATIENCE_S = 5
RSA_BITS = range(2048, 8193)

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})", re.IGNORECASE)
_KEY_OF: dict[str, tuple[str, str | None]] = {
    **{family + bits: ("RSA", None) for family in ("RS", "PS") for bits in ("256", "384", "512")},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
_PUBLIC_PARTS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}


class Unfetched(Exception):
    """A document could not be had. The message says why, in words of ours."""


class KeysUnavailable(Exception):
    """Who calls cannot be told just now: nothing is wrong with the token as far as we know."""


class NoSuchKey(Exception):
    """The token's key is not one that its issuer publishes for this. The message says why."""


@dataclass(frozen=True, slots=True)
class Document:
    """An answer with status 200, not longer than any true one."""

    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Fetch = Callable[[str], Awaitable[Document]]
"""Gets a URL without following redirects. Raises `Unfetched`."""


class SigningKeys:
    """The keys of one issuer, as long as the server lives."""

    def __init__(self, issuer: str, url: str | None, fetch: Fetch, now: Clock) -> None:
        self._issuer = issuer
        self._given_url = url
        self._found_url: str | None = None
        self._fetch = fetch
        self._now = now
        self._published: dict[str, list[dict[str, str]]] = {}
        self._prepared: dict[tuple[str, str], PyJWK] = {}
        self._fetched_at: float | None = None
        self._asked_at: float | None = None
        self._failed = False
        self._lifetime_s = LIFETIME_S
        self._renewing = anyio.Lock()
        # Changes with the keys, so that what was verified with other keys is verified anew.
        self.generation = 0

    async def find(self, key_id: str, algorithm: str) -> PyJWK:
        """The published key of this id, if it fits the algorithm.

        Raises `NoSuchKey`, or `KeysUnavailable` when the issuer cannot be asked.
        """
        if not self._holds(key_id):
            async with self._renewing:
                # Those who waited find what the first of them fetched.
                if not self._holds(key_id) and self._may_ask:
                    await self._renew()
        elif self._stale and self._may_ask:
            # The others go on with the key that they have: they may not ask for a while.
            async with self._renewing:
                await self._renew()
        if not self._usable or (key_id not in self._published and self._failed):
            raise KeysUnavailable("The keys of the authorization server cannot be fetched.")
        if key_id not in self._published:
            raise NoSuchKey("it is signed with a key that its issuer does not publish")
        return self._prepare(key_id, algorithm)

    async def renew(self) -> None:
        """Fetch the keys now. Raises `Unfetched`; the keys that were there stay."""
        with anyio.move_on_after(PATIENCE_S, shield=True):
            url = self._given_url or self._found_url or await self._discovered()
            document = await self._fetch(url)
            published = _published(document.content)
            if not published:
                raise Unfetched(f"{url} holds no public key for signatures")
            if published != self._published:
                self.generation += 1
            self._found_url = url
            self._published = published
            self._prepared.clear()
            self._fetched_at = self._now()
            self._lifetime_s = _lifetime_s(document.headers)
            return
        raise Unfetched(f"{self._issuer} did not answer in {PATIENCE_S} seconds")

    def fitting(self, algorithms: Iterable[str]) -> list[str]:
        """Those algorithms for which there is a key."""
        published = [key for same in self._published.values() for key in same]
        return [name for name in algorithms if any(_fits(key, name) for key in published)]

    async def _renew(self) -> None:
        # Set before the fetch, so that one that is cut short counts as well.
        self._asked_at = self._now()
        self._failed = True
        try:
            await self.renew()
        except Unfetched as error:
            # Wherever the keys were, they may have moved.
            self._found_url = None
            logger.warning("The signing keys could not be fetched: %s.", error)
        else:
            self._failed = False

    def _holds(self, key_id: str) -> bool:
        return self._usable and key_id in self._published

    @property
    def _usable(self) -> bool:
        """Whether there are keys that are not too old, however often fetching failed since."""
        return self._within(self._fetched_at, LONGEST_LIFETIME_S)

    @property
    def _stale(self) -> bool:
        return not self._within(self._fetched_at, self._lifetime_s)

    @property
    def _may_ask(self) -> bool:
        return not self._within(self._asked_at, RETRY_S)

    def _within(self, since: float | None, seconds: int) -> bool:
        """Whether less time has passed; a clock that was put back proves nothing."""
        return since is not None and 0 <= self._now() - since < seconds

    async def _discovered(self) -> str:
        """Where the keys are by the issuer's metadata. Raises `Unfetched`."""
        reasons = []
        for url in _metadata_urls(self._issuer):
            try:
                return self._named_in(url, _json_object(await self._fetch(url)))
            except Unfetched as error:
                reasons.append(str(error))
        raise Unfetched("; ".join(reasons))

    def _named_in(self, source: str, metadata: Mapping[str, Any]) -> str:
        """The URL of the keys, no less protected than the issuer. Raises `Unfetched`."""
        if metadata.get("issuer") != self._issuer:
            raise Unfetched(f"{source} is the metadata of another issuer")
        url = metadata.get("jwks_uri")
        if not isinstance(url, str) or not url.isascii() or not url.isprintable():
            raise Unfetched(f"{source} names no jwks_uri")
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise Unfetched(f"{source} names a jwks_uri that is not a URL") from error
        local = is_loopback(urlsplit(self._issuer).hostname or "")
        local = local and parts.scheme == "http" and is_loopback(parts.hostname or "")
        if not parts.hostname or (parts.scheme != "https" and not local):
            raise Unfetched(f"{source} names a jwks_uri that is not https")
        if is_link_local(parts.hostname):
            raise Unfetched(f"{source} names a jwks_uri on a link-local address")
        return url

    def _prepare(self, key_id: str, algorithm: str) -> PyJWK:
        if (key_id, algorithm) not in self._prepared:
            fitting = [key for key in self._published[key_id] if _fits(key, algorithm)]
            if not fitting:
                raise NoSuchKey("its key is not one for its algorithm")
            if len(fitting) > 1:
                raise NoSuchKey("its issuer publishes several keys under the same id")
            self._prepared[key_id, algorithm] = _prepared(fitting[0], algorithm)
        return self._prepared[key_id, algorithm]


def _metadata_urls(issuer: str) -> Iterator[str]:
    """Where metadata may be, in the order that MCP asks for (2026-07-28, "Server Metadata")."""
    url = urlsplit(issuer)
    origin, path = f"{url.scheme}://{url.netloc}", url.path.rstrip("/")
    yield f"{origin}/.well-known/oauth-authorization-server{path}"
    yield f"{origin}/.well-known/openid-configuration{path}"
    if path:
        yield f"{origin}{path}/.well-known/openid-configuration"


def _json_object(document: Document) -> dict[str, Any]:
    try:
        found = json.loads(document.content)
    except (ValueError, RecursionError) as error:
        raise Unfetched("an answer of the authorization server is not JSON") from error
    if not isinstance(found, dict):
        raise Unfetched("an answer of the authorization server is not a JSON object")
    return found


def _published(content: bytes) -> dict[str, list[dict[str, str]]]:
    """The public signing keys of a JWK set (RFC 7517) by their ids; what else it has is left."""
    keys = _json_object(Document(content)).get("keys")
    found: dict[str, list[dict[str, str]]] = {}
    for key in keys if isinstance(keys, list) else ():
        public = _public(key) if isinstance(key, dict) else None
        if public is not None:
            same = found.setdefault(key["kid"], [])
            if public not in same:
                same.append(public)
    return found


def _public(key: dict[str, Any]) -> dict[str, str] | None:
    """The public parts of a key; None when it is not one to check signatures with."""
    operations = key.get("key_ops", ["verify"])
    if key.get("use", "sig") != "sig" or not isinstance(operations, list):
        return None
    if "verify" not in operations or not isinstance(key.get("kid"), str):
        return None
    if "d" in key:
        logger.warning("The authorization server publishes a private key, which is not used.")
        return None
    names = _PUBLIC_PARTS.get(str(key.get("kty")), ())
    wanted = ("kty", *names, *(["alg"] if "alg" in key else []))
    parts = {name: part for name in wanted if isinstance(part := key.get(name), str)}
    return parts if names and len(parts) == len(wanted) else None


def _fits(key: Mapping[str, str], algorithm: str) -> bool:
    named = key.get("alg", algorithm) == algorithm
    return named and (key["kty"], key.get("crv")) == _KEY_OF.get(algorithm)


def _prepared(key: dict[str, str], algorithm: str) -> PyJWK:
    try:
        made = PyJWK(key, algorithm)
    except PyJWTError as error:
        raise NoSuchKey("its key is published in a form that cannot be read") from error
    if key["kty"] == "RSA" and made.key.key_size not in RSA_BITS:
        raise NoSuchKey("its key has a length that is not secure")
    return made


def _lifetime_s(headers: Mapping[str, str]) -> int:
    given = _MAX_AGE.search(headers.get("cache-control", ""))
    seconds = LIFETIME_S if given is None else int(given[1])
    return min(max(seconds, SHORTEST_LIFETIME_S), LONGEST_LIFETIME_S)
