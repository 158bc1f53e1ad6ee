"""The part of pytest that fails a test, and in the end a whole run, which has shown a secret.

With several workers each one searches what it has seen, and the one that started them is told.
"""

from collections.abc import Generator
from typing import Any

import pytest

from kept_secrets import ON_PURPOSE, OUTPUTS, planted_in

# What a worker found, on its way to whoever started it.
_FOUND = "sources_of_secrets"
_sources = pytest.StashKey[list[str]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that has logged or printed a secret, whatever else it was about."""
    report = yield
    # At the end everything that was captured is there.
    if call.when == "teardown" and item.path.name not in ON_PURPOSE:
        for title, text in report.sections:
            OUTPUTS.keep(text, f"{item.nodeid}, {title}")
            if report.passed and planted_in(text) is not None:
                report.outcome = "failed"
                report.longrepr = f"A secret stands in what is below as {title}."
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run if a secret stands anywhere in what it has put out, now that it is over."""
    found = [*session.config.stash.get(_sources, []), *OUTPUTS.sources_of_secrets()]
    session.config.stash[_sources] = found
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told[_FOUND] = found
    elif found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended; one that broke down has no output."""
    sources = node.config.stash.setdefault(_sources, [])
    sources.extend(getattr(node, "workeroutput", {}).get(_FOUND, []))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for source in config.stash.get(_sources, []):
        terminalreporter.write_line(f"A secret stands in the output of {source}", red=True)
