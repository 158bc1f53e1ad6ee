"""Ten thousand writes of every kind through a vendor that breaks three of ten requests: nothing
is done twice, nothing that was done is called undone, nothing undone is called done."""

from typing import Any

import pytest

from faults.storm import storm
from guard.guarded import guarded

pytestmark = pytest.mark.anyio

# A request is answered in milliseconds; one that is stalled costs this much.
PATIENCE_S = 0.5
# Where usage like a lost batch's is there, the vendor does not say which batch it is of.
UNDECIDABLE = {"batch-report-usagerecordgroups"}


@pytest.mark.parametrize(
    ("calls", "seed"),
    [(1_000, 1), pytest.param(10_000, 2, marks=pytest.mark.long)],
)
async def test_a_storm_of_writes_loses_nothing_and_doubles_nothing(
    calls: int, seed: int, record_property: Any
) -> None:
    async with guarded() as at:
        for vendor in ("togai", "suger"):
            at.server.tenant.connection(vendor).timeout_s = PATIENCE_S
        tally = await storm(at, calls, seed)
    record_property("ends", dict(tally.ends))
    record_property("undecided", dict(tally.undecided))
    assert tally.doubled == []
    assert tally.lost == []
    assert tally.denied == []
    assert set(tally.undecided) <= UNDECIDABLE
    # The storm was one, and the calls came through it.
    assert tally.answers["outcome-unknown"] > calls // 20
    assert tally.ends["done"] > calls * 95 // 100
    assert sum(tally.ends.values()) + tally.undecided.total() == calls
