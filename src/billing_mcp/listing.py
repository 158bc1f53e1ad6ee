"""`billing-mcp operations`: the ledger of writes as a person reads it."""

import json
import sys
from typing import Any

import anyio

from billing_mcp import errors
from billing_mcp.config import Settings
from billing_mcp.guard.ledger import LedgerError
from billing_mcp.guard.operations import Filters
from billing_mcp.ledgers import Ledgers
from billing_mcp.results import values, visible
from billing_mcp.tenants import Tenant
from billing_mcp.tools.ledger import OperationShown, shown

# The latest of each tenant; list-operations has filters and pages.
SHOWN = 100
NONE = (
    "No operations. A sandbox in memory keeps its ledger in memory as well: give it a file with "
    "--sandbox-data."
)
_COLUMNS = ("createdAt", "state", "tool", "customer", "amount", "amountCurrency", "principal")


def print_operations(settings: Settings, *, as_json: bool) -> int:
    """Print each tenant's latest writes; 1 when a ledger could not be read."""
    return anyio.run(_print, settings, as_json)


async def _print(settings: Settings, as_json: bool) -> int:
    rows: list[dict[str, Any]] = []
    trouble = False
    for tenant_settings in settings.tenants:
        tenant = Tenant(tenant_settings, settings)
        try:
            found = await _latest(tenant.ledgers)
            rows += [{"tenant": tenant.name, **values(row)} for row in found]
        except (errors.BillingError, LedgerError) as error:
            print(f"billing-mcp: {tenant.name}: {error}", file=sys.stderr)  # noqa: T201  its purpose
            trouble = True
        finally:
            await tenant.close()
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))  # noqa: T201  its purpose
    else:
        for line in _lines(rows):
            print(visible(line))  # noqa: T201  its purpose
    return 1 if trouble else 0


async def _latest(ledgers: Ledgers) -> list[OperationShown]:
    """Nothing is opened, and so nothing made, where no write was ever asked for."""
    found: list[OperationShown] = []
    for environment in ledgers.environments:
        if ledgers.may_hold_something(environment):
            gate = await ledgers.gate(environment)
            page = await gate.ledger.list(gate.partition, Filters(), SHOWN)
            found += [shown(operation) for operation in page.operations]
    return found


def _lines(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return [NONE]
    several = len({row["tenant"] for row in rows}) > 1
    columns = ("tenant", *_COLUMNS) if several else _COLUMNS
    return [
        f"{row['operationId']}  " + "  ".join(str(row[name]) for name in columns if name in row)
        for row in rows
    ]
