"""The money rules: what is a number, how it is rounded, split, shown and written as JSON."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_mcp import money

CURRENCIES = ("JPY", "USD", "KWD", "CLF")
currencies = st.sampled_from(CURRENCIES)
# Up to 60 digits: well beyond the 28 that Python's decimals keep unless told otherwise.
numbers = st.decimals(
    min_value=Decimal(-(10**40)),
    max_value=Decimal(10**40),
    allow_nan=False,
    allow_infinity=False,
    places=20,
)
weights = st.lists(
    st.decimals(min_value=0, max_value=1000, allow_nan=False, places=3), min_size=1, max_size=8
).filter(any)


@pytest.mark.parametrize(
    ("given_value", "text"),
    [
        ("50.10", "50.10"),
        (" 7 ", "7"),
        ("-0.5", "-0.5"),
        ("1234567890123456", "1234567890123456"),
        (50.1, "50.1"),
        (5, "5"),
        (-3, "-3"),
        (0.1, "0.1"),
        (123456789012345, "123456789012345"),
        (1e22, "10000000000000000000000"),
        (10**20, "100000000000000000000"),
        (Decimal("1.230"), "1.230"),
    ],
)
def test_a_number_keeps_the_digits_it_was_given_with(
    given_value: str | float | Decimal, text: str
) -> None:
    assert money.plain(money.exact(given_value)) == text


@pytest.mark.parametrize(
    ("given_value", "wanted"),
    [
        (0.1 + 0.2, "a string: a JSON number keeps only 15 significant digits"),
        (1234567890123456, "a string"),
        (10**600, "a string"),
        (True, "not true or false"),
        (False, "not true or false"),
        ("1e5", "a plain decimal number"),
        ("1E-5", "a plain decimal number"),
        ("NaN", "a plain decimal number"),
        ("Infinity", "a plain decimal number"),
        ("-inf", "a plain decimal number"),
        ("", "a plain decimal number"),
        ("1,000", "a plain decimal number"),
        ("1_000", "a plain decimal number"),
        (".5", "a plain decimal number"),
        ("5.", "a plain decimal number"),
        ("+5", "a plain decimal number"),
        ("$5", "a plain decimal number"),
        ("0x10", "a plain decimal number"),
        ("٣", "a plain decimal number"),
        ("9" * 600, "a plain decimal number"),
        (float("nan"), "a finite number"),
        (float("inf"), "a finite number"),
        (Decimal("NaN"), "a finite number"),
        (Decimal("-Infinity"), "a finite number"),
    ],
)
def test_what_is_not_an_exact_number_is_refused_with_what_would_be_one(
    given_value: str | float | Decimal, wanted: str
) -> None:
    with pytest.raises(money.NotANumber, match=wanted):
        money.exact(given_value)


@pytest.mark.parametrize("number", [10**5000, -(10**5000)], ids=["huge", "minus huge"])
def test_a_whole_number_too_long_for_python_to_print_is_refused_like_any_other(number: int) -> None:
    with pytest.raises(money.NotANumber, match="a string"):
        money.exact(number)


@pytest.mark.parametrize(
    ("currency", "places"), [("JPY", 0), ("USD", 2), ("usd", 2), ("KWD", 3), ("CLF", 4), ("XXX", 2)]
)
def test_a_currency_has_the_decimal_places_of_its_minor_unit(currency: str, places: int) -> None:
    assert money.exponent(currency) == places


# Down means towards zero, as Python's ROUND_DOWN has it: a charge of 1.239 is 1.23, and the credit
# note that takes it back is -1.23, so that the two cancel out to the cent.
@pytest.mark.parametrize(
    ("amount", "currency", "result"),
    [
        ("1.239", "USD", "1.23"),
        ("-1.239", "USD", "-1.23"),
        ("1.2", "USD", "1.20"),
        ("0.009", "USD", "0.00"),
        ("-0.009", "USD", "-0.00"),
        ("12.9", "JPY", "12"),
        ("-12.9", "JPY", "-12"),
        ("1.2349", "KWD", "1.234"),
        ("123456789012345678901234567890.999", "USD", "123456789012345678901234567890.99"),
    ],
)
def test_an_amount_is_rounded_down_towards_zero(amount: str, currency: str, result: str) -> None:
    assert str(money.rounded(Decimal(amount), currency)) == result


@given(numbers, currencies)
def test_rounding_never_charges_more_and_never_loses_a_whole_minor_unit(
    amount: Decimal, currency: str
) -> None:
    result = money.rounded(amount, currency)
    unit = Fraction(money.from_minor_units(1, currency))
    assert 0 <= abs(Fraction(amount)) - abs(Fraction(result)) < unit
    assert money.rounded(result, currency) == result
    assert money.rounded(amount.copy_negate(), currency) == result.copy_negate()


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("5", "USD", "5.00"),
        ("5.1", "USD", "5.10"),
        ("5.123", "USD", "5.123"),
        ("5", "JPY", "5"),
        ("5.5", "JPY", "5.5"),
        ("5", "KWD", "5.000"),
        ("1E+3", "USD", "1000.00"),
        ("9" * 40, "USD", "9" * 40 + ".00"),
    ],
)
def test_an_amount_is_shown_with_at_least_its_currencys_places(
    amount: str, currency: str, shown: str
) -> None:
    assert money.plain(money.at_scale(Decimal(amount), currency)) == shown


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [("12.34", "USD", 1234), ("12", "JPY", 12), ("-1.5", "KWD", -1500), ("0.0001", "CLF", 1)],
)
def test_an_amount_is_a_whole_number_of_minor_units(amount: str, currency: str, units: int) -> None:
    assert money.minor_units(Decimal(amount), currency) == units


@pytest.mark.parametrize(("amount", "currency"), [("0.001", "USD"), ("0.5", "JPY")])
def test_an_amount_with_more_digits_than_the_minor_unit_has_none(
    amount: str, currency: str
) -> None:
    with pytest.raises(money.NotANumber, match=f"{amount} is not a whole number .* of {currency}"):
        money.minor_units(Decimal(amount), currency)


@given(st.integers(min_value=-(10**60), max_value=10**60), currencies)
def test_minor_units_and_back_is_the_same_amount(units: int, currency: str) -> None:
    amount = money.from_minor_units(units, currency)
    assert money.minor_units(amount, currency) == units


@pytest.mark.parametrize(
    ("total", "shares", "currency", "parts"),
    [
        ("10.00", ["1", "1", "1"], "USD", ["3.34", "3.33", "3.33"]),
        ("-10.00", ["1", "1", "1"], "USD", ["-3.34", "-3.33", "-3.33"]),
        ("0.01", ["1", "2"], "USD", ["0.00", "0.01"]),
        ("100", ["1", "0", "2"], "JPY", ["33", "0", "67"]),
        ("0.05", ["1", "1"], "USD", ["0.03", "0.02"]),
        ("0.00", ["1", "1"], "USD", ["0.00", "0.00"]),
    ],
)
def test_a_total_is_split_by_largest_remainder_and_ties_go_to_the_earlier_part(
    total: str, shares: list[str], currency: str, parts: list[str]
) -> None:
    split = money.allocate(Decimal(total), [Decimal(share) for share in shares], currency)
    assert [str(part) for part in split] == parts


@pytest.mark.parametrize("shares", [[], ["0"], ["0", "0"], ["1", "-1"], ["3", "-1"]])
def test_a_total_cannot_be_split_by_nothing_or_by_less(shares: list[str]) -> None:
    with pytest.raises(ValueError, match="weights must not be negative"):
        money.allocate(Decimal(1), [Decimal(share) for share in shares], "USD")


@given(st.integers(min_value=-(10**45), max_value=10**45), weights, currencies)
def test_the_parts_of_a_split_always_add_up_to_its_total(
    units: int, shares: list[Decimal], currency: str
) -> None:
    total = money.from_minor_units(units, currency)
    parts = money.allocate(total, shares, currency)
    assert sum(money.minor_units(part, currency) for part in parts) == units
    for part, share in zip(parts, shares, strict=True):
        fair = Fraction(units) * Fraction(share) / sum(map(Fraction, shares))
        assert abs(money.minor_units(part, currency) - fair) < 1


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**50), max_value=10**50)
    | numbers
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
@settings(deadline=None)
def test_json_written_and_read_again_is_the_same(value: object) -> None:
    assert money.from_json(money.to_json(value)) == value


@given(numbers)
def test_a_decimal_is_written_with_every_digit_and_never_an_exponent(number: Decimal) -> None:
    text = money.to_json([number]).decode()
    assert "e" not in text.lower()
    assert text == f"[{number:f}]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("50.10"), "50.10"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-10"), "0.0000000001"),
        ({}, "{}"),
        ([], "[]"),
        ((1, Decimal("2.0")), "[1,2.0]"),
        ({"a": [True, None, {"b": "é\n"}]}, '{"a":[true,null,{"b":"é\\n"}]}'),
        ({1: "a number as a name"}, '{"1":"a number as a name"}'),
    ],
)
def test_json_is_compact_and_exact(value: object, text: str) -> None:
    assert money.to_json(value).decode() == text


@pytest.mark.parametrize("value", [1.5, [0.0], {"a": float("nan")}])
def test_a_float_never_reaches_the_wire(value: object) -> None:
    with pytest.raises(TypeError, match="a float reached the wire"):
        money.to_json(value)


def test_what_json_has_no_form_for_is_refused() -> None:
    with pytest.raises(TypeError):
        money.to_json({"a": {1, 2}})
    with pytest.raises(money.NotANumber):
        money.to_json(Decimal("NaN"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Decimal("0.1")),
        ("1.50", Decimal("1.50")),
        ("1e3", Decimal(1000)),
        ("12345678901234567890", 12345678901234567890),
        ('"1.5"', "1.5"),
        (b'{"a": [1.0]}', {"a": [Decimal("1.0")]}),
    ],
)
def test_json_is_read_with_exact_numbers(text: str | bytes, value: object) -> None:
    assert repr(money.from_json(text)) == repr(value) or money.from_json(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "NaN is not a JSON number"),
        ("[-Infinity]", "-Infinity is not a JSON number"),
        ("1" * 513, "too long"),
        ("0." + "1" * 512, "too long"),
        ("1e600", "too long"),
        ("1e-600", "too long"),
        ("[" * 200_000, "too deep"),
        ('{"a":', "Expecting value"),
        ("<html>", "Expecting value"),
        (b"\xff\xfe\xff", "truncated data"),
    ],
)
def test_json_that_is_broken_or_an_attack_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        money.from_json(text)


def test_a_json_number_with_an_exponent_beyond_what_a_decimal_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        money.from_json("1e" + "9" * 30)
