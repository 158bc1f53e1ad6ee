"""JSONLogic of usage meters: exact numbers, JSONLogic's truth, and limits on what is evaluated."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp import money
from billing_mcp.rating import json_logic

DATA = {
    "dimension": {"city": "chennai", "tier": "2"},
    "attributes": {"distance": "10.10", "calls": "0", "long": "9" * 512},
}


def value(logic: Any) -> Any:
    return json_logic.parse(money.to_json(logic).decode()).value(DATA)


@pytest.mark.parametrize(
    ("logic", "expected"),
    [
        (7, 7),
        ("text", "text"),
        ([1, {"+": [1, 1]}], [1, 2]),
        ({"var": "attributes.distance"}, "10.10"),
        ({"var": ["attributes.none", 7]}, 7),
        ({"var": "attributes.none"}, None),
        ({"var": "attributes.distance.deeper"}, None),
        ({"var": ""}, DATA),
        ({"var": {"if": [True, "dimension.city", "none"]}}, "chennai"),
        ({"*": [{"var": "attributes.distance"}, Decimal("0.4")]}, Decimal("4.040")),
        ({"*": [2, 3, "4"]}, 24),
        ({"+": ["1", 2, Decimal("0.1")]}, Decimal("3.1")),
        ({"+": "5"}, 5),
        ({"-": [5, 7]}, -2),
        ({"-": [5]}, -5),
        ({"/": [1, 4]}, Decimal("0.25")),
        ({"/": [2, 3]}, Decimal("0." + "6" * 30)),
        ({"%": [7, 4]}, 3),
        ({"min": [3, "2"]}, 2),
        ({"max": [3, "12"]}, 12),
        ({"if": [{">": [{"var": "attributes.distance"}, 5]}, "far", "near"]}, "far"),
        ({"if": [False, 1, False, 2, 3]}, 3),
        ({"if": [False, 1]}, None),
        ({"if": [True, 1]}, 1),
        ({"?:": [True, 1, 2]}, 1),
        ({"and": [1, "yes"]}, "yes"),
        ({"and": []}, None),
        ({"or": [0, "yes", 3]}, "yes"),
    ],
)
def test_logic_is_computed_exactly(logic: Any, expected: Any) -> None:
    assert value(logic) == expected


def test_long_numbers_keep_every_digit() -> None:
    # 99…9 + 0.1 would be rounded by Python's own context, which has 28 digits.
    assert value({"+": ["9" * 40, "0.1"]}) == Decimal("9" * 40 + ".1")
    assert value({"*": ["1" * 30, 3]}) == Decimal("3" * 30)
    assert value({"-": ["9" * 40, "0.1"]}) == Decimal("9" * 39 + "8.9")


@pytest.mark.parametrize(
    ("logic", "holds"),
    [
        ({"==": [{"var": "dimension.tier"}, 2]}, True),
        ({"==": ["2.0", 2]}, True),
        ({"==": ["a", "b"]}, False),
        ({"==": ["a", "a"]}, True),
        ({"==": [None, 0]}, False),
        ({"==": [None, None]}, True),
        ({"===": ["2", 2]}, False),
        ({"===": [Decimal("2.0"), 2]}, True),
        ({"===": [True, 1]}, False),
        ({"!==": ["2", 2]}, True),
        ({"!=": [1, 1]}, False),
        ({"<": [1, 2, 3]}, True),
        ({"<": [1, 3, 2]}, False),
        ({"<=": [1, 1, 0]}, False),
        ({">": ["10", "9"]}, True),
        ({">=": ["10", "9"]}, True),
        ({"in": [{"var": "dimension.city"}, ["oslo", "chennai"]]}, True),
        ({"in": [{"var": "dimension.city"}, "oslo", "chennai"]}, True),
        ({"in": ["chen", "chennai"]}, True),
        ({"in": [1, "12"]}, False),
        ({"in": ["2", [1, 2]]}, True),
        ({"in": ["2", {"var": "none"}]}, False),
        ({"and": [True, {"var": "attributes.calls"}]}, True),
        ({"and": [0, {"/": [1, 0]}]}, False),
        ({"or": [0, ""]}, False),
        ({"or": [1, {"/": [1, 0]}]}, True),
        ({"!": [[]]}, True),
        ({"!!": ["0"]}, True),
    ],
)
def test_conditions_hold_as_jsonlogic_says(logic: Any, holds: bool) -> None:
    assert json_logic.truthy(value(logic)) is holds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ('{"a": 1, "b": 2}', "one key"),
        ("{}", "one key"),
        ('{"pow": [2, 3]}', "operator pow"),
        ('{"+": [{"pow": 1}]}', "operator pow"),
        ('{"-": []}', "applied to 0"),
        ('{"==": [1]}', "applied to 1"),
        ('{"/": [1, 2, 3]}', "applied to 3"),
        ('{"min": []}', "applied to 0"),
        ("[" * 60 + "]" * 60, "deeper than 50"),
        ("[" + "1," * 1000 + "1]", "more than 1000 values"),
    ],
)
def test_logic_that_cannot_be_read_is_refused(text: str, why: str) -> None:
    with pytest.raises(json_logic.LogicError, match=why):
        json_logic.parse(text)


def test_logic_up_to_the_limits_is_read() -> None:
    deepest = "[" * 50 + "1" + "]" * 50
    largest = "[" + "1," * 998 + "1]"

    assert json_logic.parse(deepest).value({})
    assert len(json_logic.parse(largest).value({})) == 999


@pytest.mark.parametrize(
    ("logic", "why"),
    [
        ({"+": [{"var": "attributes.none"}]}, "missing"),
        ({"+": ["many"]}, "'many' is not a number"),
        ({"/": [1, 0]}, "divided by zero"),
        ({"/": [0, 0]}, "divided by zero"),
        ({"%": [1, 0]}, "divided by zero"),
        ({"+": [[1]]}, "missing"),
        # 512 nines squared have 1024 digits.
        ({"*": [{"var": "attributes.long"}, {"var": "attributes.long"}]}, "512 digits"),
        ({"+": [{"var": "attributes.long"}, 1, Decimal("0.1")]}, "512 digits"),
    ],
)
def test_logic_without_a_value_over_this_event_is_an_error(logic: Any, why: str) -> None:
    with pytest.raises(json_logic.LogicError, match=why):
        value(logic)


def test_a_truth_value_counts_as_one_or_zero() -> None:
    assert json_logic.as_number(value({">": [2, 1]})) == 1
    assert json_logic.as_number(value({">": [1, 2]})) == 0
