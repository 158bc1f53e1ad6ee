"""What must hold for every meter and for every marketplace quantity, whatever was used."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from billing_mcp import money
from billing_mcp.rating import marketplace
from billing_mcp.rating.meters import Event, read_meter, units, usage
from rating.drawn import exact_sum, quantities, rates, unhurried

METER: dict[str, Any] = {
    "aggregation": "SUM",
    "filters": [{"field": "region", "value": "eu"}],
    "computations": [
        {
            "matcher": '{">": [{"var": "attribute.size"}, 0.5]}',
            "computation": '{"*": [{"var": "attribute.size"}, {"var": "attribute.seconds"}]}',
        }
    ],
}
numbers = st.decimals(min_value=0, max_value=10**12, places=9).map(money.plain)
events = st.lists(
    st.builds(
        lambda region, size, seconds: Event({"region": region}, {"size": size, "seconds": seconds}),
        st.sampled_from(("eu", "us")),
        st.one_of(numbers, st.sampled_from(("0.5", "0.51", "0"))),
        numbers,
    ),
    max_size=25,
)


@unhurried
@given(happened=events, shuffled=st.randoms(use_true_random=False), cut=st.integers(0, 25))
def test_the_order_of_events_and_their_batches_do_not_change_what_a_meter_counts(
    happened: list[Event], shuffled: Random, cut: int
) -> None:
    by_hand = sum(
        Fraction(event.attributes["size"]) * Fraction(event.attributes["seconds"])
        for event in happened
        if event.dimensions["region"] == "eu"
        and Fraction(event.attributes["size"]) > Fraction(1, 2)
    )
    assert Fraction(counted(METER, happened)) == by_hand
    in_batches = counted(METER, happened[:cut]), counted(METER, happened[cut:])
    assert Fraction(in_batches[0]) + Fraction(in_batches[1]) == by_hand
    shuffled.shuffle(happened)
    assert Fraction(counted(METER, happened)) == by_hand


@unhurried
@given(happened=events)
def test_a_count_is_the_number_of_events_that_pass(happened: list[Event]) -> None:
    computation = {**METER["computations"][0], "computation": "1"}
    meter = {**METER, "aggregation": "COUNT", "computations": [computation]}
    passing = [event for event in happened if passes(event)]
    assert counted(meter, happened) == len(passing)


@unhurried
@given(happened=events, place=st.integers(min_value=0))
def test_taking_an_event_back_is_as_if_it_had_never_happened(
    happened: list[Event], place: int
) -> None:
    assume(happened)
    meter = read_meter(METER)
    undone = happened.pop(place % len(happened))
    every = usage(units(meter, event) for event in [*happened, undone])
    lost = units(meter, undone) or Decimal(0)
    assert Fraction(every) - Fraction(lost) == Fraction(counted(METER, happened))


@unhurried
@given(
    reported=st.lists(
        st.dictionaries(st.sampled_from(("a", "b", "c")), quantities, max_size=3), max_size=8
    )
)
def test_whole_quantities_and_the_fraction_carried_add_up_to_what_was_used(
    reported: list[dict[str, Decimal]],
) -> None:
    carried: dict[str, Decimal] = {}
    sent: dict[str, Decimal] = {}
    for quantity in reported:
        whole, fractions = marketplace.whole(quantity, carried)
        assert all(number == int(number) and number >= 0 for number in whole.values())
        carried = carried | fractions
        assert all(0 <= number < 1 for number in carried.values())
        marketplace.add(sent, whole)
    for key in "abc":
        used = sum((quantity.get(key, Decimal(0)) for quantity in reported), Decimal(0))
        assert sent.get(key, Decimal(0)) + carried.get(key, Decimal(0)) == used


@unhurried
@given(
    used=st.dictionaries(st.sampled_from(("a", "b", "c")), quantities, max_size=3),
    prices=st.dictionaries(st.sampled_from(("a", "b", "c")), rates, max_size=3),
    left=st.decimals(min_value=0, max_value=10**5, places=2),
)
def test_a_commit_pays_what_it_can_and_covers_and_leaves_exactly_what_was_used(
    used: dict[str, Decimal], prices: dict[str, Decimal], left: Decimal
) -> None:
    drawn = marketplace.draw(used, prices, left)
    for key, quantity in used.items():
        covered = drawn.covered.get(key, Decimal(0))
        assert covered + drawn.beyond.get(key, Decimal(0)) == quantity
        assert 0 <= covered <= quantity
        assert covered == 0 or prices.get(key, Decimal(0)) > 0
    worth = exact_sum(quantity * prices.get(key, Decimal(0)) for key, quantity in used.items())
    assert Fraction(drawn.amount) == min(Fraction(left), worth)


def passes(event: Event) -> bool:
    """By hand, what the filter and the matcher of `METER` say."""
    return event.dimensions["region"] == "eu" and Decimal(event.attributes["size"]) > Decimal("0.5")


def counted(meter: dict[str, Any], happened: Sequence[Event]) -> Decimal:
    read = read_meter(meter)
    return usage(units(read, event) for event in happened)
