"""The package's README names, for each rule, a test file that exists, and says whose rule it is."""

from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parents[1] / "src" / "billing_mcp" / "rating" / "README.md"


def rules() -> list[list[str]]:
    rows = [line for line in README.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [row for row in cells if row[0] not in ("rule", "---")]


def test_every_rule_names_its_tests_and_its_source() -> None:
    assert len(rules()) > 30
    for rule, source, tests in rules():
        assert {"documented", "ours"} & set(source.replace(",", " ").split()), rule
        for name in tests.split(","):
            assert (HERE / f"{name.strip(' `')}.py").is_file(), f"{rule}: {name}"
