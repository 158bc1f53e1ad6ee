"""MCP Inspector on our server: every list, both transports, both eras, no error in any schema."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.node import Node

LISTS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}
ERAS = ("legacy", "modern")
UNPORTABLE = 6
PACKAGE = "@modelcontextprotocol/inspector"


def refuses_what_is_unportable(node: Node) -> bool:
    """Whether `--strict` finds an error where there is one: else its silence says nothing."""
    server = [sys.executable, str(Path(__file__).with_name("unportable.py"))]
    strict = ["--method", "tools/list", "--strict", "--format", "json"]
    done = node.run(PACKAGE, "inspector", ["--cli", *server, *strict])
    return done.returncode == UNPORTABLE and "boolean-schema" in done.stdout


def problems(node: Node, target: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """What is wrong with the lists of a server; `counts` says how many rows each should have."""
    found: list[str] = []
    for era in ERAS:
        for method, count in counts.items():
            strict = ["--strict"] if method == "tools/list" else []
            asked = ["--method", method, "--protocol-era", era, "--format", "json", *strict]
            done = node.run(PACKAGE, "inspector", ["--cli", *target, *asked])
            if done.returncode:
                found.append(f"{method}, {era}: exit code {done.returncode}: {done.stderr}")
                continue
            answer = json.loads(done.stdout)
            found += [f"{method}, {era}: {finding}" for finding in answer.get("schemaFindings", ())]
            listed = len(answer["result"][LISTS[method]])
            if listed != count:
                found.append(f"{method}, {era}: {listed} instead of {count}")
    return found
