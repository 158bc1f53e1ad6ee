"""Usage meters: what an event counts for."""

import random
from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.rating.json_logic import LogicError
from billing_mcp.rating.meters import Event, read_meter, units, usage

DELIVERY = Event({"city": "chennai", "tier": "gold"}, {"distance": "12.5", "stops": "3"})


def meter(aggregation: str = "SUM", filters: Any = None, **computation: Any) -> Any:
    given: dict[str, Any] = {"aggregation": aggregation, "filters": filters}
    if computation:
        given["computations"] = [{"order": 1, **computation}]
    return read_meter(given)


@pytest.mark.parametrize(
    ("computation", "expected"),
    [
        ('{"var": "attribute.distance"}', "12.5"),
        ('{"var": "attributes.distance"}', "12.5"),
        # 12.5 x 0.4 + 3 = 8
        ('{"+": [{"*": [{"var": "attributes.distance"}, 0.4]}, {"var": "attributes.stops"}]}', "8"),
        ('{"if": [{"==": [{"var": "dimension.tier"}, "gold"]}, 2, 1]}', "2"),
        ("1", "1"),
        ('{"-": [0, {"var": "attributes.stops"}]}', "-3"),
        ({"var": "dimensions.none"}, None),
    ],
)
def test_a_sum_adds_what_its_computation_gives(computation: Any, expected: str | None) -> None:
    summing = meter(computation=computation)

    if expected is None:
        with pytest.raises(LogicError, match="missing"):
            units(summing, DELIVERY)
    else:
        assert units(summing, DELIVERY) == Decimal(expected)


@pytest.mark.parametrize(
    ("filters", "counted"),
    [
        ([], True),
        ([{"field": "city", "value": "chennai"}], True),
        ([{"field": "city", "value": "oslo"}], False),
        ([{"field": "none", "value": "chennai"}], False),
        ([{"field": "city", "value": "chennai"}, {"field": "tier", "value": "gold"}], True),
        ([{"field": "city", "value": "chennai"}, {"field": "tier", "value": "iron"}], False),
    ],
)
def test_every_filter_must_hold(filters: list[dict[str, str]], counted: bool) -> None:
    assert units(meter("COUNT", filters), DELIVERY) == (Decimal(1) if counted else None)


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ('{">": [{"var": "attributes.distance"}, 10]}', "12.5"),
        ('{">": [{"var": "attributes.distance"}, 12.5]}', None),
        ("", "12.5"),
    ],
)
def test_a_matcher_lets_an_event_pass_by(matcher: str, expected: str | None) -> None:
    matching = meter(matcher=matcher, computation='{"var": "attributes.distance"}')

    assert units(matching, DELIVERY) == (None if expected is None else Decimal(expected))


def test_a_count_adds_one_whatever_its_computation_says() -> None:
    assert units(meter("COUNT", computation='{"var": "attributes.stops"}'), DELIVERY) == 1
    assert units(meter("COUNT"), DELIVERY) == 1
    assert units(meter("SUM"), DELIVERY) == 1


def test_an_unknown_aggregation_is_refused() -> None:
    with pytest.raises(LogicError, match="MAX"):
        meter("MAX")


def test_usage_is_the_exact_sum_in_any_order_and_in_any_batches() -> None:
    added = [Decimal("0.1"), None, Decimal("1E+40"), Decimal("0.0000000001"), Decimal(-3), None]
    # 10^40 - 3 + 0.1 + 0.0000000001
    expected = Decimal("9999999999999999999999999999999999999997.1000000001")

    for seed in range(20):
        random.Random(seed).shuffle(added)
        assert usage(added) == expected
        assert usage([usage(added[:2]), usage(added[2:])]) == expected


def test_no_events_are_no_usage() -> None:
    assert usage([]) == 0
