"""Charges beside the plan: a value, a rate for a quantity, or logic over an invoice's lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.rating.json_logic import Logic, LogicError, as_number, parse
from billing_mcp.rating.lines import Line, leaf

# Ours, as for the lines of custom invoices: sums stay whole numbers that a store keeps.
LARGEST = Decimal(10) ** 12


class NotACharge(ValueError):
    """The charge cannot be read. The message begins with the field."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Either `rate` and `quantity`, or `logic`."""

    name: str
    rate: Decimal | None
    quantity: Decimal | None
    logic: Logic | None

    def amount(self, lines: Mapping[str, Decimal]) -> Decimal:
        """What it comes to, not rounded. Raises `LogicError`."""
        if self.logic is None:
            assert self.rate is not None
            assert self.quantity is not None
            return _bounded(WIDE.multiply(self.rate, self.quantity))
        return _bounded(as_number(self.logic.value(lines)))


def read_charge(given: Mapping[str, Any]) -> Charge:
    """Read a charge of the vendor's form, its fields checked already. Raises `NotACharge`.

    Documented: rate and quantity, or a value, which is a number or logic over ids of lines.
    """
    counted = "rate" in given or "quantity" in given
    if counted and "value" in given:
        raise NotACharge("value goes without rate and quantity")
    if counted:
        if not ("rate" in given and "quantity" in given):
            raise NotACharge("quantity and rate go together")
        charge = Charge(given["name"], Decimal(given["rate"]), Decimal(given["quantity"]), None)
    elif "value" in given:
        charge = Charge(given["name"], None, None, _logic(given["value"]))
    else:
        raise NotACharge("value is required, or rate and quantity")
    if charge.logic is None or not charge.logic.variables:
        try:
            charge.amount({})
        except LogicError as error:
            raise NotACharge(f"{'quantity' if counted else 'value'}: {error}") from error
    return charge


def charge_lines(charges: Sequence[Charge], cards: Sequence[Line], currency: str) -> list[Line]:
    """A line for each charge. Logic reads the amounts of the cards' lines by their ids.

    Ours: logic without a value, or below zero, charges nothing, and the line says why.
    """
    amounts: dict[str, Decimal] = {}
    for card in cards:
        if card.source is not None:
            before = amounts.get(card.source, Decimal(0))
            amounts[card.source] = WIDE.add(before, card.amount)
    return [_line(charge, amounts, currency) for charge in charges]


def _line(charge: Charge, amounts: Mapping[str, Decimal], currency: str) -> Line:
    metadata = {}
    try:
        exact = charge.amount(amounts)
    except LogicError as error:
        exact, metadata = Decimal(0), {"error": str(error)}
    return leaf(
        "MISCELLANEOUS_CHARGE",
        charge.name,
        Fraction(exact),
        currency,
        quantity=None if charge.quantity is None else Fraction(charge.quantity),
        rate=charge.rate,
        metadata=metadata,
    )


def _logic(text: str) -> Logic:
    try:
        return parse(text)
    except LogicError as error:
        raise NotACharge(f"value: {error}") from error


def _bounded(amount: Decimal) -> Decimal:
    if not 0 <= amount <= LARGEST:
        raise LogicError(f"a charge is from 0 to {LARGEST}")
    return amount
