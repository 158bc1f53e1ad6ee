"""The vendor's own Togai client reads what is rated: licences, corrections, computed invoices."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from oracle.togai_clients import NOON, RATES, SLABS, Togai, refused, sdk

RATED = {"ratePlan": SLABS, "rateValues": RATES}


@pytest.fixture
def lines_may_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's model demands that every line has lines below it, without end."""
    lines = sdk.InvoiceLineItem.model_fields["line_items"]
    monkeypatch.setattr(lines, "default", None)
    monkeypatch.setattr(lines, "annotation", list[sdk.InvoiceLineItem] | None)
    monkeypatch.setattr(lines, "metadata", [])
    sdk.InvoiceLineItem.model_rebuild(force=True)
    sdk.Invoice.model_rebuild(force=True)


def every(line: Any) -> Iterator[Any]:
    """A line and all below it."""
    yield line
    for part in line.line_items or ():
        yield from every(part)


def values(invoice: Any) -> list[tuple[str, Any]]:
    return [(line.type, line.value) for line in every(invoice.revenue_info)]


def add_on(togai: Togai, kind: str = "LICENSE", name: str = "Seats") -> Any:
    return togai.add_ons.create_add_on(sdk.CreateAddOnRequest(name=name, type=kind))


def advance(togai: Togai, moment: datetime) -> None:
    togai.sandbox.backend.advance_to(moment)


def test_an_add_on_is_made_read_listed_renamed_and_archived(togai: Togai) -> None:
    made = add_on(togai)
    assert (made.status, made.display_name, made.created_at) == ("ACTIVE", "Seats", NOON)

    assert togai.add_ons.get_add_on(made.id).type == "LICENSE"
    listed = togai.add_ons.get_add_ons(status="ACTIVE", page_size=5)
    assert [row.id for row in listed.data] == [made.id]
    assert listed.context.page_size == 5
    change = sdk.UpdateAddOnRequest(name="Places", billableName="Desks")
    assert togai.add_ons.update_add_on(made.id, change).display_name == "Desks"
    assert togai.add_ons.delete_add_on(made.id).success is True
    assert togai.add_ons.get_add_on(made.id).status == "ARCHIVED"
    assert refused(404, togai.add_ons.get_add_on, "addon.0") == "Add-on addon.0 not found"


def test_licences_are_updated_listed_and_annotated(togai: Togai) -> None:
    togai.account()
    seats = add_on(togai)
    body = {"licenseId": seats.id, "accountId": "acme-main", "updateType": "RELATIVE"}
    fields = {"quantity": 4, "effectiveFrom": "2026-11-19T00:00:00Z", "metadata": {"po": "1"}}
    request = sdk.LicenseUpdateRequest.from_dict(body | fields)

    made = togai.licences.add_license_update_entry(request)
    assert (made.quantity, made.metadata) == (4, {"po": "1"})
    assert made.effective_from == datetime(2026, 11, 19, tzinfo=UTC)
    again = togai.licences.add_license_update_entry(
        sdk.LicenseUpdateRequest.from_dict(body | {"quantity": 2.5})
    )
    assert (again.quantity, again.effective_from) == (6.5, NOON)

    found = togai.licences.get_license_updates(account_id="acme-main", license_id=seats.id)
    assert [row.quantity for row in found.data] == [6.5, 4]
    assert found.next_token is None
    (only,) = togai.licences.get_license_updates(effective_from=NOON).data
    assert only.quantity == 6.5
    change = {
        "accountId": "acme-main",
        "effectiveFrom": "2026-11-19T00:00:00Z",
        "metadata": {"po": "2"},
    }
    details = sdk.LicenseEntryDetailsUpdateRequest.from_dict(change)
    annotated = togai.licences.update_license_entry_details(seats.id, details)
    assert (annotated.metadata, annotated.quantity) == ({"po": "2"}, 4)


def test_holders_of_named_licences_are_listed(togai: Togai) -> None:
    togai.account()
    users = add_on(togai, "NAMED_LICENSE")
    for action, moment in (("1", "2026-11-19T08:00:00Z"), ("-1", "2026-11-20T08:00:00Z")):
        event = togai.event(
            f"ann {action}",
            schemaName="togai-named-license",
            timestamp=moment,
            attributes=[{"name": "action", "value": action}],
            dimensions={"license_id": users.id, "name": "ann"},
        )
        togai.ingestion.ingest(sdk.IngestEventRequest(event=event))

    (row,) = togai.licences.get_named_license_updates().data
    assert (row.license_id, row.account_id, row.name) == (users.id, "acme-main", "ann")
    assert row.effective_until - row.effective_from == timedelta(days=1)


def test_events_are_corrected(togai: Togai) -> None:
    togai.entitled()
    togai.ingestion.ingest(sdk.IngestEventRequest(event=togai.event()))
    request = sdk.EventCorrectionRequest(event=togai.event(calls="7"))

    (replaced,) = togai.management.event_correction(
        "REDO_EVENT", event_correction_request=request
    ).data
    assert replaced.status == "REVERTED_AND_REINGESTED"
    assert replaced.event_payload.attributes[0].value == "7"
    assert replaced.ingestion_status.status == "INGESTION_COMPLETED_EVENT_METERED"
    (undone,) = togai.management.event_correction("UNDO", event_correction_request=request).data
    assert (undone.status, undone.ingestion_status.status) == ("REVERTED", "REVERTED")
    statuses = [
        event.ingestion_status.status
        for event in togai.management.get_single_event("call-1").events
    ]
    assert statuses == ["REVERTED", "REVERTED"]
    message = refused(400, togai.management.event_correction, "UNDO", False, request)
    assert message == "No event that was counted matches"


@pytest.mark.usefixtures("lines_may_end")
def test_a_custom_invoice_is_written_changed_paid_and_deleted(togai: Togai) -> None:
    togai.account()
    body = {
        "accountId": "acme-main",
        "startDate": "2026-11-01T00:00:00Z",
        "endDate": "2026-12-01T00:00:00Z",
        "status": "DRAFT",
        "lineItems": [{"description": "Workshop", "quantity": 3, "valuePerQuantity": 0.125}],
        "idempotencyKey": "order-1",
    }
    request = sdk.CreateCustomInvoiceRequest.from_dict(body)

    made = togai.invoices.create_custom_invoice(request)
    assert (made.invoice_type, made.status, made.total_amount) == ("CUSTOM", "DRAFT", 0.37)
    assert made.start_date == datetime(2026, 11, 1, tzinfo=UTC)
    assert values(made)[-1] == ("CUSTOM_AMOUNT", 0.37)
    lines = [sdk.CustomInvoiceLineItem(description="Fee", value=10)]
    change = sdk.UpdateInvoiceRequest(lineItems=lines)
    assert togai.invoices.update_invoice(made.id, change).total_amount == 10
    paid = togai.invoices.update_invoice(made.id, sdk.UpdateInvoiceRequest(status="PAID"))
    assert (paid.status, paid.finalizing_status, paid.paid_amount) == ("PAID", "FINALIZED", 10)
    assert "only CUSTOM in DRAFT" in refused(400, togai.invoices.delete_custom_invoice, made.id)

    other = togai.invoices.create_custom_invoice(
        sdk.CreateCustomInvoiceRequest.from_dict(body | {"idempotencyKey": "order-2"})
    )
    assert togai.invoices.delete_custom_invoice(other.id).success is True
    refused(404, togai.invoices.get_invoice, other.id)


@pytest.mark.usefixtures("lines_may_end")
def test_a_computed_invoice_is_read_while_it_runs_and_when_it_is_final(togai: Togai) -> None:
    togai.account()
    meter, seats, fee = togai.meter(), add_on(togai), add_on(togai, "FIXED_FEE", "Platform")
    fixed = {"rateValues": [{"currency": "USD", "rate": 100}], "enableProration": False}
    plan = togai.active_plan(
        usageRateCards=[{"usageMeterId": meter.id, **RATED}],
        licenseRateCards=[{"id": seats.id, "enableProration": False, **RATED}],
        fixedFeeRateCards=[{"id": fee.id, "invoiceTiming": "IN_ADVANCE", **fixed}],
        minimumCommitment={
            "displayName": "Commitment",
            "rateValues": [{"currency": "USD", "rate": 500}],
        },
    )
    togai.associate(plan.id)
    credit = {
        "accountId": "acme-main",
        "purpose": "Welcome",
        "effectiveFrom": "2026-11-01",
        "creditAmount": 50,
        "priority": 1,
        "applicableEntityIds": ["ALL_USAGE_METER_RATE_CARDS"],
    }
    request = sdk.CreateCreditRequest.from_dict({"creditRequests": [credit]})
    (granted,) = togai.credits.create_credit(request).credits
    licence = {"licenseId": seats.id, "accountId": "acme-main", "updateType": "ABSOLUTE"}
    togai.licences.add_license_update_entry(
        sdk.LicenseUpdateRequest.from_dict(licence | {"quantity": 3})
    )
    togai.ingestion.ingest(sdk.IngestEventRequest(event=togai.event(calls="121")))

    (listed,) = togai.invoices.list_invoices(owner_id="acme-main", status="DRAFT").data
    running = togai.invoices.get_invoice(listed.id)
    # 100 calls at 2, and three packages of 10 for the other 21 at 15: 245. Three seats at 2: 6.
    # 500 - 251 = 249 true-up; 100 for December in advance; 50 of credit for the calls.
    assert values(running) == [
        ("GRAND_TOTAL_AMOUNT", 550),
        ("TOTAL_AMOUNT", 550),
        ("NET_AMOUNT", 550),
        ("GROSS_AMOUNT", 600),
        ("PRICE_PLAN_AMOUNT", 500),
        ("SUB_TOTAL_AMOUNT", 251),
        ("USAGE_RATE_CARD_AMOUNT", 245),
        ("USAGE_RATE_CARD_SLAB_AMOUNT", 200),
        ("USAGE_RATE_CARD_SLAB_AMOUNT", 45),
        ("LICENSE_RATE_CARD_AMOUNT", 6),
        ("LICENSE_RATE_CARD_SLAB_AMOUNT", 6),
        ("TRUE_UP_AMOUNT", 249),
        ("TOTAL_ADVANCED_FEES", 100),
        ("ADVANCED_FIXED_FEE", 100),
        ("TOTAL_CREDITS", -50),
        ("SUB_CREDITS", -50),
    ]
    assert [(line.id, line.value) for line in running.usage_info] == [(meter.id, 121)]
    assert togai.credits.get_credit_details(granted.id).hold_amount == 50

    advance(togai, datetime(2026, 12, 4, tzinfo=UTC))
    final = togai.invoices.get_invoice(listed.id)
    assert (final.status, final.finalizing_status) == ("DUE", "FINALIZED")
    assert values(final) == values(running)
    settled = togai.credits.get_credit_details(granted.id)
    assert (settled.status, settled.consumed_amount, settled.hold_amount) == ("CONSUMED", 50, 0)
    debit = settled.transactions[-1]
    assert (debit.transaction_type, debit.invoice_id) == ("DEBITED", final.id)
    kinds = {row.invoice_type for row in togai.invoices.list_invoices().data}
    assert kinds == {"STANDARD", "STANDARD_ADVANCED"}
    paid = togai.invoices.update_invoice(final.id, sdk.UpdateInvoiceRequest(status="PAID"))
    assert Decimal(str(paid.paid_amount)) == 550


def test_schedules_are_edited_after_a_dry_run(togai: Togai) -> None:
    togai.account()
    plan = togai.active_plan(usageRateCards=[{"usageMeterId": togai.meter().id, **RATED}])
    edit = {
        "mode": "ASSOCIATE",
        "pricePlanId": plan.id,
        "effectiveFrom": "2026-11-01",
        "effectiveUntil": "9999-01-01",
    }
    request = sdk.EditPricingScheduleRequest.from_dict({"edits": [edit]})

    tried = togai.accounts.update_pricing_schedule_batch("acme-main", request, dry_run=True)
    assert [row.price_plan_id for row in tried.pricing_schedules] == [plan.id]
    assert togai.accounts.get_pricing_schedules("acme-main").data == []
    edited = togai.accounts.update_pricing_schedule_batch("acme-main", request)
    assert [row.start_date.year for row in edited.pricing_schedules] == [2026]
    assert len(togai.accounts.get_pricing_schedules("acme-main").data) == 1
