"""A sandbox without the demo company, asked over HTTP without a socket."""

from collections.abc import Iterator

import pytest

from billing_mcp.sandbox import SandboxSettings, open_sandbox
from sandbox.asking import Asker


@pytest.fixture
def sandbox_settings() -> SandboxSettings:
    return SandboxSettings(demo=False)


@pytest.fixture
def ask(sandbox_settings: SandboxSettings) -> Iterator[Asker]:
    """At 2026-11-20T12:00:00Z, with nothing in it."""
    sandbox = open_sandbox(sandbox_settings)
    yield Asker(sandbox)
    sandbox.close()
