"""What must hold for every plan, usage, credit and calendar, whatever the figures are."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import islice, pairwise
from random import Random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from billing_mcp import money
from billing_mcp.rating import marketplace
from billing_mcp.rating.cards import RatePlan, RateValue, Slab, SlabRate
from billing_mcp.rating.commitment import charge as true_up
from billing_mcp.rating.credits import CreditState, CreditUse, apply_credits
from billing_mcp.rating.cycle_charges import CycleCharges, Measured, charges
from billing_mcp.rating.cycles import Cycle, cycle_at, cycle_number, cycles, grace_end
from billing_mcp.rating.fixed_fee import charge as fixed_fee
from billing_mcp.rating.invoice import invoice_tree
from billing_mcp.rating.lines import leaf
from billing_mcp.rating.meters import Event, read_meter, units, usage
from billing_mcp.rating.plan import Plan, read_plan
from billing_mcp.rating.slabs import rate_slabs
from rating.engine_inputs import credit_states, measured, midnight
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


# Slabs


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


# Invoices


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


# Credits


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


# Usage meters

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


# Marketplace


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


# Cycles


@st.composite
def cycle_rules(draw: st.DrawFn) -> dict[str, Any]:
    return random_cases.cycle_config(Random(draw(seeds)))


@unhurried
@given(config=cycle_rules(), associated=days, lasts=st.one_of(st.none(), st.integers(1, 3000)))
def test_cycles_tile_the_association_without_gap_or_overlap(
    config: dict[str, Any], associated: date, lasts: int | None
) -> None:
    rule = plan_of(config).cycle
    assert rule is not None
    until = None if lasts is None else associated + timedelta(days=lasts)
    found = list(islice(cycles(rule, associated, until), 30))
    assert found[0].start == midnight(associated)
    assert [cycle.number for cycle in found] == list(range(len(found)))
    for earlier, later in pairwise(found):
        assert earlier.end == later.start == earlier.whole_end == later.whole_start
    for cycle in found:
        assert cycle.whole_start <= cycle.start < cycle.end <= cycle.whole_end
        assert cycle == cycle_number(rule, associated, until, cycle.number)
    if until is not None and len(found) < 30:
        assert found[-1].end == midnight(until)
        assert cycle_number(rule, associated, until, len(found)) is None


@unhurried
@given(
    config=cycle_rules(),
    associated=days,
    lasts=st.one_of(st.none(), st.integers(1, 3000)),
    seconds=st.integers(-(10**7), 10**8),
)
def test_the_cycle_of_a_moment_contains_it_and_is_the_only_one_that_does(
    config: dict[str, Any], associated: date, lasts: int | None, seconds: int
) -> None:
    rule = plan_of(config).cycle
    assert rule is not None
    until = None if lasts is None else associated + timedelta(days=lasts)
    moment = midnight(associated) + timedelta(seconds=seconds)
    cycle = cycle_at(rule, associated, until, moment)
    inside = seconds >= 0 and (until is None or moment < midnight(until))
    assert (cycle is not None) == inside
    if cycle is not None:
        assert cycle.start <= moment < cycle.end
        assert cycle == cycle_number(rule, associated, until, cycle.number)
        assert cycle_at(rule, associated, until, cycle.end) != cycle
        assert cycle_at(rule, associated, until, cycle.start) == cycle


@unhurried
@given(config=cycle_rules(), associated=days, number=st.integers(0, 40))
def test_grace_lasts_whole_days_after_the_cycle_and_ends_later_for_each_later_cycle(
    config: dict[str, Any], associated: date, number: int
) -> None:
    rule = plan_of(config).cycle
    assert rule is not None
    earlier = cycle_number(rule, associated, None, number)
    later = cycle_number(rule, associated, None, number + 1)
    assert earlier is not None
    assert later is not None
    assert grace_end(rule, earlier) - earlier.end == timedelta(days=config["gracePeriod"])
    assert grace_end(rule, earlier) < grace_end(rule, later)
    assert grace_end(rule, earlier).timetz() == time(tzinfo=UTC)


@unhurried
@given(config=cycle_rules(), associated=days, number=st.integers(0, 40))
def test_a_cycle_is_as_long_as_its_interval_give_or_take_what_months_differ_by(
    config: dict[str, Any], associated: date, number: int
) -> None:
    rule = plan_of(config).cycle
    assert rule is not None
    cycle = cycle_number(rule, associated, None, number)
    assert cycle is not None
    shortest, longest = {
        "WEEKLY": (7, 7),
        "MONTHLY": (28, 31),
        "QUARTERLY": (89, 92),
        "HALF_YEARLY": (181, 184),
        "ANNUALLY": (365, 366),
    }[config["interval"]]
    assert shortest <= (cycle.whole_end - cycle.whole_start).days <= longest


# What the tests above are made of


def one_card(seed: int, currency: str, model: str) -> Plan:
    """A plan with one usage card, of random slabs."""
    card = random_cases.usage(Random(seed), 0, [currency])
    card["ratePlan"]["pricingModel"] = model
    return read_plan({"supportedCurrencies": [currency], "usageRateCards": [card]})


def bill_of(plan: Plan, currency: str, quantity: Decimal) -> Decimal:
    meter = plan.usage_cards[0].usage_meter_id
    usage_ = Measured(usage={meter: quantity})
    return charges(plan, currency, JANUARY, usage_, following=None).gross


def exact_sum(amounts: Iterable[Decimal]) -> Fraction:
    """Python's own sum of decimals keeps 28 digits, and there are longer amounts."""
    return sum((Fraction(amount) for amount in amounts), Fraction(0))


def plan_of(config: dict[str, Any]) -> Plan:
    return read_plan({"supportedCurrencies": ["USD"], "pricingCycleConfig": config})


def rated_case(seed: int) -> tuple[CycleCharges, CreditUse]:
    made = random_cases.case(Random(seed))
    rated = rated_with(made, read_plan(made.details))
    return rated, apply_credits(rated.lines, credit_states(made), rated.cycle, made.currency)


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


def passes(event: Event) -> bool:
    """By hand, what the filter and the matcher of `METER` say."""
    return event.dimensions["region"] == "eu" and Decimal(event.attributes["size"]) > Decimal("0.5")


def counted(meter: dict[str, Any], happened: Sequence[Event]) -> Decimal:
    read = read_meter(meter)
    return usage(units(read, event) for event in happened)
