"""A vendor that answers every read with the same page of customers, as fast as it can, or later.

python benchmarks/vendor.py PORT [DELAY_MS]
"""

import asyncio
import sys
from typing import Any

import uvicorn

from billing_mcp.money import to_json

PAGE = to_json(
    {
        "data": [
            {
                "id": f"customer-{number:03}",
                "togaiCustomerId": f"cust.4f8sK2mQx{number:02}.b7Tq1",
                "name": f"Customer {number}",
                "primaryEmail": f"billing-{number}@customer.example",
                "billingAddress": f"{number} Canal Street, Springfield",
                "address": {"line1": f"{number} Canal Street", "city": "Springfield"},
                "status": "ACTIVE",
                "createdAt": "2026-08-01T00:00:00.000Z",
                "updatedAt": "2026-11-01T00:00:00.000Z",
            }
            for number in range(5)
        ],
        "nextToken": None,
        "context": {"pageSize": 20, "sortOrder": "DESC"},
    }
)


def application(delay_s: float) -> Any:
    async def answer(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if delay_s:
            await asyncio.sleep(delay_s)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(PAGE)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE})

    return answer


if __name__ == "__main__":
    milliseconds = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    uvicorn.run(
        application(milliseconds / 1000),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        lifespan="off",
        log_level="warning",
        access_log=False,
        backlog=1024,
    )
