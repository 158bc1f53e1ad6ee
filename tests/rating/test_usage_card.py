"""Usage cards: which usage they rate, and how their lines name it."""

from decimal import Decimal

from billing_mcp.rating.cycle_charges import Measured
from rating.worked import details, rated, shown, tiers

PRICES = tiers("TIERED", ("0", "0.10"))


def test_each_card_rates_its_own_meter_in_the_plans_order() -> None:
    plan = details(
        usageRateCards=[
            {"usageMeterId": "um.storage", "displayName": "Storage", **PRICES},
            {"usageMeterId": "um.calls", "name": "Calls", **PRICES},
            {"usageMeterId": "um.idle", **PRICES},
        ]
    )

    charged = rated(plan, Measured(usage={"um.calls": Decimal(7), "um.storage": Decimal(20)}))

    assert [(line.description, line.source, shown(line)) for line in charged.cards] == [
        ("Storage", "um.storage", "20 x 0.10 = 2.00"),
        ("Calls", "um.calls", "7 x 0.10 = 0.70"),
        ("um.idle", "um.idle", "nothing = 0.00"),
    ]
    assert charged.gross == Decimal("2.70")


def test_usage_below_zero_reaches_no_slab() -> None:
    plan = details(usageRateCards=[{"usageMeterId": "um.calls", **PRICES}])

    (line,) = rated(plan, Measured(usage={"um.calls": Decimal(-5)})).cards

    assert (line.quantity, line.amount, line.children) == (Decimal(-5), Decimal(0), ())
