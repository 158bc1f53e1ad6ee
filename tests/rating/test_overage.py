"""Overage: when it is billed, over which cycles, and its limit."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.rating import overage
from billing_mcp.rating.cards import Recurrence
from billing_mcp.rating.cycle_charges import Measured
from billing_mcp.rating.plan import read_plan
from billing_mcp.rating.recurrence import open_window, window
from rating.worked import Json, details, rated, shown, tiers

USED = Measured(overage={"feat.calls": Decimal(30)})


def plan(**more: Any) -> Json:
    prices = tiers("TIERED", ("0", "0.50"), ("20", "0.40"))
    return details(entitlementOverageRateCards=[{"featureId": "feat.calls", **prices, **more}])


def billed(number: int, until: date | None = None, **more: Any) -> list[str]:
    return [shown(line) for line in rated(plan(**more), USED, number=number, until=until).cards]


def test_overage_is_billed_in_every_cycle_unless_the_card_says_otherwise() -> None:
    # 20 x 0.50 = 10.00, and 10 x 0.40 = 4.00
    expected = ["20 x 0.50 + 10 x 0.40 = 14.00"]

    assert billed(0) == billed(1) == billed(7) == expected


@pytest.mark.parametrize(
    ("config", "charged"),
    [
        ({"interval": 3}, [0, 3, 6]),
        ({"interval": 3, "startOffset": 2}, [2, 5]),
        ({"startOffset": 5}, [5, 6, 7]),
    ],
)
def test_overage_is_billed_from_its_offset_on_at_its_interval(
    config: dict[str, int], charged: list[int]
) -> None:
    assert [number for number in range(8) if billed(number, billingConfig=config)] == charged


def test_the_last_cycle_bills_what_is_left() -> None:
    until = date(2026, 2, 15)
    config = {"interval": 3, "startOffset": 2}

    assert billed(0, until, billingConfig=config) == []
    assert billed(1, until, billingConfig=config) == ["20 x 0.50 + 10 x 0.40 = 14.00"]


@pytest.mark.parametrize(
    ("number", "together", "so_far"),
    [
        (0, None, [0]),
        (1, None, [0, 1]),
        (2, [0, 1, 2], [0, 1, 2]),
        (3, None, [3]),
        (4, None, [3, 4]),
        (5, [3, 4, 5], [3, 4, 5]),
        (6, None, [6]),
    ],
)
def test_a_bill_covers_the_cycles_since_the_last_one(
    number: int, together: list[int] | None, so_far: list[int]
) -> None:
    quarterly = Recurrence(interval=3, offset=2)
    billing = window(quarterly, number)

    assert (None if billing is None else list(billing)) == together
    assert list(open_window(quarterly, number)) == so_far


def test_overage_may_be_used_up_to_its_limit() -> None:
    (limited,) = read_plan(plan(maxQuantity=Decimal("2.5"))).overages
    (unlimited,) = read_plan(plan()).overages

    assert overage.allows(limited, Decimal(2), Decimal("0.5"))
    assert not overage.allows(limited, Decimal(2), Decimal("0.51"))
    assert overage.allows(unlimited, Decimal(10**40), Decimal(1))


def test_overage_beyond_its_limit_is_priced_all_the_same() -> None:
    (limited,) = read_plan(plan(maxQuantity=25)).overages

    # The limit is asked for before units are used; the 30 that were used are owed.
    assert not overage.allows(limited, Decimal(25), Decimal(5))
    assert billed(0, maxQuantity=25) == ["20 x 0.50 + 10 x 0.40 = 14.00"]


def test_no_overage_costs_nothing() -> None:
    (line,) = rated(plan()).cards

    assert (line.type, shown(line)) == ("ENTITLEMENT_OVERAGE_RATE_CARD_AMOUNT", "nothing = 0.00")
