"""The vendor's own Togai client reads price plans of both generations, rules and calculators."""

from decimal import Decimal
from typing import Any

from oracle.togai_clients import CYCLE, NOON, RATES, SLABS, Togai, refused, sdk

HEADER = {
    "name": "Growth",
    "type": "BILLING",
    "supportedCurrencies": ["USD"],
    "pricingCycleConfig": CYCLE,
    "allowOngoingCycleUpdates": True,
}
RULE = {
    "name": "Extra",
    "order": 1,
    "invoiceTiming": "IN_ARREARS",
    "condition": '{">": [{"var": "revenue.ff.platform"}, 10]}',
    "computation": '{"*": [{"var": "revenue.ff.platform"}, 0.1]}',
    "action": {"type": "ADD", "description": "Surcharge", "metadata": {"kind": "tenth"}},
}


def fee(rate: float, **fields: Any) -> dict[str, Any]:
    return {
        "id": "platform",
        "type": "RECURRING",
        "invoiceTiming": "IN_ARREARS",
        "enableProration": False,
        "rateValues": [{"currency": "USD", "rate": rate}],
        **fields,
    }


def operate(togai: Togai, plan_id: str, *operations: dict[str, Any]) -> Any:
    body = {"operations": list(operations)}
    request = sdk.BulkRateCardOperationsRequest.from_dict(body)
    return togai.plans_v2.bulk_price_plan_rate_card_operations(plan_id, request)


def card(action: str, name: str, kind: str, field: str, inner: dict[str, Any]) -> dict[str, Any]:
    billable = inner.get("usageMeterId") or inner.get("featureId") or inner.get("id") or name
    return {
        "actionType": action,
        "rateCardName": name,
        "rateCard": {
            "billableId": billable,
            "type": kind,
            "displayName": name.capitalize(),
            "invoiceTiming": "IN_ARREARS",
            "rateCardDetails": {field: inner},
        },
    }


def fee_card(action: str, rate: float) -> dict[str, Any]:
    return card(action, "fee", "FIXED_FEE", "fixedFeeRateCard", fee(rate))


def plan_v2(togai: Togai, **fields: Any) -> Any:
    request = sdk.CreatePricePlanV2Request.from_dict(HEADER | fields)
    return togai.plans_v2.create_price_plan_v2(request)


def finalize(togai: Togai, plan_id: str, **body: Any) -> Any:
    request = sdk.FinalizePricePlanRequest.from_dict(body)
    return togai.plans_v2.finalize_price_plan(plan_id, request)


def rules(*given: dict[str, Any]) -> Any:
    return sdk.UpdatePricingRulesRequest.from_dict({"pricingRules": list(given)})


def question(**parts: Any) -> Any:
    body = {
        "currencyConfig": {"mode": "CUSTOM", "currency": "USD"},
        "licenseEntriesConfig": {"mode": "CUSTOM", "custom": []},
        **parts,
    }
    return sdk.CalculateRevenueRequest.from_dict(body)


def test_a_plan_of_the_second_generation_is_drafted_filled_and_finalized(togai: Togai) -> None:
    meter = togai.meter()
    made = plan_v2(togai)
    assert (made.version, made.status, made.created_at) == (1, "DRAFT", NOON)
    assert made.pricing_cycle_config.start_offset.month_offset == "NIL"

    usage = {"usageMeterId": meter.id, "ratePlan": SLABS, "rateValues": RATES}
    commitment = {"displayName": "Floor", "rateValues": [{"currency": "USD", "rate": 500}]}
    done = operate(
        togai,
        made.id,
        card("CREATE", "calls", "USAGE", "usageRateCard", usage),
        fee_card("CREATE", 49.5),
        card("CREATE", "floor", "MINIMUM_COMMITMENT", "minimumCommitmentRateCard", commitment),
    )
    assert [one.name for one in done.rate_cards] == ["calls", "fee", "floor"]
    listed = togai.plans_v2.list_price_plan_rate_cards(made.id, page_size=2)
    assert [one.type for one in listed.data] == ["USAGE", "FIXED_FEE"]
    assert listed.data[1].rate_card_details.fixed_fee_rate_card.rate_values[0].rate == 49.5
    rest = togai.plans_v2.list_price_plan_rate_cards(made.id, next_token=listed.next_token)
    assert [one.name for one in rest.data] == ["floor"]

    assert togai.plans_v2.list_price_plan_errors(made.id).data == []
    assert finalize(togai, made.id, migrationMode="NONE").success is True
    active = togai.plans_v2.get_price_plan_v2(made.id, version="ACTIVE")
    assert (active.status, active.reference_id) == ("ACTIVE", made.reference_id)
    assert [row.id for row in togai.plans_v2.list_price_plans_v2(page_size=5).data] == [made.id]


def test_a_draft_with_errors_lists_them_and_can_be_discarded(togai: Togai) -> None:
    made = plan_v2(togai, supportedCurrencies=["USD", "EUR"])
    operate(togai, made.id, fee_card("CREATE", 1))

    (error,) = togai.plans_v2.list_price_plan_errors(made.id).data
    assert (error.entity_type, error.entity_id) == ("RATE_CARD", "fee")
    assert error.reference_id == made.reference_id
    assert "has 1 errors" in refused(400, finalize, togai, made.id)
    assert togai.plans_v2.discard_price_plan(made.id).success is True
    for operation in (
        togai.plans_v2.get_price_plan_v2,
        togai.plans_v2.discard_price_plan,
        togai.plans_v2.list_price_plan_errors,
        togai.plans_v2.list_price_plan_pricing_rules,
        togai.plans_v2.list_price_plan_rate_cards,
        togai.plans_v2.list_price_plan_versions,
    ):
        assert refused(404, operation, made.id) == f"Price plan {made.id} not found"


def test_an_active_plan_gets_a_version_and_accounts_move_to_it(togai: Togai) -> None:
    togai.account()
    made = plan_v2(togai)
    operate(togai, made.id, fee_card("CREATE", 49))
    finalize(togai, made.id)
    togai.associate(made.id)
    change = sdk.UpdatePricePlanV2Request(description="Dearer")
    assert togai.plans_v2.update_price_plan_v2(made.id, change).version == 2
    operate(togai, made.id, fee_card("UPDATE", 59))

    finalize(togai, made.id, migrationMode="NEXT_CYCLE", versionsToMigrate="LATEST_VERSION")

    versions = togai.plans_v2.list_price_plan_versions(made.id, page_size=5).data
    assert [(row.version, row.status) for row in versions] == [(2, "ACTIVE"), (1, "ACTIVE")]
    schedules = togai.accounts.get_pricing_schedules("acme-main").data
    assert [(row.version, row.start_date.month) for row in schedules] == [(1, 11), (2, 12)]
    bad = sdk.UpdatePricePlanV2Request(supportedCurrencies=["euro"])
    assert refused(400, togai.plans_v2.update_price_plan_v2, made.id, bad).startswith(
        "supportedCurrencies[0] must match"
    )


def test_refusals_of_the_second_generation_carry_the_vendors_error_body(togai: Togai) -> None:
    made = plan_v2(togai)

    assert refused(400, plan_v2, togai) == f"name: price plan {made.id} is called Growth already"
    assert refused(400, togai.plans_v2.list_price_plans_v2, None, 101).startswith("pageSize must")
    removal = {"actionType": "DELETE", "rateCardName": "none"}
    assert refused(400, operate, togai, made.id, removal) == (
        "operations[0].rateCardName: there is no rate card none"
    )


def test_pricing_rules_are_replaced_listed_and_logged(togai: Togai) -> None:
    togai.account()
    made = plan_v2(togai)
    operate(togai, made.id, fee_card("CREATE", 50))
    put = togai.plans_v2.update_price_plan_pricing_rules(made.id, rules(RULE))
    assert [(rule.name, rule.version) for rule in put.data] == [("Extra", 1)]
    read = togai.plans_v2.list_price_plan_pricing_rules(made.id, version="LATEST").data
    assert (read[0].action.description, read[0].action.metadata) == ("Surcharge", {"kind": "tenth"})
    finalize(togai, made.id)
    togai.associate(made.id)

    by_schedule = togai.pricing_rules.list_pricing_rules_by_schedule_id(
        made.id, made.reference_id, invoice_timing="IN_ARREARS"
    )
    assert [rule.id for rule in by_schedule.data] == [put.data[0].id]
    (invoice,) = togai.invoices.list_invoices(owner_id="acme-main").data
    assert invoice.total_amount == 55
    (log,) = togai.invoices.list_pricing_rule_logs(invoice.id).data
    assert (log.type, log.changes.new_revenue, log.rule.name) == ("CONDITION_TRUE", 5, "Extra")
    assert log.variables_value["revenue.ff.platform"].value == "50.00"

    broken = rules(RULE | {"computation": "revenue * 2"})
    put_rules = togai.plans_v2.update_price_plan_pricing_rules
    assert refused(400, put_rules, made.id, broken).startswith("pricingRules[0].computation")
    assert refused(404, togai.invoices.list_pricing_rule_logs, "inv.0.0") == (
        "Invoice inv.0.0 not found"
    )
    by_schedule_id = togai.pricing_rules.list_pricing_rules_by_schedule_id
    assert refused(404, by_schedule_id, made.id, "sch.0.0").startswith("Pricing schedule sch.0.0")


def test_a_plan_of_the_first_generation_is_changed(togai: Togai) -> None:
    made = togai.active_plan(fixedFeeRateCards=[fee(10)])
    body = {
        "description": "For teams",
        "pricePlanDetails": {"fixedFeeRateCards": [fee(20)]},
        "pricingRules": [RULE],
        "migrationMode": "NONE",
    }
    changed = togai.plans.update_price_plan(made.id, sdk.UpdatePricePlanRequest.from_dict(body))

    (schedule,) = changed.pricing_schedule
    assert (changed.status, changed.description, schedule.version) == ("ACTIVE", "For teams", 2)
    assert schedule.price_plan_details.fixed_fee_rate_cards[0].rate_values[0].rate == 20
    assert [rule.name for rule in schedule.pricing_rules] == ["Extra"]
    request = sdk.UpdatePricePlanRequest(description="Late")
    assert refused(404, togai.plans.update_price_plan, "pp.0.0", request) == (
        "Price plan pp.0.0 not found"
    )


def test_both_calculators_say_what_a_plan_would_earn(togai: Togai) -> None:
    meter = togai.meter()
    feature = togai.feature()
    rated = {"ratePlan": SLABS, "rateValues": RATES}
    plan = togai.active_plan(
        usageRateCards=[{"usageMeterId": meter.id, **rated}],
        fixedFeeRateCards=[fee(49.5)],
        licenseRateCards=[{"id": "addon.seat", "enableProration": False, **rated}],
        entitlementOverageRateCards=[{"featureId": feature.id, **rated}],
    )
    request = question(
        pricePlanDetailsConfig={"mode": "PRICE_PLAN", "pricePlanId": plan.id},
        usageConfig={"mode": "CUSTOM", "usageMap": {meter.id: 125}},
        entitlementOverageConfig={
            "mode": "CUSTOM",
            "custom": [{"featureId": feature.id, "quantity": 3}],
        },
    )

    first = togai.experiments.calculate_revenue(request)
    second = togai.experiments.calculate_revenue_v2(request)

    assert first.price_plan_details.type == "BILLING"
    assert first.revenue_info[0].usage_rate_card.usage_meter_id == meter.id
    assert second.revenue_info[0].rate_card.type == "USAGE"
    for info in (first.revenue_info, second.revenue_info):
        slabs = [(slab.order, slab.usage, slab.revenue) for slab in info[0].slab_revenue_summaries]
        assert slabs == [(1, 100, 200), (2, 25, 45)]
        assert info[0].slab_revenue_summaries[1].metadata.package_quantity == 3
        assert Decimal(str(info[1].fixed_fee_revenue_summary.revenue)) == Decimal("49.5")
        assert [slab.revenue for slab in info[2].license_revenue_summary] == [0, 0]
        assert info[3].entitlement_overage_revenue_summary.revenue == 6


def test_calculators_refuse_what_they_cannot_rate(togai: Togai) -> None:
    request = question(
        pricePlanDetailsConfig={"mode": "PRICE_PLAN", "pricePlanId": "pp.0.0"},
        usageConfig={"mode": "CUSTOM"},
    )

    for operation in (togai.experiments.calculate_revenue, togai.experiments.calculate_revenue_v2):
        assert refused(404, operation, request) == "Price plan pp.0.0 not found"


def test_refusals_about_plans_of_the_first_generation_carry_the_vendors_error_body(
    togai: Togai,
) -> None:
    made = togai.plan()
    wanted = sdk.ActivatePricePlanRequest(currencies=["EUR"])

    assert refused(400, togai.plan).endswith("is called Plan BILLING already")
    assert refused(400, togai.plans.get_price_plans, None, 101).startswith("pageSize must")
    assert refused(404, togai.plans.get_price_plan, made.id, 7).endswith("has no version 7")
    assert refused(400, togai.plans.activate_price_plan, made.id, wanted) == (
        "currencies: the plan has no rates in EUR"
    )
    assert refused(404, togai.plans.archive_price_plan, "pp.0.0") == "Price plan pp.0.0 not found"


def test_refusals_about_add_ons_carry_the_vendors_error_body(togai: Togai) -> None:
    request = sdk.CreateAddOnRequest(name="Seats", type="LICENSE")
    made = togai.add_ons.create_add_on(request)
    change = sdk.UpdateAddOnRequest(name="Places")

    taken = f"name: add-on {made.id} is called Seats already"
    assert refused(400, togai.add_ons.create_add_on, request) == taken
    assert refused(400, togai.add_ons.get_add_ons, None, None, 101).startswith("pageSize must")
    for operation in (togai.add_ons.get_add_on, togai.add_ons.delete_add_on):
        assert refused(404, operation, "addon.0") == "Add-on addon.0 not found"
    assert refused(404, togai.add_ons.update_add_on, "addon.0", change) == (
        "Add-on addon.0 not found"
    )
