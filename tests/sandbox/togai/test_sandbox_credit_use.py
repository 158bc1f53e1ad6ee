"""How credits pay for computed invoices, where they come from, and when they are gone."""

from decimal import Decimal
from typing import Any

from sandbox.asking import Asker
from sandbox.togai.billed import (
    amounts,
    brief,
    credit,
    fee,
    invoices,
    priced,
    send,
    standing,
    until,
)
from sandbox.togai.world import CYCLE, account, associate, plan


def granting_credit(amount: int, timing: str = "IN_ARREARS", **grant: Any) -> dict[str, Any]:
    """A card that grants a credit of each cycle for half of what it is worth."""
    slabs = [{"startAfter": 0, "priceType": "PER_UNIT", "rate": Decimal("0.5")}]
    per_currency = {"currency": "USD", "creditAmount": amount, "slabDetails": slabs}
    return {
        "id": "bundle",
        "displayName": "Bundle",
        "type": "RECURRING",
        "invoiceTiming": timing,
        "grantDetails": {"priority": 1, "expiryType": "PRICING_CYCLE", **grant},
        "rateDetails": {"pricingModel": "TIERED", "currencySlabRateDetails": [per_currency]},
    }


def test_a_draft_holds_what_the_final_invoice_consumes(ask: Asker) -> None:
    priced(ask)
    given = credit(ask, "10")
    send(ask, "e1", "12")

    held = standing(ask, given)
    until(ask, "2026-12-04T00:00:00Z")

    # 12 x 0.25 = 3.
    assert held == ("ACTIVE", 3, 0, [("CREDITED", 10)])
    assert standing(ask, given) == ("ACTIVE", 0, 3, [("CREDITED", 10), ("DEBITED", 3)])
    final = invoices(ask)[-1]
    assert (final["status"], final["totalAmount"]) == ("DUE", 0)
    assert amounts(final, "TOTAL_CREDITS") == [-3]
    (debit,) = ask.done("GET", f"/credits/{given}")["transactions"][1:]
    assert debit["invoiceId"] == final["id"]


def test_a_credit_that_is_void_pays_for_nothing_any_more(ask: Asker) -> None:
    priced(ask)
    given = credit(ask, "10")
    send(ask, "e1", "12")
    with_credit = brief(ask)

    ask.done("POST", f"/credits/{given}/void")

    assert with_credit == [("2026-11-01", "DRAFT", 0)]
    assert brief(ask) == [("2026-11-01", "DRAFT", 3)]
    assert standing(ask, given) == ("VOIDED", 0, 0, [("CREDITED", 10), ("VOIDED", 10)])


def test_a_credit_that_ends_within_a_cycle_pays_for_it_whenever_its_events_arrive(
    ask: Asker,
) -> None:
    priced(ask)
    given = credit(ask, "5", effectiveUntil="2026-11-25")
    send(ask, "e1", "12")
    until(ask, "2026-11-25T00:00:00Z")
    ended = standing(ask, given)
    # What was used before comes after the credit's end.
    send(ask, "e2", "4", "2026-11-22T08:00:00Z")

    later = standing(ask, given)
    until(ask, "2026-12-04T00:00:00Z")

    assert ended == ("EXPIRED", 3, 0, [("CREDITED", 5)])
    assert later == ("EXPIRED", 4, 0, [("CREDITED", 5)])
    moves = [("CREDITED", 5), ("DEBITED", 4), ("EXPIRED", 1)]
    assert standing(ask, given) == ("EXPIRED", 0, 4, moves)
    assert ask.done("GET", "/accounts/main/credit_balance")["availableBalance"] == 0


def test_a_credit_of_another_time_is_not_used(ask: Asker) -> None:
    priced(ask)
    later = credit(ask, "5", effectiveFrom="2026-12-01")
    send(ask, "e1", "12")

    assert brief(ask) == [("2026-11-01", "DRAFT", 3)]
    assert standing(ask, later)[1] == 0


def test_the_invoice_that_is_final_first_uses_credits_first(ask: Asker) -> None:
    account(ask)
    slow = plan(
        ask, "Slow", pricingCycleConfig=CYCLE | {"gracePeriod": 9}, fixedFeeRateCards=[fee("8")]
    )
    associate(ask, slow)
    associate(ask, plan(ask, "Fast", fixedFeeRateCards=[fee("7")]), "2026-11-02")

    given = credit(ask, "10")

    # Fast ends on 4 December, Slow on the 10th: 7 of the 10 for it, 3 for the other.
    assert brief(ask) == [("2026-11-01", "DRAFT", 5), ("2026-11-02", "DRAFT", 0)]
    assert standing(ask, given)[1] == 10
    until(ask, "2026-12-04T00:00:00Z")
    assert brief(ask)[:2] == [("2026-11-01", "DRAFT", 5), ("2026-11-02", "DUE", 0)]
    assert standing(ask, given)[1:3] == (3, 7)


def test_a_credit_for_usage_leaves_the_fee_to_pay(ask: Asker) -> None:
    priced(ask, fixedFeeRateCards=[fee("29")])
    credit(ask, "100", applicableEntityIds=["ALL_USAGE_METER_RATE_CARDS"])
    send(ask, "e1", "12")

    assert brief(ask) == [("2026-11-01", "DRAFT", 29)]


def test_a_plan_grants_a_credit_for_each_cycle(ask: Asker) -> None:
    priced(ask, creditGrantRateCards=[granting_credit(20)])
    send(ask, "e1", "40")

    (first,) = ask.done("GET", "/credits", account_id="main")["data"]
    until(ask, "2026-12-04T00:00:00Z")

    assert (first["creditAmount"], first["purpose"]) == (20, "Bundle")
    assert (first["effectiveFrom"], first["effectiveUntil"]) == ("2026-11-01", "2026-12-01")
    # Usage of 10 and the bundle's price of 10 take the whole credit.
    assert first["holdAmount"] == 20
    assert standing(ask, first["id"])[:3] == ("CONSUMED", 0, 20)
    second = ask.done("GET", "/credits", account_id="main", status="ACTIVE")["data"]
    assert [row["effectiveFrom"] for row in second] == ["2026-12-01"]


def test_a_prepaid_credit_is_there_when_its_invoice_is_paid(ask: Asker) -> None:
    priced(ask, creditGrantRateCards=[granting_credit(20, "PREPAID", expiryType="NO_EXPIRY")])
    send(ask, "e1", "40")

    (first,) = [row for row in invoices(ask) if row["invoiceType"] == "STANDARD_ADVANCED"]
    before = ask.done("GET", "/credits", account_id="main")["data"]
    ask.done("PATCH", f"/invoices/{first['id']}", {"status": "PAID"})

    assert (first["totalAmount"], first["status"], before) == (10, "DUE", [])
    (given,) = ask.done("GET", "/credits", account_id="main")["data"]
    assert (given["creditAmount"], "effectiveUntil" in given) == (20, False)
    # November's usage of 10 and December's bundle of 10 are on the invoice that runs.
    assert given["holdAmount"] == 20
    (paid,) = [row for row in invoices(ask) if row["invoiceType"] == "STANDARD_ADVANCED"]
    assert (paid["status"], paid["paidAmount"]) == ("PAID", 10)
