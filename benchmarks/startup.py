"""From starting the process to the first `tools/list`, over stdio: product and bare, in turn.

python benchmarks/startup.py [RUNS]
"""

import asyncio
import statistics
import sys
import time

from raw import PRODUCT, clean_environment, pipe

BARE = (sys.executable, "benchmarks/bare.py", "stdio")
PRODUCT_STDIO = (*PRODUCT, "stdio")


async def first_list(command: tuple[str, ...]) -> float:
    start = time.perf_counter()
    async with pipe(command, clean_environment()) as server:
        await server.call("tools/list")
        return time.perf_counter() - start


async def main(runs: int) -> None:
    # The first of each pays for reading the files from disk.
    for command in (BARE, PRODUCT_STDIO):
        await first_list(command)
    bare, product = [], []
    for _ in range(runs):
        bare.append(await first_list(BARE))
        product.append(await first_list(PRODUCT_STDIO))
    pairs = sorted(ours / theirs for ours, theirs in zip(product, bare, strict=True))
    print(f"bare     median {statistics.median(bare) * 1000:6.0f} ms")
    print(f"product  median {statistics.median(product) * 1000:6.0f} ms")
    print(f"ratio of medians {statistics.median(product) / statistics.median(bare):.2f}")
    print(f"ratio by pair    {statistics.median(pairs):.2f}  ({pairs[0]:.2f} to {pairs[-1]:.2f})")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
