"""Where a tenant's ledgers are, opened when a write or a look at them first needs one.

A ledger belongs to an environment: what a sandbox was asked never counts for live data. The stores
are imported where they are opened, because a server that only reads needs none.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
from pydantic import SecretStr

from billing_mcp import errors
from billing_mcp.config import Settings
from billing_mcp.credentials import Environment, TenantSettings, Vendor
from billing_mcp.guard.ledger import Ledger, LedgerError
from billing_mcp.guard.operations import Filters, Key, Listing, Operation, Partition

if TYPE_CHECKING:
    from billing_mcp.guard.gate import Gate
    from billing_mcp.guard.policy import Policy

Place = Path | SecretStr | None
"""A SQLite file, the URL of a PostgreSQL database, or None: in memory, as long as we live."""

OTHER_PLACES = "Set BILLING_MCP_LEDGER_URL to a file, or to a postgresql:// URL."


def real_time() -> datetime:
    return datetime.now(UTC)


@contextmanager
def told() -> Iterator[None]:
    """A ledger that fails is told to whoever asked as `Unavailable`."""
    try:
        yield
    except LedgerError as error:
        raise errors.Unavailable(
            f"The ledger of writes cannot be used ({error}).",
            next_step="Whoever runs this server can look with `billing-mcp doctor`.",
        ) from error


@dataclass(slots=True)
class Ledgers:
    """The ledgers of one tenant, one for each environment that its vendors are in."""

    tenant: TenantSettings
    server: Settings
    sandbox_data: Path | None
    policy: "Callable[[], Policy]"
    now: Callable[[], datetime] = real_time
    _gates: "dict[Environment, Gate]" = field(default_factory=dict, init=False)
    _opening: anyio.Lock | None = field(default=None, init=False)

    @property
    def environments(self) -> tuple[Environment, ...]:
        """By the settings alone, so that they are the same before and after a vendor was asked."""
        vendors: tuple[Vendor, ...] = ("togai", "suger")
        found = [self.environment(vendor) for vendor in vendors if self.tenant.has(vendor)]
        return tuple(dict.fromkeys(found))

    def environment(self, vendor: Vendor) -> Environment:
        credential = self.tenant.togai if vendor == "togai" else self.tenant.suger
        return "sandbox" if credential is None else credential.environment

    def place(self, environment: Environment) -> Place:
        if environment == "sandbox":
            if self.sandbox_data is None:
                return None
            # Beside the data it speaks of, so that the two are moved and thrown away together.
            return self.sandbox_data.with_name(f"{self.sandbox_data.name}.ledger")
        url = self.server.ledger_url
        if url is None:
            name = f"{quote(self.tenant.name, safe='')}-{environment}.ledger"
            return self.server.data_folder / name
        if is_postgres(url):
            return url
        return file_of(url)

    def may_hold_something(self, environment: Environment) -> bool:
        """Whether an earlier run of this server can have left operations there."""
        place = self.place(environment)
        return place.is_file() if isinstance(place, Path) else place is not None

    async def gate(self, environment: Environment) -> "Gate":
        """The way to the writes of an environment. Raises `Unavailable` when its ledger cannot be
        opened: then nothing may be written."""
        if environment in self._gates:
            return self._gates[environment]
        if self._opening is None:
            self._opening = anyio.Lock()
        async with self._opening:
            if environment not in self._gates:
                # The policy's models are read with it, and many a server never writes.
                from billing_mcp.guard.gate import Gate

                self._gates[environment] = Gate(
                    await self._open(environment),
                    Partition(self.tenant.name, environment),
                    self.server.upstream_timeout,
                    self.policy,
                    self.ways(environment),
                    self.now,
                )
        return self._gates[environment]

    async def _open(self, environment: Environment) -> Ledger:
        try:
            return await opened(self.place(environment), self.now)
        except LedgerError as error:
            raise errors.Unavailable(
                f"The ledger of writes cannot be opened, so nothing was sent. {error}",
                next_step=f"Reading works. {OTHER_PLACES}",
            ) from error

    def ways(self, environment: Environment) -> Callable[[str], str]:
        """How people approve a plan of this environment, in a sentence, given its id."""
        page = f"at {(self.server.public_url or '').rstrip('/')}/approvals"
        if self.server.authenticated:
            return lambda _: f"somebody with the scope billing:approve does so {page}."
        if self.place(environment) is None:
            return lambda _: (
                "this sandbox lives in memory, so only in the chat, by a client that can ask its "
                "user. With BILLING_MCP_SANDBOX_DATA=FILE its ledger is a file beside the data, "
                "and `billing-mcp approve ID` works as well."
            )
        return lambda operation_id: (
            f"in the chat where the client can ask, or with `billing-mcp approve {operation_id}` "
            "on the command line of this server."
        )

    async def find(self, operation_id: str) -> "tuple[Gate, Operation] | None":
        """An operation of this tenant in any environment. Raises our errors and `LedgerError`."""
        for environment in self.environments:
            gate = await self.gate(environment)
            row = await gate.ledger.get(Key(gate.partition, operation_id))
            if row is not None:
                return gate, row
        return None

    async def list(self, filters: Filters, size: int, after: str | None) -> Listing:
        """Newest first, environment by environment; a page never spans two.

        Raises `ValueError` for an `after` that no page gave, our errors and `LedgerError`.
        """
        environments = self.environments
        first, _, cursor = (after or environments[0]).partition("~")
        if first not in environments:
            raise ValueError("that is not the end of a page")
        position = environments.index(first)
        gate = await self.gate(environments[position])
        page = await gate.ledger.list(gate.partition, filters, size, cursor or None)
        if page.next is not None:
            return Listing(page.operations, f"{first}~{page.next}")
        following = environments[position + 1 : position + 2]
        if following and not page.operations:
            return await self.list(filters, size, following[0])
        return Listing(page.operations, following[0] if following else None)

    async def purge(self, environment: Environment) -> None:
        """Empty what retention no longer keeps. Raises our errors and `LedgerError`."""
        before = self.now() - timedelta(days=self.server.ledger_retention)
        gate = await self.gate(environment)
        while await gate.ledger.purge(before):
            pass

    async def close(self) -> None:
        gates, self._gates = self._gates, {}
        for gate in gates.values():
            await gate.ledger.close()


def is_postgres(url: SecretStr) -> bool:
    return re.match(r"postgres(ql)?://", url.get_secret_value()) is not None


def file_of(url: SecretStr) -> Path:
    """The file of a URL such as `sqlite:///var/lib/ledger`, or of a plain path."""
    return Path(re.sub(r"^sqlite:(//)?", "", url.get_secret_value())).expanduser()


async def opened(place: Place, now: Callable[[], datetime] = real_time) -> Ledger:
    """Raises `LedgerError`."""
    if isinstance(place, SecretStr):
        try:
            from billing_mcp.guard.postgres_ledger import PostgresLedger
        except ImportError as error:
            raise LedgerError(
                'A ledger in PostgreSQL needs the extra: pip install "billing-mcp[postgres]".'
            ) from error
        return await PostgresLedger.open(place.get_secret_value(), now)
    from billing_mcp.guard.sqlite_ledger import SqliteLedger

    return await SqliteLedger.open(place, now)
