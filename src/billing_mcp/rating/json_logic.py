"""JSONLogic, as usage meters use it: exact numbers, numeric texts read as numbers, bounded work.

The rules of jsonlogic.com for the operators below; the vendor names the language and not which
operators it has, so the restriction is ours. None of them loops: evaluating takes at most one step
for each value that was written, and how many may be written is limited.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any

from billing_mcp import money

DEEPEST = 50
MOST_VALUES = 1_000
# A quotient may have no end; it is cut here.
QUOTIENT_PLACES = 30

# Wide enough that one operation on two of the longest numbers allowed is exact.
_EXACT = Context(
    prec=4 * money.MAXIMUM_DIGITS,
    rounding=ROUND_DOWN,
    traps=[DivisionByZero, InvalidOperation, Overflow],
)
_LAST_PLACE = Decimal(1).scaleb(-QUOTIENT_PLACES)

Evaluate = Callable[[Mapping[str, Any]], Any]


class LogicError(ValueError):
    """The logic cannot be read, or has no value over this event."""


@dataclass(frozen=True, slots=True)
class Logic:
    """Logic that has been read and checked, ready for any number of events."""

    _evaluate: Evaluate
    variables: frozenset[str] = frozenset()  # those it reads by a name that is written out

    def value(self, data: Mapping[str, Any]) -> Any:
        """The value over the data. Raises `LogicError` where it has none."""
        return self._evaluate(data)


def parse(text: str) -> Logic:
    """Read logic from JSON text.

    Raises `LogicError` for bad JSON, unknown operators, a wrong number of arguments, and logic
    that is too deep or too large.
    """
    try:
        logic = money.from_json(text)
    except ValueError as error:
        raise LogicError(f"it is not JSON: {error}") from error
    return read(logic)


def read(logic: Any) -> Logic:
    """Read logic that already is JSON values. Raises `LogicError` as `parse` does."""
    _measure(logic)
    return Logic(_compiled(logic), frozenset(_variables(logic)))


def truthy(value: Any) -> bool:
    """JSONLogic's truth: an empty list is false, the text "0" is true."""
    return bool(value)


def as_number(value: Any) -> Decimal:
    """The value as an exact number; true is 1. Raises `LogicError`."""
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, str):
        try:
            return money.exact(value)
        except money.NotANumber as error:
            raise LogicError(f"{value!r} is not a number") from error
    raise LogicError("a number is missing")


def _measure(logic: Any) -> None:
    """Refuse what is too deep or too large before anything recurses over it."""
    values, layer, depth = 0, [logic], 0
    while layer:
        values += len(layer)
        if depth > DEEPEST or values > MOST_VALUES:
            raise LogicError(f"it is deeper than {DEEPEST} or has more than {MOST_VALUES} values")
        below: list[Any] = []
        for item in layer:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        layer, depth = below, depth + 1


def _variables(logic: Any) -> Iterator[str]:
    if isinstance(logic, dict):
        for operator, given in logic.items():
            named = given[0] if isinstance(given, list) and given else given
            if operator == "var" and isinstance(named, str) and named:
                yield named
            yield from _variables(given)
    elif isinstance(logic, list):
        for item in logic:
            yield from _variables(item)


def _compiled(logic: Any) -> Evaluate:
    if isinstance(logic, list):
        items = [_compiled(item) for item in logic]
        return lambda data: [item(data) for item in items]
    if not isinstance(logic, dict):
        return lambda _data: logic
    if len(logic) != 1:
        raise LogicError("an operation is an object with one key, its operator")
    ((operator, given),) = logic.items()
    arguments = [_compiled(item) for item in (given if isinstance(given, list) else [given])]
    if operator in _LAZY:
        return _LAZY[operator](arguments)
    if operator not in _OPERATORS:
        raise LogicError(f"the operator {operator} is not known")
    fewest, most, apply = _OPERATORS[operator]
    if not fewest <= len(arguments) <= most:
        raise LogicError(f"{operator} cannot be applied to {len(arguments)} values")
    return lambda data: apply([argument(data) for argument in arguments])


def _variable(arguments: Sequence[Evaluate]) -> Evaluate:
    def variable(data: Mapping[str, Any]) -> Any:
        name = arguments[0](data) if arguments else ""
        # Ids have dots in them: a name that is there as a whole is not a way into the data.
        if isinstance(name, str) and name in data:
            return data[name]
        value: Any = data
        for part in str(name).split(".") if name != "" else []:
            if not isinstance(value, Mapping) or part not in value:
                return arguments[1](data) if len(arguments) > 1 else None
            value = value[part]
        return value

    return variable


def _choice(arguments: Sequence[Evaluate]) -> Evaluate:
    def choice(data: Mapping[str, Any]) -> Any:
        for index in range(0, len(arguments) - 1, 2):
            if truthy(arguments[index](data)):
                return arguments[index + 1](data)
        return arguments[-1](data) if len(arguments) % 2 else None

    return choice


def _first_that_is(*, true: bool) -> Callable[[Sequence[Evaluate]], Evaluate]:
    """`or` takes the first true value, `and` the first false one; else the last."""

    def combined(arguments: Sequence[Evaluate]) -> Evaluate:
        def first(data: Mapping[str, Any]) -> Any:
            value: Any = None
            for argument in arguments:
                value = argument(data)
                if truthy(value) is true:
                    return value
            return value

        return first

    return combined


def _equal(values: Sequence[Any]) -> bool:
    left, right = values[0], values[1]
    if left is None or right is None:
        return left is right
    try:
        return as_number(left) == as_number(right)
    except LogicError:
        return bool(left == right)


def _same(values: Sequence[Any]) -> bool:
    left, right = values[0], values[1]
    return _kind(left) is _kind(right) and bool(left == right)


def _kind(value: Any) -> type:
    """Numbers are of one kind, and true is not one of them."""
    return Decimal if type(value) is int else type(value)


def _ordered(holds: Callable[[Decimal, Decimal], bool]) -> Callable[[Sequence[Any]], bool]:
    def compare(values: Sequence[Any]) -> bool:
        numbers = [as_number(value) for value in values]
        return all(holds(numbers[i], numbers[i + 1]) for i in range(len(numbers) - 1))

    return compare


def _contains(values: Sequence[Any]) -> bool:
    needle, *rest = values
    # The vendor's own example writes the candidates as arguments, not as a list.
    haystack = rest[0] if len(rest) == 1 else rest
    if isinstance(haystack, str):
        return isinstance(needle, str) and needle in haystack
    return isinstance(haystack, list) and any(_equal([needle, item]) for item in haystack)


def _folded(
    start: int, operation: Callable[[Decimal, Decimal], Decimal]
) -> Callable[[Sequence[Any]], Decimal]:
    def fold(values: Sequence[Any]) -> Decimal:
        result = Decimal(start)
        for value in values:
            result = _bounded(operation(result, as_number(value)))
        return result

    return fold


def _minus(values: Sequence[Any]) -> Decimal:
    numbers = [as_number(value) for value in values]
    left, right = (Decimal(0), numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
    return _bounded(_EXACT.subtract(left, right))


def _divided(values: Sequence[Any]) -> Decimal:
    try:
        quotient = _EXACT.divide(as_number(values[0]), as_number(values[1]))
    except ArithmeticError as error:
        raise LogicError("a number is divided by zero") from error
    exponent = quotient.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -QUOTIENT_PLACES:
        quotient = quotient.quantize(_LAST_PLACE, context=_EXACT)
    return _bounded(quotient)


def _rest(values: Sequence[Any]) -> Decimal:
    try:
        return _bounded(_EXACT.remainder(as_number(values[0]), as_number(values[1])))
    except ArithmeticError as error:
        raise LogicError("a number is divided by zero") from error


def _bounded(number: Decimal) -> Decimal:
    """Refuse a number whose plain form is longer than the program works with."""
    _, digits, exponent = number.as_tuple()
    places = abs(exponent) if isinstance(exponent, int) else 0
    if len(digits) > money.MAXIMUM_DIGITS or places > money.MAXIMUM_DIGITS:
        raise LogicError(f"a result has more than {money.MAXIMUM_DIGITS} digits")
    return number


_LAZY: Mapping[str, Callable[[Sequence[Evaluate]], Evaluate]] = {
    "var": _variable,
    "if": _choice,
    "?:": _choice,
    "and": _first_that_is(true=False),
    "or": _first_that_is(true=True),
}
_OPERATORS: Mapping[str, tuple[int, int, Callable[[Sequence[Any]], Any]]] = {
    "==": (2, 2, _equal),
    "!=": (2, 2, lambda values: not _equal(values)),
    "===": (2, 2, _same),
    "!==": (2, 2, lambda values: not _same(values)),
    "<": (2, 3, _ordered(lambda left, right: left < right)),
    "<=": (2, 3, _ordered(lambda left, right: left <= right)),
    ">": (2, 2, _ordered(lambda left, right: left > right)),
    ">=": (2, 2, _ordered(lambda left, right: left >= right)),
    "!": (1, 1, lambda values: not truthy(values[0])),
    "!!": (1, 1, lambda values: truthy(values[0])),
    "in": (2, MOST_VALUES, _contains),
    "+": (1, MOST_VALUES, _folded(0, _EXACT.add)),
    "-": (1, 2, _minus),
    "*": (1, MOST_VALUES, _folded(1, _EXACT.multiply)),
    "/": (2, 2, _divided),
    "%": (2, 2, _rest),
    "min": (1, MOST_VALUES, lambda values: min(as_number(value) for value in values)),
    "max": (1, MOST_VALUES, lambda values: max(as_number(value) for value in values)),
}
