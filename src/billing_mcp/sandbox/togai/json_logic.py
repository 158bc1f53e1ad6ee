"""JSONLogic, as usage meters use it: exact numbers, numeric texts read as numbers.

The rules of jsonlogic.com, restricted to the operators below; the vendor documents the language,
not which operators it has, so the restriction is ours.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from typing import Any

from billing_mcp import money

# Deeper logic is refused, so that evaluating it cannot exhaust the stack.
_DEEPEST = 50


class LogicError(ValueError):
    """The logic cannot be read, or cannot be evaluated over this event."""


def parse(text: str) -> Any:
    """Read logic from JSON text. Raises `LogicError` for bad JSON and unknown operators."""
    try:
        logic = money.from_json(text)
    except ValueError as error:
        raise LogicError(f"it is not JSON: {error}") from error
    _check(logic, 0)
    return logic


def _check(logic: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise LogicError(f"it is nested deeper than {_DEEPEST}")
    if isinstance(logic, dict):
        if len(logic) != 1:
            raise LogicError("an operation is an object with one key, its operator")
        ((operator, arguments),) = logic.items()
        if operator not in _OPERATORS and operator not in _LAZY:
            raise LogicError(f"the operator {operator} is not known")
        _check(arguments, depth + 1)
    elif isinstance(logic, list):
        for item in logic:
            _check(item, depth + 1)


def evaluate(logic: Any, data: Mapping[str, Any]) -> Any:
    """The value of parsed logic over the data. Raises `LogicError` where it has none."""
    if isinstance(logic, list):
        return [evaluate(item, data) for item in logic]
    if not isinstance(logic, dict):
        return logic
    ((operator, given),) = logic.items()
    arguments = given if isinstance(given, list) else [given]
    if operator in _LAZY:
        return _LAZY[operator](arguments, data)
    values = [evaluate(argument, data) for argument in arguments]
    try:
        return _OPERATORS[operator](values)
    except (IndexError, DecimalException) as error:
        raise LogicError(f"{operator} cannot be applied to {len(values)} values") from error


def truthy(value: Any) -> bool:
    """JSONLogic's truth: an empty list is false, the text "0" is true."""
    return bool(value)


def as_number(value: Any) -> Decimal:
    """The value as an exact number. Raises `LogicError`."""
    if isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, str):
        try:
            return money.exact(value)
        except money.NotANumber as error:
            raise LogicError(f"{value!r} is not a number") from error
    raise LogicError("a number is missing")


def _variable(arguments: list[Any], data: Mapping[str, Any]) -> Any:
    name = evaluate(arguments[0], data) if arguments else ""
    value: Any = data
    for part in str(name).split(".") if name != "" else []:
        if not isinstance(value, Mapping) or part not in value:
            return evaluate(arguments[1], data) if len(arguments) > 1 else None
        value = value[part]
    return value


def _choose(arguments: list[Any], data: Mapping[str, Any]) -> Any:
    rest = arguments
    while len(rest) > 1:
        if truthy(evaluate(rest[0], data)):
            return evaluate(rest[1], data)
        rest = rest[2:]
    return evaluate(rest[0], data) if rest else None


def _all(arguments: list[Any], data: Mapping[str, Any]) -> Any:
    value: Any = None
    for argument in arguments:
        value = evaluate(argument, data)
        if not truthy(value):
            return value
    return value


def _any(arguments: list[Any], data: Mapping[str, Any]) -> Any:
    value: Any = None
    for argument in arguments:
        value = evaluate(argument, data)
        if truthy(value):
            return value
    return value


def _equal(values: list[Any]) -> bool:
    left, right = values[0], values[1]
    if left is None or right is None:
        return left is right
    try:
        return as_number(left) == as_number(right)
    except LogicError:
        return bool(left == right)


def _same(values: list[Any]) -> bool:
    left, right = values[0], values[1]
    return isinstance(left, str) == isinstance(right, str) and bool(left == right)


def _ordered(holds: Callable[[Decimal, Decimal], bool]) -> Callable[[list[Any]], bool]:
    def compare(values: list[Any]) -> bool:
        numbers = [as_number(value) for value in values]
        return all(holds(numbers[i], numbers[i + 1]) for i in range(max(1, len(numbers) - 1)))

    return compare


def _contains(values: list[Any]) -> bool:
    needle, *rest = values
    # The vendor's own example writes the candidates as arguments, not as a list.
    haystack = rest[0] if len(rest) == 1 else rest
    if isinstance(haystack, str):
        return isinstance(needle, str) and needle in haystack
    return isinstance(haystack, list) and any(_equal([needle, item]) for item in haystack)


def _minus(values: list[Any]) -> Decimal:
    first = as_number(values[0])
    return -first if len(values) == 1 else first - as_number(values[1])


def _product(values: list[Any]) -> Decimal:
    result = Decimal(1)
    for value in values:
        result *= as_number(value)
    return result


_LAZY: dict[str, Callable[[list[Any], Mapping[str, Any]], Any]] = {
    "var": _variable,
    "if": _choose,
    "?:": _choose,
    "and": _all,
    "or": _any,
}
_OPERATORS: dict[str, Callable[[list[Any]], Any]] = {
    "==": _equal,
    "!=": lambda values: not _equal(values),
    "===": _same,
    "!==": lambda values: not _same(values),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "!": lambda values: not truthy(values[0]),
    "!!": lambda values: truthy(values[0]),
    "in": _contains,
    "+": lambda values: sum((as_number(value) for value in values), Decimal(0)),
    "-": _minus,
    "*": _product,
    "/": lambda values: as_number(values[0]) / as_number(values[1]),
    "%": lambda values: as_number(values[0]) % as_number(values[1]),
    "min": lambda values: min(as_number(value) for value in values),
    "max": lambda values: max(as_number(value) for value in values),
}
