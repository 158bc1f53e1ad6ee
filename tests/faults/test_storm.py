"""Ten thousand writes of every kind through a vendor that breaks three of ten requests: nothing
is done twice, nothing that was done is called undone, nothing undone is called done."""

import pytest

from faults.company_states import EVERYTHING
from faults.storm import storm
from faults.undecidable import UNDECIDABLE
from guard.guarded import guarded

pytestmark = pytest.mark.anyio

# A request is answered in milliseconds; one that is stalled costs this much.
PATIENCE_S = 0.5


@pytest.mark.parametrize(
    ("calls", "seed"),
    # Ten thousand among eight companies: looking for a lost write reads what a company has.
    [(400, 1), *(pytest.param(1_250, seed, marks=pytest.mark.long) for seed in range(2, 10))],
)
async def test_a_storm_of_writes_loses_nothing_and_doubles_nothing(calls: int, seed: int) -> None:
    async with guarded(EVERYTHING) as at:
        for vendor in ("togai", "suger"):
            at.server.tenant.connection(vendor).timeout_s = PATIENCE_S
        tally = await storm(at, calls, seed)
    # Shown by `pytest -rP`.
    print(f"{calls} calls: {tally.ends}, undecided {tally.undecided}, answers {tally.answers}")
    assert tally.doubled == []
    assert tally.lost == []
    assert tally.denied == []
    assert tally.undecided.keys() <= UNDECIDABLE.keys()
    # The storm was one, and the calls came through it.
    assert tally.answers["outcome-unknown"] > calls // 20
    assert tally.ends["done"] > calls * 95 // 100
    assert sum(tally.ends.values()) + tally.undecided.total() == calls
