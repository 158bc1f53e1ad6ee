"""When a conformance run counts as passed: never because nothing was looked at."""

import json
from pathlib import Path
from typing import Any

from conformance.verdict import Run, expected, judge, read

PING = Run("ours", "2025-11-25", {"ping": 1})
EXCUSED = Run("ours", "2025-11-25", {"ping": 1}, {"ping:extra": "We do not do that."})


def check(name: str, status: str = "SUCCESS", **more: Any) -> dict[str, Any]:
    return {"id": name, "status": status, "description": "what it is about", **more}


def test_a_run_in_which_every_check_passed_has_no_problem() -> None:
    verdict = judge(PING, {"ping": [check("pong"), check("note", "INFO")]})
    assert (verdict.passed, list(verdict.problems)) == (1, [])


def test_a_run_without_results_has_failed() -> None:
    assert judge(PING, {}).problems == [
        "ping: 0 checks passed, and 1 did before",
        "no check passed",
    ]


def test_a_check_that_failed_warned_or_was_skipped_is_a_problem() -> None:
    for status in ("FAILURE", "WARNING", "SKIPPED"):
        found = judge(PING, {"ping": [check("pong"), check("extra", status)]})
        assert found.problems == [f"ping:extra {status}: what it is about"]


def test_the_suites_own_message_is_told() -> None:
    failed = check("extra", "FAILURE", errorMessage="No answer")
    found = judge(PING, {"ping": [check("pong"), failed]})
    assert found.problems == ["ping:extra FAILURE: No answer"]


def test_an_excused_check_may_fail_and_does_not_count() -> None:
    found = judge(EXCUSED, {"ping": [check("pong"), check("extra", "FAILURE")]})
    assert (found.passed, list(found.problems)) == (1, [])


def test_an_excuse_that_is_not_needed_is_a_problem() -> None:
    found = judge(EXCUSED, {"ping": [check("pong"), check("extra")]})
    assert found.problems == ["ping:extra is excused for nothing"]


def test_fewer_checks_than_before_are_a_problem() -> None:
    run = Run("ours", "2025-11-25", {"ping": 3})
    found = judge(run, {"ping": [check("pong"), check("again")]})
    assert found.problems == ["ping: 2 checks passed, and 3 did before"]


def test_a_check_that_was_content_with_an_error_does_not_count() -> None:
    content = check("text", details={"result": {"isError": True, "content": []}})
    run = Run("ours", "2025-11-25", {"tools-call-simple-text": 1})
    found = judge(run, {"tools-call-simple-text": [content]})
    assert found.problems[0] == "tools-call-simple-text:text passed on a result that is an error"
    assert found.passed == 0


def test_the_scenario_that_asks_for_an_error_may_have_one() -> None:
    failed = check("error", details={"result": {"isError": True}})
    run = Run("ours", "2025-11-25", {"tools-call-error": 1})
    assert judge(run, {"tools-call-error": [failed]}).problems == []


def test_results_are_found_by_the_scenario_their_folder_is_named_for(tmp_path: Path) -> None:
    for name in ("tools-list", "tools-call-image"):
        folder = tmp_path / f"server-{name}-2026-11-21T12-10-45-706Z"
        folder.mkdir()
        (folder / "checks.json").write_text(json.dumps([check(name)]), encoding="utf-8")
    assert read(tmp_path, ["tools-list", "ping"]) == {"tools-list": [check("tools-list")]}


def test_every_scored_scenario_of_both_revisions_is_expected_with_and_without_a_token() -> None:
    runs = expected(Path(__file__).with_name("expected.toml"))
    # 30 and 37 scenarios are what the pinned suite scores for a server.
    whole = {(run.server, run.revision): len(run.passing) for run in runs if run.scores_all}
    assert whole == {
        ("fixtures, with sessions", "2025-11-25"): 30,
        ("fixtures, with sessions, API key", "2025-11-25"): 30,
        ("fixtures, as shipped, SSE", "2026-07-28"): 37,
        ("fixtures, as shipped, SSE, API key", "2026-07-28"): 37,
    }
    excused = {name for run in runs if run.scores_all for name in run.excused}
    # Only what the suite itself does not score: checks that it skips as not applicable.
    assert {name.split(":")[0] for name in excused} == {"server-stateless"}
    assert len(excused) == 5
