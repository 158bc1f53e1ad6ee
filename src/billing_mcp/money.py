"""Every rule about money and exact numbers: parsing, scale, rounding, splitting, exact JSON.

Two kinds of number exist. *Exact* numbers (rates, quantities, usage) are `Decimal` at any scale.
*Money* is an exact amount with an ISO 4217 currency; it is rounded once, by `rounded`, when an
invoice line is made. Nothing in this package turns either into a float.
"""

import json
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation, localcontext
from json.encoder import encode_basestring

# Togai: "invoice amounts go down to the minimum currency unit" (its guide on invoices).
ROUNDING = ROUND_DOWN

# ISO 4217 minor units where they differ from 2; a currency that is not listed has 2.
_EXPONENTS = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
            *("PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}

# A JSON number has passed through a double on its way here; up to 15 significant digits survive
# that trip unchanged, and beyond them we would be guessing what the caller wrote (design §2.5).
JSON_NUMBER_DIGITS = 15

# Longer than any amount of money, and short enough that arithmetic on it cannot be an attack.
MAXIMUM_DIGITS = 512

# Python's own context keeps 28 digits and rounds the rest away without a word. This one is wider
# than any number that comes in here, so that only `rounded` and `allocate` ever round.
_WIDE = Context(prec=4 * MAXIMUM_DIGITS)

_PLAIN = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)


class NotANumber(ValueError):
    """The value is not a number this program may calculate with. The message says what would be."""


def exact(value: str | float | Decimal) -> Decimal:
    """Read a number the way a caller may give it: a plain string, or a short enough JSON number.

    Raises `NotANumber` for exponents in text, NaN and infinities, more than `MAXIMUM_DIGITS`
    digits, and JSON numbers of more than 15 significant digits (give those as strings).
    """
    if isinstance(value, bool):
        raise NotANumber("a number, not true or false")
    if isinstance(value, Decimal):
        return _finite(value)
    if isinstance(value, str):
        text = value.strip()
        if len(text) > MAXIMUM_DIGITS + 2 or not _PLAIN.fullmatch(text):
            raise NotANumber('a plain decimal number such as "12.50"')
        return Decimal(text)
    # Python refuses to print whole numbers of thousands of digits.
    too_long = isinstance(value, int) and abs(value) >= 10**MAXIMUM_DIGITS
    number = Decimal(0) if too_long else _finite(Decimal(repr(value)))
    if too_long or len(number.normalize(_WIDE).as_tuple().digits) > JSON_NUMBER_DIGITS:
        raise NotANumber(
            f"a string: a JSON number keeps only {JSON_NUMBER_DIGITS} significant digits"
        )
    return number


def _finite(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise NotANumber("a finite number")
    return number


def exponent(currency: str) -> int:
    """How many decimal places the currency's minor unit has: JPY 0, USD 2, KWD 3."""
    return _EXPONENTS.get(currency.upper(), 2)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Round an exact amount to the currency's minor unit. Called once, at an invoice line."""
    return amount.quantize(Decimal(1).scaleb(-exponent(currency)), ROUNDING, _WIDE)


def at_scale(amount: Decimal, currency: str) -> Decimal:
    """Show an amount with at least the currency's decimal places; digits beyond them are kept."""
    places = exponent(currency)
    scale = amount.as_tuple().exponent
    if not isinstance(scale, int) or -scale >= places:
        return amount
    return amount.quantize(Decimal(1).scaleb(-places), context=_WIDE)


def minor_units(amount: Decimal, currency: str) -> int:
    """The amount as a whole number of minor units. Raises `NotANumber` if that is not exact."""
    scaled = amount.scaleb(exponent(currency), _WIDE)
    if scaled != scaled.to_integral_value():
        raise NotANumber(f"{plain(amount)} is not a whole number of minor units of {currency}")
    return int(scaled)


def from_minor_units(units: int, currency: str) -> Decimal:
    """The amount that a whole number of minor units stands for, at the currency's scale."""
    return Decimal(units).scaleb(-exponent(currency), _WIDE)


def allocate(total: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """Split a rounded total by weights so that the parts add up to it exactly.

    Largest remainder; ties go to the earlier part. Raises `ValueError` when nothing has weight.
    """
    if not any(weights) or any(weight < 0 for weight in weights):
        raise ValueError("weights must not be negative and must not all be zero")
    unit = Decimal(1).scaleb(-exponent(currency))
    with localcontext(_WIDE):
        whole = sum(weights, Decimal(0))
        shares = [total * weight / whole for weight in weights]
        parts = [share.quantize(unit, rounding=ROUND_DOWN) for share in shares]
        left = int((total - sum(parts, Decimal(0))) / unit)
        by_remainder = sorted(range(len(parts)), key=lambda i: (-abs(shares[i] - parts[i]), i))
        for i in by_remainder[: abs(left)]:
            parts[i] += unit if left > 0 else -unit
    return parts


def total(numbers: Iterable[Decimal]) -> Decimal:
    """The exact sum: nothing is rounded away, as Python's own context does beyond 28 digits."""
    with localcontext(_WIDE):
        return sum(numbers, Decimal(0))


def product(left: Decimal, right: Decimal) -> Decimal:
    """The exact product."""
    return _WIDE.multiply(left, right)


def plain(number: Decimal) -> str:
    """The number in plain notation, every digit kept: never an exponent."""
    return format(number, "f")


def to_json(value: object) -> bytes:
    """Compact JSON with every `Decimal` as an exact JSON number. Floats are refused."""
    return _json_text(value).encode()


def _json_text(value: object) -> str:
    # Joining texts is five times as fast as a generator over the pieces, and every answer of the
    # sandbox and every row it keeps passes here.
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, Decimal):
        return plain(_finite(value))
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, dict):
        members = [
            f"{encode_basestring(str(key))}:{_json_text(item)}" for key, item in value.items()
        ]
        return f"{{{','.join(members)}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join([_json_text(item) for item in value])}]"
    if isinstance(value, float):
        raise TypeError("a float reached the wire; numbers are Decimal in this program")
    raise TypeError(f"{type(value).__name__} has no form in JSON")


_CONSTANTS = {None: "null", True: "true", False: "false"}


def from_json(text: bytes | str) -> object:
    """Read JSON with fractions as `Decimal` and whole numbers as `int`.

    Raises `ValueError` on malformed JSON, NaN and infinities, nesting that is too deep, and
    numbers of more than `MAXIMUM_DIGITS` digits.
    """
    try:
        return json.loads(
            text, parse_float=_fraction, parse_int=_whole, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def _fraction(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError("a JSON number's exponent is too long") from error
    if len(text) > MAXIMUM_DIGITS or abs(number.adjusted()) > MAXIMUM_DIGITS:
        raise ValueError("a JSON number is too long")
    return number


def _whole(text: str) -> int:
    if len(text) > MAXIMUM_DIGITS:
        raise ValueError("a JSON number is too long")
    return int(text)


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not a JSON number")
