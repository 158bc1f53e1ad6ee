"""What the demo company's makers share: the sandbox they fill, and the ids it has given."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from billing_mcp.sandbox.backend import Backend
from billing_mcp.sandbox.call import ABSENT, Call


@dataclass(slots=True)
class Books:
    """Ids by our own names, filled in as things are created."""

    backend: Backend
    meters: dict[str, str] = field(default_factory=dict)  # by event schema
    features: dict[str, str] = field(default_factory=dict)  # by event schema
    plans: dict[str, str] = field(default_factory=dict)  # by the plan's name
    entitlements: dict[str, str] = field(default_factory=dict)  # of Suger, by account
    credits: dict[str, str] = field(default_factory=dict)  # by account

    def ask(self, method: str, target: str, body: Any = ABSENT, **query: str) -> Any:
        """An operation of a vendor, as over the wire."""
        return self.backend.request(method, target, body, **query)

    @contextmanager
    def call(self) -> Iterator[Call]:
        """What a marketplace or time does, for which the vendors have no operation."""
        with self.backend.transaction() as call:
            yield call
