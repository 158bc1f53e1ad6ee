"""The configuration that the README tells desktop clients to use starts the server as it stands."""

import json
import os
import re
import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters

from answers import facts
from processes import PATIENCE_S, environment

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "claude_desktop_config.example.json"


@pytest.mark.anyio
async def test_the_example_starts_a_server_with_the_38_tools() -> None:
    (entry,) = json.loads(EXAMPLE.read_text(encoding="utf-8"))["mcpServers"].values()
    assert set(entry) == {"command", "args", "env"}
    # As on a machine where the package is installed: the command is on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    parameters = StdioServerParameters(
        command=entry["command"],
        args=entry["args"],
        env=environment(PATH=path) | entry["env"],
        cwd=ROOT,
    )
    with anyio.fail_after(PATIENCE_S):
        async with Client(parameters) as client:
            assert len((await client.list_tools()).tools) == 38
            assert facts(await client.call_tool("list-customers", {}))["environment"] == "sandbox"


def test_the_readme_shows_the_example_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", readme, re.DOTALL)]
    assert json.loads(EXAMPLE.read_text(encoding="utf-8")) in shown
