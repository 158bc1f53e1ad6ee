"""Whose call it is: each tenant's connections to the vendors, opened when first needed.

The sandbox is imported where it is used: a server that talks to the vendors never needs it, and
one that does not answers `tools/list` sooner without.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from billing_mcp import errors, scopes
from billing_mcp.config import Settings
from billing_mcp.connection import Connection
from billing_mcp.credentials import Credential, Environment, SettingsError, TenantSettings, Vendor
from billing_mcp.ledgers import Ledgers, real_time
from billing_mcp.telemetry import Nobody, Observer
from billing_mcp.upstream import Progress

if TYPE_CHECKING:
    from billing_mcp.guard.policy import Policy
    from billing_mcp.sandbox import Sandbox

VENDOR_NAMES: dict[Vendor, str] = {"togai": "Togai", "suger": "Suger"}


@dataclass(slots=True)
class Tenant:
    """A tenant at run time. Everything that belongs to one tenant only hangs here."""

    settings: TenantSettings
    server: Settings
    observer: Observer = field(default_factory=Nobody)
    now: Callable[[], datetime] = real_time
    ledgers: Ledgers = field(init=False)
    _connections: dict[Vendor, Connection] = field(default_factory=dict, init=False)
    _sandbox: "Sandbox | None" = field(default=None, init=False)
    _policy: "Policy | None" = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.ledgers = Ledgers(
            self.settings, self.server, self._sandbox_data, lambda: self.policy, self._time
        )

    def _time(self) -> datetime:
        """Real time, or what a test has put in its place since."""
        return self.now()

    @property
    def policy(self) -> "Policy":
        """Who may write what for this tenant, and who has to agree.

        It is read once. Raises `SettingsError` for a file that cannot be used.
        """
        if self._policy is None:
            from billing_mcp.guard.policy import Policy

            path, rules = self.server.policy, self.settings.rules
            policy = Policy.default() if path is None else Policy.read(path)
            if rules is not None:
                policy = policy.tightened(rules, f"tenants.{self.name}.rules")
            self._policy = policy
        return self._policy

    @property
    def has_policy(self) -> bool:
        """Whether there is more than what is built in, which permits every tool."""
        return self.server.policy is not None or self.settings.rules is not None

    @property
    def name(self) -> str:
        return self.settings.name

    def environment(self, vendor: Vendor | None = None) -> Environment:
        """Where this tenant's data comes from, as far as it is known before asking."""
        if self.settings.sandboxed:
            return "sandbox"
        if vendor and (connection := self._connections.get(vendor)):
            return connection.environment
        credential = self.settings.togai if vendor == "togai" else self.settings.suger
        credential = credential or self.settings.togai or self.settings.suger
        assert credential is not None
        return credential.environment

    def connection(self, vendor: Vendor) -> Connection:
        """The vendor's connection. Raises `NotConfigured` when this tenant has no key for it."""
        if vendor not in self._connections:
            self._connections[vendor] = self._open(vendor)
        return self._connections[vendor]

    def _open(self, vendor: Vendor) -> Connection:
        timeout, concurrency = self.server.upstream_timeout, self.server.upstream_concurrency
        if self.settings.sandboxed:
            return Connection(
                Credential(f"http://sandbox/{vendor}", SecretStr("Bearer embedded-sandbox")),
                timeout,
                concurrency,
                application=self.sandbox,
                observer=self.observer,
            )
        credential = self.settings.togai if vendor == "togai" else self.settings.suger
        if credential is None:
            raise errors.NotConfigured(
                f"This server has no key for {VENDOR_NAMES[vendor]}.",
                next_step=f"Set {vendor.upper()}_API_KEY and start it again.",
            )
        return Connection(credential, timeout, concurrency, observer=self.observer)

    @property
    def sandbox(self) -> "Sandbox":
        """The embedded vendors of a tenant without keys.

        Raises `SettingsError` when their data file cannot be used.
        """
        if self._sandbox is None:
            from billing_mcp.sandbox import SandboxSettings, UnusableDataFile, open_sandbox

            try:
                self._sandbox = open_sandbox(
                    SandboxSettings(data=self._sandbox_data, now=self.server.sandbox_now)
                )
            except UnusableDataFile as error:
                raise SettingsError(str(error)) from error
        return self._sandbox

    @property
    def _sandbox_data(self) -> Path | None:
        """The sandbox's file: each tenant of several has one of its own, or none."""
        several = self.server.tenants_file is not None
        return self.settings.sandbox_data if several else self.server.sandbox_data

    def sandbox_time(self) -> datetime:
        """The time the embedded vendors show, without opening them when they are not yet open.

        Raises `SettingsError` when their data file cannot be used.
        """
        from billing_mcp.sandbox import UnusableDataFile, stored_time

        try:
            return stored_time(self._sandbox_data, self.server.sandbox_now)
        except UnusableDataFile as error:
            raise SettingsError(str(error)) from error

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.close()
        self._connections.clear()
        await self.ledgers.close()
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, for which tenant, with which rights, and how to tell them of progress.

    Somebody who started the server themselves, over stdio or on loopback, has all rights.
    """

    tenant: Tenant
    principal: str = "local"
    scopes: frozenset[str] = scopes.ALL
    # In the policy; it permits nothing that the scopes do not.
    role: str | None = None
    client: str | None = None
    progress: Progress | None = None
