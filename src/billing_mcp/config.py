"""The settings: names, limits and defaults. The only reader of the environment."""

import difflib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from billing_mcp.credentials import (
    SettingsError,
    TenantSettings,
    Vendor,
    base_url,
    credential,
    is_loopback,
)

PREFIX = "BILLING_MCP_"
CALLS_A_MINUTE = 600
SANDBOX_START = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting of ours: environment name, flag and what it means, for --help and the README."""

    name: str
    meaning: str
    default: str
    kind: Literal[
        "text",
        "list",
        "boolean",
        "integer",
        "seconds",
        "time",
        "path",
        "level",
        "url",
        "algorithms",
        "ledger",
    ] = "text"
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
    Variable("SECRET_TOOLS", "let tools answer with tokens that Togai gives", "false", "boolean"),
    Variable("SANDBOX_DATA", "file the sandbox keeps its data in", "in memory", "path"),
    Variable("SANDBOX_NOW", "the sandbox clock at its start (UTC)", "2026-11-20T12:00:00Z", "time"),
    Variable("HTTP_HOST", "address `http` listens on", "127.0.0.1"),
    Variable("HTTP_PORT", "port `http` listens on", "9080", "integer", 0, 65535),
    Variable("HTTP_SSE", "answer with SSE, so that progress arrives", "false", "boolean"),
    Variable("ALLOWED_HOSTS", "further `Host` values `http` accepts", "loopback names", "list"),
    Variable("ALLOWED_ORIGINS", "further `Origin` values `http` accepts", "loopback", "list"),
    Variable("PUBLIC_URL", "the URL callers reach `http` by; tokens are meant for it", "", "url"),
    Variable("AUTH_ISSUER", "issuer of the access tokens `http` accepts (OAuth 2.1)", "", "url"),
    Variable("AUTH_JWKS_URL", "where its keys are", "from the issuer's metadata", "url"),
    Variable("AUTH_ALGORITHMS", "signatures of tokens", "RS256, ES256", "algorithms"),
    Variable("AUTH_TENANT_CLAIM", "claim of a token that names its tenant", "tenant"),
    Variable("AUTH_ROLE_CLAIM", "claim of a token that names its role in the policy", "role"),
    Variable("API_KEYS", "file of hashed API keys that `http` accepts", "none", "path"),
    Variable("TENANTS", "TOML file of tenants and where their vendor keys are", "none", "path"),
    Variable(
        "RATE_LIMIT",
        "`http` calls a minute per caller; 0: no limit",
        "600 with authentication, else none",
        "integer",
        0,
        1_000_000,
    ),
    Variable("POLICY", "TOML file of who may write what, and who has to agree", "built in", "path"),
    Variable(
        "ROLE", "role in that policy of callers without a token; `keys add`: of the key", "none"
    ),
    Variable(
        "LEDGER_URL",
        "where the ledger of writes is: a file, or a `postgresql://` URL",
        "a file in your data folder",
        "ledger",
    ),
    Variable("LEDGER_RETENTION", "days it keeps what was written", "400", "integer", 1, 36_500),
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
    secret_tools: bool = False
    sandbox_data: Path | None = None
    sandbox_now: datetime | None = None
    http_host: str = "127.0.0.1"
    http_port: int = 9080
    http_sse: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    public_url: str | None = None
    auth_issuer: str | None = None
    auth_jwks_url: str | None = None
    auth_algorithms: tuple[str, ...] = ("RS256", "ES256")
    auth_tenant_claim: str = "tenant"
    auth_role_claim: str = "role"
    api_keys: Path | None = None
    tenants_file: Path | None = None
    rate_limit: int | None = None
    policy: Path | None = None
    role: str | None = None
    ledger_url: SecretStr | None = None
    ledger_retention: int = 400
    data_home: Path | None = None  # None: where this system's programs keep a user's data
    log_level: str = "WARNING"
    upstream_concurrency: int = 128
    upstream_timeout: int = 25
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def tenant(self) -> TenantSettings:
        """The tenant of callers that name none, when there is but one."""
        return self.tenants[0]

    @property
    def authenticated(self) -> bool:
        """Whether `http` asks its callers who they are."""
        return self.auth_issuer is not None or self.api_keys is not None

    @property
    def calls_a_minute(self) -> int:
        """How many calls `http` takes from one caller; 0 is no limit.

        Without authentication there is one caller, whoever started it on this machine, and nobody
        to be fair to.
        """
        if self.rate_limit is not None:
            return self.rate_limit
        return CALLS_A_MINUTE if self.authenticated else 0

    @property
    def sandbox_start(self) -> datetime:
        """Where the sandbox's clock stands unless a data file says otherwise."""
        return self.sandbox_now or SANDBOX_START

    @property
    def data_folder(self) -> Path:
        """Where files of ours go that nobody named a place for."""
        usual = {"win32": "~/AppData/Local", "darwin": "~/Library/Application Support"}
        home = self.data_home or Path(usual.get(sys.platform, "~/.local/share")).expanduser()
        return home / "billing-mcp"

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
    if (path := values.pop("tenants", None)) is not None:
        # Most servers have no such file and start sooner without its reader.
        from billing_mcp import tenants_file  # noqa: PLC0415

        values["tenants_file"] = path
        tenants = tenants_file.read(path, environ)
    else:
        tenants = (_default_tenant(environ),)
    home = environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_DATA_HOME")
    if home:
        values["data_home"] = Path(home)
    return Settings(tenants=tenants, origins=origins, **values)


def hosting_trouble(settings: Settings) -> str | None:
    """What of these settings cannot hold together when others call this server over HTTP."""
    if settings.auth_issuer is not None and settings.public_url is None:
        return (
            "BILLING_MCP_AUTH_ISSUER needs BILLING_MCP_PUBLIC_URL: a token has to say that it is "
            "meant for this server, and that is the server's name in it."
        )
    if settings.auth_jwks_url is not None and settings.auth_issuer is None:
        return "BILLING_MCP_AUTH_JWKS_URL needs BILLING_MCP_AUTH_ISSUER, whose keys they are."
    if len(settings.tenants) > 1 and not settings.authenticated:
        return (
            f"There are {len(settings.tenants)} tenants, and callers do not say who they are. "
            "Set BILLING_MCP_AUTH_ISSUER or BILLING_MCP_API_KEYS."
        )
    if not settings.authenticated and not is_loopback(settings.http_host):
        return (
            f"http listens on loopback only, not on {settings.http_host}: callers are not "
            "authenticated, and anyone who reaches the port could use your vendor keys. "
            "Set BILLING_MCP_AUTH_ISSUER or BILLING_MCP_API_KEYS to be reachable by others."
        )
    return None


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
        url = given("TOGAI_BASE_URL")
        togai = credential("togai", togai_key, url, "TOGAI_API_KEY", "TOGAI_BASE_URL")
    if suger_key:
        url = given("SUGER_BASE_URL")
        suger = credential("suger", suger_key, url, "SUGER_API_KEY", "SUGER_BASE_URL")
    org_id = given("SUGER_ORG_ID") or None
    if togai is None and suger is None:
        for name in ("TOGAI_BASE_URL", "SUGER_BASE_URL"):
            if given(name):
                raise SettingsError(
                    f"{name} is set but no vendor key is. Set the vendor's key as well, or unset "
                    f"{name} to use the embedded sandbox."
                )
    return TenantSettings("default", togai, suger, org_id)


def _parse(variable: Variable, text: str, source: str) -> Any:
    parsers: dict[str, Callable[[], Any]] = {
        "text": lambda: text,
        "list": lambda: _list(text),
        "path": lambda: Path(text).expanduser(),
        "boolean": lambda: _one_of(text.lower(), {"true": True, "false": False}),
        "level": lambda: _one_of(
            text.upper(), {name: name for name in ("DEBUG", "INFO", "WARNING", "ERROR")}
        ),
        "integer": lambda: _integer(variable, text),
        "seconds": lambda: _integer(variable, text),
        "time": lambda: _time(text),
        "url": lambda: _url(source, text),
        "algorithms": lambda: _algorithms(text),
        "ledger": lambda: _ledger(source, text),
    }
    try:
        return parsers[variable.kind]()
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"{source} cannot be {text!r}: {error}.") from error


def _one_of(text: str, choices: Mapping[str, Any]) -> Any:
    if text not in choices:
        raise ValueError("use " + " or ".join(choices))
    return choices[text]


def _list(text: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[,\s]+", text) if part)


def _url(source: str, text: str) -> str:
    """A URL as it is written, which for an issuer is part of its name."""
    base_url(source, text)
    return text


def _ledger(source: str, text: str) -> SecretStr:
    """Where a ledger is. Not shown when it is wrong, because it may hold a password."""
    if re.match(r"[a-z]+ *=", text):
        raise SettingsError(
            f"{source} looks like a connection string of PostgreSQL; give it as postgresql://…"
        )
    scheme = re.match(r"([a-z][a-z0-9+.-]+):", text)
    if scheme is not None and scheme[1] not in ("sqlite", "postgresql", "postgres"):
        raise SettingsError(
            f"{source} begins with {scheme[1]}:, and a ledger is a file, sqlite:FILE or "
            "postgresql://…"
        )
    return SecretStr(text)


# What a token may be signed with: with a shared secret this server could forge tokens itself.
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)


def _algorithms(text: str) -> tuple[str, ...]:
    if not set(_list(text)) <= ALGORITHMS:
        raise ValueError(f"use some of {', '.join(sorted(ALGORITHMS))}")
    return _list(text)


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
