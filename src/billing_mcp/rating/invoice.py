"""The tree of an invoice's lines, from the grand total down to the slabs, in the vendor's types."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from billing_mcp.rating.credits import CreditUse
from billing_mcp.rating.cycle_charges import CycleCharges
from billing_mcp.rating.lines import Line, leaf, parent
from billing_mcp.rating.pricing_rules import Ruled


def invoice_tree(
    charges: CycleCharges,
    credit_use: CreditUse,
    plan_name: str,
    beside: Sequence[Line] = (),
) -> Line:
    """The invoice of a cycle: its plan, the next cycle's fees in advance, less credits.

    `credit_use` is what `apply_credits` made of `charges.lines`; `beside` are the miscellaneous
    charges, which no credit pays.
    """
    currency = charges.currency
    plan_parts = [parent("SUB_TOTAL_AMOUNT", "Subtotal", charges.cards, currency)]
    if charges.true_up is not None:
        plan_parts.append(charges.true_up)
    gross = [parent("PRICE_PLAN_AMOUNT", plan_name, plan_parts, currency)]
    gross += _added((*charges.additions, *charges.advance_additions), currency)
    if charges.advance:
        gross.append(_advanced(charges.advance, currency))
    return _total(gross, credit_use, currency, beside)


def advance_tree(fees: Ruled, credit_use: CreditUse, currency: str) -> Line:
    """An invoice of fees in advance alone, as an association begins with."""
    gross = [*_added(fees.additions, currency), _advanced(fees.cards, currency)]
    return _total(gross, credit_use, currency)


def custom_tree(lines: Sequence[Line], credit_use: CreditUse, currency: str) -> Line:
    """An invoice of lines that somebody wrote."""
    return _total(lines, credit_use, currency)


def custom_value(description: str, value: Decimal, currency: str) -> Line:
    """A line of a custom invoice that was given its value."""
    return leaf("CUSTOM_AMOUNT", description, Fraction(value), currency)


def custom_quantity(description: str, quantity: Decimal, rate: Decimal, currency: str) -> Line:
    """A line of a custom invoice that was given a quantity and the value of each."""
    units = Fraction(quantity)
    exact = units * Fraction(rate)
    return leaf("CUSTOM_AMOUNT", description, exact, currency, quantity=units, rate=rate)


def _added(lines: Sequence[Line], currency: str) -> list[Line]:
    """What pricing rules added, if they added anything."""
    kind = "TOTAL_PRICING_RULE_ADDITION_AMOUNT"
    return [parent(kind, "Pricing rules", lines, currency)] if lines else []


def _advanced(lines: Sequence[Line], currency: str) -> Line:
    return parent("TOTAL_ADVANCED_FEES", "Fees in advance", lines, currency)


def _total(
    gross: Sequence[Line], credit_use: CreditUse, currency: str, beside: Sequence[Line] = ()
) -> Line:
    """Net is gross less credits, with what is charged after credits (documented order); without
    taxes the totals above it are the same."""
    parts = [parent("GROSS_AMOUNT", "Gross", gross, currency)]
    used = [
        leaf("SUB_CREDITS", "Credit", -Fraction(amount), currency, source=credit_id)
        for credit_id, amount in credit_use.by_credit().items()
    ]
    if used:
        parts.append(parent("TOTAL_CREDITS", "Credits", used, currency))
    if beside:
        kind = "TOTAL_MISCELLANEOUS_CHARGES"
        parts.append(parent(kind, "Miscellaneous charges", beside, currency))
    net = parent("NET_AMOUNT", "Total amount due", parts, currency)
    whole = parent("TOTAL_AMOUNT", "Total", [net], currency)
    return parent("GRAND_TOTAL_AMOUNT", "Grand total", [whole], currency)
