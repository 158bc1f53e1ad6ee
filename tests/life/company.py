"""The company whose life is lived: its server, its sandbox, and how its tools are asked."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from mcp import Client
from mcp.types import CallToolResult

from answers import connected
from billing_mcp.calls import Built
from billing_mcp.config import Settings
from billing_mcp.sandbox import SandboxSettings
from billing_mcp.sandbox.app import Sandbox
from billing_mcp.server import BillingServer
from life.catalogue import furnish
from life.model import Model
from unguarded import ANYTHING

Choice = TypeVar("Choice")

# What a tool may answer to a wish that makes no sense. Anything else is a defect.
REFUSALS = {"invalid-request", "not-found", "conflict"}

# Building the arguments of a tool takes longer than calling it; they are the same in every life.
_BUILT: dict[str, Built] = {}


class Picks:
    """The numbers that a step of a life was drawn with; used up, they are zeros."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = list(reversed(numbers))

    def number(self, below: int) -> int:
        return self._numbers.pop() % below if self._numbers else 0

    def of(self, choices: Sequence[Choice]) -> Choice:
        return choices[self.number(len(choices))]


@dataclass(slots=True)
class Company:
    server: BillingServer
    client: Client
    sandbox: Sandbox
    model: Model = field(default_factory=Model)
    # Ids by name.
    plans: dict[str, str] = field(default_factory=dict)
    meters: dict[str, str] = field(default_factory=dict)
    add_ons: dict[str, str] = field(default_factory=dict)
    answers: str = ""
    refused: str = ""

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any] | None:
        """What a tool answers; None when it refuses what makes no sense (see `refused`)."""
        given = {name: value for name, value in arguments.items() if value is not None}
        result = await self.client.call_tool(tool, given)
        assert isinstance(result, CallToolResult), result
        content: dict[str, Any] | None = result.structured_content
        assert content is not None
        if not result.is_error:
            return content
        error = content["error"]
        assert error["kind"] in REFUSALS, (tool, given, error)
        self.refused = error["message"]
        return None

    async def read(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a reading tool answers, by the door that clients come in by, too."""
        outcome = await self.server.catalog.run(tool, arguments, self.server.caller(), whole=True)
        assert not outcome.is_error, (tool, arguments, outcome.text)
        return outcome.structured

    async def rows(self, tool: str, **arguments: Any) -> list[dict[str, Any]]:
        """All pages of a list."""
        page = await self.read(tool, **arguments, detail="full")
        rows: list[dict[str, Any]] = page["data"]
        while page.get("nextToken"):
            page = await self.read(tool, nextToken=page["nextToken"], **arguments, detail="full")
            rows = rows + page["data"]
        return rows

    async def open_account(self, account_id: str) -> None:
        made = await self.ask(
            "create-account",
            id=account_id,
            customerId="acme",
            name=f"Acme {account_id}",
            invoiceCurrency="USD",
        )
        assert bool(made) is (account_id not in self.model.accounts), account_id
        if made:
            self.model.accounts.append(account_id)

    @property
    def now(self) -> datetime:
        return self.sandbox.backend.now()

    def today(self, days: int = 0) -> date:
        return self.now.date() + timedelta(days=days)

    def move_to(self, moment: datetime) -> None:
        self.sandbox.backend.advance_to(moment)


def amount(text: Any) -> Decimal:
    """A figure of an answer; what is left out is nothing."""
    return Decimal(0) if text is None else Decimal(text)


def named(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {row["name"]: row["id"] for row in rows}


@asynccontextmanager
async def founded() -> AsyncIterator[Company]:
    """A company with its catalogue and without a customer."""
    server = BillingServer(Settings(toolsets=("all",), policy=ANYTHING))
    server.catalog._built = _BUILT
    sandbox = Sandbox(SandboxSettings(), furnish)
    server.tenant._sandbox = sandbox
    async with connected(server) as client:
        company = Company(server, client, sandbox)
        company.plans = named(await company.rows("list-price-plans"))
        company.add_ons = named(await company.rows("list-addons"))
        for schema in ("api_calls", "answers"):
            company.meters |= named(await company.rows("list-usage-meters", eventSchemaName=schema))
        (feature,) = await company.rows("list-features")
        company.answers = feature["id"]
        yield company
    sandbox.close()
