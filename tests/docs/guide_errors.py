"""The figures of the guide on errors: by the exception tree and by calls to a failing vendor."""

from typing import Any

import anyio
import httpx2

from answers import connected, failure
from billing_mcp import tools, upstream
from billing_mcp.catalog import Catalog
from billing_mcp.config import Settings
from billing_mcp.errors import BillingError
from billing_mcp.sandbox.togai import event_lookups
from billing_mcp.server import BillingServer
from docs.guide_slabs import Figures
from docs.guide_text import Guide
from recording import Recorder, Says, attach

READ: tuple[str, dict[str, Any]] = ("list-customers", {})
KEYED: tuple[str, dict[str, Any]] = (
    "grant-credit",
    {"accountId": "main", "creditAmount": "50", "effectiveFrom": "2026-11-20"},
)
UNKEYED: tuple[str, dict[str, Any]] = (
    "create-customer",
    {"id": "acme", "name": "Acme", "primaryEmail": "billing@acme.example"},
)
BROKEN: dict[str, Exception] = {
    "no connection": httpx2.ConnectError("refused"),
    "a connection that breaks": ConnectionResetError(),
}


def kinds() -> dict[str, str]:
    """Every kind of error and its REST status."""
    return {each.kind: str(each.status) for each in BillingError.__subclasses__()}


def writes_with_a_key() -> set[str]:
    """The tools whose writes the vendor dedupes, as they are declared."""
    catalog = Catalog(Settings())
    declared = [catalog.built(name).declaration for name in tools.MODULES]
    return {each.name for each in declared if each.write is not None and each.write.key}


def error_figures(guide: Guide) -> Figures:
    (named,) = guide["Kinds"].tables
    answers = guide["What a vendor's answer becomes"]
    happened = [row["vendor's status"] for row in answers.tables[0]]
    remembered = event_lookups._REMEMBERED
    return {
        "Kinds": [kinds()[row["kind"]] for row in named],
        answers.heading: [
            *anyio.run(_become, happened),
            str(upstream.LONGEST_RETRY_AFTER_S),
        ],
        "Accepted is not done": [str(remembered.days)],
    }


class _KnowsTheAccount(Recorder):
    """Whose account it is has to be known before it is asked for a grant."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].endswith("/accounts/main"):
            account = {"id": "main", "customerId": "acme", "name": "Main", "invoiceCurrency": "USD"}
            await Recorder(Says(account))(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


async def _become(happened: list[str]) -> list[str]:
    """The kind and the number of tries for each row of the table and each sort of call."""
    server = BillingServer(Settings())
    found = []
    async with connected(server) as client:
        for row in happened:
            answer = BROKEN.get(row) or Says({"message": "no"}, int(row))
            for call in (READ, KEYED, UNKEYED):
                vendor = _KnowsTheAccount(answer)
                attach(server, vendor)
                error = failure(await client.call_tool(*call))
                found.append(f"{error['kind']} ({len(vendor.requests)})")
    return found
