"""The tree of an invoice's lines."""

from decimal import ROUND_DOWN, Decimal

from billing_mcp.money import plain
from billing_mcp.rating.credits import CreditState, CreditUse, apply_credits
from billing_mcp.rating.cycle_charges import Measured
from billing_mcp.rating.exact_numbers import total
from billing_mcp.rating.invoice import (
    advance_tree,
    custom_quantity,
    custom_tree,
    custom_value,
    invoice_tree,
)
from billing_mcp.rating.lines import Line
from billing_mcp.rating.miscellaneous_charges import charge_lines, read_charge
from billing_mcp.rating.pricing_rules import Ruled
from rating.worked import Json, at, details, fee, rated, tiers

PLAN: Json = details(
    usageRateCards=[
        {
            "usageMeterId": "um.calls",
            "displayName": "Calls",
            **tiers("TIERED", ("0", "0.333"), ("5", "0.25"), bounds={"minimumRate": "10"}),
        }
    ],
    fixedFeeRateCards=[fee("20"), fee("15", id="addon.early", invoiceTiming="IN_ADVANCE")],
    minimumCommitment={
        "displayName": "Promised",
        "rateValues": [{"currency": "USD", "rate": Decimal(35)}],
    },
)
CREDIT = CreditState(
    "cred.a", 1, at("2026-01-01"), None, at("2026-01-01"), Decimal(12), ("um.calls", "addon.fee")
)


def outline(line: Line, depth: int = 0) -> list[str]:
    rows = [f"{'  ' * depth}{line.type} {plain(line.amount)}"]
    return rows + [row for child in line.children for row in outline(child, depth + 1)]


def summed(line: Line) -> Line:
    """Every line of the tree is checked to be the sum of its children."""
    for each in line.walk():
        if each.children:
            assert each.amount == total(child.amount for child in each.children), each.type
    return line


def test_an_invoice_is_a_tree_down_to_the_slabs() -> None:
    charged = rated(PLAN, Measured(usage={"um.calls": Decimal(9)}))
    use = apply_credits(charged.lines, [CREDIT], charged.cycle, "USD")

    tree = summed(invoice_tree(charged, use, "Starter"))

    # Calls: 5 x 0.333 = 1.665 -> 1.66; 4 x 0.25 = 1.00; 10.00 - 2.66 = 7.34 to the card's minimum.
    # 10 + 20 = 30, 5 to the commitment, 15 in advance: gross 50. The credit: 10 + 2.
    assert outline(tree) == [
        "GRAND_TOTAL_AMOUNT 38.00",
        "  TOTAL_AMOUNT 38.00",
        "    NET_AMOUNT 38.00",
        "      GROSS_AMOUNT 50.00",
        "        PRICE_PLAN_AMOUNT 35.00",
        "          SUB_TOTAL_AMOUNT 30.00",
        "            USAGE_RATE_CARD_AMOUNT 10.00",
        "              USAGE_RATE_CARD_SLAB_AMOUNT 1.66",
        "              USAGE_RATE_CARD_SLAB_AMOUNT 1.00",
        "              RATE_CONFIG_ADJUSTMENT_AMOUNT 7.34",
        "            FIXED_FEE_RATE_CARD_AMOUNT 20.00",
        "          TRUE_UP_AMOUNT 5.00",
        "        TOTAL_ADVANCED_FEES 15.00",
        "          ADVANCED_FIXED_FEE 15.00",
        "      TOTAL_CREDITS -12.00",
        "        SUB_CREDITS -12.00",
    ]


def test_without_credits_advance_fees_and_commitment_their_lines_are_left_out() -> None:
    charged = rated(
        details(fixedFeeRateCards=[fee("1000", currency="JPY")], currency="JPY"), currency="JPY"
    )

    assert outline(invoice_tree(charged, CreditUse(), "Tokyo")) == [
        "GRAND_TOTAL_AMOUNT 1000",
        "  TOTAL_AMOUNT 1000",
        "    NET_AMOUNT 1000",
        "      GROSS_AMOUNT 1000",
        "        PRICE_PLAN_AMOUNT 1000",
        "          SUB_TOTAL_AMOUNT 1000",
        "            FIXED_FEE_RATE_CARD_AMOUNT 1000",
    ]


def test_a_plan_without_cards_makes_an_invoice_of_zero() -> None:
    tree = invoice_tree(rated(details("KWD"), currency="KWD"), CreditUse(), "Empty")

    assert {plain(line.amount) for line in tree.walk()} == {"0.000"}


def test_fees_at_the_association_make_an_invoice_of_their_own() -> None:
    charged = rated(PLAN)

    tree = summed(advance_tree(Ruled(charged.at_association), CreditUse(), "USD"))

    assert outline(tree)[2:] == [
        "    NET_AMOUNT 15.00",
        "      GROSS_AMOUNT 15.00",
        "        TOTAL_ADVANCED_FEES 15.00",
        "          ADVANCED_FIXED_FEE 15.00",
    ]


def test_a_custom_invoice_has_values_and_quantities() -> None:
    lines = [
        custom_value("Setup", Decimal("99.999"), "USD"),
        # 3 x 33.335 = 100.005
        custom_quantity("Training, in hours", Decimal(3), Decimal("33.335"), "USD"),
    ]

    tree = summed(custom_tree(lines, CreditUse(), "USD"))

    assert outline(tree)[3:] == [
        "      GROSS_AMOUNT 199.99",
        "        CUSTOM_AMOUNT 99.99",
        "        CUSTOM_AMOUNT 100.00",
    ]
    assert (lines[1].quantity, lines[1].rate) == (Decimal(3), Decimal("33.335"))


def test_lines_of_an_invoice_name_what_they_are_about() -> None:
    charged = rated(PLAN, Measured(usage={"um.calls": Decimal(9)}))
    use = apply_credits(charged.lines, [CREDIT], charged.cycle, "USD")

    tree = invoice_tree(charged, use, "Starter")

    named = {(line.type, line.description, line.source) for line in tree.walk() if line.source}
    assert named == {
        ("USAGE_RATE_CARD_AMOUNT", "Calls", "um.calls"),
        ("USAGE_RATE_CARD_SLAB_AMOUNT", "Slab 1", "um.calls"),
        ("USAGE_RATE_CARD_SLAB_AMOUNT", "Slab 2", "um.calls"),
        ("RATE_CONFIG_ADJUSTMENT_AMOUNT", "Minimum of the card", "um.calls"),
        ("FIXED_FEE_RATE_CARD_AMOUNT", "addon.fee", "addon.fee"),
        ("ADVANCED_FIXED_FEE", "addon.early", "addon.early"),
        ("SUB_CREDITS", "Credit", "cred.a"),
    }


def test_charges_beside_the_plan_come_after_credits_and_are_cut_once() -> None:
    charged = rated(PLAN)
    levy: Json = {"name": "Levy", "value": '{"*": [{"var": "addon.fee"}, 0.3333]}'}
    wishes: list[Json] = [levy, {"name": "Visits", "rate": Decimal("0.125"), "quantity": 3}]
    beside = charge_lines([read_charge(wish) for wish in wishes], charged.lines, "USD")

    tree = summed(invoice_tree(charged, CreditUse(), "Starter", beside))

    (fee,) = [line.amount for line in charged.lines if line.source == "addon.fee"]
    # 0.125 x 3 = 0.375, cut; what the levy is of the fee is cut as well.
    cut = (fee * Decimal("0.3333")).quantize(Decimal("0.01"), ROUND_DOWN)
    assert [line.amount for line in beside] == [cut, Decimal("0.37")]
    kinds = [line.type for line in tree.walk()]
    assert kinds[-3:] == ["TOTAL_MISCELLANEOUS_CHARGES", *["MISCELLANEOUS_CHARGE"] * 2]
    assert tree.amount == charged.gross + cut + Decimal("0.37")
