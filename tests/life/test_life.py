"""What is always true of a company, whatever is done to it through the tools."""

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies

from life import reads
from life.arrival import Month, compared, months
from life.company import founded
from life.lives import Step, begin, check, live, lived, steps
from life.steps import STEPS

# Nothing is left in the tree, and every run lives the same lives.
SETTINGS = settings(
    deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
SHORT = strategies.lists(steps(), min_size=8, max_size=12)
LONG = strategies.lists(steps(), min_size=30, max_size=60)
# A year in which each step is taken once, with numbers that make most of them succeed.
YEAR = [Step(name, (0, 0, 0, 1, 1, 0, 1, 0, 0)) for name in STEPS]


def run(history: list[Step]) -> None:
    untrue = anyio.run(lived, history)
    if untrue is not None:
        raise untrue


@given(history=SHORT)
@settings(SETTINGS, max_examples=4)
def test_the_books_are_true_whatever_is_done_for_some_weeks(history: list[Step]) -> None:
    run(history)


@given(month=months())
@settings(SETTINGS, max_examples=2)
def test_the_same_events_in_another_order_are_billed_alike(month: Month) -> None:
    assert anyio.run(compared, month) == []


@pytest.mark.long
@given(history=LONG)
@settings(SETTINGS, max_examples=70)
def test_the_books_are_true_over_months_of_anything(history: list[Step]) -> None:
    run(history)


@pytest.mark.long
@given(month=months())
@settings(SETTINGS, max_examples=30)
def test_many_months_of_events_in_another_order_are_billed_alike(month: Month) -> None:
    assert anyio.run(compared, month) == []


@pytest.mark.long
@pytest.mark.anyio
async def test_no_tool_that_only_reads_changes_anything_after_a_full_life() -> None:
    async with founded() as company:
        await begin(company)
        await live(company, YEAR)
        await reads.leave_something_of_everything(company)

        missed = await reads.look_at_everything(company)

        # What the other vendor needs ids of its own for.
        assert missed == {"batch-validate-usagerecordgroups", "get-billable-metric"}
        await check(company)
