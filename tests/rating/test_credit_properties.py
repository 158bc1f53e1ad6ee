"""What must hold for every use of credits, whatever they are and pay for."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from billing_mcp.rating.credits import CreditState, apply_credits
from billing_mcp.rating.cycle_charges import charges
from billing_mcp.rating.lines import leaf
from billing_mcp.rating.plan import read_plan
from rating.drawn import JANUARY, rated_with, running, seeds, unhurried
from rating.engine_inputs import credit_states, measured
from rating.reference import random_cases


@unhurried
@given(seed=seeds)
def test_a_credit_is_used_up_over_the_cycles_and_never_beyond_what_was_granted(seed: int) -> None:
    made = random_cases.case(Random(seed))
    plan = read_plan(made.details)
    granted = credit_states(made)
    left = {credit.id: credit for credit in granted}
    used = dict.fromkeys(left, Decimal(0))
    for cycle, following in running(plan, made, 4):
        rated = charges(plan, made.currency, cycle, measured(made), following=following)
        use = apply_credits(rated.lines, list(left.values()), cycle, made.currency)
        for name, amount in use.by_credit().items():
            assert amount > 0
            assert left[name].effective_from < cycle.end
            until = left[name].effective_until
            assert until is None or until > cycle.start
            used[name] += amount
            left[name] = replace(left[name], left=left[name].left - amount)
        paid = [Decimal(0)] * len(rated.lines)
        for each in use.uses:
            paid[each.line] += each.amount
        assert all(paid[number] <= line.amount for number, line in enumerate(rated.lines))
    for credit in granted:
        assert left[credit.id].left >= 0
        assert used[credit.id] + left[credit.id].left == credit.left


@unhurried
@given(seed=seeds, more=st.decimals(min_value=0, max_value=5000, places=2))
def test_another_credit_never_makes_an_invoice_dearer(seed: int, more: Decimal) -> None:
    made = random_cases.case(Random(seed))
    plan = read_plan(made.details)
    rated = rated_with(made, plan)
    credits_ = credit_states(made)
    without = apply_credits(rated.lines, credits_, rated.cycle, made.currency)
    another = CreditState("another", 1, rated.cycle.start, None, rated.cycle.start, more)
    with_it = apply_credits(rated.lines, [*credits_, another], rated.cycle, made.currency)
    assert without.total <= with_it.total <= without.total + more


@unhurried
@given(seed=seeds, shuffled=st.randoms(use_true_random=False))
def test_the_order_in_which_credits_are_listed_does_not_matter(seed: int, shuffled: Random) -> None:
    made = random_cases.case(Random(seed))
    rated = rated_with(made, read_plan(made.details))
    credits_ = credit_states(made)
    before = apply_credits(rated.lines, credits_, rated.cycle, made.currency)
    shuffled.shuffle(credits_)
    assert apply_credits(rated.lines, credits_, rated.cycle, made.currency) == before


@unhurried
@given(
    begins=st.sampled_from((-(10**6), -1, 0, 1)),
    ends=st.sampled_from((-1, 0, 1, 10**6)),
    first=st.booleans(),
    second=st.booleans(),
)
def test_a_credit_pays_only_if_it_lives_for_a_moment_of_the_cycle(
    begins: int, ends: int, first: bool, second: bool
) -> None:
    """Seconds from the cycle's first instant or, if not `first` (`second`), from its end."""
    edges = (JANUARY.start, JANUARY.end)
    since = edges[not first] + timedelta(seconds=begins)
    until = edges[not second] + timedelta(seconds=ends)
    assume(since < until)
    line = leaf("CUSTOM_AMOUNT", "Work", Fraction(10), "USD")
    credit = CreditState("cred.1", 1, since, until, JANUARY.start, Decimal(4))
    paid = apply_credits([line], [credit], JANUARY, "USD").total
    # What they share is [later start, earlier end), and it must not be empty.
    shared = min(until, JANUARY.end) - max(since, JANUARY.start)
    assert paid == (4 if shared > timedelta(0) else 0)
