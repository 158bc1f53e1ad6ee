"""The process killed with SIGKILL in the middle of writes: nothing doubled, nothing forgotten."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from billing_mcp.sandbox import Sandbox
from faults.killing import Write, killed_over_and_over
from processes import served_sandbox
from world import furnish

EFFECTS_OF = {"ingest-events": 2}


@pytest.mark.parametrize(("kills", "seed"), [(20, 1), pytest.param(500, 2, marks=pytest.mark.long)])
def test_a_process_that_is_killed_again_and_again_doubles_and_forgets_nothing(
    kills: int, seed: int, tmp_path: Path, record_property: Any
) -> None:
    with served_sandbox() as (sandbox, vendor):
        furnish(sandbox)

        async def run() -> list[Write]:
            return await killed_over_and_over(vendor, tmp_path, kills=kills, at_once=4, seed=seed)

        everything = anyio.run(run)
        done = {write.operation_id: _done(sandbox, write) for write in everything}
    ends = Counter(f"{write.kind} {done[write.operation_id]}" for write in everything)
    record_property("ends", dict(ends))
    assert len(everything) == 4 * kills
    for write in everything:
        wanted = EFFECTS_OF.get(write.tool, 1)
        told = f"{write.tool} {write.operation_id}: {done[write.operation_id]}, {write.answers}"
        assert done[write.operation_id] <= wanted, f"doubled: {told}"
        if write.kind == "ok":
            assert done[write.operation_id] == wanted, f"lost: {told}"
        else:
            # Only a lost batch stays unknown, and it may well have been done.
            assert write.kind == "outcome-unknown", told
            assert write.tool == "batch-report-usagerecordgroups", told
    # Kills did strike between the vendor's effect and our answer.
    assert any(write.answers[-1].get("replayed") for write in everything)


# By tool: what counts how often the vendor did it, and which argument it is found by.
COUNTS: Mapping[str, tuple[str, str]] = {
    "create-customer": ("effects where kind = 'customer' and id = ?", "id"),
    "create-account": ("effects where kind = 'account' and id = ?", "id"),
    "create-price-plan": ("price_plans where name = ?", "name"),
    "batch-report-usagerecordgroups": (
        "suger_usage_record_groups where origin_records = ?",
        "body",
    ),
    "ingest-events": ("effects where kind = 'event' and key like ? || '-%'", "operationId"),
    "grant-credit": ("effects where kind = 'credit' and key = ?", "operationId"),
    "report-usagerecordgroup": ("effects where id = ?", "operationId"),
    "create-billable-metric": ("effects where id = ?", "operationId"),
}


def _done(sandbox: Sandbox, write: Write) -> int:
    """How often the vendor did it."""
    what, argument = COUNTS[write.tool]
    value = {**write.arguments, "operationId": write.operation_id}[argument]
    if argument == "body":
        value = f'{{"api_calls":{value[0]["records"]["api_calls"]}}}'
    counted = sandbox.backend.db.execute(f"select count(*) from {what}", (value,)).fetchone()
    return int(counted[0])
