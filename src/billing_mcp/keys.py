"""The verb `keys`: makes, shows and revokes the API keys that `http` accepts."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from billing_mcp.config import Settings
from billing_mcp.credentials import SettingsError
from billing_mcp.http import api_keys
from billing_mcp.http.api_keys import ApiKey
from billing_mcp.scopes import READ, SCOPES

USAGE = (
    "Use keys add NAME [--scopes SCOPE,…] [--tenant NAME] [--role ROLE] [--expires DAYS], "
    "keys list, or keys revoke NAME."
)
MOST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says of a key, as it was typed."""

    scopes: str | None = None
    tenant: str | None = None
    expires: str | None = None
    role: str | None = None


def run(words: Sequence[str], wanted: Wanted, settings: Settings, now: datetime) -> int:
    """Raises `SettingsError` for whatever cannot be done, saying why."""
    path = settings.api_keys
    if path is None:
        raise SettingsError("keys needs its file: set BILLING_MCP_API_KEYS or give --api-keys.")
    match list(words):
        case ["add", name]:
            return _add(path, name, wanted, settings, now)
        case ["list"] if wanted == Wanted():
            return _list(path, now)
        case ["revoke", name] if wanted == Wanted():
            return _revoke(path, name)
    raise SettingsError(USAGE)


def _add(path: Path, name: str, wanted: Wanted, settings: Settings, now: datetime) -> int:
    if not api_keys.NAME.fullmatch(name):
        raise SettingsError(
            f"A key cannot be called {name[:80]!r}. "
            "Use letters, digits, dots, dashes and underscores, at most 63."
        )
    kept = api_keys.read(path) if path.exists() else []
    if name in {key.name for key in kept}:
        raise SettingsError(f"There is a key called {name}. Revoke it first, or choose another.")
    shown, key = api_keys.made(
        name,
        _scopes(wanted.scopes),
        _tenant(wanted.tenant, settings),
        now,
        _expiry(wanted.expires, now),
        _role(wanted.role),
    )
    api_keys.write(path, [*kept, key])
    print(shown)
    # Not where the key goes, so that a script can take the key alone.
    print(
        f"This is {name}'s key ({', '.join(key.scopes)}). It is shown this once and kept nowhere; "
        "callers send it as Authorization: Bearer KEY.",
        file=sys.stderr,
    )
    return 0


def _scopes(text: str | None) -> list[str]:
    given = (READ if text is None else text).replace(",", " ").split()
    if not given or not set(given) <= set(SCOPES):
        raise SettingsError(f"--scopes cannot be {text!r}: use some of {', '.join(SCOPES)}.")
    return [scope for scope in SCOPES if scope in given]


def _tenant(name: str | None, settings: Settings) -> str | None:
    names = [tenant.name for tenant in settings.tenants]
    if name is None:
        if len(names) > 1:
            raise SettingsError(f"Say whose key it is: --tenant with one of {', '.join(names)}.")
        return None
    if name not in names:
        known = (
            f"There are {', '.join(names)}"
            if settings.tenants_file
            else "Tenants are named in a file: set BILLING_MCP_TENANTS or give --tenants"
        )
        raise SettingsError(f"There is no tenant {name[:80]!r}. {known}.")
    return name


def _role(name: str | None) -> str | None:
    if name is not None and not api_keys.is_role(name):
        raise SettingsError(
            f"--role cannot be {name[:80]!r}: use a name from the policy, of at most 200 "
            "characters."
        )
    return name


def _expiry(days: str | None, now: datetime) -> datetime | None:
    if days is None:
        return None
    # isdecimal knows digits of every script.
    if not (days.isascii() and days.isdecimal()) or not 1 <= int(days[:5]) <= MOST_DAYS:
        raise SettingsError(f"--expires cannot be {days!r}: use days, from 1 to {MOST_DAYS}.")
    return now + timedelta(days=int(days))


def _list(path: Path, now: datetime) -> int:
    for key in api_keys.read(path):
        tenant = "the only tenant" if key.tenant is None else key.tenant
        role = "" if key.role is None else f"role {key.role}  "
        scopes = ",".join(key.scopes)
        print(f"{key.name}  {key.prefix}…  {scopes}  {tenant}  {role}{_times(key, now)}")
    return 0


def _times(key: ApiKey, now: datetime) -> str:
    made = f"made {key.created:%Y-%m-%d}"
    if key.expires is None:
        return f"{made}, does not expire"
    return f"{made}, {'expired' if key.expires <= now else 'expires'} {key.expires:%Y-%m-%d}"


def _revoke(path: Path, name: str) -> int:
    kept = api_keys.read(path)
    if name not in {key.name for key in kept}:
        names = ", ".join(key.name for key in kept) or "none"
        raise SettingsError(f"There is no key called {name[:80]!r}. There are: {names}.")
    api_keys.write(path, [key for key in kept if key.name != name])
    print(f"{name}'s key is revoked. A running server refuses it within a second.")
    return 0
