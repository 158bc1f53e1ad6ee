"""The verb `http` as a real process whose output and end a test can see."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

from kept_secrets import OUTPUTS, planted_in
from processes import PATIENCE_S, command, environment


@dataclass(slots=True)
class Served:
    """A server that runs; `output` is what stood on stderr once it has ended."""

    process: subprocess.Popen[str]
    url: str
    errors: IO[str]
    output: str = ""

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        self.process.communicate(timeout=PATIENCE_S)
        self.errors.seek(0)
        self.output = self.errors.read()
        OUTPUTS.keep(self.output)
        return self.process.returncode

    def stopped(self) -> int:
        """Ask it to end as systemd does; the exit code."""
        self.process.terminate()
        return self.ended()


@contextmanager
def serving(
    *arguments: str, env: Mapping[str, str] | None = None, before: tuple[str, ...] = ()
) -> Iterator[Served]:
    """`before` is a program that runs the server, such as one that sets limits first.

    Its log goes to a file: a pipe that nobody reads would be full at some time, and stop it.
    """
    with TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [*before, *command("http", "--port", "0", *arguments)],
            env=environment(**(env or {})),
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            url = line.removeprefix("MCP ").strip().removesuffix("/mcp")
            served = Served(process, url, errors)
            if not line:
                served.ended()
                raise AssertionError(served.output)
            yield served
            if process.poll() is None:
                process.kill()
            served.ended()
            assert planted_in(served.output) is None
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=PATIENCE_S)


def seconds() -> float:
    """For measuring how long something took at most, never how long to wait."""
    return time.monotonic()
