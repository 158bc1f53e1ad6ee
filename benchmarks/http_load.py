"""Calls a second over HTTP, one worker: product, bare with our switches, bare with the defaults.

python benchmarks/http_load.py [SECONDS] [UPSTREAM_DELAY_MS]
"""

import asyncio
import sys
import time
from collections.abc import Sequence

from raw import PRODUCT, Socket, clean_environment, served

VENDOR_PORT = 19072
PORTS = {"product": 19073, "switches": 19074, "defaults": 19075}
CALLERS = (8, 32, 128)
ROUNDS = 3


async def calls_a_second(port: int, callers: int, seconds: float) -> float:
    done = 0
    end = time.perf_counter() + seconds
    sockets = [await Socket.open(port) for _ in range(callers)]

    async def caller(socket: Socket) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await socket.call_tool("list-customers", {})
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*(caller(socket) for socket in sockets))
    took = time.perf_counter() - start
    for socket in sockets:
        socket.close()
    return done / took


def commands(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    every = {
        "product": (*PRODUCT, "http", "--http-port", str(PORTS["product"])),
        "switches": (
            *(sys.executable, "benchmarks/bare.py", "http"),
            *(str(PORTS["switches"]), "switches"),
        ),
        "defaults": (
            *(sys.executable, "benchmarks/bare.py", "http"),
            *(str(PORTS["defaults"]), "defaults"),
        ),
    }
    return {name: every[name] for name in names}


async def main(seconds: float, delay_ms: int) -> None:
    environment = clean_environment(
        TOGAI_API_KEY="benchmark", TOGAI_BASE_URL=f"http://127.0.0.1:{VENDOR_PORT}"
    )
    vendor = (sys.executable, "benchmarks/vendor.py", str(VENDOR_PORT), str(delay_ms))
    best: dict[tuple[str, int], float] = {}
    async with served(vendor, VENDOR_PORT, clean_environment()):
        for _ in range(ROUNDS):
            for name, command in commands(list(PORTS)).items():
                async with served(command, PORTS[name], environment):
                    await calls_a_second(PORTS[name], 8, 1)
                    for callers in CALLERS:
                        rate = await calls_a_second(PORTS[name], callers, seconds)
                        best[name, callers] = max(best.get((name, callers), 0), rate)
    print(f"upstream delay {delay_ms} ms; calls a second, best of {ROUNDS}")
    print("callers  product  switches  defaults  ÷switches  ÷defaults")
    for callers in CALLERS:
        ours, switches, defaults = (best[name, callers] for name in PORTS)
        print(
            f"{callers:7} {ours:8.0f} {switches:9.0f} {defaults:9.0f} "
            f"{ours / switches:10.2f} {ours / defaults:10.2f}"
        )
    for name in PORTS:
        print(f"{name}: 128 callers ÷ 8 callers {best[name, 128] / best[name, 8]:.2f}")


if __name__ == "__main__":
    asyncio.run(
        main(
            float(sys.argv[1]) if len(sys.argv) > 1 else 4.0,
            int(sys.argv[2]) if len(sys.argv) > 2 else 0,
        )
    )
