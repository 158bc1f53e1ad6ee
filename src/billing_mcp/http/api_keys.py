"""API keys for closed networks: the file of their hashes.

The file is JSON that `billing-mcp keys` writes. It holds no key: a key is shown once, when it is
made, and is as random as its hash, so the file tells nobody a key. Whoever can write it can let
themselves in, so it belongs to its owner alone.
"""

import hashlib
import json
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Annotated, Literal

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
from billing_mcp.scopes import SCOPES

logger = logging.getLogger(__name__)

PREFIX = "bmk_"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_RANDOM_BYTES = 32
SHOWN = len(PREFIX) + 8
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
        sha256=hashed(key),
        prefix=key[:SHOWN],
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


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
