"""What the properties of rating draw from, and cycles rated from what was drawn."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import islice, pairwise

from hypothesis import settings
from hypothesis import strategies as st

from billing_mcp.rating.cycle_charges import CycleCharges, charges
from billing_mcp.rating.cycles import Cycle, cycles
from billing_mcp.rating.plan import Plan
from rating.engine_inputs import measured, midnight
from rating.reference import random_cases

# A busy machine may stop for longer than the 200 ms that an example is given otherwise.
unhurried = settings(deadline=None)

seeds = st.integers(min_value=0, max_value=2**32)
currencies = st.sampled_from(random_cases.CURRENCIES)
quantities = st.decimals(min_value=0, max_value=2000, places=3)
rates = st.decimals(min_value=0, max_value=100, places=6)
days = st.dates(min_value=date(1999, 12, 1), max_value=date(2101, 3, 1))

JANUARY = Cycle(
    number=0,
    start=midnight(date(2026, 1, 1)),
    end=midnight(date(2026, 2, 1)),
    whole_start=midnight(date(2026, 1, 1)),
    whole_end=midnight(date(2026, 2, 1)),
)


def exact_sum(amounts: Iterable[Decimal]) -> Fraction:
    """Python's own sum of decimals keeps 28 digits, and there are longer amounts."""
    return sum((Fraction(amount) for amount in amounts), Fraction(0))


def rated_with(made: random_cases.Case, plan: Plan) -> CycleCharges:
    """The last cycle of the first few that the association has."""
    cycle, following = running(plan, made, made.cycle + 1)[-1]
    return charges(plan, made.currency, cycle, measured(made), following=following)


def running(plan: Plan, made: random_cases.Case, count: int) -> list[tuple[Cycle, Cycle | None]]:
    assert plan.cycle is not None
    found: list[Cycle | None] = list(
        islice(cycles(plan.cycle, made.associated, made.until), count + 1)
    )
    if len(found) <= count:
        found.append(None)
    return [(cycle, following) for cycle, following in pairwise(found) if cycle is not None]
