"""A run of tests that has shown a secret fails, wherever it stood and whatever they were about.

Each is a run of pytest of its own, on tests written here.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from kept_secrets import Outputs
from processes import PATIENCE_S, environment

TESTS = Path(__file__).parent
# Made up of parts, so that what pytest shows of a failing test does not hold it.
PRINTED_BY_A_TEST = """
def test_prints():
    print("s3cret" + "-printed")
"""
PRINTED_BY_A_TEST_THAT_FAILS = """
def test_prints_and_fails():
    print("s3cret" + "-printed")
    raise OSError
"""
PRINTED_BY_A_PROCESS = """
import sys
import processes

def test_starts_a_process(monkeypatch):
    script = "import sys; sys.stderr.write('s3cret' + '-printed')"
    monkeypatch.setattr(processes, "command", lambda *_: [sys.executable, "-c", script])
    processes.run("doctor")
"""
HARMLESS = """
def test_is_harmless():
    print("keys stay where they are")
"""


def outcome(folder: Path, text: str, *flags: str) -> tuple[int, str]:
    """The exit code and the output of a run of one file of tests."""
    (folder / "test_inner.py").write_text(text, encoding="utf-8")
    # Of all plugins that are installed only what is judged, so that it starts at once.
    env = environment(PYTHONPATH=str(TESTS), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    plugins = ("-p", "secret_search", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *flags, "test_inner.py"],
        cwd=folder,
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout


def test_it_is_said_of_each_test_that_has_put_out_a_secret_and_of_no_other(tmp_path: Path) -> None:
    text = PRINTED_BY_A_TEST + PRINTED_BY_A_TEST_THAT_FAILS + PRINTED_BY_A_PROCESS + HARMLESS
    _, said = outcome(tmp_path, text)
    found = "A secret stands in the output of test_inner.py::"
    named = [line.removeprefix(found) for line in said.splitlines() if line.startswith(found)]
    assert named == [
        "test_prints, Captured stdout call",
        "test_prints_and_fails, Captured stdout call",
        "test_starts_a_process (call)",
    ]
    # The first two are errors for what they printed; the second fails for what it is about as well.
    assert "1 failed, 3 passed, 2 errors" in said.splitlines()[-1]


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "1")])
def test_a_secret_fails_a_run_though_every_test_of_it_passed(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    code, said = outcome(tmp_path, PRINTED_BY_A_PROCESS, *workers)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert said.count("A secret stands in the output of test_inner.py::test_starts") == 1
    assert "1 passed" in said.splitlines()[-1]


def test_a_run_that_has_put_out_no_secret_passes(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, HARMLESS)
    assert code == pytest.ExitCode.OK
    assert "A secret stands" not in said


def test_it_is_said_where_a_secret_stood_but_not_which() -> None:
    outputs = Outputs()
    outputs.keep("nothing", "one")
    outputs.keep("", "two")
    outputs.keep("Bearer bmk_" + "a" * 43, "three")
    outputs.keep("nothing", "three")
    assert outputs.sources_of_secrets() == ["three"]
