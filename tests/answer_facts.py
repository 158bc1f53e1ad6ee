"""Every answer that a sandbox gives in any test of this process is held to the vendor's facts."""

from collections.abc import Iterator
from typing import Any

import pytest

from billing_mcp.sandbox.backend import Backend
from billing_mcp.sandbox.call import Refusal, Reply
from facts import checking

# The sandbox's own, which no vendor documents: limits of a request, and what it does not imitate.
OURS = (405, 413, 429, 501)

_answer = Backend.answer
_wrong: list[str] = []


def _checked(self: Backend, vendor: str, method: str, segments: Any, *others: Any) -> Reply:
    try:
        reply = _answer(self, vendor, method, segments, *others)
    except Refusal as refusal:
        body = {"message": refusal.message[:500]} if vendor == "togai" else refusal.message
        if refusal.status not in OURS:
            _look_at(self, vendor, method, segments, refusal.status, body)
        raise
    _look_at(self, vendor, method, segments, reply.status, reply.body)
    return reply


def _look_at(
    backend: Backend, vendor: str, method: str, segments: Any, status: int, body: Any
) -> None:
    """Keep what is wrong with an answer until the test that asked for it is over."""
    for route in backend.tables[vendor]._root.matching(tuple(segments)):
        if route.method == method and route.handler is not None:
            _wrong.extend(checking.of(vendor).wrong(f"{method} {route.path}", status, body))
            return


Backend.answer = _checked  # type: ignore[assignment, method-assign]  # every sandbox of the test run


@pytest.fixture(autouse=True)
def _answers_are_as_the_vendor_documents() -> Iterator[None]:
    """Answers of other threads are looked at too; those of other processes are not."""
    _wrong.clear()
    yield
    found = list(dict.fromkeys(_wrong))
    assert not found, "\n".join(found)
