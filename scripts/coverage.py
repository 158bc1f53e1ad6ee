"""Write docs/coverage.md: every operation of both vendors, its tool, its twin, its judges.

    PYTHONPATH=tests python scripts/coverage.py

It reads the oracle's list of the vendors' clients, so it needs the packages of the tests. A test
fails while what it writes is stale.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import suger_sdk_python
import togai_client

from billing_mcp import tools
from billing_mcp.sandbox import suger, togai
from billing_mcp.sandbox.call import Resource
from facts import checking
from oracle.vendor_clients import operations

PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"
VENDORS = {"togai": (togai, togai_client), "suger": (suger, suger_sdk_python)}

HEAD = """# Coverage

Every operation that a tool offers: its twin in the sandbox (`src/billing_mcp/sandbox`), the method
of the vendor's own client that judges the twin (`tests/oracle`), and the errors that the vendor
documents. Every answer that a twin gives in the tests is held to the vendor's names, types and
enums as well (`tests/facts`), unless the vendor's documents do not have the operation. Written by
`scripts/coverage.py`.
"""

NO_CLIENT = "the client has none"
NOT_DESCRIBED = "the documents do not have it"
NONE = "none by number"


@dataclass(frozen=True, slots=True)
class Row:
    """One operation; an empty text says that it has no such thing."""

    vendor: str
    operation: str
    tool: str
    twin: str
    client: str
    errors: str

    def text(self) -> str:
        tool = self.tool and f"`{self.tool}`"
        if self.tool in tools.SECRET:
            tool += " (behind a setting)"
        twin = self.twin and f"`{self.twin}`"
        client = f"`{self.client}`" if self.client else NO_CLIENT
        return f"| `{self.operation}` | {tool} | {twin} | {client} | {self.errors} |"


def anonymous(operation: str) -> str:
    """The vendors' documents and clients disagree about the names of path parameters."""
    return re.sub(r"\{\w+\}", "{}", operation)


def twins(resources: Iterable[Resource]) -> dict[str, str]:
    """The file of the sandbox that answers each operation."""
    return {
        anonymous(f"{method} {path}"): _file_of(handler.__module__)
        for resource in resources
        for method, path, handler in resource.routes
    }


def _file_of(module: str) -> str:
    return "/".join(module.split(".")[-2:]) + ".py"


def clients(client: Any) -> dict[str, str]:
    """The method of the vendor's client for each operation."""
    return {anonymous(found.route): f"{found.api}.{found.name}" for found in operations(client)}


def errors(vendor: str) -> dict[str, str]:
    """The statuses of the errors that the vendor documents of each operation."""
    return {
        anonymous(operation): " ".join(
            status for status in sorted(responses) if status.isdigit() and int(status) >= 400
        )
        or NONE
        for operation, responses in checking.of(vendor).operations.items()
    }


def rows() -> Iterator[Row]:
    """Every operation that the index of tools names."""
    listing = files("billing_mcp").joinpath("operations.csv").read_text(encoding="utf-8")
    known = {
        vendor: (twins(emulated.RESOURCES), clients(client), errors(vendor))
        for vendor, (emulated, client) in VENDORS.items()
    }
    for entry in csv.DictReader(listing.splitlines()):
        if not entry["path"]:
            continue
        operation = f"{entry['method']} {entry['path']}"
        vendor = "suger" if entry["path"].startswith("/org/") else "togai"
        twin, client, error = (table.get(anonymous(operation), "") for table in known[vendor])
        tool = entry["name"] if entry["name"] in tools.MODULES else ""
        yield Row(vendor, operation, tool, twin, client, error or NOT_DESCRIBED)


def summary(found: list[Row]) -> str:
    offered = Counter(row.tool in tools.SECRET for row in found if row.tool)
    twinned = sum(bool(row.twin) for row in found)
    judged = sum(bool(row.client) for row in found)
    return (
        f"{len(found)} operations: {offered[False]} tools offered and {offered[True]} behind a "
        f"setting, {twinned} twins, {len(found) - twinned} answered with 501, {judged} judged by "
        "the vendors' clients."
    )


def page() -> str:
    found = list(rows())
    lines = [HEAD, summary(found)]
    for vendor in VENDORS:
        lines += ["", f"## {vendor.capitalize()}", ""]
        lines += ["| operation | tool | twin | vendor's client | documented errors |"]
        lines += ["| --- | --- | --- | --- | --- |"]
        of_vendor = sorted(
            (row for row in found if row.vendor == vendor),
            key=lambda row: (row.operation.partition(" ")[2], row.operation),
        )
        lines += [row.text() for row in of_vendor]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
