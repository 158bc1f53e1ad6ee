"""The two vendors, emulated offline: all that outsiders see is `open_sandbox`."""

from datetime import datetime
from pathlib import Path

from billing_mcp.sandbox import clock, company, store
from billing_mcp.sandbox.app import Sandbox
from billing_mcp.sandbox.call import SandboxSettings
from billing_mcp.sandbox.store import UnusableDataFile

__all__ = ["Sandbox", "SandboxSettings", "UnusableDataFile", "open_sandbox", "stored_time"]


def open_sandbox(settings: SandboxSettings | None = None) -> Sandbox:
    """Open a sandbox; a new one is filled with the demo company unless the settings say no.

    Raises `UnusableDataFile`.
    """
    return Sandbox(settings or SandboxSettings(), company.build)


def stored_time(path: Path | None, now: datetime | None) -> datetime:
    """The time a sandbox opened with these would show, found without opening it as a whole.

    Raises `UnusableDataFile`.
    """
    moment = store.stored_moment(path) if path is not None else None
    if moment is None:
        return now or clock.START
    return max(clock.read(moment), now or clock.START)
