"""What the product is compared with: a server of the same SDK with one tool and nothing of ours.

    python benchmarks/bare.py stdio
    python benchmarks/bare.py http PORT defaults|switches

Its tool makes the same vendor call as list-customers. `defaults` is the SDK as it comes (stateful,
SSE, on asyncio and h11); `switches` has those the product sets (stateless, JSON) and what uvicorn
picks by itself, like the product: uvloop and httptools where they are installed.
"""

import os
import sys
from typing import Any

import httpx2
from mcp.server import MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("bare", log_level="WARNING")
# One client for all calls, with as many connections as the product has.
client = httpx2.AsyncClient(
    base_url=os.environ.get("TOGAI_BASE_URL", "http://127.0.0.1:1"),
    headers={"authorization": f"Bearer {os.environ.get('TOGAI_API_KEY', '')}"},
    limits=httpx2.Limits(max_connections=128, max_keepalive_connections=128),
    timeout=25,
)


@server.tool(
    name="list-customers", annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True)
)
async def list_customers(page_size: int | None = None) -> dict[str, Any]:
    """List the customers."""
    response = await client.get("/customers", params={"pageSize": page_size or 20})
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        switches = sys.argv[3] == "switches"
        import uvicorn

        uvicorn.run(
            server.streamable_http_app(json_response=switches, stateless_http=switches),
            host="127.0.0.1",
            port=int(sys.argv[2]),
            loop="auto" if switches else "asyncio",
            http="auto" if switches else "h11",
            log_level="warning",
            access_log=False,
        )
