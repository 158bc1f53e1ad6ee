"""What must hold for every invoice, whatever the plan and its history are."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from billing_mcp import money
from billing_mcp.rating.commitment import charge as true_up
from billing_mcp.rating.credits import CreditUse, apply_credits
from billing_mcp.rating.cycle_charges import CycleCharges
from billing_mcp.rating.cycles import Cycle
from billing_mcp.rating.fixed_fee import charge as fixed_fee
from billing_mcp.rating.invoice import invoice_tree
from billing_mcp.rating.plan import read_plan
from rating.drawn import currencies, days, exact_sum, rated_with, seeds, unhurried
from rating.engine_inputs import credit_states, midnight
from rating.reference import random_cases


@unhurried
@given(seed=seeds)
def test_every_line_of_an_invoice_is_its_exact_amount_rounded_or_the_sum_of_its_children(
    seed: int,
) -> None:
    rated, use = rated_case(seed)
    for line in invoice_tree(rated, use, "Plan").walk():
        if line.children:
            assert Fraction(line.amount) == exact_sum(child.amount for child in line.children)
        else:
            assert line.amount == money.rounded(line.exact, rated.currency)


@unhurried
@given(seed=seeds)
def test_net_is_gross_less_credits_and_never_negative(seed: int) -> None:
    rated, use = rated_case(seed)
    tree = invoice_tree(rated, use, "Plan")
    assert Fraction(tree.amount) == Fraction(rated.gross) - Fraction(use.total)
    assert Fraction(rated.gross) == exact_sum(line.amount for line in rated.lines)
    assert 0 <= tree.amount <= rated.gross


@unhurried
@given(seed=seeds)
def test_the_order_of_the_cards_in_a_plan_does_not_change_what_is_owed(seed: int) -> None:
    made = random_cases.case(Random(seed))
    backwards = {
        kind: cards[::-1] if kind.endswith("RateCards") else cards
        for kind, cards in made.details.items()
    }
    rated = rated_with(made, read_plan(backwards))
    assert rated.gross == rated_with(made, read_plan(made.details)).gross


@unhurried
@given(
    seed=seeds,
    currency=currencies,
    subtotal=st.decimals(min_value=0, max_value=10**6, places=3),
)
def test_a_true_up_brings_a_subtotal_exactly_to_the_commitment_or_is_nothing(
    seed: int, currency: str, subtotal: Decimal
) -> None:
    commitment = random_cases.amount(Random(seed), 10**6)
    rate = {"currency": currency, "rate": commitment}
    plan = read_plan(
        {
            "supportedCurrencies": [currency],
            "minimumCommitment": {"displayName": "Commitment", "rateValues": [rate]},
        }
    )
    assert plan.minimum_commitment is not None
    owed = money.rounded(subtotal, currency)
    line = true_up(plan.minimum_commitment, currency, owed)
    assert owed + line.amount == max(owed, money.rounded(commitment, currency))


@unhurried
@given(rate=st.decimals(min_value=0, max_value=10**6, places=3), start=days, cut=st.data())
def test_two_parts_of_a_cycle_cost_a_prorated_fee_less_at_most_one_minor_unit(
    rate: Decimal, start: date, cut: st.DataObject
) -> None:
    details = {
        "supportedCurrencies": ["USD"],
        "fixedFeeRateCards": [
            {
                "id": "addon.1",
                "enableProration": True,
                "rateValues": [{"currency": "USD", "rate": rate}],
            }
        ],
    }
    card = read_plan(details).fixed_fees[0]
    length = cut.draw(st.integers(min_value=2, max_value=366))
    kept = cut.draw(st.integers(min_value=1, max_value=length - 1))
    begins = midnight(start)
    middle, ends = begins + timedelta(days=kept), begins + timedelta(days=length)
    fees = [
        fixed_fee(card, "USD", Cycle(number, *edges, whole_start=begins, whole_end=ends))
        for number, edges in ((0, (begins, middle)), (1, (middle, ends)), (2, (begins, ends)))
    ]
    first, second, whole = (fee.amount if fee else Decimal(-1) for fee in fees)
    assert whole == money.rounded(rate, "USD")
    assert whole - Decimal("0.01") <= first + second <= whole


def rated_case(seed: int) -> tuple[CycleCharges, CreditUse]:
    made = random_cases.case(Random(seed))
    rated = rated_with(made, read_plan(made.details))
    return rated, apply_credits(rated.lines, credit_states(made), rated.cycle, made.currency)
