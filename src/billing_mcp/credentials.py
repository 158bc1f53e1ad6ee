"""How to reach the vendors for one tenant: credentials, base URLs, and what that tenant may use."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

if TYPE_CHECKING:
    from billing_mcp.guard.policy_file import Rules

TOGAI_URL = "https://api.togai.com"
TOGAI_SANDBOX_HOST = "sandbox-api.togai.com"
SUGER_URL = "https://api.suger.cloud"
SANDBOX_ORG = "sandbox"

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
    sandbox_data: Path | None = None
    # What narrows or replaces the server's own settings for this tenant; None leaves them.
    toolsets: tuple[str, ...] | None = None
    tools: tuple[str, ...] = ()
    exclude_tools: tuple[str, ...] = ()
    read_only: bool = False
    rate_limit: int | None = None
    # Of the shape of a policy's table; they add to what the policy asks for.
    rules: "Rules | None" = None

    @property
    def sandboxed(self) -> bool:
        return self.togai is None and self.suger is None

    @property
    def organisation(self) -> str | None:
        """The Suger organisation of calls that name none."""
        return self.org_id or (SANDBOX_ORG if self.sandboxed else None)

    def has(self, vendor: Vendor) -> bool:
        return self.sandboxed or getattr(self, vendor) is not None


SCHEMES: dict[Vendor, str] = {"togai": "Bearer", "suger": "Key"}
DEFAULT_URLS: dict[Vendor, str] = {"togai": TOGAI_URL, "suger": SUGER_URL}


def credential(
    vendor: Vendor, key: str, url: str | None, key_name: str, url_name: str
) -> Credential:
    """A vendor's credential from a key and, if given, a base URL.

    Raises `SettingsError`, naming the key or the URL by what the user calls it.
    """
    checked = base_url(url_name, url or DEFAULT_URLS[vendor])
    return Credential(checked, _authorization(SCHEMES[vendor], key, key_name))


def _authorization(scheme: str, key: str, name: str) -> SecretStr:
    """`scheme key`, or the value as it is when it brings a scheme of its own."""
    if not key.isascii() or not key.isprintable():
        raise SettingsError(f"{name} holds characters that no key has. Copy it again.")
    return SecretStr(key if re.fullmatch(r"[A-Za-z]+ +\S.*", key) else f"{scheme} {key}")


def base_url(name: str, text: str) -> str:
    """A URL that may be sent secrets to. Raises `SettingsError`."""
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
    if is_link_local(url.hostname):
        raise SettingsError(
            f"{name} is a link-local address, where cloud machines show their own keys: {text!r}."
        )
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


def is_link_local(host: str) -> bool:
    """Whether an address is one that only the next machine answers, however it is written."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_link_local
