"""The minimum commitment: what is added when a cycle's cards come to less than was promised."""

from decimal import Decimal
from fractions import Fraction

from billing_mcp import money
from billing_mcp.rating.exact_numbers import WIDE
from billing_mcp.rating.lines import Line, leaf
from billing_mcp.rating.plan import MinimumCommitment


def charge(commitment: MinimumCommitment, currency: str, subtotal: Decimal) -> Line:
    """The true-up: the commitment less the rounded subtotal, never below zero.

    It is owed in full for a part of a cycle too.
    """
    promised = money.rounded(commitment.rates[currency], currency)
    missing = max(WIDE.subtract(promised, subtotal), Decimal(0))
    return leaf(
        "TRUE_UP_AMOUNT",
        commitment.name,
        Fraction(missing),
        currency,
        metadata={"minimumCommitment": money.plain(promised)},
    )
