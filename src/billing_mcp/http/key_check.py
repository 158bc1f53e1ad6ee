"""Whether a key that somebody brings is one of the file's, and what it allows.

Apart from the file, so that the verb that makes keys loads nothing of the protocol.
"""

import hmac
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mcp.server.auth.provider import AccessToken

from billing_mcp.credentials import SettingsError
from billing_mcp.http.api_keys import SHOWN, ApiKey, hashed, read
from billing_mcp.http.signing_keys import Clock, KeysUnavailable
from billing_mcp.http.tokens import NOT_KEPT, Refused

logger = logging.getLogger(__name__)

# A changed file takes effect after this long at most.
LOOK_S = 1


@dataclass(frozen=True, slots=True)
class _Entry:
    sha256: str
    expires: float | None
    token: AccessToken


class ApiKeys:
    """The keys of a file that may change while the server runs."""

    def __init__(self, path: Path, now: Clock) -> None:
        """Raises `SettingsError` when the file cannot be used now."""
        self._path = path
        self._now = now
        self._entries: dict[str, list[_Entry]] = {}
        self._unusable = False
        self._looked_at = now()
        self._version = self._seen()
        self._entries = _entries(read(path))

    def check(self, key: str) -> AccessToken:
        """What the key allows. Raises `Refused` or `KeysUnavailable`."""
        if not 0 <= self._now() - self._looked_at < LOOK_S:
            self._look()
        if self._unusable:
            raise KeysUnavailable("The file of API keys cannot be used.")
        digest = hashed(key)
        for entry in self._entries.get(key[:SHOWN], ()):
            if hmac.compare_digest(entry.sha256, digest):
                if entry.expires is not None and entry.expires <= self._now():
                    raise Refused("it has expired")
                return entry.token
        raise Refused("it is not an API key of this server")

    def _look(self) -> None:
        """Read the file again if it is another one. While it cannot be used, nobody is let in."""
        self._looked_at = self._now()
        version = self._seen()
        if version == self._version:
            return
        self._version = version
        try:
            self._entries = _entries(read(self._path))
            self._unusable = False
        except SettingsError as error:
            self._entries = {}
            self._unusable = True
            logger.error("%s Until then no API key is accepted.", error)  # noqa: TRY400  # no crash of ours: the sentence says it all

    def _seen(self) -> tuple[int, ...] | None:
        """What changes when the file does."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode


def _entries(keys: Iterable[ApiKey]) -> dict[str, list[_Entry]]:
    found: dict[str, list[_Entry]] = {}
    for key in keys:
        name = f"key:{key.name}"
        expires = None if key.expires is None else key.expires.timestamp()
        token = AccessToken(
            token=NOT_KEPT,
            client_id=name,
            scopes=list(key.scopes),
            expires_at=None if expires is None else int(expires),
            claims={"iss": None, "tenant": key.tenant, "role": key.role, "principal": name},
        )
        found.setdefault(key.prefix, []).append(_Entry(key.sha256, expires, token))
    return found
