"""The process killed with SIGKILL in the middle of writes: nothing doubled, nothing forgotten."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from billing_mcp.guard.operations import Filters, Partition, State
from billing_mcp.guard.sqlite_ledger import SqliteLedger
from billing_mcp.sandbox import Sandbox
from faults.forking import forks
from faults.killing import Write, killed_over_and_over, started
from faults.storm import UNDECIDABLE
from processes import served_sandbox
from world import furnish

EFFECTS_OF = {"ingest-events": 2}
AT_ONCE = 4
FEW = 20
STATES = {"ok": State.COMMITTED, "outcome-unknown": State.UNKNOWN}


@pytest.mark.parametrize(("kills", "seed"), [(12, 1), pytest.param(500, 2, marks=pytest.mark.long)])
def test_a_process_that_is_killed_again_and_again_doubles_and_forgets_nothing(
    kills: int, seed: int, tmp_path: Path
) -> None:
    async def killed(vendor: str) -> dict[Path, list[Write]]:
        async with forks() as processes:
            # Many are forked, because each is killed before it has lived as long as its start took.
            start = processes.child if kills > FEW else started
            return await killed_over_and_over(
                vendor, tmp_path, kills=kills, at_once=AT_ONCE, seed=seed, start=start
            )

    with served_sandbox() as (sandbox, vendor):
        furnish(sandbox)
        asked = anyio.run(killed, vendor)
        everything = [write for writes in asked.values() for write in writes]
        done = {write.operation_id: _done(sandbox, write) for write in everything}
    ends = Counter(f"{write.kind}, done {done[write.operation_id]}" for write in everything)
    replays = sum(bool(write.answers[-1].get("replayed")) for write in everything)
    # Shown by `pytest -rP`.
    print(f"{kills} kills, {len(everything)} writes: {dict(ends)}, {replays} replayed")
    assert len(everything) == AT_ONCE * kills
    for write in everything:
        wanted = EFFECTS_OF.get(write.tool, 1)
        told = f"{write.tool} {write.operation_id}: {done[write.operation_id]}, {write.answers}"
        assert done[write.operation_id] <= wanted, f"doubled: {told}"
        if write.kind == "ok":
            assert done[write.operation_id] == wanted, f"lost: {told}"
        else:
            # It may well have been done.
            assert write.kind == "outcome-unknown", told
            assert write.tool in UNDECIDABLE, told
    # Kills did strike between the vendor's effect and our answer.
    assert replays
    for ledger, writes in asked.items():
        anyio.run(_remembers, ledger, writes)


async def _remembers(path: Path, writes: list[Write]) -> None:
    """The ledger holds what was asked of it and nothing else, as it was answered, audited whole."""
    ledger = await SqliteLedger.open(path)
    states: dict[str, State] = {}
    after = None
    while True:
        page = await ledger.list(Partition("default", "live"), Filters(), 500, after)
        states |= {row.id: row.state for row in page.operations}
        if (after := page.next) is None:
            break
    verdicts = await ledger.verify()
    await ledger.close()
    assert states == {write.operation_id: STATES[str(write.kind)] for write in writes}
    assert [verdict.findings for verdict in verdicts] == [()]


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
