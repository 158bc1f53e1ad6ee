"""Every write tool at a vendor that fails at any of its requests: what is called done is done once,
what is called undone is not there, and what cannot be known is told to be unknown."""

import re
from importlib.resources import files

import pytest

from faults.company_states import copied
from faults.ordeals import FAULTS, Pair, Write
from faults.undecidable import UNDECIDABLE
from write_tools import WRITES

pytestmark = pytest.mark.anyio

# They set something to a value: where it is so already, what was asked for is there.
SETTING = frozenset(
    {
        *("update-usage-meter", "update-price-plan", "update-alert", "edit-schedule-rate-cards"),
        *("set-price-plan-pricing-rules", "set-schedule-pricing-rules"),
    }
)
# Of these an equal one at the same time does all that was asked for, to the same things.
AS_GOOD = frozenset(
    {
        *("migrate-price-plan-accounts", "migrate-price-plan-v1", "migrate-price-plan-v2"),
        *("create-alert", "create-bill-run"),
    }
)
# Longer than any call: a fault that is put behind its last request does not strike.
MOST_REQUESTS = 40


def test_the_guide_to_errors_names_the_writes_that_can_stay_unknown() -> None:
    guide = files("billing_mcp").joinpath("guides/errors.md").read_text(encoding="utf-8")
    sentence = guide.partition("Where a vendor offers no way, ")[2].partition(" it stays")[0]
    assert set(re.findall(r"`([a-z-]+)`", sentence)) == set(UNDECIDABLE)


@pytest.mark.parametrize("tool", WRITES)
async def test_a_write_whose_answer_is_lost_is_found_again(tool: str) -> None:
    async with copied() as at:
        end = await (await Write.of(at, tool)).loss("reset-after")
    assert end.struck
    assert end.wrongs == []
    assert (end.kind == "ok") == (tool not in UNDECIDABLE)


@pytest.mark.long
@pytest.mark.parametrize("tool", WRITES)
async def test_a_write_is_done_once_or_not_at_all_whichever_request_is_struck(tool: str) -> None:
    wrongs, requests = {}, 0
    async with copied() as at:
        write = await Write.of(at, tool)
        for fault in FAULTS:
            for lasts in ({}, {"times": 1}):
                for skip in range(MOST_REQUESTS):
                    end = await write.ordeal(fault, skip=skip, **lasts)
                    if not end.struck:
                        break
                    requests = max(requests, skip + 1)
                    if end.wrongs or (end.kind != "ok" and tool not in UNDECIDABLE):
                        wrongs[fault, skip, *lasts] = end
    assert 0 < requests < MOST_REQUESTS
    assert wrongs == {}


@pytest.mark.long
@pytest.mark.parametrize("tool", sorted(set(WRITES) - SETTING))
async def test_an_equal_write_of_somebody_else_never_passes_for_one_that_was_lost(
    tool: str,
) -> None:
    async with copied() as at:
        pair = await Pair.of(at, tool)
        if pair is not None:
            assert await pair.earlier("reset-before") == []
            assert await pair.earlier("reset-after") == []
            assert tool in AS_GOOD or await pair.meanwhile() == []
