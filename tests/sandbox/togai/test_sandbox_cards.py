"""Cards beside usage on computed invoices: entitlements, overage, licences."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import amounts, brief, credit, invoices, send, standing, until
from sandbox.togai.world import RATED, account, associate, feature, granting, plan, schema


def limited(ask: Asker, **cards: Any) -> str:
    """The account main on a plan that grants ten calls a cycle at 0.25 each; the feature's id."""
    account(ask)
    schema(ask)
    feature_id = feature(ask)
    granted = [granting(feature_id, 10)]
    details: dict[str, Any] = {"billingEntitlementRateCards": granted}
    if "overage" in cards:
        details["entitlementOverageRateCards"] = [
            {"featureId": feature_id, **RATED, **cards["overage"]}
        ]
    associate(ask, plan(ask, **details))
    return feature_id


def left(ask: Asker, feature_id: str) -> tuple[Any, Any]:
    """What is left of what was granted, and what was used beyond it."""
    found = ask.done("GET", f"/accounts/main/features/{feature_id}")
    return found["balance"], found["usedOverage"]


def undo(ask: Asker, event_id: str) -> None:
    query = {"account_id": "main", "event_id": event_id, "action": "UNDO"}
    (row,) = ask.done("POST", "/events/correction", **query)["data"]
    assert row["status"] == "REVERTED", row


def test_an_entitlement_is_charged_for_what_it_grants_and_overage_for_what_is_beyond(
    ask: Asker,
) -> None:
    limited(ask, overage={})
    send(ask, "e1", "14")

    (draft,) = invoices(ask)

    # 10 x 0.25 and 4 x 0.25.
    assert amounts(draft, "BILLING_ENTITLEMENT_RATE_CARD_AMOUNT")[0] == Decimal("2.50")
    assert amounts(draft, "ENTITLEMENT_OVERAGE_RATE_CARD_AMOUNT") == [1]
    assert draft["totalAmount"] == Decimal("3.50")


def test_overage_of_a_late_event_is_on_the_invoice_of_its_own_cycle(ask: Asker) -> None:
    limited(ask, overage={})
    send(ask, "e1", "10")
    until(ask, "2026-12-02T00:00:00Z")

    send(ask, "late", "6", "2026-11-30T20:00:00Z")

    assert brief(ask) == [
        ("2026-11-01", "DRAFT", Decimal("4.00")),
        ("2026-12-01", "DRAFT", Decimal("2.50")),
    ]


def test_overage_is_billed_for_all_cycles_since_the_last_bill(ask: Asker) -> None:
    limited(ask, overage={"billingConfig": {"interval": 2, "startOffset": 1}})
    send(ask, "e1", "14")
    until(ask, "2026-12-10T00:00:00Z")
    send(ask, "e2", "12", "2026-12-09T08:00:00Z")

    # November bills its ten calls; December ten, and 4 and 2 beyond them.
    assert brief(ask) == [
        ("2026-11-01", "DUE", Decimal("2.50")),
        ("2026-12-01", "DRAFT", Decimal("4.00")),
    ]


@pytest.mark.parametrize("overage", [{}, {"overage": {}}])
def test_an_event_that_is_taken_back_leaves_what_there_was_without_it(
    ask: Asker, overage: dict[str, Any]
) -> None:
    feature_id = limited(ask, **overage)
    send(ask, "e1", "8")
    before = left(ask, feature_id), brief(ask)
    send(ask, "e2", "13")
    send(ask, "e3", "2")

    undo(ask, "e2")
    undo(ask, "e3")

    assert (left(ask, feature_id), brief(ask)) == before
    assert before[0] == (2, 0)


def test_of_what_is_taken_back_overage_is_given_back_first(ask: Asker) -> None:
    feature_id = limited(ask, overage={})
    send(ask, "e1", "10")
    send(ask, "e2", "5")

    undo(ask, "e1")

    # As if the five of the second event had been the first.
    assert left(ask, feature_id) == (5, 0)
    assert brief(ask) == [("2026-11-01", "DRAFT", Decimal("2.50"))]


def seats(ask: Asker, start: str, **fields: Any) -> str:
    """The account main on a plan with licences at 0.25 each; the add-on's id."""
    account(ask)
    add_on: str = ask.done("POST", "/addons", {"name": "Seats", "type": "LICENSE"})["id"]
    card = {"id": add_on, "enableProration": False, **RATED, **fields}
    associate(ask, plan(ask, licenseRateCards=[card]), start)
    return add_on


def hold(ask: Asker, add_on: str, quantity: int, since: str) -> None:
    body = {
        "licenseId": add_on,
        "accountId": "main",
        "updateType": "ABSOLUTE",
        "quantity": quantity,
        "effectiveFrom": since,
    }
    ask.done("POST", "/license_updates", body)


def test_licences_are_charged_for_the_most_that_was_held(ask: Asker) -> None:
    add_on = seats(ask, "2026-11-01")
    hold(ask, add_on, 8, "2026-11-20T12:00:00Z")
    hold(ask, add_on, 4, "2026-11-25T00:00:00Z")

    until(ask, "2026-12-20T00:00:00Z")

    # 8 in November, the 4 that lasted in December.
    assert brief(ask) == [("2026-11-01", "DUE", 2), ("2026-12-01", "DRAFT", 1)]


def test_licences_in_advance_are_those_of_the_first_day_and_later_ones_are_owed_in_arrears(
    ask: Asker,
) -> None:
    add_on = seats(ask, "2026-11-20", invoiceTiming="IN_ADVANCE")
    hold(ask, add_on, 8, "2026-11-20T12:00:00Z")
    on_the_day = brief(ask)
    until(ask, "2026-11-21T00:00:00Z")
    hold(ask, add_on, 12, "2026-11-25T00:00:00Z")

    # 8 x 0.25 in advance; the draft already has December's advance.
    assert on_the_day == [("2026-11-20", "DRAFT", 2), ("2026-11-20", "DRAFT", 2)]
    # 4 more in arrears are 1.00, and 12 for December 3.00.
    assert brief(ask) == [("2026-11-20", "DRAFT", 4), ("2026-11-20", "DUE", 2)]


def test_licences_entered_after_their_day_was_invoiced_are_owed_in_arrears(ask: Asker) -> None:
    add_on = seats(ask, "2026-11-20", invoiceTiming="IN_ADVANCE")
    hold(ask, add_on, 8, "2026-11-20T12:00:00Z")
    until(ask, "2026-11-22T00:00:00Z")

    hold(ask, add_on, 10, "2026-11-20T13:00:00Z")

    # Two more than the 8 that were invoiced, and December's ten.
    assert brief(ask) == [("2026-11-20", "DRAFT", 3), ("2026-11-20", "DUE", 2)]


def test_without_licences_there_is_no_invoice_in_advance(ask: Asker) -> None:
    seats(ask, "2026-11-20", invoiceTiming="IN_ADVANCE")

    until(ask, "2026-11-21T00:00:00Z")

    assert brief(ask) == [("2026-11-20", "DRAFT", 0)]


def test_licences_given_back_are_refunded_as_credits(ask: Asker) -> None:
    add_on = seats(
        ask,
        "2026-11-20",
        invoiceTiming="IN_ADVANCE",
        enableProration=True,
        proratedRefundMode="CREDITS",
    )
    hold(ask, add_on, 8, "2026-11-20T12:00:00Z")
    until(ask, "2026-11-21T00:00:00Z")
    hold(ask, add_on, 2, "2026-11-26T00:00:00Z")
    until(ask, "2026-12-04T00:00:00Z")

    # 8 on 11 of 30 days: 0.7333. Held: 6 days of 8 and 5 of 2, 58 / 30 x 0.25 = 0.4833.
    (first,) = [row for row in invoices(ask) if row["invoiceType"] == "STANDARD_ADVANCED"]
    (given,) = ask.done("GET", "/credits", account_id="main")["data"]
    assert (first["totalAmount"], given["creditAmount"]) == (Decimal("0.73"), Decimal("0.25"))


def test_licences_given_back_are_refunded_to_the_wallet(ask: Asker) -> None:
    add_on = seats(
        ask,
        "2026-11-20",
        invoiceTiming="IN_ADVANCE",
        enableProration=True,
        proratedRefundMode="WALLET",
    )
    hold(ask, add_on, 8, "2026-11-20T12:00:00Z")
    until(ask, "2026-11-21T00:00:00Z")
    hold(ask, add_on, 2, "2026-11-26T00:00:00Z")
    until(ask, "2026-12-04T00:00:00Z")

    # As above: 0.73 paid in advance for what came to 0.48.
    (entry,) = [
        row
        for row in ask.done("GET", "/accounts/main/wallet/entries")["data"]
        if row["transactionType"] == "CREDITED"
    ]
    assert (entry["amount"], entry["description"]) == (Decimal("0.25"), "Licences not held")
    assert ask.done("GET", "/credits", account_id="main")["data"] == []


def test_credits_pay_an_invoice_in_advance_when_it_is_final(ask: Asker) -> None:
    given = credit_before(ask)

    assert brief(ask)[1] == ("2026-11-20", "DUE", 0)
    assert standing(ask, given)[2] == 2


def credit_before(ask: Asker) -> str:
    """The credit of an account whose licences in advance it has paid."""
    add_on = seats(ask, "2026-11-20", invoiceTiming="IN_ADVANCE")
    given = credit(ask, "2")
    hold(ask, add_on, 8, "2026-11-20T12:00:00Z")
    until(ask, "2026-11-21T00:00:00Z")
    return given
