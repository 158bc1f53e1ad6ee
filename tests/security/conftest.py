"""Everything that is logged while this server is attacked is looked at, down to DEBUG."""

import logging

import pytest


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
