"""JSONLogic of usage meters: exact numbers, and what it refuses."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp import money
from billing_mcp.sandbox.togai import json_logic

DATA = {
    "dimension": {"city": "chennai", "tier": "2"},
    "attributes": {"distance": "10.10", "calls": "0"},
}


def value(logic: Any) -> Any:
    return json_logic.evaluate(json_logic.parse(money.to_json(logic).decode()), DATA)


@pytest.mark.parametrize(
    ("logic", "expected"),
    [
        ({"var": "attributes.distance"}, "10.10"),
        ({"var": ["attributes.none", 7]}, 7),
        ({"var": "attributes.none"}, None),
        ({"var": ""}, DATA),
        ({"*": [{"var": "attributes.distance"}, Decimal("0.4")]}, Decimal("4.040")),
        ({"+": ["1", 2, Decimal("0.1")]}, Decimal("3.1")),
        ({"-": [5, 7]}, -2),
        ({"-": [5]}, -5),
        ({"/": [1, 4]}, Decimal("0.25")),
        ({"%": [7, 4]}, 3),
        ({"min": [3, "2"]}, 2),
        ({"max": [3, "12"]}, 12),
        ({"if": [{">": [{"var": "attributes.distance"}, 5]}, "far", "near"]}, "far"),
        ({"if": [False, 1, False, 2, 3]}, 3),
        ({"if": [False, 1]}, None),
        ({"?:": [True, 1, 2]}, 1),
    ],
)
def test_logic_is_computed_exactly(logic: Any, expected: Any) -> None:
    assert value(logic) == expected


@pytest.mark.parametrize(
    ("logic", "holds"),
    [
        ({"==": [{"var": "dimension.tier"}, 2]}, True),
        ({"==": ["2.0", 2]}, True),
        ({"==": ["a", "b"]}, False),
        ({"==": [None, 0]}, False),
        ({"===": ["2", 2]}, False),
        ({"!==": ["2", 2]}, True),
        ({"!=": [1, 1]}, False),
        ({"<": [1, 2, 3]}, True),
        ({"<=": [1, 1, 0]}, False),
        ({">=": ["10", "9"]}, True),
        ({"in": [{"var": "dimension.city"}, ["oslo", "chennai"]]}, True),
        ({"in": [{"var": "dimension.city"}, "oslo", "chennai"]}, True),
        ({"in": ["chen", "chennai"]}, True),
        ({"in": [1, "12"]}, False),
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
    "text",
    ["{", '{"a": 1, "b": 2}', "{}", '{"pow": [2, 3]}', '{"+": [{"pow": 1}]}', "[" * 60 + "]" * 60],
)
def test_logic_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(json_logic.LogicError):
        json_logic.parse(text)


@pytest.mark.parametrize(
    "logic",
    [
        {"+": [{"var": "attributes.none"}]},
        {"+": ["many"]},
        {"/": [1, 0]},
        {"-": []},
        {"==": [1]},
        {"+": [[1]]},
    ],
)
def test_logic_without_a_value_over_this_event_is_an_error(logic: Any) -> None:
    with pytest.raises(json_logic.LogicError):
        value(logic)


def test_a_truth_value_counts_as_one_or_zero() -> None:
    assert json_logic.as_number(value({">": [2, 1]})) == 1
