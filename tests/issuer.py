"""An authorization server without a network: its keys, its metadata, and tokens good and bad."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import anyio
import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from billing_mcp.config import Settings
from billing_mcp.http.auth import Authentication
from billing_mcp.http.tokens import Refused

ISSUER = "https://login.issuer.example"
JWKS_URL = f"{ISSUER}/keys"
METADATA_URL = f"{ISSUER}/.well-known/oauth-authorization-server"
PUBLIC_URL = "https://billing.example"
AUDIENCE = f"{PUBLIC_URL}/mcp"
START = 1_800_000_000
NOW = datetime.fromtimestamp(START, UTC)
UNKNOWN = "it is signed with a key that its issuer does not publish"

Answer = httpx2.Response | Exception


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key of its own for each name; made once, because that takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key(name: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def published(key: Any, key_id: str, **more: Any) -> dict[str, Any]:
    """The public JWK of a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return {**jwk, "kid": key_id, "use": "sig", **more}


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(header: Mapping[str, Any], payload: bytes, key: Any) -> str:
    """A token with any header and payload, signed by its `alg`; past every check of a library."""
    head = encoded(json.dumps(header).encode())
    body = f"{head}.{encoded(payload)}"
    if header["alg"] == "none":
        return f"{body}."
    algorithm = PyJWS().get_algorithm_by_name(header["alg"])
    return f"{body}.{encoded(algorithm.sign(body.encode(), key))}"


@dataclass
class Clock:
    """The time, which moves when a test says so."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass
class Issuer:
    """Answers requests for its documents, and counts them."""

    clock: Clock = field(default_factory=Clock)
    asked: list[str] = field(default_factory=list)
    answers: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(
        default_factory=lambda: [
            published(rsa_key("one"), "rsa-1"),
            published(ec_key("one"), "ec-1"),
        ]
    )
    headers: dict[str, str] = field(default_factory=dict)
    # While it is not set, answers are on their way.
    held: anyio.Event | None = None

    def __post_init__(self) -> None:
        metadata = {"issuer": ISSUER, "jwks_uri": JWKS_URL}
        self.answers[METADATA_URL] = lambda: httpx2.Response(200, json=metadata)
        self.answers[JWKS_URL] = lambda: httpx2.Response(
            200, json={"keys": self.keys}, headers=self.headers
        )

    @property
    def key_requests(self) -> int:
        return self.asked.count(JWKS_URL)

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(str(request.url))
        if self.held is not None:
            await self.held.wait()
        made = self.answers.get(str(request.url), lambda: httpx2.Response(404))()
        if isinstance(made, Exception):
            raise made
        return made

    def authentication(self, **settings: Any) -> Authentication:
        """What asks for tokens of this issuer."""
        given = {"auth_issuer": ISSUER, "public_url": PUBLIC_URL, **settings}
        return Authentication(
            Settings(**given), transport=httpx2.MockTransport(self.answer), now=self.clock
        )

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Those of a good token; what is changed to None is left out."""
        good = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "agent-7",
            "client_id": "desk",
            "scope": "billing:read",
            "iat": self.clock.now,
            "exp": self.clock.now + 3600,
        }
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def token(
        self, key: Any = None, header: Mapping[str, Any] | None = None, **changed: Any
    ) -> str:
        """A token; good unless something is changed. `header` is added to the usual one."""
        head = {"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1", **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        return signed(head, json.dumps(self.claims(**changed)).encode(), key or rsa_key("one"))


async def refusal(authentication: Authentication, token: str) -> str:
    """Why a token is refused."""
    with pytest.raises(Refused) as refused:
        await authentication.check(token)
    assert await authentication.verify_token(token) is None
    return str(refused.value)
