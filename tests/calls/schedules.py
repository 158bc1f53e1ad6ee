"""Good calls of the tools for schedules, purchases, proposals, migrations, jobs and licences."""

from typing import Any

from calls.price_plans import FEE, FEE_CARD, RULE
from world import CYCLE, World

ACCOUNT = "/togai/accounts/harbor-test"
TOPUP = {"type": "WALLET_TOPUP", "walletTopupDetails": {"topupAmount": 50}}


def active(world: World, name: str, kind: str = "BILLING") -> str:
    """The id of an active plan with one fee in both currencies."""
    rates = [{"currency": currency, "rate": 49} for currency in ("USD", "EUR")]
    details = {
        "supportedCurrencies": ["USD", "EUR"],
        "pricingCycleConfig": CYCLE,
        "fixedFeeRateCards": [FEE | {"name": "fee", "rateValues": rates}],
    }
    body = {"name": name, "type": kind, "pricePlanDetails": details}
    plan_id: str = world.ask("POST", "/togai/price_plans", body)["id"]
    currencies = {"currencies": ["USD", "EUR"]}
    world.ask("POST", f"/togai/price_plans/{plan_id}/activate", currencies)
    return plan_id


def draft(world: World, account_id: str, plan_id: str) -> str:
    """The id of a schedule that is drafted for an account."""
    edit = {
        "effectiveFrom": "2027-01-01",
        "effectiveUntil": "9999-01-01",
        "associationConfig": {"pricePlanId": plan_id},
    }
    path = f"/togai/v2/accounts/{account_id}/edit_schedules"
    schedules = world.ask("POST", path, {"edits": [edit]})["pricingSchedules"]
    schedule_id: str = schedules[-1]["id"]
    return schedule_id


def made_account(world: World, account_id: str) -> str:
    body = {"id": account_id, "name": f"Account {account_id}", "customerId": "north-mill"}
    world.ask("POST", "/togai/accounts", body | {"invoiceCurrency": "EUR"})
    return account_id


def calls(world: World) -> dict[str, dict[str, Any]]:
    """Arguments by tool. Prepares at the vendor what a call needs to find there."""
    plan_id = active(world, "Yearly")
    return {
        **_schedules(world, plan_id),
        **_first_generation(plan_id),
        **_purchases(world, active(world, "Bundle", "PURCHASE")),
        **_jobs(world, plan_id),
        **_licences(world),
    }


def _schedules(world: World, plan_id: str) -> dict[str, dict[str, Any]]:
    drafted = {"scheduleId": draft(world, "mill-1", plan_id)}
    draft(world, made_account(world, "mill-ready"), plan_id)
    draft(world, made_account(world, "mill-undecided"), plan_id)
    rates = [{"currency": currency, "rate": "39"} for currency in ("USD", "EUR")]
    fee = FEE_CARD | {"rateCardDetails": {"fixedFeeRateCard": FEE | {"rateValues": rates}}}
    change = {"actionType": "UPDATE", "rateCardName": "fee", "rateCard": fee}
    put_on = {"effectiveFrom": "2026-12-01", "associationConfig": {"pricePlanId": plan_id}}
    return {
        "list-account-schedules": {"accountId": "harbor-main"},
        "edit-account-schedules": {"accountId": "harbor-test", "edits": [put_on]},
        "finalize-account-schedules": {"accountId": "mill-ready"},
        "discard-account-schedules": {"accountId": "mill-undecided"},
        "list-schedule-errors": drafted,
        "list-schedule-rate-cards": drafted | {"mode": "DRAFT"},
        "edit-schedule-rate-cards": drafted | {"operations": [change]},
        "list-schedule-pricing-rules": drafted | {"mode": "DRAFT"},
        "set-schedule-pricing-rules": drafted | {"pricingRules": [RULE]},
    }


def _first_generation(plan_id: str) -> dict[str, dict[str, Any]]:
    put_on = {"pricePlanId": plan_id, "effectiveFrom": "2026-12-01"}
    return {
        "list-pricing-schedules-v1": {"accountId": "harbor-main", "compact": True},
        "edit-schedules-v1": {"accountId": "harbor-test", "edits": [put_on]},
        "set-account-price-plan-v1": {
            "accountId": "mill-1",
            **put_on,
            "effectiveUntil": "2027-12-01",
        },
    }


def _purchases(world: World, plan_id: str) -> dict[str, dict[str, Any]]:
    account = {"accountId": "harbor-test"}
    bought = world.ask("POST", f"{ACCOUNT}/purchases", {"pricePlanId": plan_id})["id"]
    wish = TOPUP | {"paymentMode": "POSTPAID"}
    proposed = world.ask("POST", f"{ACCOUNT}/purchase_proposals", wish)["id"]
    return {
        "list-account-purchases": account,
        "get-purchase": {"purchaseId": bought},
        "create-purchase": account | {"pricePlanId": plan_id, "quantity": 2},
        "list-account-proposals": account,
        "get-proposal": {"purchaseProposalId": proposed},
        "create-proposal": account
        | {"type": "WALLET_TOPUP", "paymentMode": "PREPAID", "topupAmount": "20"},
        "update-proposal-status": {"purchaseProposalId": proposed, "status": "APPROVE"},
    }


def _jobs(world: World, plan_id: str) -> dict[str, dict[str, Any]]:
    other = active(world, "Monthly")
    for target in (plan_id, other):
        body = {"sourceId": world.plan, "sourceVersion": 1, "targetId": target}
        wish = body | {"migrationMode": "NEXT_CYCLE", "requireConfirmation": True}
        world.ask("POST", "/togai/v2/price_plans/migration", wish)
    second, first = (row["id"] for row in world.ask("GET", "/togai/jobs")["data"])
    both = {"sourceId": plan_id, "sourceVersion": 1, "targetId": other, "targetVersion": 1}
    return {
        "list-jobs": {},
        "get-job": {"jobId": first},
        "list-job-entries": {"jobId": first},
        "confirm-job": {"jobId": first},
        "reject-job": {"jobId": second},
        "list-migrations": {},
        "get-migration-status": {"migrationId": first},
        "migrate-price-plan-accounts": both | {"migrationMode": "IMMEDIATE"},
        "migrate-price-plan-v1": both | {"migrationMode": "NEXT_CYCLE"},
        "migrate-price-plan-v2": both
        | {"migrationMode": "NEXT_CYCLE_IGNORE_OVERRIDE", "requireConfirmation": True},
    }


def _licences(world: World) -> dict[str, dict[str, Any]]:
    body = {"name": "Seats held", "type": "LICENSE"}
    seats = world.ask("POST", "/togai/addons", body)["id"]
    held = {"accountId": "harbor-main", "licenseId": seats}
    moment = {"effectiveFrom": "2026-11-19T00:00:00Z"}
    update = held | moment | {"updateType": "ABSOLUTE", "quantity": 5}
    world.ask("POST", "/togai/license_updates", update)
    return {
        "list-license-updates": held,
        "add-license-update": held
        | {"quantity": "8", "updateType": "ABSOLUTE", "effectiveFrom": "2026-11-21T00:00:00Z"},
        "update-license-update": held | moment | {"metadata": {"ticket": "T-1"}},
        "list-named-license-updates": {},
    }
