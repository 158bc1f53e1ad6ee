"""The demo company: what an explorer of the sandbox finds in it at the start."""

from billing_mcp.sandbox.backend import Backend


def build(backend: Backend) -> None:
    """Fill an empty sandbox."""
    _ = backend
