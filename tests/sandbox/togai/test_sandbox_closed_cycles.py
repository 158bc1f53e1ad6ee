"""What a final invoice was for stays as it was, also when its plan goes afterwards."""

from decimal import Decimal
from typing import Any

from sandbox.asking import Asker
from sandbox.togai.billed import send, until
from sandbox.togai.world import RATED, account, associate, feature, granting, meter, plan, schema


def cut_after_the_invoice(ask: Asker, **cards: Any) -> None:
    """November is billed with its event of the 19th; then the plan goes, from the 8th on."""
    associate(ask, plan(ask, **cards))
    send(ask, "e1", "14")
    until(ask, "2026-12-04T00:00:00Z")
    period = {"effectiveFrom": "2026-11-08", "effectiveUntil": "9999-01-01"}
    ask.done("POST", "/accounts/main/price_plans", {"mode": "DISASSOCIATE", **period})


def undo(ask: Asker) -> tuple[str, str]:
    query = {"account_id": "main", "event_id": "e1", "action": "UNDO"}
    (row,) = ask.done("POST", "/events/correction", **query)["data"]
    return row["status"], row["reason"]


def invoiced(ask: Asker) -> Decimal:
    (invoice,) = ask.done("GET", "/invoices", owner_id="main", status="DUE")["data"]
    total: Decimal = invoice["totalAmount"]
    return total


def test_an_event_on_a_final_invoice_cannot_be_taken_back_when_its_plan_has_gone(
    ask: Asker,
) -> None:
    account(ask)
    schema(ask)
    cut_after_the_invoice(ask, usageRateCards=[{"usageMeterId": meter(ask), **RATED}])

    assert undo(ask) == ("FAILED", "The invoice of that time is final")
    assert invoiced(ask) == Decimal("3.50")


def test_an_event_that_comes_when_its_plan_has_gone_is_on_no_invoice_and_can_be_taken_back(
    ask: Asker,
) -> None:
    account(ask)
    schema(ask)
    cut_after_the_invoice(ask, usageRateCards=[{"usageMeterId": meter(ask), **RATED}])
    send(ask, "later", "3")

    query = {"account_id": "main", "event_id": "later", "action": "UNDO"}
    (row,) = ask.done("POST", "/events/correction", **query)["data"]

    assert row["status"] == "REVERTED"
    assert invoiced(ask) == Decimal("3.50")


def test_nor_when_another_plan_runs_in_its_time(ask: Asker) -> None:
    account(ask)
    schema(ask)
    card = {"usageMeterId": meter(ask), **RATED}
    cut_after_the_invoice(ask, usageRateCards=[card])
    quarterly = {"interval": "QUARTERLY", "gracePeriod": 3}
    associate(ask, plan(ask, "Other", usageRateCards=[card], pricingCycleConfig=quarterly))

    assert undo(ask) == ("FAILED", "The invoice of the cycle from 2026-11-01 on is final")


def test_overage_on_a_final_invoice_is_not_given_back_when_its_plan_has_gone(ask: Asker) -> None:
    account(ask)
    schema(ask)
    calls = feature(ask)
    overage = {"featureId": calls, **RATED}
    cut_after_the_invoice(
        ask,
        billingEntitlementRateCards=[granting(calls, 10)],
        entitlementOverageRateCards=[overage],
    )

    assert undo(ask) == ("FAILED", "The invoice of that time is final")
    # 10 granted and 4 beyond them, at 0.25.
    assert invoiced(ask) == Decimal("3.50")
