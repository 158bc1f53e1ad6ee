"""The file of tenants: whose vendors' keys are where, and what each tenant may use.

    [tenants.acme]
    togai_api_key = { env = "ACME_TOGAI_KEY" }
    suger_api_key = { file = "/run/secrets/acme-suger" }
    suger_org_id = "org-1"
    toolsets = ["togai-billing", "suger-metering"]

    [tenants.acme.rules]
    needs_approval = ["create-price-plan"]

The rules are those of a table of the policy, and can only add to what the policy asks for. A key
stands in the file itself only while nobody but its owner can read the file.
"""

import re
import stat
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from billing_mcp.credentials import Credential, SettingsError, TenantSettings, Vendor, credential

if TYPE_CHECKING:
    from billing_mcp.guard.policy_file import Rules

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
# No key of a vendor is as long; a mistaken path to something large stays harmless.
_LONGEST_KEY_BYTES = 8192


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Secret(_Closed):
    """Where a key is: an environment variable or a file."""

    env: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "_Secret":
        if (self.env is None) == (self.file is None):
            raise ValueError("give either env or file")
        return self


class _Tenant(_Closed):
    togai_api_key: _Secret | str | None = None
    togai_base_url: str | None = None
    suger_api_key: _Secret | str | None = None
    suger_base_url: str | None = None
    suger_org_id: str | None = None
    sandbox: bool = False
    sandbox_data: str | None = None
    toolsets: list[str] | None = None
    tools: list[str] = []
    exclude_tools: list[str] = []
    read_only: bool = False
    rate_limit: int | None = Field(default=None, ge=0, le=1_000_000)
    rules: dict[str, Any] | None = None


class _File(_Closed):
    tenants: dict[str, _Tenant]


def read(path: Path, environ: Mapping[str, str]) -> tuple[TenantSettings, ...]:
    """The tenants of a file, in its order. Raises `SettingsError` naming the field."""
    try:
        # Amounts in the rules are exact.
        tables = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        parsed = _File.model_validate(tables)
    except OSError as error:
        raise SettingsError(
            f"The tenants' file {path} cannot be read: {error.strerror}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The tenants' file {path} is not TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"The tenants' file {path} is wrong at {where}: {first['msg']}."
        ) from None
    if not parsed.tenants:
        raise SettingsError(f"The tenants' file {path} names no tenant.")
    return tuple(_tenant(path, name, given, environ) for name, given in parsed.tenants.items())


def _tenant(path: Path, name: str, given: _Tenant, environ: Mapping[str, str]) -> TenantSettings:
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"The tenants' file {path} has a tenant called {name[:80]!r}. "
            "Use letters, digits, dots, dashes and underscores, at most 63."
        )
    where = f"tenants.{name}"
    togai = _credential(path, where, "togai", given.togai_api_key, given.togai_base_url, environ)
    suger = _credential(path, where, "suger", given.suger_api_key, given.suger_base_url, environ)
    if given.sandbox == (togai is not None or suger is not None):
        raise SettingsError(
            f"{where} in {path} has a vendor key and sandbox = true. Choose one."
            if given.sandbox
            else f"{where} in {path} has no vendor key. Give togai_api_key or suger_api_key, or "
            "sandbox = true if its data is to be invented."
        )
    if given.sandbox_data is not None and not given.sandbox:
        raise SettingsError(f"{where}.sandbox_data in {path} needs sandbox = true.")
    return TenantSettings(
        name,
        togai,
        suger,
        org_id=given.suger_org_id,
        sandbox_data=None if given.sandbox_data is None else Path(given.sandbox_data).expanduser(),
        toolsets=None if given.toolsets is None else tuple(given.toolsets),
        tools=tuple(given.tools),
        exclude_tools=tuple(given.exclude_tools),
        read_only=given.read_only,
        rate_limit=given.rate_limit,
        rules=None if given.rules is None else _rules(path, where, given.rules),
    )


def _rules(path: Path, where: str, table: Mapping[str, Any]) -> "Rules":
    # Most tenants have none, and a server without any starts sooner without the policy.
    from billing_mcp.guard import policy_file  # noqa: PLC0415

    return policy_file.read_rules(table, f"{where}.rules in {path}")


def _credential(
    path: Path,
    where: str,
    vendor: Vendor,
    key: _Secret | str | None,
    url: str | None,
    environ: Mapping[str, str],
) -> Credential | None:
    key_name, url_name = f"{where}.{vendor}_api_key", f"{where}.{vendor}_base_url"
    if key is None:
        if url is not None:
            raise SettingsError(f"{url_name} in {path} is set, but {key_name} is not.")
        return None
    return credential(vendor, _key(path, key_name, key, environ), url, key_name, url_name)


def _key(path: Path, name: str, key: _Secret | str, environ: Mapping[str, str]) -> str:
    if isinstance(key, str):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SettingsError(
                f"{name} is a key in {path}, which others can read. Make the file private "
                '(chmod 600), or name the key\'s place: { env = "NAME" } or { file = "/path" }.'
            )
        found = key
    elif key.env is not None:
        found = environ.get(key.env, "")
        if not found.strip():
            raise SettingsError(f"{name}: the environment variable {key.env} is not set.")
    else:
        assert key.file is not None
        found = _content(name, Path(key.file).expanduser())
    if not found.strip():
        raise SettingsError(f"{name} is empty.")
    return found.strip()


def _content(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_KEY_BYTES).decode("utf-8")
    except OSError as error:
        raise SettingsError(f"{name}: {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: {path} is not text.") from None
