"""The settings: names, limits and defaults. The only reader of the environment."""

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

PREFIX = "BILLING_MCP_"
TOGAI_URL = "https://api.togai.com"
TOGAI_SANDBOX_HOST = "sandbox-api.togai.com"
SUGER_URL = "https://api.suger.cloud"
SANDBOX_ORG = "sandbox"
SANDBOX_START = datetime(2026, 11, 20, 12, tzinfo=UTC)

Environment = Literal["sandbox", "vendor-sandbox", "live"]
Vendor = Literal["togai", "suger"]


class SettingsError(ValueError):
    """A setting is unknown, malformed or contradicts another. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Credential:
    """How to reach one vendor: its base URL and the value of the `Authorization` header."""

    base_url: str
    authorization: SecretStr

    @property
    def environment(self) -> Environment:
        host = urlsplit(self.base_url).hostname
        return "vendor-sandbox" if host == TOGAI_SANDBOX_HOST else "live"


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """One customer of this server: its vendors' credentials and its marketplace organisation.

    A vendor without a credential is absent; when no vendor has one, both are the sandbox.
    """

    name: str
    togai: Credential | None = None
    suger: Credential | None = None
    org_id: str | None = None

    @property
    def sandboxed(self) -> bool:
        return self.togai is None and self.suger is None

    @property
    def organisation(self) -> str | None:
        """The Suger organisation of calls that name none."""
        return self.org_id or (SANDBOX_ORG if self.sandboxed else None)

    def has(self, vendor: Vendor) -> bool:
        return self.sandboxed or getattr(self, vendor) is not None


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting of ours: environment name, flag and what it means, for --help and the README."""

    name: str
    meaning: str
    default: str
    kind: Literal["text", "list", "boolean", "integer", "seconds", "time", "path", "level"] = "text"
    minimum: int = 0
    maximum: int = 0

    @property
    def flag(self) -> str:
        return "--" + self.name.lower().replace("_", "-")

    @property
    def variable(self) -> str:
        return PREFIX + self.name

    @property
    def attribute(self) -> str:
        return self.name.lower()


VARIABLES = (
    Variable("TOOLSETS", "toolsets to serve: names, `core`, `default` or `all`", "default", "list"),
    Variable("TOOLS", "further tools to serve, by name", "none", "list"),
    Variable("EXCLUDE_TOOLS", "tools never to serve, whatever else is set", "none", "list"),
    Variable("READ_ONLY", "serve only tools that change nothing; wins", "false", "boolean"),
    Variable("SANDBOX_DATA", "file the sandbox keeps its data in", "in memory", "path"),
    Variable("SANDBOX_NOW", "the sandbox clock at its start (UTC)", "2026-11-20T12:00:00Z", "time"),
    Variable("HTTP_HOST", "address `http` listens on (loopback only)", "127.0.0.1"),
    Variable("HTTP_PORT", "port `http` listens on", "9080", "integer", 0, 65535),
    Variable("HTTP_SSE", "answer with SSE, so that progress arrives", "false", "boolean"),
    Variable("ALLOWED_HOSTS", "further `Host` values `http` accepts", "loopback names", "list"),
    Variable("ALLOWED_ORIGINS", "further `Origin` values `http` accepts", "loopback", "list"),
    Variable("LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR; logs go to stderr", "WARNING", "level"),
    Variable(
        "UPSTREAM_CONCURRENCY", "vendor requests at once, per vendor", "128", "integer", 1, 1000
    ),
    Variable(
        "UPSTREAM_TIMEOUT", "seconds a call may take, retries included", "25", "seconds", 1, 300
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the server is told from outside, checked once."""

    tenants: tuple[TenantSettings, ...] = (TenantSettings("default"),)
    toolsets: tuple[str, ...] = ("default",)
    tools: tuple[str, ...] = ()
    exclude_tools: tuple[str, ...] = ()
    read_only: bool = False
    sandbox_data: Path | None = None
    sandbox_now: datetime | None = None
    http_host: str = "127.0.0.1"
    http_port: int = 9080
    http_sse: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    log_level: str = "WARNING"
    upstream_concurrency: int = 128
    upstream_timeout: int = 25
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def tenant(self) -> TenantSettings:
        """The tenant of callers that name none."""
        return self.tenants[0]

    @property
    def sandbox_start(self) -> datetime:
        """Where the sandbox's clock stands unless a data file says otherwise."""
        return self.sandbox_now or SANDBOX_START

    def has(self, vendor: Vendor) -> bool:
        return any(tenant.has(vendor) for tenant in self.tenants)


def from_environ(environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; a flag (named as the attribute) beats its variable.

    Raises `SettingsError` for an unknown `BILLING_MCP_*` name, a malformed value or a base URL
    that is neither https nor loopback.
    """
    _refuse_unknown(environ)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for variable in VARIABLES:
        for source, text in (
            (variable.flag, (flags or {}).get(variable.attribute)),
            (variable.variable, environ.get(variable.variable)),
        ):
            if text is not None and text.strip():
                values[variable.attribute] = _parse(variable, text.strip(), source)
                origins[variable.attribute] = source
                break
    return Settings(tenants=(_default_tenant(environ),), origins=origins, **values)


def default_of(attribute: str) -> object:
    """The default a `Settings` field has, for the documentation's test."""
    return next(f.default for f in fields(Settings) if f.name == attribute)


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = {variable.variable for variable in VARIABLES}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]}?" if near else f" Known: {', '.join(sorted(known))}."
            raise SettingsError(f"Unknown setting {name}.{hint}")


def _default_tenant(environ: Mapping[str, str]) -> TenantSettings:
    def given(name: str) -> str:
        return environ.get(name, "").strip()

    togai_key = given("TOGAI_API_KEY") or given("TOGAI_API_TOKEN")
    suger_key = given("SUGER_API_KEY")
    togai = suger = None
    if togai_key:
        url = _base_url("TOGAI_BASE_URL", given("TOGAI_BASE_URL") or TOGAI_URL)
        togai = Credential(url, _authorization("Bearer", togai_key, "TOGAI_API_KEY"))
    if suger_key:
        url = _base_url("SUGER_BASE_URL", given("SUGER_BASE_URL") or SUGER_URL)
        suger = Credential(url, _authorization("Key", suger_key, "SUGER_API_KEY"))
    org_id = given("SUGER_ORG_ID") or None
    if togai is None and suger is None:
        for name in ("TOGAI_BASE_URL", "SUGER_BASE_URL"):
            if given(name):
                raise SettingsError(
                    f"{name} is set but no vendor key is. Set the vendor's key as well, or unset "
                    f"{name} to use the embedded sandbox."
                )
    return TenantSettings("default", togai, suger, org_id)


def _authorization(scheme: str, key: str, name: str) -> SecretStr:
    """`scheme key`, or the value as it is when it brings a scheme of its own."""
    if not key.isascii() or not key.isprintable():
        raise SettingsError(f"{name} holds characters that no key has. Copy it again.")
    return SecretStr(key if re.fullmatch(r"[A-Za-z]+ +\S.*", key) else f"{scheme} {key}")


def _base_url(name: str, text: str) -> str:
    try:
        url = urlsplit(text)
        port = url.port  # raises ValueError when it is not a number
    except ValueError as error:
        raise SettingsError(f"{name} is not a URL: {text!r}.") from error
    if url.username is not None or url.password is not None:
        # Not shown, because it may hold a password.
        raise SettingsError(f"{name} must hold no user and no password.")
    # `urlsplit` drops line ends and tabs without a word.
    if not text.isascii() or not text.isprintable() or " " in text:
        raise SettingsError(f"{name} is not a URL: {text!r}.")
    if url.query or url.fragment or not url.hostname:
        raise SettingsError(f"{name} must be a plain base URL such as {TOGAI_URL}, not {text!r}.")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname)):
        raise SettingsError(f"{name} must be https, or http on loopback; {text!r} leaks the key.")
    if port == 0:
        raise SettingsError(f"{name} has port 0: {text!r}.")
    return text.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host name or address never leaves this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _parse(variable: Variable, text: str, source: str) -> Any:
    parsers: dict[str, Callable[[], Any]] = {
        "text": lambda: text,
        "list": lambda: tuple(part for part in re.split(r"[,\s]+", text) if part),
        "path": lambda: Path(text).expanduser(),
        "boolean": lambda: _one_of(text.lower(), {"true": True, "false": False}),
        "level": lambda: _one_of(
            text.upper(), {name: name for name in ("DEBUG", "INFO", "WARNING", "ERROR")}
        ),
        "integer": lambda: _integer(variable, text),
        "seconds": lambda: _integer(variable, text),
        "time": lambda: _time(text),
    }
    try:
        return parsers[variable.kind]()
    except ValueError as error:
        raise SettingsError(f"{source} cannot be {text!r}: {error}.") from error


def _one_of(text: str, choices: Mapping[str, Any]) -> Any:
    if text not in choices:
        raise ValueError("use " + " or ".join(choices))
    return choices[text]


def _integer(variable: Variable, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or not variable.minimum <= int(text) <= variable.maximum:
        raise ValueError(f"use a whole number from {variable.minimum} to {variable.maximum}")
    return int(text)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("use a UTC time such as 2026-11-20T12:00:00Z") from error
