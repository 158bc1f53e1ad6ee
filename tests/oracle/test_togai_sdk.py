"""The vendor's own Togai client, over a real socket, decodes everything the sandbox answers."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing_mcp.sandbox.togai.invoices import NewInvoice, insert_invoice
from oracle.togai_clients import CYCLE, NOON, RATES, SLABS, Togai, refused, sdk


def test_a_customer_is_created_read_listed_updated_and_archived(togai: Togai) -> None:
    made = togai.customer()
    assert (made.id, made.billing_address) == ("acme", "1 Launch Road, Chennai")

    read = togai.customers.get_customer("acme")
    assert (read.name, read.status, read.created_at) == ("Acme Rockets", "ACTIVE", NOON)
    assert [row.id for row in togai.customers.get_customers(page_size=10).data] == ["acme"]

    change = sdk.UpdateCustomerRequest(name="Acme Aerospace")
    assert togai.customers.update_customer("acme", change).name == "Acme Aerospace"
    assert togai.customers.delete_customer("acme").success is True
    assert togai.customers.get_customer("acme").status == "ARCHIVED"
    assert togai.customers.get_customers().data == []


def test_refusals_about_customers_carry_the_vendors_error_body(togai: Togai) -> None:
    togai.customer()

    assert refused(400, togai.customer) == "Customer with id acme exists already"
    assert refused(404, togai.customers.get_customer, "none") == "Customer none not found"


def test_an_account_is_created_read_listed_updated_and_archived(togai: Togai) -> None:
    made = togai.account()
    assert (made.id, made.customer_id, made.status) == ("acme-main", "acme", "ACTIVE")

    read = togai.accounts.get_account("acme-main", effective_on=NOON, include_group_details=True)
    assert [entry.alias for entry in read.aliases] == ["acme-prod"]
    assert [row.id for row in togai.accounts.get_accounts(page_size=5).data] == ["acme-main"]

    change = sdk.UpdateAccountRequest(name="Acme II", netTermDays=30, metadata={"tier": "gold"})
    updated = togai.accounts.update_account("acme-main", change)
    assert (updated.net_term_days, updated.metadata) == (30, {"tier": "gold"})
    assert updated.name == "Acme II"
    assert togai.accounts.delete_account("acme-main").success is True
    assert togai.accounts.get_account("acme-main").status == "ARCHIVED"
    assert refused(404, togai.accounts.get_account, "none") == "Account none not found"


def test_aliases_are_added_listed_and_removed(togai: Togai) -> None:
    togai.account()
    body = {"accountAliases": [{"value": "acme-eu", "effectiveFrom": "2026-11-01T00:00:00Z"}]}
    request = sdk.AddAccountAliasesRequest.from_dict(body)

    added = togai.accounts.add_aliases("acme-main", request)

    assert [entry.alias for entry in added.aliases] == ["acme-prod", "acme-eu"]
    listed = togai.accounts.list_account_aliases("acme-main").data
    assert [(entry.value, entry.effective_until.year) for entry in listed] == [
        ("acme-prod", 9999),
        ("acme-eu", 9999),
    ]
    gone = sdk.RemoveAccountAliasesRequest.from_dict(
        {"aliases": ["acme-prod"], "accountAliases": [{"id": listed[1].id}]}
    )
    assert togai.accounts.remove_aliases("acme-main", gone).aliases == []


def test_an_event_schema_goes_from_draft_to_active_to_inactive_to_archived(togai: Togai) -> None:
    made = togai.schema()
    assert (made.name, made.version, made.status) == ("api_calls", 1, "ACTIVE")

    change = sdk.UpdateEventSchemaRequest.from_dict(
        {"dimensions": [{"name": "region"}, {"name": "tier"}]}
    )
    updated = togai.schemas.event_schema_event_schema_name_patch("api_calls", change)
    assert (updated.version, [entry.name for entry in updated.dimensions]) == (
        2,
        ["region", "tier"],
    )
    first = togai.schemas.get_event_schema("api_calls", version=1)
    assert [entry.name for entry in first.dimensions] == ["region"]
    (listed,) = togai.schemas.list_event_schemas(status="ACTIVE").data
    assert (listed.name, listed.version, listed.usage_meters_count) == ("api_calls", 2, 0)

    assert togai.schemas.deactivate_event_schema("api_calls").status == "INACTIVE"
    assert togai.schemas.delete_event_schema("api_calls").success is True
    assert refused(400, togai.schemas.activate_event_schema, "api_calls") == (
        "Event schema api_calls is archived"
    )


def test_a_usage_meter_is_created_listed_updated_and_archived(togai: Togai) -> None:
    made = togai.meter()
    assert (made.name, made.display_name, made.status) == ("Calls", "Calls", "ACTIVE")

    read = togai.meters.get_usage_meter(made.id, include_schema=True)
    assert (read.event_schema.name, read.computations[0].order) == ("api_calls", 1)
    listed = togai.meters.get_usage_meters_for_event_schema(status="ACTIVE", aggregations="SUM")
    assert [row.id for row in listed.data] == [made.id]

    change = sdk.UpdateUsageMeterRequest(billableName="API calls")
    assert togai.meters.update_usage_meter(made.id, change).display_name == "API calls"
    assert togai.meters.deactivate_usage_meter(made.id).status == "INACTIVE"
    assert togai.meters.delete_usage_meter(made.id).success is True
    assert refused(404, togai.meters.get_usage_meter, "um.0.0") == "Usage meter um.0.0 not found"


def test_a_price_plan_is_a_draft_then_active_then_archived(togai: Togai) -> None:
    meter = togai.meter()
    card = {"usageMeterId": meter.id, "ratePlan": SLABS, "rateValues": RATES}
    fee = {
        "id": "addon.1",
        "type": "RECURRING",
        "invoiceTiming": "IN_ARREARS",
        "enableProration": True,
        "rateValues": [{"currency": "USD", "rate": 49.5}],
    }
    made = togai.plan(
        usageRateCards=[card],
        fixedFeeRateCards=[fee],
        licenseRateCards=[
            {"id": "addon.2", "enableProration": False, "ratePlan": SLABS, "rateValues": RATES}
        ],
        creditGrantRateCards=[
            {
                "id": "addon.3",
                "grantDetails": {"priority": 1, "expiryType": "CUSTOM", "expiryDuration": "P90D"},
                "rateDetails": {
                    "pricingModel": "TIERED",
                    "currencySlabRateDetails": [
                        {
                            "currency": "USD",
                            "creditAmount": 100,
                            "slabDetails": [{"startAfter": 0, "priceType": "FLAT", "rate": 80}],
                        }
                    ],
                },
            }
        ],
        minimumCommitment={
            "displayName": "Commitment",
            "rateValues": [{"currency": "USD", "rate": 100}],
        },
    )
    assert made.status == "DRAFT"
    (schedule,) = made.pricing_schedule
    details = schedule.price_plan_details
    assert details.pricing_cycle_config.start_offset.month_offset == "NIL"
    assert details.usage_rate_cards[0].rate_plan.slabs[1].slab_config == {"packageSize": "10"}
    assert details.fixed_fee_rate_cards[0].rate_values[0].rate == 49.5
    assert details.active_currencies == []

    wanted = sdk.ActivatePricePlanRequest(currencies=["USD"])
    active = togai.plans.activate_price_plan(made.id, wanted)
    assert active.pricing_schedule[0].price_plan_details.active_currencies == ["USD"]
    (listed,) = togai.plans.get_price_plans(page_size=5).data
    assert (listed.status, listed.usage_meters) == ("ACTIVE", [meter.id])
    assert togai.plans.get_price_plan(made.id, version=1).name == "Plan BILLING"
    assert togai.plans.archive_price_plan(made.id).success is True
    assert togai.plans.get_price_plan(made.id).status == "ARCHIVED"


def test_a_dry_run_of_a_price_plan_leaves_nothing(togai: Togai) -> None:
    body = {
        "name": "Tried",
        "pricePlanDetails": {"supportedCurrencies": ["USD"], "pricingCycleConfig": CYCLE},
    }
    request = sdk.CreatePricePlanRequest.from_dict(body)

    assert togai.plans.create_price_plan(request, dry_run=True).name == "Tried"
    assert togai.plans.get_price_plans().data == []


def test_a_plan_is_associated_with_an_account_and_taken_away(togai: Togai) -> None:
    togai.account()
    plan = togai.active_plan()

    answer = togai.associate(plan.id)
    assert [entry.price_plan_name for entry in answer.pricing_schedules] == ["Plan BILLING"]
    (schedule,) = togai.accounts.get_pricing_schedules(
        "acme-main",
        start_date="2026-11-01",
        end_date="2026-12-01",
        include_price_plan_info=True,
        compact=False,
    ).data
    assert (schedule.price_plan_id, schedule.is_overriden) == (plan.id, False)
    assert schedule.start_date == datetime(2026, 11, 1, tzinfo=UTC)

    left = togai.associate(plan.id, mode="DISASSOCIATE", start="2026-12-01")
    assert [entry.end_date for entry in left.pricing_schedules] == [
        datetime(2026, 12, 1, tzinfo=UTC)
    ]


def test_a_feature_is_created_read_listed_and_updated(togai: Togai) -> None:
    togai.schema()
    made = togai.feature()
    assert made.schema_associations[0].attribute_name == "calls"

    assert togai.features.get_feature(made.id).name == "Calls"
    (listed,) = togai.features.get_features(page_size=5).data
    assert (listed.id, listed.schema_count) == (made.id, 1)
    change = sdk.UpdateFeatureRequest(billableName="API calls")
    assert togai.features.update_feature(made.id, change).display_name == "API calls"
    assert refused(404, togai.features.get_feature, "feat.0") == "Feature feat.0 not found"


def test_entitlements_and_feature_credits_follow_the_plan(togai: Togai) -> None:
    feature = togai.entitled()

    (value,) = togai.entitlements.get_entitlements("acme-main").data
    assert (value.feature_id, value.value) == (feature.id, "100")
    (one,) = togai.entitlements.get_entitlement_value("acme-main", feature.id).data
    assert one.value == "100"
    checks = {
        asked: togai.entitlements.validate_entitlement_value(
            "acme-main", feature.id, sdk.ValidateEntitlementValueRequest(value=asked)
        ).success
        for asked in ("100", "100.5")
    }
    assert checks == {"100": True, "100.5": False}

    balance = togai.entitlements.get_feature_credits("acme-main", feature.id)
    assert (balance.granted, balance.balance, balance.overage_limit, balance.used_overage) == (
        100,
        100,
        10,
        0,
    )


def test_an_entry_is_found_by_an_id_with_number_and_dollar_signs(togai: Togai) -> None:
    feature = togai.entitled()
    entries = togai.entitlements.list_feature_credit_entries("acme-main", feature.id, page_size=5)
    (granted,) = [entry for entry in entries.data if entry.source == "PRICE_PLAN"]
    assert granted.id.endswith("#2026-11-01$PRICE_PLAN")

    change = sdk.UpdateFeatureCreditsRequest(
        granted=150, effectiveUntil=datetime(2026, 12, 24, tzinfo=UTC)
    )
    updated = togai.entitlements.update_feature_credit_entry(
        "acme-main", feature.id, granted.id, change
    )
    assert (updated.granted, updated.balance, updated.used) == (150, 150, 0)
    assert updated.effective_until == datetime(2026, 12, 24, tzinfo=UTC)

    void = togai.entitlements.void_feature_credit_entry
    assert void("acme-main", feature.id, granted.id).success is True
    assert "is VOIDED" in refused(400, void, "acme-main", feature.id, granted.id)


def test_an_entitled_event_is_let_in_until_credits_and_overage_are_used_up(togai: Togai) -> None:
    feature = togai.entitled()

    def ask(event_id: str, calls: str) -> Any:
        request = sdk.IngestEventRequest(event=togai.event(event_id, calls))
        return togai.entitlements.ingest_entitled_event(request)

    assert ask("call-1", "105").success is True
    assert refused(400, ask, "call-2", "6") == (
        "INGESTION_FAILED_INSUFFICIENT_CREDITS: 6 asked for, 5 left"
    )
    assert refused(409, ask, "call-1", "1") == "Duplicate Id"
    balance = togai.entitlements.get_feature_credits("acme-main", feature.id)
    assert (balance.balance, balance.used_overage) == (0, 5)


def test_a_purchase_grants_what_its_plan_says(togai: Togai) -> None:
    togai.account()
    togai.schema()
    feature = togai.feature()
    grant = {
        "featureId": feature.id,
        "featureConfigs": [{"effectiveUntil": "P1Y", "featureCreditLimit": 40}],
        "invoiceTiming": "IN_ARREARS",
        "ratePlan": SLABS,
        "rateValues": RATES,
    }
    plan = togai.active_plan(kind="PURCHASE", billingEntitlementRateCards=[grant])
    request = sdk.CreatePurchaseRequest(pricePlanId=plan.id, quantity=2, idempotencyKey="order-7")

    made = togai.accounts.initiate_one_time_entitlement_plan("acme-main", request)
    again = togai.accounts.initiate_one_time_entitlement_plan("acme-main", request)

    assert (made.status, made.type, again.id) == ("SUCCESS", "ENTITLEMENT_GRANT", made.id)
    assert [row.id for row in togai.accounts.list_account_purchases("acme-main").data] == [made.id]
    (entry,) = togai.entitlements.list_feature_credit_entries("acme-main", feature.id).data
    assert (entry.id, entry.source, entry.granted) == (
        f"{made.id}#1$PURCHASE",
        "ENTITLEMENT",
        80,
    )


def test_events_are_ingested_listed_and_explained(togai: Togai) -> None:
    togai.entitled()
    event = togai.event()
    answer = togai.ingestion.ingest(sdk.IngestEventRequest(event=event))
    assert (answer.success, answer.status_code) == (True, 202)

    batch = sdk.IngestBatchEventRequest(events=[togai.event("call-2"), togai.event("call-1")])
    answer = togai.ingestion.ingest_batch(batch)
    assert (answer.success, sorted(answer.details)) == (True, ["call-1", "call-2"])

    listed = togai.management.get_events(account_id="acme-main", schema_name="api_calls").events
    assert [(row.event_payload.id, row.ingestion_status.status) for row in listed] == [
        ("call-1", "INGESTION_COMPLETED_EVENT_METERED"),
        ("call-2", "INGESTION_COMPLETED_EVENT_METERED"),
        ("call-1", "INGESTION_FAILED_DUPLICATE_EVENT"),
    ]
    (found,) = togai.management.get_single_event("call-2").events
    (meter,) = found.event_pipeline_info.usage_meters
    (plan,) = found.event_pipeline_info.price_plans
    assert (meter.status, meter.units) == ("PROCESSED_UNITS_COMPUTED", 5)
    assert (plan.cycle_start, plan.cycle_end) == (date(2026, 11, 1), date(2026, 12, 1))
    assert refused(404, togai.management.get_single_event, "none") == "Event none not found"


def test_a_credit_is_granted_listed_read_counted_and_voided(togai: Togai) -> None:
    togai.account()
    wish = {
        "accountId": "acme-main",
        "purpose": "PROMOTION",
        "effectiveFrom": "2026-11-20",
        "effectiveUntil": "2027-01-01",
        "creditAmount": 50.25,
        "priority": 1,
        "idempotencyKey": "promotion-1",
    }
    request = sdk.CreateCreditRequest.from_dict({"creditRequests": [wish]})

    (made,) = togai.credits.create_credit(request).credits
    assert (made.credit_amount, made.credit_unit, made.status) == (50.25, "USD", "ACTIVE")
    (listed,) = togai.credits.list_credits(
        account_id="acme-main", status="ACTIVE", id=made.id, page_size=5
    ).data
    assert listed.idempotency_key == "promotion-1"
    balance = togai.credits.credit_balance_for_account("acme-main")
    assert (balance.available_balance, balance.running_balance, balance.unit) == (
        50.25,
        50.25,
        "USD",
    )

    assert togai.credits.void_credit(made.id).status == "VOIDED"
    read = togai.credits.get_credit_details(made.id)
    assert [entry.transaction_type for entry in read.transactions] == ["CREDITED", "VOIDED"]
    assert "is VOIDED" in refused(400, togai.credits.void_credit, made.id)
    assert refused(404, togai.credits.get_credit_details, "cred.0") == "Credit cred.0 not found"


def test_a_stored_invoice_is_listed_and_read_with_its_lines(
    togai: Togai, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client's model demands that every line has lines below it, without end.
    lines = sdk.InvoiceLineItem.model_fields["line_items"]
    monkeypatch.setattr(lines, "default", None)
    monkeypatch.setattr(lines, "annotation", list[sdk.InvoiceLineItem] | None)
    monkeypatch.setattr(lines, "metadata", [])
    sdk.InvoiceLineItem.model_rebuild(force=True)
    sdk.Invoice.model_rebuild(force=True)
    togai.account()
    fee = {
        "type": "FIXED_FEE_RATE_CARD_AMOUNT",
        "description": "Platform fee",
        "value": Decimal("12.34"),
        "lineItems": [],
    }
    total = {
        "type": "GRAND_TOTAL_AMOUNT",
        "description": "Total",
        "value": Decimal("12.34"),
        "lineItems": [fee],
    }
    new = NewInvoice(
        account_id="acme-main",
        price_plan_id=None,
        start=date(2026, 10, 1),
        end=date(2026, 11, 1),
        status="DUE",
        lines=total,
    )
    with togai.sandbox.backend.transaction() as call:
        invoice_id = insert_invoice(call, new)

    (listed,) = togai.invoices.list_invoices(owner_id="acme-main", status="DUE").data
    assert (listed.id, listed.total_amount, listed.paid_amount) == (invoice_id, 12.34, 0)
    read = togai.invoices.get_invoice(invoice_id)
    assert read.invoice_details.account.invoice_currency == "USD"
    assert read.revenue_info.line_items[0].description == "Platform fee"
    assert refused(404, togai.invoices.get_invoice, "inv.0") == "Invoice inv.0 not found"
