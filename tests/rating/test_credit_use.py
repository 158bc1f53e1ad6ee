"""Credits: which are used first, for which lines, and how much of each."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.rating.credits import CreditState, CreditUse, Use, applies, apply_credits
from billing_mcp.rating.cycle_charges import CycleCharges, Measured
from rating.worked import Json, at, details, fee, rated, tiers

ONE = tiers("TIERED", ("0", "1"))
PLAN: Json = details(
    usageRateCards=[{"usageMeterId": "um.calls", **ONE}, {"usageMeterId": "um.storage", **ONE}],
    fixedFeeRateCards=[fee("20"), fee("10", id="addon.early", invoiceTiming="IN_ADVANCE")],
    minimumCommitment={
        "displayName": "Minimum",
        "rateValues": [{"currency": "USD", "rate": Decimal(100)}],
    },
)
# The lines: calls 30, storage 40, fee 20, true-up 10, the next cycle's fee 10.
CALLS, STORAGE, FEE, TRUE_UP, EARLY = range(5)


def february() -> CycleCharges:
    usage = {"um.calls": Decimal(30), "um.storage": Decimal(40)}
    return rated(PLAN, Measured(usage=usage), number=1)


def credit(id_: str, left: str, **more: Any) -> CreditState:
    usual: Json = {
        "priority": 1,
        "effective_from": at("2026-01-01"),
        "effective_until": None,
        "created_at": at("2026-01-01"),
        "applicable": (),
    }
    return CreditState(id=id_, left=Decimal(left), **(usual | more))


def used(*credits_: CreditState, currency: str = "USD") -> CreditUse:
    charged = february()
    return apply_credits(charged.lines, credits_, charged.cycle, currency)


def paid(*credits_: CreditState) -> list[tuple[str, int, str]]:
    return [(use.credit_id, use.line, str(use.amount)) for use in used(*credits_).uses]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"priority": 1}, {"priority": 2}),
        ({"effective_until": at("2026-06-01")}, {"effective_until": at("2026-06-02")}),
        ({"effective_until": at("2026-06-01")}, {"effective_until": None}),
        ({"created_at": at("2026-01-01")}, {"created_at": at("2026-01-02")}),
        # Priority beats expiry, and expiry beats age.
        ({"priority": 1}, {"priority": 2, "effective_until": at("2026-03-01")}),
        (
            {"effective_until": at("2026-06-01"), "created_at": at("2026-01-09")},
            {"effective_until": at("2026-07-01"), "created_at": at("2026-01-01")},
        ),
        ({}, {}),  # by id, in the end
    ],
)
def test_priority_then_expiry_then_age_decides_which_credit_goes_first(
    one: Json, other: Json
) -> None:
    first, second = credit("cred.a", "25", **one), credit("cred.b", "25", **other)

    expected = [("cred.a", CALLS, "25.00"), ("cred.b", CALLS, "5.00"), ("cred.b", STORAGE, "20.00")]
    assert paid(second, first) == paid(first, second) == expected


def test_a_credit_pays_the_lines_in_the_invoices_order() -> None:
    assert paid(credit("cred.a", "105")) == [
        ("cred.a", CALLS, "30.00"),
        ("cred.a", STORAGE, "40.00"),
        ("cred.a", FEE, "20.00"),
        ("cred.a", TRUE_UP, "10.00"),
        ("cred.a", EARLY, "5.00"),
    ]


def test_no_more_is_used_than_is_owed() -> None:
    use = used(credit("cred.a", "60"), credit("cred.b", "1000"))

    # 30 + 40 + 20 + 10 + 10 = 110
    assert use.total == Decimal("110.00")
    assert use.by_credit() == {"cred.a": Decimal("60.00"), "cred.b": Decimal("50.00")}


@pytest.mark.parametrize(
    ("applicable", "lines"),
    [
        ((), [CALLS, STORAGE, FEE, TRUE_UP, EARLY]),
        (("ALL_USAGE_METER_RATE_CARDS",), [CALLS, STORAGE]),
        (("ALL_FIXED_FEE_RATE_CARDS",), [FEE, EARLY]),
        (("um.storage",), [STORAGE]),
        (("addon.fee",), [FEE]),
        (("um.storage", "addon.early"), [STORAGE, EARLY]),
        (("um.none",), []),
    ],
)
def test_a_credit_pays_what_it_applies_to(applicable: tuple[str, ...], lines: list[int]) -> None:
    charged = february()

    assert [index for index, line in enumerate(charged.lines) if applies(applicable, line)] == lines
    assert [line for _, line, _ in paid(credit("cred.a", "500", applicable=applicable))] == lines


def test_a_narrow_credit_of_later_priority_pays_what_the_wide_one_left() -> None:
    wide = credit("cred.wide", "50", priority=1)
    narrow = credit("cred.narrow", "50", priority=2, applicable=("um.storage",))

    assert paid(narrow, wide) == [
        ("cred.wide", CALLS, "30.00"),
        ("cred.wide", STORAGE, "20.00"),
        ("cred.narrow", STORAGE, "20.00"),
    ]


@pytest.mark.parametrize(
    ("life", "usable"),
    [
        # The cycle is February 2026.
        ({"effective_until": at("2026-02-01")}, False),
        ({"effective_until": at("2026-02-02")}, True),
        ({"effective_from": at("2026-02-28")}, True),
        ({"effective_from": at("2026-03-01")}, False),
    ],
)
def test_a_credit_is_usable_if_it_lives_during_the_cycle(life: Json, usable: bool) -> None:
    assert bool(paid(credit("cred.a", "10", **life))) is usable


def test_only_whole_cents_of_a_credit_are_used() -> None:
    assert used(credit("cred.a", "10.019")).total == Decimal("10.01")


@pytest.mark.parametrize("left", ["0", "0.009", "-5"])
def test_an_empty_credit_pays_nothing(left: str) -> None:
    assert used(credit("cred.a", left)) == CreditUse()


def test_a_use_names_the_credit_the_line_and_the_amount() -> None:
    assert used(credit("cred.a", "12")).uses == (Use("cred.a", CALLS, Decimal("12.00")),)


def test_fees_that_are_due_at_the_association_can_be_paid_by_credits() -> None:
    charged = rated(PLAN, associated=date(2026, 1, 1))

    use = apply_credits(charged.at_association, [credit("cred.a", "4")], charged.cycle, "USD")

    assert use.by_credit() == {"cred.a": Decimal("4.00")}
