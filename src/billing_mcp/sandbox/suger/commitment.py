"""How a commit is drawn down before usage reaches the marketplace. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing_mcp.sandbox.suger.quantities import exactly, quotient


@dataclass(frozen=True, slots=True)
class Drawn:
    """Quantities by dimension, split into what the commit paid for and what is beyond it."""

    covered: Mapping[str, Decimal]
    beyond: Mapping[str, Decimal]
    amount: Decimal  # of the commit, used by this


def draw(
    quantities: Mapping[str, Decimal], unit_prices: Mapping[str, Decimal], left: Decimal
) -> Drawn:
    """Use up what is left of the commit, dimension by dimension in alphabetical order.

    A dimension without a price cannot use any of it. When the commit ends inside a dimension,
    the covered quantity is cut to 12 decimal places.
    """
    covered: dict[str, Decimal] = {}
    beyond: dict[str, Decimal] = {}
    used = Decimal(0)
    with exactly():
        for key, quantity in sorted(quantities.items()):
            price = unit_prices.get(key, Decimal(0))
            worth = quantity * price
            available = left - used
            if price == 0:
                covered[key] = Decimal(0)
            elif worth <= available:
                covered[key] = quantity
                used += worth
            else:
                covered[key] = quotient(available, price)
                used += available
            beyond[key] = quantity - covered[key]
    return Drawn(covered, beyond, used)


def at_list_price(
    quantities: Mapping[str, Decimal],
    unit_prices: Mapping[str, Decimal],
    list_prices: Mapping[str, Decimal],
) -> dict[str, Decimal]:
    """Quantities that cost at the agreed price what the usage costs at the list price.

    The marketplace knows only the agreed price, so the quantity has to carry the difference.
    """
    adjusted = {}
    for key, quantity in quantities.items():
        price = unit_prices.get(key)
        listed = list_prices.get(key)
        with exactly():
            adjusted[key] = quotient(quantity * listed, price) if price and listed else quantity
    return adjusted
