"""Who the suite and the Inspector come as: anybody, or somebody with a token for everything."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from billing_mcp.http import api_keys
from billing_mcp.http.auth import Authentication
from billing_mcp.scopes import SCOPES
from issuer import ISSUER, PUBLIC_URL, Issuer

Kind = Literal["anybody", "API key", "access token"]


@dataclass(frozen=True, slots=True)
class Known:
    """The settings by which a server knows a caller, and what the caller shows: None if nothing.

    `authentication` is there when the settings alone would have the server ask the network.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    authentication: Authentication | None = None
    token: str | None = None


@contextmanager
def known(kind: Kind) -> Iterator[Known]:
    """A caller of a kind. Those who show something have all scopes."""
    match kind:
        case "anybody":
            yield Known()
        case "API key":
            with tempfile.TemporaryDirectory() as folder:
                key, kept = api_keys.made("suite", SCOPES, None, datetime.now(UTC))
                file = Path(folder) / "keys.json"
                api_keys.write(file, [kept])
                yield Known({"api_keys": str(file)}, token=key)
        case "access token":
            issuer = Issuer()
            settings = {"auth_issuer": ISSUER, "public_url": PUBLIC_URL}
            yield Known(settings, issuer.authentication(), issuer.token(scope=" ".join(SCOPES)))
