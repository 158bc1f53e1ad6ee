"""Resident memory over stdio after 100 calls and after many more: product and bare.

python benchmarks/memory.py [CALLS]
"""

import asyncio
import re
import sys
from pathlib import Path

from raw import PRODUCT, Pipe, clean_environment, pipe, served

PORT = 19076


def resident_kib(server: Pipe) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])


async def measured(server: Pipe, calls: int) -> tuple[int, int]:
    early = 0
    for number in range(1, calls + 1):
        await server.call("tools/call", name="list-customers", arguments={})
        if number == 100:
            early = resident_kib(server)
    return early, resident_kib(server)


async def main(calls: int) -> None:
    vendor = (sys.executable, "benchmarks/vendor.py", str(PORT))
    environment = clean_environment(
        TOGAI_API_KEY="benchmark", TOGAI_BASE_URL=f"http://127.0.0.1:{PORT}"
    )
    async with served(vendor, PORT, clean_environment()):
        for name, command in (
            ("bare", (sys.executable, "benchmarks/bare.py", "stdio")),
            ("product", (*PRODUCT, "stdio")),
        ):
            async with pipe(command, environment) as server:
                early, late = await measured(server, calls)
            print(
                f"{name:8} after 100 calls {early / 1024:.1f} MiB, after {calls} "
                f"{late / 1024:.1f} MiB, ratio {late / early:.2f}"
            )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
