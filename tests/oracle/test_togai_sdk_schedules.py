"""The vendor's own Togai client reads schedules, purchases, proposals, migrations and jobs.

Its defects: the legacy operations under /migrations are not in it. `JobsApi.get_job_entries`,
`AccountsApi.list_account_purchases` and `list_account_proposals` take no `nextToken`, and neither
does `SchedulesApi.list_schedule_errors`, so that they read first pages only.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from oracle.togai_clients import NOON, RATES, SLABS, Togai, refused, sdk

FEE = {
    "id": "platform",
    "displayName": "Platform",
    "type": "RECURRING",
    "invoiceTiming": "IN_ARREARS",
    "enableProration": False,
    "rateValues": [{"currency": "USD", "rate": 10}],
}
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
RULE = {
    "name": "Extra",
    "order": 1,
    "invoiceTiming": "IN_ARREARS",
    "computation": "5",
    "action": {"type": "ADD", "description": "Surcharge"},
}


@pytest.fixture
def schedules(togai: Togai) -> Any:
    return sdk.SchedulesApi(togai.accounts.api_client)


@pytest.fixture
def jobs(togai: Togai) -> Any:
    return sdk.JobsApi(togai.accounts.api_client)


def billed(togai: Togai, name: str = "Old") -> str:
    """The id of an active plan with a fee of 10."""
    details = {
        "supportedCurrencies": ["USD"],
        "pricingCycleConfig": {"interval": "MONTHLY", "gracePeriod": 3},
        "fixedFeeRateCards": [FEE],
    }
    body = {"name": name, "type": "BILLING", "pricePlanDetails": details}
    made = togai.plans.create_price_plan(sdk.CreatePricePlanRequest.from_dict(body))
    wanted = sdk.ActivatePricePlanRequest(currencies=["USD"])
    plan_id: str = togai.plans.activate_price_plan(made.id, wanted).id
    return plan_id


def put_on(plan_id: str, start: str = "2026-12-01") -> dict[str, Any]:
    return {
        "mode": "ASSOCIATE",
        "effectiveFrom": start,
        "effectiveUntil": "9999-01-01",
        "associationConfig": {"pricePlanId": plan_id},
    }


def edits(*made: dict[str, Any]) -> Any:
    return sdk.EditAccountScheduleRequest.from_dict({"edits": list(made)})


def test_schedules_are_drafted_read_and_finalized(togai: Togai, schedules: Any) -> None:
    togai.account()
    plan_id = billed(togai)

    answer = schedules.bulk_edit_schedules("acme-main", edits(put_on(plan_id)), discard=True)
    drafted = schedules.listaccount_schedules("acme-main", "DRAFT").data
    final = schedules.finalize_account_schedules("acme-main", sdk.FinalizeAccountSchedules())
    active = schedules.listaccount_schedules("acme-main", "ACTIVE", page_size=5)

    assert [one.price_plan_name for one in answer.pricing_schedules] == ["Old"]
    (schedule,) = drafted
    assert (schedule.price_plan_id, schedule.version) == (plan_id, 1)
    assert (schedule.start_date, schedule.is_overridden) == (DECEMBER, False)
    assert schedule.account_schedule_info.pricing_cycle_config.interval == "MONTHLY"
    assert final.data == drafted == active.data
    assert active.next_token is None


def test_a_draft_of_schedules_is_discarded_or_refused(togai: Togai, schedules: Any) -> None:
    togai.account()
    schedules.bulk_edit_schedules("acme-main", edits(put_on(billed(togai))))

    assert schedules.discard_account_schedules("acme-main").success is True

    nothing = "Account acme-main has no draft of its schedules"
    final = schedules.finalize_account_schedules
    assert refused(400, final, "acme-main", sdk.FinalizeAccountSchedules()) == nothing
    assert refused(400, schedules.discard_account_schedules, "acme-main") == nothing
    message = refused(404, schedules.listaccount_schedules, "nobody", "ACTIVE")
    assert message == "Account nobody not found"
    edit = schedules.bulk_edit_schedules
    message = refused(400, edit, "acme-main", edits(put_on("pp.0")))
    assert message == "edits[0].associationConfig.pricePlanId: there is no active price plan pp.0"


def test_rate_cards_and_rules_of_a_schedule_are_read_and_changed(
    togai: Togai, schedules: Any
) -> None:
    togai.account()
    schedules.bulk_edit_schedules("acme-main", edits(put_on(billed(togai))))
    (schedule,) = schedules.listaccount_schedules("acme-main", "DRAFT").data
    cheaper = FEE | {"rateValues": [{"currency": "USD", "rate": 7}]}
    (before,) = schedules.list_schedule_rate_cards(schedule.id, "DRAFT").data
    operation = {
        "actionType": "UPDATE",
        "rateCardName": before.name,
        "rateCard": {
            "billableId": "platform",
            "type": "FIXED_FEE",
            "displayName": "Platform",
            "invoiceTiming": "IN_ARREARS",
            "rateCardDetails": {"fixedFeeRateCard": cheaper},
        },
    }

    request = sdk.BulkRateCardOperationsRequest.from_dict({"operations": [operation]})
    (changed,) = schedules.bulk_rate_card_operations_on_schedule(schedule.id, request).rate_cards
    body = sdk.UpdatePricingRulesRequest.from_dict({"pricingRules": [RULE]})
    (rule,) = schedules.update_pricing_rules(schedule.id, body).data

    card = changed.rate_card_details.fixed_fee_rate_card
    assert (card.rate_values[0].rate, changed.account_id) == (7, "acme-main")
    assert schedules.list_schedule_rate_cards(schedule.id, "DRAFT").data == [changed]
    assert schedules.list_pricing_rules(schedule.id, "DRAFT").data == [rule]
    assert (rule.name, rule.version) == ("Extra", 1)
    assert schedules.list_schedule_errors(schedule.id).data == []
    for operation in (schedules.list_pricing_rules, schedules.list_schedule_rate_cards):
        assert refused(404, operation, schedule.id, "ACTIVE") == f"Schedule {schedule.id} not found"


def test_what_keeps_a_schedule_from_counting_is_listed(togai: Togai, schedules: Any) -> None:
    togai.account()
    togai.associate(billed(togai))
    (schedule,) = schedules.listaccount_schedules("acme-main", "ACTIVE").data
    body = sdk.UpdatePricingRulesRequest.from_dict({"pricingRules": [RULE]})
    schedules.update_pricing_rules(schedule.id, body)

    (error,) = schedules.list_schedule_errors(schedule.id).data

    assert (error.reference_id, error.entity_type) == (schedule.id, "SCHEDULE")
    assert error.error_message == "The plan does not allow updates of the ongoing cycle"
    assert refused(404, schedules.list_schedule_errors, "sch.0") == "Schedule sch.0 not found"
    assert refused(404, schedules.update_pricing_rules, "sch.0", body) == "Schedule sch.0 not found"
    nothing = sdk.BulkRateCardOperationsRequest(operations=[])
    change = schedules.bulk_rate_card_operations_on_schedule
    assert refused(400, change, schedule.id, nothing) == "operations must have at least 1 items"


def test_schedules_of_the_first_generation_are_edited_together(togai: Togai) -> None:
    togai.account()
    plan_id = billed(togai)
    edit = {"pricePlanId": plan_id, "effectiveFrom": "2026-12-01", "effectiveUntil": "9999-01-01"}
    request = sdk.EditPricingScheduleRequest.from_dict({"edits": [edit]})

    tried = togai.accounts.update_pricing_schedule_batch("acme-main", request, dry_run=True)
    assert togai.accounts.get_pricing_schedules("acme-main").data == []
    done = togai.accounts.update_pricing_schedule_batch("acme-main", request)

    assert [one.start_date for one in tried.pricing_schedules] == [DECEMBER]
    (listed,) = togai.accounts.get_pricing_schedules("acme-main", compact=True).data
    assert listed.id == done.pricing_schedules[0].id
    batch = togai.accounts.update_pricing_schedule_batch
    message = refused(400, batch, "acme-main", request)
    assert message == f"The plan is associated in schedule {listed.id} in that time already"


def migration(source: str, target: str, **fields: Any) -> Any:
    body = {
        "sourceId": source,
        "sourceVersion": 1,
        "targetId": target,
        "targetVersion": 1,
        "migrationMode": "NEXT_CYCLE",
        **fields,
    }
    return sdk.CreatePricePlanMigrationRequest.from_dict(body)


def test_accounts_are_migrated_by_a_job(togai: Togai, jobs: Any) -> None:
    togai.account()
    old, new = billed(togai), billed(togai, "New")
    togai.associate(old)

    assert togai.plans_v2.price_plan_migration_v2(migration(old, new)).success is True

    (listed,) = jobs.get_jobs(page_size=5).data
    job = jobs.get_job_status(listed.id)
    assert (job.type, job.status, job.updated_at, job.settled_at) == (
        "PRICE_PLAN",
        "COMPLETED",
        NOON,
        NOON,
    )
    assert (job.total_job_entries, job.completed_job_entries) == (1, 1)
    assert job.metadata["targetId"] == new
    (entry,) = jobs.get_job_entries(listed.id).data
    assert (entry.entity_id, entry.status, entry.job_id) == ("acme-main", "COMPLETED", job.id)
    message = refused(400, togai.plans_v2.price_plan_migration_v2, migration("pp.0", new))
    assert message == "sourceId: there is no price plan pp.0"


def test_a_job_is_confirmed_or_rejected(togai: Togai, jobs: Any) -> None:
    togai.account()
    old, new = billed(togai), billed(togai, "New")
    togai.associate(old)
    for _ in range(2):
        waiting = migration(old, new, requireConfirmation=True)
        assert togai.plans.price_plan_migration(waiting).success is True
    second, first = (row.id for row in jobs.get_jobs().data)

    assert jobs.reject_job(second).status == "CANCELLED"
    assert jobs.confirm_job(first).status == "COMPLETED"

    message = f"Job {first} is COMPLETED; it waits for no confirmation"
    assert refused(400, jobs.confirm_job, first) == message
    assert refused(400, jobs.reject_job, first) == message
    for operation in (jobs.get_job_status, jobs.get_job_entries):
        assert refused(404, operation, "job.0") == "Job job.0 not found"
    message = refused(400, togai.plans.price_plan_migration, migration(old, old))
    assert message == "targetVersion: source and target are the same version of a plan"


def bundle(togai: Togai) -> str:
    """The id of a plan to purchase, of 40 calls for 80."""
    togai.schema()
    grant = {
        "featureId": togai.feature().id,
        "featureConfigs": [{"effectiveUntil": "P1Y", "featureCreditLimit": 40}],
        "invoiceTiming": "IN_ARREARS",
        "ratePlan": SLABS,
        "rateValues": RATES,
    }
    plan_id: str = togai.active_plan(kind="PURCHASE", billingEntitlementRateCards=[grant]).id
    return plan_id


def test_a_purchase_is_read_with_its_plan_and_its_features(togai: Togai) -> None:
    togai.account()
    request = sdk.CreatePurchaseRequest(pricePlanId=bundle(togai), quantity=2)
    made = togai.accounts.initiate_one_time_entitlement_plan("acme-main", request)

    found = togai.accounts.get_purchase(made.id)

    assert (found.status, found.price, found.invoice_id) == ("SUCCESS", 160, made.invoice_id)
    assert found.purchase_plan.type == "PURCHASE"
    (feature,) = found.features
    assert (feature.name, feature.credits_granted, feature.credits_available) == ("Calls", 80, 80)
    assert (
        refused(404, togai.accounts.get_purchase, "purchase.0") == "Purchase purchase.0 not found"
    )
    bad = sdk.CreatePurchaseRequest(pricePlanId="pp.0")
    buy = togai.accounts.initiate_one_time_entitlement_plan
    message = refused(400, buy, "acme-main", bad)
    assert message == "pricePlanId: there is no active plan pp.0 of type PURCHASE"
    message = refused(404, togai.accounts.list_account_purchases, "nobody")
    assert message == "Account nobody not found"


def test_a_proposal_is_made_read_listed_and_answered(togai: Togai) -> None:
    togai.account()
    body = {
        "pricePlanId": bundle(togai),
        "type": "ENTITLEMENT_GRANT",
        "paymentMode": "POSTPAID",
        "expiryDate": "2026-12-01T00:00:00Z",
        "idempotencyKey": "offer-1",
    }
    request = sdk.CreateProposalRequest.from_dict(body)

    made = togai.accounts.create_proposal("acme-main", request)
    (listed,) = togai.accounts.list_account_proposals("acme-main").data
    update = togai.accounts.update_proposal_status
    approved = update(made.id, sdk.UpdateProposalStatus(status="APPROVE"))

    assert (made.status, made.expiry_date, made.price) == ("PROPOSAL_ACTIVE", DECEMBER, 80)
    assert (listed.id, listed.price_plan_name) == (made.id, "Plan PURCHASE")
    assert (approved.status, approved.proposal_response_date) == ("PROPOSAL_APPROVED", NOON)
    assert togai.accounts.get_proposal(made.id).invoice_id == approved.invoice_id
    message = refused(400, update, made.id, sdk.UpdateProposalStatus(status="DECLINE"))
    assert message == f"Proposal {made.id} is PROPOSAL_APPROVED; it waits for no answer"
    assert refused(404, togai.accounts.get_proposal, "purchase.0") == (
        "Proposal purchase.0 not found"
    )
    propose = togai.accounts.create_proposal
    assert refused(404, propose, "nobody", request) == "Account nobody not found"
    proposals = togai.accounts.list_account_proposals
    assert refused(404, proposals, "nobody") == "Account nobody not found"


def test_a_wallet_is_topped_up_by_a_purchase(togai: Togai) -> None:
    togai.account()
    body = {"type": "WALLET_TOPUP", "walletTopupDetails": {"topupAmount": 50}}
    request = sdk.CreatePurchaseRequest.from_dict(body)

    made = togai.accounts.initiate_one_time_entitlement_plan("acme-main", request)

    assert (made.price, made.wallet_topup_details.topup_amount) == (50, 50)
