"""What a model's context pays: for the list of tools, and for lists of rows against the vendor's.

    python benchmarks/context.py

Tokens are bytes/4 of compact JSON, as in `billing-mcp tools --json`.
"""

import asyncio
from typing import Any

import httpx2
from mcp import Client

from billing_mcp.config import Settings
from billing_mcp.results import compact
from billing_mcp.server import BillingServer

CUSTOMERS = 100
EVERYTHING = Settings(toolsets=("all",), secret_tools=True)


def tokens(text: str | bytes) -> int:
    return len(text if isinstance(text, bytes) else text.encode()) // 4


async def tools(client: Client) -> None:
    listed = [
        tool.model_dump(mode="json", by_alias=True, exclude_none=True)
        for tool in (await client.list_tools()).tools
    ]
    visible = [
        {key: tool[key] for key in ("name", "description", "inputSchema")} for tool in listed
    ]
    print(f"{len(listed)} tools: a model sees {sum(tokens(compact(tool)) for tool in visible)}")
    print(f"the whole list, output schemas included: {tokens(compact(listed))}")


async def rows(client: Client, vendor: httpx2.AsyncClient, tool: str, path: str) -> None:
    """One page through the tool, concise, against the vendor's own answer for that page."""
    size = 100 if tool == "list-customers" else 50
    theirs = await vendor.get(path, params={"pageSize": size})
    ours = await client.call_tool(tool, {"pageSize": size})
    (content,) = ours.content
    assert content.type == "text"
    structured: Any = ours.structured_content
    count = len(theirs.json()["data"])
    assert structured["count"] == count, (structured["count"], count)
    whole = tokens(theirs.content)
    for name, cost in (
        ("text", tokens(content.text)),
        ("structuredContent", tokens(compact(structured))),
    ):
        print(f"{tool}: {count} rows, vendor {whole}, {name} {cost} = {cost / whole:.0%}")


async def main() -> None:
    server = BillingServer(Settings())
    async with (
        Client(server) as client,
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(server.tenant.sandbox),
            base_url="http://sandbox/togai",
            headers={"authorization": "Bearer benchmark"},
        ) as vendor,
    ):
        await tools(client)
        async with Client(BillingServer(EVERYTHING)) as other:
            await tools(other)
        for number in range(CUSTOMERS):
            made = await client.call_tool(
                "create-customer",
                {
                    "id": f"customer-{number:03}",
                    "name": f"Customer number {number}",
                    "primaryEmail": f"billing@customer-{number:03}.example",
                    "address": {
                        "line1": f"{number} Canal Street",
                        "postalCode": f"{10_000 + number}",
                        "city": "Springfield",
                        "country": "US",
                        "phoneNumber": f"+1 555 01{number:02}",
                    },
                },
            )
            assert not made.is_error, made.content
        await rows(client, vendor, "list-customers", "/customers")
        await rows(client, vendor, "list-invoices", "/invoices")


if __name__ == "__main__":
    asyncio.run(main())
