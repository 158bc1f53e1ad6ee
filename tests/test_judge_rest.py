"""What the judge of the REST face makes of the report that it is given."""

from pathlib import Path

import pytest

from judge_rest import counted

OPENED = '<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="schemathesis">'
CLOSED = "</testsuite></testsuites>"
GOOD = '<testcase name="GET /v1/customers" time="0.1" />'
BAD = '<testcase name="POST /v1/customers"><failure type="failure">500</failure></testcase>'
BROKEN = '<testcase name="GET /v1/price-plans"><error type="error">no answer</error></testcase>'
BOTH = '<testcase name="POST /v1/entitled"><failure>1</failure><error>2</error></testcase>'
SKIPPED = '<testcase name="GET /v1/org"><skipped type="skipped">nothing</skipped></testcase>'


@pytest.mark.parametrize(
    ("cases", "figures"),
    [
        ((GOOD, GOOD), (2, 0)),
        ((GOOD, BAD, BROKEN, BOTH), (1, 3)),
        ((GOOD, SKIPPED), (1, 0)),
        ((), (0, 0)),
    ],
)
def test_a_route_passes_when_nothing_is_said_against_it_and_it_was_not_skipped(
    tmp_path: Path, cases: tuple[str, ...], figures: tuple[int, int]
) -> None:
    report = tmp_path / "report.xml"
    report.write_text(f"{OPENED}{''.join(cases)}{CLOSED}")
    assert counted(report) == figures


def test_without_a_report_nothing_was_judged(tmp_path: Path) -> None:
    assert counted(tmp_path / "report.xml") == (0, 0)
