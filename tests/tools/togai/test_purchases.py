"""Purchases, proposals, migrations, jobs and licences through the tools."""

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from answers import facts, failure, forget, said
from billing_mcp.config import Settings
from billing_mcp.server import BillingServer
from calls.schedules import active
from guard.guarded import guarded
from tools.planning import planned, refused
from world import OPERATION, World

pytestmark = pytest.mark.anyio

ALL = Settings(toolsets=("all",))
TEST = {"accountId": "harbor-test"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """All tools, and none of them needs a person's yes."""
    policy = tmp_path / "policy.toml"
    policy.write_text('[everyone]\ndestructive = "allowed"\n', encoding="utf-8")
    return Settings(toolsets=("all",), policy=policy)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    return facts(await client.call_tool(tool, arguments))


async def test_a_purchase_is_bought_once_listed_and_read(client: Client, world: World) -> None:
    plan_id = active(world, "Bundle", "PURCHASE")
    wish = TEST | {"pricePlanId": plan_id, "quantity": 2, "operationId": OPERATION}

    made = await call(client, "create-purchase", **wish)
    again = await call(client, "create-purchase", **wish)

    assert (made["price"], made["status"]) == ("98.00", "SUCCESS")
    assert (again["id"], again["replayed"]) == (made["id"], True)
    assert world.effects("purchase") == [OPERATION]
    listed = await client.call_tool("list-account-purchases", TEST)
    (row,) = facts(listed)["data"]
    assert (row["pricePlanName"], row["price"], row["quantity"]) == ("Bundle", "98.00", 2)
    assert "id|type|status|pricePlanId|pricePlanName|quantity|price" in said(listed)
    whole = await call(client, "get-purchase", purchaseId=made["id"])
    assert (whole["invoiceId"], whole["features"]) == (made["invoiceId"], [])


async def test_a_purchase_may_differ_from_its_plan(client: Client, world: World) -> None:
    plan_id = active(world, "Bundle", "PURCHASE")
    rates = [{"currency": currency, "rate": "10.25"} for currency in ("USD", "EUR")]
    fee = {"id": "fee", "enableProration": False, "rateValues": rates}

    made = await call(
        client,
        "create-purchase",
        **TEST,
        pricePlanId=plan_id,
        purchasePlanOverride={"fixedFeeRateCards": [fee]},
        rateCardQuantities={"fee": "4"},
        effectiveFrom="2026-12-01",
        effectiveUntil="2027-12-01",
    )

    assert made["price"] == "41.00"
    assert (made["effectiveFrom"], made["effectiveUntil"]) == ("2026-12-01", "2027-12-01")


async def test_money_for_a_wallet_is_proposed_approved_and_paid_for_first(
    client: Client, world: World
) -> None:
    wish = {"type": "WALLET_TOPUP", "paymentMode": "PREPAID", "topupAmount": "20.50"}
    proposed = await call(client, "create-proposal", **TEST, **wish, expiryDate="2027-01-01T00:00Z")

    answer = {"purchaseProposalId": proposed["id"], "status": "APPROVE"}
    approved = await call(client, "update-proposal-status", **answer)

    assert (proposed["status"], proposed["price"]) == ("PROPOSAL_ACTIVE", "20.50")
    assert approved["status"] == "PROPOSAL_APPROVED"
    assert (await call(client, "get-wallet-balance", **TEST))["balance"] == "0.00"
    pay = {"status": "PAID"}
    world.ask("POST", f"/togai/invoices/{approved['invoiceId']}/payments", pay)
    assert (await call(client, "get-wallet-balance", **TEST))["balance"] == "20.50"
    (row,) = (await call(client, "list-account-proposals", **TEST))["data"]
    assert (row["type"], row["status"]) == ("WALLET_TOPUP", "PROPOSAL_APPROVED")
    again = failure(await client.call_tool("update-proposal-status", answer))
    assert again["kind"] == "invalid-request"


async def test_an_old_key_is_not_taken_for_another_purchase_by_a_server_that_forgot_it(
    client: Client, server: BillingServer, world: World
) -> None:
    seats = licence(world)
    wishes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "create-purchase": ({"type": "WALLET_TOPUP", "topupAmount": "5"}, {"topupAmount": "6"}),
        "add-license-update": (
            {"licenseId": seats, "quantity": "1", "updateType": "ABSOLUTE"},
            {"metadata": {"ticket": "T-9"}},
        ),
    }
    for tool, (wish, change) in wishes.items():
        keyed = TEST | wish | {"operationId": OPERATION}
        await call(client, tool, **keyed)
        await forget(server)

        error = failure(await client.call_tool(tool, keyed | change))

        assert (error["kind"], error["field"]) == ("conflict", "operationId")
        assert "was already used for another" in error["message"]
        await forget(server)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"type": "WALLET_TOPUP"}, "topupAmount"),
        ({}, "pricePlanId"),
        ({"pricePlanId": "pp.1", "topupAmount": "5"}, "topupAmount"),
        ({"type": "ASSOCIATION", "pricePlanId": "pp.1", "quantity": 2}, "quantity"),
        ({"type": "WALLET_TOPUP", "topupAmount": "5", "pricePlanId": "pp.1"}, "pricePlanId"),
    ],
)
async def test_what_has_no_place_in_a_purchase_is_refused_unsent(
    client: Client, world: World, wish: dict[str, Any], field: str
) -> None:
    error = failure(await client.call_tool("create-purchase", TEST | wish))

    assert (error["kind"], error["field"]) == ("invalid-request", field)
    assert "nothing was sent" in error["message"]
    assert world.effects("purchase") == []


async def test_a_plan_of_the_wrong_type_is_no_purchase() -> None:
    async with guarded(ALL) as at:
        plan_id = active(at.world, "Yearly")
        error = await refused(at, "create-purchase", **TEST, pricePlanId=plan_id)
        bundle = active(at.world, "Bundle", "PURCHASE")
        other = await refused(at, "create-purchase", **TEST, type="ASSOCIATION", pricePlanId=bundle)
    assert (error["kind"], error["field"]) == ("conflict", "pricePlanId")
    assert error["next"] == "list-price-plans shows those of type PURCHASE."
    assert other["next"] == "list-price-plans shows those of type BILLING."


async def test_plans_of_purchases_say_when_they_are_given() -> None:
    async with guarded(ALL) as at:
        bundle = {"pricePlanId": active(at.world, "Bundle", "PURCHASE")}
        yearly = {"pricePlanId": active(at.world, "Yearly")}
        paid = await planned(at, "create-purchase", **TEST, **bundle, type="PREPAID")
        put = await planned(at, "create-purchase", **TEST, **yearly, type="ASSOCIATION")
        money = {"topupAmount": "20", "purchaseAmount": "15"}
        wallet = await planned(at, "create-purchase", **TEST, type="WALLET_TOPUP", **money)
    assert "gives what it grants once the invoice is paid" in paid["effect"]
    assert "Buys the association of account harbor-test" in put["effect"]
    assert "20.00 USD for the wallet of account harbor-test" in wallet["effect"]
    assert "at a price of 15.00 USD" in wallet["effect"]


async def test_accounts_are_migrated_once_the_job_is_confirmed(
    client: Client, world: World
) -> None:
    target = active(world, "Yearly")
    wish = {"sourceId": world.plan, "sourceVersion": 1, "targetId": target}
    mode = {"migrationMode": "NEXT_CYCLE", "requireConfirmation": True}

    started = await call(client, "migrate-price-plan-v2", **wish, **mode)

    assert started["success"] is True
    (job,) = (await call(client, "list-jobs"))["data"]
    assert job["status"] == "WAITING_FOR_CONFIRMATION"
    entries = (await call(client, "list-job-entries", jobId=job["id"]))["data"]
    assert [(row["entityId"], row["status"]) for row in entries] == [("harbor-main", "PENDING")]
    done = await call(client, "confirm-job", jobId=job["id"])
    assert (done["status"], done["completedJobEntries"]) == ("COMPLETED", 1)
    assert (await call(client, "get-job", jobId=job["id"]))["metadata"]["targetId"] == target
    (old,) = (await call(client, "list-migrations"))["data"]
    same = await call(client, "get-migration-status", migrationId=job["id"])
    assert (old["id"], same["completedMigrationEntries"]) == (job["id"], 1)
    schedules = (await call(client, "list-account-schedules", accountId="harbor-main"))["data"]
    assert [row["pricePlanId"] for row in schedules] == [world.plan, target]


async def test_a_job_that_waits_for_nothing_has_no_plan() -> None:
    async with guarded(ALL) as at:
        target = active(at.world, "Yearly")
        body = {"sourceId": at.world.plan, "sourceVersion": 1, "targetId": target}
        at.world.ask("POST", "/togai/price_plans/migration", body | {"migrationMode": "IMMEDIATE"})
        (job,) = at.world.ask("GET", "/togai/jobs")["data"]
        error = await refused(at, "confirm-job", jobId=job["id"])
        unknown = await refused(at, "reject-job", jobId="job.0")
    assert (error["kind"], error["field"]) == ("conflict", "jobId")
    assert "is COMPLETED and waits for no confirmation" in error["message"]
    assert unknown["kind"] == "not-found"


def licence(world: World, kind: str = "LICENSE") -> str:
    made = world.ask("POST", "/togai/addons", {"name": f"Seats {kind}", "type": kind})
    licence_id: str = made["id"]
    return licence_id


async def test_licences_are_changed_once_and_listed(client: Client, world: World) -> None:
    seats = {"accountId": "harbor-main", "licenseId": licence(world)}
    wish = seats | {"quantity": "3", "updateType": "RELATIVE", "operationId": OPERATION}

    made = await call(client, "add-license-update", **wish)
    await call(client, "add-license-update", **wish)
    fewer = await call(client, "add-license-update", **seats, quantity="-1", updateType="RELATIVE")

    assert (made["quantity"], fewer["quantity"]) == ("3", "2")
    rows = (await call(client, "list-license-updates", **seats))["data"]
    assert sorted(row["quantity"] for row in rows) == ["2", "3"]
    moment = {"effectiveFrom": rows[0]["effectiveFrom"]}
    note = {"metadata": {"ticket": "T-7"}}
    amended = await call(client, "update-license-update", **seats, **moment, **note)
    assert amended["metadata"] == {"ticket": "T-7"}
    assert (await call(client, "list-named-license-updates"))["data"] == []


async def test_a_change_of_licences_that_makes_no_sense_is_refused() -> None:
    async with guarded(ALL) as at:
        seats = {"accountId": "harbor-main", "licenseId": licence(at.world)}
        below = await refused(
            at, "add-license-update", **seats, quantity="-1", updateType="RELATIVE"
        )
        named = seats | {"licenseId": licence(at.world, "NAMED_LICENSE")}
        other = await refused(
            at, "add-license-update", **named, quantity="1", updateType="ABSOLUTE"
        )
        day = {"effectiveFrom": "2026-11-01T00:00:00Z", "metadata": {}}
        gone = await refused(at, "update-license-update", **seats, **day)
    assert (below["kind"], below["field"]) == ("conflict", "quantity")
    assert "holds 0 licences then, and cannot hold -1" in below["message"]
    assert (other["kind"], other["field"]) == ("conflict", "licenseId")
    assert (gone["kind"], gone["field"]) == ("not-found", "effectiveFrom")
