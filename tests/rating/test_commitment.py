"""The minimum commitment and its true-up."""

from datetime import date
from decimal import Decimal

import pytest

from billing_mcp.rating.cycle_charges import Measured
from rating.worked import Json, details, fee, rated, tiers

CALLS: Json = {"usageMeterId": "um.calls", **tiers("TIERED", ("0", "0.333"))}
COMMITMENT = {"displayName": "Promised", "rateValues": [{"currency": "USD", "rate": Decimal(100)}]}


@pytest.mark.parametrize(
    ("units", "subtotal", "true_up"),
    [
        ("0", "0.00", "100.00"),
        # 1 x 0.333 -> 0.33, so that 99.67 are missing; and not 99.667.
        ("1", "0.33", "99.67"),
        # 300 x 0.333 = 99.90
        ("300", "99.90", "0.10"),
        # 301 x 0.333 = 100.233
        ("301", "100.23", "0.00"),
        ("1000", "333.00", "0.00"),
    ],
)
def test_what_is_missing_to_the_commitment_is_added(
    units: str, subtotal: str, true_up: str
) -> None:
    plan = details(usageRateCards=[CALLS], minimumCommitment=COMMITMENT)

    charged = rated(plan, Measured(usage={"um.calls": Decimal(units)}))

    assert charged.true_up is not None
    assert (str(charged.subtotal), str(charged.true_up.amount)) == (subtotal, true_up)
    assert charged.gross == charged.subtotal + charged.true_up.amount
    assert charged.true_up.type == "TRUE_UP_AMOUNT"


def test_a_part_of_a_cycle_owes_the_whole_commitment() -> None:
    plan = details(usageRateCards=[CALLS], minimumCommitment=COMMITMENT)

    assert rated(plan, associated=date(2026, 1, 31)).gross == Decimal("100.00")


def test_fees_in_advance_do_not_count_towards_the_commitment() -> None:
    fees = [fee("70"), fee("40", id="addon.early", invoiceTiming="IN_ADVANCE")]
    plan = details(fixedFeeRateCards=fees, minimumCommitment=COMMITMENT)

    charged = rated(plan)

    # 70 in arrears + 30 to the commitment + 40 for February.
    assert charged.subtotal == Decimal("70.00")
    assert charged.gross == Decimal("140.00")


def test_a_plan_without_a_commitment_has_no_true_up() -> None:
    assert rated(details(usageRateCards=[CALLS])).true_up is None
