"""What is always true of a company, whatever is done to it through the tools."""

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies

from life.lives import Step, lived, steps

HISTORIES = strategies.lists(steps(), min_size=12, max_size=40)
QUICK = settings(
    max_examples=4,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(QUICK, max_examples=60)


def run(history: list[Step]) -> None:
    untrue = anyio.run(lived, history)
    if untrue is not None:
        raise untrue


@given(history=HISTORIES)
@QUICK
def test_the_books_of_a_company_are_true_whatever_is_done_to_it(history: list[Step]) -> None:
    run(history)


@pytest.mark.long
@given(history=HISTORIES)
@LONG
def test_the_books_stay_true_over_many_long_lives(history: list[Step]) -> None:
    run(history)
