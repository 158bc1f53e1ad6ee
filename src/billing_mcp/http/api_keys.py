"""API keys for closed networks: a file of their hashes, and whether a key is one of them.

The file is JSON that `billing-mcp keys` writes. It holds no key: a key is shown once, when it is
made, and is as random as its hash, so the file tells nobody a key. Whoever can write it can let
themselves in, so it belongs to its owner alone.
"""

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Annotated, Literal

from mcp.server.auth.provider import AccessToken
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from billing_mcp.credentials import SettingsError
from billing_mcp.http.signing_keys import Clock, KeysUnavailable
from billing_mcp.http.tokens import NOT_KEPT, Refused
from billing_mcp.scopes import SCOPES

logger = logging.getLogger(__name__)

PREFIX = "bmk_"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
# A changed file takes effect after this long at most.
LOOK_S = 1
_RANDOM_BYTES = 32
_SHOWN = len(PREFIX) + 8
_LARGEST_FILE_BYTES = 4 * 1024 * 1024


def _known(scope: str) -> str:
    if scope not in SCOPES:
        raise ValueError(f"{scope!r} is not one of {', '.join(SCOPES)}")
    return scope


KnownScope = Annotated[str, AfterValidator(_known)]


def _plain(role: str) -> str:
    if not role.isprintable():
        raise ValueError("a role holds control characters")
    return role


Role = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_plain),
]
"""As the policy names it. It goes into logs and is compared, so it is plain."""


class ApiKey(BaseModel):
    """One key: who has it and what it allows. `prefix` is how its owner recognizes it.

    `role` is the table of the policy that holds for its bearer, besides the one for everyone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    prefix: Annotated[str, Field(pattern=r"^bmk_[A-Za-z0-9_-]{8}$")]
    scopes: Annotated[tuple[KnownScope, ...], Field(min_length=1)]
    tenant: str | None = None
    role: Role | None = None
    created: AwareDatetime
    expires: AwareDatetime | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    keys: list[ApiKey] = []


def made(
    name: str,
    scopes: Iterable[str],
    tenant: str | None,
    created: datetime,
    expires: datetime | None = None,
    role: str | None = None,
) -> tuple[str, ApiKey]:
    """A new key, to be shown once, and what is kept of it."""
    key = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    kept = ApiKey(
        name=name,
        sha256=_hash(key),
        prefix=key[:_SHOWN],
        scopes=tuple(scopes),
        tenant=tenant,
        role=role,
        created=created,
        expires=expires,
    )
    return key, kept


def is_role(text: str) -> bool:
    """Whether a key can have a role of that name."""
    try:
        TypeAdapter(Role).validate_python(text)
    except ValidationError:
        return False
    return True


def read(path: Path) -> list[ApiKey]:
    """The keys of a file. Raises `SettingsError` saying what to do."""
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE_BYTES)
    except FileNotFoundError:
        raise SettingsError(
            f"There is no file of API keys at {path}. "
            f"Make the first key with billing-mcp keys add NAME --api-keys {path}."
        ) from None
    except OSError as error:
        raise SettingsError(f"The API keys in {path} cannot be read: {error.strerror}.") from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(
            f"Others can write {path}, and so let themselves in. Make it private: chmod 600 {path}"
        )
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        logger.warning("Others can read %s, the file of API keys: chmod 600 it.", path)
    try:
        keys = _File.model_validate_json(content).keys
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its beginning"
        raise SettingsError(
            f"{path} is not a file of API keys, at {where}: {first['msg']}."
        ) from None
    names = [key.name for key in keys]
    if len(set(names)) < len(names):
        raise SettingsError(f"{path} has two API keys of the same name. Revoke both.")
    return keys


def write(path: Path, keys: Iterable[ApiKey]) -> None:
    """Replace the file in one step, private to its owner. Raises `SettingsError`."""
    path = path.resolve()
    document = _File(keys=list(keys)).model_dump(mode="json")
    text = json.dumps(document, indent=1) + "\n"
    try:
        with _replacing(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    # Such a file is its owner's alone from the beginning.
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if path.exists() and (path.stat().st_uid, path.stat().st_gid) != _owner(file.name):
                # Written by root for the account that the server runs as.
                os.chown(file.name, path.stat().st_uid, path.stat().st_gid)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _owner(path: str) -> tuple[int, int]:
    found = Path(path).stat()
    return found.st_uid, found.st_gid


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


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
        digest = _hash(key)
        for entry in self._entries.get(key[:_SHOWN], ()):
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
