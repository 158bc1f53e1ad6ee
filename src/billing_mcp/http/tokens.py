"""Access tokens that are JWTs (RFC 9068): whether one is meant for this server, and whose it is."""

import hashlib
import json
import logging
import re
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jwt import PyJWS, PyJWTError
from mcp.server.auth.provider import AccessToken

from billing_mcp.http.signing_keys import Clock, KeysUnavailable, NoSuchKey, SigningKeys

logger = logging.getLogger(__name__)

LONGEST_TOKEN = 8192
CLOCK_SKEW_S = 60
# A token that was verified is believed this long, so that one caller's calls cost one signature.
BELIEVED_S = 60
MOST_BELIEVED = 4096

# Nothing keeps a caller's token, so nothing can send it on or write it down.
NOT_KEPT = "(not kept)"

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES = ("at+jwt", "jwt")
# What an ID token has. Whoever may know who somebody is may not act for them.
_OF_ID_TOKENS = ("nonce", "at_hash", "c_hash")
_LONGEST_NAME = 255
_LATEST = 253_402_300_800  # the end of the year 9999


class Refused(Exception):
    """A token does not let its bearer in. The message continues "the token is refused: "."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say. `resources` are this server's URLs, as it is known outside."""

    issuer: str
    resources: Collection[str]
    algorithms: Collection[str]
    tenant_claim: str
    role_claim: str


@dataclass(frozen=True, slots=True)
class _Believed:
    token: AccessToken
    until: float
    generation: int


class TokenVerifier:
    """Verifies the tokens of one issuer; the SDK's `TokenVerifier` protocol and more."""

    def __init__(self, expected: Expected, keys: SigningKeys, now: Clock) -> None:
        self._expected = expected
        self._resources = {_canonical(url): url for url in expected.resources}
        self._host = urlsplit(expected.issuer).hostname
        self._keys = keys
        self._now = now
        self._believed: OrderedDict[bytes, _Believed] = OrderedDict()
        self._signatures = PyJWS(sorted(expected.algorithms))

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the token allows; None when it is refused or cannot be verified just now."""
        try:
            return await self.check(token)
        except (Refused, KeysUnavailable) as error:
            logger.info("The token is refused: %s", error)
            return None

    async def check(self, token: str) -> AccessToken:
        """What the token allows. Raises `Refused` or `KeysUnavailable`."""
        if len(token) > LONGEST_TOKEN:
            raise Refused("it is longer than any token of ours")
        digest = hashlib.sha256(token.encode()).digest()
        known = self._believed.get(digest)
        if known is not None:
            if self._now() < known.until and known.generation == self._keys.generation:
                self._believed.move_to_end(digest)
                return known.token
            del self._believed[digest]
        claims = await self._signed_claims(token)
        verified, expiry = self._access(claims)
        until = min(expiry + CLOCK_SKEW_S, self._now() + BELIEVED_S)
        self._believed[digest] = _Believed(verified, until, self._keys.generation)
        if len(self._believed) > MOST_BELIEVED:
            self._believed.popitem(last=False)
        return verified

    async def _signed_claims(self, token: str) -> dict[str, Any]:
        """The claims, once the signature is known to be the issuer's."""
        parts = _COMPACT.fullmatch(token)
        if parts is None:
            raise Refused("it is not a signed JWT")
        header = _object(_decoded(parts[1]))
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._expected.algorithms:
            raise Refused("its signature algorithm is not allowed")
        if "crit" in header or "b64" in header:
            raise Refused("its header has a critical part that is not understood")
        kind = header.get("typ", _TYPES[0])
        if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
            raise Refused("it is not of the type of an access token")
        if not isinstance(key_id, str) or not 0 < len(key_id) <= _LONGEST_NAME:
            raise Refused("it does not name its key")
        try:
            key = await self._keys.find(key_id, algorithm)
            verified = self._signatures.decode_complete(token, key, [algorithm])
        except NoSuchKey as error:
            raise Refused(str(error)) from error
        except PyJWTError as error:
            raise Refused("its signature is wrong") from error
        return _object(verified["payload"])

    def _access(self, claims: Mapping[str, Any]) -> tuple[AccessToken, float]:
        """What the claims allow, and when the token expires."""
        expected = self._expected
        if claims.get("iss") != expected.issuer:
            raise Refused("it is of another issuer")
        resource = self._audience(claims.get("aud"))
        expiry = self._checked_times(claims)
        if any(name in claims for name in _OF_ID_TOKENS):
            raise Refused("it is an ID token, not an access token")
        if "cnf" in claims:
            # RFC 9449 and RFC 8705: to take it without the proof would make a stolen one good.
            raise Refused("it is bound to a key of its client, which is not supported")
        subject = _name(claims, "sub")
        if subject is None:
            raise Refused("it does not say whose it is")
        verified = AccessToken(
            token=NOT_KEPT,
            client_id=_client(claims) or subject,
            scopes=_scopes(claims),
            expires_at=int(expiry),
            resource=resource,
            subject=subject,
            claims={
                "iss": expected.issuer,
                "tenant": _name(claims, expected.tenant_claim),
                "role": _name(claims, expected.role_claim),
                "principal": f"{subject}@{self._host}",
            },
        )
        return verified, expiry

    def _audience(self, audience: object) -> str:
        """The URL of ours that the token is meant for (RFC 8707), as it is set here."""
        named = audience if isinstance(audience, list) else [audience]
        for url in named:
            if isinstance(url, str) and _canonical(url) in self._resources:
                return self._resources[_canonical(url)]
        raise Refused("it is meant for another audience")

    def _checked_times(self, claims: Mapping[str, Any]) -> float:
        """The time of expiry."""
        now = self._now()
        expiry, begin, issued = (_time(claims, name) for name in ("exp", "nbf", "iat"))
        if expiry is None:
            raise Refused("it has no time of expiry")
        if expiry + CLOCK_SKEW_S <= now:
            raise Refused("it has expired")
        if begin is not None and begin - CLOCK_SKEW_S > now:
            raise Refused("it is not valid yet")
        if issued is not None and issued - CLOCK_SKEW_S > now:
            raise Refused("it was issued in the future")
        return expiry


def _canonical(url: str) -> str:
    """A URL for comparison: the case of scheme and host and a slash at the end do not matter."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{path}".rstrip("/")


def _decoded(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError as error:
        raise Refused("it is not a signed JWT") from error


def _object(content: bytes) -> dict[str, Any]:
    """A JSON object in which each name stands once (RFC 7515, 4): two readers see the same."""
    try:
        found = json.loads(content, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("its parts are not JSON") from error
    if not isinstance(found, dict):
        raise Refused("its parts are not JSON objects")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("it says something twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    given = claims.get(name)
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise Refused(f"its {name} is not a time")
    if not 0 <= given <= _LATEST:  # nor is "not a number", which no comparison holds for
        raise Refused(f"its {name} is not a time")
    return given


def _name(claims: Mapping[str, Any], claim: str) -> str | None:
    """A claim that names somebody. It goes into logs and is compared, so it is plain or refused."""
    given = claims.get(claim)
    if given is None:
        return None
    if not isinstance(given, str) or not 0 < len(given) <= _LONGEST_NAME:
        raise Refused(f"its claim {claim} is not a name")
    if not given.isprintable():
        raise Refused(f"its claim {claim} holds control characters")
    return given


def _client(claims: Mapping[str, Any]) -> str | None:
    """Which program the token was given to; `azp` is OpenID Connect's name for it."""
    return _name(claims, "client_id") or _name(claims, "azp")


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """What is granted: `scope` (RFC 8693), or `scp` as other servers say; text or a list."""
    given = claims.get("scope", claims.get("scp", ""))
    granted = given.split(" ") if isinstance(given, str) else given
    if not isinstance(granted, list) or not all(isinstance(scope, str) for scope in granted):
        raise Refused("its scopes are neither text nor a list")
    return [scope for scope in granted if scope]
