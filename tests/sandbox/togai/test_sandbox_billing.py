"""The run of cycles: invoices run with them, become final, and follow the plans of an account."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.asking import Asker
from sandbox.togai.billed import amounts, brief, fee, invoices, lines, priced, send, until
from sandbox.togai.world import (
    CYCLE,
    RATED,
    account,
    associate,
    event,
    meter,
    plan,
    schema,
    status_of,
)


def leave(ask: Asker, start: str, end: str = "9999-01-01") -> Any:
    body = {"mode": "DISASSOCIATE", "effectiveFrom": start, "effectiveUntil": end}
    return ask.done("POST", "/accounts/main/price_plans", body)


def test_an_invoice_runs_with_its_cycle_and_shows_what_was_used_so_far(ask: Asker) -> None:
    plan_id = priced(ask)
    send(ask, "e1", "5")
    first = brief(ask)
    send(ask, "e2", "7")

    (draft,) = invoices(ask)

    # 5 x 0.25 = 1.25, then 12 x 0.25 = 3.00.
    assert first == [("2026-11-01", "DRAFT", Decimal("1.25"))]
    assert (draft["totalAmount"], draft["pricePlanId"]) == (Decimal("3.00"), plan_id)
    assert (draft["invoiceClass"], draft["invoiceType"]) == ("INVOICE", "STANDARD")
    assert draft["endDateInclusive"] == "2026-11-30T23:59:59.999Z"
    assert "finalizingStatus" not in draft
    (used,) = draft["usageInfo"]
    assert (used["type"], used["value"]) == ("USAGE_METER_USAGE", 12)
    (slab,) = [
        line
        for line in lines(draft["revenueInfo"])
        if line["type"] == "USAGE_RATE_CARD_SLAB_AMOUNT"
    ]
    assert (slab["quantity"], slab["valuePerQuantity"]) == (12, Decimal("0.25"))
    assert slab["metadata"]["slabOrder"] == "1"


def test_a_draft_becomes_final_when_its_grace_ends_and_the_next_runs_meanwhile(ask: Asker) -> None:
    priced(ask)
    send(ask, "e1", "4")

    until(ask, "2026-12-03T23:59:59Z")
    before = brief(ask)
    ask.done("PATCH", "/accounts/main", {"netTermDays": 14})
    until(ask, "2026-12-04T00:00:00Z")

    assert before == [("2026-11-01", "DRAFT", 1), ("2026-12-01", "DRAFT", 0)]
    assert brief(ask) == [("2026-11-01", "DUE", 1), ("2026-12-01", "DRAFT", 0)]
    final = invoices(ask)[-1]
    assert final["finalizingStatus"] == "FINALIZED"
    assert final["generatedAt"] == "2026-12-04T00:00:00.000Z"
    # Dated at the end of its cycle, due after the term that the account has by then.
    assert final["invoiceDate"] == "2026-12-01T00:00:00.000Z"
    assert (final["dueDate"], final["netTermDays"]) == ("2026-12-15T00:00:00.000Z", 14)
    assert [entry["id"] for entry in ask.effects("invoice-final")] == [final["id"]]


def test_a_late_event_counts_in_its_own_cycle_until_that_one_is_closed(ask: Asker) -> None:
    priced(ask)
    until(ask, "2026-12-03T12:00:00Z")
    send(ask, "late", "8", "2026-11-30T23:00:00Z")
    send(ask, "new", "4", "2026-12-03T11:00:00Z")
    until(ask, "2026-12-04T00:00:00Z")
    send(ask, "too-late", "100", "2026-11-30T23:00:00Z")

    assert brief(ask) == [("2026-11-01", "DUE", 2), ("2026-12-01", "DRAFT", 1)]
    assert status_of(ask, "too-late") == "INGESTION_FAILED_PAST_GRACE_PERIOD"


def test_nothing_is_missed_when_the_clock_takes_a_long_step(ask: Asker) -> None:
    priced(ask, fixedFeeRateCards=[fee("10")])

    until(ask, "2027-05-02T00:00:00Z")

    # April ended on 1 May and is within its grace until the 4th.
    assert [(start, status) for start, status, _ in brief(ask)] == [
        *[(f"2026-{month}-01", "DUE") for month in ("11", "12")],
        *[(f"2027-0{month}-01", "DUE") for month in (1, 2, 3)],
        *[(f"2027-0{month}-01", "DRAFT") for month in (4, 5)],
    ]
    assert {total for _, _, total in brief(ask)} == {10}


def test_a_plan_that_starts_later_is_billed_from_then_on(ask: Asker) -> None:
    priced(ask, "2026-11-28", fixedFeeRateCards=[fee("30", enableProration=True)])

    before = brief(ask)
    until(ask, "2026-11-28T00:00:00Z")

    assert before == []
    # Three of November's thirty days.
    assert brief(ask) == [("2026-11-28", "DRAFT", 3)]


@pytest.mark.parametrize(
    ("grace", "starts"),
    [(3, ["2026-11-01"]), (19, ["2026-11-01"]), (20, ["2026-10-01", "2026-11-01"])],
)
def test_an_association_in_the_past_bills_the_cycles_that_are_open(
    ask: Asker, grace: int, starts: list[str]
) -> None:
    # October and 19 days of grace were over at the midnight of 20 November; with 20 they are not.
    cycle = CYCLE | {"gracePeriod": grace}

    priced(ask, "2026-01-01", pricingCycleConfig=cycle, fixedFeeRateCards=[fee("10")])

    assert brief(ask) == [(start, "DRAFT", 10) for start in starts]


def test_a_fee_in_advance_is_on_the_invoice_before_and_the_first_one_of_its_own(
    ask: Asker,
) -> None:
    priced(ask, fixedFeeRateCards=[fee("10", "IN_ADVANCE")])
    send(ask, "e1", "4")

    draft, first = sorted(invoices(ask), key=lambda row: row["invoiceDate"], reverse=True)

    assert (first["invoiceType"], first["status"]) == ("STANDARD_ADVANCED", "DUE")
    assert (first["totalAmount"], first["invoiceDate"][:10]) == (10, "2026-11-20")
    # 4 x 0.25 for November, and December's fee.
    assert draft["totalAmount"] == 11
    assert amounts(draft, "USAGE_RATE_CARD_AMOUNT") == [1]
    assert amounts(draft, "TOTAL_ADVANCED_FEES") == [10]


def test_the_last_cycle_has_no_fee_in_advance(ask: Asker) -> None:
    account(ask)
    plan_id = plan(ask, fixedFeeRateCards=[fee("10", "IN_ADVANCE")])
    associate(ask, plan_id, "2026-11-01", "2026-12-01")

    until(ask, "2027-02-01T00:00:00Z")

    assert brief(ask) == [("2026-11-01", "DUE", 0), ("2026-11-01", "DUE", 10)]


def test_what_usage_does_not_reach_of_a_commitment_is_on_the_draft(ask: Asker) -> None:
    promised = {"displayName": "Least", "rateValues": [{"currency": "USD", "rate": 20}]}
    priced(ask, minimumCommitment=promised, fixedFeeRateCards=[fee("5")])
    send(ask, "e1", "40")

    (draft,) = invoices(ask)

    # 40 x 0.25 = 10 and the fee of 5 leave 5 of 20.
    assert amounts(draft, "SUB_TOTAL_AMOUNT") == [15]
    assert amounts(draft, "TRUE_UP_AMOUNT") == [5]
    assert draft["totalAmount"] == 20


def test_an_override_counts_for_its_account(ask: Asker) -> None:
    account(ask)
    body = {
        "pricePlanId": plan(ask, fixedFeeRateCards=[fee("10")]),
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "9999-01-01",
        "pricePlanDetailsOverride": {"fixedFeeRateCards": [fee("7")]},
    }

    ask.done("POST", "/accounts/main/price_plans", body)

    assert brief(ask) == [("2026-11-01", "DRAFT", 7)]


def test_each_plan_of_an_account_has_its_own_invoice(ask: Asker) -> None:
    priced(ask)
    associate(ask, plan(ask, "Support", fixedFeeRateCards=[fee("99")]))
    send(ask, "e1", "4")

    assert brief(ask) == [("2026-11-01", "DRAFT", 1), ("2026-11-01", "DRAFT", 99)]


def test_a_plan_that_ends_within_a_cycle_bills_its_part_and_forgets_what_came_after(
    ask: Asker,
) -> None:
    priced(ask, fixedFeeRateCards=[fee("30", enableProration=True)])
    send(ask, "before", "4", "2026-11-18T23:00:00Z")
    send(ask, "after", "400", "2026-11-19T00:00:00Z")

    leave(ask, "2026-11-19")

    (draft,) = invoices(ask)
    # 18 of 30 days, and 4 x 0.25.
    assert draft["totalAmount"] == 19
    assert (draft["endDate"][:10], draft["invoiceDate"][:10]) == ("2026-11-19", "2026-11-19")
    assert status_of(ask, "before") == "INGESTION_COMPLETED_EVENT_METERED"
    assert status_of(ask, "after") == "INGESTION_COMPLETED_EVENT_NOT_METERED"
    until(ask, "2026-11-22T00:00:00Z")
    assert [status for _, status, _ in brief(ask)] == ["DUE"]
    until(ask, "2027-01-10T00:00:00Z")
    assert len(brief(ask)) == 1


def test_a_plan_taken_out_before_it_began_has_no_invoice(ask: Asker) -> None:
    priced(ask, fixedFeeRateCards=[fee("30")])

    leave(ask, "2026-11-01")
    until(ask, "2027-01-10T00:00:00Z")

    assert brief(ask) == []


def test_a_gap_within_a_cycle_leaves_an_invoice_on_either_side(ask: Asker) -> None:
    priced(ask, fixedFeeRateCards=[fee("30", enableProration=True)])
    for day, calls in (("02", "4"), ("06", "40"), ("12", "8")):
        send(ask, f"e{day}", calls, f"2026-11-{day}T08:00:00Z")

    leave(ask, "2026-11-05", "2026-11-10")

    # Four days of thirty and 4 x 0.25, final since the 8th; 21 days and 8 x 0.25.
    assert brief(ask) == [("2026-11-01", "DUE", 5), ("2026-11-10", "DRAFT", 23)]
    send(ask, "more", "4", "2026-11-12T08:00:00Z")
    assert brief(ask)[1] == ("2026-11-10", "DRAFT", 24)


def test_the_order_of_arrival_and_the_batches_make_no_difference(ask: Asker) -> None:
    priced(ask)
    account(ask, "other")
    (first,) = ask.done("GET", "/accounts/main/pricing_schedules")["data"]
    body = {"effectiveFrom": "2026-11-01", "effectiveUntil": "9999-01-01"}
    ask.done("POST", "/accounts/other/price_plans", body | {"pricePlanId": first["pricePlanId"]})
    calls = ["0.1", "17", "3.33", "1000", "0.001", "42"]
    sent = [event(f"m{n}", units) for n, units in enumerate(calls)]
    ask.done("POST", "/ingestBatch", {"events": sent})

    other = [event(f"o{n}", units, accountId="other") for n, units in enumerate(calls)]
    for one in reversed(other[3:]):
        ask.done("POST", "/ingest", {"event": one})
    ask.done("POST", "/ingestBatch", {"events": other[:3]})
    # What comes a second time changes nothing.
    ask.done("POST", "/ingestBatch", {"events": other})

    (one,), (two,) = invoices(ask), invoices(ask, "other")
    assert one["revenueInfo"] == two["revenueInfo"]
    # 1,062.431 x 0.25 = 265.60775.
    assert one["totalAmount"] == Decimal("265.60")


def test_plans_are_edited_together_or_not_at_all(ask: Asker) -> None:
    priced(ask)
    other = plan(ask, "Support", fixedFeeRateCards=[fee("99")])
    (schedule,) = ask.done("GET", "/accounts/main/pricing_schedules")["data"]
    period = {"effectiveFrom": "2026-11-10", "effectiveUntil": "9999-01-01"}
    out = {"mode": "DISASSOCIATE", "pricePlanId": schedule["pricePlanId"], **period}
    into = {"mode": "ASSOCIATE", "pricePlanId": other, **period}

    refused = ask.togai(
        "POST",
        "/accounts/main/edit_schedules",
        {"edits": [out, into | {"effectiveUntil": "2026-11-01"}]},
    )
    unchanged = ask.done("GET", "/accounts/main/pricing_schedules")["data"]
    done = ask.done("POST", "/accounts/main/edit_schedules", {"edits": [out, into]})

    assert refused.status == 400
    assert refused.message == "edits[1].effectiveUntil must be later than effectiveFrom"
    assert unchanged == [schedule]
    assert [(row["startDate"][:10], row["endDate"][:10]) for row in done["pricingSchedules"]] == [
        ("2026-11-01", "2026-11-10"),
        ("2026-11-10", "9999-01-01"),
    ]
    assert brief(ask) == [("2026-11-01", "DUE", 0), ("2026-11-10", "DRAFT", 99)]


def test_a_dry_run_of_edits_answers_what_they_would_lead_to_and_leaves_nothing(ask: Asker) -> None:
    account(ask)
    plan_id = plan(ask, fixedFeeRateCards=[fee("99")])
    edit = {
        "pricePlanId": plan_id,
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "2027-11-01",
    }

    tried = ask.done("POST", "/accounts/main/edit_schedules", {"edits": [edit]}, dry_run="true")

    assert [row["pricePlanId"] for row in tried["pricingSchedules"]] == [plan_id]
    assert ask.done("GET", "/accounts/main/pricing_schedules")["data"] == []
    assert brief(ask) == []
    assert ask.effects("association") == []


@pytest.mark.parametrize("count", [0, 11])
def test_one_to_ten_edits_are_made_at_a_time(ask: Asker, count: int) -> None:
    account(ask)
    edit = {"effectiveFrom": "2026-11-01", "effectiveUntil": "2027-11-01"}

    answer = ask.togai("POST", "/accounts/main/edit_schedules", {"edits": [edit] * count})

    assert answer.status == 400
    assert answer.message.startswith("edits must have at")


def test_a_plan_without_rates_in_the_accounts_currency_is_not_associated(ask: Asker) -> None:
    account(ask)
    schema(ask)
    card: dict[str, Any] = {"usageMeterId": meter(ask), **RATED}
    euros = [{"currency": "EUR", "slabRates": [{"order": 1, "rate": 1}]}]
    override = {
        "supportedCurrencies": ["EUR"],
        "usageRateCards": [card | {"rateValues": euros}],
    }
    body = {
        "pricePlanId": plan(ask, usageRateCards=[card]),
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "9999-01-01",
        "pricePlanDetailsOverride": override,
    }

    answer = ask.togai("POST", "/accounts/main/price_plans", body)

    assert (answer.status, answer.message) == (
        400,
        "pricePlanDetailsOverride has no rates in USD",
    )


@pytest.mark.parametrize(
    ("calls", "status"),
    [
        ("9" * 30 + "." + "9" * 30, "INGESTION_COMPLETED_EVENT_METERED"),
        ("1" + "0" * 30, "INGESTION_FAILED"),
        ("0." + "0" * 30 + "1", "INGESTION_FAILED"),
    ],
)
def test_usage_of_more_than_thirty_digits_is_not_counted(
    ask: Asker, calls: str, status: str
) -> None:
    priced(ask)

    send(ask, "e1", calls)

    assert status_of(ask, "e1") == status
    (draft,) = invoices(ask)
    # A quarter of 10^30 less a little, rounded down; or nothing.
    counted = status != "INGESTION_FAILED"
    assert draft["totalAmount"] == (Decimal("249999999999999999999999999999.99") if counted else 0)


def test_a_plan_with_longer_numbers_is_not_associated(ask: Asker) -> None:
    account(ask)
    body = {"effectiveFrom": "2026-11-01", "effectiveUntil": "9999-01-01"}
    plan_id = plan(ask, fixedFeeRateCards=[fee("1" + "0" * 30)])

    answer = ask.togai("POST", "/accounts/main/price_plans", body | {"pricePlanId": plan_id})

    assert answer.status == 400
    assert answer.message.startswith(
        "pricePlanId: pricePlanDetails.fixedFeeRateCards[0].rateValues[0].rate must have at most 30"
    )
