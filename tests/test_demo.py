"""The verb `demo`: its story ends well, and a story with a wrong step does not."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from billing_mcp import demo
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer

WHO_IS_ACME = demo.STORY[0]


def run_in_memory(*story: demo.Step) -> int:
    return demo.run(story, BillingServer(Settings()))


def test_the_demo_ends_well_and_takes_no_setting_into_its_server() -> None:
    # With any of these the server would answer otherwise, or not at all.
    surroundings = {
        "TOGAI_API_KEY": "no-such-key",
        "TOGAI_BASE_URL": "http://127.0.0.1:9",
        "BILLING_MCP_READ_ONLY": "true",
        "BILLING_MCP_SANDBOX_NOW": "2026-08-01T00:00:00Z",
    }

    done = subprocess.run(
        [sys.executable, "-m", "billing_mcp", "demo"],
        env=os.environ | surroundings,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"All {len(demo.STORY)} answers are as they should be.\n")
    assert "WRONG" not in done.stdout
    assert "\x1b" not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= demo.COLUMNS
    for step in demo.STORY:
        assert f"    > {step.asks.partition('{')[0]}" in done.stdout
    assert done.stderr == ""


def test_a_figure_that_is_not_as_expected_makes_the_demo_fail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = replace(WHO_IS_ACME, expected={("data", 0, "name"): "Acme Plumbing"})

    assert run_in_memory(wrong) == 1

    told = capsys.readouterr().out
    assert "WRONG: data.0.name is 'Acme Robotics', not 'Acme Plumbing'" in told
    assert "as they should be" not in told


def test_an_answer_without_the_expected_field_makes_the_demo_fail() -> None:
    assert run_in_memory(replace(WHO_IS_ACME, expected={("data", 7, "name"): "Acme"})) == 1
    assert run_in_memory(replace(WHO_IS_ACME, expected={("data", "id=nobody", "id"): "x"})) == 1
    assert run_in_memory(replace(WHO_IS_ACME, expected={("count", "of"): "x"})) == 1


def test_a_call_that_fails_makes_the_demo_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_in_memory(replace(WHO_IS_ACME, asks="list-customer", expected={})) == 1

    assert "WRONG: the call failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asks", "arguments"),
    [("billing://guides/credits", {}), ("/triage-failing-events", {"customer": "acme"})],
)
def test_a_resource_or_a_prompt_that_lacks_the_words_makes_the_demo_fail(
    asks: str, arguments: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    step = demo.Step("What does it say?", asks, arguments)
    assert run_in_memory(step) == 0
    assert run_in_memory(replace(step, says=("xyzzy",))) == 1
    assert "WRONG: it does not say 'xyzzy'" in capsys.readouterr().out


@pytest.mark.parametrize("asks", ["billing://guides/nothing", "/no-such-prompt"])
def test_a_resource_or_a_prompt_that_is_not_there_makes_the_demo_fail(asks: str) -> None:
    assert run_in_memory(demo.Step("Is it there?", asks)) == 1


def test_a_call_that_should_have_failed_makes_the_demo_fail() -> None:
    assert run_in_memory(replace(WHO_IS_ACME, fails=True)) == 1


def test_after_a_wrong_step_the_story_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = replace(WHO_IS_ACME, expected={("count",): 2})

    assert run_in_memory(wrong, replace(WHO_IS_ACME, question="And then?")) == 1

    assert "And then?" not in capsys.readouterr().out


def test_what_a_step_remembers_can_be_used_by_a_later_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    by_id = demo.Step(
        "And by id?",
        "get-customer",
        {"customerId": "{customer}"},
        {("id",): "{customer}", ("name",): "Acme Robotics"},
        so="It is the same one.",
    )

    assert run_in_memory(WHO_IS_ACME, by_id) == 0

    told = capsys.readouterr().out
    assert "    > get-customer customerId=acme\n" in told
    assert "    ✓ id: acme\n" in told
    assert "    = It is the same one.\n" in told
