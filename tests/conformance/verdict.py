"""What the conformance suite's checks come to, against what is expected of them."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GOOD = {"SUCCESS", "INFO"}
# The one scenario that asks for a result that says it is an error.
FAILS_ON_PURPOSE = "tools-call-error"


@dataclass(frozen=True, slots=True)
class Run:
    """A server under a revision's requirements, and what is expected of that run.

    `passing` has, for each scenario that counts, the checks that passed when this was written: the
    suite is pinned, so fewer mean that something was not looked at. `excused` has, by
    `scenario:check`, why one does not pass. `scores_all` wants the suite's own word as well.
    """

    server: str
    revision: str
    passing: Mapping[str, int]
    excused: Mapping[str, str] = field(default_factory=dict)
    scores_all: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many checks passed, and in our words what is wrong with the run."""

    passed: int
    problems: Sequence[str]


def expected(file: Path) -> list[Run]:
    """The runs of `expected.toml`, one for each of its servers; `like` is a table to begin with."""
    facts = tomllib.loads(file.read_text(encoding="utf-8"))
    return [
        Run(
            server,
            run["revision"],
            facts["passing"].get(run.get("like"), {}) | run.get("passing", {}),
            run.get("excused", {}),
            run.get("scoresAll", False),
        )
        for run in facts["run"]
        for server in run["servers"]
    ]


def read(folder: Path, scenarios: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The checks by scenario, as the suite wrote them: a folder each, its name ending in a time."""
    found: dict[str, list[dict[str, Any]]] = {}
    for file in folder.glob("server-*/checks.json"):
        name = file.parent.name.removeprefix("server-").rsplit("-", 6)[0]
        if name in scenarios:
            found.setdefault(name, []).extend(json.loads(file.read_text(encoding="utf-8")))
    return found


def judge(run: Run, checks: Mapping[str, Sequence[Mapping[str, Any]]]) -> Verdict:
    """Every check of every scenario that counts passes or is excused, and every excuse is used."""
    passed = 0
    problems: list[str] = []
    used: set[str] = set()
    for scenario, least in run.passing.items():
        good = 0
        for check in checks.get(scenario, ()):
            name = f"{scenario}:{check['id']}"
            if check["status"] not in GOOD:
                if name in run.excused:
                    used.add(name)
                else:
                    said = check.get("errorMessage") or check.get("description")
                    problems.append(f"{name} {check['status']}: {said}")
            elif _is_vacuous(scenario, check):
                problems.append(f"{name} passed on a result that is an error")
            elif check["status"] == "SUCCESS":
                good += 1
        if good < least:
            problems.append(f"{scenario}: {good} checks passed, and {least} did before")
        passed += good
    problems += [f"{name} is excused for nothing" for name in run.excused if name not in used]
    if passed == 0:
        problems.append("no check passed")
    return Verdict(passed, problems)


def _is_vacuous(scenario: str, check: Mapping[str, Any]) -> bool:
    """Whether the suite was content with what is in truth "there is no such tool"."""
    result = (check.get("details") or {}).get("result")
    is_error = isinstance(result, dict) and result.get("isError") is True
    return is_error and scenario != FAILS_ON_PURPOSE
