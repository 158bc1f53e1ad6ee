"""The sandbox each test of Suger starts with."""

from collections.abc import Iterator

import pytest

from sandbox.suger.wire import Wire, fresh_wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    with fresh_wire() as wire:
        yield wire
