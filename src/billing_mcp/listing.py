"""What the command line lists: the tools that are served, and the ledger of writes."""

import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio

from billing_mcp import errors
from billing_mcp.catalog import Catalog
from billing_mcp.config import Settings
from billing_mcp.guard.ledger import LedgerError
from billing_mcp.guard.operations import Filters
from billing_mcp.results import compact, values, visible
from billing_mcp.tenants import Tenant
from billing_mcp.tools import SUPERSEDED, TOOLSET_OF, vendor_of
from billing_mcp.tools.ledger import OperationShown, shown

# The latest of each tenant; list-operations has filters and pages.
SHOWN = 100
NONE = (
    "No operations. A sandbox in memory keeps its ledger in memory as well: give it a file with "
    "--sandbox-data."
)
# The id comes before them, and before the tenant.
_COLUMNS = OperationShown.concise[1:]

Row = dict[str, Any]


def tell(lines: Iterable[str]) -> None:
    """Lines for a person. Whatever customers wrote in one, it stays a line and moves no cursor."""
    for line in lines:
        print(_plain(line))  # noqa: T201  what a verb is for


def tell_json(rows: Any) -> None:
    print(visible(json.dumps(rows, indent=1, ensure_ascii=False)))  # noqa: T201  what a verb is for


def complain(sentence: str) -> None:
    print(_plain(f"billing-mcp: {sentence}"), file=sys.stderr)  # noqa: T201  what a verb is for


def _plain(line: str) -> str:
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in line
    )


async def of_each_tenant(
    settings: Settings, rows_of: Callable[[Tenant], Awaitable[list[Row]]]
) -> tuple[list[Row], bool]:
    """The rows of every tenant, each with its name, and whether all of them could be read."""
    rows: list[Row] = []
    well = True
    for tenant_settings in settings.tenants:
        tenant = Tenant(tenant_settings, settings)
        try:
            rows += [{"tenant": tenant.name, **row} for row in await rows_of(tenant)]
        except (errors.BillingError, LedgerError) as error:
            sentence = error.sentence() if isinstance(error, errors.BillingError) else str(error)
            complain(f"{tenant.name}: {sentence}")
            well = False
        finally:
            await tenant.close()
    return rows, well


def print_operations(settings: Settings, *, as_json: bool) -> int:
    """Print each tenant's latest writes; 1 when a ledger could not be read."""
    rows, well = anyio.run(of_each_tenant, settings, _latest)
    if as_json:
        tell_json(rows)
    else:
        tell(_lines(rows))
    return 0 if well else 1


async def _latest(tenant: Tenant) -> list[Row]:
    """Nothing is opened, and so nothing made, where no write was ever asked for."""
    ledgers = tenant.ledgers
    found: list[Row] = []
    for environment in ledgers.environments:
        if ledgers.may_hold_something(environment):
            gate = await ledgers.gate(environment)
            page = await gate.ledger.list(gate.partition, Filters(), SHOWN)
            found += [values(shown(operation)) for operation in page.operations]
    return found


def _lines(rows: list[Row]) -> list[str]:
    if not rows:
        return [NONE]
    several = len({row["tenant"] for row in rows}) > 1
    columns = ("tenant", *_COLUMNS) if several else _COLUMNS
    return [
        f"{row['operationId']}  " + "  ".join(str(row[name]) for name in columns if name in row)
        for row in rows
    ]


def print_tools(settings: Settings, *, as_json: bool) -> int:
    """Print what would be served under these settings."""
    rows = tool_rows(Catalog(settings))
    if as_json:
        tell_json(rows)
        return 0
    lines = []
    for row in rows:
        hints = row["hints"]
        kind = "read" if hints["readOnly"] else "destructive" if hints["destructive"] else "write"
        route = f"{row['method']} {row['path']}" if "method" in row else ""
        lines.append(f"{row['name']:38}{kind:13}{row['toolset']:20}{route}".rstrip())
    total = sum(row["modelTokens"] for row in rows)
    tell([*lines, f"{len(rows)} tools, about {total} tokens of a model's context"])
    return 0


def tool_rows(catalog: Catalog) -> list[Row]:
    """What `tools --json` prints: one row per served tool (design §2.1)."""
    rows = []
    for name in catalog.served:
        declaration = catalog.built(name).declaration
        method, path = declaration.route.split(" ", 1) if declaration.route else (None, None)
        listed = catalog.schema(name)
        seen = {key: listed[key] for key in ("name", "description", "inputSchema")}
        row = {
            "name": name,
            "title": declaration.title,
            "toolset": TOOLSET_OF[name],
            "vendor": vendor_of(name),
            "method": method,
            "path": path,
            "hints": declaration.hints.facts(),
            "deprecated": name in SUPERSEDED,
            "modelTokens": len(compact(seen).encode()) // 4,
        }
        rows.append({key: value for key, value in row.items() if value is not None})
    return rows
