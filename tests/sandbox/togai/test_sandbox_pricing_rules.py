"""Pricing rules on the invoices of the emulated Togai, and the logs of what they did."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import amounts, brief, credit, fee, invoices, lines, send, until
from sandbox.togai.test_sandbox_price_plans import body
from sandbox.togai.world import FOREVER, RATED, account, meter, schema


def add(computation: str, order: int = 1, **fields: Any) -> dict[str, Any]:
    """A rule that adds what it computes."""
    return {
        "name": f"Rule {order}",
        "order": order,
        "computation": computation,
        "action": {"type": "ADD", "description": "Rebate"},
        **fields,
    }


def update(target: str, computation: str, order: int = 1, **fields: Any) -> dict[str, Any]:
    return add(computation, order, **fields) | {"action": {"type": "UPDATE", "target": target}}


def ruled(ask: Asker, *rules: dict[str, Any], own: bool = False, **details: Any) -> str:
    """The account main on a plan with calls at 0.25 and these rules; the meter's id.

    `own` rules are the account's override of the plan's, which has none.
    """
    account(ask)
    schema(ask)
    calls = meter(ask)
    cards = [{"usageMeterId": calls, "displayName": "Calls", **RATED}]
    shown = [
        {
            name: value.replace("CALLS", calls) if isinstance(value, str) else value
            for name, value in rule.items()
        }
        | {
            "action": {
                name: value.replace("CALLS", calls) for name, value in rule["action"].items()
            }
        }
        for rule in rules
    ]
    plan_body = body(usageRateCards=cards, **details) | {"pricingRules": [] if own else shown}
    plan_id = ask.done("POST", "/price_plans", plan_body)["id"]
    ask.done("POST", f"/price_plans/{plan_id}/activate", {"currencies": ["USD"]})
    period = {"effectiveFrom": "2026-11-01", "effectiveUntil": FOREVER}
    override = {"pricingRulesOverride": shown} if own else {}
    ask.done("POST", "/accounts/main/price_plans", {"pricePlanId": plan_id} | period | override)
    return calls


def logs(ask: Asker) -> list[Any]:
    (invoice,) = invoices(ask)
    found: list[Any] = ask.done("GET", f"/invoice/{invoice['id']}/pricing_rules_logs")["data"]
    return found


TENTH_OFF = '{"*": [{"var": "revenue.urc.CALLS"}, -0.1]}'
OVER_100 = '{">": [{"var": "usage.urc.CALLS"}, 100]}'


def test_a_discount_is_a_line_of_its_own_once_its_condition_holds(ask: Asker) -> None:
    ruled(ask, add(TENTH_OFF, condition=OVER_100))
    send(ask, "e1", "100")
    assert brief(ask) == [("2026-11-01", "DRAFT", 25)]
    (log,) = logs(ask)
    assert log["type"] == "CONDITION_FALSE"

    send(ask, "e2", "101")

    # 201 at 0.25 is 50.25; a tenth of it 5.025, cut to the cent.
    (invoice,) = invoices(ask)
    assert invoice["totalAmount"] == Decimal("45.23")
    assert amounts(invoice, "PRICING_RULE_ADDITION_AMOUNT") == [Decimal("-5.02")]
    assert amounts(invoice, "TOTAL_PRICING_RULE_ADDITION_AMOUNT") == [Decimal("-5.02")]
    (line,) = (
        one
        for one in lines(invoice["revenueInfo"])
        if one["type"] == "PRICING_RULE_ADDITION_AMOUNT"
    )
    assert line["description"] == "Rebate"


def test_a_log_says_what_a_rule_saw_and_did(ask: Asker) -> None:
    calls = ruled(ask, add(TENTH_OFF, condition=OVER_100))
    send(ask, "e1", "200")

    (log,) = logs(ask)

    assert (log["type"], log["order"], log["rule"]["name"]) == ("CONDITION_TRUE", 1, "Rule 1")
    assert log["rule"]["condition"] == OVER_100.replace("CALLS", calls)
    assert (log["changes"]["oldRevenue"], log["changes"]["newRevenue"]) == (0, -5)
    assert log["variablesValue"] == {
        f"revenue.urc.{calls}": {"name": "Calls", "value": "50.00"},
        f"usage.urc.{calls}": {"name": "Calls", "value": "200"},
    }
    assert logs(ask) == [log]


def test_a_card_is_changed_to_what_a_rule_computes(ask: Asker) -> None:
    calls = ruled(
        ask,
        update("revenue.ff.platform", '{"/": [{"var": "revenue.urc.CALLS"}, 4]}'),
        fixedFeeRateCards=[fee("100")],
    )
    send(ask, "e1", "400")

    (invoice,) = invoices(ask)

    # The fee of 100 becomes a quarter of the calls' 100.
    assert invoice["totalAmount"] == 125
    assert amounts(invoice, "PRICING_RULE_REVENUE_UPDATE_AMOUNT") == [-75]
    assert amounts(invoice, "FIXED_FEE_RATE_CARD_AMOUNT") == [25, 100]
    (log,) = logs(ask)
    assert log["changes"] == {
        "key": "ff.platform",
        "keyName": "Platform",
        "oldRevenue": 100,
        "newRevenue": 25,
    }
    assert list(log["variablesValue"]) == ["revenue.ff.platform", f"revenue.urc.{calls}"]


def test_the_usage_of_a_card_is_rated_anew(ask: Asker) -> None:
    calls = ruled(ask, update("usage.urc.CALLS", '{"-": [{"var": "usage.urc.CALLS"}, 100]}'))
    send(ask, "e1", "400")

    (invoice,) = invoices(ask)

    assert invoice["totalAmount"] == 75
    assert amounts(invoice, "PRICING_RULE_USAGE_UPDATE_AMOUNT") == [-25]
    (log,) = logs(ask)
    assert log["changes"] == {
        "key": f"urc.{calls}",
        "keyName": "Calls",
        "oldRevenue": 100,
        "newRevenue": 75,
        "oldUsage": 400,
        "newUsage": 300,
    }


def test_rules_run_in_their_order_each_over_what_the_last_one_left(ask: Asker) -> None:
    ruled(
        ask,
        update("revenue.urc.CALLS", '{"*": [{"var": "revenue.urc.CALLS"}, 2]}', 2),
        update("revenue.urc.CALLS", '{"+": [{"var": "revenue.urc.CALLS"}, 1]}', 1),
    )
    send(ask, "e1", "40")

    assert brief(ask) == [("2026-11-01", "DRAFT", 22)]
    assert [log["order"] for log in logs(ask)] == [1, 2]


def test_a_rule_that_cannot_be_computed_changes_nothing_and_says_why(ask: Asker) -> None:
    ruled(
        ask,
        add("5", 1, condition='{">": [{"var": "revenue.ff.none"}, 1]}'),
        add('{"/": [1, {"var": "usage.urc.CALLS"}]}', 2),
        update("revenue.urc.CALLS", "-1", 3),
        update("revenue.ff.none", "1", 4),
        add('{"*": [1' + "0" * 40 + ", 1]}", 5),
        add('{"var": "revenue.ff.none"}', 6),
        own=True,
    )

    found = [(log["type"], log["changes"]["errorMessage"]) for log in logs(ask)]

    assert found == [
        ("CONDITION_ERROR", "a number is missing"),
        ("COMPUTATION_ERROR", "a number is divided by zero"),
        ("COMPUTATION_ERROR", "a card cannot come to less than nothing"),
        ("COMPUTATION_ERROR", "ff.none is not charged in this cycle"),
        ("COMPUTATION_ERROR", "the result has more than 30 digits before the point"),
        ("COMPUTATION_ERROR", "a number is missing"),
    ]
    assert brief(ask) == [("2026-11-01", "DRAFT", 0)]


def test_a_discount_takes_no_more_than_there_is(ask: Asker) -> None:
    ruled(ask, add("-100"))
    send(ask, "e1", "40")

    (invoice,) = invoices(ask)

    assert (invoice["totalAmount"], amounts(invoice, "PRICING_RULE_ADDITION_AMOUNT")) == (0, [-10])


def test_credits_pay_what_a_discount_has_left(ask: Asker) -> None:
    ruled(ask, add("-4"))
    send(ask, "e1", "40")
    credit_id = credit(ask, "100")

    (invoice,) = invoices(ask)

    assert (invoice["totalAmount"], amounts(invoice, "TOTAL_CREDITS")) == (0, [-6])
    assert ask.done("GET", f"/credits/{credit_id}")["holdAmount"] == 6


def test_a_commitment_is_compared_with_changed_cards_and_without_added_lines(ask: Asker) -> None:
    commitment = {"displayName": "Floor", "rateValues": [{"currency": "USD", "rate": 50}]}
    ruled(
        ask,
        update("revenue.urc.CALLS", "30", 1),
        add("15", 2),
        minimumCommitment=commitment,
    )
    send(ask, "e1", "40")

    (invoice,) = invoices(ask)

    assert amounts(invoice, "TRUE_UP_AMOUNT") == [20]
    assert amounts(invoice, "GROSS_AMOUNT") == [65]


def test_rules_in_advance_are_about_the_fees_in_advance(ask: Asker) -> None:
    half = '{"*": [{"var": "revenue.ff.platform"}, 0.5]}'
    ruled(
        ask,
        update("revenue.ff.platform", half, 1, invoiceTiming="IN_ADVANCE"),
        add("7", 2),
        fixedFeeRateCards=[fee("100", "IN_ADVANCE")],
    )

    # November's own fee at the association; then December's with what November adds in arrears.
    assert brief(ask) == [("2026-11-01", "DRAFT", 57), ("2026-11-01", "DUE", 50)]


def test_a_final_invoice_keeps_its_logs(ask: Asker) -> None:
    ruled(ask, add("-1"))
    send(ask, "e1", "40")
    before = logs(ask)
    until(ask, "2026-12-10T00:00:00Z")

    november = next(row for row in invoices(ask) if row["startDate"].startswith("2026-11"))

    path = f"/invoice/{november['id']}/pricing_rules_logs"
    assert ask.done("GET", path)["data"] == before
    assert november["status"] == "DUE"
    assert ask.togai("GET", "/invoice/inv.none/pricing_rules_logs").status == 404


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": 0}, "pricingRules[0].order must be a whole number from 1 to 1000"),
        ({"computation": "revenue > 5"}, "pricingRules[0].computation: it is not JSON"),
        ({"condition": '{"map": [[1], 2]}'}, "pricingRules[0].condition: the operator map is not"),
        (
            {"computation": '{"+": [' + ",".join("1" * 1001) + "]}"},
            "pricingRules[0].computation: it is deeper than 50 or has more than 1000 values",
        ),
        ({"action": {"type": "SET"}}, "pricingRules[0].action.type must be one of ADD, UPDATE"),
        ({"action": {"type": "UPDATE"}}, "pricingRules[0].action.target must be revenue.KIND.ID"),
        (
            {"action": {"type": "UPDATE", "target": "usage.ff.platform"}},
            "pricingRules[0].action.target must be",
        ),
        ({"invoiceTiming": "PREPAID"}, "pricingRules[0].invoiceTiming must be one of"),
    ],
)
def test_a_rule_that_cannot_be_run_is_refused(ask: Asker, change: Any, message: str) -> None:
    answer = ask.togai("POST", "/price_plans", body() | {"pricingRules": [add("1") | change]})

    assert answer.status == 400
    assert answer.message.startswith(message)
