"""A plan that is bought once: what its cards cost and give, each of them so many times."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing_mcp.rating.card_lines import Heading, card_line
from billing_mcp.rating.exact_numbers import WIDE, total
from billing_mcp.rating.lines import Line, leaf
from billing_mcp.rating.plan import Plan


@dataclass(frozen=True, slots=True)
class Quantities:
    """How often each card is bought, by the id of what it prices; `otherwise` all the rest."""

    otherwise: Decimal
    of_cards: Mapping[str, Decimal]

    def of(self, card_id: str) -> Decimal:
        return self.of_cards.get(card_id, self.otherwise)


def card_ids(plan: Plan) -> frozenset[str]:
    """What `Quantities.of_cards` can name."""
    fees = (card.id for card in plan.fixed_fees)
    grants = (card.id for card in plan.credit_grants)
    return frozenset((*fees, *grants, *(card.feature_id for card in plan.entitlements)))


def lines(plan: Plan, currency: str, quantities: Quantities) -> tuple[Line, ...]:
    """The price: fees times their quantity, and slabs over all that is granted."""
    found = []
    for fee in plan.fixed_fees:
        number, rate = Fraction(quantities.of(fee.id)), fee.rates[currency]
        kind = "FIXED_FEE_RATE_CARD_AMOUNT"
        exact = number * Fraction(rate)
        found.append(
            leaf(kind, fee.name, exact, currency, quantity=number, rate=rate, source=fee.id)
        )
    for card in plan.entitlements:
        kind = "BILLING_ENTITLEMENT_RATE_CARD_AMOUNT"
        heading = Heading(kind, kind, card.name, card.feature_id)
        limit = total(grant.limit for grant in card.grants)
        granted = WIDE.multiply(limit, quantities.of(card.feature_id))
        found.append(card_line(heading, card.rate_plan, card.rate_values[currency], granted))
    for grant in plan.credit_grants:
        kind = "CREDIT_GRANT_RATE_CARD_AMOUNT"
        price = grant.prices[currency]
        heading = Heading(kind, kind, grant.name, grant.id)
        amount = WIDE.multiply(price.credit_amount, quantities.of(grant.id))
        found.append(card_line(heading, price.rate_plan, price.rate_value, amount))
    return tuple(found)
