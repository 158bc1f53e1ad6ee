"""Marketplace figures: aggregation, mapping, the commit, list prices, whole numbers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.rating import marketplace
from billing_mcp.rating.marketplace import Aggregate, Destination, Metric, at_list_price, draw

Json = dict[str, Any]


def amounts(**quantities: str) -> dict[str, Decimal]:
    return {key: Decimal(quantity) for key, quantity in quantities.items()}


def record(quantity: str, **properties: Any) -> Json:
    return {"key": "m", "quantity": Decimal(quantity), "properties": properties}


def metric(aggregation: str, **info: Any) -> Metric:
    return Metric("m", "Metric", aggregation, info)


def figures(
    of: Metric, *records: Json, seen: Mapping[str, set[str]] | None = None
) -> list[tuple[str, str]]:
    found = marketplace.aggregate(of, records, seen or {})
    return [(figure.group, str(figure.quantity)) for figure in found]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [("COUNT", "3"), ("SUM", "7.5"), ("MAX", "4"), ("LAST", "1.5")],
)
def test_records_become_one_figure(aggregation: str, expected: str) -> None:
    # 2 + 4 + 1.5 = 7.5
    records = [record("2"), record("4"), record("1.5")]

    assert figures(metric(aggregation), *records) == [("", expected)]


def test_a_unique_count_counts_each_value_once_and_not_what_was_counted_before() -> None:
    unique = metric("UNIQUE_COUNT", propertyUniqueOn="user")
    records = [record("1", user=user) for user in ("a", "b", 1, "1", "a", "seen")]

    (figure,) = marketplace.aggregate(unique, [*records, record("1")], {"": {"seen"}})

    assert figure == Aggregate(unique, "", Decimal(3), ("a", "b", "1"))


def test_records_that_a_filter_stops_are_not_counted() -> None:
    linux = {"name": "os", "operation": "IS", "value": "linux", "valueType": "STRING"}
    filtered = metric("COUNT", filterGroups=[{"filters": [linux]}])

    assert figures(filtered, record("1", os="linux"), record("1", os="bsd")) == [("", "1")]
    assert figures(filtered, record("1", os="bsd")) == []


def test_each_combination_of_properties_is_a_figure_of_its_own() -> None:
    grouped = metric("SUM", groupBys=["os", "size"])

    found = figures(
        grouped,
        record("1", os="linux", size=2),
        record("2", os="linux", size="2"),
        record("4", os="bsd", size=2),
        record("8", os="bsd"),
        record("16", os="bsd", size=True),
    )

    assert found == [
        ("os=linux,size=2", "3"),
        ("os=bsd,size=2", "4"),
        ("os=bsd,size=", "8"),
        ("os=bsd,size=true", "16"),
    ]


@pytest.mark.parametrize(
    ("operation", "kind", "wanted", "value", "holds"),
    [
        ("IS", "STRING", "eu", "eu", True),
        ("IS", "STRING", "eu", "europe", False),
        ("NOT_IS", "STRING", "eu", "us", True),
        ("NOT_IS", "STRING", "eu", None, True),
        ("CONTAINS", "STRING", "eu", "europe", True),
        ("NOT_CONTAINS", "STRING", "eu", "europe", False),
        ("EXISTS", "STRING", "", "x", True),
        ("EXISTS", "STRING", "", None, False),
        ("NOT_EXISTS", "STRING", "", None, True),
        ("GT", "FLOAT", "5", "5.01", True),
        ("GT", "FLOAT", "5", 5, False),
        ("GTE", "FLOAT", "5", 5, True),
        ("LT", "FLOAT", "5", "4.99", True),
        ("LTE", "FLOAT", "5", Decimal("5.0"), True),
        ("EQ", "FLOAT", "5", "5.0", True),
        ("NOT_EQ", "FLOAT", "5", "6", True),
        ("EQ", "FLOAT", "5", "five", False),
        ("EQ", "FLOAT", "1", True, False),
        # 17 and 40 digits, of which none may be lost
        ("EQ", "FLOAT", "12345678901234567", 12345678901234567, True),
        ("GT", "FLOAT", "12345678901234567", 12345678901234568, True),
        ("LT", "FLOAT", "12345678901234567", 12345678901234566, True),
        ("GT", "FLOAT", "9" * 40, 10**40, True),
        ("GTE", "FLOAT", "1" + "0" * 40, 10**40 - 1, False),
    ],
)
def test_a_filter_lets_records_through(
    operation: str, kind: str, wanted: str, value: Any, holds: bool
) -> None:
    condition = {"name": "p", "operation": operation, "value": wanted, "valueType": kind}
    properties = {} if value is None else {"p": value}

    assert marketplace.passes({"filterGroups": [{"filters": [condition]}]}, properties) is holds


def test_filters_are_alternatives_in_a_group_and_all_groups_must_hold() -> None:
    def is_(name: str, value: str) -> Json:
        return {"name": name, "operation": "IS", "value": value, "valueType": "STRING"}

    either = {"filters": [is_("os", "linux"), is_("os", "bsd")]}
    info = {"filterGroups": [either, {"filters": [is_("tier", "gold")]}, {"filters": []}]}

    assert marketplace.passes(info, {"os": "bsd", "tier": "gold"})
    assert not marketplace.passes(info, {"os": "bsd", "tier": "iron"})
    assert not marketplace.passes(info, {"os": "mac", "tier": "gold"})
    assert marketplace.passes({}, {})


def test_a_destination_takes_the_quantity_multiplied_or_the_amount_in_its_own_units() -> None:
    prices = amounts(gb="0.3")

    by_quantity = Destination("gb", "QUANTITY", Decimal("1.5"))
    by_amount = Destination("gb", "AMOUNT", Decimal(1))

    # 10 x 1.5; and 2 / 0.3 = 6.666…, cut to 12 places
    assert by_quantity.quantity(Decimal(10), Decimal(2), prices) == 15
    assert by_amount.quantity(Decimal(10), Decimal(2), prices) == Decimal("6.666666666666")


@pytest.mark.parametrize(
    ("left", "covered", "beyond", "used"),
    [
        # calls 10 x 2 = 20, gb 5 x 3 = 15, seats have no price.
        ("0", {"calls": "0", "gb": "0", "seats": "0"}, {"calls": "10", "gb": "5"}, "0"),
        ("20", {"calls": "10", "gb": "0"}, {"calls": "0", "gb": "5"}, "20"),
        # 6 are left for gb: 2 of its 5
        ("26", {"calls": "10", "gb": "2"}, {"calls": "0", "gb": "3"}, "26"),
        # 5 are left: 5 / 3 = 1.666…
        ("25", {"gb": "1.666666666666"}, {"gb": "3.333333333334"}, "25"),
        ("35", {"calls": "10", "gb": "5", "seats": "0"}, {"gb": "0", "seats": "7"}, "35"),
        ("99", {"calls": "10", "gb": "5", "seats": "0"}, {"gb": "0", "seats": "7"}, "35"),
    ],
)
def test_a_commit_is_used_up_in_the_dimensions_order(
    left: str, covered: dict[str, str], beyond: dict[str, str], used: str
) -> None:
    quantities = amounts(seats="7", gb="5", calls="10")

    drawn = draw(quantities, amounts(calls="2", gb="3"), Decimal(left))

    assert amounts(**covered).items() <= drawn.covered.items()
    assert amounts(**beyond).items() <= drawn.beyond.items()
    assert drawn.amount == Decimal(used)
    assert all(drawn.covered[key] + drawn.beyond[key] == quantities[key] for key in quantities)


def test_a_commit_of_which_less_than_nothing_is_left_is_refused() -> None:
    with pytest.raises(ValueError, match=r"-0\.01 is left of the commit"):
        draw(amounts(calls="1"), amounts(calls="2"), Decimal("-0.01"))


def test_at_list_price_the_quantity_carries_the_difference() -> None:
    # 10 units listed at 3 cost 30; at the agreed 2 that is 15 units.
    adjusted = at_list_price(
        amounts(calls="10", gb="5", seats="7"), amounts(calls="2", gb="1"), amounts(calls="3")
    )

    assert adjusted == amounts(calls="15", gb="5", seats="7")


def test_whole_numbers_are_sent_and_fractions_carried_over() -> None:
    sent, kept = marketplace.whole(amounts(calls="2.7", gb="0.2"), amounts(calls="0.5"))

    # 2.7 + 0.5 = 3.2
    assert sent == amounts(calls="3", gb="0")
    assert kept == amounts(calls="0.2", gb="0.2")


def test_no_fraction_is_lost_over_many_reports() -> None:
    carried: dict[str, Decimal] = {}
    total = Decimal(0)
    for _ in range(10):
        sent, carried = marketplace.whole(amounts(calls="0.7"), carried)
        total += sent["calls"]

    # 10 x 0.7
    assert (total, carried["calls"]) == (Decimal(7), Decimal(0))


def test_sums_by_dimension_are_added_exactly() -> None:
    sums = amounts(calls="1E+30")

    marketplace.add(sums, amounts(calls="0.001", gb="2"))

    assert sums == amounts(calls="1000000000000000000000000000000.001", gb="2")
