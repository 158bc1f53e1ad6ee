"""Steps of a life: plans that come and go, in both generations, and change their versions."""

from decimal import Decimal
from typing import Any

from life.catalogue import fee
from life.company import Company, Picks

BILLED = ("Basic", "Weekly", "Extra")
# Account steady keeps its plan.
CHANGING = ("main", "third")
MODES = ("NEXT_CYCLE", "IMMEDIATE", "START_OF_CURRENT_CYCLE", "NONE")


def _period(company: Company, picks: Picks) -> dict[str, Any]:
    start = picks.of((0, -12, -5, 3, 20, -40))
    lasts = picks.of((None, 4, 15, 45, 1))
    until = None if lasts is None else str(company.today(start + lasts))
    return {"effectiveFrom": str(company.today(start)), "effectiveUntil": until}


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


async def associate(company: Company, picks: Picks) -> None:
    await company.ask(
        "set-account-price-plan-v1",
        accountId=picks.of(CHANGING),
        pricePlanId=company.plans[picks.of(BILLED)],
        **_period(company, picks),
    )


async def leave(company: Company, picks: Picks) -> None:
    """A period is taken out of one plan, or of all."""
    name = picks.of((*BILLED, None))
    await company.ask(
        "set-account-price-plan-v1",
        accountId=picks.of(CHANGING),
        mode="DISASSOCIATE",
        pricePlanId=None if name is None else company.plans[name],
        **_period(company, picks),
    )


async def edit_at_once(company: Company, picks: Picks) -> None:
    """The first generation's edits, two together."""
    edits = [
        _present(
            mode=picks.of(("ASSOCIATE", "DISASSOCIATE")),
            pricePlanId=company.plans[picks.of(BILLED)],
            **_period(company, picks),
        )
        for _ in range(2)
    ]
    await company.ask("edit-schedules-v1", accountId=picks.of(CHANGING), edits=edits)


async def draft(company: Company, picks: Picks) -> None:
    """The second generation's: they count once they are finalized."""
    config = {"pricePlanId": company.plans[picks.of(BILLED)]}
    edit = _present(
        mode=picks.of(("ASSOCIATE", "DISASSOCIATE")),
        associationConfig=config,
        mergeSchedules=picks.of((None, True)),
        **_period(company, picks),
    )
    await company.ask(
        "edit-account-schedules",
        accountId=picks.of(CHANGING),
        edits=[edit],
        discard=picks.of((None, True)),
    )


async def finalize(company: Company, picks: Picks) -> None:
    tool = picks.of(("finalize-account-schedules", "discard-account-schedules"))
    await company.ask(tool, accountId=picks.of(CHANGING))


async def change_plan(company: Company, picks: Picks) -> None:
    """A version of a plan, with another fee, that accounts go on with. Basic has but one."""
    rate = Decimal(picks.of(("11", "0.5")))
    name = picks.of(("Weekly", "Extra"))
    card = fee(rate, "IN_ADVANCE" if name == "Weekly" else "IN_ARREARS")
    card["rateValues"] = [{"currency": "USD", "rate": str(rate)}]
    await company.ask(
        "update-price-plan",
        pricePlanId=company.plans[name],
        pricePlanDetails={"fixedFeeRateCards": [card]},
        migrationMode=picks.of(MODES),
        versionsToMigrate=picks.of((None, "ALL_VERSION")),
    )


async def redraft_plan(company: Company, picks: Picks) -> None:
    """The same by the second generation: a draft, or its end."""
    name, rate = picks.of(("Extra", "Weekly")), picks.of(("12", "0.25"))
    card = fee(Decimal(rate), "IN_ARREARS")
    card["rateValues"] = [{"currency": "USD", "rate": rate}]
    cards = {
        "billableId": "platform",
        "type": "FIXED_FEE",
        "invoiceTiming": "IN_ARREARS",
        "rateCardDetails": {"fixedFeeRateCard": card},
    }
    plan = {"pricePlanId": company.plans[name]}
    what = picks.number(3)
    if what == 0:
        operation = {"actionType": "CREATE", "rateCardName": f"fee {rate}", "rateCard": cards}
        await company.ask("edit-price-plan-rate-cards", **plan, operations=[operation])
    elif what == 1:
        await company.ask("finalize-price-plan", **plan, migrationMode=picks.of(MODES))
    else:
        await company.ask("discard-price-plan", **plan)


async def migrate(company: Company, picks: Picks) -> None:
    """Accounts of one plan go on with another, or with another version."""
    source, target = picks.of(("Weekly", "Extra")), picks.of(BILLED)
    await company.ask(
        "migrate-price-plan-v1",
        sourceId=company.plans[source],
        sourceVersion=picks.of((1, 2)),
        targetId=company.plans[target],
        migrationMode=picks.of(MODES[:3]),
        requireConfirmation=picks.of((None, True)),
    )


async def settle_job(company: Company, picks: Picks) -> None:
    """What waits for a confirmation is done, or not."""
    rows = await company.rows("list-jobs")
    if rows:
        job_id = picks.of([row["id"] for row in rows])
        await company.ask(picks.of(("confirm-job", "reject-job")), jobId=job_id)
