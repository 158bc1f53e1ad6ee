"""Has schemathesis attack the REST face, authentication on: `python -m judge_rest` in tests/.

It makes requests from the published OpenAPI document, good and bad, and holds every answer to it.
Needs the extra `judges`. The last line says how many routes passed and how many failed.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from billing_mcp.http import api_keys
from billing_mcp.http.routes import ROUTES
from billing_mcp.scopes import SCOPES
from processes import running

# What it has to hold. Left out: that data which fits the schemas is taken. Days in order, ids that
# exist and cards that fit each other are rules no schema can tell, and the answer to them is 400.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)
PHASES = ("examples", "coverage", "fuzzing")
# What would make a good verdict worth nothing. Left out are the two that say again what CHECKS
# leaves out: data that fits the schemas and is refused (400), and ids that are made up (404). A run
# that closes on a count of warnings alone also reads like one in which no test ran.
WARNINGS = ("missing_auth", "unused_openapi_auth", "missing_deserializer", "method_not_allowed")
# Fixed, so that a change is judged by the requests that the one before it was judged by.
SEED = "1"


def main() -> int:
    """0 when schemathesis has judged every route and finds nothing; its report is printed."""
    examples = sys.argv[1] if len(sys.argv) > 1 else "20"
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as (url, key):
        report = Path(folder) / "report.xml"
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"{url}/v1/openapi.json",
                f"--header=Authorization: Bearer {key}",
                f"--checks={','.join(CHECKS)}",
                f"--phases={','.join(PHASES)}",
                f"--max-examples={examples}",
                f"--seed={SEED}",
                f"--warnings={','.join(WARNINGS)}",
                "--report=junit",
                f"--report-junit-path={report}",
                "--no-color",
            ],
            cwd=folder,
            check=False,
        )
        passed, failed = counted(report)
    if passed + failed < len(ROUTES):
        sys.stdout.write(f"{len(ROUTES)} routes were to be judged\n")
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return done.returncode or (passed != len(ROUTES))


def counted(report: Path) -> tuple[int, int]:
    """How many routes passed and how many failed, by schemathesis' own report (JUnit's XML).

    One that was skipped did neither. Without a report, nothing was judged.
    """
    if not report.exists():
        return 0, 0
    passed = failed = 0
    for case in ET.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is None:
            passed += 1
    return passed, failed


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, str]]:
    """The product on the demo company; its address, and a key that may do everything."""
    key, kept = api_keys.made("judge", SCOPES, None, datetime.now(UTC))
    file = folder / "keys.json"
    api_keys.write(file, [kept])
    flags = ("--port", "0", "--api-keys", str(file), "--rate-limit", "0")
    with running("http", *flags) as line:
        yield line.rsplit(" ", 1)[-1].removesuffix("/mcp"), key


if __name__ == "__main__":
    sys.exit(main())
