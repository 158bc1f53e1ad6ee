"""The coverage table in the docs is what the code says, and says that nothing is missing."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def coverage_table() -> ModuleType:
    """The script that writes the table."""
    path = ROOT / "scripts" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_table", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_coverage_table_is_what_the_code_says(coverage_table: ModuleType) -> None:
    written = coverage_table.PAGE.read_text(encoding="utf-8")
    assert written == coverage_table.page(), (
        "is stale; run `PYTHONPATH=tests python scripts/coverage.py` and look at what it changes"
    )


def test_every_operation_has_a_tool_and_a_twin(coverage_table: ModuleType) -> None:
    rows = list(coverage_table.rows())
    assert len(rows) == 171
    assert [row.operation for row in rows if not row.tool] == []
    assert [row.operation for row in rows if not row.twin] == []
    assert coverage_table.summary(rows).startswith(
        "171 operations: 169 tools offered and 2 behind a setting, 171 twins, 0 answered with 501,"
    )


def test_what_no_client_of_a_vendor_judges_is_known(coverage_table: ModuleType) -> None:
    """Two operations of an older document, and five of the vendor's first pages."""
    assert {row.operation for row in coverage_table.rows() if not row.client} == {
        "POST /price_plans/{price_plan_id}/currencies",
        "DELETE /price_plans/{price_plan_id}/currencies/{currency_id}",
        "DELETE /events",
        "POST /invoices/{invoice_id}/payments",
        "GET /migrations",
        "POST /migrations/price_plan",
        "GET /migrations/{migration_id}",
    }
