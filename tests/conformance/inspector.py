"""MCP Inspector on our server: every list, both transports, both eras, no error in any schema.

Where callers have to show a token: a call with one, and no way in without.
"""

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
# What it says by its exit code: that the server wants a token (401), that a schema has an error.
AUTH_REQUIRED = 3
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


def problems_of_a_call(node: Node, target: Sequence[str]) -> list[str]:
    """What is wrong with a tool's answer: two customers of the demo company are asked for."""
    asked = ["--method", "tools/call", "--tool-name", "list-customers", "--tool-arg", "pageSize=2"]
    found: list[str] = []
    for era in ERAS:
        more = [*asked, "--protocol-era", era, "--format", "json"]
        done = node.run(PACKAGE, "inspector", ["--cli", *target, *more])
        if done.returncode:
            found.append(f"tools/call, {era}: exit code {done.returncode}: {done.stderr}")
            continue
        rows = json.loads(done.stdout)["result"].get("structuredContent", {}).get("data", [])
        if len(rows) != 2:
            found.append(f"tools/call, {era}: not two rows: {done.stdout}")
    return found


def problems_without_a_token(node: Node, target: Sequence[str]) -> list[str]:
    """What is wrong with the refusal of somebody who shows no token."""
    found: list[str] = []
    for era in ERAS:
        # Else it would look for somebody to log in.
        asked = ["--method", "tools/list", "--protocol-era", era, "--stored-auth-only"]
        done = node.run(PACKAGE, "inspector", ["--cli", *target, *asked])
        if done.returncode != AUTH_REQUIRED:
            found.append(f"without a token, {era}: exit code {done.returncode}: {done.stderr}")
    return found
