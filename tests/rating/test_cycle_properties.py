"""What must hold for every cycle, whatever the rule and the day of the association are."""

from datetime import UTC, date, time, timedelta
from itertools import islice, pairwise
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from billing_mcp.rating.cycles import cycle_at, cycle_number, cycles, grace_end
from billing_mcp.rating.plan import Plan, read_plan
from rating.drawn import days, seeds, unhurried
from rating.engine_inputs import midnight
from rating.reference import random_cases


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


def plan_of(config: dict[str, Any]) -> Plan:
    return read_plan({"supportedCurrencies": ["USD"], "pricingCycleConfig": config})
