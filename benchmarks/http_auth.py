"""Calls a second over HTTP with authentication against without, one worker, in one run.

Beside them the processor time that the server spent on a call (Linux), which other programs on the
machine disturb less.

python benchmarks/http_auth.py [SECONDS] [ROUNDS]
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from billing_mcp.http import api_keys
from http_load import VENDOR_PORT
from raw import PRODUCT, Socket, clean_environment, served

PORT = 19076
PUBLIC_URL = f"http://127.0.0.1:{PORT}"
CALLERS = (8, 32)


@contextmanager
def issuer(key: rsa.RSAPrivateKey) -> Iterator[str]:
    """An authorization server that publishes one key; its URL."""
    jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "one", "use": "sig"}

    class Documents(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = f"http://127.0.0.1:{server.server_port}"
            keys = {"keys": [jwk]}
            metadata = {"issuer": host, "jwks_uri": f"{host}/keys"}
            body = json.dumps(keys if self.path == "/keys" else metadata).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # its name
            """Quiet: the figures are the output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Documents)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def token(key: rsa.RSAPrivateKey, host: str, number: int) -> str:
    now = int(time.time())
    claims = {
        "iss": host,
        "aud": PUBLIC_URL,
        "sub": f"agent-{number}",
        "client_id": "benchmark",
        "scope": "billing:read",
        "iat": now,
        "exp": now + 3600,
    }
    return jwt.encode(claims, key, "RS256", {"kid": "one", "typ": "at+jwt"})


def processor_s(process_id: int) -> float:
    """The processor time that a process has used."""
    facts = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(facts[11]) + int(facts[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did in a while."""

    calls_a_second: float
    processor_us: float  # for each call


async def load(server: int, tokens: Sequence[str | None], seconds: float) -> Load:
    """Each caller has one connection, with a token of its own or without."""
    done = 0
    end = time.perf_counter() + seconds
    sockets = [await Socket.open(PORT, one) for one in tokens]

    async def caller(socket: Socket) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await socket.call_tool("list-customers", {})
            done += 1

    start, spent = time.perf_counter(), processor_s(server)
    await asyncio.gather(*(caller(socket) for socket in sockets))
    took, spent = time.perf_counter() - start, processor_s(server) - spent
    for socket in sockets:
        socket.close()
    return Load(done / took, spent / done * 1_000_000)


def api_keys_in(path: Path, count: int) -> list[str]:
    """A file of keys, and the keys."""
    made = [
        api_keys.made(f"agent-{number}", ["billing:read"], None, datetime.now(UTC))
        for number in range(count)
    ]
    api_keys.write(path, [kept for _, kept in made])
    return [shown for shown, _ in made]


async def main(seconds: float, rounds: int, folder: Path, host: str, key: Any) -> None:
    common = clean_environment(
        TOGAI_API_KEY="benchmark",
        TOGAI_BASE_URL=f"http://127.0.0.1:{VENDOR_PORT}",
        # A limit that nobody reaches, so that all three count calls alike.
        BILLING_MCP_RATE_LIMIT="1000000",
    )
    most = max(CALLERS)
    keys_file = folder / "keys.json"
    tokens: dict[str, list[Any]] = {
        "off": [None] * most,
        "jwt": [token(key, host, number) for number in range(most)],
        "key": api_keys_in(keys_file, most),
    }
    environments = {
        "off": common,
        "jwt": {
            **common,
            "BILLING_MCP_AUTH_ISSUER": host,
            "BILLING_MCP_PUBLIC_URL": PUBLIC_URL,
        },
        "key": {**common, "BILLING_MCP_API_KEYS": str(keys_file)},
    }
    command = (*PRODUCT, "http", "--http-port", str(PORT))
    loads: dict[tuple[str, int], list[Load]] = {}
    vendor = (sys.executable, "benchmarks/vendor.py", str(VENDOR_PORT), "0")
    async with served(vendor, VENDOR_PORT, clean_environment()):
        for _ in range(rounds):
            for name, environment in environments.items():
                async with served(command, PORT, environment) as process:
                    await load(process.pid, tokens[name][:8], 1)
                    for callers in CALLERS:
                        measured = await load(process.pid, tokens[name][:callers], seconds)
                        loads.setdefault((name, callers), []).append(measured)
    print(f"best of {rounds} rounds; as part of the same without authentication in brackets")
    for callers in CALLERS:
        off_rate, off_us = best(loads["off", callers])
        print(f"{callers} callers: off {off_rate:.0f} calls a second, {off_us:.0f} µs of processor")
        for name in ("jwt", "key"):
            rate, us = best(loads[name, callers])
            print(
                f"  {name} {rate:.0f} calls a second ({rate / off_rate:.2f}), "
                f"{us:.0f} µs of processor ({us / off_us:.2f})"
            )


def best(loads: Sequence[Load]) -> tuple[float, float]:
    """The most calls a second, and the least processor time for one."""
    return max(one.calls_a_second for one in loads), min(one.processor_us for one in loads)


if __name__ == "__main__":
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with TemporaryDirectory() as directory, issuer(private) as url:
        asyncio.run(
            main(
                float(sys.argv[1]) if len(sys.argv) > 1 else 4.0,
                int(sys.argv[2]) if len(sys.argv) > 2 else 3,
                Path(directory),
                url,
                private,
            )
        )
