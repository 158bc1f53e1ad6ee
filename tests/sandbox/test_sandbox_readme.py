"""The sandbox's README tells the truth: its lists of operations, and the tests it names."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from sandbox.asking import Asker

README = files("billing_mcp.sandbox").joinpath("README.md").read_text(encoding="utf-8")
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("vendor", ["suger", "togai"])
def test_the_listed_operations_are_the_imitated_ones(ask: Asker, vendor: str) -> None:
    start = f"<!-- {vendor} operations: generated, see tests/sandbox/test_sandbox_readme.py -->"
    _, _, rest = README.partition(start)
    listed, _, _ = rest.partition(f"<!-- {vendor} operations: end -->")

    imitated = [f"- `{line}`" for line in ask.sandbox.backend.tables[vendor].imitated()]
    assert listed.strip().splitlines() == imitated


def test_every_imitated_operation_is_one_the_vendor_documents(ask: Asker) -> None:
    for vendor, table in ask.sandbox.backend.tables.items():
        listing = files(f"billing_mcp.sandbox.{vendor}").joinpath("operations.txt")
        documented = set(listing.read_text(encoding="utf-8").splitlines())

        assert set(table.imitated()) <= documented


def test_every_test_that_a_policy_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", README))
    sources = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")]
    written = set(re.findall(r"def (test_\w+)", "\n".join(sources)))

    assert named - written == set()
    assert len(named) > 100
