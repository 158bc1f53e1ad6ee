"""One read over stdio with the same vendor call behind it: product and bare, in turn.

python benchmarks/read_latency.py [CALLS]
"""

import asyncio
import statistics
import sys
import time

from raw import PRODUCT, Pipe, clean_environment, pipe, served

PORT = 19071
ROUNDS = 5


async def timed(server: Pipe, calls: int) -> list[float]:
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        await server.call("tools/call", name="list-customers", arguments={})
        times.append(time.perf_counter() - start)
    return times


async def main(calls: int) -> None:
    vendor = (sys.executable, "benchmarks/vendor.py", str(PORT))
    environment = clean_environment(
        TOGAI_API_KEY="benchmark", TOGAI_BASE_URL=f"http://127.0.0.1:{PORT}"
    )
    bare_command = (sys.executable, "benchmarks/bare.py", "stdio")
    async with (
        served(vendor, PORT, clean_environment()),
        pipe(bare_command, environment) as bare,
        pipe((*PRODUCT, "stdio"), environment) as product,
    ):
        for server in (bare, product):
            await timed(server, 50)
        times: dict[str, list[float]] = {"bare": [], "product": []}
        for _ in range(ROUNDS):
            times["bare"] += await timed(bare, calls // ROUNDS)
            times["product"] += await timed(product, calls // ROUNDS)
    for name, all_of in times.items():
        p95 = sorted(all_of)[int(len(all_of) * 0.95)]
        print(f"{name:8} p50 {statistics.median(all_of) * 1000:.2f} ms  p95 {p95 * 1000:.2f} ms")
    ratio = statistics.median(times["product"]) / statistics.median(times["bare"])
    print(f"ratio of p50 {ratio:.2f}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
