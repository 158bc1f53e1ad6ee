"""Schedules through the tools: read, drafted, finalized, and what a plan of a change refuses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, said
from billing_mcp.config import Settings
from calls.price_plans import FEE_CARD, RULE
from calls.schedules import active, draft
from world import World

pytestmark = pytest.mark.anyio

TEST = {"accountId": "harbor-test"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A write that destroys something needs nobody's yes."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


def fee(rate: str) -> dict[str, Any]:
    rates = [{"currency": currency, "rate": rate} for currency in ("USD", "EUR")]
    card = {"id": "fee", "enableProration": False, "rateValues": rates}
    return FEE_CARD | {"rateCardDetails": {"fixedFeeRateCard": card}}


def put_on(plan_id: str, start: str = "2026-12-01", **more: Any) -> dict[str, Any]:
    return {"effectiveFrom": start, "associationConfig": {"pricePlanId": plan_id}, **more}


async def read(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    return facts(await client.call_tool(tool, arguments))


async def write(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    return facts(await client.call_tool(tool, arguments))


async def refused(client: Client, tool: str, **arguments: Any) -> Mapping[str, Any]:
    return failure(await client.call_tool(tool, {**arguments, "dryRun": True}))


async def test_schedules_are_listed_in_a_few_columns(client: Client, world: World) -> None:
    result = await client.call_tool("list-account-schedules", {"accountId": "harbor-main"})

    (row,) = facts(result)["data"]
    assert row == {
        "id": row["id"],
        "pricePlanId": world.plan,
        "pricePlanInfo": {"name": "Assistant"},
        "version": 1,
        "startDate": "2026-11-20T00:00:00.000Z",
        "endDate": "9999-01-01T00:00:00.000Z",
        "isOverridden": False,
    }
    columns = "id|pricePlanId|name|version|startDate|endDate|isOverridden"
    assert columns in said(result)


async def test_a_plan_change_is_drafted_read_back_and_put_in_force(
    client: Client, world: World
) -> None:
    plan_id = active(world, "Yearly")

    drafted = await write(client, "edit-account-schedules", **TEST, edits=[put_on(plan_id)])

    assert [one["pricePlanName"] for one in drafted["pricingSchedules"]] == ["Yearly"]
    assert (await read(client, "list-account-schedules", **TEST))["data"] == []
    shown = await read(client, "list-account-schedules", **TEST, mode="DRAFT")
    assert shown["data"][0]["startDate"] == "2026-12-01T00:00:00.000Z"
    final = await write(client, "finalize-account-schedules", **TEST)
    assert final["data"] == shown["data"]
    assert final["count"] == 1
    assert (await read(client, "list-account-schedules", **TEST, mode="DRAFT"))["data"] == []


async def test_prices_of_one_account_are_agreed_in_its_draft(client: Client, world: World) -> None:
    schedule = {"scheduleId": draft(world, "harbor-test", active(world, "Yearly"))}
    change = {"actionType": "UPDATE", "rateCardName": "fee", "rateCard": fee("39.50")}

    edited = await write(client, "edit-schedule-rate-cards", **schedule, operations=[change])
    await write(client, "set-schedule-pricing-rules", **schedule, pricingRules=[RULE])

    (card,) = edited["rateCards"]
    rates = card["rateCardDetails"]["fixedFeeRateCard"]["rateValues"]
    assert [rate["rate"] for rate in rates] == ["39.50", "39.50"]
    shown = await read(client, "list-schedule-rate-cards", **schedule, mode="DRAFT")
    assert [row["name"] for row in shown["data"]] == ["fee"]
    rules = await read(client, "list-schedule-pricing-rules", **schedule, mode="DRAFT")
    assert [row["name"] for row in rules["data"]] == ["Surcharge"]
    assert (await read(client, "list-schedule-errors", **schedule))["data"] == []
    active_cards = await client.call_tool("list-schedule-rate-cards", schedule)
    assert failure(active_cards)["kind"] == "not-found"


async def test_what_cannot_be_finalized_says_why(client: Client, world: World) -> None:
    (running,) = (await read(client, "list-account-schedules", accountId="harbor-main"))["data"]
    rule = RULE | {"computation": '{"+": [1, 1]}'}
    await write(client, "set-schedule-pricing-rules", scheduleId=running["id"], pricingRules=[rule])

    (error,) = (await read(client, "list-schedule-errors", scheduleId=running["id"]))["data"]

    assert error["errorMessage"] == "The plan does not allow updates of the ongoing cycle"
    account = {"accountId": "harbor-main"}
    no = failure(await client.call_tool("finalize-account-schedules", account))
    assert "does not allow updates of the ongoing cycle" in no["message"]
    assert world.plan == running["pricePlanId"]


async def test_a_plan_of_a_change_that_makes_no_sense_is_refused(
    client: Client, world: World
) -> None:
    plan_id = active(world, "Yearly")
    edit = "edit-account-schedules"

    nothing = await refused(client, "discard-account-schedules", **TEST)
    backwards = await refused(
        client, edit, **TEST, edits=[put_on(plan_id, effectiveUntil="2026-12-01")]
    )
    nowhere = await refused(client, edit, **TEST, edits=[{"effectiveFrom": "2026-12-01"}])
    unknown = await refused(client, edit, **TEST, edits=[put_on("pp.0")])

    assert (nothing["kind"], nothing["field"]) == ("conflict", "accountId")
    assert nothing["next"] == "edit-account-schedules begins a draft."
    assert (backwards["kind"], backwards["field"]) == (
        "invalid-request",
        "edits[0].effectiveUntil",
    )
    assert nowhere["field"] == "edits[0].pricePlanId"
    assert (unknown["kind"], unknown["field"]) == ("not-found", "pricePlanId")


async def test_a_card_that_is_not_there_is_refused_before_it_is_changed(
    client: Client, world: World
) -> None:
    schedule = {"scheduleId": draft(world, "harbor-test", active(world, "Yearly"))}

    error = await refused(
        client,
        "edit-schedule-rate-cards",
        **schedule,
        operations=[{"actionType": "DELETE", "rateCardName": "other"}],
    )

    assert (error["kind"], error["field"]) == ("conflict", "operations[0].rateCardName")
    assert error["next"] == "list-schedule-rate-cards shows those there are."


async def test_the_first_generation_puts_a_plan_on_an_account_at_once(
    client: Client, world: World
) -> None:
    plan_id = active(world, "Yearly")
    own = {"fixedFeeRateCards": [fee("20")["rateCardDetails"]["fixedFeeRateCard"]]}
    day = {"effectiveFrom": "2026-12-01"}

    put = await write(
        client,
        "set-account-price-plan-v1",
        **TEST,
        **day,
        pricePlanId=plan_id,
        pricePlanDetailsOverride=own,
    )
    off = {"mode": "DISASSOCIATE", "effectiveFrom": "2027-01-01"}
    await write(client, "edit-schedules-v1", **TEST, edits=[off])

    (made,) = put["pricingSchedules"]
    assert "fixedFeeRateCards" in made["pricePlanDetailsOverride"]
    (row,) = (await read(client, "list-pricing-schedules-v1", **TEST))["data"]
    assert (row["pricePlanName"], row["endDate"][:10]) == ("Yearly", "2027-01-01")


async def test_a_change_of_the_first_generation_that_makes_no_sense_is_refused(
    client: Client, world: World
) -> None:
    plan_id = active(world, "Yearly")

    without = await refused(client, "set-account-price-plan-v1", **TEST, effectiveFrom="2026-12-01")
    ends = {"effectiveFrom": "2026-12-01", "effectiveUntil": "2026-11-30"}
    backwards = await refused(
        client, "edit-schedules-v1", **TEST, edits=[{"pricePlanId": plan_id, **ends}]
    )

    assert (without["kind"], without["field"]) == ("invalid-request", "pricePlanId")
    assert backwards["field"] == "edits[0].effectiveUntil"


@pytest.mark.parametrize(
    ("tool", "argument", "shown_by"),
    [
        ("list-schedule-errors", "scheduleId", "list-account-schedules"),
        ("get-job", "jobId", "list-jobs"),
        ("get-migration-status", "migrationId", "list-migrations"),
        ("get-purchase", "purchaseId", "list-account-purchases"),
        ("get-proposal", "purchaseProposalId", "list-account-proposals"),
    ],
)
async def test_an_id_that_is_not_there_is_answered_with_where_ids_are(
    client: Client, world: World, tool: str, argument: str, shown_by: str
) -> None:
    error = failure(await client.call_tool(tool, {argument: "nothing.0"}))

    assert (error["kind"], error["next"]) == (
        "not-found",
        f"Check {argument}; {shown_by} shows those there are.",
    )
    assert world.plan
