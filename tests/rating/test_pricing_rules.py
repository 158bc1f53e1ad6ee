"""Pricing rules: what they read, what they make of cards, and what keeps them from doing so."""

from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.money import plain
from billing_mcp.rating.credits import apply_credits
from billing_mcp.rating.cycle_charges import CycleCharges, Measured, charges
from billing_mcp.rating.cycles import cycle_number
from billing_mcp.rating.invoice import invoice_tree
from billing_mcp.rating.plan import read_plan
from billing_mcp.rating.pricing_rules import (
    NotARule,
    PricingRule,
    card_names,
    read_rule,
    variables,
)
from rating.test_credit_use import credit
from rating.worked import JANUARY, Json, details, fee, tiers

ONE = tiers("TIERED", ("0", "1"))
PLAN: Json = details(
    usageRateCards=[{"usageMeterId": "um.calls", "displayName": "Calls", **ONE}],
    fixedFeeRateCards=[
        fee("20", id="addon.fee"),
        fee("10", id="addon.early", invoiceTiming="IN_ADVANCE"),
        fee("7", id="addon.once", type="ONE_TIME"),
    ],
    licenseRateCards=[{"id": "addon.seat", "enableProration": False, **ONE}],
)


WRITTEN: Json = {
    "id": "r",
    "name": "Rule",
    "order": 1,
    "computation": "1",
    "action": {"type": "ADD"},
}


def rule(computation: str, target: str | None = None, **fields: Any) -> PricingRule:
    action = {"type": "ADD"} if target is None else {"type": "UPDATE", "target": target}
    return read_rule(WRITTEN | {"computation": computation, "action": action} | fields)


def ruled(*rules: PricingRule, calls: str = "30", plan: Json = PLAN) -> CycleCharges:
    """The second cycle with 30 calls at 1 and the fee of 20."""
    read = read_plan(plan)
    assert read.cycle is not None
    cycle, following = (cycle_number(read.cycle, JANUARY, None, number) for number in (1, 2))
    assert cycle is not None
    usage = Measured(usage={"um.calls": Decimal(calls)})
    return charges(read, "USD", cycle, usage, following=following, rules=rules)


def came_to(charged: CycleCharges) -> list[str]:
    return [plain(line.amount) for line in charged.lines]


def outcomes(charged: CycleCharges) -> list[tuple[str, str | None]]:
    return [(log.outcome, log.error) for log in charged.logs]


def test_without_rules_every_card_is_as_it_was() -> None:
    assert came_to(ruled()) == ["30.00", "20.00", "0.00", "10.00"]


def test_the_variables_are_those_of_the_plans_cards_charged_or_not() -> None:
    plan = read_plan(PLAN)

    assert variables(card_names(plan, advance=False)) == {
        *("revenue.urc.um.calls", "usage.urc.um.calls", "revenue.ff.addon.fee"),
        *("revenue.ff.addon.once", "revenue.lrc.addon.seat", "usage.lrc.addon.seat"),
    }
    assert variables(card_names(plan, advance=True)) == {"revenue.ff.addon.early"}
    assert rule('{"+": [{"var": "a.b"}, {"var": ["c", 1]}]}', "revenue.ff.x").variables == {
        *("a.b", "c", "revenue.ff.x"),
    }


def test_an_added_line_follows_the_cards_and_is_cut_to_the_cent() -> None:
    charged = ruled(rule('{"/": [{"var": "revenue.urc.um.calls"}, 7]}'))

    # 30 / 7 = 4.2857…
    assert came_to(charged) == ["30.00", "20.00", "0.00", "4.28", "10.00"]
    assert plain(charged.subtotal) == "50.00"


def test_a_card_that_is_changed_shows_by_how_much() -> None:
    charged = ruled(rule("12.349", "revenue.ff.addon.fee"))

    changed = charged.cards[1]
    assert (plain(changed.amount), [plain(part.amount) for part in changed.children]) == (
        "12.34",
        ["20.00", "-7.66"],
    )
    assert [part.type for part in changed.walk()] == [
        *("FIXED_FEE_RATE_CARD_AMOUNT", "FIXED_FEE_RATE_CARD_AMOUNT"),
        "PRICING_RULE_REVENUE_UPDATE_AMOUNT",
    ]


def test_usage_is_changed_before_what_reads_it_next() -> None:
    charged = ruled(
        rule('{"var": "usage.urc.um.calls"}', order=2),
        rule("12", "usage.urc.um.calls", order=1),
    )

    assert came_to(charged) == ["12.00", "20.00", "0.00", "12.00", "10.00"]
    changed = charged.cards[0]
    assert changed.quantity == Decimal(12)
    assert changed.children[-1].quantity == Decimal(-18)


def test_a_fee_that_is_not_charged_now_reads_as_nothing_and_cannot_be_changed() -> None:
    charged = ruled(
        rule('{"var": "revenue.ff.addon.once"}'), rule("3", "revenue.ff.addon.once", order=2)
    )

    assert outcomes(charged) == [
        ("CONDITION_TRUE", None),
        ("COMPUTATION_ERROR", "ff.addon.once is not charged in this cycle"),
    ]
    assert came_to(charged) == ["30.00", "20.00", "0.00", "0.00", "10.00"]


def test_rules_in_advance_see_only_the_fees_in_advance() -> None:
    half = '{"*": [{"var": "revenue.ff.addon.early"}, 0.5]}'
    charged = ruled(
        rule(half, "revenue.ff.addon.early", invoiceTiming="IN_ADVANCE"),
        rule(half, order=2),
        rule("1", order=3, invoiceTiming="IN_ADVANCE"),
    )

    assert outcomes(charged) == [
        ("COMPUTATION_ERROR", "a number is missing"),
        ("CONDITION_TRUE", None),
        ("CONDITION_TRUE", None),
    ]
    assert came_to(charged) == ["30.00", "20.00", "0.00", "5.00", "1.00"]


def test_a_commitment_follows_changed_cards_and_not_added_lines() -> None:
    commitment = {"displayName": "Floor", "rateValues": [{"currency": "USD", "rate": Decimal(90)}]}
    plan = PLAN | {"minimumCommitment": commitment}
    charged = ruled(rule("40", "revenue.urc.um.calls"), rule("5", order=2), plan=plan)

    assert charged.true_up is not None
    assert plain(charged.true_up.amount) == "30.00"


def test_discounts_together_take_no_more_than_there_is() -> None:
    charged = ruled(rule("-45"), rule("-45", order=2), rule("3", order=3), rule("-9", order=4))

    assert [plain(line.amount) for line in charged.additions] == [
        *("-45.00", "-5.00", "3.00", "-3.00"),
    ]
    assert [line.metadata for line in charged.additions] == [
        *({}, {"limitedFrom": "-45"}),
        *({}, {"limitedFrom": "-9"}),
    ]


def test_credits_pay_what_discounts_leave_and_the_invoice_adds_up() -> None:
    charged = ruled(rule("-25"))
    use = apply_credits(charged.lines, [credit("c", "100")], charged.cycle, "USD")

    # Of 30, 20 and 10 in advance a discount of 25 lowers the fee to nothing and the calls by 5.
    assert [(one.line, plain(one.amount)) for one in use.uses] == [(0, "25.00"), (4, "10.00")]
    tree = invoice_tree(charged, use, "Plan")
    assert plain(tree.amount) == "0.00"
    gross = next(line for line in tree.walk() if line.type == "GROSS_AMOUNT")
    assert [(part.type, plain(part.amount)) for part in gross.children] == [
        ("PRICE_PLAN_AMOUNT", "50.00"),
        ("TOTAL_PRICING_RULE_ADDITION_AMOUNT", "-25.00"),
        ("TOTAL_ADVANCED_FEES", "10.00"),
    ]


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (rule("1", condition='{"<": [{"var": "usage.urc.um.calls"}, 30]}'), "CONDITION_FALSE"),
        (rule("1", condition='{"<=": [{"var": "usage.urc.um.calls"}, 30]}'), "CONDITION_TRUE"),
        (rule("1", condition='{"<": [{"var": "usage"}, 30]}'), "CONDITION_ERROR"),
        (rule('"much"'), "COMPUTATION_ERROR"),
        (rule('{"%": [1, 0]}'), "COMPUTATION_ERROR"),
        (rule("-0.01", "revenue.ff.addon.fee"), "COMPUTATION_ERROR"),
        (rule("0", "revenue.ff.addon.fee"), "CONDITION_TRUE"),
        (rule("9" * 30), "CONDITION_TRUE"),
        (rule("1" + "0" * 30), "COMPUTATION_ERROR"),
    ],
)
def test_a_rule_says_what_became_of_it(given: PricingRule, outcome: str) -> None:
    ((found, error),) = outcomes(ruled(given))

    assert found == outcome
    assert (error is not None) == outcome.endswith("ERROR")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"computation": "{"}, "computation: it is not JSON"),
        ({"condition": '{"reduce": []}'}, "condition: the operator reduce is not known"),
        ({"action": {"type": "UPDATE"}}, "action.target must be revenue.KIND.ID"),
        ({"action": {"type": "UPDATE", "target": "revenue.fee.x"}}, "action.target must be"),
        ({"action": {"type": "UPDATE", "target": "usage.lrc.x"}}, "action.target must be"),
    ],
)
def test_a_rule_that_cannot_be_read_names_its_field(given: Json, message: str) -> None:
    with pytest.raises(NotARule) as caught:
        read_rule(WRITTEN | given)

    assert str(caught.value).startswith(message)
