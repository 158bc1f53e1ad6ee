"""What an error says of wrong arguments, down to the field and the name that was meant."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from billing_mcp.errors import InvalidRequest
from billing_mcp.params import Body, Name, Positive
from billing_mcp.validation import invalid_arguments, model_at, nearest, path_text


class Rate(Body):
    currency: Annotated[Name, Field(pattern="^[A-Z]{3}$")]
    rate: Positive


class Card(Body):
    rates: Annotated[list[Rate], Field(min_length=1)]
    by_name: dict[Name, Rate] = Field(default_factory=dict)
    kind: Literal["FLAT", "PACKAGE"] = "FLAT"


class Arguments(Body):
    name: Annotated[Name, Field(min_length=2, max_length=5)] = "abc"
    count: Annotated[int, Field(gt=0, lt=10)] = 1
    flag: bool = False
    either: int | Card | None = None
    card: Card | None = None
    even: int = 0

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("Odd numbers are odd")
        return value


class Nothing(Body):
    pass


def error_of(
    arguments: dict[str, Any],
    model: type[BaseModel] = Arguments,
    shapes: dict[str, str] | None = None,
) -> InvalidRequest:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(arguments)
    return invalid_arguments("make-card", model, caught.value, shapes)


@pytest.mark.parametrize(
    ("arguments", "field", "message"),
    [
        ({"name": "a"}, "name", 'name must have at least 2 characters (got "a").'),
        ({"name": ""}, "name", "name must have at least 2 characters (got empty text)."),
        ({"name": "abcdef"}, "name", 'name must have at most 5 characters (got "abcdef").'),
        ({"name": None}, "name", "name must be text (got null)."),
        ({"name": 5}, "name", "name must be text (got 5)."),
        ({"name": {}}, "name", "name must be text (got an object)."),
        ({"name": []}, "name", "name must be text (got a list)."),
        ({"name": True}, "name", "name must be text (got true)."),
        ({"name": b"ab\xff"}, "name", "name input should be a valid string"),
        ({"count": 0}, "count", "count must be above 0 (got 0)."),
        ({"count": 10}, "count", "count input should be less than 10 (got 10)."),
        ({"flag": "perhaps"}, "flag", 'flag must be true or false (got "perhaps").'),
        ({"even": 3}, "even", "even value error, Odd numbers are odd (got 3)."),
        ({"card": {}}, "card.rates", "card.rates is required."),
        ({"card": {"rates": []}}, "card.rates", "card.rates must have at least 1 items"),
        (
            {"card": {"rates": [{"currency": "usd", "rate": "1"}]}},
            "card.rates[0].currency",
            'card.rates[0].currency must match ^[A-Z]{3}$ (got "usd").',
        ),
        (
            {"card": {"rates": [{"currency": "USD", "rate": "0"}]}},
            "card.rates[0].rate",
            'card.rates[0].rate must be a number above 0 (got "0").',
        ),
        (
            {"card": {"rates": [{"currency": "USD", "rate": "1", "raet": "1"}]}},
            "card.rates[0].raet",
            'card.rates[0] has no field "raet"; did you mean rate?',
        ),
        ({"name[]": "ab"}, "name[]", 'make-card has no argument "name[]"; did you mean name?'),
        (
            {"card": {"rates": [{"currency": "USD", "rate": "1"}], "kind()": "FLAT"}},
            "card.kind()",
            'card has no field "kind()"; did you mean kind?',
        ),
        (
            {
                "card": {
                    "rates": [{"currency": "USD", "rate": "1"}],
                    "by_name": {"a": {"currency": "USD", "rate": "1", "curency": ""}},
                }
            },
            "card.by_name.a.curency",
            'card.by_name.a has no field "curency"; did you mean currency?',
        ),
        (
            {"card": {"rates": [{"currency": "USD", "rate": "1"}], "kind": "TIERED"}},
            "card.kind",
            "card.kind must be one of 'FLAT' or 'PACKAGE' (got \"TIERED\").",
        ),
        (
            {"Name": "abc"},
            "Name",
            'make-card has no argument "Name"; did you mean name?',
        ),
        (
            {"zzzzz": 1},
            "zzzzz",
            'make-card has no argument "zzzzz"; it takes name, count, flag, either, card, even.',
        ),
    ],
)
def test_an_error_names_the_field_and_what_would_be_right(
    arguments: dict[str, Any], field: str, message: str
) -> None:
    error = error_of(arguments)
    assert error.field == field
    assert error.message.startswith(message)
    assert error.next_step == "Nothing was sent. Correct this and call again."


def test_a_tool_without_arguments_says_so() -> None:
    error = error_of({"name": 1}, Nothing)
    assert error.message == 'make-card has no argument "name"; it takes no arguments.'


def test_arguments_that_are_no_object_are_told_as_such() -> None:
    with pytest.raises(ValidationError) as caught:
        Arguments.model_validate([])
    error = invalid_arguments("make-card", Arguments, caught.value)
    assert error.field is None
    assert error.message == "the arguments must be an object (got a list)."


def test_several_problems_are_told_at_once_and_the_last_question_mark_stands_alone() -> None:
    error = error_of({"count": 0, "nmae": "x"})
    assert error.message == (
        'count must be above 0 (got 0); make-card has no argument "nmae"; did you mean name?'
    )


def test_the_shape_of_a_wrong_part_is_shown_and_that_of_a_right_one_is_not() -> None:
    shapes = {"card": '{"rates":[…]}', "card.rates": '[{"currency":"USD"}]', "other": "{}"}
    error = error_of({"card": {"rates": [], "kind": "x"}}, shapes=shapes)
    assert error.next_step == (
        "Nothing was sent. Correct this and call again. "
        'Shape of card: {"rates":[…]} Shape of card.rates: [{"currency":"USD"}]'
    )


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("customer_id", ["customerId"]),
        ("CUSTOMERID", ["customerId"]),
        ("custmerId", ["customerId"]),
        ("zzz", []),
        ("customerId" + "x" * 10_000_000, []),
    ],
)
def test_the_nearest_name_is_found_whatever_its_case_and_separators(
    wrong: str, near: list[str]
) -> None:
    assert nearest(wrong, ["accountId", "customerId", "status"]) == near


def test_a_path_is_written_as_a_person_would_and_cut_where_a_name_is_long() -> None:
    assert path_text(["body", "records", 2, "key"]) == "body.records[2].key"
    assert path_text([0, "a"]) == "[0].a"
    assert path_text([]) == ""
    assert path_text(["a" * 1000, "b\nc"]) == "a" * 59 + "….b c"


@pytest.mark.parametrize(
    ("loc", "model"),
    [
        ([], Arguments),
        (["card"], Card),
        (["either"], Card),
        (["card", "rates", 3], Rate),
        (["card", "by_name", "any"], Rate),
        (["card", "kind"], None),
        (["card", "nowhere"], None),
        (["name", 0], None),
    ],
)
def test_the_model_that_a_field_belongs_to_is_found_through_lists_and_maps(
    loc: list[str | int], model: type[BaseModel] | None
) -> None:
    assert model_at(Arguments, loc) is model
