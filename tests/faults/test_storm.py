"""Ten thousand writes of every kind through a vendor that breaks three of ten requests: nothing
is done twice, nothing that was done is called undone, nothing undone is called done."""

from pathlib import Path

import pytest

from billing_mcp.config import Settings
from faults.storm import UNDECIDABLE, permissive, storm
from guard.guarded import guarded

pytestmark = pytest.mark.anyio

# A request is answered in milliseconds; one that is stalled costs this much.
PATIENCE_S = 0.5


@pytest.mark.parametrize(
    ("calls", "seed"),
    # Ten thousand among eight companies: looking for a lost write reads what a company has.
    [(400, 1), *(pytest.param(1_250, seed, marks=pytest.mark.long) for seed in range(2, 10))],
)
async def test_a_storm_of_writes_loses_nothing_and_doubles_nothing(
    calls: int, seed: int, tmp_path: Path
) -> None:
    async with guarded(Settings(policy=permissive(tmp_path))) as at:
        for vendor in ("togai", "suger"):
            at.server.tenant.connection(vendor).timeout_s = PATIENCE_S
        tally = await storm(at, calls, seed)
    # Shown by `pytest -rP`.
    print(f"{calls} calls: {tally.ends}, undecided {tally.undecided}, answers {tally.answers}")
    assert tally.doubled == []
    assert tally.lost == []
    assert tally.denied == []
    assert set(tally.undecided) <= UNDECIDABLE
    # The storm was one, and the calls came through it.
    assert tally.answers["outcome-unknown"] > calls // 20
    assert tally.ends["done"] > calls * 95 // 100
    assert sum(tally.ends.values()) + tally.undecided.total() == calls
