"""What SECURITY.md promises is attacked by tests that exist, and every attack is in it."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TEXT = (TESTS.parent / "SECURITY.md").read_text(encoding="utf-8")
DEFENDED, OPEN = TEXT.split("## What is not defended")


def test_every_line_of_what_is_defended_names_a_test_that_is_there() -> None:
    rows = [line for line in DEFENDED.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 10
    for row in rows:
        named = re.findall(r"`((?:\w+/)*\w+\.py)`", row.rsplit("|", 2)[1])
        assert named, row
        for test in named:
            assert (TESTS / test).exists(), test


def test_every_attack_of_the_security_tests_is_named() -> None:
    for path in (TESTS / "security").glob("test_*.py"):
        assert f"`security/{path.name}`" in DEFENDED


def test_what_is_not_defended_is_said() -> None:
    assert len(re.findall(r"^- ", OPEN, re.MULTILINE)) >= 5
