"""The process killed with SIGKILL in the middle of writes: nothing doubled, nothing forgotten."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import anyio
import pytest

from billing_mcp.guard.operations import Filters, Partition, State
from billing_mcp.guard.sqlite_ledger import SqliteLedger
from faults.forking import forks
from faults.killing import AT_ONCE, Write, killed_over_and_over, started, writes
from faults.undecidable import UNDECIDABLE
from faults.wishes import Wishes, stocked
from processes import served_sandbox
from world import furnish

STATES = {"ok": State.COMMITTED, "outcome-unknown": State.UNKNOWN}
# Longer than the leases of the dead.
LATER_S = 60


@pytest.mark.parametrize(("kills", "seed"), [(8, 1), pytest.param(500, 2, marks=pytest.mark.long)])
def test_a_process_that_is_killed_again_and_again_doubles_and_forgets_nothing(
    kills: int, seed: int, tmp_path: Path
) -> None:
    many = kills > 8

    async def killed(vendor: str, new: Iterator[Write]) -> dict[Path, list[Write]]:
        async with forks() as processes:
            later = partial(processes.child, ahead_s=LATER_S)
            return await killed_over_and_over(
                vendor,
                tmp_path,
                new,
                Random(seed),
                kills,
                # Forked, because most are killed before they have lived as long as a start takes.
                start=processes.child,
                # Started and waiting as any other, or quickly.
                last=started if many else later,
            )

    with served_sandbox() as (sandbox, vendor):
        new = writes(Wishes(stocked(furnish(sandbox))), Random(seed))
        asked = anyio.run(killed, vendor, new)
        everything = [write for of_one in asked.values() for write in of_one]
        done = {
            write.operation_id: write.wish.done(sandbox, write.operation_id) for write in everything
        }
    ends = Counter(f"{write.kind}, done {done[write.operation_id]}" for write in everything)
    replays = sum(bool(write.answers[-1].get("replayed")) for write in everything)
    # Shown by `pytest -rP`.
    print(f"{kills} kills, {len(everything)} writes: {dict(ends)}, {replays} replayed")
    assert len(everything) == AT_ONCE * kills
    for write in everything:
        wanted = write.wish.effects
        told = f"{write.tool} {write.operation_id}: {done[write.operation_id]}, {write.answers}"
        assert done[write.operation_id] <= wanted, f"doubled: {told}"
        if write.kind == "ok":
            assert done[write.operation_id] == wanted, f"lost: {told}"
        else:
            # It may well have been done.
            assert write.kind == "outcome-unknown", told
            assert write.tool in UNDECIDABLE, told
    if many:
        # Kills did strike between the vendor's effect and our answer.
        assert replays
    for ledger, of_one in asked.items():
        anyio.run(_remembers, ledger, of_one)


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
