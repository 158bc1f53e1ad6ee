"""What the README and its neighbours name exists, and its commands are what CI runs."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from billing_mcp import tools
from billing_mcp.aliases import aliases
from billing_mcp.cli import VERBS, parser
from billing_mcp.config import VARIABLES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/tools.md")
# Names in backticks that look like a tool's and are something else.
NOT_TOOLS = {"billing-mcp", "vendor-sandbox"}
KINDS = {
    *("invalid-request", "not-found", "conflict", "not-permitted", "rate-limited"),
    *("unavailable", "outcome-unknown", "not-configured", "approval-required"),
}


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def command_marked(mark: str) -> str:
    """What .ci/run runs for a mark, found by its own function."""
    script = text_of(".ci/run")
    function = script[script.index("readme_command()") : script.index("step()")]
    found = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{function}\nreadme_command {mark}"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return found.stdout


def block_after(mark: str) -> str:
    match = re.search(rf"<!-- {mark} -->\n```\n(.*?)```", README, re.DOTALL)
    assert match is not None
    return match[1]


@pytest.mark.parametrize("mark", ["first-command", "test-command"])
def test_a_command_is_one_line_and_the_one_that_ci_runs(mark: str) -> None:
    command = command_marked(mark)
    assert command == block_after(mark)
    assert command.count("\n") == 1
    assert mark in text_of(".ci/run")


def test_the_first_command_ends_with_the_demo_and_the_second_with_the_tests() -> None:
    first = shlex.split(block_after("first-command"))
    second = shlex.split(block_after("test-command"))
    assert first[-2:] == [".venv/bin/billing-mcp", "demo"]
    assert second[second.index("pytest") - 2 : second.index("pytest")] == [
        ".venv/bin/python",
        "-m",
    ]
    assert "constraints.txt" in second


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_to_a_file_leads_to_one(document: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text_of(document)):
        if "://" not in target:
            assert (ROOT / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_tool_and_kind_of_error_that_is_named_exists(document: str) -> None:
    named = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text_of(document)))
    known = {*tools.MODULES, *tools.TOOLSETS, *aliases(), *KINDS, *NOT_TOOLS}
    assert named <= known


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_setting_that_is_named_exists(document: str) -> None:
    known = {variable.variable for variable in VARIABLES}
    named = set(re.findall(r"BILLING_MCP_[A-Z_]+[A-Z]", text_of(document)))
    assert named <= known


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_flag_of_ours_that_is_named_exists(document: str) -> None:
    known = set(parser()._option_string_actions)
    named = re.findall(r"(?:`|billing-mcp [a-z ]*)(--[a-z-]+)", text_of(document))
    assert set(named) <= known


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_verb_that_is_named_exists(document: str) -> None:
    named = set(re.findall(r"`billing-mcp ([a-z]+)", text_of(document)))
    assert named <= set(VERBS)


def test_every_verb_but_the_default_is_explained() -> None:
    named = set(re.findall(r"billing-mcp ([a-z]+)", README))
    assert set(VERBS) - {"stdio"} <= named


def test_every_kind_of_error_is_explained() -> None:
    for kind in KINDS:
        assert f"`{kind}`" in README


def test_every_example_in_json_is_json() -> None:
    blocks = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        json.loads(block)


def test_no_document_or_constraint_names_a_registry_or_a_place_on_one_machine() -> None:
    for document in (*DOCUMENTS, "constraints.txt", "pyproject.toml", ".ci/run"):
        text = text_of(document)
        for place in ("pypi.", "index-url", "/home/", "/root/", "/Users/"):
            assert place not in text, (document, place)
