"""From starting the process to the first `tools/list` over stdio: bare, product, and all its tools.

python benchmarks/startup.py [RUNS]
"""

import asyncio
import statistics
import sys
import time

from raw import PRODUCT, clean_environment, pipe

BARE = (sys.executable, "benchmarks/bare.py", "stdio")
COMMANDS = {
    "bare": BARE,
    "product": (*PRODUCT, "stdio"),
    "all tools": (*PRODUCT, "stdio", "--toolsets", "all"),
}


async def first_list(command: tuple[str, ...]) -> float:
    start = time.perf_counter()
    async with pipe(command, clean_environment()) as server:
        await server.call("tools/list")
        return time.perf_counter() - start


async def main(runs: int) -> None:
    # The first of each pays for reading the files from disk.
    for command in COMMANDS.values():
        await first_list(command)
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, command in COMMANDS.items():
            took[name].append(await first_list(command))
    bare = statistics.median(took["bare"])
    for name, times in took.items():
        pairs = sorted(ours / theirs for ours, theirs in zip(times, took["bare"], strict=True))
        median = statistics.median(times)
        print(
            f"{name:10} median {median * 1000:5.0f} ms  ratio of medians {median / bare:.2f}  "
            f"by round {statistics.median(pairs):.2f} ({pairs[0]:.2f} to {pairs[-1]:.2f})"
        )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
