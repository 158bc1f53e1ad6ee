"""One cycle of one plan: the order of its lines, and what is invoiced before its time."""

from datetime import date
from decimal import Decimal

import pytest

from billing_mcp.rating.cycle_charges import Measured
from billing_mcp.rating.licence import LicenceChange
from rating.worked import Json, details, fee, grant_tiers, rated, shown_all, tiers

ONE = tiers("TIERED", ("0", "1"))
GRANT = {"priority": 1, "expiryType": "NO_EXPIRY"}


def every_card(timing: str) -> Json:
    """One card of each kind, each to be told by its amount."""
    return details(
        creditGrantRateCards=[
            {
                "id": "addon.credit",
                "invoiceTiming": timing,
                "grantDetails": GRANT,
                "rateDetails": grant_tiers("TIERED", "6", ("0", "1")),
            }
        ],
        entitlementOverageRateCards=[{"featureId": "feat.calls", **ONE}],
        billingEntitlementRateCards=[
            {
                "featureId": "feat.calls",
                "invoiceTiming": timing,
                "featureConfigs": [{"effectiveUntil": "P1M", "featureCreditLimit": 4}],
                **ONE,
            }
        ],
        licenseRateCards=[
            {"id": "addon.seat", "enableProration": True, "invoiceTiming": timing, **ONE}
        ],
        fixedFeeRateCards=[fee("2", invoiceTiming=timing)],
        usageRateCards=[{"usageMeterId": "um.calls", **ONE}],
        minimumCommitment={
            "displayName": "Minimum",
            "rateValues": [{"currency": "USD", "rate": Decimal(30)}],
        },
    )


MEASURED = Measured(
    usage={"um.calls": Decimal(1)},
    licences={"addon.seat": [LicenceChange(date(2026, 1, 1), Decimal(3))]},
    overage={"feat.calls": Decimal(5)},
)


def test_cards_stand_in_the_order_of_the_steps() -> None:
    charged = rated(every_card("IN_ARREARS"), MEASURED)

    # 1 + 2 + 3 + 4 + 5 + 6 = 21, and 9 to the commitment of 30
    assert shown_all(charged.lines) == [
        ("USAGE_RATE_CARD_AMOUNT", "1.00"),
        ("FIXED_FEE_RATE_CARD_AMOUNT", "2.00"),
        ("LICENSE_RATE_CARD_AMOUNT", "3.00"),
        ("BILLING_ENTITLEMENT_RATE_CARD_AMOUNT", "4.00"),
        ("ENTITLEMENT_OVERAGE_RATE_CARD_AMOUNT", "5.00"),
        ("CREDIT_GRANT_RATE_CARD_AMOUNT", "6.00"),
        ("TRUE_UP_AMOUNT", "9.00"),
    ]
    assert (charged.subtotal, charged.gross) == (Decimal("21.00"), Decimal("30.00"))
    assert charged.advance == charged.at_association == ()


@pytest.mark.parametrize("timing", ["IN_ADVANCE", "PREPAID"])
def test_fees_in_advance_are_invoiced_with_the_cycle_before(timing: str) -> None:
    advanced = [
        ("ADVANCED_FIXED_FEE", "2.00"),
        ("ADVANCED_LICENSE_RATE_CARD_AMOUNT", "3.00"),
        ("ADVANCED_BILLING_ENTITLEMENT_RATE_CARD_AMOUNT", "4.00"),
        ("ADVANCED_CREDIT_GRANT_RATE_CARD_AMOUNT", "6.00"),
    ]

    first = rated(every_card(timing), MEASURED)
    second = rated(every_card(timing), MEASURED, number=1)
    last = rated(every_card(timing), MEASURED, number=1, until=date(2026, 3, 1))

    arrears = [
        ("USAGE_RATE_CARD_AMOUNT", "1.00"),
        ("ENTITLEMENT_OVERAGE_RATE_CARD_AMOUNT", "5.00"),
    ]
    assert shown_all(first.cards) == shown_all(second.cards) == shown_all(last.cards) == arrears
    assert shown_all(first.at_association) == advanced
    assert shown_all(first.advance) == shown_all(second.advance) == advanced
    assert second.at_association == last.at_association == last.advance == ()


def test_the_first_cycles_own_fee_is_for_its_part_and_the_next_ones_in_full() -> None:
    card = fee("49", enableProration=True, invoiceTiming="IN_ADVANCE")
    plan = details(fixedFeeRateCards=[card])

    charged = rated(plan, associated=date(2026, 1, 15))

    # 49 x 17 / 31 = 26.870…
    assert shown_all(charged.at_association) == [("ADVANCED_FIXED_FEE", "26.87")]
    assert shown_all(charged.advance) == [("ADVANCED_FIXED_FEE", "49.00")]


def test_a_fee_in_advance_follows_its_own_recurrence() -> None:
    card = fee("49", invoiceTiming="IN_ADVANCE", recurrenceConfig={"interval": 2, "offset": 1})
    plan = details(fixedFeeRateCards=[card])

    # Due in the cycles 1, 3, 5, and so on the invoices of 0, 2, 4.
    assert [bool(rated(plan, number=number).advance) for number in range(4)] == [
        *(True, False, True, False),
    ]
    assert rated(plan).at_association == ()


def test_a_fee_in_advance_for_a_cycle_that_will_be_cut_is_for_its_part() -> None:
    card = fee("28", enableProration=True, invoiceTiming="IN_ADVANCE")

    charged = rated(details(fixedFeeRateCards=[card]), until=date(2026, 2, 8))

    # February 2026 has 28 days, and seven are left.
    assert shown_all(charged.advance) == [("ADVANCED_FIXED_FEE", "7.00")]


def test_a_plan_without_cards_owes_nothing() -> None:
    charged = rated(details())

    assert (charged.lines, charged.gross, charged.refunds) == ((), Decimal(0), ())
