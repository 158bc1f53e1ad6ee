"""What must hold for one card, whatever its slabs and the usage are."""

from decimal import Decimal
from fractions import Fraction
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from billing_mcp import money
from billing_mcp.rating.cards import RatePlan, RateValue, Slab, SlabRate
from billing_mcp.rating.cycle_charges import Measured, charges
from billing_mcp.rating.plan import Plan, read_plan
from billing_mcp.rating.slabs import rate_slabs
from rating.drawn import JANUARY, currencies, quantities, rates, seeds, unhurried
from rating.reference import random_cases


@unhurried
@given(seed=seeds, currency=currencies, quantity=quantities, more=quantities)
def test_more_usage_never_costs_less_on_a_tiered_card(
    seed: int, currency: str, quantity: Decimal, more: Decimal
) -> None:
    plan = one_card(seed, currency, "TIERED")
    assert bill_of(plan, currency, quantity) <= bill_of(plan, currency, quantity + more)


@unhurried
@given(seed=seeds, currency=currencies, quantity=quantities, more=quantities)
def test_more_usage_never_costs_less_within_one_slab_of_a_volume_card(
    seed: int, currency: str, quantity: Decimal, more: Decimal
) -> None:
    plan = one_card(seed, currency, "VOLUME")
    edges = [slab.start_after for slab in plan.usage_cards[0].rate_plan.slabs]
    # Both must lie in the slab that the larger one reaches.
    floor = max((edge for edge in edges if edge < quantity + more), default=Decimal(0))
    assume(floor < quantity)
    assert bill_of(plan, currency, quantity) <= bill_of(plan, currency, quantity + more)


@unhurried
@given(
    edge_gaps=st.lists(st.decimals(min_value="0.01", max_value=500, places=2), max_size=6),
    prices=st.lists(rates, min_size=7, max_size=7),
    step=st.decimals("0.001", "0.01", places=3),
)
def test_a_tiered_card_of_per_unit_slabs_does_not_jump_at_an_edge(
    edge_gaps: list[Decimal], prices: list[Decimal], step: Decimal
) -> None:
    edges = [sum(edge_gaps[:count], Decimal(0)) for count in range(len(edge_gaps) + 1)]
    rate_plan = RatePlan(
        "TIERED", tuple(Slab(order, edge, "PER_UNIT") for order, edge in enumerate(edges, 1))
    )
    slab_rates = tuple(SlabRate(order, prices[order - 1]) for order in range(1, len(edges) + 1))
    rate_value = RateValue("USD", slab_rates)
    for order, edge in enumerate(edges[1:], 1):
        at = rate_slabs(rate_plan, rate_value, edge).total
        assert at - rate_slabs(rate_plan, rate_value, edge - step).total == Fraction(
            prices[order - 1]
        ) * Fraction(step)
        assert rate_slabs(rate_plan, rate_value, edge + step).total - at == Fraction(
            prices[order]
        ) * Fraction(step)


@unhurried
@given(seed=seeds, currency=currencies, quantity=quantities)
def test_a_tiered_card_rates_every_unit_once_and_a_volume_card_all_in_one_slab(
    seed: int, currency: str, quantity: Decimal
) -> None:
    for model in ("TIERED", "VOLUME"):
        card = one_card(seed, currency, model).usage_cards[0]
        found = rate_slabs(card.rate_plan, card.rate_values[currency], quantity).charges
        assert sum(each.units for each in found) == quantity
        assert all(each.units > 0 for each in found)
        if model == "VOLUME":
            assert len(found) == (quantity > 0)


@unhurried
@given(seed=seeds, currency=currencies, quantity=quantities)
def test_tiered_and_volume_are_the_same_up_to_the_first_edge(
    seed: int, currency: str, quantity: Decimal
) -> None:
    tiered, volume = (one_card(seed, currency, model) for model in ("TIERED", "VOLUME"))
    edges = [slab.start_after for slab in tiered.usage_cards[0].rate_plan.slabs][1:]
    quantity = min([quantity, *edges])
    assert bill_of(tiered, currency, quantity) == bill_of(volume, currency, quantity)


@unhurried
@given(seed=seeds, currency=currencies, quantity=quantities)
def test_a_card_never_leaves_its_bounds_rounded_to_the_minor_unit(
    seed: int, currency: str, quantity: Decimal
) -> None:
    plan = one_card(seed, currency, "TIERED")
    bounds = plan.usage_cards[0].rate_values[currency].bounds
    bill = bill_of(plan, currency, quantity)
    if bounds.minimum is not None:
        assert bill >= money.rounded(bounds.minimum, currency)
    if bounds.maximum is not None:
        assert bill <= money.rounded(bounds.maximum, currency)


def one_card(seed: int, currency: str, model: str) -> Plan:
    """A plan with one usage card, of random slabs."""
    card = random_cases.usage(Random(seed), 0, [currency])
    card["ratePlan"]["pricingModel"] = model
    return read_plan({"supportedCurrencies": [currency], "usageRateCards": [card]})


def bill_of(plan: Plan, currency: str, quantity: Decimal) -> Decimal:
    meter = plan.usage_cards[0].usage_meter_id
    usage_ = Measured(usage={meter: quantity})
    return charges(plan, currency, JANUARY, usage_, following=None).gross
